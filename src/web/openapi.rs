//! The OpenAPI document: generated from the handlers, completed with what all of them share: credentials, parameters and headers of the
//! conventions, the refusals, and an example of every answer. And what the document says of queries, held.
use crate::web::{
    api::{Failure, Refusal, unknown_parameter},
    ctx::Visitor,
    declared::{ApiTag, STREAMS, TEXT, VERSIONED},
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(info(title = "SkyPanel", description = ABOUT), components(schemas(Failure)))]
struct Base;

const ABOUT: &str = "Deploy, scale and watch applications.\n\n\
    Bodies are JSON in UTF-8, at most 1 MiB. A success is `{ \"success\": true, \"data\": … }`, a list adds `pagination`; a refusal is \
    `{ \"success\": false, \"error\": { code, message, details }, request_id }`, with every wrong field in `details` at once. \
    What is unknown in a body or a query is refused. Times are RFC 3339 in UTC. Every answer carries `X-Request-Id`, and `RateLimit-Limit`, \
    `RateLimit-Remaining` and `RateLimit-Reset` (seconds) where requests are counted.";

const REFUSALS: [(&str, &str); 9] = [
    ("400", "A field can’t be taken; `details` names each"),
    ("401", "The credential is missing, wrong, expired or revoked"),
    ("403", "The permission in `required` is missing"),
    ("404", "There is no such thing, or it belongs to somebody else"),
    ("409", "The request does not fit the state that things are in"),
    ("413", "The body is larger than is taken"),
    ("429", "Too many requests; `Retry-After` tells when to come back"),
    ("500", "Our fault; nothing was lost"),
    ("503", "Something that is needed does not answer now"),
];

/// The document without paths.
pub fn document() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// Completes the document, whose parts the features name.
pub fn finish(document: utoipa::openapi::OpenApi, tags: &[ApiTag]) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "The token of `POST /api/auth/login`, or a key of the API (`sk_live_…`)." },
        "api_key": { "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "A key of the API (`sk_live_…`): it may do what its scope says, as far as its owner may." },
        "edge": { "type": "http", "scheme": "bearer", "description": "The token of an edge (`sky_edge_…`), which opens `/api/edge/…` and nothing else." },
        "cookie": { "type": "apiKey", "in": "cookie", "name": "skypanel_session",
            "description": "A browser’s session. Anything but GET then carries `X-CSRF-Token`, too." },
    });
    document["security"] = json!([{ "bearer": [] }, { "api_key": [] }, { "cookie": [] }]);
    let mut used = BTreeSet::new();
    let components = document["components"].clone();
    let mut taken = BTreeSet::new();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            used.extend(operation["tags"][0].as_str().map(str::to_string));
            complete(method, operation, &components);
            // Two handlers of one part may have one name: the path's last word tells them apart.
            let id = operation["operationId"].as_str().unwrap_or_default().to_string();
            if !taken.insert(id.clone()) {
                let word = path.rsplit('/').find(|word| !word.starts_with('{')).unwrap_or_default().replace('-', "_");
                let other = format!("{id}_{word}");
                taken.insert(other.clone());
                operation["operationId"] = other.into();
            }
        }
    }
    let mut known: Vec<&ApiTag> = tags.iter().filter(|tag| used.contains(tag.name)).collect();
    known.sort_by_key(|tag| tag.place);
    let other = used.iter().filter(|name| !tags.iter().any(|tag| tag.name == **name)).map(|name| json!({ "name": name }));
    let known = known.into_iter().map(|tag| json!({ "name": tag.name, "description": tag.about }));
    document["tags"] = known.chain(other).collect();
    document
}

/// Whether an operation declares something, which is taken out of the document.
fn take(operation: &mut Value, name: &str) -> bool {
    operation.as_object_mut().and_then(|all| all.remove(name)).is_some()
}

fn is_open(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|all| all.iter().any(|one| one.as_object().is_some_and(Map::is_empty)))
}

/// The headers that an operation takes beside its own parameters: name, description, schema.
fn header_parameters(method: &str, open: bool, is_versioned: bool) -> Vec<(&'static str, &'static str, Value)> {
    let mut more = Vec::new();
    if !open {
        more.push((
            "X-Organization-ID",
            "The organization to work in; without it the one that the credential worked in last",
            json!({ "type": "string" }),
        ));
    }
    if method == "post" && !open {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
        more.push(("Idempotency-Key", "The same key and body give the same answer for 24 hours", schema));
    }
    if is_versioned && matches!(method, "put" | "patch") {
        more.push((
            "If-Match",
            "The `ETag` that was read: 409 where somebody else changed it meanwhile",
            json!({ "type": "string", "pattern": "^(\\*|\"?[0-9]{1,18}\"?)$" }),
        ));
    }
    if is_versioned && method == "get" {
        more.push(("If-None-Match", "The `ETag` that is known: 304 where it is still so", json!({ "type": "string" })));
    }
    more
}

