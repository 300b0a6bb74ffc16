//! Leaves a line of the trail in the transaction of the deed.
pub mod streams;

use crate::{
    audit::{
        model::{ActivityPage, ActivityQuery, ExportFormat, Filter, KnownEvent},
        server::{
            chain::{self, Chain},
            events, read,
        },
    },
    auth::session::Credential,
    error::Result,
    fault::Because,
    id::OrgId,
    rights::Action,
    runtime::panel::Panel,
    store::{Db, EventKind, Tx, tables::audit_event},
    units::Timestamp,
    web::ctx::{Ctx, Origin},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// The most that a line's detail holds, in bytes.
const DETAIL: usize = 16 * 1024;
/// The most that a target or a browser's name for itself holds, in characters.
const WORDS: usize = 200;

/// The kinds of events that there are. The features declare them; whoever starts the panel tells it ([`EventKinds::learn`]).
#[derive(Debug, Default)]
pub struct EventKinds(OnceLock<Vec<EventKind>>);

impl EventKinds {
    /// Takes the list; the first one stands.
    pub fn learn(&self, kinds: impl IntoIterator<Item = EventKind>) {
        self.0.get_or_init(|| kinds.into_iter().collect());
    }

    /// What an event means for people; its name where no feature has it any more.
    fn words(&self, name: &str) -> String {
        let known = self.0.get().into_iter().flatten().find(|kind| kind.name() == name);
        known.map_or(name, |kind| kind.words()).to_string()
    }
}

/// What was done. `detail` never holds a secret's value; what a change was from and to stands under `before` and `after`.
#[derive(Debug, Clone)]
pub struct Event {
    pub kind: EventKind,
    /// The id of what it was done to.
    pub target: String,
    pub detail: Value,
}

/// Records what somebody who is signed in does in the organization that she works in.
pub async fn record(tx: &Tx, ctx: &Ctx, kind: EventKind, target: impl ToString, detail: Value) -> Result<()> {
    record_in(tx, ctx, &ctx.who.org, kind, target, detail).await
}

/// Records what somebody who is signed in does to another organization, or as an operator to the platform ([`trail::platform`]).
pub async fn record_in(tx: &Tx, ctx: &Ctx, org: &OrgId, kind: EventKind, target: impl ToString, detail: Value) -> Result<()> {
    let who = &ctx.who;
    let mut line = line(org, &ctx.origin, ctx.panel.now(), Event { kind, target: target.to_string(), detail });
    line.user_id = who.user.to_string();
    line.user_name = who.name.clone();
    line.impersonator_id = who.impersonator.as_ref().map(|it| it.user.clone());
    line.impersonator_name = who.impersonator.as_ref().map(|it| it.name.clone());
    line.credential = who.credential.id().into();
    line.credential_kind = credential_kind(&who.credential).into();
    tx.leave(line);
    Ok(())
}

/// Records a deed where nobody is signed in yet, or no longer. `user` is empty where nobody is known.
pub async fn record_for(tx: &Tx, org: &OrgId, user: &str, origin: &Origin, at: Timestamp, event: Event) -> Result<()> {
    let mut line = line(org, origin, at, event);
    line.user_id = user.into();
    tx.leave(line);
    Ok(())
}

fn line(org: &OrgId, origin: &Origin, at: Timestamp, event: Event) -> audit_event::Model {
    let mut line = chain::line(org.clone(), event.kind, plain(&event.target), detail(&event.detail), origin.request_id.clone(), at);
    line.address = plain(&origin.address);
    line.agent = plain(&origin.agent);
    line
}

/// The kind of a credential, as a line says it.
fn credential_kind(credential: &Credential) -> &'static str {
    match credential {
        Credential::Browser(_) => "browser",
        Credential::Bearer(_) => "bearer",
        Credential::Key(_) => "key",
    }
}

fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(WORDS).collect()
}

/// The detail as text; what is too long is cut and says so.
fn detail(of: &Value) -> String {
    let text = of.to_string();
    if text.len() <= DETAIL {
        return text;
    }
    let head: String = text.chars().take(DETAIL / 8).collect();
    json!({ "shortened": true, "head": head }).to_string()
}

