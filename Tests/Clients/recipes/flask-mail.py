import os

from flask import Flask
from flask_mail import Mail, Message

app = Flask("app")
app.config.from_pyfile(os.path.abspath("flask-mail"))
with app.app_context():
    Mail(app).send(Message("Hello from Flask", ["alerts@example.com"], "Hello."))
