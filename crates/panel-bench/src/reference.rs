//! The reference: an axum server with nothing around it that runs the panel's own statements on the panel's own database and writes
//! the panel's own answers. What those are is recorded from the panel's router in this process, so that the two can't drift apart.
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{Request, StatusCode, header},
    response::Html,
    routing::get,
};
use sea_orm::{ConnectionTrait, Statement, Value};
use serde::Deserialize;
use skypanel::{
    audit::server::chain,
    id::AuditId,
    router,
    runtime::{clock::SystemClock, config::Config, panel::Panel, swarms::Swarms},
    store::{Db, random, secrets::Secrets},
};
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt;

/// Who asks, and for what.
#[derive(Deserialize)]
struct Credentials {
    token: String,
    cookie: String,
    app: String,
}

/// What the panel does for one request.
struct Recorded {
    statements: Vec<Statement>,
    answer: serde_json::Value,
}

struct Reference {
    db: Db,
    one: Recorded,
    list: Recorded,
    page: (Vec<Statement>, String),
    write: Recorded,
    /// The application that the write was recorded of.
    app: String,
}

type Recording = Arc<Mutex<Vec<Statement>>>;

/// Serves the reference of the panel that the environment configures, and that runs at `panel`.
pub async fn serve(listen: &str, panel: &str) -> Result<(), String> {
    let who: Credentials = crate::input()?;
    let recorded = record(&who, panel).await?;
    let routes = Router::new()
        .route("/api/paas/applications/{id}", get(one).put(write))
        .route("/api/paas/applications", get(list))
        .route("/applications", get(page))
        .with_state(Arc::new(recorded));
    let listener = tokio::net::TcpListener::bind(listen).await.map_err(|why| format!("listening on {listen}: {why}"))?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, routes).await.map_err(|why| why.to_string())
}

async fn record(who: &Credentials, panel: &str) -> Result<Reference, String> {
    let config = Config::load(None, Vec::new())?;
    let secrets = Secrets::open(&config.data_dir.join("master.key")).map_err(|why| why.to_string())?;
    let bare = Db::connect(&config.database()).await.map_err(|why| why.to_string())?;
    let mut db = Db::connect(&config.database()).await.map_err(|why| why.to_string())?;
    let heard = Recording::default();
    let hears = heard.clone();
    db.on_statement(move |statement| hears.lock().unwrap_or_else(PoisonError::into_inner).push(statement.clone()));
    chain::attach(&db, &secrets);
    let model = Panel::new(config, db, Arc::new(SystemClock), secrets, Swarms::default(), None);
    let service = router::router(model, router::test_options());
    let hear = async |method: &str, path: &str, body: &str| -> Result<(Vec<Statement>, String), String> {
        let request = || {
            let asked = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
            let asked = match path.starts_with("/api/") {
                true => asked.header(header::AUTHORIZATION, format!("Bearer {}", who.token)),
                false => asked.header(header::COOKIE, &who.cookie),
            };
            asked.body(Body::from(body.to_string())).map_err(|why| why.to_string())
        };
        // The first time fills what is remembered between requests; what counts is the second.
        for _ in 0..2 {
            heard.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let answer = service.clone().oneshot(request()?).await.unwrap_or_else(|never| match never {});
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), 64 << 20).await.map_err(|why| why.to_string())?;
            let text = String::from_utf8_lossy(&body).into_owned();
            if status != StatusCode::OK {
                return Err(format!("{method} {path} answered {status}: {text}"));
            }
            if method != "GET" || !heard.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return Ok((std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner)), text));
            }
        }
        Err(format!("{method} {path} asked the database nothing"))
    };
    let parsed = |(statements, text): (Vec<Statement>, String)| {
        serde_json::from_str(&text).map(|answer| Recorded { statements, answer }).map_err(|why| why.to_string())
    };
    let of_app = format!("/api/paas/applications/{}", who.app);
    for path in [of_app.as_str(), "/applications"] {
        hear("GET", path, "").await?; // the sessions are known from here on
    }
    let one = parsed(hear("GET", &of_app, "").await?)?;
    let list = parsed(hear("GET", "/api/paas/applications?limit=50", "").await?)?;
    let (statements, _) = hear("GET", "/applications", "").await?;
    let write = parsed(hear("PUT", &of_app, "{\"port\":4999}").await?)?;
    let client = reqwest::Client::new().get(format!("{panel}/applications")).header("cookie", &who.cookie);
    let html = async { client.send().await?.text().await };
    let html = html.await.map_err(|why| format!("reading the page: {why}"))?;
    Ok(Reference { db: bare, one, list, page: (statements, html), write, app: who.app.clone() })
}

