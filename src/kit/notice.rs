//! What a page says about itself: that something worked or needs a look, that there is nothing yet, that something went wrong.
use super::{Icon, LinkButton, Look, Tone, side};
use crate::error::Error;
use leptos::prelude::*;
use leptos_meta::Title;

/// One sentence in a tinted box.
#[component]
pub fn Notice(
    /// What it means.
    tone: Tone,
    /// Its picture, where the meaning's own does not fit.
    #[prop(optional)]
    icon: Option<Icon>,
    children: Children,
) -> impl IntoView {
    let usual = match tone {
        Tone::Good => Icon::Check,
        Tone::Busy | Tone::Idle => Icon::Clock,
        Tone::Warning => Icon::Warning,
        Tone::Bad => Icon::Blocked,
    };
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div role=role class=format!("flex gap-3 rounded-card px-4 py-3 {}", tone.tint())>
            <span class="pt-0.5">{icon.unwrap_or(usual).view()}</span> <div class="min-w-0 flex-1">{children()}</div>
        </div>
    }
}

/// There is nothing here yet: what this place is for, in one sentence, and the next step.
#[component]
pub fn EmptyState(
    /// The picture of what is missing.
    icon: Icon,
    /// “No applications yet”.
    #[prop(into)]
    title: String,
    /// One sentence that sells the next step.
    #[prop(into)]
    text: String,
    /// The button.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="flex flex-col items-center rounded-card border border-dashed border-edge px-6 py-14 text-center">
            <span class="mb-4 grid size-10 place-items-center rounded-card border border-line bg-surface text-muted shadow-control">{icon.view()}</span>
            <h2 class="text-lead font-semibold">{title}</h2>
            <p class="mt-1 mb-5 max-w-md text-muted">{text}</p>
            {children()}
        </div>
    }
}

/// An error in the place of a page: what happened, what is safe, what to do. Answers with the error's status.
#[component]
pub fn ErrorPanel(
    /// What happened.
    error: Error,
) -> impl IntoView {
    side::set_status(error.status());
    let sentence = error.to_string();
    let (title, more, href, button) = match &error {
        Error::SignedOut(_) => {
            ("You are signed out", "What runs goes on running. Sign in, and you are back on this page.", "/sign-in", "Sign in")
        }
        Error::NotFound(_) => (
            "Not found",
            "It may have been deleted, or it belongs to an organization that you are not in. Nothing was changed.",
            "/applications",
            "Go to applications",
        ),
        Error::Forbidden { .. } => ("Not allowed", "Nothing was changed.", "/applications", "Go to applications"),
        Error::RateLimited { .. } => {
            ("Slow down a little", "Nothing was lost, and what runs goes on running.", "/applications", "Go to applications")
        }
        Error::Unavailable(_) => {
            ("Not available just now", "Your applications go on serving. Reload the page in a moment.", "", "Try again")
        }
        Error::Internal(_) => {
            ("Something went wrong", "Your applications go on serving. If it stays, tell us the reference.", "", "Try again")
        }
        _ => ("That did not work", "Nothing was changed.", "/applications", "Go to applications"),
    };
    view! {
        <Title text=title/>
        <div class="mx-auto flex w-full max-w-[560px] flex-col items-start px-4 py-16 sm:px-6 sm:py-24">
            <p class="font-mono text-small text-faint">{error.status()}</p>
            <h1 class="mt-2 text-display font-semibold">{title}</h1>
            <p class="mt-3 text-lead">{sentence}</p>
            <p class="mt-1 mb-6 text-lead text-muted">{more}</p>
            <LinkButton href=href look=Look::Primary>{button}</LinkButton>
        </div>
    }
}
