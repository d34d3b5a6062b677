import os

from trac.env import Environment
from trac.notification.mail import SmtpEmailSender

folder = os.path.abspath("project")
Environment(folder, create=True)
with open("trac") as recipe, open("project/conf/trac.ini", "w") as settings:
    settings.write("[trac]\ndatabase = sqlite:db/trac.db\n" + recipe.read())
text = "From: sender@yourdomain.com\r\nTo: alerts@example.com\r\nSubject: Hello from Trac\r\n\r\nHello.\r\n"
SmtpEmailSender(Environment(folder)).send(
    "sender@yourdomain.com", ["alerts@example.com"], text.encode())
