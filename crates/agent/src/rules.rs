//! The walls as rules of the packet filter, a pure function of the facts.
//!
//! What is open already stays open. A container reaches no machine, no link-local address (a cloud's metadata is there) and nothing that
//! the operator closed; two containers reach each other by their overlays only, never from bridge to bridge. Two exceptions: the name
//! servers of the machine, at port 53, and the public addresses of edges at their ports, which are there for everybody. From outside,
//! nobody reaches a bridge but the machines, and whoever asks for a port that is published outside of the range of tasks'
//! ports, which tenants can't do.
use super::Facts;
use ipnet::IpNet;
use std::net::IpAddr;

/// Our chains, and the kernel's that lead to them.
pub(super) const CHAINS: [(&str, &str); 2] = [("FORWARD", "SKYPANEL-FWD"), ("INPUT", "SKYPANEL-IN")];
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];
/// Router solicitation, neighbour solicitation and advertisement (RFC 4861), without which IPv6 finds no neighbour.
const NEIGHBOURS: [u8; 3] = [133, 135, 136];

/// IPv4 or IPv6: each has a filter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Family::V4)
    }

    fn of(self, nets: &[IpNet]) -> impl Iterator<Item = &IpNet> {
        nets.iter().filter(move |net| self.has(net.addr()))
    }
}

/// The rules of one family, as `iptables -S` would print them but for order and defaults within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset(Vec<String>);

/// The walls that these facts ask for.
pub fn rules(facts: &Facts, family: Family) -> Ruleset {
    let mut all = Vec::new();
    let (first, last) = facts.task_ports;
    let mut forward = |rule: String| all.push(format!("-A SKYPANEL-FWD {rule}"));
    forward("-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN".into());
    for bridge in &facts.bridges {
        exceptions(facts, family, bridge).for_each(&mut forward);
        let link_local = LINK_LOCAL[usize::from(family == Family::V6)];
        forward(format!("-d {link_local} -i {bridge} -j DROP"));
        for net in family.of(&facts.nodes).chain(family.of(&facts.closed)) {
            forward(format!("-d {net} -i {bridge} -j DROP"));
        }
        for other in &facts.bridges {
            forward(format!("-i {bridge} -o {other} -j DROP"));
        }
    }
    for bridge in &facts.bridges {
        for node in family.of(&facts.nodes) {
            forward(format!("-s {node} -o {bridge} -j RETURN"));
        }
        for protocol in ["tcp", "udp"] {
            let published = format!("-m conntrack --ctstate DNAT ! --ctorigdstport {first}:{last}");
            forward(format!("-o {bridge} -p {protocol} {published} -j RETURN"));
        }
        forward(format!("-o {bridge} -j DROP"));
    }
    let mut input = |rule: String| all.push(format!("-A SKYPANEL-IN {rule}"));
    input("-i lo -j RETURN".into());
    input("-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN".into());
    for bridge in &facts.bridges {
        exceptions(facts, family, bridge).for_each(&mut input);
        if family == Family::V6 {
            for kind in NEIGHBOURS {
                input(format!("-i {bridge} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN"));
            }
        }
        input(format!("-i {bridge} -j DROP"));
    }
    if family == Family::V6 {
        // Docker leads IPv4 past this chain; for IPv6 a program of its own listens on the machine, at every address.
        for node in family.of(&facts.nodes) {
            input(format!("-s {node} -p tcp -m tcp --dport {first}:{last} -j RETURN"));
        }
        input(format!("-p tcp -m tcp --dport {first}:{last} -j DROP"));
    }
    Ruleset(all)
}

/// What containers on a bridge reach although it may be a machine's.
fn exceptions(facts: &Facts, family: Family, bridge: &str) -> impl Iterator<Item = String> {
    let doors = facts.doors.iter().filter(move |door| family.has(door.ip()));
    let doors = doors.map(move |door| format!("-d {} -i {bridge} -p tcp -m tcp --dport {} -j RETURN", door.ip(), door.port()));
    let servers = facts.resolvers.iter().filter(move |server| family.has(**server));
    let questions = servers.flat_map(move |server| {
        ["tcp", "udp"].map(|protocol| format!("-d {server} -i {bridge} -p {protocol} -m {protocol} --dport 53 -j RETURN"))
    });
    doors.chain(questions)
}

impl Ruleset {
    /// One rule per line, in order.
    pub fn lines(&self) -> &[String] {
        &self.0
    }

