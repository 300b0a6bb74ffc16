//! The `git` program, held in. It gets an argument vector and never a shell, an environment of our making, a process group of
//! its own that dies with the future that runs it, a limit on memory, and a deadline. Its output is read in bounded lines.
use super::error::{Complaint, GitError, understand};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{Instant, sleep_until, timeout_at},
};

/// The longest line that is kept; the rest of it is dropped.
const LINE: usize = 1024;
/// How much of git's standard error is kept to understand a failure by.
const SAID: usize = 8 * 1024;
/// What one git process may allocate: a file in a customer's pack may claim any size.
const MEMORY: u64 = 1024 * 1024 * 1024;
/// The first git that can be told a host's address (`http.curloptResolve`).
const OLDEST: (u32, u32) = (2, 37);

/// Settings over which nothing else has a say: there is no other configuration, and the repository's own is written by us.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.askPass=",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    "core.symlinks=true",
    "core.bigFileThreshold=32m", // larger files are streamed, not loaded
    "credential.helper=",
    "protocol.allow=never",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1", // a host that goes silent is left even if the panel is no longer there to do it
    "http.lowSpeedTime=60",
    "transfer.fsckObjects=true",
    "transfer.bundleURI=false",
    "fetch.fsck.badTimezone=ignore", // slips of old programs, harmless and common
    "fetch.fsck.missingSpaceBeforeEmail=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedDate=ignore",
    "fetch.recurseSubmodules=false",
    "fetch.unpackLimit=1",
    "submodule.recurse=false",
    "pack.threads=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
];

