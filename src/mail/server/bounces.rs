//! The loop that reads mail that came back, from a Maildir on this machine. A file is looked at once: what is understood is removed, whatever
//! is not (too large, no report, a return address that is not ours) goes into `rejected/` beside `new/`, so that nothing is read for ever.
use crate::{
    error::Result,
    fault::Because,
    mail::server::{
        dsn::{self, Report},
        letter::of_return_path,
        service::{self, Feedback, Told},
    },
    runtime::{
        loops::{Loop, Outcome},
        panel::Panel,
    },
};
use futures::FutureExt;
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Files that one pass reads.
const BATCH: usize = 200;
/// The largest message that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// Files that are kept in `rejected/`; more are removed.
const REJECTED: usize = 1_000;

/// The loop.
pub const LOOP: Loop = Loop::new("bounces", Duration::from_secs(15), |panel| pass(panel).boxed());

/// Reads what came back.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let Some(spool) = panel.config.mail.bounces.as_ref().and_then(|bounces| bounces.spool.clone()) else { return Ok(None) };
    let (mut read, mut rejected) = (0, 0);
    for path in listed(&spool).await? {
        match take(panel, &path).await? {
            Some(true) => {
                tokio::fs::remove_file(&path).await.ok();
                read += 1;
            }
            Some(false) => {
                reject(&spool, &path).await?;
                rejected += 1;
            }
            None => {}
        }
    }
    Ok((read + rejected > 0).then(|| format!("read {read} messages that came back, set {rejected} aside")))
}

async fn listed(spool: &Path) -> Result<Vec<PathBuf>> {
    let mut folder = tokio::fs::read_dir(spool.join("new")).await.because("looking for mail that came back")?;
    let mut all = Vec::new();
    while let Some(entry) = folder.next_entry().await.because("looking for mail that came back")? {
        all.push(entry.path());
        if all.len() == BATCH {
            break;
        }
    }
    Ok(all)
}

/// Reads one file: whether it was understood; nothing where another panel took it meanwhile.
async fn take(panel: &Arc<Panel>, path: &Path) -> Result<Option<bool>> {
    let Ok(kind) = tokio::fs::symlink_metadata(path).await else { return Ok(None) };
    if !kind.is_file() || kind.len() > LARGEST {
        return Ok(Some(false));
    }
    let Ok(bytes) = tokio::fs::read(path).await else { return Ok(Some(false)) };
    let Some(returned) = dsn::read(&bytes) else { return Ok(Some(false)) };
    let Some(mail) = returned.addresses.iter().find_map(|address| of_return_path(panel, address)) else { return Ok(Some(false)) };
    let source: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let feedback = match returned.report {
        Report::Failed { status, reason } => Feedback::Bounced { status, reason },
        Report::Delayed { reason, .. } => Feedback::Delayed { reason },
        Report::Delivered => Feedback::Delivered,
        Report::Complaint => Feedback::Complained,
    };
    let told = service::feedback(panel, &mail, &feedback, &format!("spool:{source}")).await?;
    Ok(Some(told != Told::Unknown))
}

/// Moves a file out of the way, whatever it is.
async fn reject(spool: &Path, path: &Path) -> Result<()> {
    let aside = spool.join("rejected");
    tokio::fs::create_dir_all(&aside).await.because("making a folder for mail that is not understood")?;
    let mut kept = 0;
    let mut folder = tokio::fs::read_dir(&aside).await.because("looking at mail that was not understood")?;
    while kept < REJECTED && folder.next_entry().await.because("looking at mail that was not understood")?.is_some() {
        kept += 1;
    }
    let name = path.file_name().unwrap_or_default();
    let gone = if kept >= REJECTED && path.is_file() {
        tokio::fs::remove_file(path).await
    } else {
        tokio::fs::rename(path, aside.join(name)).await
    };
    gone.or_else(|why| if why.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(why) }).because("setting a message aside")
}