    /// What is wrong with what stands (`iptables -t mangle -S`), a phrase each; nothing where the walls are as they should be.
    pub fn faults(&self, standing: &[String]) -> Vec<String> {
        let mut faults = Vec::new();
        for (from, chain) in CHAINS {
            let of = |chain: &str| rules_of(standing, chain).map(|rule| normal(rule)).collect::<Vec<_>>();
            let (wanted, found): (Vec<_>, Vec<_>) = (rules_of(&self.0, chain).map(|rule| normal(rule)).collect(), of(chain));
            if found.is_empty() {
                faults.push(format!("{chain} is missing"));
            } else if found != wanted {
                faults.push(format!("{chain} differs"));
            }
            let jump = normal(&format!("-A {from} -j {chain}"));
            match of(from).iter().position(|rule| *rule == jump) {
                Some(0) => {}
                Some(_) => faults.push(format!("{from} has other rules before {chain}")),
                None => faults.push(format!("{from} does not lead to {chain}")),
            }
        }
        faults
    }

    /// What `iptables-restore --noflush` is given to put the walls up in one step, whatever stands now.
    pub fn script(&self, standing: &[String]) -> String {
        let mut script = String::from("*mangle\n");
        for (_, chain) in CHAINS {
            script += &format!(":{chain} - [0:0]\n");
        }
        for rule in &self.0 {
            script += &format!("{rule}\n");
        }
        script += &jumps(standing);
        for (from, chain) in CHAINS {
            script += &format!("-I {from} 1 -j {chain}\n");
        }
        script + "COMMIT\n"
    }
}

/// What takes the walls down.
pub(super) fn removal(standing: &[String]) -> String {
    let mut script = String::from("*mangle\n");
    let known: Vec<&str> = CHAINS.iter().map(|(_, chain)| *chain).filter(|chain| is_there(standing, chain)).collect();
    for chain in &known {
        script += &format!(":{chain} - [0:0]\n");
    }
    script += &jumps(standing);
    for chain in known {
        script += &format!("-X {chain}\n");
    }
    script + "COMMIT\n"
}

/// Whether walls stand, be they right or wrong.
pub(super) fn is_up(standing: &[String]) -> bool {
    CHAINS.iter().all(|(from, chain)| {
        let jump = normal(&format!("-A {from} -j {chain}"));
        rules_of(standing, chain).next().is_some() && rules_of(standing, from).map(|rule| normal(rule)).next() == Some(jump)
    })
}

/// Removes every way to our chains that there is.
fn jumps(standing: &[String]) -> String {
    let mut script = String::new();
    for (from, chain) in CHAINS {
        let jump = normal(&format!("-A {from} -j {chain}"));
        for _ in rules_of(standing, from).map(|rule| normal(rule)).filter(|rule| *rule == jump) {
            script += &format!("-D {from} -j {chain}\n");
        }
    }
    script
}

fn is_there(standing: &[String], chain: &str) -> bool {
    standing.iter().any(|line| line.split_whitespace().eq(["-N", chain]))
}

fn rules_of<'a>(lines: &'a [String], chain: &str) -> impl Iterator<Item = &'a String> {
    let begin = format!("-A {chain} ");
    lines.iter().filter(move |line| line.starts_with(&begin))
}

