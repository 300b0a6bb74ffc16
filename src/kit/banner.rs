//! What stands above every page: that an operator acts in somebody's name, and the operator's notes to users; and the tabs of the
//! operator's own pages.
use super::{Form, FrameForms, Icon, Look, Notice, SubmitButton, Tabs, Time, Tone};
use crate::units::Timestamp;
use leptos::prelude::*;

/// An operator's note, as a page shows it.
#[derive(Debug, Clone)]
pub struct Note {
    /// What `dismiss_announcement` takes.
    pub id: String,
    pub title: String,
    pub body: String,
    pub tone: Tone,
    pub is_dismissable: bool,
}

/// Somebody acts in another's name.
#[derive(Debug, Clone)]
pub struct InAnothersName {
    pub operator: String,
    pub person: String,
    pub reason: String,
    pub until: Timestamp,
}

/// What stands above the pages of this visitor.
#[derive(Debug, Clone, Default)]
pub struct Banners {
    pub notes: Vec<Note>,
    pub in_anothers_name: Option<InAnothersName>,
    /// Runs the platform.
    pub is_operator: bool,
}

/// The banners, where there are any.
#[component]
pub fn BannerBar() -> impl IntoView {
    let banners = use_context::<Banners>().unwrap_or_default();
    if banners.in_anothers_name.is_none() && banners.notes.is_empty() {
        return ().into_any();
    }
    view! {
        <div class="flex flex-col gap-2 border-b border-line px-4 py-2 sm:px-6">
            {banners.in_anothers_name.map(|it| view! { <Acting it=it/> })}
            {banners.notes.into_iter().map(|note| view! { <NoteBar note=note/> }).collect_view()}
        </div>
    }
    .into_any()
}

#[component]
fn Acting(it: InAnothersName) -> impl IntoView {
    let forms = use_context::<FrameForms>();
    view! {
        <Notice tone=Tone::Warning icon=Icon::Lock>
            <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
                <span>
                    <strong>{it.operator}</strong> " acts in the name of " <strong>{it.person}</strong> ": " {it.reason} " (until "
                    <span title=it.until.plain()>{it.until.plain().get(11..16).unwrap_or_default().to_string()} " UTC"</span> ")"
                </span>
                {forms.map(|forms| view! {
                    <Form to=forms.end_impersonation class="contents"><SubmitButton look=Look::Plain small=true>"End"</SubmitButton></Form>
                })}
            </div>
        </Notice>
    }
}

#[component]
fn NoteBar(note: Note) -> impl IntoView {
    let away = use_context::<FrameForms>().filter(|_| note.is_dismissable).map(|forms| {
        let label = format!("Put away: {}", note.title);
        view! {
            <Form to=forms.dismiss_announcement hidden=vec![("id", note.id.clone())] class="contents">
                <SubmitButton look=Look::Plain small=true label=label>"Got it"</SubmitButton>
            </Form>
        }
    });
    view! {
        <Notice tone=note.tone>
            <div class="flex flex-wrap items-start justify-between gap-x-6 gap-y-2">
                <div class="min-w-0"><strong>{note.title}</strong> <p class="break-words whitespace-pre-line">{note.body}</p></div>
                {away}
            </div>
        </Notice>
    }
}

/// The operator's pages.
const ADMIN: [(&str, &str); 10] = [
    ("Overview", "/admin"),
    ("Users", "/admin/users"),
    ("Organizations", "/admin/organizations"),
    ("Announcements", "/admin/announcements"),
    ("Features", "/admin/features"),
    ("Certificates", "/admin/certificates"),
    ("Edges", "/admin/edges"),
    ("Traffic", "/admin/traffic"),
    ("Mail", "/admin/mail"),
    ("Errors", "/admin/errors"),
];

/// The tabs of the operator's pages.
#[component]
pub fn AdminTabs(
    /// The address of the one that is shown.
    current: &'static str,
) -> impl IntoView {
    view! { <Tabs tabs=ADMIN.map(|(name, href)| (name, href.to_string())).to_vec() current=current/> }
}

/// A moment that may be missing.
#[component]
pub fn MaybeTime(
    /// When, if ever.
    at: Option<Timestamp>,
    /// What is said instead.
    #[prop(default = "never")]
    none: &'static str,
) -> impl IntoView {
    match at {
        Some(at) => view! { <Time at=at/> }.into_any(),
        None => view! { <span class="text-faint">{none}</span> }.into_any(),
    }
}
