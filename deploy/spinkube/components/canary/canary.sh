#!/bin/sh
# Sends one canary and waits for its delivery report. See --help.
#
# One file of plain sh that needs only curl, since it also runs in a pod whose image has nothing else.
set -eu

usage() {
  cat <<'HELP'
Usage: scripts/canary.sh [--voice] [URL]

Asks a hook for one passcode, as Okta does, to a number of yours, and waits until its delivery
report has come. Says what failed, and the fix. For a scheduler: see docs/canary.md.

  --voice             asks for a call instead of a message
  URL                 the hook's, or just its host
                      [http://127.0.0.1:3000/api/okta-telephony]

Environment:
  TO                  the number, such as +14255550123; list it in the hook's canary.numbers
  OKTA_BASIC_SECRET   the secret of the hook's Basic credentials
  OKTA_USER           the user [okta]
  OPERATOR_SECRET     operator.secret of the hook's secrets
  OPERATOR_URL        where the operator's pages are, if not at URL's host
  WAIT                how many seconds to wait for the report [180]; 0: only until the provider
                      has taken the message, without OPERATOR_SECRET

Exits with
  0  delivered; with WAIT=0, taken by the provider
  1  the hook sent nothing
  2  this script was called wrongly
  3  the hook does not answer, or not these credentials
  4  taken by the provider, and no report came that says whether it was delivered
  5  taken by the provider, and not delivered

Shows neither the passcode, nor the number, nor a secret.
HELP
}

# stop STATUS TEXT
stop() {
  echo "canary: $2" >&2
  exit "$1"
}

# check_url URL: credentials go to nobody in clear, but to this machine and to a service of the same cluster.
check_url() {
  case "$1" in
    *[\"\\@[:space:]]*) stop 2 "the URL has a character that it must not have: credentials go into the environment." ;;
  esac
  case "$(origin "$1")" in
    https://?*) ;;
    http://localhost | http://localhost:* | http://127.0.0.1 | http://127.0.0.1:*) ;;
    http://*.svc.cluster.local | http://*.svc.cluster.local:*) ;;
    *) stop 2 "credentials go by https only: give the hook's https:// URL." ;;
  esac
}

# origin URL: without the path.
origin() {
  printf '%s' "$1" | sed -n 's|^\([a-z]*://[^/?#]*\).*|\1|p'
}

# quoted TEXT: as a value in curl's configuration.
quoted() {
  printf '"%s"' "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')"
}

# ask URL USER SECRET [CONFIGURATION]: sets status and answer; status is 000 where there is none. All goes to curl on
# standard input: arguments show in the list of processes. ~/.curlrc has no say.
ask() {
  answer="$(printf 'url = %s\nuser = %s\n%s\n' "$(quoted "$1")" "$(quoted "$2:$3")" "${4-}" |
    curl --disable --config - --silent --basic --noproxy "${NO_PROXY:-${no_proxy-}},localhost,127.0.0.1,.svc.cluster.local" \
      --max-time 10 --write-out '\n%{http_code}')" || true
  status="$(printf '%s' "$answer" | tail -n 1)"
  answer="$(printf '%s' "$answer" | sed '$d')"
  case "$status" in [0-9][0-9][0-9]) ;; *) status=000 ;; esac
}

# field NAME: the text of a member of the answer, which is JSON of the hook's own.
field() {
  printf '%s' "$answer" | sed -nE "s/.*\"$1\":\"(([^\"\\\\]|\\\\.)*)\".*/\1/p" | sed 's/\\"/"/g'
}

# utc SECONDS: a date as Okta writes it. GNU's, busybox's and BSD's date differ.
utc() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%S.000Z 2>/dev/null || date -u -r "$1" +%Y-%m-%dT%H:%M:%S.000Z
}

# random BYTES: as base64url.
random() {
  head -c "$1" /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'
}

channel=SMS url=
for argument in "$@"; do
  case "$argument" in
    -h | --help) usage; exit 0 ;;
    --voice) channel='voice call' ;;
    -*) usage >&2; exit 2 ;;
    *)
      [ -z "$url" ] || { usage >&2; exit 2; }
      url="$argument" ;;
  esac
done
command -v curl >/dev/null || stop 2 "curl is not installed."

