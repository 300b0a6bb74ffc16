//! A header that the edge takes is read by the parser behind it in one way only, and in the same way as we read it.
#![no_main]

#[path = "../../src/host.rs"]
#[allow(dead_code)]
mod host;
#[path = "../../src/strict.rs"]
#[allow(dead_code)]
mod strict;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if strict::check(bytes).is_err() {
        return;
    }
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(length)) = request.parse(bytes) else {
        // What the parser refuses is refused; only what both take has to be the same.
        return;
    };
    assert_eq!(length, bytes.len(), "the header ends where the parser says");
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    let lines: Vec<&[u8]> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), request.headers.len() + 1, "each line is one field");
    let count = |name: &str| request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
    let (lengths, encodings, hosts) = (count("content-length"), count("transfer-encoding"), count("host"));
    assert!(lengths + encodings <= 1 && hosts <= 1);
    assert!(hosts == 1 || request.version == Some(0));
    assert!(encodings == 0 || request.version == Some(1));
    for field in request.headers.iter() {
        assert!(!field.value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
        match field.name.to_ascii_lowercase().as_str() {
            "content-length" => assert!(std::str::from_utf8(field.value).unwrap().trim().parse::<u64>().is_ok()),
            "transfer-encoding" => assert!(field.value.trim_ascii().eq_ignore_ascii_case(b"chunked")),
            "host" => assert!(host::is_host(field.value.trim_ascii())),
            _ => {}
        }
    }
});
