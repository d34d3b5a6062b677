<?php
use PHPMailer\PHPMailer\PHPMailer;

$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host       = 'smtp.postscale.io';
$mail->SMTPAuth   = true;
$mail->Username   = 'postscale';
$mail->Password   = 'YOUR_API_KEY';
$mail->SMTPSecure = PHPMailer::ENCRYPTION_STARTTLS;
$mail->Port       = 587;

$mail->setFrom('sender@yourdomain.com');
$mail->addAddress('recipient@example.com');
$mail->Subject = 'Test email';
$mail->Body    = 'Hello from Postscale SMTP!';

$mail->send();
