//! Addresses that get no mail any more, and why.
use crate::{
    kit::{
        ActionsCell, Align, Card, Cell, Column, EmptyState, Field, Form, FormOf, Icon, LinkButton, Look, Pagination, Row, SubmitButton,
        Table, TextLink, Time, load,
    },
    mail::{
        fns::{LiftSuppression, SuppressAddress, read_suppressions},
        model::{Suppression, Suppressions},
        ui::{BOX, FILTER, MailFrame, address},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The addresses.
#[component]
pub fn MailSuppressions() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let search = query.get("search").filter(|text| !text.trim().is_empty());
    let page = query.get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    load(read_suppressions(search.clone(), page), move |found| {
        view! {
            <MailFrame current="/admin/mail/suppressions">
                <Listing found=found search=search/>
                <Card title="Suppress an address" text="It gets no mail from the panel until you lift this.">
                    <Form to=SuppressAddress::FORM class="flex max-w-[480px] flex-col gap-4">
                        <Field name="address" label="Address" kind="email" autocomplete="off"/>
                        <div><SubmitButton look=Look::Plain>"Suppress"</SubmitButton></div>
                    </Form>
                </Card>
            </MailFrame>
        }
    })
}

#[component]
fn Listing(found: Suppressions, search: Option<String>) -> impl IntoView {
    let (page, pages) = (found.page, found.pages);
    let href = address("/admin/mail/suppressions", vec![("search", search.clone())]);
    let list = match (found.suppressions.is_empty(), search.is_some()) {
        (true, true) => view! {
            <EmptyState icon=Icon::Search title="Nothing found" text="No suppressed address has this in it.">
                <LinkButton href="/admin/mail/suppressions">"Show all"</LinkButton>
            </EmptyState>
        }
        .into_any(),
        (true, false) => view! {
            <EmptyState icon=Icon::Check title="Every address gets mail" text="Addresses whose mail comes back, and those of people who complain, are listed here by themselves.">
                ""
            </EmptyState>
        }
        .into_any(),
        (false, _) => view! {
            <Table caption="Suppressed addresses" columns=vec![Column::new("Address"), Column::new("Why"), Column::new("Since").end().wide(), Column::new("").wide()]>
                {found.suppressions.into_iter().map(|it| view! { <Line it=it/> }).collect_view()}
            </Table>
        }
        .into_any(),
    };
    view! {
        <div class="flex flex-col gap-3">
            <form method="get" action="/admin/mail/suppressions" role="search" class="flex flex-wrap items-center gap-2">
                <input
                    type="search" name="search" value=search.unwrap_or_default() placeholder="A part of the address" aria-label="A part of the address"
                    class=format!("{BOX} w-full sm:w-64") autocapitalize="off" spellcheck="false" data-control
                />
                <button class=FILTER data-control>"Search"</button>
            </form>
            {list}
        </div>
        <Pagination page=page pages=pages href=href/>
    }
}

#[component]
fn Line(it: Suppression) -> impl IntoView {
    let why = match it.reason.as_str() {
        "bounce" => "Mail came back",
        "complaint" => "Its owner complained",
        _ => "An operator chose so",
    };
    let (label, hidden) = (format!("Lift for {}", it.address), vec![("address", it.address.clone())]);
    view! {
        <Row>
            <Cell><span class="font-medium break-all">{it.address}</span></Cell>
            <Cell>
                <div class="flex flex-col gap-0.5">
                    <span>
                        {match it.mail_id {
                            Some(id) => view! { <TextLink href=format!("/admin/mail/messages/{id}")>{why}</TextLink> }.into_any(),
                            None => view! { {why} }.into_any(),
                        }}
                    </span>
                    <span class="text-small break-words text-muted">{it.detail}</span>
                </div>
            </Cell>
            <Cell align=Align::End wide=true><span class="text-muted"><Time at=it.created_at/></span></Cell>
            <ActionsCell>
                <Form to=LiftSuppression::FORM hidden=hidden>
                    <SubmitButton look=Look::Plain small=true label=label>"Lift"</SubmitButton>
                </Form>
            </ActionsCell>
        </Row>
    }
}
