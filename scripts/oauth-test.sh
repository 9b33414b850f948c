#!/usr/bin/env bash
# Gets an access token and posts a sample to the hook with it. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"
# shellcheck source=scripts/sample.sh
. "$(dirname "${BASH_SOURCE[0]}")/sample.sh"

usage() {
  cat <<'EOF'
Usage: scripts/oauth-test.sh [URL]

Gets an access token as Okta does, with the client credentials grant, posts
sample/okta-envelope.json (with a fresh eventId, eventTime and otpExpires) to the
hook with it, and shows both answers, the token cut out. Exits with 0 only if the
message was accepted.

  URL             the hook's, or just its host
                  [http://127.0.0.1:3000/api/okta-telephony]

Environment:
  TOKEN_URL       the authorization server's token endpoint
  CLIENT_ID       the client
  CLIENT_SECRET   its secret
  SCOPE           the scope to ask for
                  [all four: those of `cargo run -- --oauth`, while the token
                  endpoint is on a loopback host]
  TO              the recipient, such as +14255550123. Must be given unless the hook
                  is on a loopback host: the sample's number is fictional, and a real
                  ACS resource charges for every message.

Needs curl; shows the answers more readably with jq.
EOF
}

case "${1-}" in
  -h | --help) usage; exit 0 ;;
  -*) usage >&2; exit 2 ;;
esac
[ "$#" -le 1 ] || { usage >&2; exit 2; }

command -v curl >/dev/null || fail "curl is not installed."

# All that can be wrong is said before anything is sent.
hook="$(hook_url "${1:-http://127.0.0.1:3000}")"
read_url "$hook"
read_recipient

token_url="${TOKEN_URL:-http://127.0.0.1:3003/oauth2/default/v1/token}"
read_url "$token_url"
for name in CLIENT_ID CLIENT_SECRET SCOPE; do
  [ -n "$loopback" ] || [ -n "${!name-}" ] ||
    fail "set $name, to what the authorization server at $host knows the client by."
done
client_id="${CLIENT_ID:-0oadevelopment}"
client_secret="${CLIENT_SECRET:-this-secret-opens-nothing}"
scope="${SCOPE:-telephony}"

echo "POST $token_url"
configuration="data-urlencode = $(quoted "client_id=$client_id")
data-urlencode = $(quoted "client_secret=$client_secret")
data-urlencode = $(quoted "scope=$scope")"
answer="$(ask "$configuration" "$token_url" --data grant_type=client_credentials)" ||
  fail "no answer from $host. Is it running? \`cargo run -- --oauth\` serves one at http://127.0.0.1:3003."
token=
# These characters are all that a token has (RFC 6750): nothing that curl's configuration would take
# for more than a value.
if [[ $answer =~ \"access_token\"[[:space:]]*:[[:space:]]*\"([A-Za-z0-9._~+/=-]+)\" ]]; then
  token="${BASH_REMATCH[1]}"
fi
show "$(printf '%s\n' "$answer" | sed 's/"\([a-z]*_token\)"[[:space:]]*:[[:space:]]*"[^"]*"/"\1":"…"/g')"
if [ "$status" != 200 ] || [ -z "$token" ]; then
  echo "NO token"
  exit 1
fi
echo

# Whether a proxy is passed by depends on the host that is asked.
read_url "$hook"
echo "POST $hook  sample/okta-envelope.json"
answer="$(ask "header = $(quoted "Authorization: Bearer $token")" "$hook" \
  --header 'Content-Type: application/json' --data-binary "$(fill_in okta-envelope.json "$to")")" || {
  echo "  no answer. Is the hook running? \`cargo run -- --oauth\` serves it at http://127.0.0.1:3000." >&2
  exit 1
}
show "$answer"
if accepted; then
  echo "accepted"
else
  echo "NOT accepted"
  exit 1
fi
