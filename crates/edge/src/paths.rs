//! Paths as routes see them. Two spellings of one path must not lead to two places: a server behind the edge may take `/a/%2e%2e/b`
//! for `/b`, so the route for `/b` has to see it as that, too.
use std::borrow::Cow;

/// A path without the detours of its spelling: percent-encoded ASCII decoded, `.` and `..` resolved, slashes in a row made one.
pub(super) fn plain(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    let is_odd = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    let is_plain = bytes.first() == Some(&b'/') && memchr::memchr3(b'%', b'\\', b';', bytes).is_none() && !bytes.windows(2).any(is_odd);
    if is_plain { Cow::Borrowed(path) } else { Cow::Owned(resolved(&decoded(bytes))) }
}

fn decoded(bytes: &[u8]) -> String {
    let (mut text, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hex = |n: usize| bytes.get(at + n).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) if high < 8 => {
                text.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                text.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn resolved(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let ends_open = path.ends_with(['/', '\\']);
    for part in path.split(['/', '\\']) {
        // Servers that know path parameters cut them off before they resolve dots.
        match part.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let mut plain = kept.iter().flat_map(|part| ["/", part]).collect::<String>();
    if ends_open || plain.is_empty() {
        plain.push('/');
    }
    plain
}

/// A route's path: empty for all, or `/part/part` without a slash at its end.
pub(super) fn prefix(path: &str) -> String {
    let plain = plain(if path.is_empty() { "/" } else { path });
    plain.trim_end_matches('/').to_string()
}

/// Whether a path begins with a route's path.
pub(super) fn begins_with(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_path_are_one() {
        for spelling in ["/a/b", "//a//b", "/./a/./b", "/x/../a/b", "/%61/b", "/x/%2e%2E/a%2fb", "/x\\..\\a/b", "/x/..;/a;v=1/b", "a/b"] {
            assert_eq!(plain(spelling), "/a/b", "{spelling}");
        }
        assert_eq!(plain("/../../.."), "/");
        assert_eq!(plain("*"), "/*");
        assert_eq!(plain("/a/b/"), "/a/b/");
        assert_eq!(plain("/%zz/%"), "/%zz/%");
    }

    #[test]
    fn a_route_takes_whole_segments() {
        assert!(
            begins_with("/api", "/api")
                && begins_with("/api/x", "/api")
                && begins_with("/x", &prefix("/"))
                && begins_with("/x", &prefix(""))
        );
        assert!(!begins_with("/apix", "/api") && !begins_with("/ap", "/api"));
        assert_eq!(prefix("api//v1/"), "/api/v1");
    }
}
