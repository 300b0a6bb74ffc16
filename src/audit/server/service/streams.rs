//! Where an organization's trail is sent: listing, making, changing, trying and removing.
use crate::{
    audit::{
        model::{Activity, AuditStream, CreateStream, STREAM, StreamKind, UpdateStream, check_stream},
        server::{
            STREAMS, chain, events, read,
            service::{record, there},
            stream_address,
            stream_send::{self, Sender},
        },
    },
    error::{Error, Result},
    fault::Because,
    flags::server::{self, Flag},
    id::{OrgId, StreamId},
    rights::Action,
    runtime::panel::Panel,
    store::{
        is_taken, random,
        tables::{
            audit_head,
            audit_stream::{self, Column},
        },
    },
    web::ctx::Ctx,
};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;

/// The most streams of one organization.
const MOST: u64 = 10;

fn view(row: audit_stream::Model, end: i64) -> AuditStream {
    AuditStream {
        kind: StreamKind::of(&row.url),
        waiting: if row.is_enabled { (end - row.sent_seq).max(0) } else { 0 },
        id: row.id,
        name: row.name,
        url: row.url,
        is_enabled: row.is_enabled,
        disabled_reason: row.disabled_reason,
        sent_seq: row.sent_seq,
        failing_since: row.failing_since,
        last_error: row.last_error,
        last_sent_at: row.last_sent_at,
        version: row.version,
        created_at: row.created_at,
    }
}

/// How many lines the organization's trail has.
async fn end(panel: &Panel, org: &OrgId) -> Result<i64> {
    let head = audit_head::Entity::find_by_id(org.clone()).one(panel.db.read()).await.because("reading the end of a chain")?;
    Ok(head.map_or(0, |head| head.seq))
}

/// Whoever changes where the trail goes may read it and may change settings, and the organization has the feature.
async fn may_change(ctx: &Ctx, org: Option<&OrgId>) -> Result<(Ctx, OrgId)> {
    let ctx = there(ctx, org).await?;
    ctx.may(Action::Audit)?;
    let org = (*ctx.may(Action::Settings)?).clone();
    if !server::is_on(&ctx.panel, &org, Flag::AuditStreams).await? {
        return Err(Error::Conflict("Streams of the audit trail are not available for this organization yet. Ask the operator.".into()));
    }
    Ok((ctx, org))
}

/// Every stream of an organization.
pub async fn list(ctx: &Ctx, org: Option<&OrgId>) -> Result<Vec<AuditStream>> {
    let ctx = there(ctx, org).await?;
    let org = ctx.may(Action::Audit)?;
    let rows = audit_stream::Entity::find().filter(Column::OrganizationId.eq((*org).clone())).order_by_asc(Column::Name).limit(MOST);
    let rows = rows.all(ctx.panel.db.read()).await.because("listing streams")?;
    let end = end(&ctx.panel, &org).await?;
    Ok(rows.into_iter().map(|row| view(row, end)).collect())
}

async fn find(ctx: &Ctx, org: &OrgId, id: &StreamId) -> Result<audit_stream::Model> {
    let row = audit_stream::Entity::find_by_id(id.clone()).filter(Column::OrganizationId.eq(org.clone()));
    row.one(ctx.panel.db.read()).await.because("looking up a stream")?.ok_or(Error::NotFound(STREAM))
}

/// One stream.
pub async fn get(ctx: &Ctx, org: Option<&OrgId>, id: &StreamId) -> Result<AuditStream> {
    let ctx = there(ctx, org).await?;
    let org = ctx.may(Action::Audit)?;
    Ok(view(find(&ctx, &org, id).await?, end(&ctx.panel, &org).await?))
}

/// Where the secret of a stream is sealed to.
pub(super) fn place_of_secret(id: &StreamId) -> String {
    format!("{id}/secret")
}

fn sealed(panel: &Panel, id: &StreamId, secret: Option<&str>) -> Result<Option<String>> {
    secret.map(|secret| panel.secrets.seal(&place_of_secret(id), secret)).transpose()
}

fn given(secret: &Option<String>) -> Option<&str> {
    secret.as_deref().filter(|secret| !secret.is_empty())
}

/// Sends the trail somewhere: what is written from now on.
pub async fn create(ctx: &Ctx, org: Option<&OrgId>, form: &CreateStream) -> Result<AuditStream> {
    let (ctx, org) = may_change(ctx, org).await?;
    let secret = given(&form.secret);
    check_stream(&form.name, &form.url, secret)?;
    stream_address::find(&ctx.panel, &form.url).await.map_err(|why| Error::invalid("url", why))?;
    let (id, now): (StreamId, _) = (random::id(), ctx.panel.now());
    let row = audit_stream::Model {
        secret: sealed(&ctx.panel, &id, secret)?,
        organization_id: org.clone(),
        name: form.name.trim().into(),
        url: form.url.clone(),
        sent_seq: end(&ctx.panel, &org).await?,
        is_enabled: true,
        disabled_reason: None,
        attempts: 0,
        failing_since: None,
        last_error: None,
        last_sent_at: None,
        next_try_at: now,
        lease_owner: None,
        lease_until: None,
        version: 1,
        created_at: now,
        id,
    };
    ctx.panel
        .db
        .tx(async |tx| {
            let of = audit_stream::Entity::find().filter(Column::OrganizationId.eq(org.clone()));
            let used = of.count(tx).await.because("counting streams")?;
            if used >= MOST {
                return Err(Error::QuotaExceeded { what: "streams of the audit trail".into(), limit: MOST, used });
            }
            record(tx, &ctx, events::AUDIT_STREAM_CREATED, &row.id, json!({ "after": { "name": row.name, "url": row.url } })).await?;
            let new: audit_stream::ActiveModel = row.clone().into();
            match audit_stream::Entity::insert(new.reset_all()).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => Err(Error::invalid("name", "There is a stream of this name already.")),
                done => done.because("making a stream").map(|_| ()),
            }
        })
        .await?;
    ctx.panel.wake(STREAMS);
    Ok(view(row.clone(), row.sent_seq))
}

