//! A text with a button that copies it. Without wasm, or over plain HTTP, there is only the text.
use super::{Icon, side};
use leptos::prelude::*;
use std::time::Duration;

/// A text to take along: an address, an id, a command.
#[island]
pub fn Copyable(
    /// The text.
    text: String,
) -> impl IntoView {
    let (can_copy, set_can_copy) = signal(false);
    let (copied, set_copied) = signal(false);
    Effect::new(move |_| set_can_copy.set(side::can_copy()));
    let what = text.clone();
    let copy = move |_| {
        side::copy(&what);
        set_copied.set(true);
        set_timeout(move || set_copied.set(false), Duration::from_secs(2));
    };
    view! {
        <span class="inline-flex min-w-0 max-w-full items-center gap-1">
            <span class="truncate font-mono select-all">{text}</span>
            <button
                type="button" class="grid size-6 shrink-0 place-items-center rounded-control text-faint hover:bg-press hover:text-text" on:click=copy
                hidden=move || !can_copy.get() title="Copy" aria-label="Copy"
            >
                <Show when=move || copied.get() fallback=|| Icon::Copy.view()>{Icon::Check.view()}</Show>
            </button>
            <span class="sr-only" role="status">{move || copied.get().then_some("Copied")}</span>
        </span>
    }
}
