//! Where one is signed in.
use crate::{
    accounts::{
        fns::{EndOtherSessions, EndSession, Sessions, read_sessions},
        model::{Session, SessionKind, method_words},
        ui::{AccountFrame, AccountTab},
    },
    kit::{Align, Cell, Column, Form, FormOf, Look, Pagination, Row, SubmitButton, Table, Tag, Time, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Where whoever looks is signed in.
#[component]
pub fn SessionsPage() -> impl IntoView {
    let page = use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    load(read_sessions(page), |Sessions { sessions, page, pages, total }| {
        let rows = sessions.into_iter().map(|session| view! { <SessionRow session=session/> }).collect_view();
        view! {
            <AccountFrame tab=AccountTab::Sessions>
                <div class="flex flex-wrap items-center justify-between gap-3">
                    <p class="text-muted">"If you don’t know one of these, sign it out and change your password."</p>
                    {(total > 1).then(|| view! {
                        <Form to=EndOtherSessions::FORM class="flex">
                            <SubmitButton look=Look::Plain>"Sign out everywhere else"</SubmitButton>
                        </Form>
                    })}
                </div>
                <Table
                    caption="Sessions"
                    columns=vec![
                        Column::new("Where"), Column::new("Address").wide(), Column::new("Signed in").wide(), Column::new("Last seen"), Column::new("").end(),
                    ]
                >
                    {rows}
                </Table>
                <Pagination page=page pages=pages href=Callback::new(|page: u64| format!("/account/sessions?page={page}"))/>
            </AccountFrame>
        }
    })
}

#[component]
fn SessionRow(session: Session) -> impl IntoView {
    let what = if session.kind == SessionKind::Bearer { "API" } else { "Browser" };
    let (id, label) = (session.id.to_string(), format!("Sign out {}", session.device));
    let Session { device, address, is_current, created_at, last_seen_at, method, .. } = session;
    let small = address.clone();
    view! {
        <Row>
            <Cell>
                <div class="flex flex-col gap-0.5">
                    <span class="flex flex-wrap items-center gap-2">
                        <span class="font-medium">{device}</span> {is_current.then(|| view! { <Tag>"this one"</Tag> })}
                    </span>
                    <span class="text-small text-muted">{what} <span class="md:hidden">" · " {small}</span></span>
                </div>
            </Cell>
            <Cell wide=true><span class="font-mono">{address}</span></Cell>
            <Cell wide=true><Time at=created_at/> " " <span class="text-muted">{method_words(&method)}</span></Cell>
            <Cell><Time at=last_seen_at/></Cell>
            <Cell align=Align::End>
                <Form to=EndSession::FORM hidden=vec![("id", id)] class="inline-flex">
                    <SubmitButton look=Look::Plain small=true label=label>"Sign out"</SubmitButton>
                </Form>
            </Cell>
        </Row>
    }
}
