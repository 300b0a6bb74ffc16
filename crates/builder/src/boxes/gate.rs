//! The gate: a network namespace between a box and the machine, in which the box has no hand. Whatever leaves a box is judged here, by
//! the address that it really goes to; so spellings, redirects and names that change their answer cannot matter.
//!
//! This file writes the gate's rules and cables as text, pure functions of the facts; `warden.rs` gives them to `iptables-restore` and
//! `ip`. Nothing of it has a name outside: the namespace lives as long as its warden.
use crate::ranges::{CLOSED_V4, CLOSED_V6, Reach};
use ipnet::IpNet;
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
};

/// The box's own addresses, the same in every box: nothing to allocate and nothing to tell boxes by.
pub const BOX_V4: &str = "198.19.255.2";
/// The box's own IPv6 address.
pub const BOX_V6: &str = "fd00:b0::2";
/// The gate's, as the box sees it; the resolver answers there.
pub const GATE_V4: &str = "198.19.255.1";
/// The gate's IPv6 address, as the box sees it.
pub const GATE_V6: &str = "fd00:b0::1";
/// How many boxes a machine has room for: as many as there are blocks of user ids that systemd leaves free.
pub const SLOTS: u32 = 4096;
/// Connections that a box may hold at once, and new ones a second.
const CONNECTIONS: u32 = 512;
const NEW_A_SECOND: u32 = 200;
/// Mail is sent by nobody's build.
const MAIL: &str = "25,465";

/// The machine's end of a gate's cable.
pub fn cable(slot: u32) -> String {
    format!("bx{slot}")
}

/// Both ends of the /31 between the machine and a gate: the machine's, the gate's.
pub fn outer_v4(slot: u32) -> (Ipv4Addr, Ipv4Addr) {
    let first = u32::from(Ipv4Addr::new(198, 18, 0, 0)) + 2 * slot;
    (first.into(), (first + 1).into())
}

/// Both ends of the /127 between the machine and a gate.
pub fn outer_v6(slot: u32) -> (String, String) {
    (format!("fd00:b0:{:x}::", slot + 1), format!("fd00:b0:{:x}::1", slot + 1))
}

/// The gate's rules for IPv4, as `iptables-restore` reads them.
pub fn rules_v4(reach: &Reach) -> String {
    let closed: Vec<String> = CLOSED_V4.iter().map(|(net, _)| net.to_string()).collect();
    rules(reach, false, &closed)
}

/// The gate's rules for IPv6, as `ip6tables-restore` reads them.
pub fn rules_v6(reach: &Reach) -> String {
    let closed: Vec<String> = CLOSED_V6.iter().map(|(net, _)| net.to_string()).collect();
    rules(reach, true, &closed)
}

/// Everything that is refused is *rejected*: a build ends at once, and its sentence can say why.
fn rules(reach: &Reach, six: bool, closed: &[String]) -> String {
    let (inner, gate, no) = if six { (BOX_V6, GATE_V6, "icmp6-adm-prohibited") } else { (BOX_V4, GATE_V4, "icmp-admin-prohibited") };
    let same = |net: &&IpNet| net.addr().is_ipv6() == six;
    let mut out = String::from("*filter\n:INPUT DROP\n:FORWARD DROP\n:OUTPUT ACCEPT\n");
    let mut rule = |text: &str| {
        let _ = writeln!(out, "-A {text}");
    };
    rule("INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    if six {
        // Router solicitation, neighbour solicitation and advertisement (RFC 4861), without which IPv6 finds no neighbour.
        for kind in [133, 135, 136] {
            rule(&format!("INPUT -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT"));
        }
    }
    for protocol in ["udp", "tcp"] {
        rule(&format!("INPUT -i in0 -s {inner} -d {gate} -p {protocol} --dport 53 -j ACCEPT"));
    }
    rule(&format!("INPUT -i in0 -j REJECT --reject-with {no}"));
    rule("FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT");
    rule("FORWARD -m conntrack --ctstate INVALID -j DROP");
    rule(&format!("FORWARD -i in0 ! -s {inner} -j DROP"));
    for net in reach.open.iter().filter(same) {
        rule(&format!("FORWARD -i in0 -o out0 -d {net} -j ACCEPT"));
    }
    for machine in reach.machines.iter().filter(|a| a.is_ipv6() == six) {
        rule(&format!("FORWARD -i in0 -d {machine} -j REJECT --reject-with {no}"));
    }
    for net in closed {
        rule(&format!("FORWARD -i in0 -d {net} -j REJECT --reject-with {no}"));
    }
    let reset = "-j REJECT --reject-with tcp-reset";
    rule(&format!("FORWARD -i in0 -p tcp -m multiport --dports {MAIL} {reset}"));
    rule(&format!("FORWARD -i in0 -p tcp --syn -m connlimit --connlimit-above {CONNECTIONS} --connlimit-mask 0 {reset}"));
    let new = format!("-m hashlimit --hashlimit-name new --hashlimit-above {NEW_A_SECOND}/second --hashlimit-burst {CONNECTIONS}");
    rule(&format!("FORWARD -i in0 -p tcp --syn {new} {reset}"));
    rule("FORWARD -i in0 -o out0 -j ACCEPT");
    out.push_str("COMMIT\n*nat\n-A POSTROUTING -o out0 -j MASQUERADE\nCOMMIT\n");
    out
}

