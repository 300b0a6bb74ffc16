//! The certificate authority (RFC 8555): our account there, whose key is sealed, and what its refusals mean to a customer. The way to it is
//! our own, so that its `Retry-After` is heard and a root of the operator's choice is trusted.
use crate::{
    domains::{model::Method, server::task::account},
    error::{Error, Result},
    runtime::{config::AcmeConfig, panel::Panel},
};
use axum::body::{Body, to_bytes};
use instant_acme::{Account, BodyWrapper, BytesResponse, ChallengeType, HttpClient, NewAccount, Problem};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long one answer of the authority may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer.
const MOST: usize = 1024 * 1024;
/// How long to leave the authority alone where it limits us and does not say for how long.
const LIMITED: Duration = Duration::from_secs(3_600);

const UNREACHED: &str = "The certificate authority could not reach this domain. Does it point here, and is no firewall in between?";

/// Why a certificate was not had: a sentence for the customer, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub sentence: String,
    /// At least so long nothing is tried.
    pub retry_after: Option<Duration>,
    /// It counts against the authority's limits.
    pub counts: bool,
    /// Our own checks held it up: the authority was not asked.
    pub ours: bool,
    /// The order that was under way is good for nothing any more.
    pub over: bool,
}

impl Failure {
    /// One that is tried again by the usual steps.
    pub fn new(sentence: impl Into<String>) -> Self {
        Failure { sentence: sentence.into(), retry_after: None, counts: false, ours: false, over: false }
    }
}

impl From<Error> for Failure {
    fn from(why: Error) -> Self {
        Failure::new(why.to_string())
    }
}

/// What the authority last said about when to come back.
#[derive(Debug, Clone, Default)]
pub struct Told(Arc<Mutex<Option<Duration>>>);

impl Told {
    fn hear(&self, after: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(after);
    }

    fn last(&self) -> Option<Duration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our account at the authority.
pub struct Authority {
    pub account: Account,
    told: Told,
    /// The account as its row keeps it.
    sealed: String,
}

struct Http {
    client: reqwest::Client,
    told: Told,
}

impl HttpClient for Http {
    fn request(
        &self,
        request: http::Request<BodyWrapper<bytes::Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let (client, told) = (self.client.clone(), self.told.clone());
        Box::pin(async move {
            let other = |why: Box<dyn std::error::Error + Send + Sync>| instant_acme::Error::Other(why);
            let (parts, body) = request.into_parts();
            let body = to_bytes(Body::new(body), MOST).await.map_err(|why| other(why.into()))?;
            let sent = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body).send().await;
            let answer = sent.map_err(|why| other(why.into()))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            if status.as_u16() == 429 || status.as_u16() == 503 {
                told.hear(retry_after(&headers).unwrap_or(LIMITED));
            }
            if answer.content_length().is_some_and(|length| length > MOST as u64) {
                return Err(other("the answer is too long".into()));
            }
            let bytes = answer.bytes().await.map_err(|why| other(why.into()))?;
            let mut response = http::Response::new(());
            (*response.status_mut(), *response.headers_mut()) = (status, headers);
            Ok(BytesResponse { parts: response.into_parts().0, body: Box::new(bytes) })
        })
    }
}

/// `Retry-After` in seconds, or as a date (RFC 9110); at most a week.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let form =
                time::macros::format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
            let at = time::PrimitiveDateTime::parse(text, &form).ok()?.assume_utc();
            u64::try_from((at.unix_timestamp() - unix_now()).max(0)).ok()?
        }
    };
    Some(Duration::from_secs(seconds.min(7 * 86_400)))
}

#[expect(clippy::disallowed_methods, reason = "an authority says when to come back in the world’s time")]
fn unix_now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn client(config: &AcmeConfig) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder().timeout(PATIENCE).connect_timeout(Duration::from_secs(10)).https_only(true);
    if let Some(file) = &config.ca_file {
        let unreadable = || Failure::new("The root of the certificate authority, which the operator configured, can’t be read.");
        let pem = std::fs::read(file).map_err(|_| unreadable())?;
        let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|_| unreadable())?;
        builder = builder.tls_certs_merge(roots);
    }
    builder.build().map_err(|_| Failure::new("The way to the certificate authority could not be made."))
}

