#!/usr/bin/env bash
# Sets the hook and Okta's event hook up in Okta, through Okta's API. Sends nothing without --send. See --help.
set -euo pipefail
# shellcheck source=scripts/http.sh
. "$(dirname "${BASH_SOURCE[0]}")/http.sh"
# shellcheck source=scripts/sample.sh
. "$(dirname "${BASH_SOURCE[0]}")/sample.sh"

usage() {
  cat <<'EOF'
Usage: scripts/okta-hook.sh create --name NAME --url URL --auth basic|header|oauth [--send]
       scripts/okta-hook.sh update ID --name NAME --url URL --auth basic|header|oauth [--send]
       scripts/okta-hook.sh list [--send]
       scripts/okta-hook.sh show|preview|activate|deactivate|delete ID [--send]
       scripts/okta-hook.sh events create --name NAME --url URL [--filter] [--send]
       scripts/okta-hook.sh events update ID --name NAME --url URL [--filter] [--send]
       scripts/okta-hook.sh events list [--send]
       scripts/okta-hook.sh events show|verify|activate|deactivate|delete ID [--send]

Sets up the telephony inline hook of an Okta org, and the event hook that tells it which passcodes
were used. Without --send it only shows the request that it would send, each secret as [redacted].
Exits with 0 if that was done or shown, with 1 if Okta or the hook said no, with 2 if it could not
be asked.

  create      adds the hook; it is active at once
  update      replaces name, URL and proof, such as a secret that is rotated
  list        the org's telephony hooks: id, status, proof, name, URL
  show        one hook as JSON
  preview     has Okta call the hook with sample/okta-envelope.json, with fresh dates and TO as
              its number. The message is sent, and charged
  activate, deactivate, delete
              an org can have one active telephony hook, and an active one can't be deleted
  --url       where Okta calls: https://hook.sms.example.com/api/okta-telephony
  --auth      how Okta proves to the hook that it is Okta, see docs/okta.md

  events      the same for the event hook, see docs/okta-events.md. Its URL is
              https://hook.sms.example.com/api/okta-events
  verify      has Okta ask the hook, after create and update: before that it sends no events
  --filter    sends sign-ins by phone only, which Okta must have switched on for the org. The hook
              then sees no other method, by which a person may have signed in instead

Environment:
  OKTA_ORG_URL        the org, such as https://your-org.okta.com
  OKTA_API_TOKEN      an API token of it, with --send only
  --auth basic        OKTA_BASIC_SECRET, and OKTA_USER [okta]
  --auth header       OKTA_HEADER_NAME and OKTA_HEADER_SECRET
  --auth oauth        TOKEN_URL, CLIENT_ID, SCOPE, and either CLIENT_SECRET or HOOK_KEY_ID
  preview             TO, a number of yours, such as +14255550123
  events              OKTA_EVENTS_SECRET, events.secret of the hook's secrets

Needs jq, and curl to send.
EOF
}

# misused WHAT: says what was wrong, and how it is right.
misused() {
  printf '%s: %s\n\n' "${0##*/}" "$1" >&2
  usage >&2
  exit 2
}

# need NAME MEANING: the environment must have it.
need() {
  [ -n "${!1-}" ] || fail "set $1 to $2."
  one_line "$1"
}

# one_line NAME: a line feed at the end of a secret, as from a file, would be sent with it.
one_line() {
  [[ ${!1-} != *[[:cntrl:]]* ]] || fail "$1 has a line feed or another control character: take it out."
}