/// Changes a stream. It goes on after the last line that arrived.
pub async fn update(ctx: &Ctx, org: Option<&OrgId>, id: &StreamId, form: &UpdateStream) -> Result<AuditStream> {
    let (ctx, org) = may_change(ctx, org).await?;
    let before = find(&ctx, &org, id).await?;
    let (name, url) = (form.name.clone().unwrap_or_else(|| before.name.clone()), form.url.clone().unwrap_or_else(|| before.url.clone()));
    let opened = before.secret.as_ref().map(|text| ctx.panel.secrets.unseal(&place_of_secret(id), text)).transpose()?;
    // A secret is for the place that it was given for: another place needs another one.
    let moved = url::Url::parse(&url).ok().map(|url| url.origin()) != url::Url::parse(&before.url).ok().map(|url| url.origin());
    let secret = given(&form.secret).or(opened.as_deref().filter(|_| !moved && StreamKind::of(&url) == StreamKind::Webhook));
    check_stream(&name, &url, secret)?;
    stream_address::find(&ctx.panel, &url).await.map_err(|why| Error::invalid("url", why))?;
    let is_enabled = form.is_enabled.unwrap_or(before.is_enabled);
    let after = audit_stream::Model {
        name: name.trim().into(),
        url,
        secret: sealed(&ctx.panel, id, secret)?,
        is_enabled,
        disabled_reason: before.disabled_reason.clone().filter(|_| !is_enabled),
        attempts: 0,
        failing_since: None,
        last_error: None,
        next_try_at: ctx.panel.now(),
        version: before.version + 1,
        ..before.clone()
    };
    ctx.panel
        .db
        .tx(async |tx| {
            let said = |row: &audit_stream::Model| json!({ "name": row.name, "url": row.url, "is_enabled": row.is_enabled });
            let detail = json!({ "before": said(&before), "after": said(&after), "secret_changed": given(&form.secret).is_some() });
            record(tx, &ctx, events::AUDIT_STREAM_CHANGED, id, detail).await?;
            let mut change: audit_stream::ActiveModel = after.clone().into();
            change = change.reset_all();
            // What arrives meanwhile stays arrived, and who sends it now ends that first.
            change.sent_seq = sea_orm::ActiveValue::NotSet;
            change.lease_owner = sea_orm::ActiveValue::NotSet;
            change.lease_until = sea_orm::ActiveValue::NotSet;
            match audit_stream::Entity::update(change).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => Err(Error::invalid("name", "There is a stream of this name already.")),
                done => done.because("changing a stream").map(|_| ()),
            }
        })
        .await?;
    ctx.panel.wake(STREAMS);
    Ok(view(after, end(&ctx.panel, &org).await?))
}

/// Sends nothing there any more.
pub async fn delete(ctx: &Ctx, org: Option<&OrgId>, id: &StreamId) -> Result<()> {
    let ctx = there(ctx, org).await?;
    ctx.may(Action::Audit)?;
    let org = ctx.may(Action::Settings)?;
    let before = find(&ctx, &org, id).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, &ctx, events::AUDIT_STREAM_DELETED, id, json!({ "before": { "name": before.name, "url": before.url } })).await?;
            audit_stream::Entity::delete_by_id(id.clone()).exec(tx).await.because("removing a stream").map(|_| ())
        })
        .await
}

/// Sends one line that says that it is a test, now.
pub async fn test(ctx: &Ctx, org: Option<&OrgId>, id: &StreamId) -> Result<()> {
    let (ctx, org) = may_change(ctx, org).await?;
    let row = find(&ctx, &org, id).await?;
    ctx.panel.db.tx(async |tx| record(tx, &ctx, events::AUDIT_STREAM_TESTED, id, json!({})).await).await?;
    let line = chain::line(
        org,
        events::AUDIT_STREAM_TEST,
        id.to_string(),
        r#"{"test":true}"#.into(),
        ctx.origin.request_id.clone(),
        ctx.panel.now(),
    );
    let line = read::shown(line);
    deliver(&ctx.panel, &row, &[line]).await.map_err(|why| Error::Conflict(format!("The test did not arrive. {why}")))
}

/// Sends lines to a stream's place; else a sentence that says why they did not arrive.
pub async fn deliver(panel: &Panel, row: &audit_stream::Model, lines: &[Activity]) -> std::result::Result<(), String> {
    let place = stream_address::find(panel, &row.url).await?;
    let secret = row.secret.as_ref().map(|text| panel.secrets.unseal(&place_of_secret(&row.id), text)).transpose();
    let secret = secret.map_err(|_| "Its secret can’t be read any more. Give it anew.".to_string())?;
    let url = panel.config.public_url();
    let host = url.split("://").nth(1).and_then(|rest| rest.split([':', '/']).next()).unwrap_or_default();
    let from = Sender { stream: &row.id, org: &row.organization_id, secret: secret.as_deref(), now: panel.now(), host };
    stream_send::send(&place, &from, lines).await
}
