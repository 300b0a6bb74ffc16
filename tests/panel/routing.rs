//! What customers ask of the edge, by form and by the API, and what visitors get of it: maintenance, HTTPS, passwords, headers, limits,
//! pages, balancing, and paths under other addresses.
use crate::support::{
    client::{Person, Reply},
    panel::{App, PATIENCE, TestPanel},
};
use axum::{Json, Router, extract::Request};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::{Value, json};
use skypanel::edges::server::material::EdgeMaterial;
use skypanel::orgs::server::ROUTES;
use skypanel::{
    deployments::server::task::routes,
    domains::server::material,
    edge::{Policy, ProbeCheck, Sticky},
    edges::server::material::{KeyPem, Material, Served},
    fault::Because,
    id::DomainId,
    rights::Role,
    store::tables::domain,
    swarm::fake::Answer,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// A server that answers with what it was asked.
async fn echo() -> SocketAddr {
    let tell = async |request: Request| {
        let headers: serde_json::Map<String, Value> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()))
            .collect();
        let uri = request.uri().to_string();
        ([("x-powered-by", "echo")], Json(json!({ "uri": uri, "headers": headers })))
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(tell)).await.unwrap() });
    address
}

/// An application that echoes, live on a panel of its own.
struct Site {
    t: TestPanel,
    app: App,
}

struct Got {
    status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the application was asked.
    fn asked(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }
}

impl Site {
    async fn open() -> Self {
        let t = TestPanel::with(|config| config.edge.listen_tls = vec![([127, 0, 0, 1], 0).into()]).await;
        let address = echo().await;
        t.fake.serve_with(move |_| Some(address));
        let app = t.app_in("acme").await;
        t.deploy_well(&app).await;
        Site { t, app }
    }

    /// Somebody else's application, live as well.
    async fn another(&self, org: &str) -> App {
        let app = self.t.app_in(org).await;
        self.t.deploy_well(&app).await;
        app
    }

    async fn host(&self, app: &App) -> String {
        format!("{}.{}", self.t.app_row(app).await.host, self.t.panel.config.edge.apps_domain)
    }

    async fn routing(&self) -> Reply {
        self.app.owner.get(&self.app.url("routing")).await
    }

    /// Asks by the API.
    async fn patch(&self, body: Value) -> Reply {
        let reply = self.app.owner.patch(&self.app.url("routing"), body).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        self.live().await;
        reply
    }

    /// Posts a form of a page of the application, and insists that it was taken.
    async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) {
        let reply = self.post(page, action, fields).await;
        assert_eq!(reply.status(), 303, "{action}: {}", reply.text());
        self.live().await;
    }

    async fn post(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Reply {
        let (browser, id) = (&self.app.owner.browser, self.app.id.to_string());
        let version = self.routing().await.data()["version"].to_string();
        let mut all = vec![("_action", action), ("_csrf", browser.header("x-csrf-token")), ("id", &id), ("version", &version)];
        all.extend(fields);
        browser.submit(&format!("/applications/{id}/{page}"), &all).await
    }

    /// Whoever changed something has woken the loop that tells the edge.
    async fn live(&self) {
        let woken = tokio::time::timeout(Duration::from_millis(100), self.t.panel.waker(ROUTES).notified()).await;
        assert!(woken.is_ok(), "nobody woke the routes");
        routes::pass(&self.t.panel).await.unwrap();
    }

    async fn visit(&self, path: &str, headers: &[(&str, &str)]) -> Got {
        let host = self.host(&self.app).await;
        self.ask("GET", &host, path, headers, Vec::new()).await
    }

    async fn ask(&self, method: &str, host: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Got {
        let edge = self.t.panel.edge.as_ref().unwrap().addresses()[0];
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), format!("http://{edge}{path}")).header("host", host).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        Got { status: answer.status().as_u16(), headers: answer.headers().clone(), text: answer.text().await.unwrap() }
    }

    /// What the edge was told last of the application's own host.
    async fn policy(&self) -> Policy {
        let routes = self.t.panel.routes.lock().await;
        let own = routes.routes.iter().find(|route| route.app == self.app.id.to_string()).unwrap();
        *own.policy.clone().unwrap()
    }
}

const HTML: (&str, &str) = ("accept", "text/html");

