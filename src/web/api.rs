//! The conventions of the REST API: the envelope of answers and refusals, bodies and queries that name the field that is wrong,
//! pages of lists, and waiting.
use crate::{
    error::{Error, FieldError, Result},
    id::NotAnId,
};
use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use sea_orm::{ExprTrait, sea_query::Expr};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;
use utoipa::ToSchema;

/// The largest body that the API takes.
pub const MAX_BODY: usize = 1024 * 1024;

/// A refusal on its way out; the outermost layer gives it its envelope and the request's id.
#[derive(Debug, Clone)]
pub struct Refusal(pub Error);

impl From<Error> for Refusal {
    fn from(why: Error) -> Self {
        Refusal(why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// `{ "success": false, … }`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Refused)]
pub struct Failure {
    pub success: bool,
    pub error: FailureBody,
    pub request_id: String,
}

/// What went wrong: a stable code, a sentence, and the fields that are wrong.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct FailureBody {
    pub code: String,
    pub message: String,
    pub details: Vec<Detail>,
    /// The permission that is missing, with `FORBIDDEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<String>,
    /// What the plan allows, with `QUOTA_EXCEEDED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// What is in use, with `QUOTA_EXCEEDED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

/// One field and why it can't be taken.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    pub field: String,
    pub message: String,
}

impl Refusal {
    /// The refusal in its envelope.
    pub fn answer(&self, request_id: &str) -> Response {
        let why = &self.0;
        let details = match why {
            Error::Invalid(fields) => fields.iter().map(|f| Detail { field: f.field.clone(), message: f.message.clone() }).collect(),
            _ => Vec::new(),
        };
        let (limit, used) = match why {
            Error::QuotaExceeded { limit, used, .. } => (Some(*limit), Some(*used)),
            _ => (None, None),
        };
        let required = match why {
            Error::Forbidden { permission } => Some(permission.clone()),
            _ => None,
        };
        let error = FailureBody { code: why.code(), message: why.to_string(), details, required, limit, used };
        let status = StatusCode::from_u16(why.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(Failure { success: false, error, request_id: request_id.into() })).into_response();
        let retry_after = match why {
            Error::RateLimited { retry_after } | Error::UnknownDevice { retry_after } => Some(*retry_after),
            Error::Unavailable(_) => Some(5),
            _ => None,
        };
        if let Some(value) = retry_after.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok()) {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

impl Refusal {
    /// The refusal as a server function's caller reads it.
    pub fn typed(&self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(&self.0)).into_response()
    }
}

/// `{ "success": true, "data": … }`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Success<T> {
    pub success: bool,
    pub data: T,
}

/// `null`: that it was done is all there is to say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Done;

/// `{ "success": true, "data": […], "pagination": … }`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    pub success: bool,
    pub data: Vec<T>,
    pub pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pagination {
    pub page: u64,
    pub limit: u64,
    pub total: u64,
    pub total_pages: u64,
}

/// An answer with data, or a refusal.
pub type Answer<T> = Result<Json<Success<T>>, Refusal>;

/// Wraps data into the envelope.
pub fn ok<T>(data: T) -> Answer<T> {
    Ok(Json(Success { success: true, data }))
}

/// `202` with what can be followed, and where it is.
pub fn accepted<T: Serialize>(location: &str, data: T) -> Result<Response, Refusal> {
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location.to_string())], Json(Success { success: true, data })).into_response())
}

/// `201` with what was made, and where it is.
pub fn created<T: Serialize>(location: &str, data: T) -> Result<Response, Refusal> {
    Ok((StatusCode::CREATED, [(header::LOCATION, location.to_string())], Json(Success { success: true, data })).into_response())
}

/// Which page of a list; `?page=1&limit=50`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Paging {
    pub page: u64,
    pub limit: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Paging { page: 1, limit: 50 }
    }
}

