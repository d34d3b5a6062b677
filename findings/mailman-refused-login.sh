#!/usr/bin/env bash
# Mailman 3.3.8: a refused login counts as a bounce of every recipient.
#
# Mailman logs in when it sends, and takes a 5yz to AUTH for a permanent failure of each recipient of
# that message: it registers a bounce for every one of them, and does not try again. Five days with
# such a bounce (bounce_score_threshold) disable a member. A 451 to AUTH registers nothing, and the
# message is tried again. Seen 2026-11-30, a list with two members and one message:
#
#   451 to AUTH: no bounce, one message waits
#   535 to AUTH: bounces of a@example.net and b@example.net, and that message does not wait
#
# For a server: 535 while a key is revoked or its check is broken costs a list its members.
packages="mailman3=3.3.8-2~deb12u2 python3-aiosmtpd=1.4.3-1.1+deb12u1 python3-alembic=1.8.1-2
  python3-attr=22.2.0-1 python3-authheaders=0.15.2-1 python3-authres=1.2.0-3 python3-certifi=2022.9.24-1
  python3-chardet=5.1.0+dfsg-2 python3-charset-normalizer=3.0.1-2 python3-click=8.1.3-2
  python3-dateutil=2.8.2-2 python3-dkim=1.1.4-1 python3-dnspython=2.3.0-1 python3-falcon=3.1.1-1+b1
  python3-flufl.bounce=4.0-3 python3-flufl.i18n=3.0.1-3 python3-flufl.lock=5.0.1-4
  python3-greenlet=2.0.2-1 python3-gunicorn=20.1.0-6+deb12u1 python3-idna=3.3-1+deb12u1
  python3-importlib-resources=5.1.2-2 python3-lazr.config=2.2.3-3 python3-lazr.delegates=2.0.4-1
  python3-mako=1.2.4+ds-1 python3-markupsafe=2.1.2-1+b1 python3-mimeparse=1.6.0-3
  python3-passlib=1.7.4-3 python3-pkg-resources=66.1.1-1+deb12u2 python3-psutil=5.9.4-1+b1
  python3-public=2.3-4 python3-publicsuffix2=2.20191221-3 python3-requests=2.28.1+dfsg-1
  python3-six=1.16.0-4 python3-sqlalchemy=1.4.46+ds1-1 python3-urllib3=1.26.12-1+deb12u4
  python3-zipp=1.0.0-6+deb12u1 python3-zope.component=5.1.0-1 python3-zope.configuration=4.4.1-1
  python3-zope.event=4.4-3 python3-zope.hookable=5.1.0-1+b4 python3-zope.i18nmessageid=5.0.1-2+b2
  python3-zope.interface=5.5.2-1+b1 python3-zope.schema=7.0.1-1"
. "$(dirname "$0")/lib.sh"

cat >/etc/mailman.cfg <<'CONFIGURATION'
[mailman]
layout: finding
[paths.finding]
var_dir: /var/lib/finding
bin_dir: /usr/lib/mailman3/bin
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: localhost
smtp_port: 2525
CONFIGURATION
mkdir /var/lib/finding
chown list /var/lib/finding
cat >deliver.py <<'PROGRAM'
"""Messages of a list to its two members, by Mailman's own runner; then who bounced, and what waits."""

from mailman.config import config
from mailman.core.initialize import initialize
from mailman.email.message import Message

initialize("/etc/mailman.cfg")
from mailman.app.lifecycle import create_list  # noqa: E402
from mailman.interfaces.bounce import IBounceProcessor  # noqa: E402
from mailman.interfaces.domain import IDomainManager  # noqa: E402
from mailman.runners.outgoing import OutgoingRunner  # noqa: E402
from zope.component import getUtility  # noqa: E402

getUtility(IDomainManager).add("example.com")
create_list("news@example.com")
for user in "wait", "deny":
    config.push(user, f"[mta]\nsmtp_user: {user}\nsmtp_pass: secret")
    message = Message()
    message["From"], message["To"], message["Subject"] = "s@example.com", "news@example.com", user
    message["Message-ID"] = f"<{user}@example.com>"
    message.set_payload("Hello.")
    config.switchboards["out"].enqueue(
        message, {}, listid="news.example.com", recipients={"a@example.net", "b@example.net"})
    OutgoingRunner("out")._one_iteration()
    config.db.commit()
    bounced = sorted(event.email for event in getUtility(IBounceProcessor).events)
    print(f"{user}: bounced {bounced}, waiting {len(config.switchboards['retry'].files)}")
PROGRAM
chmod 755 .
plain() { printf 'AUTH PLAIN %s' "$(printf '\0%s\0secret' "$1" | base64)"; }
listen sessions "$(plain wait)=451 later" "$(plain deny)=535 no"
setpriv --reuid list --regid list --clear-groups env HOME=/ python3 deliver.py >seen
cat seen
diff -u - seen >&2 <<'EXPECTED' || changed "see above"
wait: bounced [], waiting 1
deny: bounced ['a@example.net', 'b@example.net'], waiting 1
EXPECTED
expect sessions "the sessions" <<'SESSIONS'
1 ehlo client.example.com
1 AUTH PLAIN
1 quit
2 ehlo client.example.com
2 AUTH PLAIN
2 quit
SESSIONS
