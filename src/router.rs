//! All doors of the panel in one table: the API, the server functions, the pages and their forms, the built assets, health. The
//! routes of a feature stand in its `api.rs`; here they only meet.
use crate::{
    accounts, edges,
    features::{self, FEATURES},
    flags::server,
    kit::{Banners, Brand, Csrf, Flash, InAnothersName, Note, Now, Posted, Rights, Theme, Tone, Unverified, Viewer, side},
    metrics, orgs,
    runtime::panel::Panel,
    site,
    web::{
        api::{Refusal, read},
        ctx::Visitor,
        declared::Declared,
        docs, etag,
        forms::{self, Pages},
        http,
        idempotency::idempotent,
        openapi,
        published::{PublishedApi, published},
    },
};
use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use leptos::prelude::{LeptosOptions, provide_context, use_context};
use std::{collections::HashMap, sync::Arc};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, Predicate, predicate::NotForContentType, predicate::SizeAbove},
    services::ServeDir,
    set_header::SetResponseHeaderLayer,
};
use utoipa_axum::router::OpenApiRouter;

/// Pages of no feature that somebody who is signed out may see.
const OPEN: &[&str] = &["/kit"];

/// The whole panel as one service.
pub fn router(panel: Arc<Panel>, options: LeptosOptions) -> Router {
    // What pages spawn runs here; a second router in one process (a test) finds it done.
    any_spawner::Executor::init_tokio().ok();
    let (api, typed) = api().split_for_parts();
    let declared = Arc::new(Declared::new(&typed.paths, features::functions()));
    let pages = pages(options.clone(), declared.clone());
    let PublishedApi { document, page: docs, queries } = published(api_document).clone();
    let api = api
        .route("/api/openapi.json", get(async move |headers: HeaderMap| document.respond(&headers, "application/json")))
        .merge(docs::router(docs))
        .route("/api/{*rest}", axum::routing::any(no_such_route))
        .method_not_allowed_fallback(async || Refusal(crate::error::Error::MethodNotAllowed))
        .layer(from_fn_with_state(queries, openapi::only_known))
        .layer(from_fn(etag::not_modified))
        .layer(from_fn(idempotent));
    let fns = Router::new().route("/fn/{*name}", get(call).post(call)).with_state(pages.clone());
    let site = Router::new().fallback(page).layer(from_fn(gate)).with_state(pages);
    let assets = ServeDir::new(std::path::Path::new(&*options.site_root).join(&*options.site_pkg_dir)).precompressed_br();
    let forever =
        SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    let static_files = ServeDir::new(&*options.site_root).append_index_html_on_directories(false);
    let compress = CompressionLayer::new().br(true).gzip(true).quality(tower_http::CompressionLevel::Fastest);
    let small = SizeAbove::new(1024)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new(edges::server::stream::KIND))
        .and(NotForContentType::const_new("application/wasm"));
    Router::new()
        .merge(api)
        .merge(fns)
        .merge(other_routes())
        .route_service("/favicon.svg", static_files)
        .nest_service(&format!("/{}", options.site_pkg_dir), tower::ServiceBuilder::new().layer(forever).service(assets))
        .merge(site)
        .layer(DefaultBodyLimit::max(crate::web::api::MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(compress.compress_when(small))
        .layer(from_fn_with_state((panel.clone(), declared), http::visit))
        .layer(from_fn(crate::web::unread::read_on))
        .merge(health(panel))
}

/// The REST API of every feature.
pub fn api() -> OpenApiRouter {
    let of_features = FEATURES.iter().filter_map(|feature| feature.api);
    of_features.fold(OpenApiRouter::with_openapi(openapi::document()), |all, api| all.merge(api()))
}

/// The API's document, as it is served.
pub fn api_document() -> serde_json::Value {
    openapi::finish(api().into_openapi(), &FEATURES.iter().flat_map(|feature| feature.tags).copied().collect::<Vec<_>>())
}

/// The routes beside the API and the pages.
fn other_routes() -> Router {
    FEATURES.iter().filter_map(|feature| feature.routes).fold(Router::new(), |all, routes| all.merge(routes()))
}

async fn no_such_route() -> Refusal {
    Refusal(crate::error::Error::NotFound(crate::error::Thing::PAGE))
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let said = cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
    Refusal(crate::fault::internal("answering a request", said.unwrap_or_else(|| "a panic".into()))).into_response()
}

/// Health: the process, and whether it can do its work. Without the layers in front: a probe has no cookie and leaves no line.
fn health(panel: Arc<Panel>) -> Router {
    let ready = async |State(panel): State<Arc<Panel>>| {
        let database = panel.db.ping().await.is_ok();
        let swarms = &panel.observed.load().swarms;
        let swarm = swarms.values().any(|view| view.reachable);
        let status = if database && swarm { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        // Walls that are down are told and stop nothing here: what answers already is safer left up than half gone.
        let walls = !matches!(panel.walls.standing(), crate::agent::WallStatus::Down(_));
        (status, Json(serde_json::json!({ "database": database, "swarm": swarm, "walls": walls })))
    };
    let scrape = async |State(panel): State<Arc<Panel>>, headers: HeaderMap| metrics::server::prometheus::scrape(panel, headers).await;
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready)).route("/metrics", get(scrape)).with_state(panel)
}

