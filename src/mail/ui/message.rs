//! One message and everything that happened to it. What it says is not shown: it may hold links that sign somebody in.
use crate::{
    error::{Error, Result},
    id::MailId,
    kit::{
        Card, Cell, Column, Fact, Form, FormOf, KeyValue, Look, Page, PageTitle, Row, Status, SubmitButton, Table, TextLink, Time, load,
    },
    mail::{
        fns::{CancelMail, RetryMail, read_mail, read_mail_kinds},
        model::{MESSAGE, MailEvent, MailKind, MessageDetail, kind_word},
        ui::{event_words, tone, within},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn id() -> Result<MailId> {
    let text = use_params_map().read_untracked().get("id").unwrap_or_default();
    text.parse().map_err(|_| Error::NotFound(MESSAGE))
}

/// The message.
#[component]
pub fn MailMessage() -> impl IntoView {
    let id = id();
    let both = async move { Ok((read_mail(id?).await?, read_mail_kinds().await?)) };
    load(both, |(detail, kinds)| view! { <Detail detail=detail kinds=kinds/> })
}

#[component]
fn Detail(detail: MessageDetail, kinds: Vec<MailKind>) -> impl IntoView {
    let MessageDetail { message, message_id, events } = detail;
    let (status, id) = (message.status, message.id.to_string());
    let actions = move || {
        let (again, end) = (id.clone(), id);
        view! {
            {status.can_retry().then(|| view! {
                <Form to=RetryMail::FORM hidden=vec![("id", again)]><SubmitButton look=Look::Plain>"Send once more"</SubmitButton></Form>
            })}
            {status.waits().then(|| view! {
                <Form to=CancelMail::FORM hidden=vec![("id", end)]><SubmitButton look=Look::Danger>"End"</SubmitButton></Form>
            })}
        }
    };
    let when = |at| match at {
        Some(at) => view! { <Time at=at/> }.into_any(),
        None => view! { "not yet" }.into_any(),
    };
    view! {
        <Page>
            <PageTitle
                title=message.recipient document="Message" above=within("", "") actions=actions
                status=move || view! { <Status tone=tone(status) word=status.word()/> }
            />
            <Card>
                <KeyValue across=true>
                    <Fact name="Kind">
                        <TextLink href=format!("/admin/mail/templates/{}", message.template)>{kind_word(&kinds, &message.template)}</TextLink>
                    </Fact>
                    <Fact name="Written"><Time at=message.created_at/></Fact>
                    <Fact name="Sent">{when(message.sent_at)}</Fact>
                    {message.next_try_at.map(|at| view! { <Fact name="Next try">{at.plain()}</Fact> })}
                    <Fact name="Tries"><span class="tabular-nums">{message.attempts}</span></Fact>
                    <Fact name="Good until">{message.expires_at.plain()}</Fact>
                    {message.organization_id.map(|org| view! { <Fact name="Organization"><span class="font-mono text-small break-all">{org.to_string()}</span></Fact> })}
                    {message_id.map(|id| view! { <Fact name="Message-ID"><span class="font-mono text-small break-all">{id}</span></Fact> })}
                </KeyValue>
            </Card>
            <Events events=events/>
        </Page>
    }
}

#[component]
fn Events(events: Vec<MailEvent>) -> impl IntoView {
    let row = |it: MailEvent| {
        let (tone, words) = event_words(&it.kind);
        view! {
            <Row>
                <Cell><Status tone=tone word=words/></Cell>
                <Cell><span class="break-words text-muted">{it.detail}</span></Cell>
                <Cell align=crate::kit::Align::End><span class="text-muted"><Time at=it.at/></span></Cell>
            </Row>
        }
    };
    let columns = vec![Column::new("What happened"), Column::new("In the other server’s words"), Column::new("When").end()];
    view! {
        <Card title="What became of it" flush=true>
            <div class="border-t border-line">
                <Table caption="What became of it" columns=columns bare=true>{events.into_iter().map(row).collect_view()}</Table>
            </div>
        </Card>
    }
}
