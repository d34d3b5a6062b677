<?php
// Sends $MESSAGE with PEAR's Mail, Mail_Mime and Net_SMTP, as their documents show.
require 'Mail.php';
require 'Mail/mime.php';

$given = json_decode(file_get_contents(getenv('MESSAGE')), true);

function people(array $entries): string
{
    return implode(', ', array_map(
        fn ($e) => $e['name'] ? "\"$e[name]\" <$e[address]>" : $e['address'], $entries
    ));
}

$mime = new Mail_mime([
    'eol' => "\r\n", 'head_charset' => 'UTF-8', 'text_charset' => 'UTF-8',
    'html_charset' => 'UTF-8', 'text_encoding' => 'quoted-printable',
]);
$mime->setTXTBody($given['text']);
if ($given['html']) {
    $mime->setHTMLBody($given['html']);
    $inline = $given['inline'];
    $mime->addHTMLImage(
        $inline['path'], $inline['type'], $inline['name'], true, $inline['content_id']
    );
}
foreach ($given['attachments'] as $entry) {
    $mime->addAttachment(
        $entry['path'], $entry['type'], $entry['name'], true, 'base64', 'attachment',
        'UTF-8', '', '', null, null, '', 'UTF-8'
    );
}
$body    = $mime->get();
$headers = $mime->headers(array_filter([
    'From' => people([$given['from']]), 'To' => people($given['to']),
    'Cc' => people($given['cc']), 'Reply-To' => $given['reply_to'],
    'Subject' => $given['subject'],
]) + $given['headers']);

$isTLS = getenv('SMTP_TLS') === 'tls';
$mail  = Mail::factory('smtp', [
    'host'     => ($isTLS ? 'ssl://' : '') . getenv('SMTP_HOST'),
    'port'     => (int) getenv('SMTP_PORT'),
    'auth'     => getenv('SMTP_USER') === '' ? false : (getenv('SMTP_AUTH') ?: true),
    'username' => getenv('SMTP_USER'),
    'password' => getenv('SMTP_KEY'),
]);
$recipients = array_column(
    array_merge($given['to'], $given['cc'], $given['bcc']), 'address'
);
$result = $mail->send($recipients, $headers, $body);
if (PEAR::isError($result)) {
    fwrite(STDERR, $result->getMessage() . "\n");
    exit(1);
}
