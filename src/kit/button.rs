//! What is pressed: a button that sends its form, a link that looks like one, a plain button for islands. A page has at most one
//! primary action; what destroys is danger, and nothing else is.
use super::{Icon, request::may};
use crate::rights::Action;
use leptos::prelude::*;

/// How much a button asks to be pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// The one thing to do here.
    Primary,
    /// Something else that can be done.
    #[default]
    Plain,
    /// Something minor: no frame until it is pointed at.
    Quiet,
    /// Something that can't be undone.
    Danger,
}

impl Look {
    pub(super) fn class(self, small: bool) -> String {
        let size = if small { "h-7 px-2 text-small" } else { "h-8 px-3" };
        let look = match self {
            Look::Primary => "bg-accent text-accent-ink hover:bg-accent-press shadow-control",
            Look::Plain => "bg-surface text-text border border-edge hover:bg-hover active:bg-press shadow-control",
            Look::Quiet => "text-muted hover:bg-press hover:text-text",
            Look::Danger => "bg-bad text-bad-ink hover:bg-bad-press shadow-control",
        };
        format!(
            "inline-flex items-center justify-center gap-2 rounded-control font-medium whitespace-nowrap transition-colors duration-100 \
             disabled:opacity-50 {size} {look}"
        )
    }
}

/// Sends the form that it stands in.
#[component]
pub fn SubmitButton(
    /// How much it asks to be pressed.
    #[prop(default = Look::Primary)]
    look: Look,
    /// For table rows and toolbars.
    #[prop(optional)]
    small: bool,
    /// As wide as its form.
    #[prop(optional)]
    wide: bool,
    /// Pressed only once the form's confirming field matches.
    #[prop(optional)]
    confirmed: bool,
    /// Can't be pressed now; the words beside it say why.
    #[prop(optional)]
    disabled: bool,
    /// The permission that it takes; who lacks it sees why.
    #[prop(optional, into)]
    needs: Option<Action>,
    /// Sent with the form, where one form has several buttons.
    #[prop(optional, into)]
    name: Option<String>,
    /// The value under that name.
    #[prop(optional, into)]
    value: Option<String>,
    /// For a button whose words are only a picture or a sign.
    #[prop(optional, into)]
    label: Option<String>,
    children: Children,
) -> impl IntoView {
    let class = if wide { format!("{} w-full", look.class(small)) } else { look.class(small) };
    let refused = needs.and_then(|action| may(action).err());
    let locked = refused.is_some().then(|| Icon::Lock.view());
    view! {
        <button
            type="submit" class=class name=name value=value disabled=disabled || refused.is_some() aria-label=label.clone()
            title=refused.or(label) data-control data-confirmed=confirmed.then_some("")
        >
            {locked} {children()}
        </button>
    }
}

/// A link that looks like a button: it leads somewhere and changes nothing.
#[component]
pub fn LinkButton(
    /// Where it leads.
    #[prop(into)]
    href: String,
    /// How much it asks to be pressed.
    #[prop(optional)]
    look: Look,
    /// For table rows and toolbars.
    #[prop(optional)]
    small: bool,
    /// The permission that the place it leads to takes; who lacks it sees why.
    #[prop(optional, into)]
    needs: Option<Action>,
    /// Gives a file instead of a page.
    #[prop(optional)]
    download: bool,
    children: Children,
) -> impl IntoView {
    match needs.and_then(|action| may(action).err()) {
        Some(why) => view! {
            <span class=format!("{} cursor-not-allowed opacity-50", look.class(small)) aria-disabled="true" title=why data-control>
                {Icon::Lock.view()} {children()}
            </span>
        }
        .into_any(),
        None => view! {
            <a href=href class=look.class(small) download=download.then_some("") data-control>
                {children()}
            </a>
        }
        .into_any(),
    }
}

/// A button for islands: give it an `on:click`.
#[component]
pub fn Button(
    /// How much it asks to be pressed.
    #[prop(optional)]
    look: Look,
    /// For table rows and toolbars.
    #[prop(optional)]
    small: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <button type="button" class=look.class(small) data-control>
            {children()}
        </button>
    }
}

/// A link within text.
#[component]
pub fn TextLink(
    /// Where it leads.
    #[prop(into)]
    href: String,
    /// Leads out of the panel: a tab of its own, and a sign that says so.
    #[prop(optional)]
    outside: bool,
    children: Children,
) -> impl IntoView {
    let class = "inline-flex items-center gap-1 text-accent-text underline-offset-4 hover:underline";
    view! {
        <a href=href class=class target=outside.then_some("_blank") rel=outside.then_some("noopener noreferrer")>
            {children()} {outside.then(|| super::Icon::External.view())}
        </a>
    }
}
