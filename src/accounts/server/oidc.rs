//! OpenID Connect, the code flow with PKCE and a nonce: where to send somebody, and what the provider says of whoever comes back. What a
//! provider says of itself is remembered for an hour, its keys are read again when one is missing.
use crate::{
    error::{Error, Result},
    fault::Because,
    runtime::{config::OidcConfig, panel::Panel},
    units::Timestamp,
};
use chrono::{DateTime, Utc};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata, CoreUserInfoClaims,
    },
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// How long what a provider says of itself is believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon it may be asked again because a key is missing.
const AGAIN: Duration = Duration::from_secs(30);
/// What a provider's clock may be off.
const SKEW: Duration = Duration::from_secs(60);
/// The most that a provider may answer with.
const MOST_BYTES: usize = 1 << 20;
/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Signatures with a key that only the provider has.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a provider said of itself, and when.
#[derive(Clone)]
struct Known {
    at: Instant,
    /// When it was asked again because a key was missing.
    again_at: Option<Instant>,
    metadata: Arc<CoreProviderMetadata>,
}

/// By issuer; they come from the configuration, so there are few.
static KNOWN: Mutex<Option<HashMap<String, Known>>> = Mutex::new(None);
static HTTP: OnceLock<reqwest::Client> = OnceLock::new();

/// What a sign-in needs to remember while somebody is at the provider.
pub struct Sent {
    pub url: String,
    pub nonce: String,
    pub verifier: String,
}

/// Whom a provider says that somebody is.
#[derive(Debug, Clone)]
pub struct Claims {
    pub subject: String,
    pub email: Option<String>,
    /// Whether the provider says that the address is hers; none where it says nothing.
    pub email_verified: Option<bool>,
    pub name: Option<String>,
}

/// Why a request to a provider failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Http(#[from] reqwest::Error),
    #[error("{0}")]
    Shape(#[from] axum::http::Error),
    #[error("it answers with more than 1 MiB")]
    TooLong,
}

async fn send(request: HttpRequest) -> std::result::Result<HttpResponse, Failure> {
    let client = match HTTP.get() {
        Some(client) => client,
        None => {
            let made = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?;
            HTTP.get_or_init(|| made)
        }
    };
    let (parts, body) = request.into_parts();
    let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
    let mut answer = request.send().await?;
    let mut response = axum::http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.extend(answer.headers().clone());
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if bytes.len() + chunk.len() > MOST_BYTES {
            return Err(Failure::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(response.body(bytes)?)
}

fn known(issuer: &str) -> Option<Known> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.as_ref()?.get(issuer).cloned()
}

async fn metadata(of: &OidcConfig) -> Result<Known> {
    match known(&of.issuer).filter(|known| known.at.elapsed() < FRESH) {
        Some(known) => Ok(known),
        None => ask(of, None).await,
    }
}

async fn ask(of: &OidcConfig, again_at: Option<Instant>) -> Result<Known> {
    let issuer = IssuerUrl::new(of.issuer.clone()).because("reading a provider's issuer")?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &send).await.map_err(|why| unreachable(of, &why))?;
    let fresh = Known { at: Instant::now(), again_at, metadata: Arc::new(metadata) };
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(of.issuer.clone(), fresh.clone());
    Ok(fresh)
}

fn unreachable(of: &OidcConfig, why: &dyn std::error::Error) -> Error {
    tracing::warn!(provider = %of.id, why = ?why.to_string(), cause = ?why.source().map(ToString::to_string), "a provider of sign-ins failed");
    Error::Unavailable(format!("“{}” does not answer as it should. Try again in a moment.", of.name))
}

fn refused(of: &OidcConfig, why: &dyn std::error::Error) -> Error {
    tracing::warn!(provider = %of.id, why = ?why.to_string(), cause = ?why.source().map(ToString::to_string), "refused a provider's answer");
    Error::SignedOut(format!("What “{}” answered can’t be taken. Try again.", of.name))
}