/// Adds the refusals that any operation may give.
fn refusals(operation: &mut Value) {
    for (status, why) in REFUSALS {
        if operation["responses"][status].is_null() {
            let schema = json!({ "$ref": "#/components/schemas/Refused" });
            let mut content = Map::new();
            content.insert("schema".into(), schema);
            content.insert("example".into(), refusal(status));
            operation["responses"][status] = json!({ "description": why, "content": { "application/json": content } });
        }
    }
}

fn complete(method: &str, operation: &mut Value, components: &Value) {
    let (is_versioned, streams, as_text) = (take(operation, VERSIONED), take(operation, STREAMS), take(operation, TEXT));
    // Handlers of two features may have one name; an operation's id is its own.
    let tag = operation["tags"][0].as_str().unwrap_or_default().to_lowercase().replace([' ', '-'], "_");
    let name = operation["operationId"].as_str().unwrap_or_default().to_string();
    operation["operationId"] = format!("{tag}_{name}").into();
    if operation["parameters"].is_null() {
        operation["parameters"] = json!([]);
    }
    let open = is_open(operation);
    let more = header_parameters(method, open, is_versioned);
    if is_versioned && method == "get" {
        operation["responses"]["304"] = json!({ "description": "What the caller has is still so" });
    }
    if let Some(all) = operation["parameters"].as_array_mut() {
        all.extend(more.into_iter().map(
            |(name, words, schema)| json!({ "name": name, "in": "header", "description": words, "required": false, "schema": schema }),
        ));
    }
    // An empty body stands for an empty object, where nothing is required.
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let schema = body.as_str().and_then(|name| components["schemas"].get(name.rsplit('/').next().unwrap_or_default()));
    if let Some(schema) = schema {
        let required = schema["required"].as_array().is_some_and(|all| !all.is_empty());
        operation["requestBody"]["required"] = required.into();
    }
    refusals(operation);
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for (status, response) in responses {
        headers(status, response, is_versioned && matches!(method, "get" | "put" | "patch"));
        let good = status.starts_with('2');
        let body = &mut response["content"]["application/json"];
        if good && body["schema"].is_object() && body["example"].is_null() {
            body["example"] = example(&body["schema"].clone(), components, 0);
        }
        if good && streams {
            response["content"]["text/event-stream"] = json!({ "schema": { "type": "string" } });
        }
        if good && as_text {
            response["content"]["text/plain"] = json!({ "schema": { "type": "string" } });
        }
        // Indexing made an empty one where there is no body.
        if response["content"]["application/json"].is_null() {
            response["content"].as_object_mut().map(|content| content.remove("application/json"));
        }
    }
}

fn headers(status: &str, response: &mut Value, is_versioned: bool) {
    let number = |words: &str| json!({ "description": words, "schema": { "type": "integer", "minimum": 0 } });
    let text = |words: &str| json!({ "description": words, "schema": { "type": "string" } });
    let mut all = Map::new();
    all.insert("X-Request-Id".into(), text("Leads to the panel’s log"));
    all.insert("RateLimit-Limit".into(), number("Requests that are taken a minute; left out where nothing is counted"));
    all.insert("RateLimit-Remaining".into(), number("How many of them are left"));
    all.insert("RateLimit-Reset".into(), number("Seconds until there are more"));
    if matches!(status, "429" | "503") {
        all.insert("Retry-After".into(), number("Seconds to wait"));
    }
    if matches!(status, "201" | "202") {
        all.insert("Location".into(), text("Where it is"));
    }
    if is_versioned && matches!(status, "200" | "304") {
        all.insert("ETag".into(), text("The version"));
    }
    response["headers"] = all.into();
}

