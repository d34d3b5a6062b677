// Sends $MESSAGE_PROPERTIES with Jakarta Mail, as its documents and its FAQ show.
import jakarta.activation.DataHandler;
import jakarta.activation.FileDataSource;
import jakarta.mail.Authenticator;
import jakarta.mail.Message;
import jakarta.mail.MessagingException;
import jakarta.mail.PasswordAuthentication;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeBodyPart;
import jakarta.mail.internet.MimeMessage;
import jakarta.mail.internet.MimeMultipart;
import jakarta.mail.internet.MimeUtility;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Properties;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

public class SendMail {
    private static final Properties given = new Properties();

    private static String text(String key) {
        return given.getProperty(key, "");
    }

    private static int count(String key) {
        return Integer.parseInt(given.getProperty(key + ".count", "0"));
    }

    private static InternetAddress mailbox(String key) throws Exception {
        String name = text(key + ".name");
        String address = text(key + ".address");
        return name.isEmpty()
            ? new InternetAddress(address) : new InternetAddress(address, name, "UTF-8");
    }

    /** Trusts the authority in $SSL_CERT_FILE and no other. */
    private static SSLSocketFactory trusting(String path) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream file = new FileInputStream(path)) {
            store.setCertificateEntry(
                "ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trust =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context.getSocketFactory();
    }

    private static Session session() throws Exception {
        boolean isTLS = System.getenv("SMTP_TLS").equals("tls");
        Properties properties = new Properties();
        String user = System.getenv("SMTP_USER");
        properties.put("mail.smtp.host", System.getenv("SMTP_HOST"));
        properties.put("mail.smtp.port", System.getenv("SMTP_PORT"));
        properties.put("mail.smtp.ssl.enable", String.valueOf(isTLS));
        properties.put("mail.smtp.starttls.enable", String.valueOf(!isTLS));
        properties.put("mail.smtp.starttls.required", String.valueOf(!isTLS));
        properties.put("mail.smtp.ssl.checkserveridentity", "true");
        properties.put("mail.smtp.ssl.socketFactory", trusting(System.getenv("SSL_CERT_FILE")));
        properties.put("mail.smtp.auth", String.valueOf(!user.isEmpty()));
        if (!System.getenv("SMTP_AUTH").isEmpty()) {
            properties.put("mail.smtp.auth.mechanisms", System.getenv("SMTP_AUTH"));
        }
        if (System.getenv("SMTP_CHUNK_BYTES") != null) {
            properties.put("mail.smtp.chunksize", System.getenv("SMTP_CHUNK_BYTES"));
        }
        return Session.getInstance(properties, new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(user, System.getenv("SMTP_KEY"));
            }
        });
    }

    private static MimeBodyPart file(String key) throws Exception {
        MimeBodyPart part = new MimeBodyPart();
        FileDataSource source = new FileDataSource(text(key + ".path"));
        source.setFileTypeMap(new jakarta.activation.FileTypeMap() {
            @Override
            public String getContentType(java.io.File file) {
                return text(key + ".type");
            }

            @Override
            public String getContentType(String name) {
                return text(key + ".type");
            }
        });
        part.setDataHandler(new DataHandler(source));
        part.setFileName(MimeUtility.encodeText(text(key + ".name"), "UTF-8", null));
        return part;
    }

    private static MimeBodyPart holding(MimeMultipart parts) throws Exception {
        MimeBodyPart part = new MimeBodyPart();
        part.setContent(parts);
        return part;
    }

    private static void fill(MimeMessage message) throws Exception {
        message.setFrom(mailbox("from"));
        Message.RecipientType[] kinds =
            {Message.RecipientType.TO, Message.RecipientType.CC, Message.RecipientType.BCC};
        String[] names = {"to", "cc", "bcc"};
        for (int kind = 0; kind < names.length; kind++) {
            for (int i = 0; i < count(names[kind]); i++) {
                message.addRecipient(kinds[kind], mailbox(names[kind] + "." + i));
            }
        }
        message.setReplyTo(InternetAddress.parse(text("reply_to")));
        message.setSubject(text("subject"), "UTF-8");
        for (int i = 0; i < count("headers"); i++) {
            message.setHeader(text("headers." + i + ".name"), text("headers." + i + ".value"));
        }
        MimeMultipart alternative = new MimeMultipart("alternative");
        MimeBodyPart plain = new MimeBodyPart();
        plain.setText(text("text"), "UTF-8");
        alternative.addBodyPart(plain);
        if (!text("html").isEmpty()) {
            MimeMultipart related = new MimeMultipart("related");
            MimeBodyPart html = new MimeBodyPart();
            html.setText(text("html"), "UTF-8", "html");
            related.addBodyPart(html);
            MimeBodyPart picture = file("inline");
            picture.setContentID("<" + text("inline.content_id") + ">");
            picture.setDisposition(MimeBodyPart.INLINE);
            related.addBodyPart(picture);
            alternative.addBodyPart(holding(related));
        }
        MimeMultipart mixed = new MimeMultipart("mixed");
        mixed.addBodyPart(holding(alternative));
        for (int i = 0; i < count("attachments"); i++) {
            mixed.addBodyPart(file("attachments." + i));
        }
        message.setContent(mixed);
    }

    public static void main(String[] arguments) throws Exception {
        try (InputStream input = new FileInputStream(System.getenv("MESSAGE_PROPERTIES"))) {
            given.load(input);
        }
        MimeMessage message = new MimeMessage(session());
        fill(message);
        try {
            Transport.send(message);
        } catch (MessagingException error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
