swaks --server smtp.postscale.io:587 --tls \
  --auth PLAIN --auth-user postscale --auth-password "YOUR_API_KEY" \
  --from sender@yourdomain.com --to recipient@example.com \
  --header "Subject: Hello from Postscale" \
  --body "Sent via SMTP relay!"