fn client(panel: &Panel, of: &OidcConfig, metadata: &CoreProviderMetadata) -> Result<Client> {
    let secret = match &of.client_secret_file {
        Some(path) => Some(ClientSecret::new(std::fs::read_to_string(path).because("reading a provider's client secret")?.trim().into())),
        None => None,
    };
    let back = format!("{}/auth/oidc/{}/callback", panel.config.public_url(), of.id);
    let client = CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(of.client_id.clone()), secret);
    Ok(client.set_redirect_uri(RedirectUrl::new(back).because("reading the panel's address")?))
}

/// Where to send somebody; `state` comes back with her.
pub async fn send_to(panel: &Panel, of: &OidcConfig, state: &str) -> Result<Sent> {
    let known = metadata(of).await?;
    let client = client(panel, of, &known.metadata)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let state = state.to_string();
    let request = client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || CsrfToken::new(state), Nonce::new_random);
    let request = request.add_scopes(of.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new));
    let (url, _, nonce) = request.set_pkce_challenge(challenge).url();
    Ok(Sent { url: url.into(), nonce: nonce.secret().clone(), verifier: verifier.into_secret() })
}

/// What the provider says of whoever came back with this code.
pub async fn redeem(panel: &Panel, of: &OidcConfig, code: &str, verifier: &str, nonce: &str) -> Result<Claims> {
    let mut known = metadata(of).await?;
    let mut client = client(panel, of, &known.metadata)?;
    let exchange = client.exchange_code(AuthorizationCode::new(code.into())).map_err(|why| refused(of, &why))?;
    let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier.into()));
    let tokens = exchange.request_async(&send).await.map_err(|why| refused(of, &why))?;
    let Some(token) = tokens.id_token() else {
        return Err(refused(of, &ClaimsVerificationError::Other("there is no ID token".into())));
    };
    let nonce = Nonce::new(nonce.into());
    let mut claims = verify(panel, &client, token, &nonce);
    let soon = known.again_at.is_some_and(|at| at.elapsed() < AGAIN);
    if matches!(claims, Err(ClaimsVerificationError::SignatureVerification(_))) && !soon {
        // It may have changed its keys.
        known = ask(of, Some(Instant::now())).await?;
        client = self::client(panel, of, &known.metadata)?;
        claims = verify(panel, &client, token, &nonce);
    }
    let claims = claims.map_err(|why| refused(of, &why))?;
    let mut found = Claims {
        subject: claims.subject().to_string(),
        email: claims.email().map(|email| email.to_string()),
        email_verified: claims.email_verified(),
        name: name(claims.name().and_then(|name| name.get(None)).map(|name| name.to_string())),
    };
    // Most providers tell the address only when they are asked for it.
    if found.email.is_none()
        && let Ok(request) = client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
    {
        let more: CoreUserInfoClaims = request.request_async(&send).await.map_err(|why| refused(of, &why))?;
        found.email = more.email().map(|email| email.to_string());
        found.email_verified = more.email_verified();
        found.name = found.name.or_else(|| name(more.name().and_then(|name| name.get(None)).map(|name| name.to_string())));
    }
    if found.subject.is_empty() || found.subject.len() > 255 {
        return Err(refused(of, &ClaimsVerificationError::InvalidSubject("it has 1 to 255 characters".into())));
    }
    Ok(found)
}

fn verify(
    panel: &Panel,
    client: &Client,
    token: &openidconnect::core::CoreIdToken,
    nonce: &Nonce,
) -> std::result::Result<CoreIdTokenClaims, ClaimsVerificationError> {
    let now = panel.now();
    let verifier =
        client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || moment(now - SKEW)).set_issue_time_verifier_fn(
            move |issued| if issued <= moment(now + SKEW) { Ok(()) } else { Err("it is of the future".into()) },
        );
    token.claims(&verifier, nonce).cloned()
}

fn moment(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.millis()).unwrap_or_default()
}

/// A name that may stand in an account.
fn name(claimed: Option<String>) -> Option<String> {
    let name: String = claimed?.chars().filter(|c| !c.is_control()).take(80).collect();
    (!name.trim().is_empty()).then(|| name.trim().to_string())
}
