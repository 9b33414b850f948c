#!/usr/bin/env bash
# Builds the component as releases are built. See --help.
set -euo pipefail

usage() {
  cat <<'EOT'
Usage: scripts/release-build.sh

Builds the component so that the same commit gives the same bytes, whatever the folder of
the checkout, of cargo (CARGO_HOME) and of rustup are called, and whichever mirror brought
the crates. Prints the SHA-256 of both files:

  target/wasm32-wasip1/release/okta_telephony_acs.wasm  the module, which Spin loads
  target/okta-telephony-acs.component.wasm              the component

Environment:
  BUILD_TOOL  the program of dev/ that runs spin.toml's build command and encodes the module, if
              it is built already [`cargo run`]

A release's are made by this script, on Linux on x86-64. Flags for rustc that are set in
the environment are left out; those in a configuration file of cargo's are not.

Needs rustup and a C compiler.
EOT
}

case "${1-}" in
  '') ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; exit 2 ;;
esac

fail() {
  echo "${0##*/}: $1" >&2
  exit 2
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# cargo puts no path of the checkout into the module, but of each crate that may panic the whole one. By the
# physical path, which is what rustc sees.
checkout="$(pwd -P)"
cargo_home="${CARGO_HOME:-$HOME/.cargo}"
mkdir -p "$cargo_home"
cargo_home="$(cd "$cargo_home" && pwd -P)"
sysroot="$(rustc --print sysroot)"
commit="$(rustc --version --verbose | sed -n 's/^commit-hash: //p')"

# Flags of the environment would take the place of the ones below, or change what is built.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS
for name in $(compgen -e CARGO_PROFILE_RELEASE_ || true); do unset "$name"; done

# Which folder the crates are in is known when they are there: its name has a hash of the registry's address.
cargo fetch --quiet --locked --target wasm32-wasip1

# Of several that fit, rustc takes the last.
flags=("--remap-path-prefix=$checkout=/okta-telephony-acs" "--remap-path-prefix=$cargo_home=/cargo")
for registry in "$cargo_home"/registry/src/*/; do
  flags+=("--remap-path-prefix=${registry%/}=/crates")
done
# With the component rust-src installed, rustc names the standard library's files where they are, and where
# they were built without it.
flags+=("--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit")
for flag in "${flags[@]}"; do
  [[ $flag != *[[:space:]]* ]] || fail "there is a space in ${flag#*=}: move the checkout or CARGO_HOME to a folder without."
done

tool=(cargo run --locked --quiet --)
[ -z "${BUILD_TOOL-}" ] || tool=("$BUILD_TOOL")
# Of the target alone: the tool itself is built as ever.
export CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="${flags[*]}"
"${tool[@]}" build >&2

module=target/wasm32-wasip1/release/okta_telephony_acs.wasm
component=target/okta-telephony-acs.component.wasm
if grep --quiet --text --fixed-strings --regexp="$checkout" --regexp="$cargo_home" "$module"; then
  fail "$module still names a folder of this machine."
fi
if command -v sha256sum >/dev/null; then sha256sum "$module" "$component"; else shasum -a 256 "$module" "$component"; fi