# channel: prints how Okta reaches the hook, as JSON. jq takes the secrets from the environment:
# arguments show in the list of processes. OAuth's authScheme is null, which is to leave it out.
channel() {
  local proof
  case "$auth" in
    basic)
      need OKTA_BASIC_SECRET "the hook's okta_basic_secret"
      export OKTA_USER="${OKTA_USER:-okta}"
      one_line OKTA_USER
      [[ $OKTA_USER != *:* ]] || fail "OKTA_USER can't have a colon in it: Basic credentials end the user there."
      proof='{authScheme: {type: "HEADER", key: "Authorization",
        value: ("Basic " + ("\(env.OKTA_USER):\(env.OKTA_BASIC_SECRET)" | @base64))}}'
      ;;
    header)
      need OKTA_HEADER_NAME "okta.header_name of the hook's settings"
      need OKTA_HEADER_SECRET "okta.header_secret of the hook's secrets"
      [[ $OKTA_HEADER_NAME =~ ^[A-Za-z0-9_-]+$ ]] ||
        fail "OKTA_HEADER_NAME must be the name of a header, letters, digits, - and _: $OKTA_HEADER_NAME"
      proof='{authScheme: {type: "HEADER", key: env.OKTA_HEADER_NAME, value: env.OKTA_HEADER_SECRET}}'
      ;;
    oauth)
      need TOKEN_URL "the authorization server's token endpoint, such as https://your-org.okta.com/oauth2/default/v1/token"
      need CLIENT_ID "the client id of Okta's app for the hook, okta.oauth.client_id of the hook's settings"
      need SCOPE "the custom scope, okta.oauth.scope of the hook's settings"
      [[ $TOKEN_URL =~ ^https://[^/@[:space:]]+/[^[:space:]]+$ ]] || fail "TOKEN_URL must begin with https:// and have a path: $TOKEN_URL"
      [[ ! $TOKEN_URL =~ ^https://[^/]+/oauth2/v1/token$ ]] ||
        fail "TOKEN_URL is the org's own authorization server, whose tokens only Okta can read: take a custom one, such as ${TOKEN_URL%/v1/token}/default/v1/token"
      if [ -n "${CLIENT_SECRET-}" ]; then
        [ -z "${HOOK_KEY_ID-}" ] || fail "set CLIENT_SECRET or HOOK_KEY_ID, not both."
        one_line CLIENT_SECRET
        proof='{authType: "client_secret_post", clientSecret: env.CLIENT_SECRET}'
      else
        need HOOK_KEY_ID "the id of a hook key (HKY…), or set CLIENT_SECRET"
        proof='{authType: "private_key_jwt", hookKeyId: env.HOOK_KEY_ID}'
      fi
      proof+=' + {clientId: env.CLIENT_ID, tokenUrl: env.TOKEN_URL, scope: env.SCOPE}'
      ;;
  esac
  jq --null-input --compact-output --arg url "$url" "$proof"'
    | {type: (if .authScheme then "HTTP" else "OAUTH" end), version: "1.0.0",
       config: ({uri: $url, method: "POST", headers: []} + .)}'
}

# event_channel: the same for the event hook, which has one static header.
event_channel() {
  need OKTA_EVENTS_SECRET "events.secret of the hook's secrets"
  jq --null-input --compact-output --arg url "$url" '{type: "HTTP", version: "1.0.0", config: {uri: $url, headers: [],
    authScheme: {type: "HEADER", key: "Authorization", value: ("Basic " + ("events:\(env.OKTA_EVENTS_SECRET)" | @base64))}}}'
}

# event_hook: prints the event hook with the channel of standard input, as JSON. Filters see the names of targets, not
# what the method was: of the Identity Engine alone, since Classic names no target but the person.
event_hook() {
  jq --compact-output --arg name "$name" --arg filter "$filter" '
    {name: $name, description: "Tells the telephony hook which passcodes were used",
     events: {type: "EVENT_TYPE", items: ["user.authentication.auth_via_mfa", "user.mfa.factor.activate",
       "user.mfa.factor.deactivate", "system.sms.send_phone_verification_message",
       "system.voice.send_phone_verification_call", "inline_hook.executed"]},
     channel: .}
    | if $filter == "" then . else .events.filter = {type: "EXPRESSION_LANGUAGE", eventFilterMap: [
        {event: "user.authentication.auth_via_mfa", condition: {expression:
          "event.target.?[type eq \u0027AuthenticatorEnrollment\u0027 && displayName eq \u0027Phone\u0027].size()>0"}}]} end'
}

# What Okta keeps secret it does not show; the values of further headers may be secrets as well.
redacted='(.channel | .. | objects | (.value, .clientSecret) | strings) |= "[redacted]"'

row='[.id, .status, (.verificationStatus // empty), (.channel.config | .authType // "header \(.authScheme.key?)"), .name,
  (.channel.config.uri // "no URL")] | join("  ")'

# okta METHOD PATH [BODY]: asks Okta and sets answer, or says why there is none that can be used.
# Without --send it shows the request and ends.
okta() {
  local configuration status
  if [ -z "$send" ]; then
    echo "$1 $org$2"
    [ -z "${3-}" ] || printf '%s' "$3" | jq "$redacted"
    echo "Nothing was sent. Add --send to send it."
    exit 0
  fi
  command -v curl >/dev/null || fail "curl is not installed."
  need OKTA_API_TOKEN "an API token of $host: in the Admin Console, Security > API > Tokens"
  configuration="request = \"$1\"
header = \"Accept: application/json\"
header = $(quoted "Authorization: SSWS $OKTA_API_TOKEN")"
  case "$1" in
    POST | PUT) configuration+="
header = \"Content-Type: application/json\"
data-binary = $(quoted "${3-}")" ;;
  esac
  answer="$(ask "$configuration" "$org$2")" ||
    fail "no answer from $host. Is OKTA_ORG_URL right, and the network up?"
  status="${answer##*$'\n'}"
  answer="${answer%$'\n'*}"
  case "$status" in
    200 | 201 | 204) ;;
    *) refused "$status" ;;
  esac
}

