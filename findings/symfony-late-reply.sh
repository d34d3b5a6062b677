#!/usr/bin/env bash
# Symfony Mailer 5.4.53: after a timeout it reads each reply as that of the command before.
#
# When the reply to the content does not come in time it throws "timed out", and keeps the connection.
# It sends RSET and takes the late 250, which belongs to the content, for the reply to that. From then on
# every reply is one late: at the next message's DATA it reads the 250 of RCPT and throws. Its RSET is
# then content for the server, which waits for the end. The third message gets a new connection. Here
# the timeout is 2 s and the server answers the content after 3. Seen 2026-11-30:
#
#   first:  Connection to "localhost:2525" timed out.      the server has taken it
#   second: Expected response code "354" but got code "250", with message "250 fine".
#   third:  sent, in another session
#
# For a server: a client may report the first as failed, and a second that it never sent as refused with
# a 250. The timeout of a client must be longer than the server's slowest reply; Nextcloud sets 10 s.
packages="php-symfony-mailer=5.4.53+dfsg-0+deb12u1 php-symfony-mime=5.4.53+dfsg-0+deb12u1
  php-symfony-event-dispatcher=5.4.53+dfsg-0+deb12u1
  php-symfony-event-dispatcher-contracts=2.5.5-0+deb12u1
  php-symfony-service-contracts=2.5.5-0+deb12u1 php-symfony-deprecation-contracts=2.5.5-0+deb12u1
  php-psr-log=1.1.4-2 php-psr-container=1.1.2-1 php-psr-event-dispatcher=1.0.0-2
  php-email-validator=3.2.5-1 php-doctrine-lexer=2.1.0-2+deb12u1 php-doctrine-deprecations=1.0.0-2+deb12u1
  php8.2-cli=8.2.36-1~deb12u1 php8.2-common=8.2.36-1~deb12u1 php8.2-mbstring=8.2.36-1~deb12u1
  libonig5=6.9.8-1 libargon2-1=0~20171227-0.3+deb12u1 libsodium23=1.0.18-1+deb12u1"
. "$(dirname "$0")/lib.sh"

cat >send.php <<'PROGRAM'
<?php
use Symfony\Component\Mailer\Exception\TransportException;
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Email;

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$transport = new EsmtpTransport('localhost', 2525, false);
$transport->getStream()->setTimeout(2);
foreach (['first', 'second', 'third'] as $name) {
    try {
        $transport->send((new Email())
            ->from('s@example.com')->to("$name@example.net")->subject($name)->text('Hello.'));
        echo "$name: sent\n";
    } catch (TransportException $error) {
        echo "$name: {$error->getMessage()}\n";
    }
    if ($name === 'second') {
        $transport->getStream()->setTimeout(10);
    }
}
PROGRAM
listen transcript hold=3
php8.2 -n -d extension=mbstring -d extension=ctype -d extension=iconv -d extension=tokenizer \
  send.php >seen || changed "$(cat seen)"
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
first: Connection to "localhost:2525" timed out.
second: Expected response code "354" but got code "250", with message "250 fine".
third: sent
EXPECTED
sort -s -n -k 1,1 transcript >sessions
expect sessions "the sessions" <<'SESSIONS'
1 EHLO [127.0.0.1]
1 MAIL FROM:<s@example.com>
1 RCPT TO:<first@example.net>
1 DATA
1 content
1 early RSET
1 NOOP
1 MAIL FROM:<s@example.com>
1 RCPT TO:<second@example.net>
1 DATA
1 content
2 EHLO [127.0.0.1]
2 MAIL FROM:<s@example.com>
2 RCPT TO:<third@example.net>
2 DATA
2 content
2 QUIT
SESSIONS
