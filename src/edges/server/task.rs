//! While edges listen here, this looks every second at what other panels did: whether a token was revoked or replaced, and whether there
//! are newer routes than this panel's. Nobody listening is nothing to do.
use super::stream;
use crate::edges::server::distribution::EdgeDistribution;
use crate::edges::server::service::versions;
use crate::{
    error::Result,
    runtime::{loops::Outcome, panel::Panel},
};
use std::sync::Arc;

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
        panel.wake.observe.notify_one();
        panel.wake.routes.notify_one();
    }
    Ok((cut > 0).then(|| format!("{cut} were cut off: their tokens are good no longer")))
}
