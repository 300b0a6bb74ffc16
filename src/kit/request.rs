//! What a page knows of the request that it answers. The server provides these as contexts before it renders; all of them may be
//! missing (in the gallery, in a test), and then a page shows what a stranger sees.
use crate::{
    error::Error,
    id::AppId,
    rights::{Action, Permissions},
    units::Timestamp,
};
use leptos::{context::Provider, prelude::*};
use std::{collections::HashMap, sync::Arc};

/// The token that each form carries back.
#[derive(Debug, Clone)]
pub struct Csrf(pub String);

/// The moment of this request by the panel's clock; relative times count from it.
#[derive(Debug, Clone, Copy)]
pub struct Now(pub Timestamp);

/// How the operator presents the product.
#[derive(Debug, Clone)]
pub struct Brand {
    /// The product's name.
    pub name: String,
    /// The accent as a CSS colour; ours where there is none.
    pub accent: Option<String>,
}

impl Default for Brand {
    fn default() -> Self {
        Brand { name: "SkyPanel".into(), accent: None }
    }
}

/// Who looks at the page.
#[derive(Debug, Clone)]
pub struct Viewer {
    pub name: String,
    pub email: String,
    /// The organization that the page is about.
    pub organization: String,
    /// The person's other organizations: name, and the value that `switch_organization` takes.
    pub others: Vec<(String, String)>,
}

/// The address of whoever looks, while it is not proven.
#[derive(Debug, Clone)]
pub struct Unverified(pub String);

/// What whoever looks may do here. The pages of one application put a narrower or wider one over the organization's.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The role's name for people.
    pub role: String,
    pub permissions: Permissions,
    /// What may be done with single applications beside that.
    pub on_apps: Arc<HashMap<AppId, Permissions>>,
}

impl Rights {
    /// What may be done with one application.
    pub fn on(&self, app: &AppId) -> Rights {
        let more = self.on_apps.get(app).copied().unwrap_or_default();
        Rights { permissions: self.permissions.or(more), ..self.clone() }
    }
}

/// Light, dark, or what the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The cookie that remembers the choice.
    pub const COOKIE: &str = "theme";

    /// What stands in the cookie and in `<html data-theme>`.
    pub fn word(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// Reads a `Cookie` header; whatever is no theme is the system's.
    pub fn of_cookies(header: &str) -> Theme {
        let value = header.split(';').find_map(|pair| pair.trim().strip_prefix("theme="));
        [Theme::Light, Theme::Dark].into_iter().find(|t| Some(t.word()) == value).unwrap_or_default()
    }
}

/// What was done by the request before this one, in one sentence. Shown once. A cookie carries only its word, so that nobody can put
/// sentences of his own into a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flash(pub &'static str);

impl Flash {
    /// The cookie that carries the word.
    pub const COOKIE: &str = "said";
    /// The settings were saved.
    pub const SAVED: &str = "saved";
    /// A variable was set or removed.
    pub const VARIABLES: &str = "variables";
    /// The number of replicas was changed.
    pub const SCALED: &str = "scaled";
    /// It was stopped.
    pub const STOPPED: &str = "stopped";
    /// It was started.
    pub const STARTED: &str = "started";
    /// It was made.
    pub const CREATED: &str = "created";
    /// It was deleted.
    pub const DELETED: &str = "deleted";
    /// Somebody or something was suspended.
    pub const SUSPENDED: &str = "suspended";
    /// It was resumed.
    pub const RESUMED: &str = "resumed";
    /// It was sent to try whether it arrives.
    pub const TRIED: &str = "tried";
    /// It was removed.
    pub const TAKEN_AWAY: &str = "taken-away";
    /// A deployment will be ended.
    pub const CANCELLED: &str = "cancelled";
    /// All visitors get a canary.
    pub const PROMOTED: &str = "promoted";
    /// A canary is taken back.
    pub const TAKEN_BACK_NOW: &str = "taken-back-now";
    /// A domain was looked at.
    pub const CHECKED: &str = "checked";
    /// A domain was removed.
    pub const DOMAIN_REMOVED: &str = "domain-removed";
    /// Visitors get the maintenance page.
    pub const MAINTENANCE: &str = "maintenance";
    /// Visitors get the application again.
    pub const NO_MAINTENANCE: &str = "no-maintenance";
    /// A certificate will be ordered.
    pub const ORDERED: &str = "ordered";

