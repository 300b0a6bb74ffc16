//! The box's first process. Whoever it was before, here it is root of namespaces that are all its own and nobody outside. It makes the
//! rest of the box, starts the engine, ends what is orphaned, and goes with the engine; when it goes, everything in the box goes.
#![allow(unsafe_code, reason = "a process that becomes another places its descriptors itself")]
use super::{
    gate,
    run::run,
    tree::{mounted, own_mounts},
};
use nix::{
    mount::{MntFlags, MsFlags, umount2},
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, kill, sigaction, sigprocmask},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, execve, fork, getpid, pivot_root, sethostname, setsid},
};
use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    time::Duration,
};

/// What the box's first process needs to know and to hold.
pub struct First {
    pub root: PathBuf,
    /// Version 1's hierarchies; nothing on version 2.
    pub hierarchies: Option<Vec<String>>,
    pub engine: PathBuf,
    /// The socket that the engine answers at. It was made outside, so that the box has no hand in where it lies.
    pub listener: OwnedFd,
    /// Where the engine's words go.
    pub log: OwnedFd,
    /// One byte comes when the cable is in; the end comes where the warden died.
    pub go: OwnedFd,
    pub no_new_privileges: bool,
}

/// Capabilities that neither the engine nor a step has a use for, not even over namespaces of its own: modules, raw I/O, accounting,
/// booting, the clock, leases, audit control, mandatory access control, the kernel's log, alarms, tracing, BPF, checkpoints.
const DROPPED: [libc::c_ulong; 15] = [16, 17, 20, 22, 25, 26, 28, 30, 32, 33, 34, 35, 36, 37, 40];

/// Makes the box and runs the engine in it; answers with the exit code.
pub fn first(of: First) -> i32 {
    match prepared(&of).and_then(|()| engine(&of)) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("box: {why}");
            1
        }
    }
}

fn prepared(of: &First) -> io::Result<()> {
    // After the ids have changed, for that clears it. Whoever kills the warden, this goes too.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut byte = [0];
    if io::Read::read(&mut fs::File::from(of.go.try_clone()?), &mut byte)? == 0 {
        return Err(io::Error::other("the warden went away"));
    }
    let root = &of.root;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mounted(None, Path::new("/"), None, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None)?;
    // What came along from outside is locked and can't be pivoted to; bound anew, it is this namespace's.
    mounted(root.to_str(), root, None, MsFlags::MS_BIND | MsFlags::MS_REC, None)?;
    chdir("/")?;
    chdir(root)?;
    own_mounts(root, of.hierarchies.as_deref())?;
    chdir(root)?;
    pivot_root(".", "old")?;
    chdir("/")?;
    umount2("/old", MntFlags::MNT_DETACH)?;
    fs::remove_dir("/old")?;
    mounted(None, Path::new("/"), None, MsFlags::MS_SHARED | MsFlags::MS_REC, None)?;
    sethostname("box")?;
    run("ip", &["-batch", "-"], Some(&gate::within()), Duration::from_secs(10))?.or_said("giving the box its addresses")?;
    for capability in DROPPED {
        // A kernel that does not know one has nothing to drop. SAFETY: the call takes plain numbers.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    if of.no_new_privileges {
        prctl::set_no_new_privs()?;
    }
    Ok(())
}

fn engine(of: &First) -> io::Result<i32> {
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    watched.add(Signal::SIGTERM);
    watched.thread_block()?;
    // SAFETY: this process has one thread.
    let engine = match unsafe { fork() }? {
        ForkResult::Child => {
            let why = become_engine(of);
            eprintln!("box: {why}");
            std::process::exit(127);
        }
        ForkResult::Parent { child } => child,
    };
    loop {
        match watched.wait()? {
            Signal::SIGTERM => kill(engine, Signal::SIGTERM)?,
            _ => {
                if let Some(code) = reaped(engine)? {
                    return Ok(code);
                }
            }
        }
    }
}

/// Takes in all children that have ended; the engine's code where it is among them.
fn reaped(engine: Pid) -> io::Result<Option<i32>> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == engine => return Ok(Some(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == engine => return Ok(Some(128 + signal as i32)),
            Ok(WaitStatus::StillAlive) | Err(nix::errno::Errno::ECHILD) => return Ok(None),
            Ok(_) => {}
            Err(why) => return Err(why.into()),
        }
    }
}

/// Turns this process into the engine; comes back only where that fails.
fn become_engine(of: &First) -> io::Error {
    let go = || -> io::Result<()> {
        setsid()?;
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        // SAFETY: the default action is no function of ours.
        unsafe { sigaction(Signal::SIGPIPE, &SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty()))? };
        dup2_stdin(fs::File::open("/dev/null")?)?;
        dup2_stdout(&of.log)?;
        dup2_stderr(&of.log)?;
        // The listener goes to descriptor 3, where the engine looks for it; nothing else goes along.
        // SAFETY: descriptors 3 and up belong to nobody else in this process, which ends or becomes another here.
        if of.listener.as_raw_fd() == 3 {
            nix::fcntl::fcntl(&of.listener, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))?;
        } else if unsafe { libc::dup2(of.listener.as_raw_fd(), 3) } < 0 {
            return Err(io::Error::last_os_error());
        }
        unsafe { libc::syscall(libc::SYS_close_range, 4u32, u32::MAX, 0u32) };
        let words = [
            &*of.engine.to_string_lossy(),
            "-H",
            "fd://",
            "--config-file",
            "/etc/docker/daemon.json",
            "--data-root",
            "/var/lib/docker",
            "--exec-root",
            "/run/docker",
            "--pidfile",
            "/run/docker.pid",
            "--cgroup-parent",
            "/steps/d",
        ]
        .map(CString::new)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
        let pid = format!("LISTEN_PID={}", getpid());
        let env = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp", "GOGC=50", "LISTEN_FDS=1", &pid].map(CString::new);
        let env = env.into_iter().collect::<Result<Vec<_>, _>>()?;
        execve(&words[0], &words, &env)?;
        Ok(())
    };
    go().err().unwrap_or_else(|| io::Error::other("the engine did not start"))
}
