//! What every request passes on its way in: a request id, who is calling, where a browser's request comes from, the headers that
//! keep browsers from doing harm, and one log line on the way out.
use crate::{
    auth::session::Who,
    auth::{
        api_keys,
        session::{self, Credential},
    },
    edge::remote::TOKEN_PREFIX as EDGE_TOKEN,
    error::{Error, Result},
    id::OrgId,
    rights::Action,
    runtime::{
        fault_reports::{self, Around, Surroundings},
        panel::Panel,
    },
    store::random,
    web::{
        api::Refusal,
        ctx::{Origin, Visitor},
        declared::Declared,
        in_flight,
        rate_limits::{Class, RateCheck},
    },
};
use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};
use tokio::sync::OwnedSemaphorePermit;

/// The header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that carries a key of the API.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The header that carries a form's token where there is no form.
pub const CSRF: &str = "x-csrf-token";

/// Where the edges' own routes are.
const EDGES: &str = "/api/edge/";

/// What a fault's report says of the request around it. Written only when something fails.
fn around(request_id: &Arc<str>, matched: &Matched, who: Option<Arc<Who>>) -> Surroundings {
    let (request_id, matched) = (request_id.clone(), matched.clone());
    Arc::new(move || Around {
        request_id: request_id.to_string(),
        route: matched.to_string(),
        organization: who.as_ref().map(|who| who.org.to_string()),
        user: who.as_ref().map(|who| who.user.to_string()),
    })
}

/// What a request gets on its way in beside its [`Visitor`].
#[derive(Default)]
struct Entry {
    /// The token of a visit that begins.
    new_visit: Option<String>,
    tally: RateCheck,
    place: Option<OwnedSemaphorePermit>,
}

/// Puts a [`Visitor`] into the request and the conventions' headers into the answer.
pub async fn visit(State((panel, declared)): State<(Arc<Panel>, Arc<Declared>)>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let counted = panel.clone();
    let _in_hand = counted.heartbeats.take();
    let request_id: Arc<str> = format!("req_{}", random::suffix()).into();
    let (mut parts, body) = request.into_parts();
    let uri = parts.uri.clone();
    let path = uri.path();
    let matched = Matched::of(&parts);
    let mut entry = Entry::default();
    let asked = async {
        let class = class(&declared, &parts, &matched);
        let visitor = visitor(&panel, &parts, &request_id, class, &mut entry).await?;
        guard(&visitor, &parts, matched.is_in_person(&declared, &parts))?;
        Ok(visitor)
    };
    let found: Result<Visitor> = fault_reports::within(&panel, Some(around(&request_id, &matched, None)), asked).await;
    let mut caller = None;
    let mut response = match found {
        Ok(visitor) => {
            let around = around(&request_id, &matched, visitor.who.clone());
            caller = visitor.who.clone();
            parts.extensions.insert(visitor);
            let work = fault_reports::within(&panel, Some(around), next.run(Request::from_parts(parts, body)));
            in_flight::hold(entry.place.take(), work).await
        }
        Err(why) => Refusal(why).into_response(),
    };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let answer = if path.starts_with("/fn/") { refusal.typed() } else { refusal.answer(&request_id) };
        response = with_headers(answer, response.headers());
    }
    entry.tally.tell(response.headers_mut());
    if let Some(token) = entry.new_visit.filter(|_| is_page(&response))
        && let Ok(cookie) = HeaderValue::from_str(&session::visit_cookie(&panel, &token))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    finish(response.headers_mut(), &request_id, path);
    let status = response.status().as_u16();
    let (took_ms, by) = (started.elapsed().as_millis() as u64, caller.as_ref().map_or("nobody", |who| who.credential.id()));
    // What changes something leaves a line, so that the id that a script was given leads somewhere.
    if status >= 500 || matched.writes_by_api() {
        tracing::info!(request.id = %request_id, route = %matched, status, by, took_ms, "answered");
    } else {
        tracing::debug!(request.id = %request_id, route = %matched, path = ?path, status, by, took_ms, "answered");
    }
    response
}

/// A request's method and the pattern of its route: bounded words, unlike its path.
#[derive(Debug, Clone)]
pub struct Matched {
    method: Method,
    pattern: Option<MatchedPath>,
}

impl Matched {
    fn of(request: &Parts) -> Self {
        Matched { method: request.method.clone(), pattern: request.extensions.get().cloned() }
    }

