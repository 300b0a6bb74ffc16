//! Forms are plain HTML. Each posts to the page that it stands on, with the name of the server function that it means and the
//! request's token; the server calls the function and answers with a redirect, or with the same page and [`Posted`] in it. The
//! fields find what was typed and what is wrong with it there by themselves.
use super::{Csrf, Posted, request::posted};
use crate::error::Error;
use leptos::{context::Provider, prelude::*, server_fn::ServerFn};

/// The server function that a form calls. It is named by its type (`ScaleApplication::FORM`), so that a form for a function that does
/// not exist does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormTarget {
    path: &'static str,
    name: &'static str,
}

impl FormTarget {
    const fn of(path: &'static str) -> Self {
        let mut start = path.len();
        while start > 0 && path.as_bytes()[start - 1] != b'/' {
            start -= 1;
        }
        FormTarget { path, name: path.split_at(start).1 }
    }

    /// A target for the gallery's forms: no server function has this name, and whoever posts such a form is told so.
    pub(super) const fn sample(name: &'static str) -> Self {
        FormTarget::of(name)
    }

    /// The function's path, which scripts ask.
    pub fn path(self) -> &'static str {
        self.path
    }

    /// The function's name, as the form says it in `_action`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The id of one of the form's fields: unique on the page, and known to whoever links to it.
    pub fn field_id(self, field: &str) -> String {
        field_id(self.name, field)
    }
}

/// Every server function can be called by a form.
pub trait FormOf {
    /// What a [`Form`] that calls this function is given.
    const FORM: FormTarget;
}

impl<F: ServerFn> FormOf for F {
    const FORM: FormTarget = FormTarget::of(F::PATH);
}

/// Which form a field stands in.
#[derive(Clone, Copy)]
struct Within(FormTarget);

fn field_id(function: &str, field: &str) -> String {
    format!("{function}-{field}")
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
    let target = use_context::<Within>().map_or(FormTarget::sample("form"), |within| within.0);
    let posted = posted(target);
    Filled {
        id: target.field_id(name),
        value: posted.as_ref().and_then(|p| p.value(name)).map_or(value, str::to_string),
        error: posted.as_ref().and_then(|p| p.error.for_field(name)).map(str::to_string),
        posted,
    }
}

/// A form that calls a server function.
#[component]
pub fn Form(
    /// The server function, as in `CreateApplication::FORM`.
    to: FormTarget,
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
            <input type="hidden" name="_action" value=to.name()/>
            <input type="hidden" name="_csrf" value=csrf/>
            {hidden.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view()}
            <Provider value=Within(to)>{children()}</Provider>
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_its_function_by_the_last_word_of_the_path() {
        let target = FormTarget::of("/fn/skypanel/apps/fns/scale_application");
        assert_eq!(target.name(), "scale_application");
        assert_eq!(target.field_id("replicas"), "scale_application-replicas");
        assert_eq!(crate::kit::SetTheme::FORM.name(), "set_theme");
    }
}
