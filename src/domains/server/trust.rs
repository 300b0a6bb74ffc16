//! Whether browsers trust a certificate: its chain must end at a root that they know. An authority can lose that trust, or give an
//! intermediate up, while its certificates are in force; who serves them then is the last to hear of it.
use crate::{domains::server::pem, runtime::config::Config, units::Timestamp};
use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{sync::Arc, time::Duration};

/// The roots that visitors' browsers know, as far as this machine can tell.
pub struct Roots(Option<Arc<WebPkiServerVerifier>>);

impl Roots {
    /// Those that are configured, or the machine's.
    pub fn load(config: &Config) -> Self {
        let mut store = RootCertStore::empty();
        match &config.acme.trusted_roots {
            Some(file) => match CertificateDer::pem_file_iter(file) {
                Ok(all) => drop(store.add_parsable_certificates(all.filter_map(Result::ok))),
                Err(why) => tracing::warn!("acme.trusted_roots can't be read: {why}"),
            },
            None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::new(ring::default_provider())).build();
        // A machine without roots knows nothing.
        Roots(built.ok())
    }

    /// Whether the chain of a name's certificate ends at one of them; none where that can't be told.
    pub fn judge(&self, name: &str, chain: &str, now: Timestamp) -> Option<bool> {
        let verifier = self.0.as_ref()?;
        let all: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().ok()?;
        let (first, others) = all.split_first()?;
        let host = name.strip_prefix("*.").map_or_else(|| name.to_string(), |base| format!("any.{base}"));
        let host = ServerName::try_from(host).ok()?;
        // Whether it is in force is told elsewhere: one of this second is not by a clock that is a little behind.
        let known = pem::read(chain).ok()?;
        let at = now.clamp(known.from, known.to.max(known.from));
        let at = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(at.millis()).ok()?));
        match verifier.verify_server_cert(first, others, &host, &[], at) {
            Ok(_) => Some(true),
            // That it has expired, or is for another name, is told elsewhere.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. },
            )) => None,
            Err(rustls::Error::InvalidCertificate(_)) => Some(false),
            Err(_) => None,
        }
    }
}
