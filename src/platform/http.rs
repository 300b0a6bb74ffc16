//! What every request passes on its way in: a request id, who is calling, where a browser's request comes from, the headers that
//! keep browsers from doing harm, and one log line on the way out.
use crate::{
    error::{Error, Result},
    id::OrgId,
    platform::{
        api::Refusal,
        ctx::{Origin, Visitor},
        fresh,
        panel::Panel,
        session::{self, Credential},
    },
};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::SocketAddr, sync::Arc, time::Instant};

/// The header that carries the request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that carries a form's token where there is no form.
pub const CSRF: &str = "x-csrf-token";

/// Puts a [`Visitor`] into the request and the conventions' headers into the answer.
pub async fn visit(State(panel): State<Arc<Panel>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let request_id = format!("req_{}", fresh::suffix());
    let (mut parts, body) = request.into_parts();
    let (method, path) = (parts.method.clone(), parts.uri.path().to_string());
    let mut new_visit = None;
    let mut response = match visitor(&panel, &parts, &request_id, &mut new_visit).await {
        Ok(visitor) => match guard(&visitor, &parts) {
            Ok(()) => {
                parts.extensions.insert(visitor);
                next.run(Request::from_parts(parts, body)).await
            }
            Err(why) => Refusal(why).into_response(),
        },
        Err(why) => Refusal(why).into_response(),
    };
    if let Some(body) = response.extensions_mut().remove::<Refusal>() {
        response = if path.starts_with("/fn/") { body.typed() } else { body.answer(&request_id) };
    }
    if let Some(token) = new_visit.filter(|_| is_page(&response))
        && let Ok(cookie) = HeaderValue::from_str(&session::visit_cookie(&panel, &token))
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    finish(response.headers_mut(), &request_id, &path);
    let status = response.status().as_u16();
    let took = started.elapsed().as_millis() as u64;
    tracing::debug!(request.id = %request_id, %method, path = ?path, status, took_ms = took, "answered");
    response
}

fn is_page(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
}

async fn visitor(panel: &Arc<Panel>, request: &Parts, request_id: &str, new_visit: &mut Option<String>) -> Result<Visitor> {
    let headers = &request.headers;
    let org = organization(headers)?;
    let who = match bearer(headers) {
        Some(token) => {
            let found = session::by_bearer(panel, token, org.as_ref()).await?;
            let known = found.is_some() || org.is_none() || session::by_bearer(panel, token, None).await?.is_none();
            if !known {
                return Err(Error::NotFound(crate::error::Thing::Organization));
            }
            Some(found.ok_or_else(|| Error::SignedOut("This token is not valid, or no longer. Sign in again.".into()))?)
        }
        None => match cookie(headers, session::COOKIE) {
            Some(token) => {
                let found = session::by_cookie(panel, &token, org.as_ref()).await?;
                if found.is_none() && org.is_some() && session::by_cookie(panel, &token, None).await?.is_some() {
                    return Err(Error::NotFound(crate::error::Thing::Organization));
                }
                found
            }
            None => None,
        },
    };
    let form_key = match &who {
        Some(who) => who.credential.id().to_string(),
        None => cookie(headers, session::VISIT).unwrap_or_else(|| new_visit.insert(fresh::token()).clone()),
    };
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_string();
    let origin = Origin { address: address(panel, request), agent, request_id: request_id.into() };
    Ok(Visitor { panel: panel.clone(), who, origin, form_key })
}

/// The organization that a script picks.
fn organization(headers: &HeaderMap) -> Result<Option<OrgId>> {
    let Some(value) = headers.get("x-organization-id") else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or(Error::NotFound(crate::error::Thing::Organization))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
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
fn guard(visitor: &Visitor, request: &Parts) -> Result<()> {
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
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !path.starts_with("/pkg/") {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
}
