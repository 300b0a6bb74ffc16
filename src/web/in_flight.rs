//! How many requests are in work at the same time (`panel.max_in_flight`). One more waits for its turn, in order, and is told to come back
//! where that takes too long: a panel that takes in everything answers nobody. A stream holds no place once it has begun, and neither does a
//! request that only waits for something to happen ([`let_go`]).
use crate::{
    error::{Error, Result},
    runtime::panel::Panel,
};
use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a request waits for its turn.
const TURN: Duration = Duration::from_secs(5);

tokio::task_local! {
    static PLACE: RefCell<Option<OwnedSemaphorePermit>>;
}

/// The places of one panel.
#[derive(Debug, Default)]
pub struct InFlight(OnceLock<Arc<Semaphore>>);

impl InFlight {
    fn places(&self, most: usize) -> &Arc<Semaphore> {
        self.0.get_or_init(|| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }
}

/// Takes a place, or waits for one. There is none to take where `panel.max_in_flight` is 0, which means unlimited.
pub async fn take(panel: &Panel) -> Result<Option<OwnedSemaphorePermit>> {
    let most = panel.config.panel.max_in_flight;
    if most == 0 {
        return Ok(None);
    }
    let turn = panel.of::<InFlight>().places(most).clone().acquire_owned();
    match tokio::time::timeout(TURN, turn).await {
        Ok(place) => Ok(place.ok()),
        Err(_) => Err(Error::Unavailable("The panel has too many requests in work. Try again in a moment.".into())),
    }
}

/// The places that are free; for tests.
pub fn free(panel: &Panel) -> usize {
    panel.of::<InFlight>().places(panel.config.panel.max_in_flight).available_permits()
}

/// Holds a place while `work` goes on.
pub async fn hold<T>(place: Option<OwnedSemaphorePermit>, work: impl Future<Output = T>) -> T {
    PLACE.scope(RefCell::new(place), work).await
}

/// Gives the place of this request back before it is answered: from here on it only waits.
pub fn let_go() {
    // What is called outside of a request has no place.
    PLACE.try_with(|place| place.take()).ok();
}
