//! Idempotency keys: the same `Idempotency-Key` and body give the same answer for a day, so that a script whose connection broke can ask
//! again without doing twice. Answers are remembered sealed, since some hold a secret that is told once.
use crate::{
    error::{Error, Result},
    fault::Because,
    id::UserId,
    store::{is_taken, random, tables::idempotency_key},
    web::{
        api::{MAX_BODY, Refusal, read},
        ctx::Visitor,
    },
};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::{collections::BTreeMap, time::Duration};

/// How long a key is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// How long a request may be under way before its key may be used again.
const UNDER_WAY: Duration = Duration::from_secs(300);
/// Headers of the answer that a replay repeats.
const KEPT: [HeaderName; 2] = [header::LOCATION, header::ETAG];
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Gives the same answer to the same `Idempotency-Key` and body for a day; another body under the same key is a conflict.
pub async fn idempotent(visitor: Visitor, request: Request, next: Next) -> Response {
    let key = request.headers().get(&IDEMPOTENCY_KEY).cloned();
    match (key, &visitor.who, request.method()) {
        (Some(key), Some(who), &Method::POST) => match once(&visitor, who, key, request, next).await {
            Ok(response) => response,
            Err(why) => Refusal(why).into_response(),
        },
        _ => next.run(request).await,
    }
}

async fn once(visitor: &Visitor, who: &crate::auth::session::Who, key: HeaderValue, request: Request, next: Next) -> Result<Response> {
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
    let key = key.ok_or_else(|| Error::invalid("Idempotency-Key", "A key has 1 to 255 visible characters."))?;
    let (parts, body) = request.into_parts();
    let body = read(body).await?;
    let asked = random::hash(&format!("{}\n{}\n{}\n{}", who.org, parts.method, parts.uri, String::from_utf8_lossy(&body)));
    let id = (who.user.clone(), random::hash(key));
    if let Some(answer) = begin(visitor, &id, &asked).await? {
        return Ok(answer);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (mut parts, body) = response.into_parts();
    // A refusal gets its envelope here already: it is part of the answer that is remembered.
    let body = match parts.extensions.remove::<Refusal>() {
        Some(refusal) => {
            let (enveloped, body) = refusal.answer(&visitor.origin.request_id).into_parts();
            parts.headers.extend(enveloped.headers);
            body
        }
        None => body,
    };
    let bytes = to_bytes(body, 8 * MAX_BODY).await.because("reading an answer")?;
    end(visitor, &id, parts.status, &parts.headers, &bytes).await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

type KeyId = (UserId, String);

fn place(id: &KeyId) -> String {
    format!("idempotency {} {}", id.0, id.1)
}

/// Takes the key, or answers with what was answered before.
async fn begin(visitor: &Visitor, id: &KeyId, asked: &str) -> Result<Option<Response>> {
    let (panel, now) = (&visitor.panel, visitor.panel.now());
    let row = idempotency_key::ActiveModel {
        user_id: Set(id.0.clone()),
        key_hash: Set(id.1.clone()),
        request_hash: Set(asked.into()),
        status: Set(None),
        body: Set(None),
        headers: Set(None),
        expires_at: Set(now + UNDER_WAY),
    };
    let taken = panel
        .db
        .tx(async |tx| {
            let over = idempotency_key::Entity::delete_many().filter(idempotency_key::Column::ExpiresAt.lte(now));
            over.exec(tx).await.because("forgetting old keys")?;
            match idempotency_key::Entity::insert(row).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => Err(Error::Conflict(String::new())),
                done => done.because("taking a key").map(|_| ()),
            }
        })
        .await;
    match taken {
        Ok(()) => return Ok(None),
        Err(Error::Conflict(_)) => {}
        Err(why) => return Err(why),
    }
    let known = idempotency_key::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("reading a key")?;
    match known {
        Some(row) if row.request_hash != asked => Err(Error::Conflict("This Idempotency-Key was used for another request.".into())),
        Some(idempotency_key::Model { status: Some(status), body: Some(body), headers: kept, .. }) => {
            // What was remembered before answers were sealed stands there as it is, for a day.
            let body = if body.starts_with("1:") { panel.secrets.unseal(&place(id), &body)? } else { body };
            let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
            let mut headers = HeaderMap::new();
            let kept: BTreeMap<String, String> =
                serde_json::from_str(kept.as_deref().unwrap_or("{}")).because("reading an answer's headers")?;
            for name in KEPT {
                if let Some(value) = kept.get(name.as_str()).and_then(|value| HeaderValue::from_str(value).ok()) {
                    headers.insert(name, value);
                }
            }
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert("idempotent-replay", HeaderValue::from_static("true"));
            Ok(Some((status, headers, body).into_response()))
        }
        _ => Err(Error::Conflict("The first request with this Idempotency-Key is still under way.".into())),
    }
}

/// Remembers the answer; one of ours that failed is forgotten, so that the caller can try again.
async fn end(visitor: &Visitor, id: &KeyId, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<()> {
    let panel = &visitor.panel;
    let sealed = panel.secrets.seal(&place(id), &String::from_utf8_lossy(body))?;
    let kept = KEPT.iter().filter_map(|name| Some((name.as_str(), headers.get(name)?.to_str().ok()?)));
    let kept = serde_json::to_string(&kept.collect::<BTreeMap<_, _>>()).because("remembering an answer's headers")?;
    panel
        .db
        .tx(async |tx| {
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return idempotency_key::Entity::delete_by_id(id.clone()).exec(tx).await.because("forgetting a key").map(|_| ());
            }
            let row = idempotency_key::ActiveModel {
                user_id: Set(id.0.clone()),
                key_hash: Set(id.1.clone()),
                status: Set(Some(i64::from(status.as_u16()))),
                body: Set(Some(sealed)),
                headers: Set(Some(kept)),
                expires_at: Set(panel.now() + REMEMBERED),
                ..Default::default()
            };
            row.update(tx).await.because("remembering an answer").map(|_| ())
        })
        .await
}