impl Paging {
    /// Parses what was asked for; a limit is 1 to 200, a page at least 1.
    pub fn parse(page: Option<u64>, limit: Option<u64>) -> Result<Self> {
        let mut fields = crate::error::Fields::default();
        let paging = Paging { page: page.unwrap_or(1), limit: limit.unwrap_or(50) };
        if !(1..=1_000_000).contains(&paging.page) {
            fields.refuse("page", "Pages count from 1.");
        }
        if !(1..=200).contains(&paging.limit) {
            fields.refuse("limit", "A page has 1 to 200 entries.");
        }
        fields.done()?;
        Ok(paging)
    }

    /// Entries before this page.
    pub fn offset(self) -> u64 {
        (self.page - 1) * self.limit
    }

    /// Where this page stands among `total` entries.
    pub fn of(self, total: u64) -> Pagination {
        Pagination { page: self.page, limit: self.limit, total, total_pages: total.div_ceil(self.limit) }
    }
}

/// A JSON body that was parsed; a wrong field is named.
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        check_kind(request.headers())?;
        let bytes = read(request.into_body()).await?;
        // An empty body stands for an empty object: every field of some requests may be left out.
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // The parser would take an array for an object, field by field.
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(Error::invalid("body", "Send a JSON object.").into());
        }
        let mut parser = serde_json::Deserializer::from_slice(bytes);
        let parsed = serde_path_to_error::deserialize(&mut parser).map_err(|why| wrong(&why.path().to_string(), why.inner()))?;
        parser.end().map_err(|why| wrong("body", &why))?;
        no_nul(bytes)?;
        Ok(Input(parsed))
    }
}

/// Refuses what is not JSON in UTF-8 as it stands.
fn check_kind(headers: &HeaderMap) -> Result<()> {
    let of = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase()).unwrap_or_default();
    let (kind, encoding) = (of(header::CONTENT_TYPE), of(header::CONTENT_ENCODING));
    let mut parts = kind.split(';').map(str::trim);
    // curl calls whatever it sends with -d a form; what another site could make a browser send was refused before.
    if !["", "application/json", "application/x-www-form-urlencoded"].contains(&parts.next().unwrap_or_default()) {
        return Err(Error::invalid("body", "Send JSON, with Content-Type: application/json."));
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).map(|name| name.trim_matches('"'));
    if charset.is_some_and(|name| !["utf-8", "utf8", "us-ascii"].contains(&name)) {
        return Err(Error::invalid("body", "Send the JSON in UTF-8."));
    }
    if !["", "identity"].contains(&encoding.as_str()) {
        return Err(Error::invalid("body", "Send the body as it is, without Content-Encoding."));
    }
    Ok(())
}

/// Refuses strings with a NUL, which no text column of PostgreSQL takes, and names where each stands.
fn no_nul(bytes: &[u8]) -> Result<()> {
    if !bytes.windows(6).any(|six| six == b"\\u0000") {
        return Ok(());
    }
    fn walk(value: &serde_json::Value, path: String, fields: &mut crate::error::Fields) {
        match value {
            serde_json::Value::String(text) if text.contains('\0') => fields.refuse(&path, "Text can’t hold a NUL character. Take it out."),
            serde_json::Value::Array(all) => all.iter().enumerate().for_each(|(at, one)| walk(one, format!("{path}[{at}]"), fields)),
            serde_json::Value::Object(all) => all.iter().for_each(|(name, one)| {
                let dot = if path.is_empty() { "" } else { "." };
                let shown = name.replace('\0', "\u{fffd}");
                if shown != *name {
                    fields.refuse(&path, "A name can’t hold a NUL character. Take it out.");
                }
                walk(one, format!("{path}{dot}{shown}"), fields);
            }),
            _ => {}
        }
    }
    let mut fields = crate::error::Fields::default();
    if let Ok(value) = serde_json::from_slice(bytes) {
        walk(&value, String::new(), &mut fields);
    }
    fields.done()
}

