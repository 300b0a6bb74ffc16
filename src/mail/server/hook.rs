//! The webhook of a mail provider: what became of messages, as JSON. Its secret stands in a header; each event has an id, by which one that
//! is sent twice is taken once.
use crate::{
    error::{Error, Fields, Result, Thing},
    mail::server::{
        letter::of_message_id,
        service::{Feedback, Told, feedback},
    },
    runtime::panel::Panel,
    store::random,
};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

/// Events of one call.
const MOST: usize = 1_000;

/// What happened to messages.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "events": [{ "id": "evt_1", "type": "bounced", "message_id": "<mal_01jd0000000000000000000000@example.com>", "status": "5.1.1", "reason": "550 no such user" }] }))]
pub struct HookEvents {
    /// At most 1000.
    pub events: Vec<HookEvent>,
}

/// One thing that happened to a message.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HookEvent {
    /// The provider's own id of this event, 1 to 200 characters: one that comes twice is taken once.
    pub id: String,
    #[serde(rename = "type")]
    pub kind: HookKind,
    /// The message's `Message-ID`.
    pub message_id: String,
    /// An enhanced status code (RFC 3463) like `5.1.1`, which tells a dead address from a full mailbox.
    pub status: Option<String>,
    /// What the other server said.
    pub reason: Option<String>,
}

/// What can happen to a message at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookKind {
    /// It could not be delivered.
    Bounced,
    /// It is still being tried.
    Delayed,
    /// It arrived.
    Delivered,
    /// Its reader called it spam.
    Complained,
}

/// What came of the events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct HookResult {
    /// Were news.
    pub taken: u64,
    /// Were known already.
    pub repeated: u64,
    /// Are about messages that are not ours, or no longer kept.
    pub unknown: u64,
}

/// Refuses whoever does not know the secret; there is no webhook where none is set.
pub fn admit(panel: &Panel, given: Option<&str>) -> Result<()> {
    let secret = panel.config.mail.webhook_secret().map_err(|why| crate::fault::internal("reading the webhook's secret", why))?;
    let secret = secret.ok_or(Error::NotFound(Thing::PAGE))?;
    // Both go through a keyed hash: the comparison takes as long whatever was given.
    let tag = |text: &str| Hmac::<Sha256>::new_from_slice(&fresh_key()).ok().map(|mac| mac.chain_update(text.as_bytes()));
    let (Some(known), Some(given)) = (tag(&secret), tag(given.unwrap_or_default())) else { return Err(refused()) };
    known.verify(&given.finalize().into_bytes()).map_err(|_| refused())
}

fn fresh_key() -> [u8; 32] {
    static KEY: std::sync::OnceLock<[u8; 32]> = std::sync::OnceLock::new();
    *KEY.get_or_init(random::bytes::<32>)
}

fn refused() -> Error {
    Error::SignedOut("Send the webhook's secret in X-Webhook-Secret.".into())
}

/// Takes events.
pub async fn take(panel: &Panel, body: &HookEvents) -> Result<HookResult> {
    let mut fields = Fields::default();
    if body.events.len() > MOST {
        fields.refuse("events", format!("At most {MOST} events at a time."));
    }
    for (at, event) in body.events.iter().enumerate().take(MOST) {
        if !(1..=200).contains(&event.id.chars().count()) || event.id.chars().any(char::is_control) {
            fields.refuse(&format!("events[{at}].id"), "An id has 1 to 200 characters.");
        }
    }
    fields.done()?;
    let mut result = HookResult::default();
    for event in &body.events {
        let Some(id) = of_message_id(&event.message_id) else {
            result.unknown += 1;
            continue;
        };
        let reason = event.reason.clone().or_else(|| event.status.clone()).unwrap_or_default();
        let what = match event.kind {
            HookKind::Bounced => Feedback::Bounced { status: event.status.clone().unwrap_or_default(), reason },
            HookKind::Delayed => Feedback::Delayed { reason },
            HookKind::Delivered => Feedback::Delivered,
            HookKind::Complained => Feedback::Complained,
        };
        match feedback(panel, &id, &what, &format!("hook:{}", event.id)).await? {
            Told::New => result.taken += 1,
            Told::Again => result.repeated += 1,
            Told::Unknown => result.unknown += 1,
        }
    }
    Ok(result)
}
