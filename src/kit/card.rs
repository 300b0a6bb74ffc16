//! Boxes with something in them: a card with a heading, a list of facts.
use leptos::{children::ViewFnOnce, prelude::*};

/// A box, with a heading where it has a title.
#[component]
pub fn Card(
    /// The heading.
    #[prop(optional, into)]
    title: String,
    /// A line below the heading.
    #[prop(optional, into)]
    text: String,
    /// At the heading's right.
    #[prop(optional, into)]
    actions: ViewFnOnce,
    /// What is inside brings its own padding (tables, logs).
    #[prop(optional)]
    flush: bool,
    children: Children,
) -> impl IntoView {
    let has_head = !title.is_empty();
    let pad = match (flush, has_head) {
        (true, _) => "",
        (false, true) => "px-5 pt-1 pb-5",
        (false, false) => "p-5",
    };
    view! {
        <section class="min-w-0 overflow-hidden rounded-card border border-line bg-surface">
            {has_head.then(|| view! {
                <div class="flex items-start justify-between gap-4 px-5 py-4">
                    <div class="flex flex-col gap-0.5">
                        <h2 class="text-lead font-semibold">{title}</h2>
                        {(!text.is_empty()).then(|| view! { <p class="text-muted">{text}</p> })}
                    </div>
                    <div class="flex items-center gap-2">{actions.run()}</div>
                </div>
            })}
            <div class=pad>{children()}</div>
        </section>
    }
}

/// A list of facts: [`Fact`]s below each other, or beside each other where there is room.
#[component]
pub fn KeyValue(
    /// Side by side.
    #[prop(optional)]
    across: bool,
    children: Children,
) -> impl IntoView {
    let class =
        if across { "grid grid-cols-2 gap-x-6 gap-y-4 md:grid-cols-[repeat(auto-fit,minmax(140px,1fr))]" } else { "flex flex-col gap-3" };
    view! { <dl class=class>{children()}</dl> }
}

/// One fact of a [`KeyValue`].
#[component]
pub fn Fact(
    /// What it is.
    #[prop(into)]
    name: String,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="flex min-w-0 flex-col gap-0.5">
            <dt class="text-small text-muted">{name}</dt>
            <dd class="min-w-0 break-words">{children()}</dd>
        </div>
    }
}
