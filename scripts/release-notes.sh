#!/usr/bin/env bash
# Checks that a tag may be released, and prints its release notes. See --help.
set -euo pipefail

usage() {
  cat <<'EOT'
Usage: scripts/release-notes.sh TAG

Prints the section of CHANGELOG.md that belongs to TAG, such as v1.2.3. Fails, saying what to
mend, unless Cargo.toml, numbering/Cargo.toml, dev/Cargo.toml, Cargo.lock and spin.toml have
TAG's version, and CHANGELOG.md has a section "## [1.2.3] - YYYY-MM-DD" with something in it.
EOT
}

case "${1-}" in
  -h | --help) usage; exit 0 ;;
  '' | -*) usage >&2; exit 2 ;;
esac
[ "$#" = 1 ] || { usage >&2; exit 2; }
tag="$1"

fail() {
  echo "${0##*/}: $1" >&2
  exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
number='(0|[1-9][0-9]*)'
[[ $tag =~ ^v$number\.$number\.$number(-[0-9A-Za-z.-]+)?$ ]] ||
  fail "$tag is not v and a version of three numbers: name it like v1.2.3."
version="${tag#v}"

for file in Cargo.toml numbering/Cargo.toml dev/Cargo.toml spin.toml; do
  # The first line of the kind is the package's, or the application's.
  there="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$file" | head -n 1)"
  [ "$there" = "$version" ] || fail "$file has version $there: set it to $version, or tag v$there."
done
for package in okta-telephony-acs numbering okta-telephony-dev; do
  there="$(sed -n "/^name = \"$package\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p;}" Cargo.lock)"
  [ "$there" = "$version" ] || fail "Cargo.lock has $package $there: run \`cargo check\` and commit Cargo.lock."
done

heading="$(awk -v start="## [$version] - " 'index($0, start) == 1 { print; exit }' CHANGELOG.md)"
[[ $heading =~ \ -\ [0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] ||
  fail "CHANGELOG.md has no section \"## [$version] - YYYY-MM-DD\": make it of what is under \"## [Unreleased]\"."
notes="$(awk -v heading="$heading" '
  $0 == heading { inside = 1; next }
  inside && /^(## |\[[^]]*\]: )/ { exit }
  inside { print }
' CHANGELOG.md)"
[[ $notes == *[![:space:]]* ]] || fail "the section $version of CHANGELOG.md is empty: say there what has changed."
# Without the empty lines around it.
printf '%s\n' "$notes" | sed -e '/./,$!d'
