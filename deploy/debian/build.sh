#!/usr/bin/env bash
# Makes the Debian package: build.sh BINARY VERSION FOLDER. Prints the package's path.
#
# It needs no root: the files in the package belong to root anyway.
set -euo pipefail
binary=$(realpath "$1")
version=$2
mkdir -p "$3"
output=$(realpath "$3")
cd "$(dirname "$0")/../.."
root=$output/root
name=postscale-relay
rm -rf "$root"

install -Dm755 "$binary" "$root/usr/bin/$name"
strip --strip-unneeded "$root/usr/bin/$name"
units=$root/usr/lib/systemd/system
install -Dm644 -t "$units" deploy/systemd/$name.service deploy/systemd/*.socket
# A second instance on the same sockets (docs/operating.md, "Restarting"). Its name is its admin port,
# because the two cannot share one.
sed -e '/^Also=/d' -e 's/^Description=.*/&, its second instance with admin port %i/' \
  -e 's/^ExecStart=.*/& --admin %i/' deploy/systemd/$name.service >"$units/$name@.service"
chmod 644 "$units/$name@.service"
install -Dm755 deploy/certbot/certbot-deploy "$root/usr/lib/$name/certbot-deploy"
install -Dm644 deploy/debian/relay.conf "$root/etc/$name/relay.conf"
install -dm750 "$root/etc/$name/tls"
install -Dm644 deploy/debian/default "$root/etc/default/$name"
install -Dm644 LICENSE "$root/usr/share/doc/$name/copyright"
gzip -9n <CHANGELOG.md | install -Dm644 /dev/stdin "$root/usr/share/doc/$name/changelog.gz"
mkdir -p "$root/usr/share/doc/$name/examples"
cp -r deploy/fail2ban "$root/usr/share/doc/$name/examples/"

"$binary" --experimental-dump-help | python3 deploy/man/manual.py "$version" | gzip -9n |
  install -Dm644 /dev/stdin "$root/usr/share/man/man1/$name.1.gz"
completions() { "$binary" --generate-completion-script "$1" | install -Dm644 /dev/stdin "$root/usr/share/$2"; }
completions bash bash-completion/completions/$name
completions zsh zsh/vendor-completions/_$name
completions fish fish/vendor_completions.d/$name.fish

# The libraries that the binary is linked with, under the names and versions of this Debian.
needs=$(mktemp -d)
mkdir "$needs/debian"
echo "Source: $name" >"$needs/debian/control"
depends=$(cd "$needs" && dpkg-shlibdeps -O -e"$root/usr/bin/$name" | sed 's/^shlibs:Depends=//')
rm -rf "$needs"

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do install -m755 deploy/debian/$script "$root/DEBIAN/$script"; done
printf '%s\n' "/etc/$name/relay.conf" "/etc/default/$name" >"$root/DEBIAN/conffiles"
architecture=$(dpkg --print-architecture)
cat >"$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Architecture: $architecture
Maintainer: ${MAINTAINER:-The Postscale SMTP relay authors <nobody@postscale.invalid>}
Section: mail
Priority: optional
Homepage: https://postscale.io
Depends: $depends, adduser, ca-certificates
Recommends: systemd
Suggests: certbot, fail2ban
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Description: SMTP relay in front of the Postscale API
 Mail clients connect with STARTTLS or TLS, log in with their API key, and hand
 over messages; the relay turns each into a call of the HTTPS API while it is
 still arriving, and answers with what the API said.
CONTROL
package=$output/${name}_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$root" "$package" >/dev/null
echo "$package"
