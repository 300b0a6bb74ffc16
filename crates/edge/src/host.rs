//! Names of hosts, as requests and handshakes bring them.

/// A host as the table spells it: lower case, without port and trailing dot.
pub(super) fn normal_host(host: &str) -> String {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a host header's value names a host, with or without a port, and nothing else.
pub(super) fn is_host(value: &[u8]) -> bool {
    let (name, port) = match value {
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => (&rest[..end], &rest[end + 1..]),
            None => return false,
        },
        _ => value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len())),
    };
    let is_v6 = value.first() == Some(&b'[');
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') || (is_v6 && *byte == b':');
    let is_port = |port: &[u8]| port.len() <= 6 && port[0] == b':' && port[1..].iter().all(u8::is_ascii_digit);
    name.len() <= 255 && !name.is_empty() && name.iter().all(good) && (port.is_empty() || is_port(port))
}