    fn pattern(&self) -> &str {
        self.pattern.as_ref().map_or("", MatchedPath::as_str)
    }

    /// Whether a request is a person's own business: a page, or a route that says so.
    fn is_in_person(&self, declared: &Declared, request: &Parts) -> bool {
        !request.uri.path().starts_with("/api/") || declared.is_in_person(&self.method, self.pattern())
    }

    fn writes_by_api(&self) -> bool {
        let reads = matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS);
        !reads && self.pattern.as_ref().is_some_and(|pattern| pattern.as_str().starts_with("/api/") && !pattern.as_str().starts_with(EDGES))
    }
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.16} {}", self.method.as_str(), self.pattern.as_ref().map_or("page", MatchedPath::as_str))
    }
}

/// An answer with the headers that its refusal carried (`Allow`).
fn with_headers(mut answer: Response, carried: &HeaderMap) -> Response {
    for (name, value) in carried {
        if !answer.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            answer.headers_mut().append(name.clone(), value.clone());
        }
    }
    answer
}

fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

async fn visitor(panel: &Arc<Panel>, request: &Parts, request_id: &Arc<str>, class: Class, entry: &mut Entry) -> Result<Visitor> {
    let headers = &request.headers;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_string();
    let origin = Arc::new(Origin { address: address(panel, request), agent, request_id: request_id.to_string() });
    let limited = !is_asset(request.uri.path());
    if limited {
        // Before anything is looked up: guessing credentials costs as much as using one.
        entry.tally.address(panel, &origin.address)?;
        entry.place = in_flight::take(panel).await?;
    }
    let who = match edge_token(headers, request.uri.path())? {
        true => None,
        false => caller(panel, headers, &origin.address).await?,
    };
    let form_key = match &who {
        Some(who) => who.credential.id().into(),
        None => cookie(headers, session::VISIT).unwrap_or_else(|| entry.new_visit.insert(random::token()).clone()).into(),
    };
    let cookies: Vec<&str> = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    let visitor = Visitor { panel: panel.clone(), who, origin, form_key, cookies: cookies.join("; ").into() };
    if limited {
        entry.tally.visitor(&visitor, class)?;
    }
    Ok(visitor)
}

/// What is built and the same for everyone; it costs nothing and is not limited.
fn is_asset(path: &str) -> bool {
    path.starts_with("/pkg/") || path == "/favicon.svg"
}

/// What a request costs beside what every request does. A page's form says which function it calls only once it is read.
fn class(declared: &Declared, request: &Parts, matched: &Matched) -> Class {
    let path = request.uri.path();
    if path.starts_with("/fn/") { declared.function(path) } else { declared.class(&request.method, matched.pattern()) }
}

/// Whether an edge asks, on a route of the edges' own, which looks at the token itself.
fn edge_token(headers: &HeaderMap, path: &str) -> Result<bool> {
    match bearer_of(headers).is_some_and(|token| token.starts_with(EDGE_TOKEN)) {
        true if path.starts_with(EDGES) => Ok(true),
        true => Err(Error::SignedOut("An edge’s token opens nothing but what edges call.".into())),
        false => Ok(false),
    }
}

/// The bearer token in the headers, where there is one and only one.
pub fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    all.next().and_then(bearer).filter(|_| all.next().is_none())
}

/// Who asks: by a key or a token in a header, or else by the cookie.
async fn caller(panel: &Arc<Panel>, headers: &HeaderMap, address: &str) -> Result<Option<Arc<Who>>> {
    let org = organization(headers)?;
    let (found, is_elsewhere) = match presented(headers)? {
        Some(Presented::Key(key)) => {
            let found = api_keys::by_key(panel, key, org.as_ref()).await?;
            let refused = || Error::SignedOut("This API key is not valid, or no longer. Look at it under Account, API keys.".into());
            let who = found.ok_or_else(refused)?;
            if let Credential::Key(id) = &who.credential {
                api_keys::note(panel, id, address);
            }
            return Ok(Some(who));
        }
        Some(Presented::Token(token)) => {
            let found = session::by_bearer(panel, token, org.as_ref()).await?;
            let elsewhere = found.is_none() && org.is_some() && session::by_bearer(panel, token, None).await?.is_some();
            if found.is_none() && !elsewhere {
                return Err(Error::SignedOut("This token is not valid, or no longer. Sign in again.".into()));
            }
            (found, elsewhere)
        }
        None => {
            let Some(token) = cookie(headers, session::COOKIE) else { return Ok(None) };
            let found = session::by_cookie(panel, &token, org.as_ref()).await?;
            let elsewhere = found.is_none() && org.is_some() && session::by_cookie(panel, &token, None).await?.is_some();
            (found, elsewhere)
        }
    };
    if is_elsewhere { Err(Error::NotFound(crate::error::Thing::ORGANIZATION)) } else { Ok(found) }
}

