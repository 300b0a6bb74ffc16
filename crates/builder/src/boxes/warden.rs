//! The warden: one small process of ours a box, between the keeper and the box. It *is* the gate (it lives in its network namespace), is the
//! parent of the box's first process, and cleans up after both. It ends the box when the keeper hangs up, however the keeper ended;
//! and when the warden itself is killed, the kernel ends the box's first process, and with that everything in it.
//!
//! It has one thread, so that it may fork and change namespaces. It speaks by lines of JSON on a socket that is its standard output;
//! its standard input is the socket that the box's engine will answer at.
#![allow(unsafe_code, reason = "a process of one thread forks, places descriptors and enters namespaces")]
use super::{
    cgroup::{Hierarchy, Tree, perform},
    disk, gate, init,
    run::run,
    tree,
};
use crate::seam::BoxSize;
use nix::{
    fcntl::{Flock, FlockArg, OFlag},
    mount::MsFlags,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, setns, unshare},
    sys::{
        signal::{Signal, kill},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, dup2_stderr, dup2_stdout, fork, pipe2, setgid, setgroups, setuid},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// What the keeper tells a warden first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Orders {
    pub folder: PathBuf,
    pub slot: u32,
    /// The user id that the box's root is outside; 65 536 from there on are the box's.
    pub owner: u32,
    pub size: BoxSize,
    pub tree: Tree,
    pub rules_v4: String,
    pub rules_v6: String,
    pub daemon_json: String,
    pub engine: PathBuf,
    pub no_new_privileges: bool,
}

/// What the keeper says later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The resolver listens: lay the cables.
    Go,
    /// Let the engine end by itself, for a while.
    Stop,
    /// End the box at once.
    Kill,
}

/// What a warden reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The gate's rules stand, and nothing leads to it yet.
    Gate,
    /// The box's first process, as the machine counts.
    Started(i32),
    /// The box could not be made.
    Failed(String),
    /// The box is over and nothing is left of it. The engine's last words are untrusted.
    Ended { clean: bool, code: i32, said: String },
}

/// How many ids a box has.
pub const IDS: u32 = 65_536;
/// The box's root is mounted here, in the nest's own mount namespace: a folder that every machine has and every user may enter.
const ROOT: &str = "/tmp";
/// What is kept of the engine's log.
const TAIL: usize = 16 << 10;
const TOOLS: Duration = Duration::from_secs(20);
/// How long an engine that was asked to stop may take.
const GRACE: Duration = Duration::from_secs(5);
/// How long the dead may take to be gone.
const BURIAL: Duration = Duration::from_secs(20);
/// Where the nest keeps what the box's first process needs; everything else is closed before it exists.
const LISTENER: i32 = 10;
const LOG: i32 = 11;
const GO: i32 = 12;
const SYNC: i32 = 13;

/// The file that says that the box ended well: its disk can be trusted.
pub const CLEAN: &str = "clean";

/// Runs the warden; the process's exit code.
pub fn main() -> i32 {
    // What else was left open by whoever started the keeper is closed. SAFETY: nothing here has a descriptor beyond the three yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32) };
    // SAFETY: the keeper gave this process its standard streams, and nothing else uses them here.
    let (given, control) = unsafe { (std::os::fd::BorrowedFd::borrow_raw(0), UnixStream::from_raw_fd(1)) };
    // Descriptor 0 must stay taken: a pipe that were given this number would be closed in the program that it is meant for.
    let listener = above(&given).and_then(|listener| Ok((listener, nix::unistd::dup2_stdin(File::open("/dev/null")?)?)));
    let Ok((listener, ())) = listener else { return 1 };
    let mut lines = match control.try_clone() {
        Ok(read) => BufReader::new(read),
        Err(_) => return 1,
    };
    let mut first = String::new();
    let orders: Orders = match lines.read_line(&mut first).map(|_| serde_json::from_str(&first)) {
        Ok(Ok(orders)) => orders,
        _ => return 2,
    };
    let mut warden = Warden { orders, control, said: Vec::new() };
    let report = match warden.serve(listener, &mut lines) {
        Ok(report) => report,
        Err(why) => {
            let _ = warden.orders.tree.end(BURIAL);
            Report::Failed(why.to_string())
        }
    };
    warden.report(&report);
    0
}

