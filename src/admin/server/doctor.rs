//! `skypanel admin doctor`: whether this machine is fit to serve, a line per question, and what to do where it is not. It changes nothing.
//! Asking and judging are apart: what is found is judged by functions that tests can call.
use crate::{
    agent::{Iptables, Keeper, is_privileged},
    error::{Error, Result},
    runtime::config::Config,
    store::Db,
    swarm::{
        Node, Swarm, SwarmError,
        docker::{Endpoint, Engine, Gateway, Tls},
    },
    units::Timestamp,
};
use serde::Serialize;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

/// The oldest engine that we know.
const OLDEST: (u32, u32) = (20, 10);
/// How long a listener may take to accept.
const KNOCK: Duration = Duration::from_secs(2);
/// Shares of a disk, in percent.
const DISK_LOW: u64 = 15;
const DISK_OUT: u64 = 5;
/// How far two clocks may be apart.
const APART: i64 = 5_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    /// A sentence.
    pub found: String,
    /// What to do, a sentence; none where all is well.
    pub remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Warn, found: found.into(), remedy: Some(remedy.into()) }
    }

    fn fail(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check { verdict: Verdict::Fail, ..Check::warn(name, found, remedy) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        write!(f, "{word:<5} {:<10} {}", self.name, self.found)?;
        self.remedy.iter().try_for_each(|remedy| write!(f, "\n{:17}{remedy}", ""))
    }
}

/// Asks everything.
pub async fn examine(config: &Config) -> Vec<Check> {
    let mut all = vec![folder(&config.data_dir), disk(&config.data_dir).await, clock(config, None), database(config).await];
    if config.swarm.endpoint.starts_with("fake:") {
        all.push(Check::warn("engine", "The swarm is one in memory.", "Set swarm.endpoint to the socket of a Docker Engine."));
    } else {
        all.extend(docker(config).await);
    }
    all.extend(ports(config).await);
    all
}

fn folder(path: &Path) -> Check {
    let mode = |path: &Path| std::fs::metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    let folder = match mode(path) {
        Ok(mode) => mode,
        Err(why) => {
            return Check::fail("data", format!("{} can’t be looked at: {why}.", path.display()), "Set data_dir to the panel’s folder.");
        }
    };
    let key = path.join("master.key");
    match mode(&key) {
        Ok(key_mode) => judge_modes(path, folder, key_mode),
        Err(why) => {
            let remedy = "Start the panel once, or set data_dir to the folder that it works on.";
            Check::fail("data", format!("{} can’t be looked at: {why}.", key.display()), remedy)
        }
    }
}

fn judge_modes(path: &Path, folder: u32, key: u32) -> Check {
    if key & 0o077 != 0 {
        let remedy = format!("chmod 600 {}", path.join("master.key").display());
        return Check::fail("data", format!("Others on this machine may read the master key (mode {key:o})."), remedy);
    }
    if folder & 0o022 != 0 {
        return Check::fail(
            "data",
            format!("Others may write to the data folder (mode {folder:o})."),
            format!("chmod 700 {}", path.display()),
        );
    }
    if folder & 0o055 != 0 {
        return Check::warn(
            "data",
            format!("Others may look into the data folder (mode {folder:o})."),
            format!("chmod 700 {}", path.display()),
        );
    }
    Check::ok("data", format!("{} is the panel’s alone.", path.display()))
}

async fn disk(path: &Path) -> Check {
    let remedy = "Look at it with df.";
    let df = tokio::process::Command::new("df").args(["-Pk", "--"]).arg(path).output().await;
    match df {
        Ok(output) => match free(&String::from_utf8_lossy(&output.stdout)) {
            Some((free, all)) => judge_disk(free, all),
            None => Check::warn("disk", "Its free space is not known.", remedy),
        },
        Err(why) => Check::warn("disk", format!("Its free space is not known: {why}."), remedy),
    }
}

