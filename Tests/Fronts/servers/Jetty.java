// Jetty with the connector that its own modules make (ssl, http, http2, alpn) and the servlet Forward:
//   Jetty ADDRESS PORT KEYSTORE IDLE-MILLISECONDS
// Nothing is set but the certificate and, if it is not 0, the idle limit.

import org.eclipse.jetty.alpn.server.ALPNServerConnectionFactory;
import org.eclipse.jetty.http2.server.HTTP2ServerConnectionFactory;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.util.ssl.SslContextFactory;

public class Jetty {
  public static void main(String[] arguments) throws Exception {
    HttpConfiguration configuration = new HttpConfiguration();
    configuration.addCustomizer(new SecureRequestCustomizer(false));
    SslContextFactory.Server tls = new SslContextFactory.Server();
    tls.setKeyStorePath(arguments[2]);
    tls.setKeyStorePassword("password");
    ALPNServerConnectionFactory alpn = new ALPNServerConnectionFactory("h2", "http/1.1");
    alpn.setDefaultProtocol("http/1.1");
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server, new SslConnectionFactory(tls, "alpn"), alpn,
        new HTTP2ServerConnectionFactory(configuration), new HttpConnectionFactory(configuration));
    connector.setHost(arguments[0]);
    connector.setPort(Integer.parseInt(arguments[1]));
    long idle = Long.parseLong(arguments[3]);
    if (idle != 0) {
      connector.setIdleTimeout(idle);
    }
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler();
    context.addServlet(Forward.class, "/*");
    server.setHandler(context);
    server.setStopAtShutdown(true);
    server.start();
    server.join();
  }
}
