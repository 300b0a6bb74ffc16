//! The frame around the pages: a header with the product, the organization, the places one can go and the account; and a quiet
//! sheet for those who are not signed in. Menus are `<details>`: they open without a script.
use super::{Brand, Flash, Form, FormTarget, Icon, Mark, Notice, ThemeSwitch, Tone, Viewer};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The forms of the frame that belong to features, which the kit does not know: whoever serves the pages puts them into the context.
/// Without them (in a test of a component) the frame leaves these forms out.
#[derive(Debug, Clone, Copy)]
pub struct FrameForms {
    pub sign_out: FormTarget,
    /// Takes `organization`, a value of [`Viewer::others`].
    pub switch_organization: FormTarget,
    pub end_impersonation: FormTarget,
    /// Takes `id`, that of a [`Note`](super::Note).
    pub dismiss_announcement: FormTarget,
}

/// A page of somebody who is signed in. `nav` holds name and address of each place.
#[component]
pub fn AppShell(
    /// Name and address of each place; the one whose address begins the page's is marked.
    nav: Vec<(&'static str, &'static str)>,
    children: Children,
) -> impl IntoView {
    let brand = use_context::<Brand>().unwrap_or_default();
    let viewer = use_context::<Viewer>();
    let path = use_location().pathname.get_untracked();
    let links = nav
        .into_iter()
        .map(|(name, href)| {
            let here = path.strip_prefix(href).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')).then_some("page");
            view! {
                <a
                    href=href aria-current=here
                    class="flex h-8 items-center rounded-control px-2.5 text-muted hover:bg-press hover:text-text aria-[current]:font-medium aria-[current]:text-text"
                    data-control
                >
                    {name}
                </a>
            }
        })
        .collect_view();
    view! {
        <SkipLink/>
        <header class="border-b border-line bg-surface" data-header>
            <div class="flex min-h-13 flex-wrap items-center gap-1 px-4 max-sm:justify-between sm:px-6">
                <a href="/applications" class="flex items-center gap-2.5 font-semibold" aria-label=format!("{}, home", brand.name)>
                    <Mark/> <span class="hidden sm:inline">{brand.name.clone()}</span>
                </a>
                {viewer.clone().map(|viewer| view! {
                    <span class="mx-1.5 text-edge sm:mx-2" aria-hidden="true">"/"</span>
                    <Organizations viewer=viewer/>
                })}
                <nav aria-label="Main" class="flex min-w-0 flex-1 items-center gap-1 overflow-x-auto max-sm:order-last max-sm:-ml-2.5 max-sm:w-full max-sm:flex-none max-sm:pb-2 sm:ml-4">{links}</nav>
                {viewer.map(|viewer| view! { <Account viewer=viewer/> })}
            </div>
        </header>
        <super::BannerBar/>
        <main id="main" tabindex="-1" class="outline-none">{children()}</main>
    }
}

/// A page for those who are not signed in: one card in the middle.
#[component]
pub fn AuthShell(
    /// What this page does: heading and document title.
    #[prop(into)]
    title: String,
    /// One sentence below it.
    #[prop(optional, into)]
    text: String,
    /// Below the card: the way to the other page.
    #[prop(optional, into)]
    below: leptos::children::ViewFnOnce,
    children: Children,
) -> impl IntoView {
    let brand = use_context::<Brand>().unwrap_or_default();
    view! {
        <leptos_meta::Title text=title.clone()/>
        <SkipLink/>
        <div class="mx-auto flex min-h-dvh w-full max-w-[400px] flex-col px-4 pt-[10dvh] pb-8">
            <div class="mb-8 flex items-center justify-center gap-2.5 text-lead font-semibold"><Mark/> {brand.name}</div>
            <main id="main" tabindex="-1" class="flex flex-col gap-5 rounded-card border border-line bg-surface p-6 outline-none sm:p-8">
                <div class="flex flex-col gap-1">
                    <h1 class="text-title font-semibold">{title}</h1>
                    {(!text.is_empty()).then(|| view! { <p class="text-muted">{text}</p> })}
                </div>
                <super::PostedNotice brief=true/>
                {use_context::<Flash>().map(|flash| view! { <Notice tone=Tone::Good>{flash.text()}</Notice> })}
                {children()}
            </main>
            <div class="mt-5 text-center text-muted">{below.run()}</div>
            <div class="mx-auto mt-auto w-32 pt-10"><ThemeSwitch/></div>
        </div>
    }
}

