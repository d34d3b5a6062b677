// Sends $MESSAGE with Nodemailer, as its documents show.
const fs = require("fs");
const nodemailer = require("nodemailer");

const given = JSON.parse(fs.readFileSync(process.env.MESSAGE, "utf8"));

const transporter = nodemailer.createTransport({
  host: process.env.SMTP_HOST,
  port: Number(process.env.SMTP_PORT),
  secure: process.env.SMTP_TLS === "tls",
  requireTLS: process.env.SMTP_TLS === "starttls",
  ...(process.env.SMTP_USER && {
    auth: { user: process.env.SMTP_USER, pass: process.env.SMTP_KEY },
  }),
  ...(process.env.SMTP_AUTH && { authMethod: process.env.SMTP_AUTH }),
});

const attachments = given.attachments.map((entry) => ({
  filename: entry.name,
  path: entry.path,
  contentType: entry.type,
}));
if (given.inline) {
  attachments.push({
    filename: given.inline.name,
    path: given.inline.path,
    contentType: given.inline.type,
    cid: given.inline.content_id,
  });
}

transporter
  .sendMail({
    from: given.from,
    to: given.to,
    cc: given.cc,
    bcc: given.bcc,
    replyTo: given.reply_to,
    subject: given.subject,
    text: given.text,
    html: given.html || undefined,
    attachments,
    headers: given.headers,
  })
  .then((info) => console.log(info.response))
  .catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
