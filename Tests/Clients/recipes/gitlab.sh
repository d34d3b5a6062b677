# What GitLab does with its settings: they become those of Action Mailer.
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
cat >send.rb <<'PROGRAM'
require 'action_mailer'

SETTINGS = {}
def gitlab_rails = SETTINGS
eval File.read('gitlab')
raise 'SMTP is off' unless SETTINGS['smtp_enable']
given = ->(name) { SETTINGS.fetch("smtp_#{name}") }
ActionMailer::Base.logger = nil
ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = {
  address: given['address'], port: given['port'], user_name: given['user_name'],
  password: given['password'], authentication: given['authentication'].to_sym,
  enable_starttls_auto: given['enable_starttls_auto'], openssl_verify_mode: given['openssl_verify_mode']
}

class Notify < ActionMailer::Base
  def hello
    mail from: SETTINGS.fetch('gitlab_email_from'), to: 'alerts@example.com',
         subject: 'Hello from GitLab', body: "Hello.\n"
  end
end

begin
  Notify.hello.deliver_now
rescue StandardError => error
  puts error.message
end
PROGRAM
ruby send.rb