#[tokio::test]
async fn maintenance_is_one_click_away_and_back() {
    let site = Site::open().await;
    assert_eq!(site.visit("/", &[]).await.status, 200);
    site.submit("routing", "begin_maintenance", &[]).await;
    let got = site.visit("/shop", &[HTML]).await;
    assert_eq!((got.status, got.header("retry-after")), (503, "300"));
    assert!(got.text.contains("being worked on"), "{}", got.text);
    let browser = &site.app.owner.browser;
    for page in ["", "/routing"] {
        let page = browser.get(&format!("/applications/{}{page}", site.app.id)).await;
        assert!(page.text().contains("In maintenance") && page.text().contains("end_maintenance"));
    }
    let fields = [("page", "<h1>Moving house</h1>"), ("retry_after_minutes", "10"), ("bypass", "/status/")];
    site.submit("routing", "save_maintenance", &fields).await;
    let got = site.visit("/shop", &[HTML]).await;
    assert_eq!((got.status, got.header("retry-after"), got.text.as_str()), (503, "600", "<h1>Moving house</h1>"));
    assert!(site.visit("/shop", &[]).await.text.contains("APPLICATION_IN_MAINTENANCE"), "a program is told so in a line");
    assert_eq!(site.visit("/status/deep", &[]).await.status, 200);
    assert_eq!(site.visit("/statuses", &[]).await.status, 503);
    site.submit("", "end_maintenance", &[]).await;
    assert_eq!(site.visit("/shop", &[]).await.status, 200);
    let back = site.patch(json!({ "maintenance": { "enabled": true } })).await;
    assert_eq!(back.data()["maintenance"]["page"], "<h1>Moving house</h1>", "the page is kept");
    assert!(back.data()["maintenance"]["since"].is_string());
    let stored = site.t.stored().await;
    assert!(stored.contains("application.maintenance_begun") && stored.contains("application.maintenance_ended"));
}

#[tokio::test]
async fn plain_http_is_sent_to_https_where_there_is_a_certificate_or_as_the_owner_wishes() {
    let site = Site::open().await;
    let host = site.host(&site.app).await;
    assert_eq!(site.visit("/", &[]).await.status, 200, "there is no certificate");
    let apps = &site.t.panel.config.edge.apps_domain;
    let served = Served { name: format!("*.{apps}"), chain: "none".into(), key: KeyPem("none".into()), fingerprint: "x".into() };
    site.t.panel.of::<EdgeMaterial>().store(Arc::new(Material { certificates: vec![served], ..Material::default() }));
    routes::pass(&site.t.panel).await.unwrap();
    let got = site.visit("/a?b=c", &[]).await;
    let place = got.header("location");
    assert!(got.status == 308 && place.starts_with(&format!("https://{host}")) && place.ends_with("/a?b=c"), "{} {place}", got.status);
    site.submit("routing", "save_https", &[("https", "off")]).await;
    assert_eq!(site.visit("/", &[]).await.status, 200);
    site.t.panel.of::<EdgeMaterial>().store(Arc::default());
    let hsts = json!({ "max_age_seconds": 63072000, "include_subdomains": true, "preload": true });
    site.patch(json!({ "https": "always", "hsts": hsts })).await;
    assert_eq!(site.visit("/", &[]).await.status, 308);
    let told = site.policy().await.hsts.unwrap();
    assert_eq!((told.max_age, told.include_subdomains, told.preload), (63_072_000, true, true));
    let refused = site.post("routing", "save_https", &[("https", "off"), ("hsts", "true"), ("hsts_days", "30")]).await;
    assert!(refused.status() == 400 && refused.text().contains("HTTPS is off here"), "{}", refused.status());
    site.patch(json!({ "https": "auto", "hsts": null })).await;
    assert_eq!((site.visit("/", &[]).await.status, site.policy().await.hsts), (200, None));
}

