// Sends $MESSAGE with Go's net/smtp. The library composes nothing, so the message is put together
// by mime/multipart and mime, as programs in Go do.
package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"strings"
)

type person struct{ Name, Address string }

type file struct {
	Path, Name, Type string
	ContentID        string `json:"content_id"`
}

type message struct {
	From          person
	To, Cc, Bcc   []person
	ReplyTo       string `json:"reply_to"`
	Subject       string
	Text, HTML    string
	Inline        *file
	Attachments   []file
	Headers       map[string]string
}

func people(list []person) string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = (&mail.Address{Name: p.Name, Address: p.Address}).String()
	}
	return strings.Join(texts, ", ")
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeText(to *multipart.Writer, kind, text string) {
	part, err := to.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind + "; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	check(err)
	encoder := quotedprintable.NewWriter(part)
	encoder.Write([]byte(text))
	encoder.Close()
}

func writeFile(to *multipart.Writer, f file) {
	disposition := "attachment"
	header := textproto.MIMEHeader{
		"Content-Type":              {mime.FormatMediaType(f.Type, map[string]string{"name": f.Name})},
		"Content-Transfer-Encoding": {"base64"},
	}
	if f.ContentID != "" {
		disposition = "inline"
		header.Set("Content-ID", "<"+f.ContentID+">")
	}
	header.Set("Content-Disposition",
		mime.FormatMediaType(disposition, map[string]string{"filename": f.Name}))
	part, err := to.CreatePart(header)
	check(err)
	content, err := os.ReadFile(f.Path)
	check(err)
	encoded := base64.StdEncoding.EncodeToString(content)
	for len(encoded) > 76 {
		fmt.Fprintf(part, "%s\r\n", encoded[:76])
		encoded = encoded[76:]
	}
	fmt.Fprintf(part, "%s\r\n", encoded)
}

func nested(within *multipart.Writer, subtype string, fill func(*multipart.Writer)) {
	var content bytes.Buffer
	inner := multipart.NewWriter(&content)
	fill(inner)
	inner.Close()
	kind := fmt.Sprintf("multipart/%s; boundary=%q", subtype, inner.Boundary())
	part, err := within.CreatePart(textproto.MIMEHeader{"Content-Type": {kind}})
	check(err)
	part.Write(content.Bytes())
}

func compose(m message) []byte {
	var out bytes.Buffer
	mixed := multipart.NewWriter(&out)
	fmt.Fprintf(&out, "From: %s\r\nTo: %s\r\n", people([]person{m.From}), people(m.To))
	if len(m.Cc) > 0 {
		fmt.Fprintf(&out, "Cc: %s\r\n", people(m.Cc))
	}
	fmt.Fprintf(&out, "Reply-To: %s\r\n", m.ReplyTo)
	fmt.Fprintf(&out, "Subject: %s\r\n", mime.BEncoding.Encode("utf-8", m.Subject))
	for name, value := range m.Headers {
		fmt.Fprintf(&out, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(&out, "MIME-Version: 1.0\r\n")
	fmt.Fprintf(&out, "Content-Type: multipart/mixed; boundary=%q\r\n\r\n", mixed.Boundary())
	nested(mixed, "alternative", func(alternative *multipart.Writer) {
		writeText(alternative, "text/plain", m.Text)
		if m.Inline == nil {
			return
		}
		nested(alternative, "related", func(related *multipart.Writer) {
			writeText(related, "text/html", m.HTML)
			writeFile(related, *m.Inline)
		})
	})
	for _, f := range m.Attachments {
		writeFile(mixed, f)
	}
	mixed.Close()
	return out.Bytes()
}

// overTLS does what smtp.SendMail does, on a connection that is TLS from its first byte.
func overTLS(host, address string, auth smtp.Auth, from string, to []string, msg []byte) error {
	connection, err := tls.Dial("tcp", address, nil)
	check(err)
	client, err := smtp.NewClient(connection, host)
	check(err)
	defer client.Close()
	if auth != nil {
		if err = client.Auth(auth); err != nil {
			return err
		}
	}
	if err = client.Mail(from); err != nil {
		return err
	}
	for _, recipient := range to {
		if err = client.Rcpt(recipient); err != nil {
			return err
		}
	}
	data, err := client.Data()
	if err != nil {
		return err
	}
	data.Write(msg)
	if err = data.Close(); err != nil {
		return err
	}
	return client.Quit()
}

func main() {
	raw, err := os.ReadFile(os.Getenv("MESSAGE"))
	check(err)
	var m message
	check(json.Unmarshal(raw, &m))
	var to []string
	for _, p := range append(append(append([]person{}, m.To...), m.Cc...), m.Bcc...) {
		to = append(to, p.Address)
	}
	host := os.Getenv("SMTP_HOST")
	var auth smtp.Auth
	if user := os.Getenv("SMTP_USER"); user != "" {
		auth = smtp.PlainAuth("", user, os.Getenv("SMTP_KEY"), host)
	}
	send := smtp.SendMail
	if os.Getenv("SMTP_TLS") == "tls" {
		send = func(a string, auth smtp.Auth, from string, to []string, msg []byte) error {
			return overTLS(host, a, auth, from, to, msg)
		}
	}
	check(send(host+":"+os.Getenv("SMTP_PORT"), auth, m.From.Address, to, compose(m)))
}
