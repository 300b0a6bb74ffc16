# An engine of the stage's own, in a network namespace of its own, for as long as the stage runs. Sourced after lib.sh.
# shellcheck shell=bash
engine=$SKYPANEL_TEST_DIR/engine
trap 'as_root "$ROOT/scripts/engine.sh" down "$engine"' EXIT
trap 'exit 143' TERM

# A swarm of several engines, and a program that tests put under load; for the stages that call for it.
swarm=$SKYPANEL_TEST_DIR/swarm
swarm_up() { # N
  heading "A private Swarm of $1 machines"
  trap 'as_root "$ROOT/scripts/swarm.sh" down "$swarm"; as_root "$ROOT/scripts/engine.sh" down "$engine"' EXIT
  as_root "$ROOT/scripts/swarm.sh" up "$swarm" "$1"
  rustc --edition 2024 -O -C target-feature=+crt-static -C strip=symbols -o "$SKYPANEL_TEST_DIR/backend" "$ROOT/tests/engine/backend/main.rs"
  as_root env DOCKER_HOST="unix://$swarm/node1/docker.sock" "$ROOT/scripts/base-images.sh"
  tar -C "$SKYPANEL_TEST_DIR" --owner=0 --group=0 -c backend | as_root docker -H "unix://$swarm/node1/docker.sock" import - backend:latest > /dev/null
}

# Runs a command beside the first machine of the swarm.
beside_swarm() {
  as_root env PATH="$PATH" HOME="$HOME" SKYPANEL_TEST_SWARM="$swarm" SKYPANEL_TEST_DOCKER="unix://$swarm/node1/docker.sock" \
    SKYPANEL_TEST_BACKEND="$SKYPANEL_TEST_DIR/backend" SKYPANEL_TEST_REQUESTS="${SKYPANEL_TEST_REQUESTS:-20000}" \
    SKYPANEL_TEST_DEPLOYMENTS="${SKYPANEL_TEST_DEPLOYMENTS:-4}" "$ROOT/scripts/swarm.sh" exec "$swarm" node1 "$@"
}

engine_up() {
  heading "A private Docker Engine"
  as_root "$ROOT/scripts/engine.sh" up "$engine"
  as_root env DOCKER_HOST="unix://$engine/docker.sock" "$ROOT/scripts/base-images.sh"
}

# Runs a command beside the engine: the files are ours, the network is the engine's.
beside_engine() {
  as_root env PATH="$PATH" HOME="$HOME" SKYPANEL_TEST_ENGINE="$engine" SKYPANEL_TEST_DOCKER="unix://$engine/docker.sock" \
    "$ROOT/scripts/engine.sh" exec "$engine" "$@"
}
