//! What of HTTP/1 is taken. The parser behind this is lenient where servers differ, and two servers that read one request
//! differently are how requests are smuggled; so whatever could be read in two ways is refused here, on the bytes as they came.

use super::host::is_host;

/// Header fields that a request may have.
pub(super) const FIELDS_LIMIT: usize = 128;

/// Why a request's header is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// A line that does not end in CR LF, or a CR elsewhere.
    LineEnd,
    /// Not `METHOD target HTTP/1.x`.
    RequestLine,
    /// A line that goes on from the one before.
    Folded,
    /// A field whose name is no token, or is not followed at once by a colon.
    FieldName,
    /// A control character in a field's value.
    FieldValue,
    /// More than one length, a length that is no number, or a length and a transfer encoding.
    Length,
    /// A transfer encoding other than one `chunked` in HTTP/1.1.
    TransferEncoding,
    /// None in HTTP/1.1, more than one, or one that is no host.
    Host,
    /// More than [`FIELDS_LIMIT`].
    TooMany,
}

impl HeaderFault {
    /// The word for the log.
    pub fn word(self) -> &'static str {
        match self {
            HeaderFault::LineEnd => "line end",
            HeaderFault::RequestLine => "request line",
            HeaderFault::Folded => "folded field",
            HeaderFault::FieldName => "field name",
            HeaderFault::FieldValue => "field value",
            HeaderFault::Length => "length",
            HeaderFault::TransferEncoding => "transfer encoding",
            HeaderFault::Host => "host",
            HeaderFault::TooMany => "too many fields",
        }
    }
}

/// Whether this can be part of a method or a field's name (RFC 9110, 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

const TOKEN: [bool; 256] = {
    let (mut table, mut n) = ([false; 256], 0);
    while n < 256 {
        table[n] = is_token(n as u8);
        n += 1;
    }
    table
};

fn is_all_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| TOKEN[usize::from(*byte)])
}

#[derive(Default)]
struct FieldCounts {
    fields: usize,
    lengths: usize,
    encodings: usize,
    hosts: usize,
}

/// Checks a request's header, request line and last empty line included.
pub(super) fn check(header: &[u8]) -> Result<(), HeaderFault> {
    let mut rest = header;
    // RFC 9112, 2.2: empty lines before the request line may be ignored.
    while let [b'\r', b'\n', more @ ..] = rest {
        rest = more;
    }
    let (line, mut rest) = line(rest)?;
    let is_1_1 = check_request_line(line)?;
    let mut seen = FieldCounts::default();
    loop {
        let (field, more) = self::line(rest)?;
        rest = more;
        if field.is_empty() {
            break;
        }
        check_field(field, is_1_1, &mut seen)?;
    }
    if !rest.is_empty() {
        return Err(HeaderFault::LineEnd); // the parser took a later line for the last
    }
    match seen {
        FieldCounts { fields, .. } if fields > FIELDS_LIMIT => Err(HeaderFault::TooMany),
        FieldCounts { lengths, encodings, .. } if lengths > 1 || (lengths > 0 && encodings > 0) => Err(HeaderFault::Length),
        FieldCounts { encodings, .. } if encodings > 1 => Err(HeaderFault::TransferEncoding),
        FieldCounts { hosts, .. } if hosts > 1 || (hosts == 0 && is_1_1) => Err(HeaderFault::Host),
        _ => Ok(()),
    }
}

/// The next line without its end, and what follows.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), HeaderFault> {
    let end = memchr::memchr2(b'\r', b'\n', bytes).ok_or(HeaderFault::LineEnd)?;
    match &bytes[end..] {
        [b'\r', b'\n', rest @ ..] => Ok((&bytes[..end], rest)),
        _ => Err(HeaderFault::LineEnd),
    }
}

/// Says whether it is HTTP/1.1.
fn check_request_line(line: &[u8]) -> Result<bool, HeaderFault> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(HeaderFault::RequestLine);
    };
    // Origin form, absolute form, or the asterisk of OPTIONS (RFC 9112, 3.2); CONNECT is answered before this.
    let is_form = matches!(target, [b'/', ..] | b"*")
        || target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"http://"))
        || target.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"https://"));
    let is_target = is_form && target.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    match version {
        b"HTTP/1.1" if is_target && is_all_token(method) => Ok(true),
        b"HTTP/1.0" if is_target && is_all_token(method) => Ok(false),
        _ => Err(HeaderFault::RequestLine),
    }
}

fn check_field(field: &[u8], is_1_1: bool, seen: &mut FieldCounts) -> Result<(), HeaderFault> {
    seen.fields += 1;
    if matches!(field[0], b' ' | b'\t') {
        return Err(HeaderFault::Folded);
    }
    let colon = memchr::memchr(b':', field).ok_or(HeaderFault::FieldName)?;
    let (name, value) = (&field[..colon], field[colon + 1..].trim_ascii());
    if !is_all_token(name) {
        return Err(HeaderFault::FieldName);
    }
    if value.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        return Err(HeaderFault::FieldValue);
    }
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => {
            seen.hosts += 1;
            is_host(value).then_some(()).ok_or(HeaderFault::Host)
        }
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            seen.lengths += 1;
            let is_number = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
            is_number.then_some(()).ok_or(HeaderFault::Length)
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            seen.encodings += 1;
            (is_1_1 && value.eq_ignore_ascii_case(b"chunked")).then_some(()).ok_or(HeaderFault::TransferEncoding)
        }
        // Servers that read `_` as `-` would take these for the real ones.
        14 if name.eq_ignore_ascii_case(b"content_length") => Err(HeaderFault::Length),
        17 if name.eq_ignore_ascii_case(b"transfer_encoding") => Err(HeaderFault::TransferEncoding),
        _ => Ok(()),
    }
}
