mkdir -p /root/.emacs.d
cp authinfo /root/.authinfo; chmod 600 /root/.authinfo
cat >send.el <<'END'
(require 'smtpmail)
(require 'sendmail)
(with-temp-buffer
  (insert "From: sender@yourdomain.com\nTo: alerts@example.com\nSubject: Hello from Emacs\n"
          mail-header-separator "\nHello.\n")
  (funcall send-mail-function))
END
emacs-nox --batch -l emacs -l send.el