struct Warden {
    orders: Orders,
    control: UnixStream,
    said: Vec<u8>,
}

/// The two ends of what was made, as the warden holds them.
struct Nest {
    first: Pid,
    log: File,
}

impl Warden {
    fn report(&mut self, report: &Report) {
        if let Ok(text) = serde_json::to_string(report) {
            let _ = writeln!(self.control, "{text}");
        }
    }

    fn serve(&mut self, listener: OwnedFd, lines: &mut BufReader<UnixStream>) -> io::Result<Report> {
        let folder = self.orders.folder.clone();
        let _lock = locked(&folder.join("lock"))?;
        let machine = File::open("/proc/self/ns/net")?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let gate = File::open("/proc/self/ns/net")?;
        // Rules before cables: there is never a way without a wall.
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "1")?;
        let _ = fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        run("iptables-restore", &["-w"], Some(&self.orders.rules_v4), TOOLS)?.or_said("raising the gate")?;
        run("ip6tables-restore", &["-w"], Some(&self.orders.rules_v6), TOOLS)?.or_said("raising the gate for IPv6")?;
        self.report(&Report::Gate);
        if word(lines)? != Some(Word::Go) {
            return Ok(Report::Ended { clean: false, code: 0, said: "the keeper went away".into() });
        }
        self.cables(&machine, &gate)?;
        let _ = self.orders.tree.end(BURIAL);
        perform(&self.orders.tree.made(&self.orders.size, self.orders.owner))?;
        disk::ready(&folder.join("disk.img"), self.orders.size.disk.0, self.orders.owner)?;
        let _ = fs::remove_file(folder.join(CLEAN));
        let nest = self.nest(listener)?;
        self.report(&Report::Started(nest.first.as_raw()));
        let report = self.watch(nest, lines)?;
        self.orders.tree.end(BURIAL)?;
        if let Report::Ended { clean: true, .. } = report {
            File::create(folder.join(CLEAN))?.sync_all()?;
        }
        Ok(report)
    }

    /// The cable between machine and gate. One that an earlier life left is never used: the kernel takes it away when it comes to it.
    fn cables(&self, machine: &File, gate: &File) -> io::Result<()> {
        let slot = self.orders.slot;
        setns(machine, CloneFlags::CLONE_NEWNET)?;
        run("ip", &["link", "del", &gate::cable(slot)], None, TOOLS)?;
        setns(gate, CloneFlags::CLONE_NEWNET)?;
        // The machine's end is born in the machine's namespace.
        let there = format!("/proc/{}/fd/{}", std::process::id(), machine.as_raw_fd());
        run("ip", &["-batch", "-"], Some(&gate::outer_cable(slot, &there)), TOOLS)?.or_said("laying the gate’s cable")?;
        setns(machine, CloneFlags::CLONE_NEWNET)?;
        let laid = run("ip", &["-batch", "-"], Some(&gate::machine_cable(slot)), TOOLS)
            .and_then(|ended| ended.or_said("laying the machine’s cable"));
        setns(gate, CloneFlags::CLONE_NEWNET)?;
        laid
    }

    /// Makes the box's namespaces and its first process. A short-lived child does it, for whoever enters a user namespace can't go back.
    fn nest(&mut self, listener: OwnedFd) -> io::Result<Nest> {
        let (log, log_in) = pipe2(OFlag::O_CLOEXEC)?;
        let (go, go_in) = pipe2(OFlag::O_CLOEXEC)?;
        let (mut ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(Duration::from_secs(60)))?;
        let disk = OpenOptions::new().read(true).write(true).open(self.orders.folder.join("disk.img"))?;
        // SAFETY: this process has one thread.
        let child = match unsafe { fork() }? {
            ForkResult::Child => {
                let mut sync = match theirs.try_clone() {
                    Ok(sync) => sync,
                    Err(_) => std::process::exit(1),
                };
                let why = hatch(&self.orders, &disk, [&listener, &log_in, &go, &theirs.into()]);
                let _ = writeln!(sync, "{}", why.err().map_or_else(|| "?".to_string(), |why| why.to_string()));
                std::process::exit(1);
            }
            ForkResult::Parent { child } => child,
        };
        drop((listener, log_in, go, theirs));
        let told = self.attended(&mut ours, child);
        let first = match told {
            Ok(first) => first,
            Err(why) => {
                let _ = kill(child, Signal::SIGKILL);
                let _ = waitpid(child, None);
                let mut tail = String::new();
                let _ = self.orders.tree.end(BURIAL);
                let _ = File::from(log).take(2000).read_to_string(&mut tail);
                return Err(io::Error::other(format!("{why}{}{tail}", if tail.is_empty() { "" } else { ": " })));
            }
        };
        waitpid(child, None)?;
        File::from(go_in).write_all(b"!")?;
        Ok(Nest { first, log: log.into() })
    }

    /// The warden's part while the nest is made: ids, cgroups, cable. Answers with the first process.
    fn attended(&self, sync: &mut UnixStream, child: Pid) -> io::Result<Pid> {
        let mut lines = BufReader::new(sync.try_clone()?);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        if line != "namespaces\n" {
            return Err(io::Error::other(if line.is_empty() { "the nest died".into() } else { line.trim().to_string() }));
        }
        let Orders { owner, size, .. } = &self.orders;
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{child}/{map}"), format!("0 {owner} {IDS}\n"))?;
        }
        perform(&self.orders.tree.entered(size, *owner, child.as_raw()))?;
        run("ip", &["-batch", "-"], Some(&gate::inner_cable(child.as_raw())), TOOLS)?.or_said("laying the box’s cable")?;
        for words in gate::shape(size.egress.0) {
            run("tc", &words, None, TOOLS)?.or_said("bounding the box’s traffic")?;
        }
        writeln!(sync, "go")?;
        line.clear();
        lines.read_line(&mut line)?;
        let pid = line.trim().parse().map_err(|_| io::Error::other(format!("the nest failed: {}", line.trim())))?;
        Ok(Pid::from_raw(pid))
    }

    /// Waits for the box's end, or for the keeper's word or hang-up.
    fn watch(&mut self, mut nest: Nest, lines: &mut BufReader<UnixStream>) -> io::Result<Report> {
        // SAFETY: the call takes plain numbers and answers with a new descriptor.
        let pidfd = nix::errno::Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, nest.first.as_raw(), 0) })?;
        // SAFETY: the kernel just made it, and nobody else has it.
        let pidfd = unsafe { OwnedFd::from_raw_fd(i32::try_from(pidfd).map_err(io::Error::other)?) };
        let (mut asked, mut late, mut gone, mut quiet) = (false, None, false, false);
        loop {
            let wait = if late.is_some() { PollTimeout::from(100u8) } else { PollTimeout::from(5000u16) };
            let [keeper, log, ended] = {
                let hungup = PollFd::new(self.control.as_fd(), if gone { PollFlags::empty() } else { PollFlags::POLLIN });
                let log = PollFd::new(if quiet { pidfd.as_fd() } else { nest.log.as_fd() }, PollFlags::POLLIN);
                let mut fds = [hungup, log, PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
                // A word may have come along with an earlier one.
                let wait = if lines.buffer().is_empty() { wait } else { PollTimeout::ZERO };
                match poll(&mut fds, wait) {
                    Ok(_) | Err(nix::errno::Errno::EINTR) => fds.map(|fd| fd.any().unwrap_or(false)),
                    Err(why) => return Err(why.into()),
                }
            };
            if log && !quiet {
                quiet = !self.listen(&mut nest.log);
            }
            if ended {
                break;
            }
            if (keeper || !lines.buffer().is_empty()) && !gone {
                match word(lines)? {
                    Some(Word::Stop) => {
                        asked = true;
                        late = Some(Instant::now() + GRACE);
                        self.orders.tree.freeze(false)?;
                        let _ = kill(nest.first, Signal::SIGTERM);
                    }
                    Some(Word::Go) => {}
                    word => {
                        // Frozen processes die only when they thaw.
                        gone = word.is_none();
                        let _ = kill(nest.first, Signal::SIGKILL);
                        let _ = self.orders.tree.freeze(false);
                    }
                }
            }
            if late.is_some_and(|at| Instant::now() > at) {
                late = None;
                let _ = kill(nest.first, Signal::SIGKILL);
            }
        }
        let code = match waitpid(nest.first, None)? {
            WaitStatus::Exited(_, code) => code,
            WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
            _ => 255,
        };
        // The rest of the log, as far as it is there already.
        nix::fcntl::fcntl(&nest.log, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        while self.listen(&mut nest.log) {}
        Ok(Report::Ended { clean: asked && code == 0, code, said: String::from_utf8_lossy(&self.said).into_owned() })
    }

    /// Takes in some of the engine's log; false where nothing more comes.
    fn listen(&mut self, log: &mut File) -> bool {
        let mut part = [0; 4096];
        let n = log.read(&mut part).unwrap_or(0);
        self.said.extend(part.iter().take(n));
        let over = self.said.len().saturating_sub(TAIL);
        self.said.drain(..over);
        n > 0
    }
}

