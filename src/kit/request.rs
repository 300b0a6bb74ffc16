//! What a page knows of the request that it answers. The server provides these as contexts before it renders; all of them may be
//! missing (in the gallery, in a test), and then a page shows what a stranger sees.
use super::FormTarget;
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

/// What was done by the request before this one, in one sentence that is shown once. Each feature declares its own in `flashes.rs`. A
/// cookie carries only the code, so that nobody can put sentences of his own into a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flash {
    code: &'static str,
    text: &'static str,
}

impl Flash {
    /// The cookie that carries the code.
    pub const COOKIE: &str = "said";
    /// The settings were saved.
    pub const SAVED: Flash = Flash::new("saved", "Saved.");
    /// Something was removed.
    pub const REMOVED: Flash = Flash::new("removed", "Removed.");
    /// Those that belong to no feature.
    pub const COMMON: &[Flash] = &[Flash::SAVED, Flash::REMOVED];

    /// A message with its code on the wire: the feature and a word in snake case, as in `apps.scaled`.
    pub const fn new(code: &'static str, text: &'static str) -> Self {
        Flash { code, text }
    }

    /// What stands in the cookie.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The message that a `Cookie` header names, among those that are known.
    pub fn of_cookies(header: &str, known: impl IntoIterator<Item = Flash>) -> Option<Flash> {
        let code = header.split(';').find_map(|pair| pair.trim().strip_prefix("said="))?;
        known.into_iter().find(|flash| flash.code == code)
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
pub fn posted(target: FormTarget) -> Option<Posted> {
    use_context::<Posted>().filter(|posted| posted.action == target.name())
}

/// Whether this form was posted and refused: then what holds it stands open.
pub fn is_posted(target: FormTarget) -> bool {
    posted(target).is_some()
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
        let known = || Flash::COMMON.iter().copied();
        assert_eq!(Flash::of_cookies("a=b; said=saved", known()), Some(Flash::SAVED));
        assert_eq!(Flash::of_cookies("said=You won, click here", known()), None);
    }
}