#[component]
fn SkipLink() -> impl IntoView {
    view! {
        <a
            href="#main"
            class="absolute left-4 -top-16 z-50 rounded-control bg-accent px-3 py-2 font-medium text-accent-ink focus:top-2"
        >
            "Skip to content"
        </a>
    }
}

const MENU: &str = "absolute top-full z-40 mt-1.5 flex w-64 flex-col rounded-card bg-raised p-1.5 shadow-menu";
const ITEM: &str = "flex h-8 w-full items-center gap-2.5 rounded-control px-2.5 text-left hover:bg-press";

#[component]
fn Organizations(viewer: Viewer) -> impl IntoView {
    let switch = if viewer.others.is_empty() { "Organization" } else { "Switch organization" };
    let others = viewer
        .others
        .into_iter()
        .map(|(name, value)| view! { <button name="organization" value=value class=ITEM data-control><span class="truncate">{name}</span></button> })
        .collect_view();
    view! {
        <details name="menu" class="relative">
            <summary class="flex h-8 items-center gap-1 rounded-control px-1.5 font-medium hover:bg-press" data-control>
                <span class="max-w-40 truncate">{viewer.organization.clone()}</span> <span class="text-faint">{Icon::Updown.view()}</span>
            </summary>
            <div class=format!("{MENU} left-0") data-menu>
                <p class="px-2.5 pt-1 pb-1.5 text-small text-muted">{switch}</p>
                <p class=format!("{ITEM} font-medium") aria-current="true"><span class="truncate">{viewer.organization}</span> <span class="ml-auto text-muted">{Icon::Check.view()}</span></p>
                {use_context::<FrameForms>().map(|forms| view! {
                    <Form to=forms.switch_organization class="flex max-h-64 flex-col overflow-y-auto">{others}</Form>
                })}
                <hr class="-mx-1.5 my-1.5 border-line"/>
                <a href="/organizations" class=ITEM data-control>"All organizations"</a>
                <a href="/organizations/new" class=ITEM data-control>"New organization"</a>
            </div>
        </details>
    }
}

#[component]
fn Account(viewer: Viewer) -> impl IntoView {
    let initial = viewer.name.chars().next().unwrap_or('?').to_uppercase().to_string();
    view! {
        <details name="menu" class="relative">
            <summary class="grid size-8 place-items-center rounded-full" aria-label=format!("Account of {}", viewer.name)>
                <span class="grid size-7 place-items-center rounded-full bg-accent-soft text-small font-semibold text-accent-text">{initial}</span>
            </summary>
            <div class=format!("{MENU} right-0") data-menu>
                <div class="flex flex-col px-2.5 pt-1.5 pb-2.5">
                    <span class="truncate font-medium">{viewer.name}</span> <span class="truncate text-small text-muted">{viewer.email}</span>
                </div>
                <a href="/account" class=ITEM data-control><span class="text-muted">{Icon::Person.view()}</span> "Account"</a>
                <hr class="-mx-1.5 my-1.5 border-line"/>
                <ThemeSwitch/>
                <hr class="-mx-1.5 my-1.5 border-line"/>
                <a href="/account/api-keys" class=ITEM data-control><span class="text-muted">{Icon::Lock.view()}</span> "API keys"</a>
                <a href="/api/docs" class=ITEM rel="external" data-control><span class="text-muted">{Icon::External.view()}</span> "API reference"</a>
                {use_context::<FrameForms>().map(|forms| view! {
                    <Form to=forms.sign_out class="flex flex-col">
                        <button class=ITEM data-control><span class="text-muted">{Icon::SignOut.view()}</span> "Sign out"</button>
                    </Form>
                })}
            </div>
        </details>
    }
}
