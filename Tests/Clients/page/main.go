package main

import "net/smtp"

func main() {
    auth := smtp.PlainAuth("", "postscale", "YOUR_API_KEY", "smtp.postscale.io")

    msg := []byte("From: sender@yourdomain.com\r\n" +
        "To: recipient@example.com\r\n" +
        "Subject: Test email\r\n" +
        "\r\n" +
        "Hello from Postscale SMTP!")

    smtp.SendMail(
        "smtp.postscale.io:587",
        auth,
        "sender@yourdomain.com",
        []string{"recipient@example.com"},
        msg,
    )
}