fn pages(options: LeptosOptions, declared: Arc<Declared>) -> Pages {
    // What pages load runs as tasks of tokio; that this was said before is fine.
    any_spawner::Executor::init_tokio().ok();
    let render = Arc::new(move |request: Request, visitor: Visitor, posted: Option<Posted>| {
        let options = options.clone();
        let theme = cookies(&request);
        Box::pin(async move {
            let others = match others(&visitor).await {
                Ok(others) => others,
                Err(why) => return Refusal(why).into_response(),
            };
            let banners = banners(&visitor).await;
            let provide = move || {
                contexts(&visitor, &theme, &others, posted.clone());
                provide_context(banners.clone());
            };
            leptos_axum::render_app_async_with_context(provide, move || site::shell(options.clone()))(request).await
        }) as futures::future::BoxFuture<'static, Response>
    });
    let call = Arc::new(|request: Request, visitor: Visitor| {
        let provide = move || provide_context(visitor.clone());
        Box::pin(async move { leptos_axum::handle_server_fns_with_context(provide, request).await.into_response() })
            as futures::future::BoxFuture<'static, Response>
    });
    Pages { render, call, actions: Arc::new(actions()), declared }
}

/// The path of each server function by its last word, which is what forms know it by.
fn actions() -> HashMap<String, String> {
    let mut all = HashMap::new();
    for (path, _) in leptos::server_fn::axum::server_fn_paths() {
        let word = path.rsplit('/').next().unwrap_or_default().to_string();
        let other = all.insert(word, path.to_string());
        assert!(other.is_none(), "two server functions have one name: {path} and {other:?}");
    }
    all
}

fn cookies(request: &Request) -> String {
    request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_string()
}

/// The organizations that whoever looks at a page could switch to.
async fn others(visitor: &Visitor) -> crate::error::Result<Vec<(String, String)>> {
    if visitor.who.is_none() {
        return Ok(Vec::new());
    }
    orgs::server::service::others(&visitor.ctx()?).await
}

/// What pages know of the request.
fn contexts(visitor: &Visitor, cookies: &str, others: &[(String, String)], posted: Option<Posted>) {
    provide_context(Csrf(visitor.panel.secrets.form_token(&visitor.form_key)));
    provide_context(Theme::of_cookies(cookies));
    if let Some(said) = Flash::of_cookies(cookies, features::flashes()) {
        provide_context(said);
        side::forget();
    }
    provide_context(Now(visitor.panel.now()));
    let brand = &visitor.panel.config.brand;
    provide_context(Brand { name: brand.name.clone(), accent: brand.accent.clone() });
    if let Some(who) = &visitor.who {
        let (name, email, organization) = (who.name.clone(), who.email.clone(), who.org_name.clone());
        provide_context(Viewer { name, email, organization, others: others.to_vec() });
        if !who.is_verified && who.impersonator.is_none() {
            provide_context(Unverified(who.email.clone()));
        }
        provide_context(Rights { role: who.role_name.clone(), permissions: who.permissions, on_apps: who.grants.clone() });
    }
    if let Some(posted) = posted {
        provide_context(posted);
    }
    provide_context(visitor.clone());
    policy();
}

