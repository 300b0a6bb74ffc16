//! What the walls depend on.
use ipnet::IpNet;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
};

/// The bridges that tenants' containers hang on: tasks of services, and builds.
const BRIDGES: [&str; 2] = ["docker_gwbridge", "docker0"];
/// What engines take ports from where the kernel does not say.
const USUAL_PORTS: (u16, u16) = (32_768, 60_999);
/// The kernel's bit for changing the packet filter, `CAP_NET_ADMIN`.
const NET_ADMIN: u32 = 12;

/// What the walls depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Interfaces that tenants' containers hang on.
    pub bridges: Vec<String>,
    /// The machines of the swarm: no container reaches them, and they reach every task.
    pub nodes: Vec<IpNet>,
    /// What else no container reaches.
    pub closed: Vec<IpNet>,
    /// Public addresses of edges, which containers may reach as anybody may, although they are a machine's.
    pub doors: Vec<SocketAddr>,
    /// Name servers of this machine, which containers ask through it.
    pub resolvers: Vec<IpAddr>,
    /// The first and the last port that tasks are given.
    pub task_ports: (u16, u16),
}

impl Facts {
    /// What this machine itself says. The rest is known to others: nodes, closed networks, doors.
    pub fn of_this_machine() -> Facts {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut resolvers = name_servers(&read("/etc/resolv.conf"));
        // A stub on loopback forwards to those, and Docker gives containers these instead of it.
        if resolvers.iter().all(IpAddr::is_loopback) {
            resolvers = name_servers(&read("/run/systemd/resolve/resolv.conf"));
        }
        resolvers.retain(|address| !address.is_loopback());
        Facts {
            bridges: BRIDGES.map(String::from).into(),
            nodes: Vec::new(),
            closed: Vec::new(),
            doors: Vec::new(),
            resolvers,
            task_ports: ports(&read("/proc/sys/net/ipv4/ip_local_port_range")).unwrap_or(USUAL_PORTS),
        }
    }

    /// Every address once, in an order that is always the same.
    pub fn tidy(mut self) -> Facts {
        self.nodes = IpNet::aggregate(&self.nodes);
        self.closed = IpNet::aggregate(&self.closed);
        self.doors.sort_unstable();
        self.doors.dedup();
        self.resolvers.sort_unstable();
        self.resolvers.dedup();
        self
    }
}

fn name_servers(text: &str) -> Vec<IpAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    lines.filter_map(|rest| rest.split_whitespace().next()?.split('%').next()?.parse().ok()).collect()
}

fn ports(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first < last).then_some((first, last))
}

/// Whether this process may change the packet filter.
pub fn is_privileged() -> bool {
    has(&fs::read_to_string("/proc/self/status").unwrap_or_default(), NET_ADMIN)
}

fn has(status: &str, capability: u32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> capability & 1 == 1)
}

/// Whether the kernel speaks IPv6 at all.
pub(super) fn has_ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_says_is_read() {
        let text = "# made by hand\nnameserver 10.0.0.2\n nameserver fe80::1%eth0\nnameserver 127.0.0.53 # stub\nnameservers 1.1.1.1x\n";
        let expected: Vec<IpAddr> = ["10.0.0.2", "fe80::1", "127.0.0.53"].iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(name_servers(text), expected);
        assert_eq!(ports("32768\t60999\n"), Some((32_768, 60_999)));
        assert_eq!(ports("60999 32768"), None);
        assert_eq!(ports(""), None);
    }

    #[test]
    fn a_process_without_the_right_is_known() {
        assert!(has("Name:\tx\nCapEff:\t000001ffffffffff\n", NET_ADMIN));
        assert!(has("CapEff:\t0000000000001000\n", NET_ADMIN));
        assert!(!has("CapEff:\t0000000000000fff\n", NET_ADMIN));
        assert!(!has("", NET_ADMIN));
    }

    #[test]
    fn facts_are_the_same_in_whatever_order_they_come() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let facts = |nodes: &[&str]| Facts { nodes: nodes.iter().map(|n| net(n)).collect(), ..Facts::of_this_machine() }.tidy();
        assert_eq!(facts(&["10.0.0.2/32", "10.0.0.9/32", "10.0.0.2/32"]), facts(&["10.0.0.9/32", "10.0.0.2/32"]));
        assert_eq!(facts(&["10.0.0.0/24", "10.0.0.9/32"]).nodes, [net("10.0.0.0/24")]);
    }
}