/// What `ip -batch` does in the gate: the cable out, to the machine's namespace, which the file `machine` stands for.
pub fn outer_cable(slot: u32, machine: &str) -> String {
    let ((mine4, gate4), (mine6, gate6), name) = (outer_v4(slot), outer_v6(slot), cable(slot));
    format!(
        "link set lo up\nlink add out0 type veth peer name {name} netns {machine}\naddr add {gate4}/31 dev out0\n\
         addr add {gate6}/127 dev out0 nodad\nlink set out0 up\nroute add default via {mine4} onlink dev out0\n\
         route add default via {mine6} dev out0\n"
    )
}

/// What `tc` is told, so that no build takes the whole uplink: each of the gate's ends passes on at most `egress` bytes a second.
/// 0 means unlimited.
pub fn shape(egress: u64) -> Vec<Vec<String>> {
    let tbf = |end: &str| {
        let words = format!("qdisc replace dev {end} root tbf rate {egress}bps burst 1mb latency 50ms");
        words.split(' ').map(str::to_string).collect()
    };
    if egress == 0 { vec![] } else { ["out0", "in0"].map(tbf).to_vec() }
}

/// What `ip -batch` does in the gate once the box's namespaces are there: the cable in, to the namespace of process `inside`.
pub fn inner_cable(inside: i32) -> String {
    format!(
        "link add in0 type veth peer name eth0 netns {inside}\naddr add {GATE_V4}/30 dev in0\n\
         addr add {GATE_V6}/126 dev in0 nodad\nlink set in0 up\n"
    )
}

/// What `ip -batch` does within the box.
pub fn within() -> String {
    format!(
        "link set lo up\naddr add {BOX_V4}/30 dev eth0\naddr add {BOX_V6}/126 dev eth0 nodad\nlink set eth0 up\n\
         route add default via {GATE_V4}\nroute add default via {GATE_V6}\n"
    )
}

/// What `ip -batch` does on the machine's side of a gate. The cable's other end is made with the gate.
pub fn machine_cable(slot: u32) -> String {
    let (name, (mine4, _), (mine6, _)) = (cable(slot), outer_v4(slot), outer_v6(slot));
    format!("addr add {mine4}/31 dev {name}\naddr add {mine6}/127 dev {name} nodad\nlink set {name} up\n")
}

