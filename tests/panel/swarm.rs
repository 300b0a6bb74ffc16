//! The fake keeps the promises of the real swarm.
use skypanel::swarm::fake::Fake;
use std::sync::Arc;

#[macro_use]
#[path = "../engine/conformance.rs"]
mod conformance;

async fn fresh() -> conformance::Bench {
    let fake = Fake::new();
    fake.serve();
    fake.refuse_image("127.0.0.1:1/acme/shop:v1", "dial tcp 127.0.0.1:1: connect: connection refused");
    conformance::Bench::new(Arc::new(fake))
}

promises!(fresh);
