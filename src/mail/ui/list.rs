//! How mail is doing, and the messages. Search, filters and page live in the address.
use crate::{
    kit::{
        Align, Card, Cell, Column, EmptyState, Fact, Icon, KeyValue, LinkButton, NameCell, Notice, Pagination, Row, Status, Table, Time,
        Tone, load,
    },
    mail::{
        fns::{read_mail_kinds, read_mail_overview, read_mails},
        model::{MailDay, MailKind, MailOverview, MailStatus, Message, Messages, kind_word},
        ui::{BOX, FILTER, MailFrame, address, tone},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// What was asked for.
#[derive(Debug, Clone, Default)]
struct ListQuery {
    search: Option<String>,
    status: Option<String>,
    template: Option<String>,
}

/// The queue, the figures and the messages.
#[component]
pub fn MailList() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let asked = ListQuery { search: given("search"), status: given("status"), template: given("template") };
    let page = given("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0);
    let wanted = asked.clone();
    let all = async move {
        let found = read_mails(wanted.search, wanted.status, wanted.template, page).await?;
        Ok((read_mail_overview().await?, found, read_mail_kinds().await?))
    };
    load(all, move |(overview, found, kinds)| {
        view! {
            <MailFrame current="/admin/mail">
                <Standing overview=overview.clone()/>
                <Days days=overview.days/>
                <Listing found=found asked=asked kinds=kinds/>
            </MailFrame>
        }
    })
}

#[component]
fn Standing(overview: MailOverview) -> impl IntoView {
    let missing = (!overview.is_set_up).then(|| {
        view! {
            <Notice tone=Tone::Warning>
                "Mail is not set up. Messages wait until they expire and nobody gets them; name a mail server under [mail] in the configuration."
            </Notice>
        }
    });
    let yes = |it: bool| if it { "yes" } else { "no" };
    view! {
        {missing}
        <Card title="Now">
            <KeyValue across=true>
                <Fact name="Waiting"><span class="tabular-nums">{overview.queue}</span></Fact>
                <Fact name="The oldest">
                    {match overview.oldest { Some(at) => view! { <Time at=at/> }.into_any(), None => view! { "none" }.into_any() }}
                </Fact>
                <Fact name="Sent in 24 hours"><span class="tabular-nums">{overview.day.sent}</span></Fact>
                <Fact name="Came back in 24 hours"><span class="tabular-nums">{overview.day.bounced}</span></Fact>
                <Fact name="Mail server"><span class="font-mono text-small break-all">{overview.mail_server.unwrap_or_else(|| "none".into())}</span></Fact>
                <Fact name="From"><span class="font-mono text-small break-all">{overview.from.unwrap_or_else(|| "none".into())}</span></Fact>
                <Fact name="Reads what comes back">{yes(overview.reads_bounces)}</Fact>
                <Fact name="Webhook">{yes(overview.has_webhook)}</Fact>
                <Fact name="Notes opening">{yes(overview.tracking)}</Fact>
            </KeyValue>
        </Card>
    }
}

#[component]
fn Days(days: Vec<MailDay>) -> impl IntoView {
    let number = |count: u64| view! { <Cell align=Align::End><span class="tabular-nums">{count}</span></Cell> };
    let row = move |it: MailDay| {
        let counts = it.counts;
        view! {
            <Row>
                <Cell><span class="whitespace-nowrap tabular-nums">{it.day}</span></Cell>
                {number(counts.sent)} {number(counts.deferred)} {number(counts.bounced)} {number(counts.failed)} {number(counts.complained)}
            </Row>
        }
    };
    let columns = vec![
        Column::new("Day (UTC)"),
        Column::new("Sent").end(),
        Column::new("Deferred").end(),
        Column::new("Bounced").end(),
        Column::new("Failed").end(),
        Column::new("Complaints").end(),
    ];
    view! {
        <Card title="The last seven days" flush=true>
            <div class="border-t border-line">
                <Table caption="The last seven days" columns=columns bare=true>{days.into_iter().map(row).collect_view()}</Table>
            </div>
        </Card>
    }
}

#[component]
fn Listing(found: Messages, asked: ListQuery, kinds: Vec<MailKind>) -> impl IntoView {
    let (page, pages, total) = (found.page, found.pages, found.total);
    let href = address(
        "/admin/mail",
        vec![("search", asked.search.clone()), ("status", asked.status.clone()), ("template", asked.template.clone())],
    );
    let words = if total == 1 { "1 message".to_string() } else { format!("{total} messages") };
    let filtered = asked.search.is_some() || asked.status.is_some() || asked.template.is_some();
    let is_empty = found.messages.is_empty();
    let rows = found.messages.into_iter().map(|message| {
        let kind = kind_word(&kinds, &message.template);
        view! { <MessageRow message=message kind=kind/> }
    });
    let rows = rows.collect_view();
    let list = match (is_empty, filtered) {
        (true, true) => view! {
            <EmptyState icon=Icon::Search title="Nothing found" text="No message is of this kind, stands like this and went to this address.">
                <LinkButton href="/admin/mail">"Show all"</LinkButton>
            </EmptyState>
        }
        .into_any(),
        (true, false) => view! {
            <EmptyState icon=Icon::Logs title="No messages yet" text="Invitations and messages about accounts show here. Send yourself one to see whether mail works.">
                <LinkButton href="/admin/mail/templates/test">"Send a test mail"</LinkButton>
            </EmptyState>
        }
        .into_any(),
        (false, _) => view! {
            <Table
                caption="Messages"
                columns=vec![Column::new("To"), Column::new("Status"), Column::new("What the server said").wide(), Column::new("Tries").end().wide(), Column::new("Written").end()]
            >
                {rows}
            </Table>
        }
        .into_any(),
    };
    view! {
        <div class="flex flex-col gap-3">
            <div class="flex flex-wrap items-center justify-between gap-3">
                <Filter asked=asked kinds=kinds/> <span class="text-small text-muted max-sm:w-full" role="status">{words}</span>
            </div>
            {list}
        </div>
        <Pagination page=page pages=pages href=href/>
    }
}

#[component]
fn Filter(asked: ListQuery, kinds: Vec<MailKind>) -> impl IntoView {
    let (status, template) = (asked.status.unwrap_or_default(), asked.template.unwrap_or_default());
    let statuses = MailStatus::ALL
        .into_iter()
        .map(|it| view! { <option value=it.name() selected=status == it.name()>{it.word()}</option> })
        .collect_view();
    let kinds = kinds
        .into_iter()
        .map(|MailKind { name, word }| {
            let selected = template == name;
            view! { <option value=name selected=selected>{word}</option> }
        })
        .collect_view();
    view! {
        <form method="get" action="/admin/mail" role="search" class="flex min-w-0 flex-1 flex-wrap items-center gap-2">
            <input
                type="search" name="search" value=asked.search.unwrap_or_default() placeholder="Address or message id" aria-label="Address or message id"
                class=format!("{BOX} w-full sm:w-64") autocapitalize="off" spellcheck="false" data-control
            />
            <select name="status" aria-label="Status" class=BOX data-control><option value="">"Any status"</option> {statuses}</select>
            <select name="template" aria-label="Kind" class=BOX data-control><option value="">"Any kind"</option> {kinds}</select>
            <button class=FILTER data-control>"Filter"</button>
        </form>
    }
}

#[component]
fn MessageRow(message: Message, kind: String) -> impl IntoView {
    view! {
        <Row>
            <NameCell href=format!("/admin/mail/messages/{}", message.id) name=message.recipient below=move || kind/>
            <Cell><Status tone=tone(message.status) word=message.status.word()/></Cell>
            <Cell wide=true><span class="text-small break-words text-muted">{message.last_error}</span></Cell>
            <Cell align=Align::End wide=true><span class="tabular-nums">{message.attempts}</span></Cell>
            <Cell align=Align::End><span class="text-muted"><Time at=message.created_at/></span></Cell>
        </Row>
    }
}
