<?php
// Sends $MESSAGE with Symfony's Mailer, as its documents show: a DSN and an Email.
use Symfony\Component\Mailer\Exception\TransportExceptionInterface;
use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mailer\Transport\Smtp\Auth\LoginAuthenticator;
use Symfony\Component\Mailer\Transport\Smtp\Auth\PlainAuthenticator;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';

$given = json_decode(file_get_contents(getenv('MESSAGE')), true);

$scheme = getenv('SMTP_TLS') === 'tls' ? 'smtps' : 'smtp';
$login  = getenv('SMTP_USER') ? getenv('SMTP_USER') . ':' . getenv('SMTP_KEY') . '@' : '';
$transport = Transport::fromDsn(
    "$scheme://$login" . getenv('SMTP_HOST') . ':' . getenv('SMTP_PORT')
);
if (getenv('SMTP_AUTH')) {
    // By default it takes what the server offers, PLAIN and LOGIN in its own order.
    (function (array $authenticators) {
        $this->authenticators = $authenticators;
    })->call($transport, [
        getenv('SMTP_AUTH') === 'LOGIN' ? new LoginAuthenticator() : new PlainAuthenticator()
    ]);
}

function people(array $entries): array
{
    return array_map(fn ($entry) => new Address($entry['address'], $entry['name']), $entries);
}

$email = (new Email())
    ->from(...people([$given['from']]))
    ->to(...people($given['to']))
    ->cc(...people($given['cc']))
    ->bcc(...people($given['bcc']))
    ->replyTo($given['reply_to'])
    ->subject($given['subject'])
    ->text($given['text']);
foreach ($given['headers'] as $name => $value) {
    $email->getHeaders()->addTextHeader($name, $value);
}
if ($given['html']) {
    // A picture is found by its name; Symfony makes the Content-ID.
    $inline = $given['inline'];
    $email->html(str_replace("cid:$inline[content_id]", "cid:$inline[name]", $given['html']));
    $email->embedFromPath($inline['path'], $inline['name'], $inline['type']);
}
foreach ($given['attachments'] as $entry) {
    $email->attachFromPath($entry['path'], $entry['name'], $entry['type']);
}
try {
    (new Mailer($transport))->send($email);
} catch (TransportExceptionInterface $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
