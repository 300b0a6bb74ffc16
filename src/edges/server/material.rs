//! What the edge needs for customers' domains, beside the routes: which host belongs to which application, what redirects where, the
//! certificates, and the answers to the authority's challenges while an order is under way. The domains' loop reads it; whoever tells the
//! edge hands it on.
use crate::id::{AppId, CertificateId};
use std::{collections::BTreeSet, fmt};

/// All of it, as of one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Material {
    /// Proven names, by name.
    pub hosts: Vec<Host>,
    /// By name. The name itself goes before a wildcard that covers it.
    pub certificates: Vec<Served>,
    /// Answers under `http://<host>/.well-known/acme-challenge/<token>`, on plain HTTP, before any redirect. A token that is not among them
    /// goes to the application, which may have an authority of its own.
    pub answers: Vec<Answer>,
    /// Certificates for handshakes that offer `acme-tls/1` alone (RFC 8737).
    pub handshakes: Vec<Handshake>,
    /// The certificates whose challenges are open: their answers are among those above.
    pub open: BTreeSet<CertificateId>,
}

/// The newest of it: the loop of the domains puts it here, and whoever tells an edge takes it from here.
pub type EdgeMaterial = arc_swap::ArcSwap<Material>;

/// A name that leads to an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// In A-labels and lower case; `*.example.com` stands for one label in front that no other host names.
    pub name: String,
    pub app: AppId,
    /// The name that visitors are sent to, with the path that they asked for.
    pub redirect: Option<String>,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The name that it is for, a wildcard too.
    pub name: String,
    /// PEM: the name's own first.
    pub chain: String,
    pub key: KeyPem,
    /// SHA-256 of the first certificate, in hex: changes when the certificate does.
    pub fingerprint: String,
}

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The host that it is for; for `*.example.com` any name below.
    pub host: String,
    pub token: String,
    pub body: String,
}

/// An answer in a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    pub host: String,
    /// PEM.
    pub certificate: String,
    pub key: KeyPem,
}

/// A private key in PEM, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPem(pub String);

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPem(…)")
    }
}

impl Material {
    /// The body that answers a challenge over HTTP.
    pub fn answer(&self, host: &str, token: &str) -> Option<&str> {
        let is_for = |answer: &&Answer| answer.token == token && covers(&answer.host, host);
        self.answers.iter().find(is_for).map(|answer| answer.body.as_str())
    }
}

/// Whether a name, or a wildcard in it, covers a host: a star stands for one label.
pub fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(base) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == base),
        None => name == host,
    }
}
