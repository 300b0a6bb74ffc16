//! Reading an organization's trail: a page of it, or all of it row by row.
use crate::{
    audit::model::{Activity, ActivityPage, Actor, Filter, kind_of},
    error::Result,
    fault::Because,
    id::{Id, OrgId, UserId},
    store::{
        Db,
        tables::audit_event::{self, Column},
    },
    web::api::contains,
};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

/// A line as it is shown.
pub fn shown(row: audit_event::Model) -> Activity {
    let actor = (!row.user_id.is_empty()).then_some(Actor { id: row.user_id, name: row.user_name });
    let operator = |id: UserId| Actor { id: id.to_string(), name: row.impersonator_name.clone().unwrap_or_default() };
    Activity {
        id: row.id,
        seq: row.seq.unwrap_or_default(),
        at: row.created_at,
        actor,
        impersonator: row.impersonator_id.map(operator),
        target_kind: kind_of(&row.target, &row.event),
        event: row.event,
        target: row.target,
        credential: row.credential,
        credential_kind: row.credential_kind,
        address: row.address,
        agent: row.agent,
        request_id: row.request_id,
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        hash: row.hash.unwrap_or_default(),
    }
}

fn rows(org: &OrgId, filter: &Filter) -> Select<audit_event::Entity> {
    let mut all = audit_event::Entity::find().filter(Column::OrganizationId.eq(org.clone())).filter(Column::Seq.is_not_null());
    if let Some(person) = &filter.person {
        let is = Condition::any().add(Column::UserId.eq(person));
        // What an operator did in somebody's name is hers, too.
        let is = match person.parse::<UserId>() {
            Ok(id) => is.add(Column::ImpersonatorId.eq(id.as_str())),
            Err(_) => is,
        };
        all = all.filter(is);
    }
    if let Some(event) = &filter.event {
        all = match event.ends_with('.') {
            true => all.filter(Column::Event.starts_with(event.replace(['%', '_', '\\'], ""))),
            false => all.filter(Column::Event.eq(event)),
        };
    }
    if let Some(target) = &filter.target {
        all = all.filter(Column::Target.eq(target));
    }
    if let Some(credential) = &filter.credential {
        all = all.filter(Column::Credential.eq(credential));
    }
    if let Some(from) = filter.from {
        all = all.filter(Column::CreatedAt.gte(from));
    }
    if let Some(until) = filter.until {
        all = all.filter(Column::CreatedAt.lt(until));
    }
    if let Some(text) = &filter.search {
        let places = [Column::Event, Column::Target, Column::UserName, Column::Detail];
        let any = places.into_iter().fold(Condition::any(), |any, place| any.add(contains(place, text)));
        all = all.filter(any);
    }
    if let Some(before) = filter.before {
        all = all.filter(Column::Seq.lt(before));
    }
    all
}

/// A page of the trail, the newest line first.
pub async fn page(db: &Db, org: &OrgId, filter: &Filter) -> Result<ActivityPage> {
    let newest = rows(org, filter).order_by_desc(Column::Seq).limit(filter.limit + 1);
    let mut found = newest.all(db.read()).await.because("reading the audit trail")?;
    let more = found.len() as u64 > filter.limit;
    found.truncate(filter.limit as usize);
    let next = found.last().filter(|_| more).and_then(|row| row.seq);
    Ok(ActivityPage { activities: found.into_iter().map(shown).collect(), next })
}

/// The lines after this number, the oldest first, at most `limit`.
pub async fn after(db: &Db, org: &OrgId, filter: &Filter, seq: i64, limit: u64) -> Result<Vec<Activity>> {
    let oldest = rows(org, filter).filter(Column::Seq.gt(seq)).order_by_asc(Column::Seq).limit(limit);
    Ok(oldest.all(db.read()).await.because("reading the audit trail")?.into_iter().map(shown).collect())
}

/// What a person did lately in any organization, the newest first.
pub async fn of_person(db: &Db, user: &UserId, limit: u64) -> Result<Vec<Activity>> {
    let newest = audit_event::Entity::find().filter(Column::UserId.eq(user.as_str())).order_by_desc(Column::Id).limit(limit);
    Ok(newest.all(db.read()).await.because("reading the audit trail")?.into_iter().map(shown).collect())
}

/// The events that stand in an organization's trail, for a list to choose from.
pub async fn events(db: &Db, org: &OrgId) -> Result<Vec<String>> {
    let mut known: Vec<String> = Vec::new();
    // One step of the index an event, however many rows there are.
    while known.len() < 200 {
        let next = audit_event::Entity::find()
            .select_only()
            .column(Column::Event)
            .filter(Column::OrganizationId.eq(org.clone()))
            .filter(Column::Event.gt(known.last().cloned().unwrap_or_default()))
            .order_by_asc(Column::Event)
            .limit(1);
        match next.into_tuple().one(db.read()).await.because("reading the audit trail")? {
            Some(event) => known.push(event),
            None => break,
        }
    }
    Ok(known)
}
