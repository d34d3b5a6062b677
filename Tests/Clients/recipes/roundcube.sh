# Roundcube's function that delivers what a user has written, without a web server and a mailbox.
export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
{
  echo '<?php'
  cat roundcube
  echo '$config["db_dsnw"] = "sqlite:////tmp/roundcube"; $config["log_driver"] = "stdout";'
} >/etc/roundcube/config.inc.php
cat >send.php <<'PROGRAM'
<?php
error_reporting(E_ALL & ~E_WARNING & ~E_DEPRECATED);
define('INSTALL_PATH', '/var/lib/roundcube/');
define('RCUBE_CONFIG_DIR', '/etc/roundcube/');
require '/usr/share/roundcube/program/include/clisetup.php';
$roundcube = rcmail::get_instance();
$user = ['user_id' => 1, 'username' => 'sender@yourdomain.com', 'mail_host' => 'localhost'];
$roundcube->user = new rcube_user(null, $user);
$message = new Mail_mime(['eol' => "\r\n"]);
$message->headers([
    'From' => 'sender@yourdomain.com', 'To' => 'alerts@example.com', 'Subject' => 'Hello from Roundcube'
]);
$message->setTXTBody("Hello.\n");
$error = $file = null;
if (!$roundcube->deliver_message($message, 'sender@yourdomain.com', 'alerts@example.com', $error, $file)) {
    $roundcube->load_language('en_US');
    echo $roundcube->gettext(['name' => $error['label'], 'vars' => $error['vars']]), "\n";
}
PROGRAM
php send.php
