//! Our account at the authority, as its row keeps it: sealed, one for each directory, shared by all panels.
use crate::{error::Result, fault::Because, runtime::panel::Panel, store::tables::acme_account};
use instant_acme::AccountCredentials;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::OnConflict};

fn place(directory: &str) -> String {
    format!("acme {directory}")
}

/// The account, sealed and opened. One that can't be opened (the master key is another) is forgotten: there is to be a new one.
pub async fn stored(panel: &Panel, directory: &str) -> Result<Option<(String, AccountCredentials)>> {
    let row = acme_account::Entity::find_by_id(directory).one(panel.db.read()).await.because("looking up the authority's account")?;
    let Some(row) = row else { return Ok(None) };
    let text = panel.secrets.unseal(&place(directory), &row.credentials);
    match text.and_then(|text| serde_json::from_str(&text).because("reading an account's key")) {
        Ok(credentials) => Ok(Some((row.credentials, credentials))),
        Err(why) => {
            tracing::warn!("the account at the certificate authority can't be read, and another is made: {why}");
            forget(panel, directory, &row.credentials).await?;
            Ok(None)
        }
    }
}

/// Keeps a new account, unless another panel was faster. Answers with what was sealed.
pub async fn remember(panel: &Panel, directory: &str, credentials: &AccountCredentials) -> Result<String> {
    let text = serde_json::to_string(credentials).because("writing an account's key")?;
    let sealed = panel.secrets.seal(&place(directory), &text)?;
    let row =
        acme_account::ActiveModel { directory: Set(directory.into()), credentials: Set(sealed.clone()), created_at: Set(panel.now()) };
    let once = OnConflict::column(acme_account::Column::Directory).do_nothing().to_owned();
    let kept = panel.db.tx(async |tx| match acme_account::Entity::insert(row).on_conflict(once).exec_without_returning(tx).await {
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(()),
        done => done.because("keeping the authority's account").map(|_| ()),
    });
    kept.await.map(|()| sealed)
}

/// Forgets an account, unless another stands in its place already.
pub async fn forget(panel: &Panel, directory: &str, sealed: &str) -> Result<()> {
    let forget = acme_account::Entity::delete_many()
        .filter(acme_account::Column::Directory.eq(directory))
        .filter(acme_account::Column::Credentials.eq(sealed));
    panel.db.tx(async |tx| forget.exec(tx).await.because("forgetting the authority's account")).await.map(|_| ())
}
