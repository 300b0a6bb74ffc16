//! Forms are plain HTML. Each posts to the page that it stands on, with the name of the server function that it means and the
//! request's token; the server calls the function and answers with a redirect, or with the same page and [`Posted`] in it. The
//! fields find what was typed and what is wrong with it there by themselves.
use super::{Csrf, Posted, request::posted};
use crate::error::Error;
use leptos::{context::Provider, prelude::*};

/// Which form a field stands in.
#[derive(Clone, Copy)]
pub(super) struct Within(pub &'static str);

/// The id of a field: unique on the page, and known to whoever links to it.
pub fn field_id(action: &str, field: &str) -> String {
    format!("{action}-{field}")
}

/// What a field finds out about itself.
pub(super) struct Filled {
    /// The form's action and the field's name: unique on the page.
    pub id: String,
    /// What to show: what was typed, or else what is.
    pub value: String,
    /// Why it was refused.
    pub error: Option<String>,
    /// The form was posted and came back.
    pub posted: Option<Posted>,
}

/// Looks up one field of the form around it.
pub(super) fn filled(name: &str, value: String) -> Filled {
    let action = use_context::<Within>().map_or("form", |within| within.0);
    let posted = posted(action);
    Filled {
        id: field_id(action, name),
        value: posted.as_ref().and_then(|p| p.value(name)).map_or(value, str::to_string),
        error: posted.as_ref().and_then(|p| p.error.for_field(name)).map(str::to_string),
        posted,
    }
}

/// A form that calls the server function `action`.
#[component]
pub fn Form(
    /// The server function's name, as in `create_application`.
    action: &'static str,
    /// Fields that nobody sees: name and value.
    #[prop(optional)]
    hidden: Vec<(&'static str, String)>,
    /// How the fields stand; below each other by default.
    #[prop(default = "flex flex-col gap-4", into)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let csrf = use_context::<Csrf>().map(|csrf| csrf.0).unwrap_or_default();
    view! {
        // The server parses, and says one sentence beside each field; the browser's own bubbles would say it twice and worse.
        <form method="post" novalidate class=class>
            <input type="hidden" name="_action" value=action/>
            <input type="hidden" name="_csrf" value=csrf/>
            {hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view()}
            <Provider value=Within(action)>{children()}</Provider>
        </form>
    }
}

/// What was refused, above the content: one sentence, or a list whose lines lead to their fields. Every layout has it once. An
/// error names fields that can be seen, or `form`.
#[component]
pub fn PostedNotice(
    /// The form stands right below: what its fields say is not said twice.
    #[prop(optional)]
    brief: bool,
) -> impl IntoView {
    let said_below = |error: &Error| matches!(error, Error::Invalid(fields) if fields.iter().all(|f| f.field != "form"));
    use_context::<Posted>().filter(|posted| !(brief && said_below(&posted.error))).map(|Posted { action, error, .. }| {
        let lines = match error {
            Error::Invalid(fields) => fields
                .into_iter()
                .map(|f| view! { <li><a class="underline underline-offset-4" href=format!("#{}", field_id(&action, &f.field))>{f.message}</a></li> }.into_any())
                .collect(),
            other => vec![view! { <li>{other.to_string()}</li> }.into_any()],
        };
        view! {
            // Focus goes to what went wrong, so that a screen reader begins there.
            <div role="alert" tabindex="-1" autofocus class="flex gap-3 rounded-card bg-bad-soft px-4 py-3 text-bad-text">
                <span class="pt-0.5">{super::Icon::Blocked.view()}</span>
                <ul class="flex flex-col gap-1">{lines}</ul>
            </div>
        }
    })
}
