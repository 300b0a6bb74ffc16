//! What both sides know of a domain: its name and the rule of it, the records that its owner sets, what was found, and how it and its
//! certificate stand.
use crate::{
    error::Thing,
    id::{AppId, DomainId},
    units::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

mod input;
mod name;
pub use input::*;
pub use name::*;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $refusal:literal { $($(#[$inner:meta])* $variant:ident = $wire:literal, $words:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$inner])* $variant,)* }

        impl $name {
            /// The word on the wire and in the database.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $wire),* }
            }

            /// The words on the page.
            pub fn words(self) -> &'static str {
                match self { $($name::$variant => $words),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($wire => Ok($name::$variant),)* _ => Err($refusal) }
            }
        }
    };
}

words! {
    /// How the certificate authority is shown that a name is ours to serve (RFC 8555, RFC 8737).
    Method: "A validation method is http, tls or dns." {
        /// A file over plain HTTP.
        Http = "http", "HTTP";
        /// A certificate in a TLS handshake.
        Tls = "tls", "TLS";
        /// A record in the zone; the only one that gives wildcards.
        Dns = "dns", "DNS";
    }
}

words! {
    /// How a claim to a name stands.
    Claim: "A claim is waiting, verified, failing, contested or lapsed." {
        /// The ownership record was not found yet.
        Waiting = "waiting", "Waiting for the ownership record";
        /// Proven: it serves.
        Verified = "verified", "Verified";
        /// Proven and serving, but the record was not found lately.
        Failing = "failing", "Ownership record missing";
        /// The record is there, and so is that of another claim that was proven before.
        Contested = "contested", "Claimed twice";
        /// It was proven, and is no longer.
        Lapsed = "lapsed", "Lapsed";
    }
}

words! {
    /// How a certificate stands. A name that is served keeps its last certificate through all of them.
    CertificateState: "A certificate is in preflight, ordered, validating, issued, renewing or failed." {
        /// Our own checks come before the authority is asked.
        Preflight = "preflight", "Checking the domain";
        /// The authority has the order.
        Ordered = "ordered", "Ordered";
        /// The authority looks at the answer to its challenge.
        Validating = "validating", "Being validated";
        /// There is one.
        Issued = "issued", "Issued";
        /// There is one, and the next is under way.
        Renewing = "renewing", "Being renewed";
        /// The last attempt failed; the sentence and the next try are told.
        Failed = "failed", "Failed";
    }
}

words! {
    /// Where a certificate comes from.
    CertificateSource: "A certificate is from acme or uploaded." {
        /// Ordered and renewed by the platform.
        Acme = "acme", "Automatic";
        /// The customer's own.
        Uploaded = "uploaded", "Uploaded";
    }
}

words! {
    /// What a check came to.
    Verdict: "A verdict is pass, warning, fail or unknown." {
        Pass = "pass", "As expected";
        /// It works, and needs a look.
        Warning = "warning", "Needs a look";
        Fail = "fail", "Not as expected";
        /// It could not be found out, or does not apply.
        Unknown = "unknown", "Not known";
    }
}

words! {
    /// What is checked of a domain.
    CheckKind: "There is no such check." {
        /// The TXT record that proves the claim.
        Ownership = "ownership", "Ownership";
        /// Where the name points to.
        Address = "address", "Address";
        /// Which authorities may issue (RFC 8659).
        Authority = "authority", "Certificate authority";
        /// Whether the name is answered by us from outside.
        Reachable = "reachable", "Reachable";
        /// Whether the name of the DNS challenge leads to where we answer it.
        Delegation = "delegation", "DNS challenge";
    }
}

words! {
    /// What a record is for.
    Purpose: "There is no such purpose." {
        Ownership = "ownership", "Proves that the domain is yours. It stays as long as you use the domain here.";
        Address = "address", "Leads visitors to your application.";
        /// One of these instead of the one above.
        AddressInstead = "address_instead", "Instead of the CNAME, where your provider can’t set one.";
        Challenge = "challenge", "Lets the platform answer the certificate authority’s challenges.";
    }
}

/// What a certificate is called where there is none.
pub const CERTIFICATE: Thing = Thing::new("CERTIFICATE", "certificate");
/// The kinds of things of this feature.
pub const THINGS: &[Thing] = &[CERTIFICATE];

/// A record to set in the domain's zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Record {
    /// `TXT`, `A`, `AAAA` or `CNAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The whole name, without a dot at the end.
    pub name: String,
    pub value: String,
    pub purpose: Purpose,
}

/// One thing that was looked at: what was found, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    pub kind: CheckKind,
    pub verdict: Verdict,
    pub expected: Vec<String>,
    pub found: Vec<String>,
    /// What that means and what to do, in a sentence or two.
    pub words: String,
}

/// A certificate as members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Certificate {
    pub source: CertificateSource,
    pub method: Method,
    pub state: CertificateState,
    /// Why the last attempt failed.
    pub problem: Option<String>,
    /// Attempts that failed in a row.
    pub attempts: u32,
    /// When the next attempt is made: after a failure, or to renew.
    pub next_try_at: Option<Timestamp>,
    /// The names that it covers.
    pub names: Vec<String>,
    pub issuer: Option<String>,
    /// SHA-256, in hex.
    pub fingerprint: Option<String>,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// That it expires soon, or has expired, and what to do.
    pub warning: Option<String>,
}

impl Certificate {
    /// Whether visitors get one.
    pub fn is_served(&self) -> bool {
        self.expires_at.is_some()
    }
}

/// A certificate of one of the platform's own names, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OwnCertificate {
    pub name: String,
    #[serde(flatten)]
    pub certificate: Certificate,
}

/// A domain as members of its organization see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Domain {
    pub id: DomainId,
    pub application_id: AppId,
    pub application_name: String,
    /// In A-labels, as DNS has it.
    pub domain: DomainName,
    /// As it was typed.
    pub shown: String,
    pub claim: Claim,
    pub validation_method: Method,
    /// The one that the others redirect to.
    pub primary_domain: bool,
    /// Sends visitors to the primary domain.
    pub redirect_to_primary: bool,
    /// The records to set.
    pub records: Vec<Record>,
    /// What was found when it was looked at last.
    pub checks: Vec<Check>,
    pub checked_at: Option<Timestamp>,
    pub next_check_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    /// How the claim stands, in a sentence.
    pub status: String,
    pub certificate: Option<Certificate>,
    /// Whether the platform can order certificates.
    pub automatic_certificates: bool,
    pub version: i64,
    pub created_at: Timestamp,
}

impl Domain {
    /// The address that visitors type.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.as_ref().is_some_and(Certificate::is_served) { "https" } else { "http" };
        format!("{scheme}://{}", self.domain)
    }
}
