//! Sending some lines to a place: all of them, or none counts as sent.
use crate::audit::server::stream_address::Place;
use crate::{
    audit::model::{Activity, StreamKind},
    id::{OrgId, StreamId},
    store::secrets::hex,
    units::Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

/// How long a place may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u8 = 13 * 8 + 5;

/// What a webhook gets.
#[derive(Serialize)]
struct Delivery<'a> {
    stream_id: &'a StreamId,
    organization_id: &'a OrgId,
    /// The oldest first. A line may come twice; its `id` tells.
    events: &'a [Activity],
}

/// Where the lines come from and what they are signed with.
pub struct Sender<'a> {
    pub stream: &'a StreamId,
    pub org: &'a OrgId,
    pub secret: Option<&'a str>,
    pub now: Timestamp,
    /// The panel's own name, for syslog.
    pub host: &'a str,
}

/// Sends lines; else a sentence that says why they did not arrive.
pub async fn send(place: &Place, from: &Sender<'_>, lines: &[Activity]) -> Result<(), String> {
    let sending = async {
        match StreamKind::of(place.url.as_str()) {
            StreamKind::Webhook => post(place, from, lines).await,
            StreamKind::Syslog => log(place, from, lines).await,
        }
    };
    tokio::time::timeout(PATIENCE, sending).await.unwrap_or_else(|_| Err(format!("It did not answer within {} s.", PATIENCE.as_secs())))
}

/// `t=<seconds>,v1=<hex of HMAC-SHA-256 over "<seconds>.<body>">`.
fn signature(secret: &str, now: Timestamp, body: &[u8]) -> String {
    let seconds = now.millis() / 1_000;
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    Mac::update(&mut mac, format!("{seconds}.").as_bytes());
    Mac::update(&mut mac, body);
    format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes()))
}

async fn post(place: &Place, from: &Sender<'_>, lines: &[Activity]) -> Result<(), String> {
    let body = serde_json::to_vec(&Delivery { stream_id: from.stream, organization_id: from.org, events: lines });
    let body = body.map_err(|_| "The lines can’t be written.".to_string())?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .resolve_to_addrs(&place.host, &place.addresses)
        .timeout(PATIENCE)
        .build()
        .map_err(|_| "The connection can’t be prepared.".to_string())?;
    let delivery = lines.first().map(|line| line.id.to_string()).unwrap_or_default();
    let request = client
        .post(place.url.clone())
        .header("content-type", "application/json")
        .header("user-agent", "SkyPanel")
        .header("x-skypanel-delivery", delivery)
        .header("x-skypanel-signature", signature(from.secret.unwrap_or_default(), from.now, &body))
        .body(body);
    let answer = request.send().await.map_err(|why| match why.is_timeout() {
        true => "It did not answer in time.".to_string(),
        false => "It can’t be reached.".to_string(),
    })?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => Err(format!("It answered with {}.", status.as_u16())),
    }
}

async fn log(place: &Place, from: &Sender<'_>, lines: &[Activity]) -> Result<(), String> {
    let away = |_: std::io::Error| "It can’t be reached.".to_string();
    if place.url.scheme() == "syslog+udp" {
        let to = place.addresses[0];
        let own = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(own).await.map_err(away)?;
        socket.connect(to).await.map_err(away)?;
        for line in lines {
            socket.send(message(from, line).as_bytes()).await.map_err(away)?;
        }
        return Ok(());
    }
    let stream = TcpStream::connect(place.addresses.as_slice()).await.map_err(away)?;
    if place.url.scheme() == "syslog+tcp" {
        return write(stream, from, lines).await.map_err(away);
    }
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(place.host.clone()).map_err(|_| "The host has no name for TLS.".to_string())?;
    let secure = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    write(secure.map_err(|_| "Its certificate is not trusted, or it does not speak TLS.".to_string())?, from, lines).await.map_err(away)
}

/// Messages with their lengths in front (RFC 6587, octet counting).
async fn write(mut to: impl AsyncWrite + Unpin, from: &Sender<'_>, lines: &[Activity]) -> std::io::Result<()> {
    for line in lines {
        let message = message(from, line);
        to.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
    }
    to.flush().await?;
    to.shutdown().await
}

/// One line as RFC 5424 has it.
fn message(from: &Sender<'_>, line: &Activity) -> String {
    let word = |text: &str, most: usize| {
        let plain: String = text.chars().filter(|c| c.is_ascii_graphic()).take(most).collect();
        if plain.is_empty() { "-".to_string() } else { plain }
    };
    let value = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
    let actor = line.actor.as_ref().map(|it| it.id.as_str()).unwrap_or_default();
    let body = serde_json::to_string(line).unwrap_or_default();
    format!(
        "<{PRIORITY}>1 {} {} skypanel - {} [audit@32473 id=\"{}\" seq=\"{}\" organization=\"{}\" user=\"{}\" target=\"{}\"] {body}",
        line.at,
        word(from.host, 255),
        word(&line.event, 32),
        line.id,
        line.seq,
        from.org,
        value(actor),
        value(&line.target),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_over_the_moment_and_the_body() {
        let one = signature("a secret of some length", Timestamp(1_000), b"{}");
        assert!(one.starts_with("t=1,v1=") && one.len() == 7 + 64);
        assert_ne!(one, signature("a secret of some length", Timestamp(1_000), b"{ }"));
        assert_ne!(one[4..], signature("a secret of some length", Timestamp(2_000), b"{}")[4..]);
        assert_ne!(one, signature("another secret of length", Timestamp(1_000), b"{}"));
    }
}
