//! The probe of a deployment: one request to one task, and what came of it, in words that can stand in the dossier.
//! It speaks HTTP/1.1 over a socket of its own, so that what it saw on the wire is known exactly: docker's userland proxy accepts
//! a connection for a port where nothing listens and closes it without a byte, which no client library tells apart.
use base::units::spoken;
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    io::{self, ErrorKind},
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How much is read in search of a final status line.
const ENOUGH: usize = 16 * 1024;

/// What to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The host name to ask for.
    pub host: String,
    /// With a path, it must be answered with 200 to 399. Without one, any answer to `GET /` will do.
    pub path: Option<String>,
    /// For all of it, connecting included.
    pub timeout: Duration,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ProbeAnswer {
    /// An HTTP answer, after so many milliseconds.
    Answered { status: u16, millis: u64 },
    /// The connection was refused.
    Refused,
    /// The connection was accepted and closed without a byte: nothing listens behind docker's proxy, or the program hung up.
    Closed,
    /// No answer within so many milliseconds.
    Timeout { millis: u64 },
    /// Bytes came that are no HTTP.
    NotHttp,
    /// It answers the other kind of HTTP than the one that it was asked in: HTTP/2 alone (`http2`), or HTTP/1.1 alone.
    OtherHttp { http2: bool },
    /// A server of gRPC says that it does not serve, or knows no health check.
    NotServing,
    /// Something else, in the system's words.
    Error { why: String },
}

impl ProbeAnswer {
    /// Whether a task that answers `probe` like this may take requests.
    pub fn is_healthy(&self, probe: &Probe) -> bool {
        matches!(self, ProbeAnswer::Answered { status, .. } if probe.path.is_none() || (200..400).contains(status))
    }
}

impl fmt::Display for ProbeAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProbeAnswer::Answered { status, millis } => write!(f, "answered {status} after {}", spoken(Duration::from_millis(*millis))),
            ProbeAnswer::Refused => f.write_str("refused the connection"),
            ProbeAnswer::Closed => f.write_str("closed the connection without an answer: nothing seems to listen on the port"),
            ProbeAnswer::Timeout { millis } => write!(f, "gave no answer within {}", spoken(Duration::from_millis(*millis))),
            ProbeAnswer::NotHttp => f.write_str("answered something that is not HTTP"),
            ProbeAnswer::OtherHttp { http2: true } => f.write_str("speaks HTTP/2 alone, and was asked in HTTP/1.1"),
            ProbeAnswer::OtherHttp { http2: false } => f.write_str("speaks HTTP/1.1 alone, and was asked in HTTP/2"),
            ProbeAnswer::NotServing => f.write_str("does not say that it serves, asked by gRPC’s health check"),
            ProbeAnswer::Error { why } => write!(f, "could not be asked: {why}"),
        }
    }
}

/// Asks a task once. Redirects are not followed and no system proxy is used.
pub async fn probe(address: SocketAddr, probe: &Probe) -> ProbeAnswer {
    let start = Instant::now();
    match tokio::time::timeout(probe.timeout, ask(address, probe)).await {
        Ok(Ok(Seen::Status(status))) => ProbeAnswer::Answered { status, millis: millis(start.elapsed()) },
        Ok(Ok(Seen::Nothing)) => ProbeAnswer::Closed,
        Ok(Ok(Seen::Garbage)) => ProbeAnswer::NotHttp,
        Ok(Err(why)) => match why.kind() {
            ErrorKind::ConnectionRefused => ProbeAnswer::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => ProbeAnswer::Closed,
            ErrorKind::TimedOut => ProbeAnswer::Timeout { millis: millis(start.elapsed()) },
            _ => ProbeAnswer::Error { why: why.to_string() },
        },
        Err(_) => ProbeAnswer::Timeout { millis: millis(probe.timeout) },
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

enum Seen {
    Status(u16),
    Nothing,
    Garbage,
}

async fn ask(address: SocketAddr, probe: &Probe) -> io::Result<Seen> {
    let (host, path) = (&probe.host, probe.path.as_deref().unwrap_or("/"));
    if !path.starts_with('/') || [host, path].iter().any(|text| text.contains(|c: char| c.is_ascii_control() || c == ' ')) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "the path or the host cannot stand in a request"));
    }
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: SkyPanel-Probe\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut seen = Vec::with_capacity(1024);
    loop {
        if let Some(found) = read_status(&seen) {
            return Ok(found);
        }
        let is_end = match socket.read_buf(&mut seen).await {
            Ok(read) => read == 0,
            // An answer may be followed by a reset, where the server did not read all of the request.
            Err(_) if !seen.is_empty() => true,
            Err(why) => return Err(why),
        };
        if is_end || seen.len() > ENOUGH {
            return Ok(if seen.is_empty() { Seen::Nothing } else { Seen::Garbage });
        }
    }
}

/// The status of the first answer that is not an interim one (RFC 9110, 15.2). Nothing where more bytes are needed.
fn read_status(mut bytes: &[u8]) -> Option<Seen> {
    loop {
        const NAME: &[u8] = b"HTTP/1.";
        if !bytes.starts_with(&NAME[..bytes.len().min(NAME.len())]) {
            return Some(Seen::Garbage);
        }
        let line = &bytes[..bytes.iter().position(|byte| *byte == b'\n')?];
        let status = line.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
        match status {
            Some(100 | 102 | 103) => bytes = &bytes[bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4..],
            Some(status @ 100..=999) => return Some(Seen::Status(status)),
            _ => return Some(Seen::Garbage),
        }
    }
}
