# shellcheck shell=bash
# How the scripts in this folder talk to a hook. Sourced by them, not run.

fail() {
  echo "${0##*/}: $1" >&2
  exit 2
}

# Takes a hook's URL apart: sets host, and loopback to yes or nothing.
read_url() {
  case "$1" in
    http://* | https://*) ;;
    *) fail "the URL must begin with http:// or https://: $1" ;;
  esac
  host="${1#*://}"
  host="${host%%/*}"
  case "$host" in
    *@*) fail "give the credentials in the environment, not in the URL: see --help." ;;
    localhost | localhost:* | 127.* | '[::1]' | '[::1]:'*) loopback=yes ;;
    *) loopback= ;;
  esac
  # 127.0.0.1.example.com is no loopback host.
  if [[ $host == 127.* && ! $host =~ ^127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(:[0-9]+)?$ ]]; then
    loopback=
  fi
  [ -n "$loopback" ] || [ "${1%%://*}" = https ] ||
    fail "credentials don't go to $host in clear: use https."
}

# quoted TEXT: as a value in curl's configuration, which takes \ and " with a backslash before them.
quoted() {
  local text="${1//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

# ask CONFIGURATION URL [CURL ARGUMENTS]: prints the answer's body, and in a last line its status.
#
# Credentials go to curl in the configuration, on standard input: arguments show in the list of
# processes.
ask() {
  local configuration="$1" url="$2" direct=()
  shift 2
  # A proxy has no business between this machine and itself.
  [ -z "$loopback" ] || direct=(--noproxy '*')
  printf '%s\n' "$configuration" | curl --config - --silent --show-error \
    --max-time 10 ${direct[@]+"${direct[@]}"} --write-out '\n%{http_code}' "$@" "$url"
}

# call USER SECRET URL [CURL ARGUMENTS]: asks with Basic credentials.
call() {
  ask "user = $(quoted "$1:$2")" "$3" --basic "${@:4}"
}

# The hook's URL, of one that may be just its host.
hook_url() {
  if [[ ${1#*://} == */?* ]]; then echo "$1"; else echo "${1%/}/api/okta-telephony"; fi
}

# show ANSWER: takes an answer of `ask` apart, sets status and answer, and prints both.
show() {
  status="${1##*$'\n'}"
  answer="${1%$'\n'*}"
  echo "HTTP $status"
  if command -v jq >/dev/null; then jq . <<<"$answer" 2>/dev/null || echo "$answer"; else echo "$answer"; fi
}

# Whether the answer shown last says that the message was sent. A refusal that is told as successful
# has its reason beside it.
accepted() {
  [ "$status" = 200 ] && [[ $answer =~ \"status\":\"SUCCESS(FUL)?\" && ! $answer =~ \"debugContext\":\{\"reason\" ]]
}

# operator_page PATH [CURL ARGUMENTS]: asks a page of the operator's at $HOOK_URL, sets answer, and
# exits with what to do about it where there is none.
operator_page() {
  local url status
  command -v curl >/dev/null || fail "curl is not installed."
  url="${HOOK_URL:-http://127.0.0.1:3000}"
  read_url "$url"
  [ -n "${OPERATOR_SECRET-}" ] ||
    fail "set OPERATOR_SECRET to operator.secret of the hook's secrets; that of \`cargo run\` is look-only."
  answer="$(call operator "$OPERATOR_SECRET" "${url%%://*}://$host$1" "${@:2}")" ||
    fail "no answer from $host. Is the hook running? \`cargo run\` serves it at http://127.0.0.1:3000."
  status="${answer##*$'\n'}"
  answer="${answer%$'\n'*}"
  case "$status" in
    200) ;;
    401) fail "the hook at $host has another operator.secret. Is it the hook that you mean?" ;;
    # Of a page that is there, the hook says itself what is not.
    404)
      [[ $answer != '{"error":'* ]] || fail "$answer"
      fail "the hook has no such page: set operator.secret in its secrets, to a secret of its own."
      ;;
    *) fail "HTTP $status: $answer" ;;
  esac
}
