//! What the parts of an edge process share: the proxy, what it was told, its token, and what is wrong.
use super::lookout;
use super::{
    held::{ChunkSet, SyncFault, Taken},
    store::SnapshotFile,
    wire::{Control, End, Figures, TOKEN_PREFIX},
};
use crate::{EdgeHandle, Snapshot};
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long changes are collected before they are written down.
const CALM: Duration = Duration::from_millis(300);

/// All of it.
pub struct EdgeNode {
    handle: EdgeHandle,
    held: Mutex<LiveChunks>,
    token: Mutex<String>,
    token_file: PathBuf,
    store: SnapshotFile,
    problem: Mutex<Option<String>>,
    /// The panel is heard.
    is_heard: AtomicBool,
    /// Something new is live, or there is something to say.
    pub changed: Notify,
    /// There is something to write down.
    unsaved: Notify,
    /// It is worth trying the panel now.
    pub retry: Notify,
    pub stop: CancellationToken,
}

/// Why a line of the panel was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFault {
    /// It is no message, and this is what is wrong with it.
    Unreadable(String),
    /// It says that nothing more comes.
    Ended(End, String),
    /// It does not fit what is held.
    Unfit(SyncFault),
}

#[derive(Default)]
struct LiveChunks {
    held: ChunkSet,
    /// The panel shall say everything.
    is_doubted: bool,
    releases: HashSet<String>,
    routes: u64,
    certificates: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads a token's file.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn token_in(file: &std::path::Path) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let text = std::fs::read_to_string(file).map_err(|why| format!("The token’s file {} can’t be read: {why}.", file.display()))?;
    let token = text.trim();
    if !token.starts_with(TOKEN_PREFIX) || token.len() > 200 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("{} holds no edge’s token. It begins with {TOKEN_PREFIX}; make one under Admin, Edges.", file.display()));
    }
    if std::fs::metadata(file).is_ok_and(|about| about.permissions().mode() & 0o077 != 0) {
        warn!("others on this machine may read {}: chmod 600 it", file.display());
    }
    Ok(token.to_string())
}

impl EdgeNode {
    /// A node that serves what its disk holds.
    pub fn new(handle: EdgeHandle, token: String, token_file: PathBuf, store: SnapshotFile) -> Self {
        let node = EdgeNode {
            handle,
            held: Mutex::default(),
            problem: Mutex::default(),
            is_heard: AtomicBool::new(false),
            changed: Notify::new(),
            unsaved: Notify::new(),
            retry: Notify::new(),
            stop: CancellationToken::new(),
            token: Mutex::new(token),
            token_file,
            store,
        };
        match node.store.load(&node.token()) {
            Ok(Some(held)) => {
                info!("serving version {} from the disk", held.version);
                let mut told = lock(&node.held);
                told.held = held;
                node.serve(&mut told);
            }
            Ok(None) => info!("nothing is kept yet: waiting for the panel"),
            Err(why) => node.complain(&format!("What was kept can’t be used: {why}. Waiting for the panel.")),
        }
        node
    }

    fn serve(&self, told: &mut LiveChunks) {
        (told.releases, told.routes, told.certificates) = told.held.named();
        self.handle.publish(told.held.snapshot());
    }

    /// Takes a line of the panel and serves what comes of it. A line with everything is large, so nothing of it is copied on the way, and it
    /// is gone before what it says goes live.
    pub fn take(&self, line: Vec<u8>) -> Result<Taken, LineFault> {
        let control: Control<&RawValue> = serde_json::from_slice(&line).map_err(|why| LineFault::Unreadable(why.to_string()))?;
        if let Control::End { reason, message } = control {
            return Err(LineFault::Ended(reason, message));
        }
        let mut told = lock(&self.held);
        let taken = told.held.take(&control);
        drop(control);
        drop(line);
        if taken.is_ok() {
            told.is_doubted = false;
        }
        match taken {
            Ok(Taken::New) => {
                self.serve(&mut told);
                info!("version {} is live: {} routes, {} certificates", told.held.version, told.routes, told.certificates);
                self.unsaved.notify_one();
                self.changed.notify_one();
            }
            Ok(Taken::Older) => self.changed.notify_one(),
            _ => {}
        }
        taken.map_err(LineFault::Unfit)
    }

