#!/usr/bin/env bash
# Shows what a hook would do with a message to a number. Sends nothing. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"

usage() {
  cat <<'EOF'
Usage: scripts/explain.sh [--enrollment] [--voice] +NUMBER [LOCALE]

Asks a hook what it would do with a passcode for a number: country, text, who would send it
from which sender, limits and verdict. Nothing is sent or counted. Exits with 0 if the
message would be sent, with 1 if not.

  +NUMBER       the recipient, such as +14255550123
  LOCALE        the person's language, such as pt-BR
  --enrollment  as if the person were enrolling the number
  --voice       as if the person asked for a call

Environment:
  OPERATOR_SECRET  operator.secret of the hook's secrets
  HOOK_URL         where the hook is [http://127.0.0.1:3000]

Needs curl; shows the answer more readably with jq.
EOF
}

type=mfa-verification channel=SMS
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --enrollment) type=pre-enrollment ;;
    --voice) channel='voice call' ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
if [ "$#" -lt 1 ] || [ "$#" -gt 2 ]; then
  usage >&2
  exit 2
fi
number="$1"
locale="${2:-en}"
# Both go into JSON as they are.
[[ $number =~ ^[+0-9\ .()-]{1,40}$ ]] || fail "the number must be + and digits: $number"
[[ $locale =~ ^[A-Za-z0-9_-]{1,40}$ ]] || fail "the locale must be a language tag such as pt-BR: $locale"

question="{\"phoneNumber\":\"$number\",\"deliveryChannel\":\"$channel\",\"locale\":\"$locale\",\"requestType\":\"com.okta.user.telephony.$type\"}"
operator_page /api/explain --header 'Content-Type: application/json' --data-binary "$question"
if command -v jq >/dev/null; then
  jq --raw-output '
    to_entries[]
    | select(.key != "limits" and .key != "providers")
    | "\(.key | (. + " " * 17)[:17])\(.value)"
  ' <<<"$answer"
  jq --raw-output '(.providers // [])[] | "\(.provider | (. + " " * 17)[:17])from \(.sender), \(.sender_type)"' <<<"$answer"
  jq --raw-output '.limits[] | "\(.limit | (. + " " * 26)[:26])\(.used) used of \(.rate)"' <<<"$answer"
else
  echo "$answer"
fi
[[ $answer =~ \"verdict\":\"sent\" ]]
