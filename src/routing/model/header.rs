//! Header fields that a customer may set or remove: names as RFC 9110 has them, and not those by which the edge keeps its word.
use super::{Header, MAX_HEADERS};
use crate::error::Fields;

/// Characters of a name.
const LONGEST_NAME: usize = 64;
/// Characters of a value.
const LONGEST_VALUE: usize = 2048;

/// Where a field goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To replicas.
    Request,
    /// To visitors.
    Response,
}

impl Direction {
    /// The list in the API.
    pub fn list(self) -> &'static str {
        match self {
            Direction::Request => "request_headers",
            Direction::Response => "response_headers",
        }
    }
}

impl std::str::FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "request" => Ok(Direction::Request),
            "response" => Ok(Direction::Response),
            _ => Err("A header is of the request or of the response.".into()),
        }
    }
}

/// Why a field is nobody's to set; nothing where it is.
fn refusal(name: &str, direction: Direction) -> Option<String> {
    // A server behind the edge may take an underscore for a hyphen.
    let name = name.to_ascii_lowercase().replace('_', "-");
    let of_the_connection = "belongs to one connection; the edge and the replica settle it between them.";
    let of_the_client = "tells replicas who asks and by which way; the edge says it, so that it can be believed.";
    let why = match (name.as_str(), direction) {
        (
            "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "expect",
            _,
        ) => of_the_connection,
        ("content-length", _) => "says how long a body is; only who sends the body knows.",
        ("x-request-id", _) => "is the edge’s name for a request, by which it is found in logs.",
        ("host", Direction::Request) => "says which address a visitor asked for.",
        ("forwarded" | "x-real-ip", Direction::Request) => of_the_client,
        (name, Direction::Request) if name.starts_with("x-forwarded-") => of_the_client,
        ("strict-transport-security", Direction::Response) => "is set under HTTPS.",
        ("set-cookie", Direction::Response) => "would take away the cookies of the application and of sticky sessions.",
        _ => return None,
    };
    Some(format!("{name} {why} Choose another header."))
}

/// Checks a name.
pub fn header_name(text: &str, direction: Direction) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    match text.trim() {
        "" => Err("Give the header’s name, like X-Frame-Options.".into()),
        name if name.len() > LONGEST_NAME => Err(format!("A header’s name has at most {LONGEST_NAME} characters.")),
        name if !name.bytes().all(is_token) => {
            Err("A header’s name has letters, digits and hyphens, without spaces and without the colon.".into())
        }
        name => refusal(name, direction).map_or(Ok(name.to_string()), Err),
    }
}

/// Checks a value.
pub fn header_value(text: &str) -> Result<String, String> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_empty() {
        return Err("Give a value, or choose to remove the header.".into());
    }
    if text.len() > LONGEST_VALUE {
        return Err(format!("A header’s value has at most {LONGEST_VALUE} characters."));
    }
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t') {
        return Err("A header’s value is one line of plain ASCII, without line breaks and control characters.".into());
    }
    Ok(text.to_string())
}

/// Checks a list; what is wrong is named as `response_headers[0].name`, counted from 0.
pub fn headers(fields: &mut Fields, all: &[Header], direction: Direction) -> Vec<Header> {
    let list = direction.list();
    if all.len() > MAX_HEADERS {
        fields.refuse(list, format!("At most {MAX_HEADERS} headers in each direction. Set the rest in the application."));
        return Vec::new();
    }
    let mut good: Vec<Header> = Vec::with_capacity(all.len());
    for (at, header) in all.iter().enumerate() {
        let name = fields.take(&format!("{list}[{at}].name"), header_name(&header.name, direction));
        let value = header.value.as_deref().map(header_value).transpose();
        let value = fields.take(&format!("{list}[{at}].value"), value);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if good.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            fields.refuse(&format!("{list}[{at}].name"), format!("{name} is named twice. Name it once."));
        }
        good.push(Header { name, value });
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_and_not_the_edges_own() {
        for good in ["X-Frame-Options", "Content-Security-Policy", "Authorization", "x", "X-A!#$"] {
            assert_eq!(header_name(&format!(" {good} "), Direction::Request), Ok(good.into()), "{good}");
        }
        for bad in ["", "X Frame", "X:", "Ünïcode", "a\r\nb", "a\0", &"x".repeat(65)] {
            assert!(header_name(bad, Direction::Response).is_err(), "{bad}");
        }
        for (name, direction) in [
            ("Connection", Direction::Response),
            ("transfer_encoding", Direction::Request),
            ("Content-Length", Direction::Response),
            ("Host", Direction::Request),
            ("X_Forwarded_For", Direction::Request),
            ("Forwarded", Direction::Request),
            ("X-Request-Id", Direction::Response),
            ("Set-Cookie", Direction::Response),
            ("Strict-Transport-Security", Direction::Response),
        ] {
            let why = header_name(name, direction).unwrap_err();
            assert!(why.ends_with("Choose another header."), "{why}");
        }
        assert!(header_name("Host", Direction::Response).is_ok() && header_name("Cookie", Direction::Request).is_ok());
    }

    #[test]
    fn a_value_is_one_line() {
        assert_eq!(header_value(" max-age=60; x=\"y\" "), Ok("max-age=60; x=\"y\"".into()));
        for bad in ["", "  ", "a\r\nSet-Cookie: x", "a\nb", "a\0b", "é", "\u{7f}", &"x".repeat(2049)] {
            assert!(header_value(bad).is_err(), "{bad:?}");
        }
    }
}
