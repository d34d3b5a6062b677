require 'mail'

Mail.defaults do
  delivery_method :smtp,
    address: 'smtp.postscale.io',
    port: 587,
    user_name: 'postscale',
    password: 'YOUR_API_KEY',
    authentication: :plain,
    enable_starttls_auto: true
end

Mail.deliver do
  from    'sender@yourdomain.com'
  to      'recipient@example.com'
  subject 'Test email'
  body    'Hello from Postscale SMTP!'
end
