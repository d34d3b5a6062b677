cp mailutils /root/.mailrc
echo Hello. | mail.mailutils -s 'Hello from mailutils' -r sender@yourdomain.com alerts@example.com