fn refusal(status: &str) -> Value {
    let (code, message, details) = match status {
        "400" => ("VALIDATION_ERROR", "Give a whole number.", json!([{ "field": "port", "message": "Give a whole number." }])),
        "401" => ("AUTHENTICATION_REQUIRED", "Sign in to continue.", json!([])),
        "403" => ("FORBIDDEN", "Your role does not include “deploy” here. Ask an owner or admin of the organization.", json!([])),
        "404" => ("APPLICATION_NOT_FOUND", "There is no such application.", json!([])),
        "409" => ("CONFLICT", "Somebody else changed this meanwhile. Load it again.", json!([])),
        "413" => ("PAYLOAD_TOO_LARGE", "A request's body may have 1024 KiB.", json!([])),
        "429" => ("RATE_LIMITED", "Too many attempts. Try again in 12 s.", json!([])),
        "503" => ("UNAVAILABLE", "The swarm does not answer now.", json!([])),
        _ => (
            "INTERNAL_ERROR",
            "Something went wrong on our side. Nothing was lost; the reference is err_01jd0000000000000000000000.",
            json!([]),
        ),
    };
    let mut error = json!({ "code": code, "message": message, "details": details });
    if status == "403" {
        error["required"] = "deploy".into();
    }
    json!({ "success": false, "error": error, "request_id": "req_01jd0000000000000000000000" })
}

/// An example of what a schema describes, from its own examples and, where it has none, its type.
pub fn example(schema: &Value, components: &Value, depth: usize) -> Value {
    let resolved = schema["$ref"].as_str().and_then(|name| components["schemas"].get(name.rsplit('/').next().unwrap_or_default()));
    if let Some(resolved) = resolved {
        return if depth > 12 { Value::Null } else { example(resolved, components, depth + 1) };
    }
    for word in ["example", "default", "const"] {
        if !schema[word].is_null() {
            return schema[word].clone();
        }
    }
    if let Some(first) = schema["enum"].get(0).or_else(|| schema["examples"].get(0)) {
        return first.clone();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(fields) = example(part, components, depth + 1) {
                whole.extend(fields);
            }
        }
        return whole.into();
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let chosen = choices.iter().find(|it| it["type"] != "null");
        return chosen.map_or(Value::Null, |it| example(it, components, depth + 1));
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.map(|(name, field)| (name.clone(), example(field, components, depth + 1))).collect::<Map<_, _>>().into()
        }
        Some("array") => json!([example(&schema["items"], components, depth + 1)]),
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        Some("boolean") => true.into(),
        Some("string") if schema["format"] == "date-time" => "2026-01-31T12:00:00Z".into(),
        Some("string") => "…".into(),
        _ => Value::Null,
    }
}

/// What the routes take in their queries, by pattern: the methods of each.
pub type RouteQueries = HashMap<Box<str>, Vec<QueryNames>>;

/// The parameters that one operation takes in its query.
#[derive(Debug, Clone)]
pub struct QueryNames {
    method: Method,
    names: Box<[Box<str>]>,
    /// Whether strangers may call it.
    is_open: bool,
}

/// Reads the parameters of queries out of the document.
pub fn queries(document: &Value) -> RouteQueries {
    let mut all = RouteQueries::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let of_path = all.entry(path.as_str().into()).or_default();
        for (method, operation) in item.as_object().into_iter().flatten() {
            let Ok(method) = method.to_uppercase().parse() else { continue };
            let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|it| it["in"] == "query");
            let names = parameters.filter_map(|it| it["name"].as_str().map(Box::from)).collect();
            of_path.push(QueryNames { method, names, is_open: is_open(operation) });
        }
    }
    all
}

/// Refuses parameters of the query that the document does not know: a misspelt one would be ignored otherwise.
pub async fn only_known(State(known): State<Arc<RouteQueries>>, request: Request, next: Next) -> Response {
    match unknown_in(&known, &request) {
        Some(name) => Refusal(unknown_parameter(&name)).into_response(),
        None => next.run(request).await,
    }
}

/// The first parameter of a request's query that its route does not take. Whoever is signed out where she must not be is told that first.
fn unknown_in(known: &RouteQueries, request: &Request) -> Option<String> {
    let query = request.uri().query().filter(|query| !query.is_empty())?;
    let methods = known.get(request.extensions().get::<MatchedPath>()?.as_str())?;
    let taken = methods.iter().find(|it| it.method == *request.method())?;
    let is_known = |name: &str| taken.names.iter().any(|known| **known == *name);
    let (unknown, _) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !is_known(name))?;
    let is_somebody = || request.extensions().get::<Visitor>().is_some_and(|visitor| visitor.who.is_some());
    (taken.is_open || is_somebody()).then(|| unknown.into_owned())
}
