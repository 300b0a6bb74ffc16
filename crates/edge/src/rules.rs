//! A route's policy, made ready: header fields parsed, pages in one piece. What cannot be used is left out and said once.
use super::{
    basic_auth::Queue,
    snapshot::{HeaderRule, HstsRule, Policy},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};
use tracing::warn;

/// Fields that say where a request comes from, or how it is framed: nobody sets them but the edge.
const NOT_IN_REQUESTS: [&str; 17] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
    "proxy-connection",
];
const NOT_IN_ANSWERS: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade", "x-request-id"];

/// Different policies that are looked through for one to share.
const SHARED: usize = 16;

type Fields = Vec<(HeaderName, Option<HeaderValue>)>;

/// A policy that is ready to be kept.
#[derive(Debug, Default)]
pub(super) struct CompiledPolicy {
    pub policy: Policy,
    pub hsts: Option<HeaderValue>,
    pub request: Fields,
    pub response: Fields,
    pub pages: HashMap<u16, Bytes>,
    pub maintenance: Option<Bytes>,
    /// Who waits to come in.
    pub queue: Queue,
}

static NONE: LazyLock<Arc<CompiledPolicy>> = LazyLock::new(Arc::default);

impl CompiledPolicy {
    /// The rules of a route. Most routes have the same few, so those of the routes before are shared where they can be: `known` holds some.
    pub fn of(policy: Option<Box<Policy>>, host: &str, known: &mut Vec<Arc<Self>>) -> Arc<Self> {
        let Some(mut policy) = policy else { return NONE.clone() };
        // Whoever waits for a password waits in a queue of the route's own, and pages are taken out of the policy.
        let may_share = policy.logins.is_empty() && policy.pages.is_empty() && policy.maintenance.is_none();
        if may_share && let Some(same) = known.iter().find(|known| known.policy == *policy) {
            return same.clone();
        }
        let request = fields(&policy.request_headers, &NOT_IN_REQUESTS, host);
        let response = fields(&policy.response_headers, &NOT_IN_ANSWERS, host);
        let pages = std::mem::take(&mut policy.pages).into_iter().map(|(status, page)| (status, Bytes::from(page))).collect();
        let maintenance = policy.maintenance.as_mut().and_then(|maintenance| maintenance.page.take()).map(Bytes::from);
        let hsts = policy.hsts.as_ref().and_then(|hsts| HeaderValue::from_str(&hsts_value(hsts)).ok());
        let rules = Arc::new(CompiledPolicy { policy: *policy, hsts, request, response, pages, maintenance, queue: Queue::default() });
        if may_share && known.len() < SHARED {
            known.push(rules.clone());
        }
        rules
    }
}

fn hsts_value(hsts: &HstsRule) -> String {
    let subdomains = if hsts.include_subdomains { "; includeSubDomains" } else { "" };
    format!("max-age={}{subdomains}{}", hsts.max_age, if hsts.preload { "; preload" } else { "" })
}

fn fields(rules: &[HeaderRule], refused: &[&str], host: &str) -> Fields {
    let field = |rule: &HeaderRule| {
        let name = HeaderName::try_from(rule.name.as_str()).ok().filter(|name| !refused.contains(&name.as_str()));
        let value = rule.value.as_deref().map(HeaderValue::from_str).transpose().ok();
        let field = name.zip(value);
        if field.is_none() {
            warn!(host, name = ?rule.name, "a header rule cannot be used");
        }
        field
    };
    rules.iter().filter_map(field).collect()
}