    /// A mail with a link is on its way.
    pub const LINK_SENT: &str = "link-sent";
    /// A mail is on its way if there is such an account.
    pub const RESET_SENT: &str = "reset-sent";
    /// An address was proven.
    pub const ADDRESS_CONFIRMED: &str = "address-confirmed";
    /// There is a new password.
    pub const PASSWORD_CHANGED: &str = "password-changed";
    /// Somebody was signed out elsewhere.
    pub const SESSION_ENDED: &str = "session-ended";
    /// An organization was made.
    pub const FOUNDED: &str = "founded";
    /// An organization was left.
    pub const LEFT: &str = "left";
    /// An organization was handed over.
    pub const TRANSFERRED: &str = "transferred";
    /// An organization was deleted.
    pub const DISSOLVED: &str = "dissolved";
    /// Members were changed.
    pub const MEMBERS: &str = "members";
    /// Members were removed.
    pub const REMOVED: &str = "removed";
    /// A role was made or changed.
    pub const ROLE: &str = "role";
    /// A role was deleted.
    pub const NO_ROLE: &str = "no-role";
    /// An invitation is on its way.
    pub const INVITED: &str = "invited";
    /// An invitation was made, and no mail can be sent.
    pub const NOT_MAILED: &str = "not-mailed";
    /// An invitation was taken back.
    pub const TAKEN_BACK: &str = "taken-back";
    /// An invitation was declined.
    pub const DECLINED: &str = "declined";
    /// Somebody joined an organization.
    pub const JOINED: &str = "joined";
    /// Grants were changed.
    pub const GRANTS: &str = "grants";
    /// A message will be sent once more.
    pub const MAIL_RETRIED: &str = "mail_retried";
    /// A message was ended.
    pub const MAIL_ENDED: &str = "mail_ended";
    /// A test mail was put into the outbox.
    pub const TEST_MAIL: &str = "test_mail";
    /// An address gets mail again.
    pub const SUPPRESSION_LIFTED: &str = "suppression_lifted";
    /// A key of the API was revoked.
    pub const KEY_REVOKED: &str = "key-revoked";