#[tokio::test]
async fn passwords_keep_strangers_out_and_are_never_shown() {
    let site = Site::open().await;
    let secret = "correct-horse-battery";
    site.submit("routing/access", "set_login", &[("username", "ada"), ("password", secret)]).await;
    let got = site.visit("/", &[HTML]).await;
    assert!(got.status == 401 && got.header("www-authenticate").starts_with("Basic"), "{}", got.status);
    let basic = |pair: &str| {
        use base64::Engine;
        format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(pair))
    };
    let status = async |pair: &str| site.visit("/", &[("authorization", &basic(pair))]).await.status;
    assert_eq!(status(&format!("ada:{secret}")).await, 200);
    assert_eq!(status("ada:wrong").await, 401);
    site.patch(json!({ "basic_auth": [{ "username": "ada" }, { "username": "grace", "password": "another-long-one" }] })).await;
    assert_eq!(status(&format!("ada:{secret}")).await, 200, "she keeps hers");
    assert_eq!(status("grace:another-long-one").await, 200);
    let shown = site.routing().await;
    assert_eq!(shown.data()["basic_auth"], json!([{ "username": "ada" }, { "username": "grace" }]));
    let page = site.app.owner.browser.get(&format!("/applications/{}/routing/access", site.app.id)).await.text();
    assert!(page.contains("grace"));
    for text in [shown.text(), page, site.t.stored().await] {
        assert!(!text.contains(secret) && !text.contains("another-long-one"));
    }
    assert!(!shown.text().contains("argon2"));
    let again = site.post("routing/access", "set_login", &[("username", "a:b"), ("password", "short")]).await;
    assert!(again.status() == 400 && again.text().contains("no colon") && again.text().contains("at least 8"), "{}", again.text());
    assert!(!again.text().contains("\"short\""));
    site.submit("routing/access", "remove_login", &[("username", "ada")]).await;
    assert_eq!(status(&format!("ada:{secret}")).await, 401);
    site.patch(json!({ "basic_auth": [] })).await;
    assert_eq!(site.visit("/", &[]).await.status, 200);
}

#[tokio::test]
async fn preflights_and_bearer_tokens_pass_the_passwords_where_an_application_says_so() {
    let site = Site::open().await;
    site.patch(json!({ "basic_auth": [{ "username": "ada", "password": "correct-horse" }] })).await;
    let bearer = async || site.visit("/", &[("authorization", "Bearer theirs")]).await.status;
    assert_eq!(bearer().await, 401, "off by default");
    assert_eq!(site.routing().await.data()["basic_auth_exceptions"], json!({ "preflights": false, "bearer_tokens": false }));
    site.patch(json!({ "basic_auth_exceptions": { "bearer_tokens": true } })).await;
    assert_eq!(bearer().await, 200);
    let page = site.app.owner.browser.get(&format!("/applications/{}/routing/access", site.app.id)).await.text();
    assert!(page.contains("CORS preflights") && page.contains("The edge can’t check it; the application must."));
    site.submit("routing/access", "save_login_exceptions", &[("preflights", "true")]).await;
    let exceptions = site.policy().await.login_exceptions;
    assert!(exceptions.preflights && !exceptions.bearer_tokens, "{exceptions:?}");
    assert_eq!(bearer().await, 401);
}

#[tokio::test]
async fn headers_are_set_and_removed_on_their_way() {
    let site = Site::open().await;
    assert_eq!(site.visit("/", &[]).await.header("x-powered-by"), "echo");
    let set = |direction, name, value| vec![("direction", direction), ("name", name), ("value", value)];
    site.submit("routing/headers", "set_header", &set("response", "X-Frame-Options", "SAMEORIGIN")).await;
    site.submit("routing/headers", "set_header", &set("response", "x-frame-options", "DENY")).await;
    site.submit("routing/headers", "set_header", &set("request", "X-Stage", "blue")).await;
    site.submit("routing/headers", "set_header", &[("direction", "response"), ("name", "X-Powered-By"), ("take_away", "true")]).await;
    let got = site.visit("/", &[("x-stage", "green")]).await;
    assert_eq!((got.header("x-frame-options"), got.header("x-powered-by")), ("DENY", ""));
    assert_eq!(got.asked()["headers"]["x-stage"], "blue", "the outside does not get its way");
    site.submit("routing/headers", "remove_header", &[("direction", "response"), ("name", "X-Powered-By")]).await;
    assert_eq!(site.visit("/", &[]).await.header("x-powered-by"), "echo");
    for (name, value, word) in [
        ("Connection", "close", "belongs to one connection"),
        ("X_Forwarded_For", "1.2.3.4", "so that it can be believed"),
        ("X Y", "1", "without spaces"),
        ("X-Y", "a\r\nSet-Cookie: b", "line breaks"),
        ("X-Y", "", "Give a value"),
    ] {
        let refused = site.post("routing/headers", "set_header", &set("request", name, value)).await;
        assert!(refused.status() == 400 && refused.text().contains(word), "{name}: {} {}", refused.status(), refused.text());
    }
    let both = json!({ "response_headers": [{ "name": "Content-Length", "value": "1" }, { "name": "X", "value": "a\nb" }] });
    let refused = site.app.owner.patch(&site.app.url("routing"), both).await;
    assert!(refused.status() == 400 && refused.text().contains("response_headers[0].name"), "{}", refused.text());
}

