from django.conf import settings

lines = {}
exec(open("django").read(), lines)
settings.configure(**{name: value for name, value in lines.items() if name.isupper()})

from django.core.mail import send_mail  # noqa: E402 - after the settings

send_mail("Hello from Django", "Hello.", None, ["alerts@example.com"])
