//! Fetching one commit of a repository into a folder: shallow, one branch, no tags, no submodules, no LFS objects. The folder is
//! measured while it grows. Whatever goes wrong, and also when the caller stops waiting, git is killed and the folder removed.
use super::{
    address::{AddressPolicy, Origin},
    command::{Ended, Git, Heard},
    error::{Complaint, GitError},
};
use crate::{Branch, CommitHash, GitUrl};
use base::units::Bytes;
use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How long the folder is left alone between two measurements.
const WATCH: Duration = Duration::from_millis(200);
/// What a file or folder costs beside its blocks, so that millions of empty ones count too.
const ENTRY: u64 = 256;
/// How far back a commit is looked for where the host gives out heads only.
const DEPTHS: [&str; 2] = ["--depth=50", "--depth=1000"];
/// At most one line of unfinished progress in this time.
const PROGRESS: Duration = Duration::from_secs(2);
/// How many lines are told in all.
const MOST_LINES: usize = 500;
const HEAD: &str = "refs/skypanel/head";
const TIP: &str = "refs/skypanel/tip";

/// What to fetch, where to, and how much of everything it may take.
#[derive(Debug, Clone)]
pub struct CloneSpec {
    pub url: GitUrl,
    /// The branch; none is the default one.
    pub branch: Option<Branch>,
    /// This commit instead of the branch's newest one.
    pub commit: Option<CommitHash>,
    /// A folder that is not there yet or is empty. It is removed again unless all goes well.
    pub into: PathBuf,
    /// The most that the folder may take on disk, git's own data included.
    pub max: Bytes,
    /// For everything together, the lookup of the host included.
    pub timeout: Duration,
    /// Gets the host's and git's lines of progress, as far as it has room.
    pub on_line: Option<mpsc::Sender<String>>,
}

/// A commit that lies in the folder, without `.git`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    pub commit: CommitHash,
    /// The first line of the commit's message; may be empty.
    pub subject: String,
    /// The author's name, without the mail address.
    pub author: String,
}

/// Fetches a commit into a folder. A dropped future kills git at once and removes soon after what was fetched. Work goes on in a
/// folder of its own beside `into`, which appears in one piece at the end: an attempt that was abandoned and is still clearing up, or a
/// git that outlived the panel that started it, can't get in the way of the next attempt.
#[expect(clippy::disallowed_methods, reason = "it clears up after a caller who went away")]
pub async fn clone(spec: CloneSpec, policy: &AddressPolicy) -> Result<Checkout, GitError> {
    let abandoned = CancellationToken::new();
    let _waiting = abandoned.clone().drop_guard();
    let policy = policy.clone();
    // A task of its own, so that there is somebody to clean up when the caller is gone.
    let work = tokio::spawn(async move {
        let (into, own) = (spec.into.clone(), beside(&spec.into)?);
        let spec = CloneSpec { into: own.clone(), ..spec };
        let done = tokio::select! {
            done = fill(&spec, &policy) => done.and_then(|done| appear(&own, &into).map(|()| done)),
            () = abandoned.cancelled() => Err(GitError::GitFailed),
        };
        if done.is_err() {
            sweep(&own).await;
        }
        done
    });
    work.await.unwrap_or_else(|e| {
        tracing::error!("the task that clones ended early: {e}");
        Err(GitError::GitFailed)
    })
}

/// Makes a new folder beside the one to fill: on the same disk, and nobody else's.
fn beside(into: &Path) -> Result<PathBuf, GitError> {
    let name = into.file_name().unwrap_or_default().to_string_lossy();
    let parent = into.parent().unwrap_or(Path::new("."));
    let made = fs::create_dir_all(parent).and_then(|()| tempfile::Builder::new().prefix(&format!("{name}.")).tempdir_in(parent));
    made.map(TempDir::keep).map_err(|e| {
        tracing::error!(folder = %into.display(), "no folder to clone into: {e}");
        GitError::GitFailed
    })
}

/// Puts the finished checkout in its place, which must be free or an empty folder.
fn appear(own: &Path, into: &Path) -> Result<(), GitError> {
    fs::rename(own, into).map_err(|e| {
        tracing::error!(folder = %into.display(), "a finished checkout cannot be put in its place: {e}");
        GitError::GitFailed
    })
}