fn wrong(path: &str, why: &serde_json::Error) -> Error {
    let said = why.to_string();
    let said = said.split(" at line ").next().unwrap_or_default();
    let unknown = said.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let twice = said.strip_prefix("duplicate field `").and_then(|rest| rest.split('`').next());
    let broken = why.is_syntax() || why.is_eof();
    // A path ends in `?` where the parser did not get as far as the name.
    let field = match (path.trim_end_matches(['.', '?']), unknown.or(twice)) {
        _ if broken => "body".to_string(),
        ("", Some(name)) => name.to_string(),
        ("", None) => "body".into(),
        (path, _) => path.to_string(),
    };
    let message = match unknown {
        Some(_) => "There is no such field.".to_string(),
        None if broken => format!("The body is no JSON: {said}."),
        None => {
            let mut letters = said.chars();
            let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
            format!("{first}{}.", letters.as_str().trim_end_matches('.'))
        }
    };
    Error::Invalid(vec![FieldError { field, message }])
}

/// Reads a body within its limit.
pub async fn read(body: Body) -> Result<Bytes> {
    to_bytes(body, MAX_BODY).await.map_err(|_| Error::TooLarge(format!("A request's body may have {} KiB.", MAX_BODY / 1024)))
}

/// A query that was parsed; a wrong field is named.
pub struct QueryParams<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryParams<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let parser = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()));
        serde_path_to_error::deserialize(parser).map(QueryParams).map_err(|why| {
            let said = why.inner().to_string();
            let unknown = said.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
            match (why.path().to_string().trim_end_matches(['.', '?']), unknown) {
                (_, Some(name)) => unknown_parameter(name).into(),
                ("", None) => Error::invalid("query", format!("The query can’t be read: {said}.")).into(),
                (path, None) => Error::invalid(path, format!("This can’t be read: {said}.")).into(),
            }
        })
    }
}

/// The refusal of a parameter of the query that a route does not know.
pub fn unknown_parameter(name: &str) -> Error {
    Error::invalid(name.chars().take(100).collect::<String>(), "There is no such parameter here.")
}

/// Parses the id in a path; what is no id of this kind is not there.
pub fn named<T: std::str::FromStr<Err = NotAnId>>(text: &str, thing: crate::error::Thing) -> Result<T> {
    text.parse().map_err(|_| Error::NotFound(thing))
}

/// `?wait=60`: seconds to hold the answer, at most 300.
pub fn waiting(wait: Option<u64>) -> Result<Option<Duration>> {
    match wait {
        Some(seconds) if seconds > 300 => Err(Error::invalid("wait", "Wait at most 300 seconds, and ask again.")),
        wait => Ok(wait.map(Duration::from_secs)),
    }
}

/// `column LIKE %text%` with the text taken literally. A NUL, which PostgreSQL takes in no text, stands in none.
pub fn contains(column: impl sea_orm::sea_query::IntoColumnRef, text: &str) -> sea_orm::sea_query::SimpleExpr {
    Expr::col(column).like(sea_orm::sea_query::LikeExpr::new(anywhere(text)).escape('\\'))
}

/// The `LIKE` pattern that finds a text anywhere, with a backslash as its escape.
pub fn anywhere(text: &str) -> String {
    let literal = |c: char| if matches!(c, '%' | '_' | '\\') { vec!['\\', c] } else { vec![c] };
    let text: String = text.chars().filter(|c| *c != '\0').flat_map(literal).collect();
    format!("%{text}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_bounds() {
        assert!(Paging::parse(Some(0), None).is_err());
        assert!(Paging::parse(None, Some(201)).is_err());
        let paging = Paging::parse(Some(3), Some(20)).unwrap();
        assert_eq!(paging.offset(), 40);
        assert_eq!(paging.of(41), Pagination { page: 3, limit: 20, total: 41, total_pages: 3 });
    }

    #[test]
    fn a_wrong_body_names_its_field() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Scale {
            #[allow(dead_code)]
            replicas: u32,
        }
        let told = |text: &str| {
            let mut parser = serde_json::Deserializer::from_str(text);
            let why = serde_path_to_error::deserialize::<_, Scale>(&mut parser).unwrap_err();
            match wrong(&why.path().to_string(), why.inner()) {
                Error::Invalid(fields) => fields[0].field.clone(),
                other => panic!("{other}"),
            }
        };
        assert_eq!(told(r#"{"replicas": "x"}"#), "replicas");
        assert_eq!(told(r#"{"replica": 1}"#), "replica");
        assert_eq!(told(r#"{"#), "body");
    }
}