# refused STATUS: says what Okta said, and what to do about it.
refused() {
  local said fix
  said="$(jq --raw-output '
    "\([.errorSummary, (.errorCauses // [])[].errorSummary] | map(strings) | unique | join("; "))" +
    " (\(.errorCode // "no code"), errorId \(.errorId // "none"))"' <<<"$answer" 2>/dev/null)" ||
    said="${answer:0:200}"
  case "$1:$kind$command" in
    401:*) fix="set OKTA_API_TOKEN to a valid token of $host: one that is not used for 30 days expires." ;;
    429:*) fix="wait a minute, then try again: Okta's rate limit is reached." ;;
    40[03]:*delete) fix="deactivate the hook first, if it is active: scripts/okta-hook.sh ${kind}deactivate $id --send" ;;
    403:*) fix="make the API token as an administrator who may manage $hooks_are." ;;
    404:*) fix="look for the hook's id: scripts/okta-hook.sh ${kind}list --send" ;;
    400:create | 400:activate)
      fix="if another telephony hook is active, deactivate it first, since an org can have one: scripts/okta-hook.sh list --send" ;;
    400:"events verify") fix="look for okta_events in the hook's log. With 401 Okta has another secret, with 503 the hook has none; if there is none, compare the hook's URL in Okta: scripts/okta-hook.sh events show $id --send" ;;
    400:events*) fix="correct what it names${filter:+; if that is the filter, leave --filter out, or have the org switch filters on: Settings > Features}." ;;
    400:preview) fix="look into the hook's log. If this call is not in it, compare the hook's URL in Okta: scripts/okta-hook.sh show $id --send" ;;
    400:*) fix="correct what it names." ;;
    3*) fix="compare OKTA_ORG_URL with the org's address: Okta answers from elsewhere." ;;
    *) fix="try again; if it stays, look at Okta's status page." ;;
  esac
  # What is not Okta's could hold anything, and this is a terminal.
  printf '%s: HTTP %s: %s\n  Fix: %s\n' "${0##*/}" "$1" "$(tr '[:cntrl:]' ' ' <<<"$said")" "$fix" >&2
  [ "$1" = 401 ] && exit 2
  exit 1
}

# show_row: the hook that Okta answered with, in one line.
show_row() {
  jq --raw-output "$row" <<<"$answer" 2>/dev/null || fail "the answer is not Okta's: is OKTA_ORG_URL right?"
}

kind='' command='' id='' name='' url='' auth='' filter='' send=''
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --send) send=yes ;;
    --filter) filter=yes ;;
    --name | --url | --auth)
      [ "$#" -ge 2 ] || misused "$1 needs a value."
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    -*) misused "there is no option ${1%%=*}." ;;
    *)
      if [ -z "$kind$command" ] && [ "$1" = events ]; then
        kind='events '
      elif [ -z "$command" ]; then
        command="$1"
      elif [ -z "$id" ]; then
        id="$1"
      else
        misused "$command takes one hook's ID at most."
      fi
      ;;
  esac
  shift
done
case "$kind$command" in
  verify | 'events preview') misused "there is no such command." ;;
esac
case "$command" in
  create | list) [ -z "$id" ] || misused "$kind$command takes no ID." ;;
  update | show | preview | verify | activate | deactivate | delete)
    [ -n "$id" ] || misused "$kind$command needs the hook's ID, which ${kind}list has."
    ;;
  '') misused "say what to do." ;;
  *) misused "there is no such command." ;;
