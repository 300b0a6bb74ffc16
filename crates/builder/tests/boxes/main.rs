//! What boxes really do: on a kernel, with Docker's programs, in a world of network namespaces. `scripts/test/builder.sh` runs it as root.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on says so")]
mod builds;
#[path = "../conformance/mod.rs"]
mod conformance;
mod ignored;
mod life;
mod walls;
mod world;

use base::{
    id::{Id, OrgId},
    units::{Bytes, MilliCpu},
};
use builder::seam::BoxSize;

/// An organization of a test, by a letter.
fn org(letter: char) -> OrgId {
    OrgId::from_suffix(&format!("01j0000000000000000000000{letter}"))
}

fn small() -> BoxSize {
    BoxSize { memory: Bytes::mib(1024), cpu: MilliCpu(1500), pids: 256, disk: Bytes::mib(1024), egress: Bytes(0), io_weight: 50 }
}

#[test]
fn real_boxes_do_what_every_builder_does() {
    let world = world::World::new();
    let folder = world.folder.join("sources");
    world.keeps(move |boxes| async move { conformance::suite(&boxes, &folder).await });
    world.assert_nothing_left();
}
