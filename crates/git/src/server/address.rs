//! Which addresses a customer's URL may lead to. A name is looked up once; every address behind it is judged, also the IPv4
//! address that an IPv6 one carries inside (mapped, 6to4, NAT64); those that pass are pinned, so that git's own lookup can't get
//! a different answer. Otherwise a repository's URL would be a way to speak to the panel's own network.
use super::error::GitError;
use crate::GitUrl;
use ipnet::IpNet;
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use url::Host;

/// How long a lookup may take, whatever the caller's patience.
const LOOKUP: Duration = Duration::from_secs(10);
/// How many addresses of a host are kept.
const MOST: usize = 8;

/// Which addresses that are not public the operator allows. The default allows none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Loopback, private (RFC 1918, RFC 4193) and shared (RFC 6598) addresses are allowed. Link-local ones, where clouds keep
    /// their metadata, are not: those need a network in `allowed`.
    pub allow_private: bool,
    /// Networks that are allowed whatever they are.
    pub allowed: Vec<IpNet>,
}

/// What kind of place an address is, as far as the rules care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Public,
    /// Loopback, private or shared: `allow_private` opens it.
    Private,
    /// Link-local, multicast, unspecified, reserved or for documents.
    Special,
}

impl AddressPolicy {
    /// Everything that may be reached at all: for tests, and for a panel on a private network.
    pub fn private() -> Self {
        AddressPolicy { allow_private: true, allowed: Vec::new() }
    }

    /// Whether git may speak to this address.
    pub fn allows(&self, address: IpAddr) -> bool {
        let inner = inner(address);
        let named = |a: IpAddr| self.allowed.iter().any(|net| net.contains(&a));
        if named(address) || named(inner) {
            return true;
        }
        match place(inner) {
            Place::Public => true,
            Place::Private => self.allow_private,
            Place::Special => false,
        }
    }

    /// Looks the host up and judges it, but not beyond `deadline`.
    pub(super) async fn resolve_by(&self, url: &GitUrl, deadline: Instant, patience: Duration) -> Result<Origin, GitError> {
        timeout_at(deadline, self.resolve(url)).await.unwrap_or(Err(GitError::GitTimeout { after: patience }))
    }

    /// Looks the host up and keeps the addresses that are allowed. Fails where there are none.
    async fn resolve(&self, url: &GitUrl) -> Result<Origin, GitError> {
        let name = match url.host() {
            Host::Ipv4(ip) => return self.literal(url, ip.into()),
            Host::Ipv6(ip) => return self.literal(url, ip.into()),
            Host::Domain(name) => name,
        };
        let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((name, url.port()))).await;
        let found: BTreeSet<IpAddr> = match found {
            Ok(Ok(found)) => found.map(|a| a.ip()).collect(),
            _ => return Err(GitError::HostNotFound),
        };
        if found.is_empty() {
            return Err(GitError::HostNotFound);
        }
        let pinned: Vec<String> = found.into_iter().filter(|a| self.allows(*a)).take(MOST).map(written).collect();
        if pinned.is_empty() {
            return Err(GitError::AddressRefused);
        }
        Ok(Origin { url: url.clone(), pin: Some(format!("{name}:{}:{}", url.port(), pinned.join(","))) })
    }

    fn literal(&self, url: &GitUrl, address: IpAddr) -> Result<Origin, GitError> {
        if self.allows(address) { Ok(Origin { url: url.clone(), pin: None }) } else { Err(GitError::AddressRefused) }
    }
}

/// A repository's URL whose host has been judged, and the pin that keeps git to the verdict.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) url: GitUrl,
    /// `HOST:PORT:ADDRESS[,ADDRESS]` for `http.curloptResolve`; none where the URL names an address.
    pub(super) pin: Option<String>,
}

impl Origin {
    /// The same host, with `.git` at the end of the path where it is not there yet.
    pub(super) fn with_git_suffix(&self) -> Option<Origin> {
        Some(Origin { url: self.url.with_git_suffix()?, pin: self.pin.clone() })
    }
}

fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The IPv4 address that an IPv6 one stands for, where it does.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(ip) = address else { return address };
    let s = ip.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low),         // mapped, RFC 4291
        [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),         // translated, RFC 7915
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),      // NAT64, RFC 6052
        [0x2002, high, low, ..] => v4(high, low),                    // 6to4, RFC 3056
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low), // compatible, RFC 4291
        _ => address,
    }
}

fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(ip) => place_v4(ip),
        IpAddr::V6(ip) => place_v6(ip),
    }
}

/// By the IANA IPv4 Special-Purpose Address Registry.
fn place_v4(ip: Ipv4Addr) -> Place {
    match ip.octets() {
        [127 | 10, ..] | [192, 168, ..] => Place::Private,
        [172, second, ..] if (16..32).contains(&second) => Place::Private,
        [100, second, ..] if (64..128).contains(&second) => Place::Private,
        [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => {
            Place::Special
        }
        [224..=255, ..] => Place::Special,
        _ => Place::Public,
    }
}

/// By the IANA IPv6 Special-Purpose Address Registry. Outside of 2000::/3 nothing is public.
fn place_v6(ip: Ipv6Addr) -> Place {
    match ip.segments() {
        _ if ip.is_loopback() => Place::Private,
        [first, ..] if first & 0xfe00 == 0xfc00 => Place::Private,
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => Place::Special, // Teredo, ORCHID, documents
        [0x3fff, second, ..] if second < 0x1000 => Place::Special,                   // documents, RFC 9637
        [first, ..] if first & 0xe000 == 0x2000 => Place::Public,
        _ => Place::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PUBLIC: [&str; 9] = [
        "1.1.1.1",
        "8.8.8.8",
        "140.82.121.3",
        "172.15.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "64:ff9b::8c52:7903",
        "::ffff:8.8.8.8",
    ];
    const PRIVATE: [&str; 14] = [
        "127.0.0.1",
        "127.255.0.9",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.254",
        "::1",
        "fc00::1",
        "fdff::1",
        "::ffff:127.0.0.1",
        "64:ff9b::10.0.0.1",
        "2002:7f00:1::",
    ];
    const SPECIAL: [&str; 21] = [
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1",
        "255.255.255.255",
        "::",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "100::1",
        "64:ff9b:1::1",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ];

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_reaches_public_addresses_only() {
        let strict = AddressPolicy::default();
        assert!(PUBLIC.iter().all(|a| strict.allows(ip(a))));
        for refused in PRIVATE.iter().chain(&SPECIAL) {
            assert!(!strict.allows(ip(refused)), "{refused}");
        }
    }

    #[test]
    fn the_operator_may_open_private_addresses_but_not_metadata() {
        let open = AddressPolicy::private();
        for allowed in PUBLIC.iter().chain(&PRIVATE) {
            assert!(open.allows(ip(allowed)), "{allowed}");
        }
        for refused in SPECIAL {
            assert!(!open.allows(ip(refused)), "{refused}");
        }
    }

    #[test]
    fn the_operator_may_open_single_networks() {
        let some = AddressPolicy { allow_private: false, allowed: vec!["10.1.0.0/16".parse().unwrap(), "169.254.7.0/24".parse().unwrap()] };
        assert!(some.allows(ip("10.1.2.3")) && some.allows(ip("::ffff:10.1.2.3")) && some.allows(ip("169.254.7.7")));
        assert!(!some.allows(ip("10.2.0.1")) && !some.allows(ip("127.0.0.1")) && !some.allows(ip("169.254.169.254")));
    }

    #[tokio::test]
    async fn an_address_in_the_url_is_judged_in_every_spelling() {
        for spelling in
            ["127.0.0.1", "0x7f.1", "2130706433", "0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "10.0.0.1", "localhost"]
        {
            let url: GitUrl = format!("http://{spelling}/r").parse().unwrap();
            assert_eq!(AddressPolicy::default().resolve(&url).await.unwrap_err(), GitError::AddressRefused, "{spelling}");
        }
        let local = AddressPolicy::private().resolve(&"http://localhost:81/r".parse().unwrap()).await.unwrap();
        assert!(local.pin.unwrap().starts_with("localhost:81:"));
        let literal = AddressPolicy::default().resolve(&"https://1.1.1.1/r".parse().unwrap()).await.unwrap();
        assert_eq!(literal.pin, None);
    }

    proptest! {
        #[test]
        fn an_address_inside_another_gets_the_same_verdict(bits: u32) {
            let v4 = Ipv4Addr::from(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for policy in [AddressPolicy::default(), AddressPolicy::private()] {
                let verdict = policy.allows(v4.into());
                for hull in [
                    v4.to_ipv6_mapped(),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                ] {
                    prop_assert_eq!(policy.allows(hull.into()), verdict, "{}", hull);
                }
            }
        }
    }
}
