//! Mail to people. A request writes the message into the outbox in its own transaction and never waits for a mail server; a loop sends it
//! later, once. What a message holds (links with tokens) is sealed in its row.
mod template;

use crate::{
    error::Result,
    id::{Id, MailId, OrgId},
    platform::{
        db::{Tx, tables::mail},
        fault::Because,
        fresh,
        panel::Panel,
    },
};
use sea_orm::{ActiveValue::Set, EntityTrait};
pub use template::Template;

/// A message to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The address, checked before.
    pub to: String,
    /// The organization that it is sent for, whose members may see what became of it.
    pub org: Option<OrgId>,
    pub template: Template,
}

/// Puts a message into the outbox.
pub async fn queue(tx: &Tx, panel: &Panel, mail: Mail) -> Result<MailId> {
    let (id, now): (MailId, _) = (fresh::id(), panel.now());
    let content = serde_json::to_string(&mail.template).because("writing a message")?;
    let row = mail::ActiveModel {
        id: Set(id.clone()),
        organization_id: Set(mail.org),
        recipient: Set(mail.to),
        template: Set(mail.template.name().into()),
        content: Set(panel.secrets.seal(id.as_str(), &content)?),
        status: Set("queued".into()),
        attempts: Set(0),
        next_try_at: Set(now),
        created_at: Set(now),
        ..Default::default()
    };
    mail::Entity::insert(row).exec_without_returning(tx).await.because("queueing a message")?;
    panel.wake.mail.notify_one();
    Ok(id)
}

/// What a message says.
pub fn content(panel: &Panel, row: &mail::Model) -> Result<Template> {
    serde_json::from_str(&panel.secrets.unseal(row.id.as_str(), &row.content)?).because("reading a message")
}
