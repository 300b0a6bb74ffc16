//! What is sent to change routing, and how it is parsed: every wrong field is told at once, under the name that the API gives it.
use super::*;
use crate::error::{Error, Fields, Result};
use std::collections::BTreeSet;

/// Seconds of a day.
const DAY: u32 = 86_400;
const KIB: u64 = 1024;
/// The largest body that an application may ask to be let through: 10 GiB.
const LARGEST_BODY: u64 = 10 << 30;

/// The body of `PATCH /api/paas/applications/:id/routing`: what is left out stays, what is `null` is as the platform has it. Lists are
/// replaced wholly.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "maintenance": { "enabled": true, "retry_after_seconds": 600 },
    "response_headers": [{ "name": "X-Frame-Options", "value": "DENY" }, { "name": "Server", "value": null }],
    "limits": { "body_bytes": 10485760, "rate": { "per_second": 20, "burst": 40 } }
}))]
pub struct UpdateRouting {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceInput>,
    /// `auto`, `always` or `off`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub hsts: Option<Option<HstsInput>>,
    /// One without a password keeps the one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<Vec<LoginInput>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth_exceptions: Option<BasicAuthExceptionsInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_headers: Option<Vec<Header>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<Vec<Header>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<EdgeLimitsInput>,
    /// HTML by status; `null` removes one, and those that are not named stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_pages: Option<BTreeMap<String, Option<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balancing: Option<BalancingInput>,
    /// 0 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log_permille: Option<u32>,
}

/// Changes of maintenance.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub page: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub bypass: Option<Option<String>>,
}

/// What browsers shall remember.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HstsInput {
    pub max_age_seconds: u64,
    #[serde(default)]
    pub include_subdomains: bool,
    #[serde(default)]
    pub preload: bool,
}

/// A name and a password; the password is written, never read back.
#[derive(Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginInput {
    pub username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Changes of what passes without a login.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuthExceptionsInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflights: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_tokens: Option<bool>,
}

impl std::fmt::Debug for LoginInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginInput").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Changes of limits.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeLimitsInput {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub body_bytes: Option<Option<u64>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub rate: Option<Option<RateInput>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub body_timeout_seconds: Option<Option<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub response_timeout_seconds: Option<Option<u32>>,
}

/// How often one client may ask.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RateInput {
    pub per_second: u32,
    /// Twice as many as in a second where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
}

/// Changes of balancing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BalancingInput {
    /// `none`, `replica` or `release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start_seconds: Option<u32>,
    /// `http1` or `http2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// `none`, `tcp` or `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub probe_path: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub probe_interval_seconds: Option<Option<u32>>,
}

/// The body of `POST /api/paas/applications/:id/paths`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "path": "/api", "strip_path": true }))]
pub struct CreatePath {
    /// A proven domain of the organization, or the own host of one of its applications; this application's own where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    pub path: String,
    #[serde(default)]
    pub strip_path: bool,
}

/// A login that is wanted. Without a password it keeps the one that it has.
#[derive(Clone)]
pub struct WantedLogin {
    pub username: String,
    pub password: Option<String>,
}

fn within<T: PartialOrd + Copy>(fields: &mut Fields, name: &str, value: T, least: T, most: T, why: &str) -> T {
    if value < least || value > most {
        fields.refuse(name, why);
    }
    value
}

