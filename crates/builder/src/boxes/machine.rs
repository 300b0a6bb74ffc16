//! The machine's side: what it must have so that boxes can be made, and the second wall, which stands in its own packet filter.
use super::{
    cgroup::Hierarchy,
    gate::{JUMPS, machine_rules},
    run::run,
};
use crate::ranges::Reach;
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Programs that boxes are made with, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 9] = [
    ("dockerd", "docker.io"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("iptables-restore", "iptables"),
    ("ip6tables-restore", "iptables"),
    ("mkfs.ext4", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
];

/// Where a program is, in the folders that a box has too.
pub fn program(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].iter().map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}

/// Everything that this machine lacks for boxes, a sentence each. Nothing is lowered in silence: a machine that can't is not asked.
pub fn lacks(cgroups: &Path) -> Vec<String> {
    let mut lacks = Vec::new();
    if !may_administer() {
        lacks.push("Builders need root with CAP_SYS_ADMIN and CAP_NET_ADMIN: start this process as root, outside of a container.".into());
        return lacks;
    }
    for (name, package) in PROGRAMS {
        if program(name).is_none() {
            lacks.push(format!("Builders need the program {name} below /usr: install {package}."));
        }
    }
    match Hierarchy::of(cgroups) {
        Ok(hierarchy) => {
            let missing = hierarchy.missing(cgroups);
            if !missing.is_empty() {
                lacks.push(format!(
                    "Builders need the cgroup controllers {}: enable them in the kernel’s command line.",
                    missing.join(", ")
                ));
            }
        }
        Err(why) => lacks.push(format!("Builders need cgroups at {}: {why}.", cgroups.display())),
    }
    for (file, what) in
        [("/proc/self/ns/user", "user namespaces"), ("/proc/self/ns/cgroup", "cgroup namespaces"), ("/dev/loop-control", "loop devices")]
    {
        if !Path::new(file).exists() {
            lacks.push(format!("Builders need a kernel with {what}: {file} is not there."));
        }
    }
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        lacks.push("Builders need user namespaces: set user.max_user_namespaces above 0.".into());
    }
    if let Some(old) = kernel().filter(|version| *version < (5, 11)) {
        lacks.push(format!("Builders need Linux 5.11 or newer, for overlay file systems in user namespaces: this is {}.{}.", old.0, old.1));
    }
    lacks
}

fn may_administer() -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const NET_ADMIN: u64 = 1 << 12;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    nix::unistd::geteuid().is_root() && effective.is_some_and(|caps| caps & (SYS_ADMIN | NET_ADMIN) == SYS_ADMIN | NET_ADMIN)
}

fn kernel() -> Option<(u32, u32)> {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let mut parts = text.split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Puts the machine's side up, whatever stands now. Idempotent; the keeper comes again every half minute, for Docker and people flush.
/// While it is down, boxes are closed in: nothing of theirs is translated any more. Blocks.
pub fn stand(reach: &Reach) -> io::Result<()> {
    // Docker does the same. IPv6 is left as it is, for a machine that forwards takes no more routes from its router.
    if number("/proc/sys/net/ipv4/ip_forward") == Some(0) {
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    }
    for six in [false, true] {
        let (tool, restore) = if six { ("ip6tables", "ip6tables-restore") } else { ("iptables", "iptables-restore") };
        run(restore, &["-w", "--noflush"], Some(&machine_rules(reach, six)), PATIENCE)?.or_said("raising the machine’s walls")?;
        for (table, chain, rule) in JUMPS {
            jump(tool, table, chain, rule)?;
        }
        // Where Docker closed FORWARD, its own chain is asked before it, and another is not.
        if run(tool, &["-w", "-t", "filter", "-n", "-L", "DOCKER-USER"], None, PATIENCE)?.code == 0 {
            jump(tool, "filter", "DOCKER-USER", &["-j", "SKYPANEL-BOX"])?;
        }
    }
    Ok(())
}

fn jump(tool: &str, table: &str, chain: &str, rule: &[&str]) -> io::Result<()> {
    let words = |what: &'static str| [&["-w", "-t", table, what, chain], rule].concat();
    if run(tool, &words("-C"), None, PATIENCE)?.code != 0 {
        run(tool, &words("-I"), None, PATIENCE)?.or_said("leading to the machine’s walls")?;
    }
    Ok(())
}

/// The name servers that the machine asks.
pub fn name_servers() -> Vec<std::net::SocketAddr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse::<std::net::IpAddr>().ok());
    servers.map(|ip| (ip, 53).into()).collect()
}

/// Memory that could be had now, in bytes.
pub fn memory_available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
}
