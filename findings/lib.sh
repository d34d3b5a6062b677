# shellcheck shell=bash
# Sourced by each finding. Fetches the exact packages in $packages, unpacks them over a private view
# of this system, and runs the script a second time inside that view. Nothing is installed, and the
# folder with everything in it is removed. A network namespace of its own has only loopback. Needs
# root, apt-get, util-linux, iproute2 and python3.
set -Eeuo pipefail
name=$(basename "$0")

# The software no longer does what the comment at the top of the script says.
changed() {
  echo "$name: CHANGED: $*" >&2
  exit 1
}

# within SECONDS WHAT COMMAND...: waits until COMMAND succeeds.
within() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || changed "$what was not seen in time"
    sleep 0.1
  done
}

# listen TRANSCRIPT [RULE...]: a small SMTP server at port 2525, see listener.py. It replaces the
# listener before it.
listen() {
  [ -z "${listener:-}" ] || {
    kill "$listener"
    wait "$listener" || :
  }
  python3 /findings/listener.py "$@" &
  listener=$!
  within 5 "the listener" test -e "$1"
}

# expect TRANSCRIPT WHAT: the transcript is the text at standard input. Sizes, hashes and
# credentials do not count.
expect() {
  diff -u - <(sed -e 's/content .*/content/; s/ SIZE=.*//; s/\(AUTH PLAIN\) .*/\1/' "$1") >&2 ||
    changed "$2"
}

message() { printf 'From: <%s>\nSubject: report\n\nAll is well.\n' "$1"; }
user() { grep -q "^$1:" /etc/passwd || useradd -r -M -U -d / -s /usr/sbin/nologin "$1"; }

if [ -z "${INSIDE:-}" ]; then
  here=$(cd "$(dirname "$0")" && pwd)
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  mkdir "$folder/packages" "$folder/view"
  # shellcheck disable=SC2154,SC2086 # the script that sources this file sets it: words
  (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root $packages)
  for package in "$folder"/*.deb; do dpkg -x "$package" "$folder/packages"; done
  # These are links on the system below, and stay so.
  for link in bin sbin lib lib64; do
    [ ! -d "$folder/packages/$link" ] || {
      mkdir -p "$folder/packages/usr/$link"
      cp -a "$folder/packages/$link/." "$folder/packages/usr/$link"
      rm -r "$folder/packages/$link"
    }
  done
  # shellcheck disable=SC2016 # the inner shell expands it
  INSIDE=yes PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 timeout -k 5 60 \
    unshare --mount --uts --net --pid --fork --kill-child bash -euc '
      cd "$1"
      hostname client.example.com
      ip link set lo up
      mount -t tmpfs -o mode=755 changes view
      mkdir view/work view/root
      cp -a packages view/changes
      mkdir view/changes/findings
      mount -t overlay -o "lowerdir=/,upperdir=view/changes,workdir=view/work" overlay view/root
      mount -t proc proc view/root/proc
      mount --rbind /dev view/root/dev
      mount -t tmpfs -o mode=1777 log view/root/var/log
      mount --bind "$2" view/root/findings
      mount -t tmpfs -o mode=755 run view/root/run
      printf "127.0.0.1 localhost\n127.0.1.1 client.example.com\n" >view/root/etc/hosts
      exec chroot view/root bash "/findings/$3"
    ' bash "$folder" "$here" "$name" || {
    status=$?
    [ $status -lt 124 ] || echo "$name: not done in 60 s; says nothing about a change" >&2
    exit 1
  }
  echo "$name: as described"
  exit
fi
trap 'echo "$name: failed: $BASH_COMMAND" >&2' ERR
cd "$(mktemp -d)"
chmod 755 .
