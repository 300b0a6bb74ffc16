//! The kernel's packet filter, through Debian's and everybody's `iptables`: a program with arguments, never a shell.
use super::{facts, rules::Family};
use async_trait::async_trait;
use std::{process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command};

/// How long the program may take; it waits for others that hold its lock.
const CALL: Duration = Duration::from_secs(15);
/// The seconds that it waits for them.
const LOCK: &str = "10";

/// The packet filter of one machine, its table `mangle`. Errors are sentences for the operator.
#[async_trait]
pub trait Tables: Send + Sync {
    /// The families that this machine speaks.
    fn families(&self) -> Vec<Family>;
    /// Every chain and rule, as `iptables -t mangle -S` prints them.
    async fn list(&self, family: Family) -> Result<Vec<String>, String>;
    /// Does everything in the script or nothing (`iptables-restore --noflush`).
    async fn restore(&self, family: Family, script: &str) -> Result<(), String>;
}

/// The real one.
#[derive(Debug, Default, Clone, Copy)]
pub struct Iptables;

impl Family {
    fn program(self) -> &'static str {
        match self {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        }
    }
}

#[async_trait]
impl Tables for Iptables {
    fn families(&self) -> Vec<Family> {
        if facts::has_ipv6() { vec![Family::V4, Family::V6] } else { vec![Family::V4] }
    }

    async fn list(&self, family: Family) -> Result<Vec<String>, String> {
        let said = run(family.program(), &["-w", LOCK, "-t", "mangle", "-S"], "").await?;
        Ok(said.lines().map(String::from).collect())
    }

    async fn restore(&self, family: Family, script: &str) -> Result<(), String> {
        run(&format!("{}-restore", family.program()), &["-w", LOCK, "--noflush"], script).await.map(|_| ())
    }
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    // It lies where only root looks.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|why| format!("{program} can’t be run: {why}. Install iptables."))?;
    let mut stdin = child.stdin.take();
    let input = input.to_string();
    let talk = async move {
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(CALL, talk).await.map_err(|_| format!("{program} did not end within {} s.", CALL.as_secs()))?;
    let output = output.map_err(|why| format!("{program} can’t be run: {why}."))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} refused: {}.", said.lines().next().unwrap_or("it did not say why").trim().trim_end_matches('.')))
}
