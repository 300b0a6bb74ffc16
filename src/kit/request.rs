//! What a page knows of the request that it answers. The server provides these as contexts before it renders; all of them may be
//! missing (in the gallery, in a test), and then a page shows what a stranger sees.
use crate::{
    error::Error,
    rights::{Action, Permissions},
    units::Timestamp,
};
use leptos::prelude::*;

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

/// What whoever looks may do here. The pages of one application put a narrower or wider one over the organization's.
#[derive(Debug, Clone)]
pub struct Rights {
    /// The role's name for people.
    pub role: String,
    pub permissions: Permissions,
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
    /// A deployment will be ended.
    pub const CANCELLED: &str = "cancelled";

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
            Self::CANCELLED => "The deployment is being cancelled. What visitors see stays as it is.",
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
