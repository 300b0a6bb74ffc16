//! While edges listen here, this looks every second at what other panels did: whether a token was revoked or replaced, and whether there
//! are newer routes than this panel's. Nobody listening is nothing to do.
use super::stream;
use crate::clusters::server::SWARMS;
use crate::edges::server::distribution::EdgeDistribution;
use crate::edges::server::service::versions;
use crate::orgs::server::ROUTES;
use crate::{
    error::Result,
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
};
use futures::FutureExt;
use std::{sync::Arc, time::Duration};

/// The loop.
pub const LOOP: Loop = Loop::new("edges", Duration::from_secs(1), |panel| pass(panel).boxed()).calm(Duration::ZERO);

/// One look.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    if panel.of::<EdgeDistribution>().streams() == 0 {
        return Ok(None);
    }
    let cut = stream::sweep(panel).await?;
    let (version, digest) = versions::newest(panel).await?;
    let live = panel.of::<EdgeDistribution>().live();
    if version > live.version && digest != live.digest {
        // Another panel saw something that this one has not seen yet.
        panel.wake(SWARMS);
        panel.wake(ROUTES);
    }
    Ok((cut > 0).then(|| format!("{cut} were cut off: their tokens are good no longer")))
}
