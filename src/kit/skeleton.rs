//! Shapes of what is to come, for islands that load more. They appear after 200 ms, so that what is quick never flickers.
use leptos::prelude::*;

/// A line of text that is not there yet, `width` in CSS.
#[component]
pub fn SkeletonLine(
    /// How wide, as CSS says it.
    #[prop(default = "100%")]
    width: &'static str,
) -> impl IntoView {
    view! { <span class="block h-3 animate-breathe rounded-control bg-press" style:width=width></span> }
}

/// Rows of a table that are not there yet.
#[component]
pub fn SkeletonRows(
    /// How many.
    #[prop(default = 4)]
    rows: usize,
) -> impl IntoView {
    let row = || {
        view! {
            <div class="flex h-12 items-center gap-8 border-b border-line px-5 last:border-0">
                <SkeletonLine width="28%"/> <SkeletonLine width="14%"/> <SkeletonLine width="20%"/> <SkeletonLine width="10%"/>
            </div>
        }
    };
    view! {
        <div aria-busy="true" class="animate-late rounded-card border border-line bg-surface">
            <span class="sr-only" role="status">"Loading"</span>
            {(0..rows).map(|_| row()).collect_view()}
        </div>
    }
}