/// A page; one that is empty is none.
fn page(fields: &mut Fields, name: &str, text: Option<&str>) -> Option<String> {
    let text = text.filter(|text| !text.trim().is_empty())?;
    if text.len() > MAX_PAGE {
        fields.refuse(name, format!("A page has at most {} KiB. Put pictures and styles elsewhere and link to them.", MAX_PAGE / 1024));
    } else if text.contains('\0') {
        fields.refuse(name, "A page is text; it has no NUL characters.");
    }
    Some(text.to_string())
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

impl UpdateRouting {
    /// Lays what is given over the rules that are there. Answers with the rules, and with the logins where those are given.
    pub fn parse(&self, now: &Rules, known: &[String], at: Timestamp) -> Result<(Rules, Option<Vec<WantedLogin>>)> {
        let mut fields = Fields::default();
        let mut next = now.clone();
        if let Some(input) = &self.maintenance {
            maintenance(&mut fields, input, &mut next.maintenance, at);
        }
        if let Some(mode) = self.https.as_deref().and_then(|text| fields.take("https", text.parse())) {
            next.https = mode;
        }
        match &self.hsts {
            Some(Some(input)) => next.hsts = Some(hsts(&mut fields, input)),
            Some(None) => next.hsts = None,
            None => {}
        }
        if next.hsts.is_some() && next.https == HttpsMode::Off && (self.hsts.is_some() || self.https.is_some()) {
            fields.refuse("hsts", "HSTS makes browsers come by HTTPS only, and HTTPS is off here. Set HTTPS to auto, or take HSTS away.");
        }
        let logins = self.basic_auth.as_ref().map(|all| logins(&mut fields, all, known));
        if let Some(input) = &self.basic_auth_exceptions {
            let next = &mut next.basic_auth_exceptions;
            next.preflights = input.preflights.unwrap_or(next.preflights);
            next.bearer_tokens = input.bearer_tokens.unwrap_or(next.bearer_tokens);
        }
        if let Some(all) = &self.request_headers {
            next.request_headers = headers(&mut fields, all, Direction::Request);
        }
        if let Some(all) = &self.response_headers {
            next.response_headers = headers(&mut fields, all, Direction::Response);
        }
        if let Some(input) = &self.limits {
            limits(&mut fields, input, &mut next.limits);
        }
        if let Some(all) = &self.error_pages {
            error_pages(&mut fields, all, &mut next.error_pages);
        }
        let bytes = next.error_pages.values().chain(&next.maintenance.page).map(String::len).sum::<usize>();
        if bytes > MAX_PAGES {
            fields.refuse("error_pages", format!("All pages together have at most {} KiB. Make them smaller.", MAX_PAGES / 1024));
        }
        if let Some(input) = &self.balancing {
            balancing(&mut fields, input, &mut next.balancing);
        }
        if let Some(share) = self.access_log_permille {
            next.access_log_permille = within(&mut fields, "access_log_permille", share, 0, 1000, "0 to 1000 of 1000 requests.") as u16;
        }
        fields.done()?;
        Ok((next, logins))
    }
}

fn maintenance(fields: &mut Fields, input: &MaintenanceInput, next: &mut Maintenance, at: Timestamp) {
    if let Some(enabled) = input.enabled.filter(|enabled| *enabled != next.enabled) {
        next.enabled = enabled;
        next.since = enabled.then_some(at);
    }
    if let Some(text) = &input.page {
        next.page = page(fields, "maintenance.page", text.as_deref());
    }
    if let Some(seconds) = input.retry_after_seconds {
        let why = "Visitors are told to come back after 1 second to 24 hours.";
        next.retry_after_seconds = within(fields, "maintenance.retry_after_seconds", seconds, 1, DAY, why);
    }
    if let Some(path) = &input.bypass {
        let path = given(path).and_then(|text| fields.take("maintenance.bypass", text.parse::<PathPrefix>()));
        next.bypass = path.map(String::from);
    }
}

fn hsts(fields: &mut Fields, input: &HstsInput) -> Hsts {
    let why = "Browsers remember it for 0 seconds to two years (63072000).";
    let max_age_seconds = within(fields, "hsts.max_age_seconds", input.max_age_seconds, 0, MAX_HSTS, why);
    if input.preload && (max_age_seconds < PRELOAD_HSTS || !input.include_subdomains) {
        fields.refuse(
            "hsts.preload",
            "Preload lists ask for a year at least (31536000 seconds) and for all subdomains. Set both, or leave preload out.",
        );
    }
    Hsts { max_age_seconds, include_subdomains: input.include_subdomains, preload: input.preload }
}

/// Checks a name that visitors sign in with.
fn username(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("Give a name to sign in with.".into()),
        name if name.chars().count() > 64 => Err("A name has at most 64 characters.".into()),
        name if name.contains(':') => Err("A name has no colon: it parts the name from the password.".into()),
        name if name.contains(char::is_control) => Err("A name has no control characters.".into()),
        name => Ok(name.to_string()),
    }
}

