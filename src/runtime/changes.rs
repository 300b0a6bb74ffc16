//! Word that something changed, from the loops to the open streams of this panel. A word carries no state: who hears it looks
//! again, and who hears nothing looks every few seconds, so that a change on another panel is seen too.
use crate::id::{AppId, DeploymentId};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::broadcast;

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    App(AppId),
    Deployment(DeploymentId),
    /// What these applications were asked was written down.
    Traffic(Arc<BTreeSet<AppId>>),
}

/// Passes the word on.
#[derive(Debug, Clone)]
pub struct ChangeBus(broadcast::Sender<Changed>);

impl Default for ChangeBus {
    fn default() -> Self {
        ChangeBus(broadcast::channel(512).0)
    }
}

impl ChangeBus {
    /// Tells everyone who listens; nobody listening is fine.
    pub fn tell(&self, what: Changed) {
        self.0.send(what).ok();
    }

    /// Waits until something that `concerns` one changed, or until `at_most` is over.
    pub async fn wait(listener: &mut broadcast::Receiver<Changed>, at_most: std::time::Duration, concerns: impl Fn(&Changed) -> bool) {
        let heard = async {
            loop {
                match listener.recv().await {
                    Ok(what) if !concerns(&what) => continue,
                    // Having missed words is a reason to look, too.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::time::timeout(at_most, heard).await.ok();
    }

    /// Begins to listen.
    pub fn listen(&self) -> broadcast::Receiver<Changed> {
        self.0.subscribe()
    }
}