/// Free and usable KiB, from what `df -Pk` prints.
fn free(text: &str) -> Option<(u64, u64)> {
    let mut fields = text.lines().nth(1)?.split_whitespace().rev();
    let (free, used) = (fields.nth(2)?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some((free, free + used))
}

fn judge_disk(free: u64, all: u64) -> Check {
    let share = free * 100 / all.max(1);
    let found = format!("{:.1} GiB ({share} %) are free where the data is.", free as f64 / 1_048_576.0);
    let remedy = "Make room: old images and logs first.";
    match share {
        share if share < DISK_OUT => Check::fail("disk", found, remedy),
        share if share < DISK_LOW => Check::warn("disk", found, remedy),
        _ => Check::ok("disk", found),
    }
}

/// This machine's clock against another one's.
fn judge_clock(ours: Timestamp, theirs: Timestamp, whose: &str) -> Check {
    let apart = ours.millis() - theirs.millis();
    if apart.abs() <= APART {
        return Check::ok("clock", format!("It agrees with the clock of {whose}."));
    }
    let remedy = "Let all machines keep time by NTP (systemd-timesyncd, chrony).";
    Check::fail("clock", format!("It is {} s apart from the clock of {whose}.", apart / 1_000), remedy)
}

#[expect(clippy::disallowed_methods, reason = "the doctor compares this very clock with others")]
fn clock(config: &Config, database: Option<Timestamp>) -> Check {
    let ours = Timestamp(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64));
    if let Some(theirs) = database {
        return judge_clock(ours, theirs, "the database");
    }
    // What the panel wrote can't be from the future.
    let written = std::fs::metadata(config.data_dir.join("master.key")).and_then(|meta| meta.modified()).ok();
    match written.and_then(|at| at.duration_since(SystemTime::now()).ok()) {
        Some(ahead) if ahead.as_millis() as i64 > APART => {
            let remedy = "Let the machine keep time by NTP (systemd-timesyncd, chrony).";
            Check::fail("clock", format!("It runs {} s behind what it was when the panel first started.", ahead.as_secs()), remedy)
        }
        _ => Check::ok("clock", "It is not behind what was written here."),
    }
}

async fn database(config: &Config) -> Check {
    let url = config.database();
    // Looking must not make one.
    if let Some(path) = url.strip_prefix("sqlite://").map(|path| path.split('?').next().unwrap_or_default())
        && !Path::new(path).exists()
    {
        return Check::fail(
            "database",
            format!("There is no {path}."),
            "Start the panel once, or set data_dir to the folder that it works on.",
        );
    }
    let time = async { Db::connect(&url).await?.now().await };
    match time.await {
        Ok(theirs) if !url.starts_with("sqlite:") => match clock(config, Some(theirs)) {
            apart if apart.verdict == Verdict::Fail => Check { name: "database", ..apart },
            _ => Check::ok("database", "It answers, and its clock agrees with ours."),
        },
        Ok(_) => Check::ok("database", "It answers."),
        Err(why) => Check::fail("database", format!("It does not answer: {why}"), "Look at database_url and at the server’s log."),
    }
}

async fn docker(config: &Config) -> Vec<Check> {
    let mut endpoint: Endpoint = match config.swarm.endpoint.parse() {
        Ok(endpoint) => endpoint,
        Err(why) => return vec![Check::fail("engine", why, "Set swarm.endpoint.")],
    };
    if let Some(tls) = config.swarm.tls.clone() {
        endpoint = endpoint.with_tls(Tls { ca: tls.ca, cert: tls.cert, key: tls.key });
    }
    let is_here = endpoint.socket().is_some();
    let engine = Engine::new(endpoint);
    let mut all = Vec::new();
    match engine.facts().await {
        Ok(facts) => {
            all.push(judge_version(&facts.engine_version, &config.swarm.endpoint));
            let nodes = if facts.swarm.is_some() { Some(engine.nodes().await) } else { None };
            let count = nodes.as_ref().and_then(|nodes| nodes.as_ref().ok()).map_or(0, Vec::len);
            all.push(judge_swarm(facts.node.is_some(), nodes));
            all.push(judge_gateway(engine.gateway().await, count));
        }
        Err(why) => {
            let remedy = "Start it (systemctl start docker), and let this user reach its socket.";
            all.push(Check::fail("engine", format!("Docker at {} does not answer: {why}.", config.swarm.endpoint), remedy));
        }
    }
    if is_here {
        all.push(walls(config, &engine).await);
        all.push(kernel());
    } else {
        all.push(Check::warn("walls", "The engine is another machine’s.", "Run `skypanel agent` and `skypanel admin doctor` there."));
    }
    all
}

