//! Reads what mail servers send back: reports of delivery (RFC 3464) and complaints (RFC 5965). Pure; whose message it is about is proven
//! elsewhere, by the tag in the address that it came to.
use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// What a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It could not be delivered and is given up.
    Failed { status: String, reason: String },
    /// It is still being tried.
    Delayed { status: String, reason: String },
    /// It arrived.
    Delivered,
    /// Its reader called it spam.
    Complaint,
}

/// What came back: the addresses that it may have come to, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    pub addresses: Vec<String>,
    pub report: Report,
}

/// Headers that tell where a message was delivered to.
const TO: [&str; 5] = ["delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to"];

/// Reads a message; nothing where it is no report.
pub fn read(bytes: &[u8]) -> Option<Returned> {
    let message = MessageParser::default().parse(bytes)?;
    let mut addresses = Vec::new();
    for (name, value) in message.headers_raw().filter(|(name, _)| TO.iter().any(|to| name.eq_ignore_ascii_case(to))).take(20) {
        let _ = name;
        addresses
            .extend(value.split([',', ' ', '\t', '\r', '\n', '<', '>']).filter(|word| word.contains('@')).take(20).map(str::to_string));
    }
    let report = message.parts.iter().find_map(|part| part_report(&message, part, &mut addresses))?;
    Some(Returned { addresses, report })
}

fn part_report(message: &Message<'_>, part: &MessagePart<'_>, addresses: &mut Vec<String>) -> Option<Report> {
    let kind = part.content_type()?;
    if kind.ctype() != "message" {
        return None;
    }
    let text = text(message, part);
    match kind.subtype().unwrap_or_default().to_ascii_lowercase().as_str() {
        "delivery-status" | "global-delivery-status" => delivery(&text),
        "feedback-report" => {
            let abuse = field(&text, "feedback-type").is_some_and(|kind| kind.eq_ignore_ascii_case("abuse"));
            addresses.extend(field(&text, "original-mail-from"));
            abuse.then_some(Report::Complaint)
        }
        _ => None,
    }
}

fn text(message: &Message<'_>, part: &MessagePart<'_>) -> String {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.to_string(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => {
            let raw = message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
            String::from_utf8_lossy(raw).into_owned()
        }
    }
}

/// The worst of what is said of the recipients.
fn delivery(text: &str) -> Option<Report> {
    let text = text.replace("\r\n", "\n");
    let mut found = None;
    for block in text.split("\n\n") {
        let Some(action) = field(block, "action") else { continue };
        let status = field(block, "status").unwrap_or_default();
        let status: String = status.split_whitespace().next().unwrap_or_default().chars().take(16).collect();
        let reason =
            field(block, "diagnostic-code").map_or_else(|| status.clone(), |said| said.trim_start_matches("smtp;").trim().to_string());
        let report = match action.to_ascii_lowercase().as_str() {
            "failed" => return Some(Report::Failed { status, reason }),
            "delayed" => Report::Delayed { status, reason },
            "delivered" | "relayed" | "expanded" => Report::Delivered,
            _ => continue,
        };
        found = Some(report);
    }
    found
}

/// A field of a block of headers, unfolded.
fn field(text: &str, name: &str) -> Option<String> {
    let mut value: Option<String> = None;
    for line in text.lines() {
        match (&mut value, line.starts_with([' ', '\t'])) {
            (Some(value), true) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (Some(_), false) => break,
            (None, _) => {
                value =
                    line.split_once(':').filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, rest)| rest.trim().to_string())
            }
        }
    }
    value.filter(|value| !value.is_empty()).map(|value| value.chars().take(1_000).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dsn(status: &str) -> String {
        format!(
            "Return-Path: <>\r\nDelivered-To: bounce+x.y@b.example.com\r\nFrom: MAILER-DAEMON@mx.example.org\r\nTo: bounce+x.y@b.example.com\r\nSubject: Undelivered\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example.org\r\n\r\n{status}\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Hello\r\nTo: a@example.org\r\n\r\nHi\r\n--b--\r\n"
        )
    }

    #[test]
    fn a_report_of_failure_is_read() {
        let status = "Final-Recipient: rfc822; gone@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 5.1.1\r\n  no such user\r\n";
        let read = read(dsn(status).as_bytes()).unwrap();
        assert!(read.addresses.contains(&"bounce+x.y@b.example.com".to_string()), "{read:?}");
        assert_eq!(read.report, Report::Failed { status: "5.1.1".into(), reason: "550 5.1.1 no such user".into() });
    }

    #[test]
    fn a_delay_is_no_failure() {
        let status = "Final-Recipient: rfc822; a@example.org\r\nAction: delayed\r\nStatus: 4.4.1\r\n";
        assert_eq!(read(dsn(status).as_bytes()).unwrap().report, Report::Delayed { status: "4.4.1".into(), reason: "4.4.1".into() });
    }

    #[test]
    fn a_complaint_is_read() {
        let text = "To: fbl@b.example.com\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\nMIME-Version: 1.0\r\n\r\n\
                    --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\nOriginal-Mail-From: <bounce+x.y@b.example.com>\r\n\r\n--b--\r\n";
        let read = read(text.as_bytes()).unwrap();
        assert_eq!(read.report, Report::Complaint);
        assert!(read.addresses.iter().any(|address| address.contains("bounce+x.y@b.example.com")));
    }

    #[test]
    fn whatever_else_comes_is_no_report() {
        for text in [
            "",
            "\0\0\0",
            "Subject: I am on holiday\r\nTo: bounce+x.y@b.example.com\r\n\r\nBack on Monday.",
            "--b\r\nContent-Type: message/delivery-status",
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(read(dsn("Action: nonsense\r\nStatus: 5.1.1\r\n").as_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_comes_back_brings_the_panel_down(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2_000)) {
            let head = b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n";
            read(&bytes);
            read(&[&head[..], &bytes].concat());
        }
    }
}
