//! Versions on the wire: the `ETag` of what can be changed, `If-Match` that keeps two editors from overwriting each other, and
//! `If-None-Match` that spares sending what the caller has.
use crate::{
    error::{Error, Result},
    web::api::Success,
};
use axum::{
    Json,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// A thing with its version as `ETag`.
pub fn versioned<T: Serialize>(version: i64, data: T) -> Response {
    let mut response = Json(Success { success: true, data }).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The version that the editor saw; none where she insists.
pub fn if_match(headers: &HeaderMap) -> Result<Option<i64>> {
    match headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or_default().trim().trim_matches('"')) {
        None | Some("*") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| Error::invalid("If-Match", "Send the ETag that you got with it.")),
    }
}

/// Answers `304` to whoever has this version already.
pub async fn not_modified(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get(header::IF_NONE_MATCH).cloned().filter(|_| reads);
    let mut response = next.run(request).await;
    let (Some(known), Some(tag)) = (known, response.headers().get(header::ETAG)) else { return response };
    let is_known = known
        .to_str()
        .is_ok_and(|known| known == "*" || known.split(',').any(|it| it.trim().trim_start_matches("W/").as_bytes() == tag.as_bytes()));
    if is_known && response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
}
