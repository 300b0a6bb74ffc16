//! What is done with recovery codes: made, used up, thrown away. The second factors call it, and it calls none of them.
use crate::{
    accounts::server::{
        challenges::{self, Bound, RECOVERY},
        codes, events,
        service::factors::{first_organization, person, tell},
    },
    audit::server::service::{Event, record_for},
    error::Result,
    fault::Because,
    id::UserId,
    runtime::panel::Panel,
    store::{
        Tx,
        tables::{recovery_code, user},
    },
    web::ctx::{Ctx, Origin},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};
use serde_json::json;

/// Makes new codes in place of all earlier ones, and keeps them sealed for a few minutes, for the page that shows them.
pub(super) async fn renew(tx: &Tx, ctx: &Ctx) -> Result<Vec<String>> {
    let (panel, user) = (&ctx.panel, &ctx.who.user);
    let new = codes::recovery();
    let old = recovery_code::Entity::delete_many().filter(recovery_code::Column::UserId.eq(user.clone()));
    old.exec(tx).await.because("replacing recovery codes")?;
    let row = |code: &String| recovery_code::ActiveModel {
        user_id: Set(user.clone()),
        code_hash: Set(codes::recovery_hash(user, code)),
        created_at: Set(panel.now()),
        used_at: Set(None),
    };
    recovery_code::Entity::insert_many(new.iter().map(row)).exec_without_returning(tx).await.because("making recovery codes")?;
    challenges::keep_as(tx, panel, RECOVERY, &Bound::session(ctx), &challenges::own_token(ctx, "recovery"), &new).await?;
    Ok(new)
}

/// Makes codes where there are none, for the first second factor of any kind.
pub(super) async fn make_first(tx: &Tx, ctx: &Ctx) -> Result<bool> {
    let any = recovery_code::Entity::find().filter(recovery_code::Column::UserId.eq(ctx.who.user.clone()));
    if any.count(tx).await.because("counting recovery codes")? > 0 {
        return Ok(false);
    }
    renew(tx, ctx).await.map(|_| true)
}

/// Takes the codes away where there is no second factor any more that they could stand for.
pub(super) async fn drop_without_factor(tx: &Tx, user: &UserId) -> Result<()> {
    let row = user::Entity::find_by_id(user.clone()).one(tx).await.because("reading an account")?;
    if row.is_some_and(|row| row.has_second_factor) {
        return Ok(());
    }
    let all = recovery_code::Entity::delete_many().filter(recovery_code::Column::UserId.eq(user.clone()));
    all.exec(tx).await.because("removing recovery codes").map(|_| ())
}

/// Uses a code up. Of two at once one counts. Its owner gets a mail.
pub(super) async fn spend(panel: &Panel, origin: &Origin, user: &UserId, plain: &str) -> Result<bool> {
    let unused = recovery_code::Entity::update_many()
        .col_expr(recovery_code::Column::UsedAt, Expr::value(panel.now()))
        .filter(recovery_code::Column::UserId.eq(user.clone()))
        .filter(recovery_code::Column::CodeHash.eq(codes::recovery_hash(user, plain)))
        .filter(recovery_code::Column::UsedAt.is_null());
    let person = person(panel, user).await?;
    let org = first_organization(panel, user).await?;
    panel
        .db
        .tx(async |tx| {
            if unused.exec(tx).await.because("using a recovery code")?.rows_affected != 1 {
                return Ok(false);
            }
            let left = recovery_code::Entity::find()
                .filter(recovery_code::Column::UserId.eq(user.clone()))
                .filter(recovery_code::Column::UsedAt.is_null());
            let left = left.count(tx).await.because("counting recovery codes")?;
            if let Some(org) = &org {
                let event = Event { kind: events::ACCOUNT_RECOVERY_CODE_USED, target: user.to_string(), detail: json!({ "left": left }) };
                record_for(tx, org, &user.to_string(), origin, panel.now(), event).await?;
            }
            tell(tx, panel, &person, format!("a recovery code was used; {left} are left")).await?;
            Ok(true)
        })
        .await
}
