//! The parts that every page begins with: where it stands, what it is about and how that is, what can be done, what else there is.
use super::{Flash, Notice, PostedNotice, Tone};
use leptos::{children::ViewFnOnce, prelude::*};
use leptos_meta::Title;

/// The column that a page stands in: 1200 px at most, or all there is for logs and wide tables.
#[component]
pub fn Page(
    /// Uses the whole width.
    #[prop(optional)]
    wide: bool,
    /// A narrow column, for forms that are read from top to bottom.
    #[prop(optional)]
    narrow: bool,
    children: Children,
) -> impl IntoView {
    let width = if wide {
        ""
    } else if narrow {
        "max-w-[720px]"
    } else {
        "max-w-[1200px]"
    };
    view! { <div class=format!("mx-auto flex w-full flex-col gap-6 px-4 py-6 sm:px-6 {width}")>{children()}</div> }
}

/// Where the page stands: name and address of each level above it.
#[component]
pub fn Breadcrumbs(
    /// From the top down, without the page itself.
    above: Vec<(String, String)>,
) -> impl IntoView {
    let crumbs = above
        .into_iter()
        .map(|(name, href)| {
            view! {
                <li class="flex min-w-0 items-center gap-1.5">
                    <a href=href class="truncate text-muted hover:text-text">{name}</a> <span class="text-faint" aria-hidden="true">"/"</span>
                </li>
            }
        })
        .collect_view();
    view! { <nav aria-label="Breadcrumb"><ol class="flex items-center gap-1.5 text-small">{crumbs}</ol></nav> }
}

/// The page's head: breadcrumb, name, status beside it, at most one primary action at the right, a line below. Shows what the last
/// request did or was refused, too.
#[component]
pub fn PageTitle(
    /// The name: heading and document title.
    #[prop(into)]
    title: String,
    /// The document's title where the name alone does not say which page it is.
    #[prop(optional, into)]
    document: Option<String>,
    /// The levels above.
    #[prop(optional)]
    above: Vec<(String, String)>,
    /// Beside the name.
    #[prop(optional, into)]
    status: ViewFnOnce,
    /// Below the name: what identifies it (an address, a commit).
    #[prop(optional, into)]
    below: ViewFnOnce,
    /// At the right: plain actions, then the primary one.
    #[prop(optional, into)]
    actions: ViewFnOnce,
) -> impl IntoView {
    let notice = use_context::<Flash>().map(|flash| view! { <Notice tone=Tone::Good>{flash.text()}</Notice> });
    view! {
        <Title text=document.unwrap_or_else(|| title.clone())/>
        <div class="flex flex-col gap-4">
            <PostedNotice/>
            {notice}
            <div class="flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
                <div class="flex min-w-0 flex-col gap-1">
                    {(!above.is_empty()).then(|| view! { <Breadcrumbs above=above/> })}
                    <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
                        <h1 class="min-w-0 text-title font-semibold break-words">{title}</h1>
                        {status.run()}
                    </div>
                    {below.run()}
                </div>
                <div class="flex flex-wrap items-center gap-2">{actions.run()}</div>
            </div>
        </div>
    }
}

/// The views of one thing, as links.
#[component]
pub fn Tabs(
    /// Name and address of each.
    tabs: Vec<(&'static str, String)>,
    /// The address of the one that is shown.
    #[prop(into)]
    current: String,
) -> impl IntoView {
    let tabs = tabs
        .into_iter()
        .map(|(name, href)| {
            let here = (href == current).then_some("page");
            view! {
                <a
                    href=href aria-current=here
                    class="-mb-px flex h-10 items-center border-b-2 border-transparent px-1 whitespace-nowrap text-muted hover:text-text aria-[current]:border-accent aria-[current]:font-medium aria-[current]:text-text"
                >
                    {name}
                </a>
            }
        })
        .collect_view();
    view! { <nav aria-label="Views" class="-mt-2 flex gap-5 overflow-x-auto overflow-y-hidden border-b border-line">{tabs}</nav> }
}

/// Links to the neighbouring pages of a long list.
#[component]
pub fn Pagination(
    /// This page, from 1.
    page: u64,
    /// How many pages there are.
    pages: u64,
    /// The address of a page.
    #[prop(into)]
    href: Callback<u64, String>,
) -> impl IntoView {
    let step = move |to: u64, words: &'static str, rel: &'static str| {
        let there = (1..=pages).contains(&to);
        let class = "inline-flex h-8 items-center rounded-control border border-edge px-3 font-medium";
        match there {
            true => view! { <a href=href.run(to) rel=rel class=format!("{class} bg-surface hover:bg-hover") data-control>{words}</a> }
                .into_any(),
            false => {
                view! { <span class=format!("{class} text-faint opacity-60") aria-disabled="true" data-control>{words}</span> }.into_any()
            }
        }
    };
    (pages > 1).then(|| {
        view! {
            <nav aria-label="Pages" class="flex items-center justify-between gap-4">
                {step(page.saturating_sub(1), "Previous", "prev")}
                <span class="text-small text-muted tabular-nums">{format!("Page {page} of {pages}")}</span>
                {step(page + 1, "Next", "next")}
            </nav>
        }
    })
}
