//! Mail to an organization's owners about what goes wrong with a domain while nobody looks at the panel.
use crate::{
    domains::server::letters::DomainTroubleLetter,
    error::Result,
    fault::Because,
    outbox::{self, Mail},
    rights::Role,
    runtime::panel::Panel,
    store::{
        Tx,
        tables::{domain, membership, user},
    },
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};

/// Owners that are told.
const MOST: u64 = 20;

/// Tells the owners of a domain's organization, in the transaction in which it happened.
pub async fn owners(tx: &Tx, panel: &Panel, row: &domain::Model, words: &str) -> Result<()> {
    let owners = Query::select()
        .column(membership::Column::UserId)
        .from(membership::Entity)
        .and_where(membership::Column::OrganizationId.eq(row.organization_id.clone()))
        .and_where(membership::Column::Role.eq(Role::Owner.name()))
        .to_owned();
    let people = user::Entity::find().filter(user::Column::Id.in_subquery(owners)).order_by_asc(user::Column::Id).limit(MOST);
    for person in people.all(tx).await.because("looking up a domain's owners")? {
        let letter = DomainTroubleLetter {
            name: person.name,
            domain: row.shown.clone(),
            words: words.into(),
            link: format!("{}/domains/{}", panel.config.public_url(), row.id),
        };
        outbox::queue(tx, panel, Mail { to: person.email, org: Some(row.organization_id.clone()), letter }).await?;
    }
    Ok(())
}