async fn fill(spec: &CloneSpec, policy: &AddressPolicy) -> Result<Checkout, GitError> {
    let deadline = Instant::now() + spec.timeout;
    let origin = policy.resolve_by(&spec.url, deadline, spec.timeout).await?;
    let git = Git::new(Some(&spec.into), origin.pin.clone(), deadline, spec.timeout)?;
    let checkout = tokio::select! {
        done = take(&git, &origin, spec) => done?,
        over = outgrown(&spec.into, spec.max) => return Err(over),
    };
    let (into, max) = (spec.into.clone(), spec.max);
    blocking(move || {
        if size(&into, max.0) > max.0 {
            return Err(GitError::RepositoryTooLarge { max });
        }
        fs::remove_dir_all(into.join(".git")).map_err(|e| {
            tracing::error!("git's folder cannot be removed from a checkout: {e}");
            GitError::GitFailed
        })
    })
    .await?;
    Ok(checkout)
}

async fn take(git: &Git, origin: &Origin, spec: &CloneSpec) -> Result<Checkout, GitError> {
    let quiet = |_: Heard<'_>| {};
    git.run(&["init", "--quiet", "--template=", "--initial-branch=main"], quiet).await?.well()?;
    let mut progress = Progress::new(spec.on_line.as_ref());
    match fetch(git, origin, spec, &mut progress).await {
        Err(GitError::RepositoryMoved) => match origin.with_git_suffix() {
            Some(other) => fetch(git, &other, spec, &mut progress).await?,
            None => return Err(GitError::RepositoryMoved),
        },
        fetched => fetched?,
    }
    let mut lines = Vec::new();
    let log = ["log", "-1", "--format=%H%nauthor %an%nsubject %s", HEAD, "--"];
    let ended = git
        .run(&log, |heard| {
            if let Heard::Out(line) = heard {
                lines.push(line.to_owned())
            }
        })
        .await?;
    ended.well()?;
    git.run(&["checkout", "--quiet", "--force", "--detach", HEAD, "--"], quiet).await?.well()?;
    described(&lines).ok_or(GitError::GitFailed)
}

async fn fetch(git: &Git, origin: &Origin, spec: &CloneSpec, progress: &mut Progress<'_>) -> Result<(), GitError> {
    let tip = spec.branch.as_ref().map_or("HEAD".to_owned(), |b| format!("refs/heads/{b}"));
    let mut get = async |depth: &str, what: &str, to: &str| {
        let refspec = format!("+{what}:{to}");
        let args = ["fetch", "--progress", "--no-tags", "--no-recurse-submodules", depth, "--", origin.url.as_str(), &refspec];
        git.run(&args, |heard| progress.hear(&heard)).await
    };
    let no_branch = || match &spec.branch {
        Some(branch) => GitError::BranchNotFound { branch: branch.clone(), have: Vec::new() },
        None => GitError::RepositoryEmpty,
    };
    let Some(commit) = &spec.commit else {
        return match get("--depth=1", &tip, HEAD).await? {
            Ended::Badly(Complaint::NoSuchRef) => Err(no_branch()),
            ended => ended.well(),
        };
    };
    let no_commit = || GitError::CommitNotFound { commit: commit.clone() };
    match get("--depth=1", commit.as_str(), HEAD).await? {
        Ended::Badly(Complaint::NoSuchCommit) => return Err(no_commit()),
        Ended::Badly(Complaint::HeadsOnly) => {}
        ended => return ended.well(),
    }
    for depth in DEPTHS {
        match get(depth, &tip, TIP).await? {
            Ended::Badly(Complaint::NoSuchRef) => return Err(no_branch()),
            ended => ended.well()?,
        }
        // Fails where the commit is still not among those that came.
        if let Ended::Well = git.run(&["update-ref", HEAD, &format!("{commit}^{{commit}}")], |_| {}).await? {
            return Ok(());
        }
    }
    Err(no_commit())
}

