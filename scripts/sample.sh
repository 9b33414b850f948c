# shellcheck shell=bash
# Fresh copies of what is in sample/. Sourced by scripts, after http.sh; not run.

# check_number NUMBER: goes on only with what can be the recipient of a sample.
check_number() {
  [[ $1 =~ ^\+[1-9][0-9]{6,14}$ ]] || fail "TO must be + and 7 to 15 digits: $1"
}

# read_recipient: checks TO, and sets to to it or, for a loopback host, to the samples' number.
read_recipient() {
  [ -n "$loopback" ] || [ -n "${TO-}" ] ||
    fail "set TO to the number that the messages go to, such as TO=+14255550123: the samples' number is fictional."
  to="${TO:-+15550100123}"
  check_number "$to"
}

# utc SECONDS: prints a date as Okta writes it. GNU date and BSD date differ in how they add.
utc() {
  date -u -d "@$1" +%Y-%m-%dT%H:%M:%S.000Z 2>/dev/null || date -u -r "$1" +%Y-%m-%dT%H:%M:%S.000Z
}

# fill_in SAMPLE NUMBER: prints a file of sample/ for this recipient, with an event id of its own,
# and dates as if Okta sent it now.
fill_in() {
  local now event_id
  now="$(date -u +%s)"
  # 22 characters of base64url, as Okta's are.
  event_id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n')"
  sed -e "s|\"phoneNumber\": \"[^\"]*\"|\"phoneNumber\": \"$2\"|" \
    -e "s|\"eventId\": \"[^\"]*\"|\"eventId\": \"$event_id\"|" \
    -e "s|\"eventTime\": \"[^\"]*\"|\"eventTime\": \"$(utc "$now")\"|" \
    -e "s|\"otpExpires\": \"[^\"]*\"|\"otpExpires\": \"$(utc "$((now + 300))")\"|" \
    "$(dirname "${BASH_SOURCE[0]}")/../sample/$1"
}
