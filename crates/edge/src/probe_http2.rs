//! The probe over cleartext HTTP/2 (h2c, by prior knowledge), for applications that are routed so: a server of gRPC speaks nothing else.
//! A path of [`GRPC_HEALTH`] asks by gRPC's own health protocol (`grpc.health.v1`, the server as a whole).
use crate::{Probe, ProbeAnswer, probe};
use bytes::{Buf, Bytes, BytesMut};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// The path of gRPC's health check.
pub const GRPC_HEALTH: &str = "/grpc.health.v1.Health/Check";
/// An empty request: not compressed, no bytes.
const EMPTY_MESSAGE: [u8; 5] = [0; 5];
/// How a message begins: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// The most of an answer that is read.
const ENOUGH: usize = 16 * 1024;

/// What a server of gRPC says of its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serving {
    Yes,
    No,
}

/// Asks a task once, over HTTP/2. Redirects are not followed.
async fn probe_http2(address: SocketAddr, probe: &Probe) -> ProbeAnswer {
    let start = Instant::now();
    let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let socket = match tokio::time::timeout(probe.timeout, TcpStream::connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(why)) if why.kind() == std::io::ErrorKind::ConnectionRefused => return ProbeAnswer::Refused,
        Ok(Err(why)) => return ProbeAnswer::Error { why: why.to_string() },
        Err(_) => return ProbeAnswer::Timeout { millis: millis(probe.timeout) },
    };
    let left = probe.timeout.saturating_sub(start.elapsed());
    match tokio::time::timeout(left, ask(socket, probe)).await {
        Ok(Ok((_, Some(Serving::No)))) => ProbeAnswer::NotServing,
        Ok(Ok((status, _))) => ProbeAnswer::Answered { status, millis: millis(start.elapsed()) },
        // Docker's proxy takes a connection for a port where nothing listens, and closes it.
        Ok(Err(why)) if why.is_io() => ProbeAnswer::Closed,
        Ok(Err(_)) => ProbeAnswer::NotHttp,
        Err(_) => ProbeAnswer::Timeout { millis: millis(probe.timeout) },
    }
}

/// Asks a task once, as requests will be led to it. One that answers the other kind of HTTP alone is told apart.
pub async fn probe_as_routed(address: SocketAddr, question: &Probe, is_http2: bool) -> ProbeAnswer {
    let answer = if is_http2 { probe_http2(address, question).await } else { probe(address, question).await };
    if !matches!(answer, ProbeAnswer::NotHttp | ProbeAnswer::Closed) {
        return answer;
    }
    let other = if is_http2 { probe(address, question).await } else { probe_http2(address, question).await };
    match other {
        ProbeAnswer::Answered { .. } | ProbeAnswer::NotServing => ProbeAnswer::OtherHttp { http2: !is_http2 },
        _ => answer,
    }
}

async fn ask(socket: TcpStream, probe: &Probe) -> Result<(u16, Option<Serving>), h2::Error> {
    let (client, connection) = h2::client::handshake(socket).await?;
    // The connection moves while somebody polls it; dropped with this function, it is closed.
    let answer = async {
        let mut client = client.ready().await?;
        let path = probe.path.as_deref().unwrap_or("/");
        let is_grpc = path == GRPC_HEALTH;
        let uri = format!("http://{}{path}", probe.host);
        let mut request = http::Request::builder().uri(uri).header("user-agent", "SkyPanel-Probe");
        if is_grpc {
            request = request.method("POST").header("content-type", "application/grpc").header("te", "trailers");
        }
        let Ok(request) = request.body(()) else { return Err(h2::Reason::INTERNAL_ERROR.into()) };
        let (answer, mut body) = client.send_request(request, !is_grpc)?;
        if is_grpc {
            body.send_data(Bytes::from_static(&EMPTY_MESSAGE), true)?;
        }
        let (head, mut body) = answer.await?.into_parts();
        if !is_grpc {
            return Ok((head.status.as_u16(), None));
        }
        let mut read = BytesMut::new();
        while let Some(piece) = body.data().await {
            let piece = piece?;
            body.flow_control().release_capacity(piece.len())?;
            if read.len() + piece.len() <= ENOUGH {
                read.extend_from_slice(&piece);
            }
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        let code = trailers.get("grpc-status").or_else(|| head.headers.get("grpc-status"));
        let is_fine = head.status.is_success() && code.is_some_and(|code| code == "0") && is_serving(&read);
        Ok((head.status.as_u16(), Some(if is_fine { Serving::Yes } else { Serving::No })))
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        ended = connection => match ended {
            Ok(()) => Err(h2::Reason::STREAM_CLOSED.into()),
            Err(why) => Err(why),
        },
    }
}

/// Whether the answer's one field, `status`, is 1, which means SERVING.
fn is_serving(message: &[u8]) -> bool {
    const STATUS_IS_SERVING: [u8; 2] = [0x08, 1];
    let mut message = message;
    if message.len() < PREFIX || message.get_u8() != 0 {
        return false;
    }
    let length = message.get_u32() as usize;
    message.get(..length).is_some_and(|fields| fields.starts_with(&STATUS_IS_SERVING))
}
