//! Certificates by name, chosen as a handshake begins. The store is replaced as a whole; a certificate that did not change is not read
//! again, and who has connected already keeps what he has.
use super::{
    host::normal_host,
    snapshot::{Certificate, Challenge},
};
use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};
use tracing::warn;

/// The protocol by which an authority asks for a challenge's certificate (RFC 8737).
pub(super) const ACME: &[u8] = b"acme-tls/1";

type SharedKey = Arc<CertifiedKey>;

#[derive(Debug, Default)]
struct CertificateStore {
    exact: HashMap<Box<str>, SharedKey>,
    /// Without the `*.`.
    wild: HashMap<Box<str>, SharedKey>,
    any: Option<SharedKey>,
    challenges: HashMap<Box<str>, SharedKey>,
}

/// All certificates.
#[derive(Debug, Default)]
pub(super) struct Certs {
    live: ArcSwap<CertificateStore>,
    /// What is shown where there is no other.
    fallback: OnceLock<SharedKey>,
    /// What was read already, by what it was read from.
    read: Mutex<HashMap<[u8; 32], SharedKey>>,
}

impl Certs {
    /// Shows a certificate from now on where there is no other. One that cannot be read is left out and said.
    pub fn fall_back(&self, certificate: &Certificate) {
        match certified(certificate) {
            Ok(key) => drop(self.fallback.set(Arc::new(key))),
            Err(why) => warn!("the certificate of last resort cannot be used: {why}"),
        }
    }

    /// Puts certificates in place of the present ones. One that cannot be read is left out and said.
    pub fn publish(&self, certificates: &[Certificate], challenges: &[Challenge]) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut store, mut kept) = (CertificateStore::default(), HashMap::new());
        let mut take = |certificate: &Certificate, make: fn(&Certificate) -> Result<CertifiedKey, String>| {
            let print = print(certificate);
            let known = kept.get(&print).or_else(|| read.get(&print)).cloned();
            let key = match known.map_or_else(|| make(certificate).map(Arc::new), Ok) {
                Ok(key) => key,
                Err(why) => {
                    warn!(names = ?certificate.names, "a certificate cannot be used: {why}");
                    return None;
                }
            };
            kept.insert(print, key.clone());
            Some(key)
        };
        for certificate in certificates {
            let Some(key) = take(certificate, certified) else { continue };
            for name in &certificate.names {
                match name.strip_prefix("*.") {
                    _ if name == "*" => store.any = Some(key.clone()),
                    Some(parent) => drop(store.wild.insert(normal_host(parent).into(), key.clone())),
                    None => drop(store.exact.insert(normal_host(name).into(), key.clone())),
                }
            }
        }
        for challenge in challenges {
            let Challenge::TlsAlpn { certificate } = challenge else { continue };
            if let Some(key) = take(certificate, answering) {
                store.challenges.extend(certificate.names.iter().map(|name| (normal_host(name).into(), key.clone())));
            }
        }
        self.live.store(Arc::new(store));
        *read = kept;
    }

    /// Whether a name has a certificate that was made for it.
    pub fn are_for(&self, name: &str) -> bool {
        let (store, name) = (self.live.load(), normal_host(name));
        store.exact.contains_key(&*name) || name.split_once('.').is_some_and(|(_, parent)| store.wild.contains_key(parent))
    }

    /// How many names have a certificate.
    #[cfg(test)]
    pub fn names(&self) -> usize {
        let store = self.live.load();
        store.exact.len() + store.wild.len()
    }

    fn find(&self, name: &str, is_challenge: bool) -> Option<SharedKey> {
        let store = self.live.load();
        if is_challenge {
            return store.challenges.get(name).cloned();
        }
        let wild = || name.split_once('.').and_then(|(_, parent)| store.wild.get(parent));
        store.exact.get(name).or_else(wild).or(store.any.as_ref()).or(self.fallback.get()).cloned()
    }
}

impl ResolvesServerCert for Certs {
    /// Nothing ends the handshake with an alert.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<SharedKey> {
        let is_challenge = hello.alpn().is_some_and(|mut offered| offered.next() == Some(ACME) && offered.next().is_none());
        match hello.server_name() {
            // rustls has made it lower case; a name in upper case or with a dot at its end is rare.
            Some(name) => self.find(name, is_challenge).or_else(|| self.find(&normal_host(name), is_challenge)),
            None if is_challenge => None,
            None => self.live.load().any.as_ref().or(self.fallback.get()).cloned(),
        }
    }
}

fn print(certificate: &Certificate) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((certificate.chain.len() as u64).to_le_bytes());
    hash.update(&certificate.chain);
    hash.update(&certificate.key);
    hash.finalize().into()
}

fn parts(certificate: &Certificate) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|why| format!("its chain is no PEM: {why:?}"))?;
    if chain.is_empty() {
        return Err("its chain has no certificate".into());
    }
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).map_err(|why| format!("its key is no PEM: {why:?}"))?;
    Ok((chain, key))
}

fn certified(certificate: &Certificate) -> Result<CertifiedKey, String> {
    let (chain, key) = parts(certificate)?;
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
    key.map_err(|why| why.to_string())
}

/// An answer to an authority. What is in it is the authority's to read: its critical extension (RFC 8737) is one that no library takes.
fn answering(certificate: &Certificate) -> Result<CertifiedKey, String> {
    let (chain, key) = parts(certificate)?;
    let key = ring::sign::any_supported_type(&key).map_err(|why| why.to_string())?;
    Ok(CertifiedKey::new(chain, key))
}

/// What TLS is spoken: 1.2 and 1.3 with forward secrecy and authenticated ciphers only (the library has no others), HTTP/2 first, and
/// sessions that go on by tickets, whose keys change by themselves.
pub(super) fn config(certs: Arc<Certs>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certs);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), ACME.to_vec()];
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.ignore_client_order = false;
    Ok(config)
}
