import sys
from email.message import EmailMessage

from twisted.internet import defer, reactor

lines = {}
exec(open("buildbot").read(), lines)
notifier = lines["notifier"]
text = EmailMessage()
text["From"], text["To"], text["Subject"] = "sender@yourdomain.com", "alerts@example.com", "Hello"
text.set_content("Hello.\n")


async def send():
    # What a master does with its settings, without a master.
    names, settings = notifier._config_args, notifier._config_kwargs
    generators = await defer.maybeDeferred(lambda: None)
    assert generators is None and not names
    for name in ("fromaddr", "relayhost", "smtpPort", "useTls", "smtpUser", "smtpPassword"):
        setattr(notifier, name, settings[name])
    notifier.useSmtps, notifier.dumpMailsToLog = False, False
    await notifier.sendMail(text, notifier._config_kwargs["extraRecipients"])


def run():
    done = defer.ensureDeferred(send())
    done.addErrback(lambda failure: print(failure.getErrorMessage(), file=sys.stderr))
    done.addBoth(lambda _: reactor.stop())


reactor.callWhenRunning(run)
reactor.run()
