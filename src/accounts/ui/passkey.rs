//! The button that asks the browser for a passkey. It shows itself where the browser can: without a script the form around it has other
//! fields, or another form stands beside it.
use crate::kit::{FormTarget, Look, SubmitButton};
use leptos::prelude::*;

const SCRIPT: &str = include_str!("passkey.js");

/// A button within a form that has the hidden fields `token` and `credential`: asks for a passkey, and sends the form with it.
#[component]
pub fn PasskeyButton(
    /// `create`, or `get`.
    verb: &'static str,
    /// The server function that makes the challenge.
    begin: FormTarget,
    /// How much it asks to be pressed.
    #[prop(optional)]
    look: Look,
    /// As wide as its form.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <div hidden class="flex flex-col gap-2" data-passkey=verb data-begin=begin.path()>
            <div><SubmitButton look=look wide=wide>{children()}</SubmitButton></div>
            <p role="alert" class="text-bad-text empty:hidden"></p>
        </div>
    }
}

/// The hidden fields that a passkey's answer comes in.
pub fn passkey_fields(more: Vec<(&'static str, String)>) -> Vec<(&'static str, String)> {
    [vec![("token", String::new()), ("credential", String::new())], more].concat()
}

/// What makes the buttons work: once on a page, after them.
#[component]
pub fn PasskeyScript() -> impl IntoView {
    view! { <script nonce=leptos::nonce::use_nonce()>{SCRIPT}</script> }
}
