# Sends $MESSAGE with Ruby's mail, as its documents show.
require 'json'
require 'mail'

given = JSON.parse(File.read(ENV['MESSAGE'], encoding: 'UTF-8'))

def people(entries)
  entries.map do |entry|
    address = Mail::Address.new(entry['address'])
    address.display_name = entry['name'] unless entry['name'].empty?
    address.format
  end
end

Mail.defaults do
  account = ENV['SMTP_USER'].empty? ? {} : {
    user_name: ENV['SMTP_USER'], password: ENV['SMTP_KEY'],
    authentication: ENV['SMTP_AUTH'] == 'LOGIN' ? :login : :plain
  }
  encryption = ENV['SMTP_TLS'] == 'tls' ? { tls: true } : { enable_starttls_auto: true }
  delivery_method :smtp, address: ENV['SMTP_HOST'], port: ENV['SMTP_PORT'].to_i,
                         **account, **encryption
end

mail = Mail.new(charset: 'UTF-8')
mail.from     = people([given['from']])
mail.to       = people(given['to'])
mail.cc       = people(given['cc']) unless given['cc'].empty?
mail.bcc      = people(given['bcc']) unless given['bcc'].empty?
mail.reply_to = given['reply_to']
mail.subject  = given['subject']
given['headers'].each { |name, value| mail.header[name] = value }

if given['html']
  # Text or HTML with its picture, then the files: the nesting that the wiki of mail recommends.
  body = Mail::Part.new(content_type: 'multipart/alternative')
  body.text_part = Mail::Part.new { body given['text']; content_type 'text/plain; charset=UTF-8' }
  related = Mail::Part.new(content_type: 'multipart/related')
  related.add_part(Mail::Part.new { body given['html']; content_type 'text/html; charset=UTF-8' })
  picture = given['inline']
  related.attachments.inline[picture['name']] = {
    mime_type: picture['type'], content: File.binread(picture['path']),
    content_id: "<#{picture['content_id']}>"
  }
  body.add_part(related)
  mail.add_part(body)
elsif given['attachments'].any?
  mail.text_part = Mail::Part.new { body given['text']; content_type 'text/plain; charset=UTF-8' }
else
  mail.body = given['text']
end
given['attachments'].each do |entry|
  mail.attachments[entry['name']] = {
    mime_type: entry['type'], content: File.binread(entry['path'])
  }
end
mail.deliver!