#[tokio::test]
async fn limits_hold_for_one_request_and_for_one_visitor() {
    let site = Site::open().await;
    let host = site.host(&site.app).await;
    site.submit("routing/limits", "save_limits", &[("body_mib", "1"), ("response_timeout_seconds", "1")]).await;
    let send = async |bytes: usize| site.ask("POST", &host, "/", &[], vec![b'x'; bytes]).await.status;
    assert_eq!((send(1 << 20).await, send((1 << 20) + 1).await), (200, 413));
    site.patch(json!({ "limits": { "rate": { "per_second": 1, "burst": 2 } } })).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(site.visit("/", &[]).await);
    }
    let many: Vec<&Got> = answers.iter().filter(|got| got.status == 429).collect();
    assert!(!many.is_empty() && many.iter().all(|got| got.header("retry-after").parse::<u32>().is_ok()), "{}", answers.len());
    let limits = site.routing().await.data()["limits"].clone();
    assert_eq!((&limits["body_bytes"], &limits["rate"]["burst"]), (&json!(1 << 20), &json!(2)), "what was not named stays");
    site.submit("routing/limits", "save_limits", &[]).await;
    assert_eq!(send((1 << 20) + 1).await, 200, "an empty form asks for nothing");
    let wrong = [("body_mib", "a lot"), ("rate_burst", "5")];
    let refused = site.post("routing/limits", "save_limits", &wrong).await;
    assert!(refused.text().contains("Give a whole number.") && refused.text().contains("value=\"a lot\""), "{}", refused.text());
}

#[tokio::test]
async fn a_replica_may_be_silent_as_long_as_its_owner_says() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let site = Site { app, t };
    let live = site.t.deploy_well(&site.app).await;
    site.patch(json!({ "limits": { "response_timeout_seconds": 1 }, "error_pages": { "504": "<p>Too slow" } })).await;
    site.t.fake.answer(&live.id.to_string(), Answer::Silence);
    let got = site.visit("/", &[HTML]).await;
    assert_eq!((got.status, got.text.as_str()), (504, "<p>Too slow"));
}

#[tokio::test]
async fn pages_of_the_owners_stand_for_what_the_edge_answers() {
    let site = Site::open().await;
    site.submit("routing/pages", "set_error_page", &[("status", "503"), ("page", "<p>Closed on Sundays")]).await;
    assert_eq!(site.app.owner.post(&site.app.url("stop"), json!({})).await.status(), 200);
    site.t.settle().await;
    let got = site.visit("/", &[HTML]).await;
    assert_eq!((got.status, got.text.as_str(), got.header("content-type")), (503, "<p>Closed on Sundays", "text/html; charset=utf-8"));
    assert!(site.visit("/", &[("accept", "application/json")]).await.text.contains("APPLICATION_STOPPED"));
    site.submit("routing/pages", "remove_error_page", &[("status", "503")]).await;
    assert!(site.visit("/", &[HTML]).await.text.contains("is stopped"));
    for (status, page, word) in [("404", "x", "Pages may stand for"), ("503", " ", "Give the page"), ("x", "y", "Pages may stand for")] {
        let refused = site.post("routing/pages", "set_error_page", &[("status", status), ("page", page)]).await;
        assert!(refused.status() == 400 && refused.text().contains(word), "{status}: {}", refused.text());
    }
}

