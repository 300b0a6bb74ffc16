//! The few pictures: 16 px, drawn with one line of 1.5 px in the colour of the text beside them. They never stand alone; a word
//! (or a hidden one) says the same.
use leptos::prelude::*;

/// A picture by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icon {
    Plus,
    Check,
    Cross,
    Warning,
    Blocked,
    Chevron,
    Updown,
    External,
    Copy,
    Branch,
    Commit,
    Image,
    Clock,
    Search,
    Download,
    Pause,
    Play,
    Stop,
    Restart,
    Rollback,
    Rocket,
    Logs,
    More,
    Sun,
    Moon,
    Monitor,
    SignOut,
    Person,
    Lock,
    People,
    Mail,
    Chart,
}

impl Icon {
    /// The drawing, hidden from screen readers. One string: built as elements, the pictures would be half the work of a long table.
    pub fn view(self) -> impl IntoView {
        let drawing = format!(
            "<svg width=\"16\" height=\"16\" viewBox=\"0 0 16 16\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"1.5\" \
             stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\"><path d=\"{}\"></path></svg>",
            self.path()
        );
        view! { <span class="contents" inner_html=drawing></span> }
    }

    fn path(self) -> &'static str {
        match self {
            Icon::Plus => "M8 3v10M3 8h10",
            Icon::Check => "m3 8.5 3.2 3.2L13 5",
            Icon::Cross => "m4 4 8 8M12 4l-8 8",
            Icon::Warning => "M8 2.2 14.4 13.4H1.6ZM8 6.4v3M8 11.4v.1",
            Icon::Blocked => "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 5v3.6M8 10.9v.1",
            Icon::Chevron => "m6 3.5 4.5 4.5L6 12.5",
            Icon::Updown => "m5 6 3-3 3 3M5 10l3 3 3-3",
            Icon::External => "M6.5 3.5h-3v9h9v-3M9.5 2.5h4v4M13 3 7.5 8.5",
            Icon::Copy => "M5.5 5.5h8v8h-8ZM10.5 5V2.5h-8v8H5",
            Icon::Branch => {
                "M4.5 5.8v4.4M4.5 2.6a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2ZM4.5 10.2a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2ZM11.5 3.6a1.6 1.6 0 1 0 0 3.2 1.6 1.6 0 0 0 0-3.2ZM11.5 6.8c0 2.6-3.6 2.2-6.2 3.6"
            }
            Icon::Commit => "M8 5.4a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2ZM1.5 8h3.9M10.6 8h3.9",
            Icon::Image => "M8 1.8 13.5 5v6L8 14.2 2.5 11V5ZM2.8 5.2 8 8.2l5.2-3M8 8.2v5.8",
            Icon::Clock => "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 4.6V8l2.4 1.6",
            Icon::Search => "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.4 10.4l3.1 3.1",
            Icon::Download => "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.5 13.2h11",
            Icon::Pause => "M5.2 3.2v9.6M10.8 3.2v9.6",
            Icon::Play => "M4.5 2.8 13 8l-8.5 5.2Z",
            Icon::Stop => "M4 4h8v8H4Z",
            Icon::Restart => "M13 8a5 5 0 1 1-1.5-3.6M13 2.2v2.9h-2.9",
            Icon::Rollback => "M3 5.5h6.5a3.75 3.75 0 0 1 0 7.5H6M5.8 2.5l-3 3 3 3",
            Icon::Rocket => "M8 13V3M4 7l4-4 4 4",
            Icon::Logs => "M2.5 4h11M2.5 8h11M2.5 12h6",
            Icon::More => "M3.5 8h.01M8 8h.01M12.5 8h.01",
            Icon::Sun => {
                "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.8.8M11.8 11.8l.8.8M3.4 12.6l.8-.8M11.8 4.2l.8-.8"
            }
            Icon::Moon => "M13.5 9.3A5.8 5.8 0 0 1 6.7 2.5a5.8 5.8 0 1 0 6.8 6.8Z",
            Icon::Monitor => "M2 3h12v8H2ZM5.5 13.5h5M8 11v2.5",
            Icon::SignOut => "M6 2.5H3v11h3M7 8h6.5M10.8 5.2 13.6 8l-2.8 2.8",
            Icon::Person => "M8 2.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM2.8 13.8c.5-2.6 2.6-4 5.2-4s4.7 1.4 5.2 4",
            Icon::People => {
                "M6 2.8a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8ZM1.8 13.2c.2-2.4 1.9-3.8 4.2-3.8s4 1.4 4.2 3.8M10.5 3a2.3 2.3 0 0 1 0 4.4M12 9.7c1.4.5 2.1 1.8 2.2 3.5"
            }
            Icon::Mail => "M2 3.8h12v8.4H2ZM2.4 4.4 8 8.8l5.6-4.4",
            Icon::Chart => "M2.5 2.5v11h11M5.5 10.5V8M8.5 10.5v-5M11.5 10.5V7",
            Icon::Lock => "M3.5 7.2h9v6.3h-9ZM5.2 7V5.2a2.8 2.8 0 0 1 5.6 0V7",
        }
    }
}

/// The product's mark: a panel with the sky in it.
#[component]
pub fn Mark() -> impl IntoView {
    view! {
        <svg width="22" height="22" viewBox="0 0 22 22" aria-hidden="true">
            <rect width="22" height="22" rx="6" fill="var(--accent)"></rect>
            <path d="M4.5 14.8a6.5 6.5 0 0 1 13 0Z" fill="var(--color-accent-ink)"></path>
            <path d="M4.5 17.4h13" stroke="var(--color-accent-ink)" stroke-width="1.6" stroke-linecap="round" opacity="0.55"></path>
        </svg>
    }
}