url="${url:-http://127.0.0.1:3000}"
check_url "$url"
case "$url" in *://*/?*) ;; *) url="${url%/}/api/okta-telephony" ;; esac
operator="${OPERATOR_URL:-$(origin "$url")}"
operator="${operator%/}"
check_url "$operator"
printf '%s' "${TO-}" | grep -Eqx '\+[1-9][0-9]{6,14}' || stop 2 "set TO to + and 7 to 15 digits: a number of yours."
[ -n "${OKTA_BASIC_SECRET-}" ] || stop 2 "set OKTA_BASIC_SECRET to the secret of the hook's Basic credentials."
wait="${WAIT:-180}"
printf '%s' "$wait" | grep -Eqx '[0-9]{1,4}' || stop 2 "WAIT must be a number of seconds, up to 9999."
[ "$wait" -eq 0 ] || [ -n "${OPERATOR_SECRET-}" ] ||
  stop 2 "set OPERATOR_SECRET to operator.secret of the hook's secrets, or WAIT to 0."

# Another code each time: providers hold back one text that comes over and over.
code="$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')"
code="$(printf '%06d' "$((code % 1000000))")"
now="$(date -u +%s)"
# Without a user and an address, which a canary has none of.
body="$(tr -d '\n' <<JSON
{"eventId":"$(random 16)","eventTime":"$(utc "$now")","eventType":"com.okta.telephony.provider","eventTypeVersion":"1.0",
"contentType":"application/json","cloudEventVersion":"0.1","source":"canary",
"requestType":"com.okta.user.telephony.mfa-verification","data":{"messageProfile":{
"msgTemplate":"Your code is $code","phoneNumber":"$TO","otpExpires":"$(utc "$((now + 300))")",
"deliveryChannel":"$channel","otpCode":"$code","locale":"en"}}}
JSON
)"
ask "$url" "${OKTA_USER:-okta}" "$OKTA_BASIC_SECRET" \
  "$(printf 'header = "Content-Type: application/json"\ndata-binary = %s' "$(quoted "$body")")"
case "$status" in
  200) ;;
  000) stop 3 "no answer from $(origin "$url"): is the hook running, and reachable from here?" ;;
  401) stop 3 "the hook has another OKTA_BASIC_SECRET or OKTA_USER." ;;
  *)
    reason="$(field reason)"
    stop 3 "the hook answered with HTTP $status${reason:+, $reason}: is it the right URL? $(field fix)" ;;
esac
reason="$(field reason)"
[ -z "$reason" ] || stop 1 "nothing was sent: $reason. $(field fix)"
id="$(field transactionId)"
echo "canary: taken by $(field provider)"
[ "$wait" -gt 0 ] || exit 0
printf '%s' "$id" | grep -Eqx '[A-Za-z0-9._:-]{1,64}' ||
  stop 4 "the provider gave the message no id, so that its report is not found: set WAIT to 0."

end=$((now + wait))
while :; do
  ask "$operator/api/deliveries/$id" operator "$OPERATOR_SECRET"
  said="$(field status)"
  took="$(printf '%s' "$answer" | sed -n 's/.*"timeToReportMs":\([0-9]*\).*/ after \1 ms/p')"
  case "$status:$said" in
    200:delivered) echo "canary: delivered$took"; exit 0 ;;
    200:failed) stop 5 "not delivered$took: $(field meaning). $(field fix)" ;;
    200:unconfirmed) stop 4 "the report does not say whether it was delivered: use a number whose carrier does. $(field meaning)" ;;
    200:accepted | 404:) ;;
    401:) stop 3 "the hook has another OPERATOR_SECRET." ;;
    *) ;;
  esac
  now="$(date -u +%s)"
  [ "$now" -lt "$end" ] || break
  sleep "$((end - now < 5 ? end - now : 5))"
done
case "$status" in
  200) stop 4 "no delivery report after $wait s: see docs/delivery-reports.md, and the hook's log for reports that were refused." ;;
  404) stop 4 "the hook has no record of the message: is records.slots 0, the store down, or this another hook? $(field error)" ;;
  000) stop 3 "no answer from $operator: are the operator's pages reachable from here?" ;;
  *) stop 3 "the operator's page answered with HTTP $status. $(field error)" ;;
esac
