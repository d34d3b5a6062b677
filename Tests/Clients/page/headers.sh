swaks --server smtp.postscale.io:587 --tls \
  --auth PLAIN --auth-user postscale --auth-password "YOUR_API_KEY" \
  --from sender@yourdomain.com --to recipient@example.com \
  --header "Subject: Welcome" \
  --header "X-Postscale-Tags: welcome, onboarding" \
  --header 'X-Postscale-Metadata: {"user_id": "42", "campaign": "launch"}' \
  --body "Welcome to the platform!"