fn password(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..8 => Err("A password has at least 8 characters.".into()),
        129.. => Err("A password has at most 128 characters.".into()),
        _ if text.contains(char::is_control) => Err("A password has no control characters.".into()),
        _ => Ok(text.to_string()),
    }
}

fn logins(fields: &mut Fields, all: &[LoginInput], known: &[String]) -> Vec<WantedLogin> {
    if all.len() > MAX_LOGINS {
        fields.refuse("basic_auth", format!("At most {MAX_LOGINS} names. For more people, let the application sign them in."));
        return Vec::new();
    }
    let (mut good, mut seen) = (Vec::with_capacity(all.len()), BTreeSet::new());
    for (at, login) in all.iter().enumerate() {
        let (name_field, password_field) = (format!("basic_auth[{at}].username"), format!("basic_auth[{at}].password"));
        let name = fields.take(&name_field, username(&login.username));
        let given = login.password.as_deref().filter(|text| !text.is_empty());
        let password = fields.take(&password_field, given.map(password).transpose());
        let (Some(username), Some(password)) = (name, password) else { continue };
        if !seen.insert(username.clone()) {
            fields.refuse(&name_field, "This name is there twice. Name it once.");
        }
        if password.is_none() && !known.contains(&username) {
            fields.refuse(&password_field, "Give a password; only a name that is there already may keep its own.");
        }
        good.push(WantedLogin { username, password });
    }
    good
}

fn limits(fields: &mut Fields, input: &EdgeLimitsInput, next: &mut Limits) {
    if let Some(bytes) = input.body_bytes {
        let why = "A body may be limited to 1 KiB up to 10 GiB.";
        next.body_bytes = bytes.map(|bytes| within(fields, "limits.body_bytes", bytes, KIB, LARGEST_BODY, why));
    }
    if let Some(rate) = &input.rate {
        next.rate = rate.as_ref().map(|rate| {
            let per_second = within(fields, "limits.rate.per_second", rate.per_second, 1, 10_000, "1 to 10000 requests per second.");
            let burst = rate.burst.unwrap_or(per_second.saturating_mul(2));
            Rate { per_second, burst: within(fields, "limits.rate.burst", burst, 1, 100_000, "1 to 100000 requests at once.") }
        });
    }
    if let Some(seconds) = input.body_timeout_seconds {
        let why = "A visitor may be silent for 1 second to an hour (3600).";
        next.body_timeout_seconds = seconds.map(|seconds| within(fields, "limits.body_timeout_seconds", seconds, 1, 3600, why));
    }
    if let Some(seconds) = input.response_timeout_seconds {
        let why = "A replica may be silent for 1 second to an hour (3600).";
        next.response_timeout_seconds = seconds.map(|seconds| within(fields, "limits.response_timeout_seconds", seconds, 1, 3600, why));
    }
}

fn error_pages(fields: &mut Fields, all: &BTreeMap<String, Option<String>>, next: &mut BTreeMap<String, String>) {
    for (status, text) in all {
        let known = PAGE_STATUSES.iter().any(|(known, _)| known.to_string() == *status);
        if !known {
            let list: Vec<String> = PAGE_STATUSES.iter().map(|(status, _)| status.to_string()).collect();
            let status: String = status.chars().take(20).collect();
            let why = format!("The edge answers no {status} by itself in an application’s place. Pages may stand for {}.", list.join(", "));
            fields.refuse(&format!("error_pages.{status}"), why);
            continue;
        }
        match page(fields, &format!("error_pages.{status}"), text.as_deref()) {
            Some(page) => drop(next.insert(status.clone(), page)),
            None => drop(next.remove(status)),
        }
    }
}