fn judge_version(version: &str, endpoint: &str) -> Check {
    let mut numbers = version.split('.').map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST {
        return Check::fail("engine", format!("Docker {version} answers at {endpoint}, which is too old."), "Install 20.10 or newer.");
    }
    Check::ok("engine", format!("Docker {version} answers at {endpoint}."))
}

/// What a list of nodes says, where the engine manages them.
fn judge_swarm(is_member: bool, nodes: Option<Result<Vec<Node>, SwarmError>>) -> Check {
    let nodes = match nodes {
        Some(Ok(nodes)) => nodes,
        Some(Err(why)) => {
            return Check::fail("swarm", format!("Its nodes can’t be listed: {why}."), "Look whether most of the managers are up.");
        }
        None if is_member => {
            return Check::fail(
                "swarm",
                "This engine manages no swarm: it is a worker.",
                "Set swarm.endpoint to a manager, or promote this node.",
            );
        }
        None => return Check::fail("swarm", "No swarm has begun.", "Start the panel: it begins one."),
    };
    let away: Vec<&str> = nodes.iter().filter(|node| !node.ready).map(|node| node.hostname.as_str()).collect();
    let held: Vec<&str> =
        nodes.iter().filter(|node| node.labels.contains_key("skypanel.walls")).map(|node| node.hostname.as_str()).collect();
    let managers = nodes.iter().filter(|node| node.manager).count();
    if !held.is_empty() {
        let found = format!("{} takes no new tasks, because its walls are down.", held.join(", "));
        return Check::fail("swarm", found, "Mend its walls; it takes tasks again by itself.");
    }
    if !away.is_empty() {
        return Check::warn(
            "swarm",
            format!("{} takes no tasks.", away.join(", ")),
            "Bring it back, set it active, or remove it: docker node ls.",
        );
    }
    if managers == 2 {
        return Check::warn("swarm", "Two managers: the loss of either stops the swarm.", "Have one, three or five managers.");
    }
    Check::ok("swarm", format!("{} of {} nodes are ready, {managers} of them managers.", nodes.len(), nodes.len()))
}

fn judge_gateway(gateway: Result<Gateway, SwarmError>, nodes: usize) -> Check {
    let rebuild =
        "It can’t be changed while the machine is in the swarm: drain it, let it leave, run `skypanel agent prepare ADDRESS`, let it join.";
    match gateway {
        Ok(Gateway::Bound(address)) if address.is_loopback() && nodes > 1 => {
            let found = format!("Tasks’ ports on this machine are open on {address} only, where edges on other machines can’t reach them.");
            Check::fail("gateway", found, rebuild)
        }
        Ok(Gateway::Bound(address)) if is_private(address) => Check::ok("gateway", format!("Tasks’ ports are open on {address} only.")),
        Ok(Gateway::Bound(address)) => Check::warn(
            "gateway",
            format!("Tasks’ ports are open on {address}, which is public: the walls alone keep strangers out."),
            rebuild,
        ),
        Ok(Gateway::Open) => {
            let found = "Tasks’ ports are open on every address of this machine, for the swarm began without us: the walls alone keep strangers out.";
            Check::warn("gateway", found, rebuild)
        }
        Ok(Gateway::Missing) => {
            Check::fail("gateway", "There is no gateway bridge yet.", "Start the panel: it makes one when it begins a swarm.")
        }
        Err(why) => Check::fail("gateway", format!("It can’t be looked at: {why}."), "Look at the engine’s log."),
    }
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // Beside the private ones: shared (RFC 6598) and for measurements (RFC 2544).
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 100 && b & 0xc0 == 64) || (a == 198 && b & 0xfe == 18)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

