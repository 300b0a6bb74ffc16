//! Reading and setting how far features are rolled out.
use crate::{
    admin::{
        model::{FLAG, FeatureFlag, FlagFor, SetFlag},
        server::events,
    },
    audit::server::{chain, service::record_in},
    error::{Error, Fields, Result},
    fault::Because,
    flags::server::{Flag, FlagCache},
    id::OrgId,
    store::tables::{feature_flag, flag_override, organization},
    web::ctx::{Ctx, Operator},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use serde_json::json;
use std::collections::BTreeMap;

/// The most organizations of one flag that are set apart.
const APART: usize = 1_000;

/// Every flag.
pub async fn list(ctx: &Operator) -> Result<Vec<FeatureFlag>> {
    let mut all = Vec::new();
    for flag in Flag::ALL {
        all.push(read(ctx, flag).await?);
    }
    Ok(all)
}

async fn read(ctx: &Ctx, flag: Flag) -> Result<FeatureFlag> {
    let db = ctx.panel.db.read();
    let row = feature_flag::Entity::find_by_id(flag.name()).one(db).await.because("reading a feature flag")?;
    let apart = flag_override::Entity::find()
        .filter(flag_override::Column::Name.eq(flag.name()))
        .order_by_asc(flag_override::Column::OrganizationId)
        .limit(APART as u64);
    let apart = apart.all(db).await.because("reading a feature flag")?;
    Ok(FeatureFlag {
        name: flag.name().into(),
        description: flag.words().into(),
        percent: row.map_or(flag.usual(), |row| row.percent.clamp(0, 100) as u8),
        organizations: apart.into_iter().map(|row| FlagFor { organization_id: row.organization_id, is_on: row.is_on }).collect(),
    })
}

/// Sets how far a feature is rolled out. Every panel follows within seconds.
pub async fn set(ctx: &Operator, name: &str, form: &SetFlag) -> Result<FeatureFlag> {
    let flag = Flag::named(name).ok_or(Error::NotFound(FLAG))?;
    let mut fields = Fields::default();
    if form.percent > 100 {
        fields.refuse("percent", "Give a whole number from 0 to 100.");
    }
    if form.organizations.len() > APART {
        fields.refuse("organizations", format!("At most {APART} organizations are set apart."));
    }
    let apart: BTreeMap<OrgId, bool> = form.organizations.iter().map(|it| (it.organization_id.clone(), it.is_on)).collect();
    if apart.len() < form.organizations.len() {
        fields.refuse("organizations", "Name each organization once.");
    }
    fields.done()?;
    let known = organization::Entity::find().filter(organization::Column::Id.is_in(apart.keys().cloned().collect::<Vec<_>>()));
    if known.count(ctx.panel.db.read()).await.because("looking up organizations")? < apart.len() as u64 {
        return Err(Error::invalid("organizations", "One of these organizations does not exist."));
    }
    let before = read(ctx, flag).await?;
    let row = feature_flag::ActiveModel {
        name: Set(flag.name().into()),
        percent: Set(i64::from(form.percent)),
        version: Set(1),
        updated_at: Set(ctx.panel.now()),
    };
    let again = OnConflict::column(feature_flag::Column::Name)
        .update_columns([feature_flag::Column::Percent, feature_flag::Column::UpdatedAt])
        .value(feature_flag::Column::Version, Expr::col((feature_flag::Entity, feature_flag::Column::Version)).add(1))
        .to_owned();
    let rows: Vec<flag_override::ActiveModel> = apart
        .into_iter()
        .map(|(org, is_on)| flag_override::ActiveModel { name: Set(flag.name().into()), organization_id: Set(org), is_on: Set(is_on) })
        .collect();
    ctx.panel
        .db
        .tx(async |tx| {
            // The flag's row first: whoever else sets it waits.
            feature_flag::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await.because("setting a feature flag")?;
            let old = flag_override::Entity::delete_many().filter(flag_override::Column::Name.eq(flag.name()));
            old.exec(tx).await.because("setting a feature flag")?;
            if !rows.is_empty() {
                flag_override::Entity::insert_many(rows).exec_without_returning(tx).await.because("setting a feature flag")?;
            }
            let of = |percent: u8, apart: &[FlagFor]| json!({ "percent": percent, "organizations": apart });
            let detail = json!({ "before": of(before.percent, &before.organizations), "after": of(form.percent, &form.organizations) });
            record_in(tx, ctx, &chain::platform(), events::FLAG_CHANGED, flag.name(), detail).await
        })
        .await?;
    ctx.panel.of::<FlagCache>().forget();
    read(ctx, flag).await
}