#[tokio::test]
async fn visitors_are_led_back_and_new_replicas_begin_slowly_where_the_owner_says_so() {
    let site = Site::open().await;
    assert!(site.visit("/", &[]).await.headers.get("set-cookie").is_none());
    let fields = [
        ("sticky", "replica"),
        ("slow_start_seconds", "30"),
        ("protocol", "http1"),
        ("probe", "http"),
        ("probe_path", "/healthz"),
        ("probe_interval_seconds", "3"),
    ];
    site.submit("routing/balancing", "save_balancing", &fields).await;
    assert!(site.visit("/", &[]).await.headers.get("set-cookie").is_some());
    let balance = site.policy().await.balance;
    assert_eq!((balance.sticky, balance.slow_start), (Some(Sticky::Task), Duration::from_secs(30)));
    let probe = balance.probe.unwrap();
    assert_eq!((probe.check, probe.interval), (ProbeCheck::Http { path: "/healthz".into(), host: String::new() }, Duration::from_secs(3)));
    site.submit("routing", "save_access_log", &[("percent", "2.5")]).await;
    assert_eq!(site.policy().await.access_permille, 25);
    site.patch(json!({ "balancing": { "protocol": "http2", "sticky": "none" }, "access_log_permille": 0 })).await;
    let routes = site.t.panel.routes.lock().await;
    let own = routes.routes.iter().find(|route| route.app == site.app.id.to_string()).unwrap();
    assert!(matches!(&own.target, skypanel::edge::Target::Tasks { backends, .. } if backends.iter().all(|backend| backend.h2c)));
}

#[tokio::test]
async fn a_path_of_an_address_leads_to_another_application_of_the_organization() {
    let site = Site::open().await;
    let (api, other) = (site.another("acme").await, site.another("globex").await);
    let (host, foreign) = (site.host(&site.app).await, site.host(&other).await);
    let marked = json!({ "request_headers": [{ "name": "X-App", "value": "api" }] });
    assert_eq!(api.owner.patch(&api.url("routing"), marked).await.status(), 200);
    site.live().await;
    let body = json!({ "host": host.to_uppercase(), "path": "/api/", "strip_path": true });
    let made = api.owner.post(&api.url("paths"), body.clone()).await;
    assert_eq!((made.status(), &made.data()["path"], &made.data()["active"]), (201, &json!("/api"), &json!(true)), "{}", made.text());
    site.live().await;
    let got = site.visit("/api/users?x=1", &[]).await.asked();
    assert_eq!((&got["uri"], &got["headers"]["x-app"]), (&json!("/users?x=1"), &json!("api")));
    let rest = site.visit("/apis", &[]).await.asked();
    assert!(rest["headers"]["x-app"].is_null() && rest["uri"] == "/apis");
    let twice = site.app.owner.post(&site.app.url("paths"), json!({ "path": "/api" })).await;
    assert!(twice.status() == 409 && twice.text().contains(&api.name), "{}", twice.text());
    for (host, path, field) in
        [(foreign.as_str(), "/x", "host"), ("nobody.example", "/x", "host"), (host.as_str(), "/", "path"), ("a b", "x", "host")]
    {
        let refused = api.owner.post(&api.url("paths"), json!({ "host": host, "path": path })).await;
        assert_eq!((refused.status(), refused.fields()[0]), (400, field), "{host}{path}");
    }
    let page = site.app.owner.browser.get(&format!("/applications/{}/routing/paths", site.app.id)).await.text();
    assert!(page.contains("Led elsewhere") && page.contains(&api.name), "its owner sees who took it");
    // Whoever is not of the organization sees and removes nothing.
    let id = made.data()["id"].as_str().unwrap();
    assert_eq!(other.owner.delete(&api.url(&format!("paths/{id}"))).await.status(), 404);
    assert_eq!(other.owner.delete(&other.url(&format!("paths/{id}"))).await.code(), "PATH_NOT_FOUND");
    assert_eq!(api.owner.delete(&api.url(&format!("paths/{id}"))).await.status(), 200);
    site.live().await;
    assert_eq!(site.visit("/api/users", &[]).await.asked()["uri"], "/api/users");
    assert_eq!(api.owner.post(&api.url("paths"), body.clone()).await.status(), 201);
    assert_eq!(api.owner.delete(&api.url("")).await.status(), 200);
    site.t.settle().await;
    assert_eq!(site.visit("/api/users", &[]).await.asked()["uri"], "/api/users", "it went with its application");
    site.submit("routing/paths", "add_path", &[("host", ""), ("path", "/api"), ("strip_path", "true")]).await;
    assert_eq!(site.visit("/api/users", &[]).await.asked()["uri"], "/users", "and is free again");
}

