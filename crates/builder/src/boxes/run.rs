//! Runs one of the machine's programs: arguments as they are, no shell, bounded in time, its words kept for the sentence.
use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What is kept of a program's complaint.
const SAID: usize = 2000;

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; 255 where a signal ended it.
    pub code: i32,
    pub said: String,
    program: String,
}

impl Ended {
    /// Success, or an error that says what was tried and what the program said.
    pub fn or_said(self, doing: &str) -> io::Result<()> {
        if self.code == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!("{doing}: {} ended with {}: {}", self.program, self.code, self.said.trim())))
    }
}

/// Runs `program` to its end, with `input` on its standard input. Blocks. A program that takes longer than `patience` is ended.
pub fn run<A: AsRef<OsStr>>(program: &str, args: &[A], input: Option<&str>, patience: Duration) -> io::Result<Ended> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // Sockets and pipes of this process are none of its business; std closes all that it opened itself on exec.
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").process_group(0);
    let mut child = command.spawn().map_err(|why| io::Error::new(why.kind(), format!("{program}: {why}")))?;
    if let (Some(mut stdin), Some(text)) = (child.stdin.take(), input) {
        // A program that went away early says why itself.
        let _ = stdin.write_all(text.as_bytes());
    }
    let until = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{program} took longer than {} s", patience.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut said = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(SAID as u64).read_to_end(&mut said);
    }
    Ok(Ended { code: status.code().unwrap_or(255), said: String::from_utf8_lossy(&said).into_owned(), program: program.to_string() })
}