/// What stands above every page of this visitor. A page does not fail for want of it.
async fn banners(visitor: &Visitor) -> Banners {
    let Some(who) = &visitor.who else { return Banners::default() };
    let notes = server::notes(&visitor.panel, &who.org, &who.user).await.unwrap_or_default();
    let tone = |level: &str| match level {
        "critical" => Tone::Bad,
        "warning" => Tone::Warning,
        _ => Tone::Busy,
    };
    let notes = notes.into_iter().map(|note| Note {
        id: note.id.to_string(),
        tone: tone(&note.level),
        title: note.title,
        body: note.body,
        is_dismissable: note.is_dismissable,
    });
    let in_anothers_name = who.impersonator.as_ref().map(|operator| InAnothersName {
        operator: operator.name.clone(),
        person: who.name.clone(),
        reason: operator.reason.clone(),
        until: who.expires_at,
    });
    Banners { notes: notes.collect(), in_anothers_name, is_operator: who.is_operator }
}

/// Pages may load from here only; the inline scripts in them carry the nonce that the renderer gave this page.
fn policy() {
    let (Some(nonce), Some(response)) = (leptos::nonce::use_nonce(), use_context::<leptos_axum::ResponseOptions>()) else { return };
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, value);
    }
}

async fn page(state: State<Pages>, visitor: Visitor, request: Request) -> Response {
    match *request.method() {
        axum::http::Method::GET | axum::http::Method::HEAD => forms::show(state, visitor, request).await,
        axum::http::Method::POST => forms::post(state, visitor, request).await,
        _ => Refusal(crate::error::Error::MethodNotAllowed).into_response(),
    }
}

/// Sends somebody who is signed out to the sign-in page, and back afterwards.
async fn gate(visitor: Visitor, request: Request, next: axum::middleware::Next) -> Response {
    let path = request.uri().path();
    let mut opens = FEATURES.iter().flat_map(|feature| feature.open_pages).chain(OPEN);
    let open = opens.any(|open| path == *open || (open.ends_with('/') && path.starts_with(open)));
    if request.method() == axum::http::Method::POST || open {
        return next.run(request).await;
    }
    if let Some(who) = &visitor.who {
        // What the organization demands first can be done on the account's own pages, which stay open; they say why.
        let lacks = who.lacks_second_factor || who.needs_provider.is_some();
        let mut owns = FEATURES.iter().flat_map(|feature| feature.own_pages);
        if lacks && !owns.any(|own| path.starts_with(own)) {
            return forms::see_other(accounts::fns::factors::SECURITY_PAGE);
        }
        return next.run(request).await;
    }
    let (parts, _) = request.into_parts();
    forms::see_other(&forms::sign_in(&parts))
}

/// Calls a server function. Its body is read here: the library would read one of any length.
async fn call(State(pages): State<Pages>, visitor: Visitor, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => (pages.call)(Request::from_parts(parts, body.into()), visitor).await,
        Err(why) => Refusal(why).into_response(),
    }
}

/// The paths of the server functions, for the test that knows them all.
pub fn server_functions() -> Vec<String> {
    let mut all: Vec<String> = actions().into_values().collect();
    all.sort();
    all
}

/// The router with everything that a test of pages needs, without built assets.
pub fn test_options() -> LeptosOptions {
    LeptosOptions::builder().output_name("skypanel").site_root("target/site").site_pkg_dir("pkg").build()
}
