#!/usr/bin/env bash
# Shows what became of a message. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"

usage() {
  cat <<'EOF'
Usage: scripts/delivery.sh ID

Asks a hook what became of a message. Where nothing is reported of it yet, the hook asks ACS, if
reports.ask_acs is true in its settings. Exits with 0 if the message was delivered, with 1 if not or
not known.

  ID  the message's id: the transaction id in Okta's System Log

Environment:
  OPERATOR_SECRET  operator.secret of the hook's secrets
  HOOK_URL         where the hook is [http://127.0.0.1:3000]

Needs curl; shows the answer more readably with jq.
EOF
}

case "${1-}" in
  -h | --help) usage; exit 0 ;;
esac
if [ "$#" -ne 1 ]; then
  usage >&2
  exit 2
fi
# It goes into the URL as it is.
[[ $1 =~ ^[A-Za-z0-9._:-]{1,64}$ ]] || fail "the id must be one of a message, as Okta's System Log has it."

operator_page "/api/deliveries/$1"
if command -v jq >/dev/null; then
  jq --raw-output 'to_entries[] | "\(.key | (. + " " * 17)[:17])\(.value)"' <<<"$answer"
else
  echo "$answer"
fi
[[ $answer =~ \"status\":\"delivered\" ]]
