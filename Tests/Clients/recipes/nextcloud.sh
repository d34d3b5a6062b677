# What Nextcloud does with its settings (lib/private/Mail/Mailer.php): Symfony's transport without TLS from
# the first byte, its timeout, and the login.
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
{ echo '<?php return ['; cat nextcloud; echo '];'; } >config.php
cat >send.php <<'PROGRAM'
<?php
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Email;

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
$config = require 'config.php';
$transport = new EsmtpTransport($config['mail_smtphost'], $config['mail_smtpport'], null);
$transport->getStream()->setTimeout($config['mail_smtptimeout']);
$transport->setUsername($config['mail_smtpname'])->setPassword($config['mail_smtppassword']);
try {
    $transport->send((new Email())
        ->from("$config[mail_from_address]@$config[mail_domain]")->to('alerts@example.com')
        ->subject('Hello from Nextcloud')->text('Hello.'));
} catch (Exception $error) {
    echo $error->getMessage(), "\n";
}
PROGRAM
php send.php
