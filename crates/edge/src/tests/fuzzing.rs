//! Whatever bytes come, the parsers end, and what they take is clear.
use super::super::{
    host::{is_host, normal_host},
    paths, proxy_protocol, strict,
};
use proptest::prelude::*;

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        &b"GET / HTTP/1.1\r\n"[..],
        b"POST /a HTTP/1.0\r\n",
        b"Host: a.example\r\n",
        b"Host:",
        b"Content-Length: 5\r\n",
        b"Content-Length",
        b"Transfer-Encoding: chunked\r\n",
        b"transfer-encoding",
        b":",
        b" ",
        b"\t",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"chunked",
        b"\xff",
        b"X-A: b\r\n",
        b"HTTP/1.1",
    ]);
    let piece = prop_oneof![4 => words.prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..8)];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is taken has one length at most, one encoding at most, not both, one host, and CR LF at the end of each line.
    #[test]
    fn a_header_that_is_taken_is_clear(bytes in pieces()) {
        if strict::check(&bytes).is_ok() {
            let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
            let count = |name: &str| text.split("\r\n").filter(|line| line.starts_with(name)).count();
            prop_assert!(count("content-length:") + count("transfer-encoding:") <= 1);
            prop_assert!(count("host:") <= 1 && (count("host:") == 1 || text.contains(" http/1.0\r\n")));
            prop_assert!(text.ends_with("\r\n\r\n") && !text.replace("\r\n", "").contains(['\r', '\n', '\0']));
            prop_assert!(!text.contains("\r\n ") && !text.contains("\r\n\t"));
        }
    }

    #[test]
    fn a_host_that_is_taken_has_one_spelling(value in prop_oneof!["[a-zA-Z0-9.:\\[\\]_/@ -]{0,30}", ".{0,30}"]) {
        let normal = normal_host(&value);
        prop_assert!(!normal.bytes().any(|byte| byte.is_ascii_uppercase()));
        if is_host(value.as_bytes()) {
            prop_assert!(!normal.contains(['/', '@', ' ', '"', '\r', '\n']));
        }
    }

    #[test]
    fn a_plain_path_stays_as_it_is_and_climbs_nowhere(path in prop_oneof!["/[a-z./%;\\\\]{0,20}", "/(%2e|%2f|\\.|/|a|;x){0,12}"]) {
        let once = paths::plain(&path).into_owned();
        prop_assert!(once.starts_with('/') && !once.contains("//") && !once.contains("/../") && !once.ends_with("/.."));
        if !once.contains('%') {
            prop_assert_eq!(paths::plain(&once).into_owned(), once);
        }
    }

    #[test]
    fn an_announcement_is_never_longer_than_what_came(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..3) {
        let head = [&b""[..], b"PROXY TCP4 1.2.3.4 ", b"\r\n\r\n\0\r\nQUIT\n\x21"][kind as usize];
        let bytes = [head, &bytes[..]].concat();
        if let Ok(Some(header)) = proxy_protocol::read(&bytes) {
            prop_assert!(header.length <= bytes.len());
        }
    }
}
