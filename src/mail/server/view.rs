//! How rows become what the operator sees.
use crate::{
    mail::model::{MailCounts, MailDay, MailEvent, Message, Suppression},
    store::tables::{mail, mail_event, mail_suppression},
    units::Timestamp,
};
use std::collections::BTreeMap;

/// A day in milliseconds.
pub const DAY: i64 = 86_400_000;

/// A message.
pub fn message(row: mail::Model) -> Message {
    let status = row.status;
    Message {
        id: row.id,
        organization_id: row.organization_id,
        recipient: row.recipient,
        template: row.template,
        status,
        attempts: row.attempts.max(0).unsigned_abs(),
        next_try_at: status.waits().then_some(row.next_try_at),
        expires_at: row.expires_at,
        last_error: row.last_error,
        sent_at: row.sent_at,
        created_at: row.created_at,
    }
}

/// What happened to it.
pub fn event(row: mail_event::Model) -> MailEvent {
    MailEvent { kind: row.kind, detail: row.detail, at: row.created_at }
}

/// An address that gets no mail.
pub fn suppression(row: mail_suppression::Model) -> Suppression {
    Suppression { address: row.address, reason: row.reason, detail: row.detail, mail_id: row.mail_id, created_at: row.created_at }
}

/// Adds so many events of a kind.
pub fn add(counts: &mut MailCounts, kind: &str, count: u64) {
    let slot = match kind {
        "sent" => &mut counts.sent,
        "deferred" | "interrupted" => &mut counts.deferred,
        "bounced" => &mut counts.bounced,
        "failed" => &mut counts.failed,
        "suppressed" => &mut counts.suppressed,
        "expired" => &mut counts.expired,
        "complained" => &mut counts.complained,
        "opened" => &mut counts.opened,
        "clicked" => &mut counts.clicked,
        _ => return,
    };
    *slot += count;
}

/// The last seven days by UTC, the newest first, from counts by kind and day since 1970.
pub fn days(now: Timestamp, counted: &[(String, i64, i64)]) -> Vec<MailDay> {
    let today = now.0.div_euclid(DAY);
    let mut days: BTreeMap<i64, MailCounts> = (today - 6..=today).map(|day| (day, MailCounts::default())).collect();
    for (kind, day, count) in counted {
        if let Some(counts) = days.get_mut(day) {
            add(counts, kind, count.unsigned_abs());
        }
    }
    let named = |day: i64| Timestamp(day * DAY).to_string().chars().take(10).collect();
    days.into_iter().rev().map(|(day, counts)| MailDay { day: named(day), counts }).collect()
}
