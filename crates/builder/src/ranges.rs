//! Which addresses are inside: the ranges that no build, no name and no stranger's URL may lead to.
//!
//! The table is by range and not by registry, so that it can be given to the packet filter as it stands. IPv6 ranges that carry an IPv4
//! address within (mapped, compatible, 6to4, NAT64) are closed as wholes: nothing public needs them.
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// When the table was last compared with IANA's special-purpose registries and with the clouds' metadata addresses.
pub const COMPARED: &str = "2026-11-29";

/// What kind of place an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// "This host", 127/8 and ::1.
    Loopback,
    /// RFC 1918 and RFC 4193.
    Private,
    /// Carrier-grade NAT, RFC 6598.
    Shared,
    /// 169.254/16 and fe80::/10; clouds keep their metadata there.
    LinkLocal,
    /// A cloud's own services at an address that looks public.
    Cloud,
    /// One to many.
    Multicast,
    /// An IPv6 address that stands for an IPv4 one.
    Translated,
    /// For documents, benchmarks, protocols and the future.
    Reserved,
    /// One of the platform's own machines.
    Machine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Place::Loopback => "a loopback address",
            Place::Private => "a private address",
            Place::Shared => "a shared address",
            Place::LinkLocal => "a link-local address",
            Place::Cloud => "an address of a cloud’s own services",
            Place::Multicast => "a multicast address",
            Place::Translated => "an IPv4 address in IPv6’s clothes",
            Place::Reserved => "a reserved address",
            Place::Machine => "an address of the platform’s own machines",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8, place: Place) -> (Ipv4Net, Place) {
    (Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits), place)
}

const fn v6(s: [u16; 8], bits: u8, place: Place) -> (Ipv6Net, Place) {
    (Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), bits), place)
}

/// The closed ranges of IPv4. The first that contains an address names its place.
pub const CLOSED_V4: [(Ipv4Net, Place); 16] = [
    v4(0, 0, 0, 0, 8, Place::Loopback),
    v4(10, 0, 0, 0, 8, Place::Private),
    v4(100, 64, 0, 0, 10, Place::Shared),
    v4(127, 0, 0, 0, 8, Place::Loopback),
    v4(168, 63, 129, 16, 32, Place::Cloud),
    v4(169, 254, 0, 0, 16, Place::LinkLocal),
    v4(172, 16, 0, 0, 12, Place::Private),
    v4(192, 0, 0, 0, 24, Place::Reserved),
    v4(192, 0, 2, 0, 24, Place::Reserved),
    v4(192, 88, 99, 0, 24, Place::Reserved),
    v4(192, 168, 0, 0, 16, Place::Private),
    v4(198, 18, 0, 0, 15, Place::Reserved),
    v4(198, 51, 100, 0, 24, Place::Reserved),
    v4(203, 0, 113, 0, 24, Place::Reserved),
    v4(224, 0, 0, 0, 4, Place::Multicast),
    v4(240, 0, 0, 0, 4, Place::Reserved),
];

/// The closed ranges of IPv6. `fd00:ec2::254` and `fd20:ce::254`, where clouds keep metadata, lie within `fc00::/7`.
pub const CLOSED_V6: [(Ipv6Net, Place); 15] = [
    v6([0, 0, 0, 0, 0, 0, 0, 0], 127, Place::Loopback),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, Place::Translated),
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Place::Translated),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Place::Translated),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Place::Translated),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Place::Reserved),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Place::Reserved),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Place::Reserved),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Place::Translated),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Place::Reserved),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Place::Reserved),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Place::Private),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Place::LinkLocal),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Place::Private),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Place::Multicast),
];

/// What builds may reach: the public, and what the operator opened; never a machine of the platform.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Networks that the operator opened although they are inside.
    pub open: Vec<IpNet>,
    /// Every address of every machine of the platform, public ones too.
    pub machines: Vec<IpAddr>,
}

impl Reach {
    /// The closed place that an address is, or nothing where builds may go there.
    pub fn closed(&self, address: IpAddr) -> Option<Place> {
        if self.open.iter().any(|net| net.contains(&address)) {
            return None;
        }
        let inside = match address {
            IpAddr::V4(ip) => CLOSED_V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, place)| *place),
            IpAddr::V6(ip) => CLOSED_V6.iter().find(|(net, _)| net.contains(&ip)).map(|(_, place)| *place),
        };
        inside.or_else(|| self.machines.contains(&address).then_some(Place::Machine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_has_a_name_and_what_is_public_has_none() {
        let reach = Reach { machines: vec!["2600:1f00:1::2".parse().unwrap()], open: vec!["10.9.0.0/16".parse().unwrap()] };
        for (address, place) in [
            ("127.0.0.1", Some(Place::Loopback)),
            ("0.0.0.0", Some(Place::Loopback)),
            ("10.0.0.2", Some(Place::Private)),
            ("10.9.1.1", None),
            ("172.20.0.9", Some(Place::Private)),
            ("172.32.0.1", None),
            ("192.168.7.7", Some(Place::Private)),
            ("100.64.1.1", Some(Place::Shared)),
            ("100.100.100.200", Some(Place::Shared)),
            ("168.63.129.16", Some(Place::Cloud)),
            ("192.0.0.192", Some(Place::Reserved)),
            ("169.254.169.254", Some(Place::LinkLocal)),
            ("198.19.255.1", Some(Place::Reserved)),
            ("224.0.0.251", Some(Place::Multicast)),
            ("255.255.255.255", Some(Place::Reserved)),
            ("93.184.216.34", None),
            ("::", Some(Place::Loopback)),
            ("::1", Some(Place::Loopback)),
            ("::7f00:1", Some(Place::Translated)),
            ("::ffff:127.0.0.1", Some(Place::Translated)),
            ("64:ff9b::7f00:1", Some(Place::Translated)),
            ("2002:7f00:1::", Some(Place::Translated)),
            ("fd00:ec2::254", Some(Place::Private)),
            ("fd20:ce::254", Some(Place::Private)),
            ("fe80::1", Some(Place::LinkLocal)),
            ("ff02::1", Some(Place::Multicast)),
            ("2600:1f00:1::2", Some(Place::Machine)),
            ("2600:1f00:1::3", None),
            ("2606:2800:220:1::34", None),
        ] {
            assert_eq!(reach.closed(address.parse().unwrap()), place, "{address}");
        }
    }
}
