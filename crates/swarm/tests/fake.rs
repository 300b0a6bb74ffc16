//! The fake keeps the promises of the real swarm.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, tells a whole story, and runs what it waits for"
)]
use std::sync::Arc;
use swarm::fake::Fake;

#[macro_use]
mod conformance;

async fn fresh() -> conformance::Bench {
    let fake = Fake::new();
    fake.serve();
    fake.refuse_image("127.0.0.1:1/acme/shop:v1", "dial tcp 127.0.0.1:1: connect: connection refused");
    conformance::Bench::new(Arc::new(fake))
}

promises!(fresh);