/// The keeper's next word, or nothing where it hung up.
fn word(lines: &mut BufReader<UnixStream>) -> io::Result<Option<Word>> {
    let mut line = String::new();
    match lines.read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => serde_json::from_str(&line).map(Some).map_err(io::Error::other),
        Err(_) => Ok(None),
    }
}

/// The box's own lock. The last life may still be on its way out.
fn locked(path: &Path) -> io::Result<Flock<File>> {
    let until = Instant::now() + BURIAL;
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Err(io::Error::other("another process holds this box")),
            Err((_, why)) => return Err(why.into()),
        }
    }
}

/// The nest's part: joins the box's cgroups, builds its tree, enters its namespaces, and leaves the box's first process to the warden.
/// Comes back only with an error.
fn hatch(orders: &Orders, disk: &File, kept: [&OwnedFd; 4]) -> io::Result<()> {
    // Nothing else that the warden holds, the keeper's socket least of all, may come along.
    let disk = File::from(above(disk)?);
    // First out of the way, so that none is overwritten by another.
    let kept = kept.map(above);
    for (fd, to) in kept.into_iter().zip([LISTENER, LOG, GO, SYNC]) {
        // SAFETY: descriptors 10 to 13 are this function's; what lay there was the warden's and is not used here again.
        if unsafe { libc::dup3(fd?.as_raw_fd(), to, libc::O_CLOEXEC) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdout(&null)?;
    nix::unistd::dup2_stdin(&null)?;
    // SAFETY: both are descriptors that were just placed there.
    let (log, mut sync) = unsafe { (std::os::fd::BorrowedFd::borrow_raw(LOG), UnixStream::from_raw_fd(SYNC)) };
    dup2_stderr(log)?;

    for door in orders.tree.doors() {
        fs::write(&door, std::process::id().to_string())?;
    }
    fs::write("/proc/self/oom_score_adj", "500")?;
    setgroups(&[])?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    tree::mounted(None, Path::new("/"), None, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None)?;
    tree::build(Path::new(ROOT), &disk, &orders.daemon_json, orders.owner)?;
    unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWCGROUP,
    )?;
    writeln!(sync, "namespaces")?;
    let mut byte = [0; 3];
    sync.read_exact(&mut byte)?;
    setgid(0.into())?;
    setuid(0.into())?;
    // As a sister of this process, a child of the warden: this one has done its part.
    // SAFETY: this process has one thread, and without a stack of its own the child goes on as after a fork.
    let pid = nix::errno::Errno::result(unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) })?;
    if pid == 0 {
        std::process::exit(inside(orders));
    }
    writeln!(sync, "{pid}")?;
    std::process::exit(0);
}

/// A second descriptor beyond those that the nest places.
fn above(fd: &impl AsFd) -> io::Result<OwnedFd> {
    let number = nix::fcntl::fcntl(fd, nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(20))?;
    // SAFETY: the kernel just made it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

fn inside(orders: &Orders) -> i32 {
    // SAFETY: these descriptors were placed by `hatch`, and everything else is closed here.
    let [listener, log, go] = unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, 9u32, 0u32);
        libc::syscall(libc::SYS_close_range, 13u32, u32::MAX, 0u32);
        [LISTENER, LOG, GO].map(|fd| OwnedFd::from_raw_fd(fd))
    };
    init::first(init::First {
        root: ROOT.into(),
        hierarchies: match &orders.tree.hierarchy {
            Hierarchy::V1(all) => Some(all.clone()),
            Hierarchy::V2 => None,
        },
        engine: orders.engine.clone(),
        listener,
        log,
        go,
        no_new_privileges: orders.no_new_privileges,
    })
}