impl Authority {
    /// The account that is stored, or a new one.
    pub async fn open(panel: &Panel) -> Result<Self, Failure> {
        let config = &panel.config.acme;
        let Some(directory) = &config.directory else {
            return Err(Failure::new("This platform orders no certificates by itself. Upload one."));
        };
        let told = Told::default();
        let http = || Ok::<_, Failure>(Box::new(Http { client: client(config)?, told: told.clone() }));
        if let Some((sealed, credentials)) = account::stored(panel, directory).await? {
            let account = Account::builder_with_http(http()?).from_credentials(credentials).await;
            return account.map(|account| Authority { account, told: told.clone(), sealed }).map_err(|why| failure(&why, &told));
        }
        let contact = config.email.as_ref().map(|email| format!("mailto:{email}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let made = Account::builder_with_http(http()?).create(&new, directory.clone(), None).await;
        let (account, credentials) = made.map_err(|why| failure(&why, &told))?;
        let sealed = account::remember(panel, directory, &credentials).await?;
        Ok(Authority { account, told, sealed })
    }

    /// Forgets the account, unless another panel has put a new one in its place already.
    pub async fn forget(self, panel: &Panel) -> Result<()> {
        match &panel.config.acme.directory {
            Some(directory) => account::forget(panel, directory, &self.sealed).await,
            None => Ok(()),
        }
    }

    /// What an error means.
    pub fn failure(&self, why: &instant_acme::Error) -> Failure {
        failure(why, &self.told)
    }
}

/// The authority's word for a method.
pub fn challenge(method: Method) -> ChallengeType {
    match method {
        Method::Http => ChallengeType::Http01,
        Method::Tls => ChallengeType::TlsAlpn01,
        Method::Dns => ChallengeType::Dns01,
    }
}

/// Whether the authority has forgotten our account: then there is to be another.
pub fn is_forgotten(why: &instant_acme::Error) -> bool {
    matches!(why, instant_acme::Error::Api(problem) if kind(problem) == "accountDoesNotExist")
}

fn kind(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|urn| urn.rsplit(':').next()).unwrap_or_default()
}

fn failure(why: &instant_acme::Error, told: &Told) -> Failure {
    match why {
        instant_acme::Error::Api(problem) => refusal(problem, told.last()),
        instant_acme::Error::Timeout(_) => Failure::new("The certificate authority did not come to an end in time."),
        _ if told.last().is_some() => Failure {
            retry_after: told.last(),
            ..Failure::new("The certificate authority is too busy just now, and asked us to come back later.")
        },
        instant_acme::Error::Json(_) => Failure::new("The certificate authority answered with something that is no answer."),
        instant_acme::Error::Unsupported(_) | instant_acme::Error::Str(_) => {
            Failure::new("The certificate authority’s answer lacked something that it must have.")
        }
        other => unreachable_authority(other),
    }
}

fn unreachable_authority(why: &instant_acme::Error) -> Failure {
    // The reason stands at the end of a chain of causes.
    let (mut said, mut cause) = (why.to_string(), std::error::Error::source(why));
    while let Some(inner) = cause {
        said = format!("{said}: {inner}");
        cause = inner.source();
    }
    tracing::warn!(cause = ?said, "the certificate authority can't be reached");
    if said.contains("certificate") || said.contains("UnknownIssuer") {
        Failure::new("The certificate authority’s own address could not be trusted. The operator of the platform has to look at it.")
    } else {
        Failure::new("The certificate authority does not answer just now. Nothing is wrong with your domain.")
    }
}

/// What a problem of the authority means (RFC 8555, 6.7).
pub fn refusal(problem: &Problem, retry_after: Option<Duration>) -> Failure {
    let detail = problem.detail.clone().or_else(|| problem.subproblems.first().and_then(|sub| sub.detail.clone())).unwrap_or_default();
    let detail: String = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let detail = detail.trim().trim_end_matches('.');
    let said = |sentence: &str| if detail.is_empty() { sentence.to_string() } else { format!("{sentence} It said: “{detail}”.") };
    let (sentence, counts) = match kind(problem) {
        "rateLimited" => (said("The certificate authority limits how many certificates a domain may get."), false),
        "caa" => {
            (said("A CAA record forbids the certificate authority to issue for this domain. Allow it there, or remove the record."), true)
        }
        "dns" => (said("The certificate authority found no right address or record for this domain. Compare the records below."), true),
        "connection" => (said(UNREACHED), true),
        // Pebble's word for a handshake that nobody answers.
        "unauthorized" if detail.starts_with("Failed to connect") => (said(UNREACHED), true),
        "unauthorized" | "incorrectResponse" => {
            (said("Something else answered the certificate authority at this domain. Does it point here, and here alone?"), true)
        }
        "tls" => (
            said(
                "The TLS handshake with the certificate authority failed. A proxy in front of this platform may be the cause: validate by HTTP or DNS.",
            ),
            true,
        ),
        "rejectedIdentifier" | "unsupportedIdentifier" => (said("The certificate authority issues no certificates for this name."), true),
        "badNonce" => (said("The certificate authority refused our requests as stale, several times in a row."), false),
        "serverInternal" => (said("The certificate authority has trouble of its own just now."), false),
        "accountDoesNotExist" => (said("The certificate authority does not know the platform’s account any more. Another is made."), false),
        "userActionRequired" | "externalAccountRequired" | "invalidContact" | "unsupportedContact" => {
            (said("The certificate authority wants something of the operator of the platform first."), false)
        }
        _ => (said("The certificate authority refused."), true),
    };
    let retry_after = if kind(problem) == "rateLimited" { Some(retry_after.unwrap_or(LIMITED)) } else { retry_after };
    Failure { sentence, retry_after, counts, ours: false, over: counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_read_in_both_forms() {
        let told = |text: &str| retry_after(&[(http::header::RETRY_AFTER, text.parse().unwrap())].into_iter().collect());
        assert_eq!(told("120"), Some(Duration::from_secs(120)));
        assert_eq!(told("99999999"), Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(told("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(told("soon"), None);
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let problem = |kind: &str| Problem {
            r#type: Some(format!("urn:ietf:params:acme:error:{kind}")),
            detail: Some("because\nof this.".into()),
            status: None,
            subproblems: vec![],
        };
        for (kind, word, counts) in
            [("caa", "CAA", true), ("connection", "firewall", true), ("badNonce", "stale", false), ("malformed", "refused", true)]
        {
            let told = refusal(&problem(kind), None);
            assert!(told.sentence.contains(word) && told.sentence.ends_with("“because of this”."), "{told:?}");
            assert_eq!((told.counts, told.retry_after), (counts, None), "{kind}");
        }
        assert_eq!(refusal(&problem("rateLimited"), None).retry_after, Some(LIMITED));
        assert_eq!(refusal(&problem("rateLimited"), Some(PATIENCE)).retry_after, Some(PATIENCE));
    }
}
