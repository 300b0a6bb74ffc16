//! All doors of the panel in one table: the API, the server functions, the pages and their forms, the built assets, health. The
//! routes of a feature stand in its `api.rs`; here they only meet.
use crate::{
    accounts, apps, deployments,
    kit::{Brand, Csrf, Flash, Now, Posted, Rights, Theme, Viewer, side},
    platform::{
        api::{Refusal, idempotent, read},
        ctx::Visitor,
        forms::{self, Pages},
        http, openapi,
        panel::Panel,
    },
    site,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
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

/// Pages that somebody who is signed out may see.
const OPEN: [&str; 4] = ["/sign-in", "/sign-up", "/setup/", "/kit"];

/// The whole panel as one service.
pub fn router(panel: Arc<Panel>, options: LeptosOptions) -> Router {
    // What pages spawn runs here; a second router in one process (a test) finds it done.
    any_spawner::Executor::init_tokio().ok();
    let pages = pages(options.clone());
    let (api, document) = api().split_for_parts();
    let document = Arc::new(openapi::finish(document));
    let api = api
        .route("/api/openapi.json", get(move || std::future::ready(Json((*document).clone()))))
        .route("/api/{*rest}", axum::routing::any(no_such_route))
        .method_not_allowed_fallback(async || Refusal(crate::error::Error::MethodNotAllowed))
        .layer(from_fn(idempotent));
    let fns = Router::new().route("/fn/{*name}", get(call).post(call)).with_state(pages.clone());
    let site = Router::new().fallback(page).layer(from_fn(gate)).with_state(pages);
    let assets = ServeDir::new(std::path::Path::new(&*options.site_root).join(&*options.site_pkg_dir)).precompressed_br();
    let forever =
        SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    let static_files = ServeDir::new(&*options.site_root).append_index_html_on_directories(false);
    let compress = CompressionLayer::new().br(true).gzip(true).quality(tower_http::CompressionLevel::Fastest);
    let small = SizeAbove::new(1024).and(NotForContentType::SSE).and(NotForContentType::const_new("application/wasm"));
    Router::new()
        .merge(api)
        .merge(fns)
        .route_service("/favicon.svg", static_files)
        .nest_service(&format!("/{}", options.site_pkg_dir), tower::ServiceBuilder::new().layer(forever).service(assets))
        .merge(site)
        .layer(DefaultBodyLimit::max(crate::platform::api::MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(compress.compress_when(small))
        .layer(from_fn_with_state(panel.clone(), http::visit))
        .merge(health(panel))
}

/// The REST API of every feature.
pub fn api() -> OpenApiRouter {
    OpenApiRouter::with_openapi(openapi::document())
        .merge(accounts::server::api::router())
        .merge(apps::server::api::router())
        .merge(deployments::server::api::router())
}

async fn no_such_route() -> Refusal {
    Refusal(crate::error::Error::NotFound(crate::error::Thing::Page))
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let said = cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
    Refusal(crate::platform::fault::internal("answering a request", said.unwrap_or_else(|| "a panic".into()))).into_response()
}

/// Health: the process, and whether it can do its work. Without the layers in front: a probe has no cookie and leaves no line.
fn health(panel: Arc<Panel>) -> Router {
    let ready = async |State(panel): State<Arc<Panel>>| {
        let database = panel.db.ping().await.is_ok();
        let swarms = &panel.observed.load().swarms;
        let swarm = swarms.values().any(|view| view.reachable);
        let status = if database && swarm { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(serde_json::json!({ "database": database, "swarm": swarm })))
    };
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready)).with_state(panel)
}

fn pages(options: LeptosOptions) -> Pages {
    // What pages load runs as tasks of tokio; that this was said before is fine.
    any_spawner::Executor::init_tokio().ok();
    let render = Arc::new(move |request: Request, visitor: Visitor, posted: Option<Posted>| {
        let options = options.clone();
        let theme = cookies(&request);
        let provide = move || contexts(&visitor, &theme, posted.clone());
        let render = leptos_axum::render_app_async_with_context(provide, move || site::shell(options.clone()));
        Box::pin(render(request)) as futures::future::BoxFuture<'static, Response>
    });
    let call = Arc::new(|request: Request, visitor: Visitor| {
        let provide = move || provide_context(visitor.clone());
        Box::pin(async move { leptos_axum::handle_server_fns_with_context(provide, request).await.into_response() })
            as futures::future::BoxFuture<'static, Response>
    });
    Pages { render, call, actions: Arc::new(actions()) }
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

/// What pages know of the request.
fn contexts(visitor: &Visitor, cookies: &str, posted: Option<Posted>) {
    provide_context(Csrf(visitor.panel.secrets.form_token(&visitor.form_key)));
    provide_context(Theme::of_cookies(cookies));
    if let Some(said) = Flash::of_cookies(cookies) {
        provide_context(said);
        side::forget();
    }
    provide_context(Now(visitor.panel.now()));
    provide_context(Brand::default());
    if let Some(who) = &visitor.who {
        let (name, email, organization) = (who.name.clone(), who.email.clone(), who.org_name.clone());
        provide_context(Viewer { name, email, organization, others: Vec::new() });
        provide_context(Rights { role: who.role_name.clone(), permissions: who.permissions });
    }
    if let Some(posted) = posted {
        provide_context(posted);
    }
    provide_context(visitor.clone());
    policy();
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
    let open = OPEN.iter().any(|open| path == *open || (open.ends_with('/') && path.starts_with(open)));
    if visitor.who.is_some() || open || request.method() == axum::http::Method::POST {
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
