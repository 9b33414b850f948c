#!/usr/bin/env bash
# Shows what is wrong, or not wise, in a hook's configuration. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"

usage() {
  cat <<'EOF'
Usage: scripts/check-config.sh

Asks a hook for the check of its configuration, and shows each variable with the fix.
PROBLEM: it is wrong, and messages may not be sent. WARNING: they may still be sent, and it
should be otherwise. No secret is shown.
Exits with 0 if nothing is wrong, with 1 if something is.

Environment:
  OPERATOR_SECRET  the hook's operator_secret
  OPERATOR_USER    its operator_user [operator]
  HOOK_URL         where the hook is [http://127.0.0.1:3000]

Needs curl and jq.
EOF
}

case "${1-}" in
  '') ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac
command -v jq >/dev/null || fail "jq is not installed."

operator_page /api/health/details
jq --raw-output '
  .variables[]
  | .name as $name
  | ((.problems // [])[] | "PROBLEM  \($name)  \(.)"), ((.warnings // [])[] | "WARNING  \($name)  \(.)")
' <<<"$answer"
status="$(jq --raw-output .status <<<"$answer")"
echo "$status"
[ "$status" = ok ]
