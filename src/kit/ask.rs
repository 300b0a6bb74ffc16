//! The question before something disruptive: a button opens a sheet that says what will happen, and the sheet's own button does it.
//! The sheet is a popover: it opens, and closes by Escape or a click elsewhere, without a script.
use super::{Form, FormTarget, Icon, Look, SubmitButton, request::may};
use crate::rights::Action;
use leptos::prelude::*;

/// A button that opens a sheet with a question and the form that does it.
#[component]
pub fn Ask(
    /// The server function.
    to: FormTarget,
    /// The button's words, as in “Restart”; the dots come by themselves.
    #[prop(into)]
    words: String,
    /// Its picture.
    icon: Icon,
    /// The permission that it takes.
    #[prop(optional, into)]
    needs: Option<Action>,
    /// What will happen, in a sentence or two.
    #[prop(into)]
    text: String,
    /// The words of the button that does it.
    #[prop(into)]
    button: String,
    /// How that button looks.
    #[prop(default = Look::Primary)]
    look: Look,
    /// For table rows.
    #[prop(optional)]
    small: bool,
    /// Fields that nobody sees: name and value.
    #[prop(optional)]
    hidden: Vec<(&'static str, String)>,
) -> impl IntoView {
    let class = Look::Plain.class(small);
    if let Some(why) = needs.and_then(|action| may(action).err()) {
        return view! {
            <button type="button" class=class disabled title=why data-control>{Icon::Lock.view()} {words}</button>
        }
        .into_any();
    }
    let of = hidden.first().map(|(_, value)| value.clone()).unwrap_or_default();
    let id = format!("{}-{of}", to.name());
    let (closes, question, label) = (id.clone(), format!("{words}?"), format!("{words}?"));
    view! {
        <button type="button" class=class popovertarget=id.clone() data-control>{icon.view()} {words} "…"</button>
        <div
            id=id popover="auto" role="dialog" aria-label=label
            class="m-auto w-88 max-w-[calc(100vw-32px)] rounded-card bg-raised p-5 text-left text-text shadow-menu backdrop:bg-[oklch(0_0_0/0.3)]"
        >
            <Form to=to hidden=hidden class="flex flex-col gap-4">
                <div class="flex flex-col gap-1">
                    <p class="text-lead font-semibold">{question}</p>
                    <p class="font-normal whitespace-normal text-muted">{text}</p>
                </div>
                <div class="flex justify-end gap-2">
                    <button type="button" class=Look::Plain.class(false) popovertarget=closes popovertargetaction="hide" data-control>"Not now"</button>
                    <SubmitButton look=look>{button}</SubmitButton>
                </div>
            </Form>
        </div>
    }
    .into_any()
}
