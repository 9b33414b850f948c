#!/usr/bin/env bash
# Builds a commit twice, in different places, and compares. See --help.
set -euo pipefail

usage() {
  cat <<'EOT'
Usage: scripts/reproducible.sh [--keep FOLDER] [COMMIT]

Clones this repository twice, into folders of different names and depths, builds COMMIT
[HEAD] in each with scripts/release-build.sh, under a CARGO_HOME, a time zone, a language
and a umask of its own, and prints the SHA-256 of both modules and of both components.
Exits with 0 if they are the same, with 1 if they are not.

What is not committed is not built. Crates that are already here are copied, and cargo holds
them to Cargo.lock's checksums. All is in a temporary folder that is removed at the end.

  --keep FOLDER  copies the module, the component and SHA256SUMS there if they are the same

Environment:
  BUILD_TOOL     the program of dev/ that runs spin.toml's build command and encodes the
                 module, if it is built already [COMMIT's, built once for both]

Needs git, rustup and a C compiler, and some gigabytes in TMPDIR.
EOT
}

fail() {
  echo "${0##*/}: $1" >&2
  exit 2
}

keep=
while [ "$#" -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --keep) keep="${2:?--keep needs a folder}"; shift ;;
    -*) usage >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
[ "$#" -le 1 ] || { usage >&2; exit 2; }

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
commit="$(git -C "$root" rev-parse --verify --quiet "${1-HEAD}^{commit}")" || fail "there is no commit ${1-HEAD}."
cargo_home="${CARGO_HOME:-$HOME/.cargo}"
[ -z "$keep" ] || { mkdir -p "$keep"; keep="$(cd "$keep" && pwd -P)"; }

work="$(mktemp -d)"
# Not `exec`, and no background job: Ctrl-C reaches cargo too, and the folder goes once it has ended.
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work="$(cd "$work" && pwd -P)"
# Where both builds go is the tool's to say: into their own checkouts.
unset CARGO_TARGET_DIR
export BUILD_TOOL="${BUILD_TOOL-}"

module=target/wasm32-wasip1/release/okta_telephony_acs.wasm
component=target/okta-telephony-acs.component.wasm

# build CHECKOUT CARGO_HOME VARIABLE=VALUE…: clones, builds, and leaves the hashes in CHECKOUT.sums.
build() {
  local checkout="$1" home="$2" part
  shift 2
  mkdir -p "${checkout%/*}" "$home/registry"
  for part in registry/cache registry/index config.toml; do
    [ ! -e "$cargo_home/$part" ] || cp -R "$cargo_home/$part" "$home/$part"
  done
  git clone --quiet --no-hardlinks --no-checkout "$root" "$checkout"
  git -C "$checkout" checkout --quiet --detach "$commit"
  # Inside the checkout, so that the toolchain is that of its own file.
  cd "$checkout"
  if [ -z "$BUILD_TOOL" ]; then
    CARGO_HOME="$home" cargo build --locked --quiet --package okta-telephony-dev --target-dir "$work/tool"
    BUILD_TOOL="$work/tool/debug/okta-telephony-dev"
  fi
  env CARGO_HOME="$home" "$@" scripts/release-build.sh >"$checkout.sums"
}

echo "Building $commit, once" >&2
build "$work/one/checkout" "$work/one/cargo" TZ=UTC LC_ALL=C
echo "and again elsewhere" >&2
(
  umask 077
  build "$work/another/place/of/the-same-commit" "$work/crates-of-the-second" TZ=Asia/Kathmandu LC_ALL=C.UTF-8
)

failed=0
for file in "$module" "$component"; do
  one="$(awk -v file="$file" '$2 == file { print $1 }' "$work/one/checkout.sums")"
  two="$(awk -v file="$file" '$2 == file { print $1 }' "$work/another/place/of/the-same-commit.sums")"
  printf '%s  %s\n%s\n' "$one" "$file" "$two"
  if [ -z "$one" ] || [ "$one" != "$two" ]; then
    echo "differs: $file" >&2
    failed=1
  fi
done
[ "$failed" = 0 ] || exit 1
echo "the same"

if [ -n "$keep" ]; then
  cp "$work/one/checkout/$module" "$work/one/checkout/$component" "$keep"
  (
    cd "$keep"
    sums=(sha256sum)
    command -v sha256sum >/dev/null || sums=(shasum -a 256)
    "${sums[@]}" "${module##*/}" "${component##*/}" >SHA256SUMS
  )
fi
