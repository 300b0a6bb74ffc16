//! Announcements: what is said now, what was said, and the form.
use crate::{
    admin::{
        fns::{CreateAnnouncement, DeleteAnnouncement, UpdateAnnouncement, read_announcement, read_announcements},
        model::{ANNOUNCEMENT, Announcement, Level},
    },
    error::Error,
    id::AnnouncementId,
    kit::{
        AdminTabs, Card, Cell, Checkbox, Column, DangerZone, Field, Form, FormOf, Look, MaybeTime, NameCell, Now, Page, PageTitle,
        Pagination, Row, Select, Status, SubmitButton, Table, TextArea, Time, Tone, load,
    },
    units::Timestamp,
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Every announcement, and the form for a new one.
#[component]
pub fn AdminAnnouncements() -> impl IntoView {
    let page = use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok());
    load(read_announcements(page), |found| {
        let list = (!found.entries.is_empty()).then(|| {
            let columns = vec![Column::new("Title"), Column::new("Status"), Column::new("From").wide(), Column::new("Until").wide()];
            let rows = found.entries.into_iter().map(|it| view! { <AnnouncementRow it=it/> }).collect_view();
            view! { <Table caption="Announcements" columns=columns>{rows}</Table> }
        });
        view! {
            <Page>
                <PageTitle title="Announcements" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current="/admin/announcements"/>
                {list}
                <Pagination page=found.page pages=found.pages href=|page: u64| format!("/admin/announcements?page={page}")/>
                <Card title="Announce something" text="A banner on the pages of everybody, or of the members of some organizations.">
                    <Form to=CreateAnnouncement::FORM class="flex max-w-xl flex-col gap-4">
                        <Fields it=None/> <div><SubmitButton>"Announce"</SubmitButton></div>
                    </Form>
                </Card>
            </Page>
        }
    })
}

fn standing(it: &Announcement, now: Timestamp) -> (Tone, &'static str) {
    match (it.starts_at > now, it.ends_at.is_some_and(|end| end <= now)) {
        (_, true) => (Tone::Idle, "Over"),
        (true, _) => (Tone::Busy, "To come"),
        _ => (Tone::Good, "Shown"),
    }
}

#[component]
fn AnnouncementRow(it: Announcement) -> impl IntoView {
    let now = use_context::<Now>().map_or(it.starts_at, |now| now.0);
    let (tone, word) = standing(&it, now);
    let whom = match it.organizations.len() {
        0 => format!("{} · everybody", it.level.name()),
        1 => format!("{} · 1 organization", it.level.name()),
        count => format!("{} · {count} organizations", it.level.name()),
    };
    view! {
        <Row>
            <NameCell href=format!("/admin/announcements/{}", it.id) name=it.title below=move || whom/>
            <Cell><Status tone=tone word=word/></Cell>
            <Cell wide=true><Time at=it.starts_at/></Cell>
            <Cell wide=true><MaybeTime at=it.ends_at none="taken back"/></Cell>
        </Row>
    }
}

/// `2027-01-31 03:00`, as the form takes it.
fn typed(at: Timestamp) -> String {
    at.plain().get(..16).unwrap_or_default().to_string()
}

#[component]
fn Fields(it: Option<Announcement>) -> impl IntoView {
    let levels = Level::ALL.map(|level| (level.name().to_string(), level.name().to_string())).to_vec();
    let organizations = it.iter().flat_map(|it| &it.organizations).map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let (starts, ends) = (it.as_ref().map(|it| typed(it.starts_at)), it.as_ref().and_then(|it| it.ends_at).map(typed));
    let level = it.as_ref().map_or("info", |it| it.level.name()).to_string();
    let dismissable = it.as_ref().is_none_or(|it| it.is_dismissable);
    let (title, body) = it.map(|it| (it.title, it.body)).unwrap_or_default();
    view! {
        <Field name="title" label="Title" value=title/>
        <TextArea name="body" label="Text" value=body rows=3 optional=true/>
        <Select name="level" label="Level" options=levels value=level/>
        <TextArea name="organizations" label="Organizations" value=organizations rows=3 mono=true optional=true hint="Ids, one a line. Nothing is everybody."/>
        <Field name="starts_at" label="From" value=starts.unwrap_or_default() optional=true placeholder="2027-01-31 02:00" hint="UTC. Nothing is now."/>
        <Field name="ends_at" label="Until" value=ends.unwrap_or_default() optional=true placeholder="2027-01-31 03:00" hint="UTC. Nothing is until it is taken back."/>
        <Checkbox name="is_dismissable" label="Whoever has read it can put it away" checked=dismissable/>
    }
}

/// One announcement, to change it or take it back.
#[component]
pub fn AdminAnnouncement() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    let found = async move {
        let id: AnnouncementId = id.parse().map_err(|_| Error::NotFound(ANNOUNCEMENT))?;
        read_announcement(id).await
    };
    load(found, |it: Announcement| {
        let above = vec![("Admin".into(), "/admin".into()), ("Announcements".into(), "/admin/announcements".into())];
        let hidden = vec![("id", it.id.to_string())];
        let (again, title) = (hidden.clone(), it.title.clone());
        view! {
            <Page>
                <PageTitle title=title above=above/>
                <AdminTabs current="/admin/announcements"/>
                <Card>
                    <Form to=UpdateAnnouncement::FORM hidden=again class="flex max-w-xl flex-col gap-4">
                        <Fields it=Some(it)/> <div><SubmitButton>"Save"</SubmitButton></div>
                    </Form>
                </Card>
                <DangerZone>
                    <div class="px-5 py-4">
                        <Form to=DeleteAnnouncement::FORM hidden=hidden class="flex flex-wrap items-center justify-between gap-3">
                            <span>"Takes the banner from every page at once."</span> <SubmitButton look=Look::Danger>"Take back"</SubmitButton>
                        </Form>
                    </div>
                </DangerZone>
            </Page>
        }
    })
}
