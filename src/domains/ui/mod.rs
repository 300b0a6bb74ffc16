//! The pages of domains: the organization's list, an application's tab, and one domain with its records, its checks and its certificate.
mod dns;
mod domain;
mod list;
mod own;
mod ssl;
mod verification;

pub use domain::DomainPage;
pub use list::{AppDomains, Domains};
pub use own::OwnCertificates;

use crate::{
    domains::model::{Certificate, CertificateState, Claim, Verdict},
    kit::Tone,
};

/// What a claim's standing means.
fn claim_tone(claim: Claim) -> Tone {
    match claim {
        Claim::Verified => Tone::Good,
        Claim::Waiting => Tone::Busy,
        Claim::Failing | Claim::Contested => Tone::Warning,
        Claim::Lapsed => Tone::Bad,
    }
}

/// What a verdict means.
fn verdict_tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Pass => Tone::Good,
        Verdict::Warning => Tone::Warning,
        Verdict::Fail => Tone::Bad,
        Verdict::Unknown => Tone::Idle,
    }
}

/// What a certificate's standing means, and the words for it.
fn standing(certificate: Option<&Certificate>) -> (Tone, &'static str) {
    let Some(it) = certificate else { return (Tone::Idle, "None") };
    match it.state {
        _ if it.warning.is_some() => (Tone::Warning, "Expires soon"),
        CertificateState::Issued => (Tone::Good, it.state.words()),
        CertificateState::Failed if it.is_served() => (Tone::Warning, "Renewal failed"),
        CertificateState::Failed => (Tone::Bad, it.state.words()),
        CertificateState::Preflight | CertificateState::Renewing if it.problem.is_some() => (Tone::Warning, "Held up"),
        _ => (Tone::Busy, it.state.words()),
    }
}