    /// Reads a `Cookie` header.
    pub fn of_cookies(header: &str) -> Option<Flash> {
        let word = header.split(';').find_map(|pair| pair.trim().strip_prefix("said="))?;
        Some(Flash(match word {
            Self::SAVED => "Saved.",
            Self::VARIABLES => "The variables were saved.",
            Self::SCALED => "The number of replicas was changed.",
            Self::STOPPED => "The application is being stopped.",
            Self::STARTED => "The application is being started.",
            Self::CREATED => "The application was created. Deploy it to put it online.",
            Self::DELETED => "The application was deleted.",
            Self::KEY_REVOKED => "The key was revoked. Whatever uses it is refused from now on.",
            Self::SUSPENDED => "Suspended.",
            Self::RESUMED => "Resumed.",
            Self::TRIED => "The test arrived.",
            Self::TAKEN_AWAY => "Removed.",
            Self::CANCELLED => "The deployment is being cancelled. What visitors see stays as it is.",
            Self::PROMOTED => "All visitors get the new release now.",
            Self::TAKEN_BACK_NOW => "All visitors get the release before again.",
            Self::LINK_SENT => "A mail with a link is on its way. Follow it to confirm the address.",
            Self::RESET_SENT => "If there is an account with this address, a link to a new password is on its way to it.",
            Self::ADDRESS_CONFIRMED => "The address is confirmed.",
            Self::PASSWORD_CHANGED => "The password was changed.",
            Self::SESSION_ENDED => "Signed out there.",
            Self::FOUNDED => "The organization was created, and you work in it now.",
            Self::LEFT => "You left the organization.",
            Self::TRANSFERRED => "The organization has a new owner. You are an admin now.",
            Self::DISSOLVED => "The organization was deleted.",
            Self::MEMBERS => "The roles were changed.",
            Self::REMOVED => "They are no members any more.",
            Self::ROLE => "The role was saved.",
            Self::NO_ROLE => "The role was deleted.",
            Self::INVITED => "The invitation is on its way.",
            Self::NOT_MAILED => {
                "The invitation stands, but no mail was sent: earlier mail to this address came back. Check the address, or ask the operator."
            }
            Self::TAKEN_BACK => "The invitation was taken back; its link no longer works.",
            Self::DECLINED => "You declined the invitation.",
            Self::JOINED => "Welcome. You are a member now.",
            Self::GRANTS => "What the member may do with single applications was changed.",
            Self::MAIL_RETRIED => "The message will be sent once more.",
            Self::MAIL_ENDED => "The message was ended. Nobody gets it.",
            Self::TEST_MAIL => "The message waits to be sent to your address.",
            Self::SUPPRESSION_LIFTED => "The address gets mail again.",
            Self::MAINTENANCE => "Visitors see the maintenance page now.",
            Self::NO_MAINTENANCE => "Maintenance is over. Visitors reach the application again.",
            Self::CHECKED => "The domain was checked just now.",
            Self::DOMAIN_REMOVED => "The domain was removed. It leads here no more.",
            Self::ORDERED => "A certificate is being ordered. It takes a minute or two.",
            _ => return None,
        }))
    }
}

/// Whether whoever looks may do this; else the sentence that says why not. Where nobody is known (a gallery, a test) all is allowed.
pub fn may(action: Action) -> Result<(), String> {
    match use_context::<Rights>() {
        Some(rights) if !rights.permissions.may(action) => {
            Err(format!("Your role here, {}, does not include “{action}”. Ask an owner or admin.", rights.role))
        }
        _ => Ok(()),
    }
}

/// Puts the rights on one application over the organization's: what is locked in here goes by them.
#[component]
pub fn OnApp(
    /// The application.
    id: AppId,
    children: Children,
) -> impl IntoView {
    match use_context::<Rights>() {
        Some(rights) => view! { <Provider value=rights.on(&id)>{children()}</Provider> }.into_any(),
        None => children().into_any(),
    }
}

/// A form that was posted to this page and refused: the page is rendered again with what was typed and why not.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The server function's name.
    pub action: String,
    /// The fields as they were sent.
    pub values: Vec<(String, String)>,
    /// Why it was refused.
    pub error: Error,
}

impl Posted {
    /// What was typed into a field.
    pub fn value(&self, field: &str) -> Option<&str> {
        self.values.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }
}

/// The refused post, where it was this form's.
pub(super) fn posted(action: &str) -> Option<Posted> {
    use_context::<Posted>().filter(|posted| posted.action == action)
}

/// Whether this form was posted and refused: then what holds it stands open.
pub fn is_posted(action: &str) -> bool {
    posted(action).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_is_read_out_of_any_cookies() {
        assert_eq!(Theme::of_cookies("session=x; theme=dark"), Theme::Dark);
        assert_eq!(Theme::of_cookies("theme=purple"), Theme::System);
        assert_eq!(Theme::of_cookies(""), Theme::System);
    }

    #[test]
    fn only_known_words_are_said() {
        assert_eq!(Flash::of_cookies("a=b; said=saved"), Some(Flash("Saved.")));
        assert_eq!(Flash::of_cookies("said=You won, click here"), None);
    }
}
