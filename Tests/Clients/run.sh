#!/usr/bin/env bash
# check-clients: the mail clients that people use, real ones, against the built relay (CLIENTS_OPTIONAL=1)
# check-clients-table: the same, and docs/evidence/clients.md written from the results
# check-thunderbird-pictures: take the pictures of docs/thunderbird.md again
# Clients that cannot be installed fail their tests; CLIENTS_OPTIONAL=1 skips them with a message.
. "$(dirname "$0")/../lib.sh"
clients=(
  nodejs node-nodemailer php-cli libphp-phpmailer ruby ruby-mail golang-go msmtp mutt s-nail curl swaks
  libauthen-sasl-perl libio-socket-ssl-perl libemail-sender-perl libemail-mime-perl python3-venv
  python3-django php-symfony-mailer php-symfony-mime php-mail php-net-smtp php-mail-mime
  ruby-actionmailer openjdk-17-jdk-headless libjakarta-mail-java git-email sendemail
)
# Clients with windows, and what a display that nobody sees needs.
desktop=(
  thunderbird claws-mail evolution xvfb xdotool dbus at-spi2-core gir1.2-atspi-2.0 python3-gi
  libnss3-tools ca-certificates
)
# Of docs/recipes.md, from PyPI; those from Debian are unpacked by recipes.py.
recipes=(
  apprise==2.3.0 Django==5.2.19 Flask-Mail==0.10.0 fastapi-mail==1.6.8 buildbot==4.3.0 Trac==1.6
  setuptools==65.5.0
)
pictures=(imagemagick openbox x11-xserver-utils fonts-noto-color-emoji)

# needed COMMAND…: ends the run when it fails, unless clients are optional.
needed() { "$@" || [ -n "${CLIENTS_OPTIONAL:-}" ]; }

run_clients() {
  install_packages python3 openssl
  needed install_packages "${clients[@]}"
  needed install_packages --no-install-recommends "${desktop[@]}"
  needed python_packages pypi 'twisted[tls]==26.10.0' aiosmtplib==5.1.3
  needed python_packages recipes "${recipes[@]}"
  use_relay
  # Most recipes wait for their time, so they run beside the others.
  local tests=("$PYTHON" -m unittest discover -s Tests/Clients -v -p)
  follow "clients" timeout -k 10 1500 "${tests[@]}" 'test_[!r]*.py' \
    + "clients of the recipes" timeout -k 10 900 "${tests[@]}" 'test_recipes.py'
}

case ${1:-clients} in
  clients) run_clients ;;
  clients-table)
    export CLIENTS_REPORT=$root/.build/clients/report
    mkdir -p "$(dirname "$CLIENTS_REPORT")"
    rm -f "$CLIENTS_REPORT"
    run_clients
    "$PYTHON" Tests/Clients/matrix.py "$CLIENTS_REPORT"
    ;;
  thunderbird-pictures)
    install_packages --no-install-recommends openssl "${desktop[@]}" "${pictures[@]}"
    use_relay
    "$PYTHON" Tests/Clients/pictures.py
    ;;
  *) no_such_job ;;
esac