type Answer<T> = Result<T, (StatusCode, String)>;

fn broken(why: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, why.to_string())
}

/// Runs statements that read.
async fn read(db: &Db, statements: &[Statement]) -> Answer<()> {
    for statement in statements {
        db.read().query_all_raw(statement.clone()).await.map_err(broken)?;
    }
    Ok(())
}

async fn one(State(it): State<Arc<Reference>>, Path(_): Path<String>) -> Answer<Json<serde_json::Value>> {
    read(&it.db, &it.one.statements).await?;
    Ok(Json(it.one.answer.clone()))
}

async fn list(State(it): State<Arc<Reference>>) -> Answer<Json<ListAnswer>> {
    read(&it.db, &it.list.statements).await?;
    Ok(Json(ListAnswer(it)))
}

/// The list's answer, written without being copied first.
struct ListAnswer(Arc<Reference>);

impl serde::Serialize for ListAnswer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.list.answer.serialize(serializer)
    }
}

async fn page(State(it): State<Arc<Reference>>) -> Answer<Html<String>> {
    read(&it.db, &it.page.0).await?;
    Ok(Html(it.page.1.clone()))
}

/// Whether a statement changes something.
fn writes(statement: &Statement) -> bool {
    ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| statement.sql.trim_start().starts_with(verb))
}

/// The write: its statements in their order, those from the first that changes something to the last in one transaction.
async fn write(State(it): State<Arc<Reference>>, Path(id): Path<String>, _: String) -> Answer<Json<serde_json::Value>> {
    let all = &it.write.statements;
    let first = all.iter().position(writes).ok_or_else(|| broken("nothing was written"))?;
    let last = all.iter().rposition(writes).unwrap_or(first);
    let mut values = Fresh::new(&it, id);
    for statement in &all[..first] {
        let rows = it.db.read().query_all_raw(values.put(statement)).await.map_err(broken)?;
        if statement.sql.contains("\"applications\"")
            && let Some(version) = rows.first().and_then(|row| row.try_get("", "version").ok())
        {
            values.version = version;
        }
    }
    let done = it.db.tx(async |tx| {
        let because = |why: sea_orm::DbErr| skypanel::fault::internal("writing the reference", why);
        for statement in &all[first..=last] {
            let statement = values.put(statement);
            if statement.sql.contains("RETURNING seq") {
                let row = tx.query_one_raw(statement).await.map_err(because)?;
                values.seq = row.and_then(|row| row.try_get("", "seq").ok()).unwrap_or_default();
            } else {
                tx.execute_raw(statement).await.map_err(because)?;
            }
        }
        Ok(())
    });
    done.await.map_err(broken)?;
    read(&it.db, &all[last + 1..].iter().map(|statement| values.put(statement)).collect::<Vec<_>>()).await?;
    Ok(Json(it.write.answer.clone()))
}

/// What must differ from one write to the next: whose it is, the line of the audit trail, and the versions.
struct Fresh<'a> {
    it: &'a Reference,
    id: String,
    line: String,
    version: i64,
    seq: i64,
}

impl<'a> Fresh<'a> {
    fn new(it: &'a Reference, id: String) -> Self {
        Fresh { it, id, line: random::id::<AuditId>().to_string(), version: 0, seq: 0 }
    }

    /// A recorded statement with this write's values.
    fn put(&self, statement: &Statement) -> Statement {
        let recorded = self.it.write.answer["data"]["version"].as_i64().unwrap_or_default();
        let mut statement = statement.clone();
        let is_app = statement.sql.contains("UPDATE \"applications\"");
        let is_chained = statement.sql.contains("audit_heads") || statement.sql.contains("audit_events");
        // The number of the recorded line is the largest number but the times in the statements of the trail; the head's one adds 1.
        let adds = statement.sql.contains("RETURNING seq");
        for value in statement.values.iter_mut().flat_map(|values| values.0.iter_mut()) {
            match value {
                Value::String(Some(text)) if *text == self.it.app => *text = self.id.clone(),
                Value::String(Some(text)) if text.starts_with("aud_") => *text = self.line.clone(),
                Value::BigInt(Some(number)) if is_app && *number == recorded => *number = self.version + 1,
                Value::BigInt(Some(number)) if is_app && *number == recorded - 1 => *number = self.version,
                Value::BigInt(Some(number)) if is_chained && !adds && *number < 1_000_000_000_000 => *number = self.seq,
                _ => {}
            }
        }
        statement
    }
}