/// A line that git wrote.
pub(super) enum Heard<'a> {
    /// On standard output.
    Out(&'a str),
    /// On standard error. A line that is not `whole` is one that git is about to write over: progress.
    Err { line: &'a str, whole: bool },
}

/// How git ended.
pub(super) enum Ended {
    Well,
    Badly(Complaint),
}

impl Ended {
    /// Success, or the error that needs no context.
    pub(super) fn well(self) -> Result<(), GitError> {
        match self {
            Ended::Well => Ok(()),
            Ended::Badly(Complaint::Other(error)) => Err(error),
            Ended::Badly(_) => Err(GitError::GitFailed),
        }
    }
}

/// A place to run git from: an empty home, one deadline for everything, and the pin of the host's address.
pub(super) struct Git {
    home: TempDir,
    repository: Option<PathBuf>,
    pin: Option<String>,
    patience: Duration,
    deadline: Instant,
}

impl Git {
    /// Prepares to run git for at most `patience` in all. With a `repository`, git works in that folder.
    pub(super) fn new(repository: Option<&Path>, pin: Option<String>, deadline: Instant, patience: Duration) -> Result<Git, GitError> {
        let home = tempfile::Builder::new().prefix("skypanel-git-").tempdir().map_err(|e| {
            tracing::error!("no temporary folder for git: {e}");
            GitError::GitFailed
        })?;
        Ok(Git { home, repository: repository.map(Path::to_owned), pin, patience, deadline })
    }

    fn command(&self, args: &[&OsStr]) -> Command {
        let work = self.repository.as_deref().unwrap_or(self.home.path());
        let mut command = sealed();
        command.env("HOME", self.home.path()).env("XDG_CONFIG_HOME", self.home.path()).env("GIT_DIR", work.join(".git")).current_dir(work);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        if let Some(pin) = &self.pin {
            command.arg("-c").arg(format!("http.curloptResolve={pin}"));
        }
        command.args(args);
        command
    }

    /// Runs git to its end and tells every line. Dropping the future kills git and its children.
    pub(super) async fn run<S: AsRef<OsStr>>(&self, args: &[S], mut hear: impl FnMut(Heard<'_>) + Send) -> Result<Ended, GitError> {
        let mut group = {
            let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
            Group::spawn(self.command(&args))?
        };
        let (mut out, mut err) = (group.child.stdout.take(), group.child.stderr.take());
        let (mut out_lines, mut err_lines) = (Lines::default(), Lines::default());
        let (mut out_buf, mut err_buf) = ([0; 4096], [0; 4096]);
        let mut said = String::new();
        while out.is_some() || err.is_some() {
            tokio::select! {
                n = read(&mut out, &mut out_buf), if out.is_some() => {
                    out_lines.push(&out_buf[..n], |line, _| hear(Heard::Out(line)));
                    out = out.filter(|_| n > 0);
                }
                n = read(&mut err, &mut err_buf), if err.is_some() => {
                    err_lines.push(&err_buf[..n], |line, whole| {
                        if whole && said.len() < SAID {
                            said.push_str(line);
                            said.push('\n');
                        }
                        hear(Heard::Err { line, whole });
                    });
                    err = err.filter(|_| n > 0);
                }
                () = sleep_until(self.deadline) => return Err(self.too_late()),
            }
        }
        let status = timeout_at(self.deadline, group.wait()).await.map_err(|_| self.too_late())?;
        match status {
            Ok(status) if status.success() => Ok(Ended::Well),
            status => {
                let complaint = understand(&said);
                if complaint == Complaint::Other(GitError::GitFailed) {
                    tracing::warn!(?status, "git failed: {}", said.trim_end());
                }
                Ok(Ended::Badly(complaint))
            }
        }
    }

    fn too_late(&self) -> GitError {
        GitError::GitTimeout { after: self.patience }
    }
}

/// Says which git there is (`git 2.39.5`), or in one sentence what is wrong with it: for the start-up and `skypanel admin doctor`.
pub async fn check() -> Result<String, String> {
    let ask = async |what: &str| {
        let output = sealed().arg(what).stderr(Stdio::null()).output().await;
        output.ok().filter(|o| o.status.success()).map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
    };
    let missing = "The git program is missing or does not start. Install it (Debian: apt-get install git).";
    let said = ask("--version").await.ok_or(missing)?;
    let (Some(found), Some(folder)) = (version(&said), ask("--exec-path").await) else { return Err(missing.into()) };
    let name = said.trim_start_matches("git version ").split(' ').next().unwrap_or_default();
    if found < OLDEST {
        return Err(format!("Git {name} is too old to be held to a host's address. Install git {}.{} or newer.", OLDEST.0, OLDEST.1));
    }
    if !Path::new(&folder).join("git-remote-https").exists() {
        return Err(format!("Git {name} was built without http. Install a git that has git-remote-https."));
    }
    Ok(format!("git {name}"))
}

/// The two leading numbers of `git version 2.39.5 (Debian)`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Git with nothing from outside but the search path and the operator's certificates.
fn sealed() -> Command {
    let mut command = Command::new("git");
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_ALLOW_PROTOCOL", "http:https"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_LFS_SKIP_SMUDGE", "1"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ] {
        command.env(name, value);
    }
    if let Some(bundle) = std::env::var_os("GIT_SSL_CAINFO").or_else(|| std::env::var_os("SSL_CERT_FILE")) {
        command.env("GIT_SSL_CAINFO", bundle);
    }
    command
}

async fn read(from: &mut Option<impl AsyncRead + Unpin>, buf: &mut [u8]) -> usize {
    match from {
        Some(from) => from.read(buf).await.unwrap_or(0),
        None => 0,
    }
}

/// A process and its children. Dropped before it has ended, all of them are killed.
struct Group {
    child: Child,
    /// The leader's id, which is the group's; none once it has ended, for then the number may soon be somebody else's.
    leader: Option<i32>,
}

impl Group {
    #[expect(unsafe_code, reason = "a limit for the child alone can be set in the child alone")]
    fn spawn(mut command: Command) -> Result<Group, GitError> {
        // SAFETY: setrlimit may be called between fork and exec, and the closure does nothing else.
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: MEMORY, rlim_max: MEMORY };
                if libc::setrlimit(libc::RLIMIT_DATA, &limit) == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        let child = command.spawn().map_err(|e| {
            tracing::error!("git does not start: {e}");
            GitError::GitFailed
        })?;
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(Group { child, leader })
    }

    async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.leader = None;
        status
    }
}