fn balancing(fields: &mut Fields, input: &BalancingInput, next: &mut Balancing) {
    if let Some(sticky) = input.sticky.as_deref().and_then(|text| fields.take("balancing.sticky", text.parse())) {
        next.sticky = sticky;
    }
    if let Some(seconds) = input.slow_start_seconds {
        let why = "A replica may be given less for 0 to 600 seconds.";
        next.slow_start_seconds = within(fields, "balancing.slow_start_seconds", seconds, 0, 600, why);
    }
    if let Some(protocol) = input.protocol.as_deref().and_then(|text| fields.take("balancing.protocol", text.parse())) {
        next.protocol = protocol;
    }
    if let Some(probe) = input.probe.as_deref().and_then(|text| fields.take("balancing.probe", text.parse())) {
        next.probe = probe;
    }
    if let Some(path) = &input.probe_path {
        next.probe_path = given(path).and_then(|text| fields.take("balancing.probe_path", probe_path(text)));
    }
    if let Some(seconds) = input.probe_interval_seconds {
        let why = "Replicas are probed every 1 to 300 seconds.";
        next.probe_interval_seconds = seconds.map(|seconds| within(fields, "balancing.probe_interval_seconds", seconds, 1, 300, why));
    }
}

fn probe_path(text: &str) -> Result<String, String> {
    let is_good = text.starts_with('/') && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    is_good.then(|| text.to_string()).ok_or_else(|| "A path begins with a slash and has at most 200 characters, like /healthz.".into())
}

impl CreatePath {
    /// The host as typed, tidied, and the path.
    pub fn parse(&self) -> Result<(Option<String>, PathPrefix)> {
        let mut fields = Fields::default();
        let host = self.host.as_deref().map(|text| text.trim().trim_end_matches('.').to_lowercase()).filter(|text| !text.is_empty());
        if host.as_ref().is_some_and(|host| host.len() > 253 || host.contains(['/', ' ', '@', '\0'])) {
            fields.refuse("host", "Give the host alone, like shop.example.com, without https:// and without a path.");
        }
        // As it is kept.
        let host = host.map(|host| idna::domain_to_ascii_strict(&host).unwrap_or(host));
        let path = fields.take("path", self.path.parse());
        fields.done()?;
        path.map(|path| (host, path)).ok_or_else(|| Error::invalid("path", "Give a path, like /api."))
    }
}

