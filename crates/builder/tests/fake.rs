//! The fake is held to what real boxes do.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that cannot go on says so")]
mod conformance;

use base::id::{Id, OrgId};
use builder::{
    Builder,
    fake::{FakeBuilder, Troubles},
    seam::{BoxSize, BuilderError},
};

#[tokio::test(start_paused = true)]
async fn the_fake_does_what_every_builder_does() {
    let folder = tempfile::tempdir().unwrap();
    conformance::suite(&FakeBuilder::default(), folder.path()).await;
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    let (fake, org) = (FakeBuilder::default(), OrgId::from_suffix("01j1000000000000000000000a"));
    fake.troubles(Troubles { full: Some("waits for memory".into()), ..Troubles::default() });
    assert_eq!(fake.admits(&org, &BoxSize::default()).await, Err(BuilderError::Full("waits for memory".into())));
    fake.troubles(Troubles { refuses_to_start: Some("no kernel".into()), ..Troubles::default() });
    assert_eq!(fake.warm(&org, &BoxSize::default()).await, Err(BuilderError::Broken("no kernel".into())));
}