impl Drop for Group {
    #[expect(unsafe_code, reason = "the standard library signals one process, not a group")]
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // SAFETY: a plain system call; the leader is not reaped yet, so the group's number is still ours.
            unsafe { libc::kill(-leader, libc::SIGKILL) };
        }
    }
}

/// Cuts bytes into lines of bounded length without control characters. A carriage return ends a line that is not whole.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// Takes the next bytes; none at all is the end.
    fn push(&mut self, bytes: &[u8], mut tell: impl FnMut(&str, bool)) {
        for &byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end(byte == b'\n', &mut tell),
                _ if self.0.len() < LINE => self.0.push(byte),
                _ => {}
            }
        }
        if bytes.is_empty() {
            self.end(true, &mut tell);
        }
    }

    fn end(&mut self, whole: bool, tell: &mut impl FnMut(&str, bool)) {
        let text = String::from_utf8_lossy(&self.0);
        let line: String = text.trim_end().chars().filter(|c| !c.is_control() || *c == '\t').collect();
        self.0.clear();
        if !line.is_empty() {
            tell(&line, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_into_bounded_clean_lines() {
        let mut lines = Lines::default();
        let mut told = Vec::new();
        let mut tell = |line: &str, whole: bool| told.push((line.to_owned(), whole));
        lines.push(b"10%\r100%, do", &mut tell);
        lines.push(b"ne\n\n\x1b[31mred\x07\n", &mut tell);
        lines.push(&[b'x'; 5000], &mut tell);
        lines.push(b"", &mut tell);
        assert_eq!(told[..3], [("10%".into(), false), ("100%, done".into(), true), ("[31mred".into(), true)]);
        assert_eq!((told[3].0.len(), told.len()), (LINE, 4));
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(version("git version 2.47.3 (Apple Git-154)"), Some((2, 47)));
        assert_eq!(version("git version 2.50.0.rc1"), Some((2, 50)));
        assert_eq!(version("busybox"), None);
    }

    #[tokio::test]
    async fn this_machines_git_will_do() {
        assert!(check().await.unwrap().starts_with("git 2."));
    }

    #[tokio::test]
    async fn git_speaks_to_the_pinned_address_and_to_no_other() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let patience = Duration::from_secs(10);
        let pin = Some(format!("no-such-host.invalid:{port}:127.0.0.1"));
        let git = Git::new(None, pin, Instant::now() + patience, patience).unwrap();
        let url = format!("http://no-such-host.invalid:{port}/r");
        let args = ["ls-remote", "--", &url];
        let asking = git.run(&args, |_| {});
        let taken = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 64];
            let n = stream.read(&mut head).await.unwrap();
            String::from_utf8_lossy(&head[..n]).into_owned()
        };
        let (ended, head) = tokio::join!(asking, taken);
        assert!(head.starts_with("GET /r/info/refs"), "{head}");
        assert_eq!(ended.unwrap().well().unwrap_err().code(), "repository_unreachable");
    }

    #[tokio::test]
    async fn a_dropped_run_ends_git() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/r", listener.local_addr().unwrap());
        let patience = Duration::from_secs(60);
        let git = Git::new(None, None, Instant::now() + patience, patience).unwrap();
        let args = ["ls-remote", "--", &url];
        let mut asked = [0; 4];
        let mut stream = tokio::select! {
            _ = git.run(&args, |_| {}) => panic!("nobody answered"),
            accepted = listener.accept() => accepted.unwrap().0,
        };
        // The one that spoke was git's child; its end of the connection closes.
        while stream.read(&mut asked).await.is_ok_and(|n| n > 0) {}
    }
}