esac
case "$kind$command" in
  "events create" | "events update")
    if [ -z "$name" ] || [ -z "$url" ]; then misused "$kind$command needs --name and --url."; fi
    [ -z "$auth" ] || misused "$kind$command takes no --auth: Okta proves itself by events.secret."
    ;;
  create | update)
    if [ -z "$name" ] || [ -z "$url" ] || [ -z "$auth" ]; then
      misused "$command needs --name, --url and --auth."
    fi
    # Not with what was said: it may be the header's value, by mistake.
    case "$auth" in basic | header | oauth) ;; *) misused "--auth must be basic, header or oauth." ;; esac
    [ -z "$filter" ] || misused "$command takes no --filter."
    ;;
  *) [ -z "$name$url$auth$filter" ] || misused "$kind$command takes no --name, --url, --auth or --filter." ;;
esac
command -v jq >/dev/null || fail "jq is not installed."

# It becomes a part of a path.
[[ $id =~ ^[A-Za-z0-9_-]*$ ]] || fail "the id must be letters and digits, such as calz6lVQA77AwFeEe0g3: $id"
[ -n "${OKTA_ORG_URL-}" ] || fail "set OKTA_ORG_URL to the org, such as https://your-org.okta.com"
read_url "$OKTA_ORG_URL"
[[ $host != *-admin.okta*.com ]] || fail "OKTA_ORG_URL is the Admin Console's: leave out -admin."
org="${OKTA_ORG_URL%%://*}://$host"
if [ -z "$kind" ]; then
  hooks=/api/v1/inlineHooks hooks_are='inline hooks' path=/api/okta-telephony
else
  hooks=/api/v1/eventHooks hooks_are='event hooks' path=/api/okta-events
fi

case "$command" in
  create | update)
    # Okta's own conditions, told before it is asked.
    [[ $url =~ ^https://[^/@[:space:]]+/[^[:space:]]+$ && ${#url} -le 1024 ]] ||
      fail "--url must be the hook's public https URL with its path, such as https://hook.sms.example.com$path: $url"
    [ "${#name}" -le 255 ] || fail "--name has more than 255 characters: shorten it."
    if [ -z "$kind" ]; then
      channel="$(channel)"
      body="$(printf '%s' "$channel" | jq --compact-output --arg name "$name" --arg command "$command" '
        {name: $name, version: "1.0.0", channel: .}
        # The type of a hook that is there stays what it is.
        | if $command == "create" then .type = "com.okta.telephony.provider" else . end')"
    else
      channel="$(event_channel)"
      body="$(printf '%s' "$channel" | event_hook)"
    fi
    if [ "$command" = create ]; then okta POST "$hooks" "$body"; else okta PUT "$hooks/$id" "$body"; fi
    show_row
    [ -z "$kind" ] || echo "Okta sends nothing before it has asked the hook: scripts/okta-hook.sh events verify ID --send"
    ;;
  list)
    if [ -z "$kind" ]; then okta GET "$hooks?type=com.okta.telephony.provider"; else okta GET "$hooks"; fi
    jq --raw-output ".[] | $row" <<<"$answer" 2>/dev/null || fail "the answer is not Okta's: is OKTA_ORG_URL right?"
    ;;
  show)
    okta GET "$hooks/$id"
    jq "$redacted" <<<"$answer" 2>/dev/null || fail "the answer is not Okta's: is OKTA_ORG_URL right?"
    ;;
  activate | deactivate | verify)
    okta POST "$hooks/$id/lifecycle/$command"
    show_row
    ;;
  delete)
    okta DELETE "$hooks/$id"
    echo "deleted $id"
    ;;
  preview)
    need TO "the number that the message goes to, such as +14255550123: the sample's is fictional"
    check_number "$TO"
    payload="$(fill_in okta-envelope.json "$TO" | jq --compact-output --arg source "$org$hooks/$id" '.source = $source')"
    okta POST "$hooks/$id/execute" "$payload"
    jq . <<<"$answer" 2>/dev/null || fail "the answer is not Okta's: is OKTA_ORG_URL right?"
    # A refusal that is told as successful has its reason beside it.
    if jq --exit-status '.commands[0].value[0].status == "SUCCESSFUL" and .debugContext.reason == null' \
      <<<"$answer" >/dev/null; then
      echo "accepted"
    else
      echo "NOT accepted"
      exit 1
    fi
    ;;
esac
