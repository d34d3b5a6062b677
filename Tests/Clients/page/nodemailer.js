const nodemailer = require("nodemailer");

const transporter = nodemailer.createTransport({
  host: "smtp.postscale.io",
  port: 587,
  secure: false, // STARTTLS
  auth: {
    user: "postscale",
    pass: "YOUR_API_KEY",
  },
});

await transporter.sendMail({
  from: "sender@yourdomain.com",
  to: "recipient@example.com",
  subject: "Test email",
  text: "Hello from Postscale SMTP!",
});