/// A credential in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presented<'a> {
    Key(&'a str),
    Token(&'a str),
}

/// The credential in the headers. Two that differ are refused: whoever sends them would not know as whom she acts.
fn presented(headers: &HeaderMap) -> Result<Option<Presented<'_>>> {
    let kind = |text| if str::starts_with(text, api_keys::PREFIX) { Presented::Key(text) } else { Presented::Token(text) };
    let mut all = headers.get_all(header::AUTHORIZATION).iter().filter_map(bearer).map(kind).collect::<Vec<_>>();
    all.extend(headers.get_all(&API_KEY).iter().map(|value| Presented::Key(value.to_str().unwrap_or_default().trim())));
    let first = all.first().copied();
    if all.iter().any(|other| Some(*other) != first) {
        return Err(Error::SignedOut("Two credentials were sent that differ. Send one.".into()));
    }
    Ok(first)
}

/// The organization that a script picks.
fn organization(headers: &HeaderMap) -> Result<Option<OrgId>> {
    let Some(value) = headers.get("x-organization-id") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or(Error::NotFound(crate::error::Thing::ORGANIZATION))
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A cookie's value.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(cookie::Cookie::split_parse).flatten().find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_string())
}

/// The caller's address: the peer's, or what a trusted proxy in front says.
fn address(panel: &Panel, request: &Parts) -> String {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let Some(peer) = peer else { return "unknown".into() };
    let trusted = |ip: &std::net::IpAddr| panel.config.panel.trusted_proxies.iter().any(|net| net.contains(ip));
    if !trusted(&peer) {
        return peer.to_string();
    }
    let forwarded = request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<std::net::IpAddr> = forwarded.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    hops.into_iter().rev().find(|hop| !trusted(hop)).unwrap_or(peer).to_string()
}

/// Refuses what another site makes a browser send. A browser's unsafe request must come from our own pages (`Origin`), and where it
/// leans on the cookie outside a form it must carry the token in a header; a form's token is checked where the form is read.
fn guard(visitor: &Visitor, request: &Parts, is_in_person: bool) -> Result<()> {
    let by_key = visitor.who.as_ref().is_some_and(|who| matches!(who.credential, Credential::Key(_)));
    if by_key && is_in_person {
        return Err(Error::Forbidden { permission: "in_person".into() });
    }
    let sees = |who: &Arc<Who>| who.permissions.may(Action::View) || who.grants.values().any(|of| of.may(Action::View));
    if by_key && request.method == Method::GET && !visitor.who.as_ref().is_some_and(sees) {
        return Err(Error::Forbidden { permission: Action::View.name().into() });
    }
    if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let headers = &request.headers;
    let by_cookie = visitor.who.as_ref().is_some_and(|who| matches!(who.credential, Credential::Browser(_)));
    let path = request.uri.path();
    let is_form = !path.starts_with("/api/") && !path.starts_with("/fn/");
    match headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or("null")) {
        Some(origin) if !is_own(visitor, headers, origin) => return Err(Error::Forged),
        // Every browser names the origin of a POST; what does not is a script, and a script has no business with the cookie.
        None if by_cookie || is_form => return Err(Error::Forged),
        _ => {}
    }
    let token = headers.get(CSRF).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if by_cookie && !is_form && !visitor.panel.secrets.is_form_token(&visitor.form_key, token) {
        return Err(Error::Forged);
    }
    Ok(())
}

fn is_own(visitor: &Visitor, headers: &HeaderMap, origin: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same_host =
        origin.split_once("://").is_some_and(|(scheme, rest)| matches!(scheme, "http" | "https") && rest == host && !host.is_empty());
    same_host || origin == visitor.panel.config.public_url()
}

fn finish(headers: &mut HeaderMap, request_id: &str, path: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        // A page that may stand in a frame of ours says so itself.
        if name != header::X_FRAME_OPTIONS || !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if !path.starts_with("/pkg/") {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}
