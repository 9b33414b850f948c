#!/usr/bin/env bash
# Shows what is wrong, or not wise, in a hook's configuration. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"

usage() {
  cat <<'EOF'
Usage: scripts/check-config.sh

Asks a hook what is wrong with its configuration, and shows each finding: where it stands
(document and line, or variable), the key, and the fix. No value is shown.
PROBLEM: no message is sent until it is mended. WARNING: messages are sent, and it should be
otherwise. WEBHOOK: a URL to paste, where public_url is set. Exits with 0 if there is no problem,
with 1 if there is one.

`cargo run -- check` finds the same before anything is deployed.

Environment:
  OPERATOR_SECRET  operator.secret of the hook's secrets
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
  def told:
    (if .document == "variable" then "" elif .line then "\(.document) line \(.line): "
     elif .key == "" then "\(.document) " else "\(.document): " end)
    + (if .key == "" then "" else "\(.key) " end) + .fix;
  (.problems[] | "PROBLEM  \(told)"), (.warnings[] | "WARNING  \(told)"),
  (.webhooks // {} | to_entries[] | "WEBHOOK  \(.key)  \(.value)")
' <<<"$answer"
status="$(jq --raw-output .status <<<"$answer")"
echo "$status"
[ "$status" = ok ]
