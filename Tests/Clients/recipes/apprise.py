import logging

logging.basicConfig(level=logging.WARNING)
exec(open("apprise").read())
