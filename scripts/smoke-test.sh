#!/usr/bin/env bash
# Starts a host, posts both samples to it and stops it. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"

usage() {
  cat <<'EOT'
Usage: scripts/smoke-test.sh [--emulator] COMMAND…

Starts COMMAND, which serves the hook at http://127.0.0.1:3000, waits until the hook says that
its configuration is in order, runs scripts/curl-test.sh and sends an interrupt. Exits with 0 only if
both messages were accepted and the host then ended in time. What the hosts print is on standard
error.

  --emulator  starts the emulator of ACS first, with COMMAND's hook configured for it through
              SPIN_VARIABLE_…, as Spin takes it: `cargo run` has an emulator of its own

  scripts/smoke-test.sh cargo run --locked
  scripts/smoke-test.sh --emulator spin up --runtime-config-file sample/runtime-config.toml

Environment:
  WAIT  seconds until the hook must be there, builds included [600]

Needs curl, and cargo for the emulator.
EOT
}

emulator=
case "${1-}" in
  -h | --help) usage; exit 0 ;;
  --emulator) emulator=yes; shift ;;
  -*) usage >&2; exit 2 ;;
esac
[ "$#" -gt 0 ] || { usage >&2; exit 2; }
command -v curl >/dev/null || fail "curl is not installed."
wait_for="${WAIT:-600}"

hook=http://127.0.0.1:3000
acs=127.0.0.1:3001
hosts=()
# What `cargo run` has.
secret=supersecret

# Job control gives each host a process group of its own: an interrupt reaches what it has started, too, as Ctrl-C does.
set -m

stop() {
  local host
  for host in ${hosts[@]+"${hosts[@]}"}; do kill -INT -- "-$host" 2>/dev/null || true; done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# until_answered HOST URL: waits until URL is answered with success, while the process lives.
until_answered() {
  local host="$1" url="$2" waited
  for ((waited = 0; waited < wait_for; waited++)); do
    kill -0 "$host" 2>/dev/null || fail "the host has ended before it served $url: see above."
    if curl --silent --fail --noproxy '*' --max-time 5 --output /dev/null "$url"; then return; fi
    sleep 1
  done
  fail "nothing at $url after $wait_for s."
}

# Somebody else's hook would answer in this one's place.
for url in "$hook/api/health" ${emulator:+"http://$acs/messages"}; do
  if curl --silent --noproxy '*' --max-time 2 --output /dev/null "$url"; then
    fail "something serves $url already: stop it."
  fi
done

if [ -n "$emulator" ]; then
  cargo run --locked --quiet -- emulator --listen "$acs" >&2 &
  hosts+=("$!")
  until_answered "$!" "http://$acs/messages"
  # The emulator's key, which everybody has.
  key=VGhpcyBrZXkgb3BlbnMgbm90aGluZy4gSXQgaXMgZm9yIHRoZSBlbXVsYXRvciBvbmx5Lg==
  export SPIN_VARIABLE_ACS_CONNECTION_STRING="endpoint=http://$acs/;accesskey=$key"
  export SPIN_VARIABLE_ACS_FROM_SHORTCODE=12345
  export SPIN_VARIABLE_OUTBOUND_HOST1="http://$acs"
  # Not the one that everybody has: `cargo run` refuses that where it does not start the emulator itself.
  secret=opens-nothing-but-this
  export SPIN_VARIABLE_OKTA_BASIC_SECRET="$secret"
fi

"$@" >&2 &
host="$!"
hosts+=("$host")
until_answered "$host" "$hook/api/health"
OKTA_BASIC_SECRET="$secret" "$(dirname "${BASH_SOURCE[0]}")/curl-test.sh" "$hook"

kill -INT -- "-$host"
for ((waited = 0; waited < 30; waited++)); do
  kill -0 "$host" 2>/dev/null || break
  sleep 1
done
kill -0 "$host" 2>/dev/null && fail "the host did not end within 30 s of an interrupt."
echo "served, accepted, stopped"
