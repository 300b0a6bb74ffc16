//! How a thing is, said three times: by a word, by a shape and by a colour. Four meanings and one for rest.
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What a state means to the person who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Tone {
    /// As wanted.
    Good,
    /// On its way.
    Busy,
    /// Works, and needs a look.
    Warning,
    /// Does not work.
    Bad,
    /// At rest, by intent.
    #[default]
    Idle,
}

impl Tone {
    /// The colour of the sign.
    pub fn sign_colour(self) -> &'static str {
        match self {
            Tone::Good => "text-good",
            Tone::Busy => "text-busy",
            Tone::Warning => "text-warning",
            Tone::Bad => "text-bad",
            Tone::Idle => "text-faint",
        }
    }

    /// The colours of a tinted box with words in it.
    pub fn tint(self) -> &'static str {
        match self {
            Tone::Good => "bg-good-soft text-good-text",
            Tone::Busy => "bg-busy-soft text-busy-text",
            Tone::Warning => "bg-warning-soft text-warning-text",
            Tone::Bad => "bg-bad-soft text-bad-text",
            Tone::Idle => "bg-press text-muted",
        }
    }

    /// The sign alone, 12 px: a disc, a turning arc, a triangle, a cross, a ring.
    pub fn sign(self) -> impl IntoView {
        let spin = if self == Tone::Busy { " animate-turn motion-reduce:animate-none" } else { "" };
        let (path, filled) = match self {
            Tone::Good => ("M6 2.2a3.8 3.8 0 1 0 0 7.6 3.8 3.8 0 0 0 0-7.6Z", true),
            Tone::Busy => ("M10.2 6A4.2 4.2 0 1 1 6 1.8", false),
            Tone::Warning => ("M6 1.6 11 10.4H1Z", true),
            Tone::Bad => ("m2.6 2.6 6.8 6.8M9.4 2.6 2.6 9.4", false),
            Tone::Idle => ("M6 2.4a3.6 3.6 0 1 0 0 7.2 3.6 3.6 0 0 0 0-7.2Z", false),
        };
        let (fill, stroke) = if filled { ("currentColor", "none") } else { ("none", "currentColor") };
        let drawing = format!(
            "<svg width=\"12\" height=\"12\" viewBox=\"0 0 12 12\" class=\"{}{spin}\" fill=\"none\" aria-hidden=\"true\" \
             stroke-linecap=\"round\" stroke-linejoin=\"round\"><path d=\"{path}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"2\"></path></svg>",
            self.sign_colour()
        );
        view! { <span class="contents" inner_html=drawing></span> }
    }
}

/// A state in a row of text: the sign and the word.
#[component]
pub fn Status(
    /// What it means.
    tone: Tone,
    /// The word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    view! {
        <span class="inline-flex items-center gap-2 whitespace-nowrap">
            {tone.sign()} <span>{word}</span>
        </span>
    }
}

/// A state that stands out: beside a title.
#[component]
pub fn Badge(
    /// What it means.
    tone: Tone,
    /// The word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    view! {
        <span class=format!("inline-flex h-6 items-center gap-2 rounded-full px-2.5 text-small font-medium whitespace-nowrap {}", tone.tint())>
            {tone.sign()} <span>{word}</span>
        </span>
    }
}

/// A small plain label: a role, a branch, “current”.
#[component]
pub fn Tag(children: Children) -> impl IntoView {
    view! { <span class="inline-flex h-5 items-center rounded-control bg-press px-1.5 text-small text-muted whitespace-nowrap">{children()}</span> }
}
