//! The operator's pages of mail.
mod list;
mod message;
mod suppressions;
mod templates;

use crate::{
    kit::{Page, PageTitle, Tabs, Tone},
    mail::model::MailStatus,
};
use leptos::prelude::*;
pub use list::MailList;
pub use message::MailMessage;
pub use suppressions::MailSuppressions;
pub use templates::{MailTemplatePage, MailTemplates};

/// The frame of the pages that stand beside each other.
#[component]
fn MailFrame(
    /// The address of the tab that is shown.
    current: &'static str,
    children: Children,
) -> impl IntoView {
    let tabs = vec![
        ("Messages", "/admin/mail".to_string()),
        ("Templates", "/admin/mail/templates".to_string()),
        ("Suppressed addresses", "/admin/mail/suppressions".to_string()),
    ];
    view! {
        <Page>
            <PageTitle title="Mail" above=above()/>
            <Tabs tabs=tabs current=current/>
            {children()}
        </Page>
    }
}

/// The levels above the frame.
fn above() -> Vec<(String, String)> {
    vec![("Admin".into(), "/admin".into())]
}

/// The levels above a page within it.
fn within(name: &str, href: &str) -> Vec<(String, String)> {
    let mut all = above();
    all.push(("Mail".into(), "/admin/mail".into()));
    if !name.is_empty() {
        all.push((name.into(), href.into()));
    }
    all
}

/// What a status means.
fn tone(status: MailStatus) -> Tone {
    match status {
        MailStatus::Queued | MailStatus::Sending => Tone::Busy,
        MailStatus::Deferred => Tone::Warning,
        MailStatus::Sent => Tone::Good,
        MailStatus::Bounced | MailStatus::Failed => Tone::Bad,
        MailStatus::Suppressed | MailStatus::Expired | MailStatus::Cancelled => Tone::Idle,
    }
}

/// What happened to a message, for people.
fn event_words(kind: &str) -> (Tone, &'static str) {
    match kind {
        "queued" => (Tone::Busy, "Queued"),
        "sent" => (Tone::Good, "The mail server took it"),
        "deferred" => (Tone::Warning, "Not taken, tried again later"),
        "interrupted" => (Tone::Warning, "Interrupted, tried again"),
        "bounced" => (Tone::Bad, "Came back"),
        "failed" => (Tone::Bad, "Refused for good"),
        "suppressed" => (Tone::Idle, "Not sent: the address is suppressed"),
        "expired" => (Tone::Idle, "Expired before it could be sent"),
        "cancelled" => (Tone::Idle, "Ended by an operator"),
        "retried" => (Tone::Busy, "Sent once more by an operator"),
        "delayed" => (Tone::Warning, "Delayed at another server"),
        "delivered" => (Tone::Good, "Arrived"),
        "complained" => (Tone::Bad, "Called spam by its reader"),
        "opened" => (Tone::Good, "Opened"),
        "clicked" => (Tone::Good, "Its link was followed"),
        _ => (Tone::Idle, "Something happened"),
    }
}

/// A box to search in.
const BOX: &str = "h-8 rounded-control border border-edge bg-surface px-3 shadow-control hover:border-faint";
/// The button beside it.
const FILTER: &str = "h-8 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover";

/// An address of a list with what is asked for in its query.
fn address(base: &'static str, asked: Vec<(&'static str, Option<String>)>) -> Callback<u64, String> {
    Callback::new(move |page: u64| {
        let mut params = leptos_router::params::ParamsMap::new();
        let page = (page > 1).then(|| page.to_string());
        for (name, value) in asked.iter().cloned().chain([("page", page)]) {
            if let Some(value) = value {
                params.insert(name, value);
            }
        }
        format!("{base}{}", params.to_query_string())
    })
}
