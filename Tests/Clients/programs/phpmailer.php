<?php
// Sends $MESSAGE with PHPMailer, as its documents show.
use PHPMailer\PHPMailer\Exception;
use PHPMailer\PHPMailer\PHPMailer;
use PHPMailer\PHPMailer\SMTP;

require '/usr/share/php/libphp-phpmailer/autoload.php';

$given = json_decode(file_get_contents(getenv('MESSAGE')), true);

$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host       = getenv('SMTP_HOST');
$mail->Port       = (int) getenv('SMTP_PORT');
$mail->SMTPSecure = getenv('SMTP_TLS') === 'tls'
    ? PHPMailer::ENCRYPTION_SMTPS : PHPMailer::ENCRYPTION_STARTTLS;
$mail->SMTPAuth   = getenv('SMTP_USER') !== '';
$mail->Username   = getenv('SMTP_USER');
$mail->Password   = getenv('SMTP_KEY');
$mail->AuthType   = getenv('SMTP_AUTH');
$mail->CharSet    = PHPMailer::CHARSET_UTF8;
if (getenv('SMTP_VERBOSE')) {
    $mail->SMTPDebug = SMTP::DEBUG_SERVER;
}

try {
    $mail->setFrom($given['from']['address'], $given['from']['name']);
    foreach ($given['to'] as $person) {
        $mail->addAddress($person['address'], $person['name']);
    }
    foreach ($given['cc'] as $person) {
        $mail->addCC($person['address'], $person['name']);
    }
    foreach ($given['bcc'] as $person) {
        $mail->addBCC($person['address'], $person['name']);
    }
    $mail->addReplyTo($given['reply_to']);
    foreach ($given['headers'] as $name => $value) {
        $mail->addCustomHeader($name, $value);
    }
    $mail->Subject = $given['subject'];
    if ($given['html']) {
        $mail->isHTML(true);
        $mail->Body    = $given['html'];
        $mail->AltBody = $given['text'];
        $inline = $given['inline'];
        $mail->addEmbeddedImage(
            $inline['path'], $inline['content_id'], $inline['name'],
            PHPMailer::ENCODING_BASE64, $inline['type']
        );
    } else {
        $mail->Body = $given['text'];
    }
    foreach ($given['attachments'] as $entry) {
        $mail->addAttachment(
            $entry['path'], $entry['name'], PHPMailer::ENCODING_BASE64, $entry['type']
        );
    }
    $mail->send();
} catch (Exception $error) {
    fwrite(STDERR, $mail->ErrorInfo . "\n");
    exit(1);
}
