//! Certificates and keys in PEM: what an authority sent, what a customer uploads, and what is made here for an order.
use crate::{
    domains::model::DomainName,
    edges::server::material::covers,
    error::{Fields, Result},
    fault::Because,
    units::Timestamp,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Bytes that a chain, or a key, may have.
const MOST: usize = 64 * 1024;
/// Certificates in a chain.
const LONGEST: usize = 10;
/// Names of a certificate that are kept and shown.
const NAMES: usize = 100;

/// What is known of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The names that the first certificate covers.
    pub names: Vec<String>,
    pub issuer: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// SHA-256 of the first certificate, in hex.
    pub fingerprint: String,
}

/// Parses what an authority sent.
pub fn read(chain: &str) -> Result<Chain, String> {
    let all = certificates(chain)?;
    let first = all.first().ok_or("There is no certificate in it.")?;
    let parsed = parse(first)?;
    let names = names(&parsed).into_iter().take(NAMES).collect();
    let organization = parsed.issuer().iter_organization().next().and_then(|it| it.as_str().ok().map(str::to_string));
    let common = parsed.issuer().iter_common_name().next().and_then(|it| it.as_str().ok().map(str::to_string));
    let issuer: Vec<String> = [organization, common].into_iter().flatten().collect();
    Ok(Chain {
        names,
        issuer: issuer.join(", ").chars().filter(|c| !c.is_control()).take(200).collect(),
        from: Timestamp(parsed.validity().not_before.timestamp().saturating_mul(1000)),
        to: Timestamp(parsed.validity().not_after.timestamp().saturating_mul(1000)),
        fingerprint: Sha256::digest(first.as_ref()).iter().map(|byte| format!("{byte:02x}")).collect(),
    })
}

fn certificates(chain: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    if chain.len() > MOST {
        return Err("A chain has at most 64 KiB.".into());
    }
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let all = all.map_err(|_| "This is no PEM. It begins with -----BEGIN CERTIFICATE-----.".to_string())?;
    if all.len() > LONGEST { Err(format!("A chain has at most {LONGEST} certificates.")) } else { Ok(all) }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    X509Certificate::from_der(der).map(|(_, parsed)| parsed).map_err(|_| "One of these is no certificate that can be read.".into())
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = parsed.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    };
    alternative.value.general_names.iter().filter_map(name).collect()
}

/// Checks a customer's own certificate: that it can be read, is in order, covers the name, is in force, and fits its key.
pub fn check(name: &DomainName, chain: &str, key: &str, now: Timestamp) -> Result<Chain> {
    let mut fields = Fields::default();
    let read = fields.take("certificate_chain", fit(name, chain, now));
    let key = fields.take("private_key", private_key(key));
    if let (Some(_), Some(key)) = (&read, key)
        && let Err(why) = belongs(chain, &key)
    {
        fields.refuse("private_key", why);
    }
    fields.done()?;
    read.ok_or("nothing was read").because("reading a certificate")
}

fn fit(name: &DomainName, chain: &str, now: Timestamp) -> Result<Chain, String> {
    let all = certificates(chain)?;
    if all.is_empty() {
        return Err("Paste the certificate in PEM form. It begins with -----BEGIN CERTIFICATE-----.".into());
    }
    // A chain is kept and told as it is; a key is sealed.
    if chain.contains("PRIVATE KEY") {
        return Err("There is a private key in it. Paste that into its own field, and only certificates here.".into());
    }
    let parsed = all.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    if parsed.len() > 1 && parsed[0].is_ca() {
        return Err("The first certificate is an authority’s. Put the domain’s own first.".into());
    }
    for (at, pair) in parsed.windows(2).enumerate() {
        let signed = pair[0].issuer() == pair[1].subject() && pair[0].verify_signature(Some(pair[1].public_key())).is_ok();
        if !signed {
            return Err(format!(
                "The chain is out of order: certificate {} is not signed by the one after it. Put the domain’s own first, then the one that signed it, and so on.",
                at + 1
            ));
        }
    }
    let known = read(chain)?;
    let all_names = names(&parsed[0]);
    let covered = if name.is_wildcard() {
        all_names.iter().any(|it| it == name.as_str())
    } else {
        all_names.iter().any(|it| covers(it, name.as_str()))
    };
    if !covered {
        let names = if known.names.is_empty() {
            "no domain at all".into()
        } else {
            known.names.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
        };
        return Err(format!("The certificate is for {names}, and not for {name}."));
    }
    if known.to <= now {
        return Err(format!("The certificate expired on {}.", &known.to.plain()[..10]));
    }
    if known.from > now {
        return Err(format!("The certificate is not valid before {}.", known.from.plain()));
    }
    Ok(known)
}

/// Who signed the last certificate of a chain, where that is not itself: visitors have to know that one already.
pub fn open_end(chain: &str) -> Option<String> {
    let all = certificates(chain).ok()?;
    let last = parse(all.last()?).ok()?;
    let name = |issuer: &x509_parser::x509::X509Name<'_>| {
        let common = issuer.iter_common_name().next().and_then(|it| it.as_str().ok().map(str::to_string));
        common.unwrap_or_else(|| issuer.to_string()).chars().filter(|c| !c.is_control()).take(120).collect()
    };
    (last.issuer() != last.subject()).then(|| name(last.issuer()))
}

fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, String> {
    if text.len() > MOST {
        return Err("A key has at most 64 KiB.".into());
    }
    if text.contains("ENCRYPTED") {
        return Err("The key is protected by a password. Paste it without: openssl pkey -in key.pem".into());
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| "Paste the private key in PEM form. It begins with -----BEGIN PRIVATE KEY-----.".to_string())
}

