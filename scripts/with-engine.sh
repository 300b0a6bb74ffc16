# An engine of the stage's own, in a network namespace of its own, for as long as the stage runs. Sourced after lib.sh.
# shellcheck shell=bash
engine=$SKYPANEL_TEST_DIR/engine
trap 'as_root "$ROOT/scripts/engine.sh" down "$engine"' EXIT
trap 'exit 143' TERM

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
