"""Sends the message in $MESSAGE_FILE with Twisted's ESMTPSenderFactory, as its examples show."""

import io
import json
import os
import sys

from twisted.internet import defer, endpoints, reactor, ssl
from twisted.mail.smtp import ESMTPSenderFactory

with open(os.environ["MESSAGE"], encoding="utf-8") as file:
    given = json.load(file)
with open(os.environ["MESSAGE_FILE"], "rb") as file:
    content = io.BytesIO(file.read())
host, port = os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"])
trust = ssl.trustRootFromCertificates(
    [ssl.Certificate.loadPEM(open(os.environ["SSL_CERT_FILE"], "rb").read())]
)
options = ssl.optionsForClientTLS(host, trustRoot=trust)
recipients = [p["address"] for kind in ("to", "cc", "bcc") for p in given[kind]]
has_user = bool(os.environ["SMTP_USER"])
done = defer.Deferred()


class Factory(ESMTPSenderFactory):
    """With $SMTP_AUTH only, if it is set; by default Twisted takes LOGIN before PLAIN."""

    def buildProtocol(self, address):
        protocol = super().buildProtocol(address)
        lost = protocol.connectionLost

        def connection_lost(reason):
            """An endpoint does not tell the factory about it."""
            lost(reason)
            if not done.called:
                done.errback(reason)

        protocol.connectionLost = connection_lost
        kept = os.environ["SMTP_AUTH"].encode()
        if kept:
            protocol.authenticators = [a for a in protocol.authenticators if a.getName() == kept]
        return protocol


factory = Factory(
    os.environ["SMTP_USER"].encode() if has_user else None,
    os.environ["SMTP_KEY"].encode() if has_user else None,
    given["from"]["address"], recipients, content, done, retries=0, contextFactory=options,
    requireAuthentication=has_user,
    requireTransportSecurity=os.environ["SMTP_TLS"] == "starttls",
    hostname=host,
)  # fmt: skip
status = []


def failed(failure):
    print(failure.getErrorMessage(), file=sys.stderr)
    status.append(1)


done.addErrback(failed)
done.addBoth(lambda _: reactor.stop())
if os.environ["SMTP_TLS"] == "tls":
    endpoint = endpoints.wrapClientTLS(options, endpoints.HostnameEndpoint(reactor, host, port))
else:
    endpoint = endpoints.HostnameEndpoint(reactor, host, port)
endpoint.connect(factory)
reactor.run()
sys.exit(status[0] if status else 0)