/// Whether a key belongs to the first certificate of a chain.
fn belongs(chain: &str, key: &PrivateKeyDer<'static>) -> Result<(), String> {
    let signer =
        any_supported_type(key).map_err(|_| "Keys of this kind are not taken. Use ECDSA (P-256, P-384) or RSA (2048 bits or more).")?;
    let all = certificates(chain)?;
    let first = all.first().ok_or("There is no certificate in it.")?;
    let parsed = parse(first)?;
    let public = signer.public_key().ok_or("The key’s public part can’t be told.")?;
    if public.as_ref() == parsed.public_key().raw { Ok(()) } else { Err("This key does not belong to the certificate.".into()) }
}

/// Whether what an authority sent is what was ordered.
pub fn is_ordered(name: &str, chain: &str, key: &str) -> Result<Chain, String> {
    let known = read(chain)?;
    belongs(chain, &private_key(key)?)?;
    if known.names.iter().any(|it| it == name) { Ok(known) } else { Err(format!("it is for {}", known.names.join(", "))) }
}

/// A new key in PEM: ECDSA P-256.
pub fn new_key() -> Result<String> {
    Ok(KeyPair::generate().because("making a key")?.serialize_pem())
}

/// The request for a certificate, in DER.
pub fn request(name: &str, key: &str) -> Result<Vec<u8>> {
    let key = KeyPair::from_pem(key).because("reading an order's key")?;
    let mut params = CertificateParams::new(vec![name.to_string()]).because("making a certificate request")?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&key).because("making a certificate request")?.der().to_vec())
}

/// The certificate that answers a TLS challenge (RFC 8737), and its key.
pub fn handshake(host: &str, digest: &[u8]) -> Result<(String, String)> {
    let key = KeyPair::generate().because("making a key")?;
    let mut params = CertificateParams::new(vec![host.to_string()]).because("answering a challenge")?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let made = params.self_signed(&key).because("answering a challenge")?;
    Ok((made.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use rcgen::{BasicConstraints, IsCa, Issuer};

    struct Made {
        chain: String,
        key: String,
        authority: String,
    }

    fn made(names: &[&str], days: i64) -> Made {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "A root");
        let root_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&root_key).unwrap().pem();
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_before = time::OffsetDateTime::UNIX_EPOCH;
        params.not_after = time::OffsetDateTime::UNIX_EPOCH + time::Duration::days(days);
        let leaf = params.signed_by(&key, &issuer).unwrap();
        Made { chain: format!("{}{authority}", leaf.pem()), key: key.serialize_pem(), authority }
    }

    fn day(n: i64) -> Timestamp {
        Timestamp(n * 86_400_000)
    }

    #[test]
    fn a_customers_own_certificate_is_looked_at_closely() {
        let good = made(&["shop.example.com", "*.example.org"], 90);
        let name = |text: &str| text.parse::<DomainName>().unwrap();
        let known = check(&name("shop.example.com"), &good.chain, &good.key, day(10)).unwrap();
        assert_eq!((known.names.len(), known.issuer.as_str(), known.to), (2, "A root", day(90)));
        assert!(check(&name("a.example.org"), &good.chain, &good.key, day(10)).is_ok());
        assert!(check(&name("*.example.org"), &good.chain, &good.key, day(10)).is_ok());

        let bundle = check(&name("shop.example.com"), &format!("{}{}", good.chain, good.key), &good.key, day(10));
        assert!(bundle.is_err_and(|why| format!("{why:?}").contains("There is a private key in it.")));
        let many: Vec<String> = (0..150).map(|n| format!("n{n}.example.com")).collect();
        let many = made(&many.iter().map(String::as_str).collect::<Vec<_>>(), 90);
        assert_eq!(check(&name("n149.example.com"), &many.chain, &many.key, day(10)).unwrap().names.len(), NAMES);

        let other = made(&["shop.example.com"], 90);
        let reversed = format!("{}{}", good.authority, good.chain);
        let unrelated = format!("{}{}", good.chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap(), other.authority);
        for (host, chain, key, today, field, word) in [
            ("a.b.example.org", &good.chain, &good.key, 10, "certificate_chain", "not for a.b.example.org"),
            ("shop.example.com", &good.chain, &good.key, 91, "certificate_chain", "expired on 1970-04-01"),
            ("shop.example.com", &good.chain, &good.key, -1, "certificate_chain", "not valid before"),
            ("shop.example.com", &good.chain, &other.key, 10, "private_key", "does not belong"),
            ("shop.example.com", &reversed, &good.key, 10, "certificate_chain", "domain’s own first"),
            ("shop.example.com", &unrelated, &good.key, 10, "certificate_chain", "out of order"),
            ("shop.example.com", &"hello".to_string(), &good.key, 10, "certificate_chain", "PEM"),
            ("shop.example.com", &good.key, &good.key, 10, "certificate_chain", "PEM"),
            ("shop.example.com", &good.chain, &good.chain, 10, "private_key", "PEM"),
            ("shop.example.com", &good.chain, &"-----BEGIN ENCRYPTED PRIVATE KEY-----".to_string(), 10, "private_key", "password"),
        ] {
            let Err(Error::Invalid(all)) = check(&name(host), chain, key, day(today)) else { panic!("{word} was taken") };
            assert!(all.iter().any(|it| it.field == field && it.message.contains(word)), "{word}: {all:?}");
        }
    }

    #[test]
    fn a_request_and_an_answer_are_made() {
        let key = new_key().unwrap();
        assert!(!request("*.example.com", &key).unwrap().is_empty());
        let (certificate, key) = handshake("shop.example.com", &[7; 32]).unwrap();
        assert!(certificate.contains("BEGIN CERTIFICATE") && key.contains("PRIVATE KEY"));
    }
}