/// A domain that is proven.
async fn prove(site: &Site, owner: &Person, app: &App, name: &str) -> DomainId {
    let made = owner.post("/api/paas/domains", json!({ "application_id": app.id, "domain": name })).await;
    let id: DomainId = made.data()["id"].as_str().unwrap_or_else(|| panic!("{}", made.text())).parse().unwrap();
    let row = domain::ActiveModel { id: Set(id.clone()), verified_at: Set(Some(site.t.panel.now())), ..Default::default() };
    site.t.panel.db.tx(async |tx| row.update(tx).await.because("proving a domain")).await.unwrap();
    material::publish(&site.t.panel).await.unwrap();
    routes::pass(&site.t.panel).await.unwrap();
    id
}

#[tokio::test]
async fn a_path_of_a_domain_goes_with_the_domain() {
    let site = Site::open().await;
    let api = site.another("acme").await;
    let id = prove(&site, &site.app.owner, &site.app, "shop.example.org").await;
    let take = json!({ "host": "shop.example.org", "path": "/api", "strip_path": true });
    assert_eq!(api.owner.post(&api.url("paths"), take.clone()).await.status(), 201);
    site.live().await;
    let uri = async || site.ask("GET", "shop.example.org", "/api/x", &[], Vec::new()).await.asked()["uri"].clone();
    assert_eq!(uri().await, "/x");
    assert_eq!(site.app.owner.delete(&format!("/api/paas/domains/{id}")).await.status(), 200);
    routes::pass(&site.t.panel).await.unwrap();
    assert_eq!(site.ask("GET", "shop.example.org", "/api/x", &[], Vec::new()).await.status, 404);
    assert_eq!(api.owner.get(&api.url("paths")).await.data(), &json!([]));
    // Whoever proves the name next has all of it.
    let other = site.another("globex").await;
    prove(&site, &other.owner, &other, "shop.example.org").await;
    assert_eq!(uri().await, "/api/x");
    let refused = api.owner.post(&api.url("paths"), take).await;
    assert_eq!((refused.status(), refused.fields()), (400, vec!["host"]));
}

#[tokio::test]
async fn two_editors_of_routing_do_not_overwrite_each_other() {
    let site = Site::open().await;
    let ada = &site.app.owner;
    let first = site.routing().await;
    assert_eq!((first.header("etag"), &first.data()["version"]), ("\"0\"", &json!(0)));
    let known = ada.script.with("if-match", first.header("etag"));
    let done = known.patch(&site.app.url("routing"), json!({ "https": "off" })).await;
    assert_eq!((done.status(), done.header("etag")), (200, "\"1\""));
    let late = known.patch(&site.app.url("routing"), json!({ "https": "always" })).await;
    assert_eq!((late.status(), late.code()), (409, "CONFLICT"));
    assert_eq!(site.routing().await.data()["https"], "off");
    let same = ada.patch(&site.app.url("routing"), json!({ "https": "off" })).await;
    assert_eq!(same.header("etag"), "\"1\"", "nothing changed");
    let id = site.app.id.to_string();
    let old = [("id", id.as_str()), ("version", "0"), ("percent", "10")];
    let late = ada.browser.call("/fn/skypanel/routing/fns/save_access_log", &old).await;
    assert_eq!(late.unwrap_err().status(), 409);
    let viewer = site.t.member("acme", Role::Viewer).await;
    let page = viewer.browser.get(&format!("/applications/{id}/routing")).await;
    assert!(page.status() == 200 && page.text().contains("Begin maintenance") && page.text().contains("disabled"));
    for part in ["access", "headers", "limits", "pages", "balancing", "paths"] {
        assert_eq!(viewer.browser.get(&format!("/applications/{id}/routing/{part}")).await.status(), 200, "{part}");
    }
}

#[tokio::test]
async fn the_rules_of_many_applications_take_two_questions() {
    let site = Site::open().await;
    let mut counts = Vec::new();
    for more in [3, 12] {
        for _ in 0..more {
            let app = site.t.app_in("acme").await;
            assert_eq!(app.owner.patch(&app.url("routing"), json!({ "https": "off" })).await.status(), 200);
        }
        let count = async || {
            site.t.heard.begin();
            skypanel::routing::server::policies(&site.t.panel).await.unwrap();
            site.t.heard.end().len()
        };
        counts.push((count().await, count().await));
    }
    assert_eq!(counts, [(3, 2), (3, 2)], "one more for all that changed");
}
