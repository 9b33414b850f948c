#!/usr/bin/env bash
# Posts samples to the hook and shows the answers. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"
# shellcheck source=scripts/sample.sh
. "$(dirname "${BASH_SOURCE[0]}")/sample.sh"

usage() {
  cat <<'EOF'
Usage: scripts/curl-test.sh [--voice] [URL]

Posts sample/request.json (a bare payload) and sample/okta-envelope.json (Okta's
envelope, with a fresh eventId, eventTime and otpExpires) to the hook, and shows
both answers. Exits with 0 only if both messages were accepted. With
okta.response_format = "documented" the bare payload is refused (not_an_envelope), as
it should be, and this exits with 1.

  --voice             posts sample/okta-envelope-voice.json instead, which asks for a call
  URL                 the hook's, or just its host
                      [http://127.0.0.1:3000/api/okta-telephony]

Environment:
  OKTA_BASIC_SECRET   the secret of the hook's Basic credentials
                      [supersecret, which `cargo run` has, for loopback hosts only]
  OKTA_USER           the user [okta]
  TO                  the recipient, such as +14255550123. Must be given unless the
                      host is loopback: the samples' number is fictional, and a real
                      ACS resource charges for every message. It is also of no
                      country: where policy.allowed_countries is set, give TO.

Needs curl; shows the answers more readably with jq.
EOF
}

samples=(request.json okta-envelope.json)
url=
for argument in "$@"; do
  case "$argument" in
    --voice) samples=(okta-envelope-voice.json) ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *)
      [ -z "$url" ] || { usage >&2; exit 2; }
      url="$argument" ;;
  esac
done

command -v curl >/dev/null || fail "curl is not installed."

url="${url:-http://127.0.0.1:3000/api/okta-telephony}"
read_url "$url"
url="$(hook_url "$url")"

user="${OKTA_USER:-okta}"
secret="${OKTA_BASIC_SECRET-}"
if [ -z "$secret" ]; then
  [ -n "$loopback" ] || fail "set OKTA_BASIC_SECRET to the secret of the hook at $host."
  secret=supersecret
fi
read_recipient

failed=0
for sample in "${samples[@]}"; do
  echo "POST $url  sample/$sample"
  body="$(fill_in "$sample" "$to")"
  if ! answer="$(call "$user" "$secret" "$url" --header 'Content-Type: application/json' --data-binary "$body")"; then
    echo "  no answer. Is the hook running? \`cargo run\` serves it at http://127.0.0.1:3000." >&2
    failed=1
    continue
  fi
  show "$answer"
  if accepted; then
    echo "accepted"
  else
    echo "NOT accepted"
    failed=1
  fi
  echo
done
exit "$failed"
