//! The loops that write down what edges counted, and remove what is kept no longer.
use crate::{
    error::Result,
    runtime::{
        changes::Changed,
        loops::{Loop, Outcome},
        panel::Panel,
    },
    traffic::server::service,
};
use futures::FutureExt;
use std::{sync::Arc, time::Duration};

/// The loops.
pub const LOOPS: &[Loop] = &[
    Loop::new("traffic", Duration::from_secs(4), |panel| pass(panel).boxed()).calm(Duration::ZERO),
    Loop::new("old traffic", Duration::from_secs(3_600), |panel| tidy(panel).boxed()).calm(Duration::from_millis(500)),
];

/// Writes down what this process's edge and others counted since the last time.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    service::drain(panel);
    let told = service::flush(panel).await?;
    if !told.is_empty() {
        panel.changes.tell(Changed::Traffic(Arc::new(told)));
    }
    // Every few seconds: not worth a line.
    Ok(None)
}

/// Removes what is kept no longer.
pub async fn tidy(panel: &Arc<Panel>) -> Result<Outcome> {
    let removed = service::trim(&panel.db, panel.now()).await?;
    Ok((removed > 0).then(|| format!("removed {removed} old rows")))
}
