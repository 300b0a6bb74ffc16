//! The certificate that is shown where no other one is for a name: signed by itself, made at the start, so that a browser warns and a
//! person who knows what she does can go on. Without it the handshake would end, and nobody could say why.
use super::snapshot::Certificate;
use base::error::{Error, Result};

/// A new one, for every name that no other certificate is for.
///
/// # Errors
/// [`Error::Unavailable`] where none can be made.
pub fn self_signed() -> Result<Certificate> {
    let made = || {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(vec!["skypanel.invalid".to_string()])?;
        params.distinguished_name.push(rcgen::DnType::CommonName, "SkyPanel: no certificate yet");
        let certificate = params.self_signed(&key)?;
        Ok(Certificate { names: vec!["*".into()], chain: certificate.pem(), key: key.serialize_pem() })
    };
    made().map_err(|why: rcgen::Error| Error::Unavailable(format!("The edge can’t make a certificate of its own: {why}.")))
}
