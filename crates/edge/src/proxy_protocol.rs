//! The PROXY protocol, versions 1 and 2: a balancer in front says whose connection this is, before its first byte.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, and of version 2 as far as anybody sends it.
pub(super) const LONGEST: usize = 1024;

/// What a PROXY header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProxyHeader {
    /// Bytes of the header.
    pub length: usize,
    /// Whose connection it is. Nothing where the balancer speaks for itself, as in its health checks.
    pub client: Option<SocketAddr>,
}

/// Reads a PROXY header. `Ok(None)` means that more bytes are needed.
///
/// # Errors
/// `()` where the bytes are no PROXY header.
pub(super) fn read(bytes: &[u8]) -> Result<Option<ProxyHeader>, ()> {
    let two = bytes.len().min(SIGNATURE.len());
    if bytes[..two] == SIGNATURE[..two] {
        return read_2(bytes);
    }
    let one = bytes.len().min(6);
    if bytes[..one] == b"PROXY "[..one] { read_1(bytes) } else { Err(()) }
}

fn read_1(bytes: &[u8]) -> Result<Option<ProxyHeader>, ()> {
    let Some(end) = bytes.iter().take(107).position(|byte| *byte == b'\n') else {
        return if bytes.len() < 107 { Ok(None) } else { Err(()) };
    };
    let line = bytes[..end].strip_suffix(b"\r").ok_or(())?;
    let line = std::str::from_utf8(line).map_err(drop)?;
    let parts: Vec<_> = line.split(' ').collect();
    let port = |text: &str| if text.starts_with('0') && text.len() > 1 { Err(()) } else { text.parse::<u16>().map_err(drop) };
    let client = match parts[..] {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4", from, to, from_port, to_port] => {
            to.parse::<Ipv4Addr>().map_err(drop).and(port(to_port))?;
            Some((IpAddr::V4(from.parse().map_err(drop)?), port(from_port)?).into())
        }
        ["PROXY", "TCP6", from, to, from_port, to_port] => {
            to.parse::<Ipv6Addr>().map_err(drop).and(port(to_port))?;
            Some((IpAddr::V6(from.parse().map_err(drop)?), port(from_port)?).into())
        }
        _ => return Err(()),
    };
    Ok(Some(ProxyHeader { length: end + 1, client }))
}

fn read_2(bytes: &[u8]) -> Result<Option<ProxyHeader>, ()> {
    let Some(head) = bytes.get(12..16) else { return Ok(None) };
    let (command, family, rest) = (head[0], head[1], usize::from(u16::from_be_bytes([head[2], head[3]])));
    let length = 16 + rest;
    if command >> 4 != 2 || length > LONGEST {
        return Err(());
    }
    let Some(body) = bytes.get(16..length) else { return Ok(None) };
    let port = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let client = match (command & 15, family) {
        (0, _) => None,
        (1, 0x11) if rest >= 12 => {
            let [a, b, c, d] = [body[0], body[1], body[2], body[3]];
            Some((Ipv4Addr::new(a, b, c, d), port(8)).into())
        }
        (1, 0x21) if rest >= 36 => {
            let address: [u8; 16] = body[..16].try_into().map_err(drop)?;
            Some((Ipv6Addr::from(address), port(32)).into())
        }
        (1, 0x11 | 0x21) => return Err(()),
        (1, _) => None,
        _ => return Err(()),
    };
    Ok(Some(ProxyHeader { length, client }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        [SIGNATURE, &[command, family, 0, body.len() as u8][..], body].concat()
    }

    #[test]
    fn both_versions_are_read() {
        let client = |bytes: &[u8]| read(bytes).unwrap().unwrap().client.map(|client| client.to_string());
        assert_eq!(client(b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\nGET").as_deref(), Some("203.0.113.9:4711"));
        assert_eq!(client(b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n").as_deref(), Some("[2001:db8::9]:4711"));
        assert_eq!(client(b"PROXY UNKNOWN\r\n"), None);
        let v4 = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 1, 187];
        assert_eq!(client(&two(0x21, 0x11, &v4)).as_deref(), Some("203.0.113.9:4711"));
        assert_eq!(client(&two(0x21, 0x11, &[&v4[..], &[4, 0, 1, 0]].concat())).as_deref(), Some("203.0.113.9:4711"), "with more");
        assert_eq!(client(&two(0x20, 0, &[])), None, "a health check");
    }

    #[test]
    fn what_is_no_header_is_refused_and_what_is_short_is_awaited() {
        let whole = two(0x21, 0x11, &[0; 12]);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), Ok(None));
        }
        assert_eq!(read(b"PROXY TCP4 1.2.3.4 "), Ok(None));
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\n",
            b"PROXY TCP4 2001:db8::9 10.0.0.1 4711 443\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 47110 443 x\r\n",
            b"PROXY TCP4 203.0.113.9 10.0.0.1 99999 443\r\n",
            b"PROXY TCP5 x\r\n",
            &[b"PROXY UNKNOWN ", &[b'x'; 120][..]].concat(),
            &two(0x31, 0x11, &[0; 12]),
            &two(0x21, 0x11, &[0; 11]),
            &two(0x22, 0x11, &[0; 12]),
        ] {
            assert_eq!(read(bad), Err(()), "{}", bad.escape_ascii());
        }
    }
}