    /// The version and the digest that the panel is told to go on from.
    pub fn has(&self) -> (u64, String) {
        let told = lock(&self.held);
        (told.held.version, if told.is_doubted { String::new() } else { told.held.digest.clone() })
    }

    /// Lets the panel say everything the next time.
    pub fn forget_digest(&self) {
        lock(&self.held).is_doubted = true;
    }

    /// The version that is live.
    pub fn version(&self) -> u64 {
        lock(&self.held).held.version
    }

    /// The digest of what is live.
    pub fn digest(&self) -> String {
        lock(&self.held).held.digest.clone()
    }

    /// The token in use.
    pub fn token(&self) -> String {
        lock(&self.token).clone()
    }

    /// Reads the token again. A new one is used from now on, and what is kept is sealed anew.
    pub fn read_token(&self) {
        match token_in(&self.token_file) {
            Ok(new) if new != self.token() => {
                info!("there is a new token");
                *lock(&self.token) = new;
                self.unsaved.notify_one();
                self.retry.notify_one();
            }
            Ok(_) => {}
            Err(why) => warn!("{why} Going on with the one from before."),
        }
    }

    /// Says that something is wrong; what is wrong still is not said again.
    pub fn complain(&self, why: &str) {
        let mut problem = lock(&self.problem);
        if problem.as_deref() != Some(why) {
            warn!("{why}");
            *problem = Some(why.to_string());
        }
    }

    /// Notes whether the panel is heard.
    pub fn is_connected(&self, is: bool) {
        self.is_heard.store(is, Ordering::Relaxed);
        if is && lock(&self.problem).take().is_some() {
            info!("the panel is there again");
        }
    }

    /// What is wrong, where something is.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).clone()
    }

    /// The version that is live, and requests in hand at releases that its routes name no more. The version is looked at first: what it
    /// leaves out gets no new requests.
    pub fn draining(&self) -> (u64, BTreeMap<String, u64>, Figures) {
        let told = lock(&self.held);
        let in_flight = self.handle.in_flight_by_release();
        let all = in_flight.values().map(|count| *count as u64).sum();
        let draining = in_flight.into_iter().filter(|(release, _)| !told.releases.contains(release));
        let draining = draining.map(|(release, count)| (release, count as u64)).take(super::wire::MOST_DRAINING).collect();
        let figures = Figures { routes: told.routes, certificates: told.certificates, in_flight: all, per_second: 0.0, lost: 0 };
        (told.held.version, draining, figures)
    }

    /// The proxy.
    pub fn handle(&self) -> &EdgeHandle {
        &self.handle
    }

    /// Writes down what is live, shortly after it changed, until the edge stops.
    pub async fn keep(&self) {
        loop {
            tokio::select! {
                () = self.unsaved.notified() => {}
                () = self.stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(CALM) => {}
                () = self.stop.cancelled() => {}
            }
            let (held, token, store) = (lock(&self.held).held.clone(), self.token(), self.store.clone());
            let version = held.version;
            if version == 0 {
                continue;
            }
            match tokio::task::spawn_blocking(move || store.save(&token, &held)).await {
                Ok(Ok(())) => tracing::debug!("version {version} is kept on the disk"),
                Ok(Err(why)) => self.complain(&format!(
                    "Version {version} can’t be kept on the disk: {why}. After a restart older routes would be served."
                )),
                Err(why) => warn!("writing down was broken off: {why}"),
            }
        }
    }
}

/// What a lookout needs: while the panel is away it may lead requests to where tasks are now. What is kept on the disk stays what the panel told.
impl lookout::FollowedEdge for EdgeNode {
    fn is_away(&self) -> bool {
        !self.is_heard.load(Ordering::Relaxed)
    }

    fn version(&self) -> u64 {
        lock(&self.held).held.version
    }

    fn told(&self) -> Snapshot {
        lock(&self.held).held.snapshot()
    }

    fn serve(&self, snapshot: Snapshot) {
        // Under the lock, so that it can't come after a newer control message of the panel's.
        let told = lock(&self.held);
        if told.held.version == snapshot.version {
            self.handle.publish(snapshot);
        }
    }
}
