//! A text that is sent often and changes never: it is kept compressed, and unpacked for the few who take no gzip.
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use std::io::{Read, Write};

/// A text that is kept compressed (RFC 1952).
#[derive(Debug, Clone)]
pub struct Gzipped(Bytes);

impl Gzipped {
    /// Compresses as well as it goes: it is done once.
    pub fn of(text: &[u8]) -> Self {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(text).and_then(|()| packed.finish()).map(|bytes| Gzipped(bytes.into())).expect("memory takes what is written")
    }

    /// The same in memory of the calling thread's own.
    pub fn copied(&self) -> Self {
        Gzipped(Bytes::copy_from_slice(&self.0))
    }

    fn unpacked(&self) -> Vec<u8> {
        let mut text = Vec::new();
        GzDecoder::new(&*self.0).read_to_end(&mut text).expect("what was packed here can be unpacked");
        text
    }

    /// The text for somebody who sent these headers: as it is kept, or unpacked where she takes no gzip.
    pub fn respond(&self, headers: &HeaderMap, kind: &'static str) -> Response {
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::VARY, HeaderValue::from_static("accept-encoding"))];
        match takes_gzip(headers) {
            true => (kind, [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))], self.0.clone()).into_response(),
            false => (kind, self.unpacked()).into_response(),
        }
    }
}

/// Whether the headers accept gzip (RFC 9110, section 12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let said = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let refused =
        |weight: &str| weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse().is_ok_and(|weight: f32| weight <= 0.0));
    said.flat_map(|line| line.split(',')).any(|one| {
        let mut parts = one.split(';');
        parts.next().is_some_and(|name| name.trim().eq_ignore_ascii_case("gzip")) && !parts.any(refused)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_gzip_gets_it_and_nobody_else() {
        let asked = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        for yes in ["gzip", "br, gzip", "deflate, GZIP;q=0.5"] {
            assert!(takes_gzip(&asked(yes)), "{yes}");
        }
        for no in ["", "identity", "br", "gzip;q=0", "br, gzip; q=0.0"] {
            assert!(!takes_gzip(&asked(no)), "{no}");
        }
        let text = "the same bytes".repeat(100);
        assert_eq!(Gzipped::of(text.as_bytes()).unpacked(), text.as_bytes());
    }
}
