#!/usr/bin/env bash
# Packs the product into one archive: the program, its site, its licence, and the units that start it. It runs where there is no compiler.
# SKY_PROFILE=test packs what the tests have, quickly; SKY_DIST names another folder than dist/.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$ROOT/scripts/setup.sh" run
profile=${SKY_PROFILE:-release} pressure=9
# What is packed is built once and runs for long: the optimiser may look across crates, which makes the edge a good deal faster.
if [ "$profile" = release ]; then export CARGO_PROFILE_RELEASE_LTO=thin CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1; else pressure=1; fi
app=$(SKY_PROFILE=$profile "$ROOT/scripts/build.sh" | tail -n 1)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$ROOT/Cargo.toml")
name=skypanel-$version-$(uname -m)
dist=${SKY_DIST:-$ROOT/dist}
mkdir -p "$dist"
# The same content gives the same archive: no times, no owners, one order.
tar -C "$app" --transform "s,^\.,$name," --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - . -C "$ROOT" ./LICENSE ./deploy ./docs/edges.md |
  gzip -n$pressure >"$dist/$name.tar.gz"
(cd "$dist" && sha256sum "$name.tar.gz" | tee "$name.tar.gz.sha256")
