//! What destroys stands last, in a box of its own, and asks for the name of what it destroys. The page only helps to type it
//! right; the server compares.
use super::{
    Form, FormTarget, Icon, Look, SubmitButton,
    form::{Filled, filled},
    request::may,
};
use crate::rights::Action;
use leptos::{children::ViewFnOnce, prelude::*};

/// The last box of a page.
#[component]
pub fn DangerZone(children: Children) -> impl IntoView {
    view! {
        <section aria-labelledby="danger" class="overflow-hidden rounded-card border border-bad/40 bg-surface">
            <h2 id="danger" class="border-b border-bad/40 px-5 py-3 text-lead font-semibold text-bad-text">"Danger zone"</h2>
            <div class="divide-y divide-line">{children()}</div>
        </section>
    }
}

/// A form that destroys `name`, once it was typed. Sends it as `confirm`.
#[component]
pub fn ConfirmByName(
    /// The server function.
    to: FormTarget,
    /// What to type.
    #[prop(into)]
    name: String,
    /// “Delete this application”.
    #[prop(into)]
    title: String,
    /// What goes, what stays, and that it can't be undone.
    #[prop(into)]
    text: String,
    /// The button's words.
    #[prop(into)]
    button: String,
    /// Fields that nobody sees: name and value.
    #[prop(optional)]
    hidden: Vec<(&'static str, String)>,
    /// The permission that it takes.
    #[prop(optional, into)]
    needs: Option<Action>,
    /// Fields above the name.
    #[prop(optional, into)]
    more: ViewFnOnce,
) -> impl IntoView {
    if let Some(why) = needs.and_then(|action| may(action).err()) {
        return view! {
            <div class="flex flex-col gap-0.5 px-5 py-4">
                <span class="inline-flex items-center gap-2 font-medium text-muted">{Icon::Lock.view()} {title}</span>
                <span class="text-muted">{why}</span>
            </div>
        }
        .into_any();
    }
    view! {
        <details class="group" open=super::request::posted(to).is_some()>
            <summary class="flex flex-col items-start justify-between gap-3 px-5 py-4 sm:flex-row sm:gap-4">
                <span class="flex flex-col gap-0.5">
                    <span class="font-medium">{title}</span>
                    <span class="text-muted">{text}</span>
                </span>
                <span class="inline-flex sm:mt-1 h-8 shrink-0 items-center rounded-control border border-edge px-3 font-medium text-bad-text group-open:hidden" data-control>
                    {button.clone()} "…"
                </span>
            </summary>
            <div class="px-5 pb-5">
                <Form to=to hidden=hidden class="flex max-w-md flex-col gap-3">
                    {more.run()}
                    <NameAgain name=name/>
                    <div><SubmitButton look=Look::Danger confirmed=true>{button}</SubmitButton></div>
                </Form>
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn NameAgain(name: String) -> impl IntoView {
    let Filled { id, value, error, .. } = filled("confirm", String::new());
    let pattern: String = name.chars().flat_map(|c| if c.is_alphanumeric() { vec![c] } else { vec!['\\', c] }).collect();
    let edge = if error.is_some() { "border-bad" } else { "border-edge" };
    view! {
        <div class="flex flex-col gap-1.5">
            <label for=id.clone()>"Type " <code class="font-mono font-medium select-all">{name}</code> " to confirm"</label>
            <input
                id=id.clone() name="confirm" value=value required pattern=pattern autocomplete="off" spellcheck="false" autocapitalize="off"
                class=format!("h-8 rounded-control border bg-surface px-3 font-mono {edge}") aria-invalid=error.is_some().then_some("true")
                aria-describedby=error.is_some().then(|| format!("{id}-error")) data-confirms data-control
            />
            {error.map(|error| view! { <p id=format!("{id}-error") class="text-bad-text">{error}</p> })}
        </div>
    }
}