/// The second wall, on the machine: what comes in from a gate goes to no address of the machine, to no other gate and nowhere inside.
/// It holds where the gate does not know an address yet, of a card that was put in a minute ago. Docker touches no table `mangle`.
pub fn machine_rules(reach: &Reach, six: bool) -> String {
    let closed: Vec<String> = if six {
        CLOSED_V6.iter().map(|(net, _)| net.to_string()).collect()
    } else {
        CLOSED_V4.iter().map(|(net, _)| net.to_string()).collect()
    };
    let mut out = String::from("*mangle\n:SKYPANEL-BOX - [0:0]\n:SKYPANEL-BOXIN - [0:0]\n");
    let mut rule = |text: String| {
        let _ = writeln!(out, "-A {text}");
    };
    rule("SKYPANEL-BOXIN -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN".into());
    if six {
        for kind in [133, 135, 136] {
            rule(format!("SKYPANEL-BOXIN -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN"));
        }
    }
    rule("SKYPANEL-BOXIN -j DROP".into());
    rule("SKYPANEL-BOX -o bx+ -j DROP".into());
    for net in reach.open.iter().filter(|net| net.addr().is_ipv6() == six) {
        rule(format!("SKYPANEL-BOX -d {net} -j RETURN"));
    }
    for net in closed {
        rule(format!("SKYPANEL-BOX -d {net} -j DROP"));
    }
    out.push_str("COMMIT\n");
    let outer = if six { "fd00:b0::/32" } else { "198.18.0.0/16" };
    let _ = write!(
        out,
        "*nat\n:SKYPANEL-NAT - [0:0]\n-A SKYPANEL-NAT -s {outer} ! -o bx+ -j MASQUERADE\nCOMMIT\n\
         *filter\n:SKYPANEL-BOX - [0:0]\n-A SKYPANEL-BOX -i bx+ -j ACCEPT\n-A SKYPANEL-BOX -o bx+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n"
    );
    out
}

/// The jumps into our chains on the machine: table, chain, rule. Each stands first. On machines where Docker closed `FORWARD`, only
/// `DOCKER-USER` is asked before it; where there is no such chain, ours in `FORWARD` does.
pub const JUMPS: [(&str, &str, &[&str]); 4] = [
    ("mangle", "INPUT", &["-i", "bx+", "-j", "SKYPANEL-BOXIN"]),
    ("mangle", "FORWARD", &["-i", "bx+", "-j", "SKYPANEL-BOX"]),
    ("nat", "POSTROUTING", &["-j", "SKYPANEL-NAT"]),
    ("filter", "FORWARD", &["-j", "SKYPANEL-BOX"]),
];

/// Addresses that belong into every gate's list: this machine's own.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = nix::ifaddrs::getifaddrs()
        .into_iter()
        .flatten()
        // The cables of gates are closed by their range, as every machine's loopback is.
        .filter(|of| !of.interface_name.starts_with("bx"))
        .filter_map(|of| of.address)
        .filter_map(|address| match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => Some(v4.ip().into()),
            (_, Some(v6)) => Some(v6.ip().into()),
            _ => None,
        })
        .filter(|ip: &IpAddr| !ip.is_loopback())
        .collect();
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach() -> Reach {
        Reach { open: vec!["10.9.0.0/16".parse().unwrap()], machines: vec!["93.1.2.3".parse().unwrap(), "2600::2".parse().unwrap()] }
    }

    #[test]
    fn what_the_operator_opened_is_asked_before_what_is_closed_and_machines_are_closed_although_public() {
        let rules = rules_v4(&reach());
        let at = |text: &str| rules.find(text).unwrap_or_else(|| panic!("{text} is not in\n{rules}"));
        assert!(at("-d 10.9.0.0/16 -j ACCEPT") < at("-d 10.0.0.0/8 -j REJECT"));
        assert!(at("-d 93.1.2.3 -j REJECT") < at("-i in0 -o out0 -j ACCEPT"));
        assert!(at("! -s 198.19.255.2 -j DROP") < at("-d 10.9.0.0/16 -j ACCEPT"));
        assert!(rules.starts_with("*filter\n:INPUT DROP\n:FORWARD DROP\n"));
        assert!(!rules.contains("2600::2") && rules_v6(&reach()).contains("-d 2600::2 -j REJECT"));
    }

    #[test]
    fn every_closed_range_is_a_rule_of_its_family() {
        let (four, six) = (rules_v4(&reach()), rules_v6(&reach()));
        for (net, _) in CLOSED_V4 {
            assert!(four.contains(&format!("-d {net} -j REJECT")));
        }
        for (net, _) in CLOSED_V6 {
            assert!(six.contains(&format!("-d {net} -j REJECT")));
        }
    }

    #[test]
    fn no_two_gates_share_an_address() {
        let mut seen = std::collections::HashSet::new();
        for slot in 0..SLOTS {
            let (mine, gate) = outer_v4(slot);
            assert!(mine.octets()[..2] == [198, 18] && gate.octets()[..2] == [198, 18]);
            assert!(seen.insert(mine.to_string()) && seen.insert(gate.to_string()) && seen.insert(outer_v6(slot).0));
            assert!(cable(slot).len() < 16);
        }
    }
}
