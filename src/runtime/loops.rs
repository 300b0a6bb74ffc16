//! Loops. One takes no input, its pass is idempotent and may be killed at any line; the retry is the next tick. A pass that did
//! something says so in one line.
use crate::{error::Result, runtime::panel::Panel};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// What a pass did: a clause for the log, or nothing.
pub type Outcome = Option<String>;

/// Runs `pass` whenever it is woken, and every `tick` anyway, until the panel stops. Wake-ups within `calm` of each other are
/// answered by one pass.
pub async fn run(
    panel: Arc<Panel>,
    name: &'static str,
    tick: Duration,
    calm: Duration,
    wake: impl Fn(&Panel) -> &Notify,
    pass: impl AsyncFn(&Arc<Panel>) -> Result<Outcome>,
) {
    loop {
        let begun = std::time::Instant::now();
        let done = crate::runtime::fault_reports::within(&panel, None, pass(&panel)).await;
        panel.heartbeats.beat(name, begun.elapsed(), done.is_ok());
        match done {
            Ok(Some(did)) => tracing::info!("{name}: {did}"),
            Ok(None) => {}
            // The cause was logged where it became an error.
            Err(why) => tracing::warn!("{name}: {why}"),
        }
        let woken = async {
            tokio::time::timeout(tick, wake(&panel).notified()).await.ok();
            tokio::time::sleep(calm).await;
        };
        tokio::select! {
            () = woken => {}
            () = panel.stop.cancelled() => return,
        }
    }
}
