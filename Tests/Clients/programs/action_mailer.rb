# Sends $MESSAGE with Rails' Action Mailer, as its guide shows.
require 'action_mailer'
require 'json'

GIVEN = JSON.parse(File.read(ENV['MESSAGE'], encoding: 'UTF-8'))

ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.logger = nil
ActionMailer::Base.smtp_settings = {
  address: ENV['SMTP_HOST'], port: ENV['SMTP_PORT'].to_i, openssl_verify_mode: 'peer',
  **(ENV['SMTP_TLS'] == 'tls' ? { tls: true } : { enable_starttls_auto: true }),
  **(ENV['SMTP_USER'].empty? ? {} : {
    user_name: ENV['SMTP_USER'], password: ENV['SMTP_KEY'],
    authentication: ENV['SMTP_AUTH'] == 'LOGIN' ? 'login' : 'plain'
  })
}

def people(entries)
  entries.map do |entry|
    ActionMailer::Base.email_address_with_name(entry['address'], entry['name'].presence)
  end
end

class Notifier < ActionMailer::Base
  def everything
    GIVEN['headers'].each { |name, value| headers[name] = value }
    GIVEN['attachments'].each do |entry|
      attachments[entry['name']] = {
        mime_type: entry['type'], content: File.binread(entry['path'])
      }
    end
    if (picture = GIVEN['inline'])
      attachments.inline[picture['name']] = {
        mime_type: picture['type'], content: File.binread(picture['path']),
        content_id: "<#{picture['content_id']}>"
      }
    end
    mail(from: people([GIVEN['from']]), to: people(GIVEN['to']), cc: people(GIVEN['cc']),
         bcc: people(GIVEN['bcc']), reply_to: GIVEN['reply_to'],
         subject: GIVEN['subject']) do |format|
      format.text { render plain: GIVEN['text'] }
      format.html { render html: GIVEN['html'].html_safe } if GIVEN['html']
    end
  end
end

Notifier.everything.deliver_now