/// A rule as a set of its conditions: versions of iptables print the same rule in another order, and leave out what is understood.
fn normal(rule: &str) -> Vec<String> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut is_not = false;
    for word in rule.split_whitespace() {
        if word == "!" {
            is_not = true;
        } else if word.starts_with('-') {
            parts.push(if std::mem::take(&mut is_not) { vec!["!".into(), word.into()] } else { vec![word.into()] });
        } else if let Some(part) = parts.last_mut() {
            let mut items: Vec<&str> = word.split(',').collect();
            items.sort_unstable();
            let word = items.join(",");
            let word = word.strip_suffix("/32").or_else(|| word.strip_suffix("/128")).unwrap_or(&word);
            part.push(word.into());
        }
    }
    let mut parts: Vec<String> = parts.into_iter().filter(|part| part[0] != "-m").map(|part| part.join(" ")).collect();
    parts.sort_unstable();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            bridges: vec!["docker_gwbridge".into(), "docker0".into()],
            nodes: vec!["10.0.0.1/32".parse().unwrap(), "10.0.0.2/32".parse().unwrap(), "fd00::1/128".parse().unwrap()],
            closed: vec!["192.168.7.0/24".parse().unwrap()],
            doors: vec!["203.0.113.9:443".parse().unwrap()],
            resolvers: vec!["10.0.0.53".parse().unwrap()],
            task_ports: (32_768, 60_999),
        }
    }

    /// What the kernel would do with the first packet of a connection.
    struct Packet {
        chain: &'static str,
        from: &'static str,
        to: &'static str,
        source: &'static str,
        target: &'static str,
        protocol: &'static str,
        port: u16,
        /// The port that was asked for before it was led on.
        asked: Option<u16>,
    }

    const TO_ANOTHER_MACHINE: Packet = Packet {
        chain: "SKYPANEL-FWD",
        from: "docker_gwbridge",
        to: "eth0",
        source: "172.18.0.5",
        target: "10.0.0.2",
        protocol: "tcp",
        port: 2377,
        asked: None,
    };
    const TO_ITS_MACHINE: Packet = Packet { chain: "SKYPANEL-IN", to: "", target: "10.0.0.1", port: 3000, ..TO_ANOTHER_MACHINE };
    const FROM_OUTSIDE: Packet = Packet {
        from: "eth0",
        to: "docker_gwbridge",
        source: "198.51.100.7",
        target: "172.18.0.5",
        port: 8080,
        asked: Some(40_000),
        ..TO_ANOTHER_MACHINE
    };

    /// An evaluator of the few conditions that the rules use, written apart from what makes them.
    fn is_let_through(rules: &Ruleset, packet: &Packet) -> bool {
        let within = |net: &str, address: &str| {
            let address: IpAddr = address.parse().unwrap();
            net.parse::<IpNet>().map_or_else(|_| net.parse::<IpAddr>().unwrap() == address, |net| net.contains(&address))
        };
        let in_range = |range: &str, port: u16| match range.split_once(':') {
            Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).contains(&port),
            None => range.parse::<u16>().unwrap() == port,
        };
        for rule in rules.lines().iter().filter(|rule| rule.starts_with(&format!("-A {} ", packet.chain))) {
            let words: Vec<&str> = rule.split_whitespace().skip(2).collect();
            let (mut holds, mut verdict, mut at) = (true, "", 0);
            while at < words.len() {
                let is_not = words[at] == "!";
                at += usize::from(is_not);
                let value = words[at + 1];
                let fits = match words[at] {
                    "-i" => value == packet.from,
                    "-o" => value == packet.to,
                    "-s" => within(value, packet.source),
                    "-d" => within(value, packet.target),
                    "-p" => value == packet.protocol,
                    "--dport" => in_range(value, packet.port),
                    "--ctorigdstport" => in_range(value, packet.asked.unwrap_or(packet.port)),
                    "--ctstate" => value == "DNAT" && packet.asked.is_some(),
                    "--icmpv6-type" => packet.port.to_string() == value,
                    "-m" => true,
                    "-j" => {
                        verdict = value;
                        true
                    }
                    other => panic!("{other}"),
                };
                holds &= fits != is_not;
                at += 2;
            }
            if holds {
                return verdict == "RETURN";
            }
        }
        true
    }

    #[test]
    fn containers_reach_no_machine_and_no_other_container() {
        let walls = rules(&facts(), Family::V4);
        for closed in [
            TO_ANOTHER_MACHINE,
            Packet { port: 40_000, ..TO_ANOTHER_MACHINE },
            Packet { protocol: "udp", port: 4789, ..TO_ANOTHER_MACHINE },
            Packet { from: "docker0", ..TO_ANOTHER_MACHINE },
            Packet { target: "169.254.169.254", port: 80, ..TO_ANOTHER_MACHINE },
            Packet { target: "192.168.7.20", port: 5432, ..TO_ANOTHER_MACHINE },
            Packet { to: "docker_gwbridge", target: "172.18.0.6", port: 80, ..TO_ANOTHER_MACHINE },
            Packet { to: "docker0", target: "172.17.0.6", port: 80, ..TO_ANOTHER_MACHINE },
            TO_ITS_MACHINE,
            Packet { target: "172.18.0.1", port: 2375, ..TO_ITS_MACHINE },
            Packet { target: "203.0.113.9", port: 3000, ..TO_ITS_MACHINE },
            Packet { target: "10.0.0.1", port: 443, ..TO_ITS_MACHINE },
            Packet { protocol: "udp", port: 7946, ..TO_ITS_MACHINE },
            Packet { protocol: "icmp", port: 0, ..TO_ITS_MACHINE },
        ] {
            assert!(!is_let_through(&walls, &closed), "{} {} {}", closed.target, closed.protocol, closed.port);
        }
    }

    #[test]
    fn containers_reach_the_world_their_name_server_and_the_edge_as_everybody_does() {
        let walls = rules(&facts(), Family::V4);
        for open in [
            Packet { target: "198.51.100.7", port: 443, ..TO_ANOTHER_MACHINE },
            Packet { from: "docker0", target: "198.51.100.7", protocol: "udp", port: 123, ..TO_ANOTHER_MACHINE },
            Packet { target: "10.0.0.53", protocol: "udp", port: 53, ..TO_ANOTHER_MACHINE },
            Packet { target: "203.0.113.9", port: 443, ..TO_ANOTHER_MACHINE },
            Packet { target: "203.0.113.9", port: 443, ..TO_ITS_MACHINE },
        ] {
            assert!(is_let_through(&walls, &open), "{} {}", open.target, open.port);
        }
    }

    #[test]
    fn from_outside_only_the_machines_reach_a_task() {
        let walls = rules(&facts(), Family::V4);
        assert!(!is_let_through(&walls, &FROM_OUTSIDE));
        assert!(!is_let_through(&walls, &Packet { asked: None, ..FROM_OUTSIDE }), "past the address translation");
        assert!(!is_let_through(&walls, &Packet { asked: None, protocol: "icmp", ..FROM_OUTSIDE }));
        assert!(is_let_through(&walls, &Packet { source: "10.0.0.2", ..FROM_OUTSIDE }));
        // What the operator himself publishes at a port of his own choice, and Swarm's ingress.
        assert!(is_let_through(&walls, &Packet { asked: Some(5000), ..FROM_OUTSIDE }));
        // What is none of ours is left alone.
        assert!(is_let_through(&walls, &Packet { to: "br-operator", ..FROM_OUTSIDE }));
        assert!(is_let_through(&walls, &Packet { chain: "SKYPANEL-IN", to: "", target: "10.0.0.1", port: 22, ..FROM_OUTSIDE }));
    }

    #[test]
    fn the_same_holds_for_ipv6() {
        let walls = rules(&facts(), Family::V6);
        let inside = Packet { source: "fd01::5", target: "fd00::1", ..TO_ANOTHER_MACHINE };
        let here = |packet: &Packet| is_let_through(&walls, packet);
        assert!(!here(&inside));
        assert!(!here(&Packet { target: "fe80::1", ..inside }));
        assert!(here(&Packet { target: "2001:db8::7", ..inside }));
        let to_machine = Packet { source: "fd01::5", target: "fd01::1", ..TO_ITS_MACHINE };
        assert!(!here(&to_machine));
        assert!(here(&Packet { protocol: "ipv6-icmp", port: 135, ..to_machine }));
        assert!(!here(&Packet { protocol: "ipv6-icmp", port: 128, ..to_machine }));
        let outside =
            Packet { chain: "SKYPANEL-IN", from: "eth0", to: "", source: "2001:db8::7", target: "fd00::1", port: 40_000, ..TO_ITS_MACHINE };
        assert!(!here(&outside));
        assert!(here(&Packet { source: "fd00::1", ..outside }));
        assert!(here(&Packet { port: 443, ..outside }));
        assert!(!walls.lines().iter().any(|rule| rule.contains("10.0.0.")), "no address of the other family");
    }

    #[test]
    fn a_rule_is_the_same_however_it_is_printed() {
        let same = |a: &str, b: &str| normal(a) == normal(b);
        assert!(same("-A X -d 10.0.0.2/32 -i b -j DROP", "-A X -i b -d 10.0.0.2 -j DROP"));
        assert!(same("-A X -p tcp -m tcp --dport 53 -j RETURN", "-A X -p tcp --dport 53 -j RETURN"));
        assert!(same(
            "-A X -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
            "-A X -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"
        ));
        assert!(!same("-A X -m conntrack ! --ctorigdstport 1:2 -j RETURN", "-A X -m conntrack --ctorigdstport 1:2 -j RETURN"));
        assert!(!same("-A X -d 10.0.0.2/31 -j DROP", "-A X -d 10.0.0.2 -j DROP"));
        assert!(!same("-A X -j DROP", "-A X -j RETURN"));
    }

    #[test]
    fn what_stands_is_judged_rule_by_rule() {
        let walls = rules(&facts(), Family::V4);
        let mut standing: Vec<String> = vec!["-A FORWARD -j SKYPANEL-FWD".into(), "-A INPUT -j SKYPANEL-IN".into()];
        standing.extend(walls.lines().iter().cloned());
        assert!(walls.faults(&standing).is_empty() && is_up(&standing));
        let without = |n: usize| standing.iter().enumerate().filter(|(at, _)| *at != n).map(|(_, line)| line.clone()).collect::<Vec<_>>();
        for (n, rule) in standing.iter().enumerate() {
            assert!(!walls.faults(&without(n)).is_empty(), "{rule} is missed");
        }
        let mut before = standing.clone();
        before.insert(0, "-A FORWARD -j ACCEPT".into());
        assert_eq!(walls.faults(&before), ["FORWARD has other rules before SKYPANEL-FWD"]);
        assert_eq!(walls.faults(&[]).len(), 4);
        let swapped = {
            let mut all = standing.clone();
            all.swap(2, 3);
            all
        };
        assert_eq!(walls.faults(&swapped), ["SKYPANEL-FWD differs"], "the order matters");
    }
}