/// Reads `log`'s three lines. Names are there so that empty ones are told apart.
fn described(lines: &[String]) -> Option<Checkout> {
    let named = |name: &str| {
        lines.iter().skip(1).find_map(|l| l.strip_prefix(name)).map_or_else(String::new, |text| text.trim().chars().take(200).collect())
    };
    Some(Checkout { commit: lines.first()?.parse().ok()?, author: named("author"), subject: named("subject") })
}

/// Lets through the lines that a person wants to see, not too many of them.
struct Progress<'a> {
    to: Option<&'a mpsc::Sender<String>>,
    told: usize,
    last: Option<Instant>,
}

impl<'a> Progress<'a> {
    fn new(to: Option<&'a mpsc::Sender<String>>) -> Self {
        Progress { to, told: 0, last: None }
    }

    fn hear(&mut self, heard: &Heard<'_>) {
        let (Heard::Err { line, whole }, Some(to)) = (heard, self.to) else { return };
        let worth = ["remote: ", "Receiving objects:", "Resolving deltas:"].iter().any(|start| line.starts_with(start));
        let soon = self.last.is_some_and(|last| last.elapsed() < PROGRESS);
        if worth && (*whole || !soon) && self.told < MOST_LINES {
            self.told += 1;
            self.last = Some(Instant::now());
            let _ = to.try_send((*line).to_owned()); // a reader that is behind or gone does not hold git up
        }
    }
}

/// Ends when the folder has become larger than `max`.
async fn outgrown(into: &Path, max: Bytes) -> GitError {
    loop {
        let begun = Instant::now();
        let folder = into.to_owned();
        if blocking(move || size(&folder, max.0)).await > max.0 {
            return GitError::RepositoryTooLarge { max };
        }
        sleep(WATCH.max(begun.elapsed() * 4)).await;
    }
}

/// What a folder takes on disk; counting ends once it is more than `enough`. What vanishes meanwhile counts nothing.
fn size(folder: &Path, enough: u64) -> u64 {
    let mut sum = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            sum += ENTRY + meta.len().max(meta.blocks() * 512);
            if meta.is_dir() {
                folders.push(entry.path());
            }
            if sum > enough {
                return sum;
            }
        }
    }
    sum
}

/// Removes the folder. Git was killed just now and may still be ending a system call: hence more than one attempt.
async fn sweep(into: &Path) {
    for _ in 0..50 {
        let folder = into.to_owned();
        match blocking(move || fs::remove_dir_all(folder)).await {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Ok(()) | Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    tracing::error!(folder = %into.display(), "a folder of an abandoned clone cannot be removed");
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("counting and removing files does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_measured_as_far_as_needed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(size(dir.path(), 1_000), 0);
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/b"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("root")).unwrap();
        let all = size(dir.path(), u64::MAX);
        assert!((100_000..200_000).contains(&all), "{all}");
        assert!(size(dir.path(), 10) > 10);
        assert_eq!(size(&dir.path().join("not there"), 10), 0);
    }

    #[test]
    fn a_commit_is_described() {
        let lines = |rest: &[&str]| [&["a".repeat(40)][..], &rest.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>()].concat();
        let full = described(&lines(&["author Ada", "subject author and co."])).unwrap();
        assert_eq!((full.author.as_str(), full.subject.as_str()), ("Ada", "author and co."));
        let nameless = described(&lines(&["author", "subject Begin"])).unwrap();
        assert_eq!((nameless.author.as_str(), nameless.subject.as_str()), ("", "Begin"));
        assert_eq!(described(&["odd".into()]), None);
    }

    #[test]
    fn progress_is_worth_reading() {
        let (to, mut from) = mpsc::channel(10);
        let mut progress = Progress::new(Some(&to));
        for (line, whole) in [
            ("remote: Counting objects: 1%", false),
            ("remote: Counting objects: 2%", false),
            ("remote: Counting objects: 100%, done.", true),
            ("fatal: cannot open '/srv/skypanel/x'", true),
        ] {
            progress.hear(&Heard::Err { line, whole });
        }
        let told: Vec<String> = std::iter::from_fn(|| from.try_recv().ok()).collect();
        assert_eq!(told, ["remote: Counting objects: 1%", "remote: Counting objects: 100%, done."]);
    }
}
