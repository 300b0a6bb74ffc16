//! Hosts, paths and the rules of routes.
use super::*;
use axum::http::HeaderMap;
use std::collections::BTreeMap;

fn route(host: &str, path: &str, app: &str, tasks: &[&Task]) -> Route {
    Route { path: path.into(), ..Route::new(host, app, to(tasks)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exact_host_comes_before_the_wildcard_and_the_longest_path_before_the_shorter() {
    let edge = TestEdge::start();
    let tasks = ["exact", "api", "v1", "wild", "fallback"].map(|name| Task::plain(&format!("{name}.{name}")));
    let [exact, api, v1, wild, fallback] = &tasks;
    let routes = vec![
        route("a.example.com", "/api", "app_api", &[api]),
        route("a.example.com", "", "app_exact", &[exact]),
        route("a.example.com", "/api/v1/", "app_v1", &[v1]),
        route("*.example.com", "/", "app_wild", &[wild]),
        route("only.example.com", "/x", "app_x", &[api]),
        route("*.example.org", "", "app_no", &[wild]),
        route("*.example.org", "", "app_fallback", &[fallback]),
    ];
    edge.publish(Snapshot { routes, ..Snapshot::default() });
    for (host, path, expected) in [
        ("a.example.com", "/", "exact"),
        ("a.example.com", "/apix", "exact"),
        ("A.Example.com:80", "/api", "api"),
        ("a.example.com", "/api/v2?x=/api/v1", "api"),
        ("a.example.com", "/api/v1", "v1"),
        ("a.example.com", "/x/%2e%2e/api/v1/y", "v1"),
        ("a.example.com", "//api//v1", "v1"),
        ("b.example.com", "/api/v1", "wild"),
        ("only.example.com", "/x", "api"),
        ("only.example.com", "/", "wild"),
        ("z.example.org", "/", "fallback"),
    ] {
        let answer = edge.request_to(host, "GET", path).send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, format!("{expected}.{expected}"), "{host}{path}");
    }
    for host in ["example.com", "a.b.example.com", "example.net"] {
        assert_eq!(edge.request_to(host, "GET", "/").send().await.unwrap().status(), 404, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_keeps_method_path_and_query() {
    let edge = TestEdge::with(EdgeConfig { https_port: 8443, ..EdgeConfig::default() });
    let task = Task::plain("r1.a");
    let secure = Policy { https_only: true, ..Policy::default() };
    let routes = vec![
        Route::new("www.example.com", "app_1", Target::Redirect { host: "example.com".into() }),
        Route { policy: Some(Box::new(secure)), ..route("example.com", "", "app_1", &[&task]) },
    ];
    edge.publish(Snapshot { routes, ..Snapshot::default() });
    for (host, location) in [
        ("www.example.com", "http://example.com/a//b?c=d"),
        ("www.example.com:8080", "http://example.com:8080/a//b?c=d"),
        ("example.com:8080", "https://example.com:8443/a//b?c=d"),
    ] {
        let answer = edge.request_to(host, "POST", "/a//b?c=d").body("x").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (308, location));
    }
    assert_eq!(task.seen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_route_asks_for_a_name_and_a_password() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let logins = vec![Credentials::new("ada", "secret").unwrap(), Credentials::new("bob", "other").unwrap()];
    edge.lead_under(&[&task], Policy { logins, ..Policy::default() });
    let ask = |user: &str, password: &str| edge.request("GET", "/").basic_auth(user, Some(password)).send();
    let refused = edge.get().await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "));
    assert_eq!(ask("ada", "secret").await.unwrap().status(), 200);
    assert_eq!(ask("bob", "other").await.unwrap().status(), 200);
    for (user, password) in [("ada", "other"), ("bob", ""), ("eve", "secret")] {
        assert_eq!(ask(user, password).await.unwrap().status(), 401);
    }
    assert_eq!(task.seen(), 2);
    // What was right once costs no more than any request.
    let start = Instant::now();
    for _ in 0..200 {
        assert_eq!(ask("ada", "secret").await.unwrap().status(), 200);
    }
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_are_set_and_removed_but_not_those_that_frame_or_vouch() {
    let edge = TestEdge::start();
    let tell = |headers: HeaderMap| async move {
        let body = headers.iter().map(|(name, value)| format!("{name}={}\n", value.to_str().unwrap())).collect::<String>();
        ([("x-powered-by", "secret"), ("x-kept", "kept")], body)
    };
    let task = Task::app("r1.a", Router::new().route("/", any(tell)));
    let rule = |name: &str, value: Option<&str>| HeaderRule { name: name.into(), value: value.map(Into::into) };
    let hsts = Some(HstsRule { max_age: 300, include_subdomains: true, preload: false });
    edge.lead_under(
        &[&task],
        Policy {
            request_headers: vec![
                rule("X-Env", Some("blue")),
                rule("User-Agent", None),
                rule("X-Forwarded-For", Some("6.6.6.6")),
                rule("Host", Some("x")),
                rule("bad name", Some("x")),
                rule("X-Bad", Some("a\r\nb: c")),
            ],
            response_headers: vec![rule("X-Frame-Options", Some("DENY")), rule("X-Powered-By", None), rule("Content-Length", Some("1"))],
            hsts,
            ..Policy::default()
        },
    );
    let answer = edge.request("GET", "/").header("user-agent", "test").send().await.unwrap();
    let headers = answer.headers().clone();
    assert_eq!((headers["x-frame-options"].to_str().unwrap(), headers["x-kept"].to_str().unwrap()), ("DENY", "kept"));
    assert!(!headers.contains_key("x-powered-by") && !headers.contains_key("strict-transport-security"), "{headers:?}");
    let told = answer.text().await.unwrap();
    assert!(
        told.contains("x-env=blue\n") && told.contains("x-forwarded-for=127.0.0.1\n") && told.contains("host=app.localhost\n"),
        "{told}"
    );
    assert!(!told.contains("user-agent") && !told.contains("x-bad") && !told.contains("6.6.6.6"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_path_is_taken_off_on_wish() {
    let edge = TestEdge::start();
    let tell =
        |uri: axum::http::Uri, headers: HeaderMap| async move { format!("{uri} {}", headers["x-forwarded-prefix"].to_str().unwrap()) };
    let task = Task::app("r1.a", Router::new().route("/", any(tell)).route("/{*rest}", any(tell)));
    let policy = Policy { strip_path: true, ..Policy::default() };
    edge.publish(Snapshot {
        routes: vec![Route { policy: Some(Box::new(policy)), ..route("app.localhost", "/api", "app_1", &[&task]) }],
        ..Snapshot::default()
    });
    for (path, seen) in [("/api/x?y=/api", "/x?y=/api"), ("/api", "/"), ("/api?q", "/?q"), ("/api/", "/")] {
        assert_eq!(edge.request("GET", path).send().await.unwrap().text().await.unwrap(), format!("{seen} /api"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_whether_its_length_is_said_or_not() {
    let edge = TestEdge::start();
    let task = Task::app("r1.a", Router::new().route("/", any(|body: axum::body::Bytes| async move { body.len().to_string() })));
    edge.lead_under(&[&task], Policy { limits: RequestLimits { body: Some(100_000), ..RequestLimits::default() }, ..Policy::default() });
    let post = |body: reqwest::Body| edge.request("POST", "/").body(body).send();
    let stream = |pieces: usize| {
        reqwest::Body::wrap_stream(futures::stream::iter((0..pieces).map(|_| Ok::<_, std::convert::Infallible>(vec![b'x'; 10_000]))))
    };
    assert_eq!(post(vec![b'x'; 100_000].into()).await.unwrap().text().await.unwrap(), "100000");
    assert_eq!(post(stream(10)).await.unwrap().text().await.unwrap(), "100000");
    assert_eq!(post(vec![b'x'; 100_001].into()).await.unwrap().status(), 413);
    assert_eq!(post(stream(2_000)).await.unwrap().status(), 413);
    assert_eq!(edge.get().await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let rate = Some(RateLimit { per_second: 1, burst: 5 });
    edge.lead_under(&[&task], Policy { limits: RequestLimits { rate, ..RequestLimits::default() }, ..Policy::default() });
    let mut statuses = BTreeMap::<u16, usize>::new();
    for _ in 0..20 {
        let answer = edge.get().await;
        let seconds = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().parse::<u32>().unwrap());
        assert_eq!(seconds.is_some_and(|seconds| (1..=2).contains(&seconds)), answer.status() == 429);
        *statuses.entry(answer.status().as_u16()).or_default() += 1;
    }
    assert!((5..9).contains(&statuses[&200]) && statuses.len() == 2, "{statuses:?}");
    assert_eq!(task.seen(), statuses[&200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_task_is_answered_for_and_a_slow_body_is_not_awaited() {
    let edge = TestEdge::start();
    let task = Task::slow("r1.a", LONG);
    let limits = RequestLimits {
        response_timeout: Some(Duration::from_millis(200)),
        body_timeout: Some(Duration::from_millis(200)),
        ..RequestLimits::default()
    };
    edge.lead_under(&[&task], Policy { limits, ..Policy::default() });
    assert_eq!(edge.get().await.status(), 504);
    assert_eq!(edge.request("POST", "/").body("x").send().await.unwrap().status(), 504);
    assert_eq!(task.seen(), 2, "and it is not asked again");
    // The body is awaited by nobody but the edge.
    let reading = Task::app("r1.b", Router::new().route("/", any(|body: String| async { body })));
    edge.lead_under(&[&reading], Policy { limits: RequestLimits { response_timeout: None, ..limits }, ..Policy::default() });
    let answer = edge.answer_to(b"POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 10\r\n\r\nhalf").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_its_limits_whatever_the_request_wants_to_become() {
    let edge = TestEdge::start();
    let reading = Task::app("r1.a", Router::new().route("/", any(|body: String| async { body })));
    let limits = RequestLimits { body: Some(1_000), body_timeout: Some(Duration::from_millis(200)), ..RequestLimits::default() };
    edge.lead_under(&[&reading], Policy { limits, ..Policy::default() });
    for connection in ["Connection: close\r\n", "Connection: Upgrade\r\n"] {
        let head =
            format!("POST / HTTP/1.1\r\nHost: app.localhost\r\n{connection}Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n");
        let large = edge.answer_to(format!("{head}7d0\r\n{}\r\n0\r\n\r\n", "x".repeat(2_000)).as_bytes()).await;
        assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
        let half = edge.answer_to(format!("{head}4\r\nhalf\r\n").as_bytes()).await;
        assert!(half.starts_with("HTTP/1.1 408 "), "{half}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_shows_the_owners_page_and_lets_one_path_through() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let maintenance = MaintenancePage { page: Some("<h1>Back at nine</h1>".into()), retry_after: 600, bypass: Some("/health".into()) };
    edge.lead_under(&[&task], Policy { maintenance: Some(maintenance), ..Policy::default() });
    let page = edge.request("GET", "/").header("accept", "text/html").send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.headers()["retry-after"].to_str().unwrap()), (503, "600"));
    assert_eq!(page.text().await.unwrap(), "<h1>Back at nine</h1>");
    assert!(edge.get().await.text().await.unwrap().contains("APPLICATION_IN_MAINTENANCE"));
    assert_eq!(edge.request("GET", "/health/live").send().await.unwrap().status(), 200);
    assert_eq!(edge.request("GET", "/healthy").send().await.unwrap().status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owners_pages_stand_for_ours_where_a_person_asks() {
    let edge = TestEdge::start();
    let pages = BTreeMap::from([(502, "<h1>Ours is down</h1>".to_string())]);
    let policy = Policy { pages, ..Policy::default() };
    let target = Target::Tasks { backends: vec![Task::refusing("r1.a").backend.clone()], hold: Duration::ZERO };
    let route = Route { policy: Some(Box::new(policy)), ..Route::new("app.localhost", "app_1", target) };
    edge.publish(Snapshot { routes: vec![route], ..Snapshot::default() });
    let ask = |accept: &'static str| edge.request("GET", "/").header("accept", accept).send();
    let page = ask("text/html").await.unwrap();
    assert_eq!((page.status().as_u16(), page.text().await.unwrap().as_str()), (502, "<h1>Ours is down</h1>"));
    assert_eq!(ask("application/json").await.unwrap().headers()["content-type"], "application/json");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_answered_on_every_host_and_others_are_led_on() {
    let edge = TestEdge::start();
    let task = Task::plain("r1.a");
    let secure = Policy { https_only: true, logins: vec![Credentials::new("a", "b").unwrap()], ..Policy::default() };
    let challenges = vec![Challenge::Http { token: "tok-1".into(), key_authorization: "tok-1.key".into() }];
    let routes = vec![Route { policy: Some(Box::new(secure)), ..route("app.localhost", "", "app_1", &[&task]) }];
    edge.publish(Snapshot { routes, challenges, ..Snapshot::default() });
    for host in ["app.localhost", "nowhere.localhost"] {
        let answer = edge.request_to(host, "GET", "/.well-known/acme-challenge/tok-1").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, "tok-1.key"), "{host}");
    }
    assert_eq!(edge.request("GET", "/.well-known/acme-challenge/tok-2").send().await.unwrap().status(), 308);
    edge.publish(Snapshot::default());
    assert_eq!(edge.request("GET", "/.well-known/acme-challenge/tok-1").send().await.unwrap().status(), 404);
}

/// A task that answers with the `Authorization` that it sees.
fn authorization() -> Task {
    let tell = |headers: HeaderMap| async move {
        headers.get("authorization").map_or("none".to_string(), |value| value.to_str().unwrap().to_string())
    };
    Task::app("r1.a", Router::new().route("/", any(tell)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_and_password_for_the_edge_stay_at_the_edge() {
    let edge = TestEdge::start();
    let task = authorization();
    let logins = vec![Credentials::new("ada", "secret").unwrap()];
    edge.lead_under(&[&task], Policy { logins: logins.clone(), ..Policy::default() });
    let get = || edge.request("GET", "/").basic_auth("ada", Some("secret"));
    assert_eq!(get().send().await.unwrap().text().await.unwrap(), "none");
    // What the route itself says to the application stands.
    let request_headers = vec![HeaderRule { name: "Authorization".into(), value: Some("Bearer ours".into()) }];
    edge.lead_under(&[&task], Policy { logins, request_headers, ..Policy::default() });
    assert_eq!(get().send().await.unwrap().text().await.unwrap(), "Bearer ours");
    // Without logins it is the application's own.
    edge.lead_under(&[&task], Policy::default());
    assert!(get().send().await.unwrap().text().await.unwrap().starts_with("Basic "));
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_and_the_applications_own_tokens_pass_where_the_route_says_so() {
    let edge = TestEdge::start();
    let task = authorization();
    let logins = vec![Credentials::new("ada", "secret").unwrap()];
    let preflight = |edge: &TestEdge| {
        edge.request("OPTIONS", "/").header("origin", "https://shop.example.com").header("access-control-request-method", "PUT")
    };
    let bearer = |edge: &TestEdge| edge.request("GET", "/").bearer_auth("theirs");
    for (exceptions, of_preflight, of_bearer) in [
        (LoginExceptions::default(), 401, 401),
        (LoginExceptions { preflights: true, ..LoginExceptions::default() }, 200, 401),
        (LoginExceptions { bearer_tokens: true, ..LoginExceptions::default() }, 401, 200),
    ] {
        edge.lead_under(&[&task], Policy { logins: logins.clone(), login_exceptions: exceptions, ..Policy::default() });
        assert_eq!(preflight(&edge).send().await.unwrap().status(), of_preflight, "{exceptions:?}");
        let answer = bearer(&edge).send().await.unwrap();
        assert_eq!(answer.status(), of_bearer, "{exceptions:?}");
        if of_bearer == 200 {
            assert_eq!(answer.text().await.unwrap(), "Bearer theirs", "the token is the application's");
        }
        // Nothing else passes, and the login does as before.
        assert_eq!(edge.get().await.status(), 401);
        assert_eq!(edge.request("OPTIONS", "/").send().await.unwrap().status(), 401, "OPTIONS alone is no preflight");
        assert_eq!(preflight(&edge).basic_auth("ada", Some("wrong")).send().await.unwrap().status(), 401);
        assert_eq!(edge.request("GET", "/").basic_auth("ada", Some("secret")).send().await.unwrap().status(), 200);
    }
}
