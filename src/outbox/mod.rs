//! Mail to people. A request writes the message into the outbox in its own transaction and never waits for a mail server; a loop sends it
//! later, once. What a message holds (links with tokens) is sealed in its row.
pub mod letter;

use crate::{
    error::Result,
    fault::Because,
    id::{Id, MailId, OrgId},
    runtime::{panel::Panel, wakes::Wake},
    store::{
        Tx, random,
        tables::{
            mail::{self, MailStatus},
            mail_event, mail_suppression,
        },
    },
    units::Timestamp,
};
pub use letter::{Draft, Letter, LetterKind, LetterKinds, LetterText, Sample};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, sea_query::OnConflict};

/// There may be mail to send.
pub const MAIL: Wake = Wake::new("mail");

/// A message to one person.
#[derive(Debug, Clone)]
pub struct Mail<L> {
    /// The address, checked before.
    pub to: String,
    /// The organization that it is sent for, whose members may see what became of it.
    pub org: Option<OrgId>,
    pub letter: L,
}

/// Puts a message into the outbox. One to an address that gets no mail any more is kept there and never sent.
pub async fn queue<L: Letter>(tx: &Tx, panel: &Panel, mail: Mail<L>) -> Result<MailId> {
    put(tx, panel, Mail { to: mail.to, org: mail.org, letter: Draft::of(&mail.letter)? }).await
}

/// Puts a message into the outbox whose letter was put into words already.
pub async fn put(tx: &Tx, panel: &Panel, mail: Mail<Draft>) -> Result<MailId> {
    let (id, now): (MailId, _) = (random::id(), panel.now());
    let latest = now + panel.config.mail.most();
    let expires_at = mail.letter.expires_at.map_or(latest, |at| at.min(latest));
    let status = if suppressed(tx, &mail.to).await? { MailStatus::Suppressed } else { MailStatus::Queued };
    let row = mail::ActiveModel {
        id: Set(id.clone()),
        organization_id: Set(mail.org),
        recipient: Set(mail.to.to_lowercase()),
        template: Set(mail.letter.kind),
        content: Set(panel.secrets.seal(id.as_str(), &mail.letter.content)?),
        status: Set(status),
        attempts: Set(0),
        next_try_at: Set(now),
        expires_at: Set(expires_at),
        created_at: Set(now),
        ..Default::default()
    };
    mail::Entity::insert(row).exec_without_returning(tx).await.because("queueing a message")?;
    note(tx, &id, Note { kind: status.name(), at: now, ..Note::default() }).await?;
    panel.wake(MAIL);
    Ok(id)
}

/// The letter of a message.
pub fn content(panel: &Panel, row: &mail::Model) -> Result<Draft> {
    Draft::kept(panel.secrets.unseal(row.id.as_str(), &row.content)?)
}

/// Whether an address gets no mail any more, because mail to it came back or its owner complained.
pub async fn is_suppressed(panel: &Panel, address: &str) -> Result<bool> {
    suppressed(panel.db.read(), address).await
}

/// The same within a transaction.
pub async fn suppressed(db: &impl ConnectionTrait, address: &str) -> Result<bool> {
    let row = mail_suppression::Entity::find_by_id(address.to_lowercase()).one(db).await;
    Ok(row.because("looking for a suppressed address")?.is_some())
}

/// One thing that happened to a message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Note<'a> {
    pub kind: &'a str,
    /// What a server said, cut to a bounded length.
    pub detail: Option<&'a str>,
    /// What told it, where that can tell it twice.
    pub source: Option<&'a str>,
    pub at: Timestamp,
}

/// Writes down what happened to a message; answers whether it was news.
pub async fn note(tx: &Tx, mail: &MailId, note: Note<'_>) -> Result<bool> {
    let row = mail_event::ActiveModel {
        id: Set(random::suffix()),
        mail_id: Set(mail.clone()),
        kind: Set(note.kind.into()),
        detail: Set(note.detail.map(line)),
        source: Set(note.source.map(str::to_string)),
        created_at: Set(note.at),
    };
    let once = OnConflict::column(mail_event::Column::Source).do_nothing().to_owned();
    let written = mail_event::Entity::insert(row).on_conflict(once).exec_without_returning(tx).await;
    Ok(written.because("writing down what became of a message")? == 1)
}

/// Text from outside as one line of at most 500 characters, without what could steer a terminal or turn text round.
pub fn line(text: &str) -> String {
    let plain = |c: char| if c.is_control() || is_steering(c) { ' ' } else { c };
    let words: String = text.chars().take(2_000).map(plain).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect()
}

/// Characters that are not seen and change how others are: marks of direction, and invisible ones.
pub fn is_steering(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}
