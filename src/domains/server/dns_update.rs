//! Writing answers to DNS challenges: one small trait at the world's edge, and the standard way for it, signed updates (RFC 2136 with TSIG,
//! RFC 8945), which BIND, Knot, PowerDNS and others take. What other providers need is another implementation.
use crate::runtime::config::AcmeDnsConfig;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use hickory_resolver::proto::{
    op::{Message, ResponseCode, update_message},
    rr::{Name, RData, Record, RecordSet, RecordType, TSigner, rdata::TXT, rdata::tsig::TsigAlgorithm},
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an answer may be kept by others.
const TTL: u32 = 30;
/// Seconds that the server's clock may differ from ours.
const FUDGE: u16 = 300;

/// Sets and removes texts in a zone.
#[async_trait]
pub trait DnsUpdates: Send + Sync {
    /// Adds a text beside those that are there. Done twice is done once.
    async fn add(&self, name: &str, text: &str) -> Result<(), String>;
    /// Removes a text. That it is not there is fine.
    async fn remove(&self, name: &str, text: &str) -> Result<(), String>;
}

/// The configured way.
pub fn updates(config: &AcmeDnsConfig) -> Box<dyn DnsUpdates> {
    Box::new(SignedUpdates(config.clone()))
}

/// Updates by RFC 2136, signed with HMAC-SHA256.
struct SignedUpdates(AcmeDnsConfig);

#[async_trait]
impl DnsUpdates for SignedUpdates {
    async fn add(&self, name: &str, text: &str) -> Result<(), String> {
        let zone = self.zone()?;
        self.send(update_message::append(record(name, text, &zone)?, zone, false, false)).await
    }

    async fn remove(&self, name: &str, text: &str) -> Result<(), String> {
        let zone = self.zone()?;
        self.send(update_message::delete_by_rdata(record(name, text, &zone)?, zone, false)).await
    }
}

fn whole(name: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(name).map_err(|why| format!("{name} is no name: {why}"))?;
    name.set_fqdn(true);
    Ok(name)
}

fn record(name: &str, text: &str, zone: &Name) -> Result<RecordSet, String> {
    let name = whole(name)?;
    // The library insists on it with a panic.
    if !zone.zone_of(&name) {
        return Err(format!("{name} is not in the zone {zone}"));
    }
    let mut set = RecordSet::with_ttl(name.clone(), RecordType::TXT, TTL);
    set.insert(Record::from_rdata(name, TTL, RData::TXT(TXT::new(vec![text.to_string()]))), 0);
    Ok(set)
}

impl SignedUpdates {
    fn zone(&self) -> Result<Name, String> {
        whole(&self.0.zone)
    }

    fn signer(&self) -> Result<TSigner, String> {
        let file = &self.0.key_file;
        let text = std::fs::read_to_string(file).map_err(|why| format!("{} can't be read: {why}", file.display()))?;
        let key = STANDARD.decode(text.trim()).map_err(|_| format!("{} holds no key in base64", file.display()))?;
        TSigner::new(key, TsigAlgorithm::HmacSha256, whole(&self.0.key_name)?, FUDGE).map_err(|why| why.to_string())
    }

    #[expect(clippy::disallowed_methods, reason = "the name server compares the time of a signature with its own clock")]
    async fn send(&self, mut message: Message) -> Result<(), String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let verifier = message.finalize(&self.signer()?, now).map_err(|why| why.to_string())?;
        let bytes = message.to_vec().map_err(|why| why.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, self.exchange(&bytes)).await;
        let answer = answer.map_err(|_| "the name server did not answer in time".to_string())?.map_err(|why| why.to_string())?;
        let code = match verifier {
            Some(mut verifier) => verifier.verify(&answer).map_err(|why| format!("the answer's signature is wrong: {why}"))?.response_code,
            None => Message::from_vec(&answer).map_err(|why| why.to_string())?.response_code,
        };
        if code == ResponseCode::NoError { Ok(()) } else { Err(format!("the name server refused the update: {code}")) }
    }

    /// One message there and one back, each with its length in front (RFC 1035, 4.2.2).
    async fn exchange(&self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.0.server).await?;
        let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
        let mut answer = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }
}
