//! A message as it goes over the wire: its headers, its two forms, the address that it is sent back to, and the tokens that tell that it
//! was opened. The `Message-ID` is made from the message's own id, so that a server that gets it twice can see that it is one.
use crate::{
    error::Result,
    fault::Because,
    id::{Id, MailId},
    mail::server::{
        render::{Trace, render},
        smtp::OutgoingMessage,
    },
    outbox::{LetterKinds, content, line},
    runtime::panel::Panel,
    store::tables::mail,
    units::Timestamp,
};
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use std::time::{Duration, SystemTime};

/// Why a message can't be written: a sentence for the operator.
#[derive(Debug)]
pub struct Unwritable(pub String);

/// What the tags in links and addresses are for.
const RETURN: &str = "return";
const OPEN: &str = "open";
const CLICK: &str = "click";

/// Writes a message.
pub fn letter(panel: &Panel, row: &mail::Model) -> Result<Result<OutgoingMessage, Unwritable>> {
    let words = panel.of::<LetterKinds>().write(&content(panel, row)?, &panel.config.brand.name)?;
    let config = &panel.config.mail;
    let url = panel.config.public_url();
    let (link, pixel) = (format!("{url}/m/c/{}", token(panel, CLICK, &row.id)), format!("{url}/m/o/{}", token(panel, OPEN, &row.id)));
    let trace = if config.tracking { Trace { link: Some(&link), pixel: Some(&pixel) } } else { Trace::default() };
    let said = render(&panel.config.brand, words, trace);
    let from: Address = config.from.as_deref().unwrap_or_default().parse().because("reading mail.from")?;
    let Ok(to) = row.recipient.parse::<Address>() else {
        return Ok(Err(Unwritable("The address can’t be written to.".into())));
    };
    let sender = config.from_name.as_deref().unwrap_or(&panel.config.brand.name);
    let mut message = Message::builder()
        .from(Mailbox::new(Some(line(sender)), from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(line(&said.subject))
        .message_id(message_id(panel, &row.id))
        .date(moment(row.created_at))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()))
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("X-Auto-Response-Suppress"), "All".into()));
    if let Some(reply_to) = &config.reply_to {
        message = message.reply_to(Mailbox::new(None, reply_to.parse().because("reading mail.reply_to")?));
    }
    let message = message.multipart(MultiPart::alternative_plain_html(said.text, said.html)).because("writing a message")?;
    let return_path = match return_path(panel, &row.id) {
        Some(address) => address.parse().because("writing a return address")?,
        None => from,
    };
    Ok(Ok(OutgoingMessage { from: return_path, to, body: message.formatted() }))
}

fn moment(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.0.max(0).unsigned_abs())
}

/// A message's `Message-ID`, with its angle brackets.
pub fn message_id(panel: &Panel, id: &MailId) -> Option<String> {
    let domain = panel.config.mail.from.as_deref()?.split_once('@')?.1;
    Some(format!("<{id}@{domain}>"))
}

/// The message that a `Message-ID` names, with or without its brackets. What it names is not proven by this.
pub fn of_message_id(text: &str) -> Option<MailId> {
    text.trim().trim_start_matches('<').split('@').next()?.parse().ok()
}

/// The address that a message is sent back to: it names the message, and its tag proves that we made it.
pub fn return_path(panel: &Panel, id: &MailId) -> Option<String> {
    let bounces = panel.config.mail.bounces.as_ref()?;
    Some(format!("bounce+{}@{}", token(panel, RETURN, id), bounces.domain))
}

/// The message that a return address of ours names.
pub fn of_return_path(panel: &Panel, address: &str) -> Option<MailId> {
    let domain = &panel.config.mail.bounces.as_ref()?.domain;
    let address = address.trim().trim_matches(['<', '>']).to_lowercase();
    let (local, at) = address.rsplit_once('@')?;
    (at == domain).then(|| known(panel, RETURN, local.strip_prefix("bounce+")?)).flatten()
}

/// The message whose opening a token tells.
pub fn of_open(panel: &Panel, token: &str) -> Option<MailId> {
    known(panel, OPEN, token)
}

/// The message whose link a token stands for.
pub fn of_click(panel: &Panel, token: &str) -> Option<MailId> {
    known(panel, CLICK, token)
}

fn token(panel: &Panel, purpose: &str, id: &MailId) -> String {
    format!("{}.{}", id.suffix(), panel.secrets.mail_tag(&format!("{purpose} {id}")))
}

fn known(panel: &Panel, purpose: &str, token: &str) -> Option<MailId> {
    let (suffix, tag) = token.split_once('.')?;
    let id: MailId = format!("{}_{suffix}", MailId::PREFIX).parse().ok()?;
    panel.secrets.is_mail_tag(&format!("{purpose} {id}"), tag).then_some(id)
}