async fn walls(config: &Config, engine: &Engine) -> Check {
    let remedy = "Run `skypanel agent` as root on this machine, or the panel with the right to change the packet filter.";
    if !is_privileged() {
        return Check::warn("walls", "They can’t be looked at by this user.", "Run this as root.");
    }
    let (facts, is_known) = config.wall_settings().facts(engine).await;
    let keeper = Keeper::new(Iptables);
    if !is_known {
        return match keeper.is_up().await {
            Ok(true) => Check::ok("walls", "They stand."),
            Ok(false) => Check::fail("walls", "They are down.", remedy),
            Err(why) => Check::fail("walls", why, "Install iptables, or load the kernel’s modules for it."),
        };
    }
    match keeper.look(&facts).await {
        Ok(faults) if faults.is_empty() => Check::ok("walls", format!("They stand around {} machines.", facts.nodes.len())),
        Ok(faults) => Check::fail("walls", format!("They are not as they should be: {}.", faults.join(", ")), remedy),
        Err(why) => Check::fail("walls", why, "Install iptables, or load the kernel’s modules for it."),
    }
}

fn kernel() -> Check {
    let is_on = |path: &str| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
    if !is_on("/proc/sys/net/ipv4/ip_forward") {
        return Check::fail("kernel", "It forwards no packets, so containers reach nothing.", "sysctl -w net.ipv4.ip_forward=1");
    }
    if !is_on("/proc/sys/net/bridge/bridge-nf-call-iptables") {
        let found = "Packets within a bridge pass by the packet filter, so containers on the gateway bridge may reach each other.";
        return Check::fail("kernel", found, "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1");
    }
    Check::ok("kernel", "It forwards packets and filters bridges.")
}

async fn ports(config: &Config) -> Vec<Check> {
    let edge = &config.edge;
    let is_running =
        std::fs::File::options().write(true).open(config.data_dir.join("panel.lock")).is_ok_and(|file| file.try_lock().is_err());
    let mut all = Vec::new();
    for address in edge.listen.iter().chain(&edge.listen_tls) {
        all.push(judge_port("edge", *address, listens(*address).await, is_running));
    }
    all.push(judge_port("panel", config.panel.listen, listens(config.panel.listen).await, is_running));
    let has = |list: &[SocketAddr], port: u16| list.iter().any(|address| address.port() == port);
    if !has(&edge.listen, 80) && edge.public_port != Some(80) {
        let remedy = "Set edge.listen to port 80, or edge.public_port where something in front leads it here.";
        all.push(Check::warn(
            "port 80",
            "The edge does not listen there, and authorities ask there before they give certificates.",
            remedy,
        ));
    }
    if !has(&edge.listen_tls, 443) && edge.public_https_port != Some(443) {
        let remedy = "Set edge.listen_tls to port 443, or edge.public_https_port where something in front leads it here.";
        all.push(Check::warn("port 443", "The edge does not listen there, where browsers look for sites with TLS.", remedy));
    }
    all
}

async fn listens(address: SocketAddr) -> bool {
    let ip = match address.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let knock = tokio::net::TcpStream::connect((ip, address.port()));
    matches!(tokio::time::timeout(KNOCK, knock).await, Ok(Ok(_)))
}

fn judge_port(name: &'static str, address: SocketAddr, listens: bool, is_running: bool) -> Check {
    match (listens, is_running) {
        (true, true) => Check::ok(name, format!("Somebody listens on {address}, and the panel runs.")),
        (false, true) => Check::fail(name, format!("The panel runs, and nobody listens on {address}."), "Restart it, and look at its log."),
        (false, false) => Check::warn(name, format!("Nobody listens on {address}: the panel does not run."), "Start it: skypanel serve"),
        (true, false) => Check::fail(
            name,
            format!("The panel does not run, and another program listens on {address}."),
            "Stop that program: ss -ltnp shows it.",
        ),
    }
}