/// The event that tells that the rows from before there were chains have their places.
const ADOPTED: EventKind = events::AUDIT_ROWS_CHAINED;
/// How many old rows one transaction takes.
const ADOPTED_AT_ONCE: u64 = 1_000;

/// Gives the rows from before there were chains their places. Done once: a row without a place that turns up later was put there by
/// somebody else, and is found.
pub async fn adopt(panel: &Panel) -> Result<()> {
    let chain = Chain::new(panel.secrets.trail_key());
    let (platform, db) = (chain::platform(), &panel.db);
    let done = audit_event::Entity::find()
        .filter(audit_event::Column::OrganizationId.eq(platform.clone()))
        .filter(audit_event::Column::Event.eq(ADOPTED.name()));
    if done.one(db.read()).await.because("looking for old audit rows")?.is_some() {
        return Ok(());
    }
    let (mut last, mut count) = (None, 0);
    while let Some(org) = next_chain(db, last.as_ref()).await? {
        loop {
            let old = async |tx: &Tx| {
                let unchained = audit_event::Entity::find()
                    .filter(audit_event::Column::OrganizationId.eq(org.clone()))
                    .filter(audit_event::Column::Seq.is_null());
                let oldest = unchained.order_by_asc(audit_event::Column::Id).limit(ADOPTED_AT_ONCE);
                oldest.all(tx).await.because("reading old audit rows")
            };
            let some = db.tx(async |tx| chain::adopt(tx, &chain, &org, panel.now(), old).await).await?;
            count += some;
            if some == 0 {
                break;
            }
        }
        last = Some(org);
    }
    let event = Event { kind: ADOPTED, target: String::new(), detail: json!({ "rows": count }) };
    db.tx(async |tx| record_for(tx, &platform, "", &Origin::system(), panel.now(), event).await).await
}

/// The first organization after this one that has rows.
pub(super) async fn next_chain(db: &Db, after: Option<&OrgId>) -> Result<Option<OrgId>> {
    let first = audit_event::Entity::find()
        .select_only()
        .column(audit_event::Column::OrganizationId)
        .filter(audit_event::Column::OrganizationId.gt(after.map_or(String::new(), ToString::to_string)))
        .order_by_asc(audit_event::Column::OrganizationId)
        .limit(1);
    first.into_tuple().one(db.read()).await.because("looking for a chain")
}

/// The caller in the organization that she names. One that is not hers is not there.
pub async fn there(ctx: &Ctx, org: Option<&OrgId>) -> Result<Ctx> {
    match org {
        Some(org) => ctx.in_org(org).await,
        None => Ok(ctx.clone()),
    }
}

/// A page of an organization's trail.
pub async fn activity(ctx: &Ctx, org: Option<&OrgId>, query: ActivityQuery) -> Result<ActivityPage> {
    let ctx = there(ctx, org).await?;
    let org = ctx.may(Action::Audit)?;
    read::page(&ctx.panel.db, &org, &query.parse()?).await
}

/// The events that an organization's trail knows.
pub async fn events(ctx: &Ctx) -> Result<Vec<KnownEvent>> {
    let org = ctx.may(Action::Audit)?;
    let names = read::events(&ctx.panel.db, &org).await?;
    let kinds = ctx.panel.of::<EventKinds>();
    Ok(names.into_iter().map(|name| KnownEvent { words: kinds.words(&name), name }).collect())
}

/// Lets somebody take the trail along; that she did is a line of it.
pub async fn export(ctx: &Ctx, org: Option<&OrgId>, query: ActivityQuery, format: ExportFormat) -> Result<(OrgId, Filter)> {
    let ctx = there(ctx, org).await?;
    let org = (*ctx.may(Action::Audit)?).clone();
    let detail = json!({ "format": format, "query": &query });
    let filter = query.parse()?;
    ctx.panel.db.tx(async |tx| record(tx, &ctx, events::AUDIT_EXPORTED, &org, detail).await).await?;
    Ok((org, filter))
}