/// Tells "left out" (outer none) from "null" (inner none) in a body.
mod or_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(from).map(Some)
    }

    pub fn serialize<S: Serializer, T: Serialize>(value: &Option<Option<T>>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(|inner| inner.as_ref()).serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: serde_json::Value) -> Result<(Rules, Option<Vec<WantedLogin>>), Vec<String>> {
        let input: UpdateRouting = serde_json::from_value(body).unwrap();
        input.parse(&Rules::default(), &["ada".into()], Timestamp(1)).map_err(|why| match why {
            Error::Invalid(fields) => fields.into_iter().map(|it| it.field).collect(),
            other => panic!("{other}"),
        })
    }

    #[test]
    fn a_paths_host_is_meant_as_it_is_kept() {
        for (typed, kept) in
            [("Bücher.example.", "xn--bcher-kva.example"), ("web.localhost", "web.localhost"), ("SHOP.example", "shop.example")]
        {
            let input: CreatePath = serde_json::from_value(serde_json::json!({ "host": typed, "path": "/api" })).unwrap();
            assert_eq!(input.parse().unwrap().0.as_deref(), Some(kept));
        }
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_null_goes() {
        let (rules, logins) = parsed(serde_json::json!({ "maintenance": { "enabled": true }, "limits": { "body_bytes": 2048 } })).unwrap();
        assert!(rules.maintenance.enabled && rules.maintenance.since == Some(Timestamp(1)) && logins.is_none());
        assert_eq!((rules.limits.body_bytes, rules.https), (Some(2048), HttpsMode::Auto));
        let input: UpdateRouting = serde_json::from_value(serde_json::json!({ "limits": { "body_bytes": null } })).unwrap();
        let (after, _) = input.parse(&rules, &[], Timestamp(2)).unwrap();
        assert_eq!((after.limits.body_bytes, after.maintenance.since), (None, Some(Timestamp(1))));
        assert_eq!(after.differences(&rules), ["limits"]);
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let wrong = parsed(serde_json::json!({
            "maintenance": { "retry_after_seconds": 0, "bypass": "x" },
            "https": "maybe",
            "hsts": { "max_age_seconds": 1, "preload": true },
            "basic_auth": [{ "username": "a:b", "password": "long enough" }, { "username": "new" }, { "username": "x", "password": "short" }],
            "response_headers": [{ "name": "Connection", "value": "close" }, { "name": "X", "value": "a\nb" }],
            "limits": { "body_bytes": 1, "rate": { "per_second": 0 }, "response_timeout_seconds": 4000 },
            "error_pages": { "404": "x" },
            "balancing": { "sticky": "glue", "slow_start_seconds": 601, "probe_path": "x" },
            "access_log_permille": 1001
        }));
        let expected = [
            "maintenance.retry_after_seconds",
            "maintenance.bypass",
            "https",
            "hsts.preload",
            "basic_auth[0].username",
            "basic_auth[1].password",
            "basic_auth[2].password",
            "response_headers[0].name",
            "response_headers[1].value",
            "limits.body_bytes",
            "limits.rate.per_second",
            "limits.rate.burst",
            "limits.response_timeout_seconds",
            "error_pages.404",
            "balancing.sticky",
            "balancing.slow_start_seconds",
            "balancing.probe_path",
            "access_log_permille",
        ];
        assert_eq!(wrong.err().unwrap(), expected);
    }

    #[test]
    fn lists_and_pages_are_bounded() {
        let many: Vec<_> = (0..21).map(|n| serde_json::json!({ "name": format!("X-{n}"), "value": "1" })).collect();
        assert_eq!(parsed(serde_json::json!({ "request_headers": many })).err().unwrap(), ["request_headers"]);
        let many: Vec<_> = (0..21).map(|n| serde_json::json!({ "username": format!("u{n}"), "password": "long enough" })).collect();
        assert_eq!(parsed(serde_json::json!({ "basic_auth": many })).err().unwrap(), ["basic_auth"]);
        let large = "x".repeat(MAX_PAGE + 1);
        assert_eq!(parsed(serde_json::json!({ "error_pages": { "503": large } })).err().unwrap(), ["error_pages.503"]);
        let full = "x".repeat(MAX_PAGE);
        let five = serde_json::json!({ "error_pages": { "401": full, "413": full, "429": full, "502": full, "503": full } });
        assert_eq!(parsed(five).err().unwrap(), ["error_pages"]);
        let (kept, logins) = parsed(serde_json::json!({ "basic_auth": [{ "username": " ada " }] })).unwrap();
        assert_eq!(kept, Rules::default());
        assert_eq!(logins.unwrap()[0].username, "ada");
    }

    #[test]
    fn hsts_does_not_go_with_plain_http() {
        let hsts = serde_json::json!({ "max_age_seconds": 31536000, "include_subdomains": true, "preload": true });
        assert!(parsed(serde_json::json!({ "hsts": hsts })).is_ok());
        assert_eq!(parsed(serde_json::json!({ "hsts": hsts, "https": "off" })).err().unwrap(), ["hsts"]);
    }
}