/// Prints what was found; says whether nothing failed.
pub async fn run(config: Config, json: bool) -> Result<bool> {
    let checks = examine(&config).await;
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    if json {
        let all = serde_json::json!({ "verdict": worst, "checks": checks });
        println!("{}", serde_json::to_string_pretty(&all).map_err(|why| Error::Unavailable(why.to_string()))?);
    } else {
        checks.iter().for_each(|check| println!("{check}"));
    }
    Ok(worst < Verdict::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(check: &Check, verdict: Verdict, word: &str) {
        assert!(check.verdict == verdict && check.found.contains(word), "{check}");
        assert_eq!(check.remedy.is_none(), verdict == Verdict::Ok, "{check}");
    }

    #[test]
    fn a_key_that_others_may_read_is_found() {
        let path = Path::new("/var/lib/skypanel");
        is(&judge_modes(path, 0o700, 0o600), Verdict::Ok, "alone");
        is(&judge_modes(path, 0o755, 0o600), Verdict::Warn, "755");
        is(&judge_modes(path, 0o777, 0o600), Verdict::Fail, "write");
        is(&judge_modes(path, 0o700, 0o644), Verdict::Fail, "master key");
    }

    #[test]
    fn a_full_disk_is_found() {
        let said = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/my disk 1000 880 120 88% /var/lib\n";
        assert_eq!(free(said), Some((120, 1000)));
        is(&judge_disk(120, 1000), Verdict::Warn, "12 %");
        is(&judge_disk(40, 1000), Verdict::Fail, "4 %");
        is(&judge_disk(500, 1000), Verdict::Ok, "50 %");
        assert_eq!(free("df: no such file\n"), None);
    }

    #[test]
    fn a_gateway_that_is_open_or_unreachable_is_found() {
        let bound = |address: &str| Ok(Gateway::Bound(address.parse().unwrap()));
        is(&judge_gateway(bound("127.0.0.1"), 1), Verdict::Ok, "127.0.0.1");
        is(&judge_gateway(bound("127.0.0.1"), 3), Verdict::Fail, "other machines");
        is(&judge_gateway(bound("10.0.0.2"), 3), Verdict::Ok, "10.0.0.2");
        is(&judge_gateway(bound("203.0.113.9"), 3), Verdict::Warn, "public");
        is(&judge_gateway(Ok(Gateway::Open), 1), Verdict::Warn, "every address");
        is(&judge_gateway(Ok(Gateway::Missing), 1), Verdict::Fail, "no gateway");
    }

    #[test]
    fn engines_clocks_and_ports_are_judged() {
        is(&judge_version("20.10.24+dfsg1", "unix:///x"), Verdict::Ok, "20.10.24");
        is(&judge_version("19.03.1", "unix:///x"), Verdict::Fail, "too old");
        is(&judge_version("29.0", "unix:///x"), Verdict::Ok, "29.0");
        is(&judge_clock(Timestamp(10_000), Timestamp(12_000), "x"), Verdict::Ok, "agrees");
        is(&judge_clock(Timestamp(10_000), Timestamp(100_000), "x"), Verdict::Fail, "90 s");
        let address = "0.0.0.0:80".parse().unwrap();
        is(&judge_port("edge", address, true, true), Verdict::Ok, ":80");
        is(&judge_port("edge", address, true, false), Verdict::Fail, "another program");
        is(&judge_port("edge", address, false, true), Verdict::Fail, "nobody listens");
        is(&judge_port("edge", address, false, false), Verdict::Warn, "does not run");
        is(&judge_swarm(true, None), Verdict::Fail, "worker");
        is(&judge_swarm(false, None), Verdict::Fail, "No swarm");
    }
}
