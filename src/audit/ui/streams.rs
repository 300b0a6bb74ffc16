//! Where the trail is sent: each place with how it stands, and the form for another one.
use super::tabs;
use crate::{
    audit::{
        fns::{CreateAuditStream, DeleteAuditStream, SwitchAuditStream, TestAuditStream, read_audit_streams},
        model::AuditStream,
    },
    kit::{
        Card, Fact, Field, Form, FormOf, KeyValue, Look, MaybeTime, Notice, Page, PageTitle, Status, SubmitButton, Tabs, Tag, Tone, load,
    },
    rights::Action,
};
use leptos::prelude::*;

/// Every stream of the organization.
#[component]
pub fn AuditStreams() -> impl IntoView {
    load(read_audit_streams(), |all| {
        view! {
            <Page>
                <PageTitle title="Streams" above=vec![("Organization".into(), "/organization".into()), ("Activity".into(), "/organization/activity".into())]/>
                <Tabs tabs=tabs() current="/organization/activity/streams"/>
                {all.into_iter().map(|stream| view! { <Stream stream=stream/> }).collect_view()}
                <Card title="Send the trail somewhere" text="Every line from now on, in order, each at least once.">
                    <Form to=CreateAuditStream::FORM class="flex max-w-xl flex-col gap-4">
                        <Field name="name" label="Name" placeholder="siem" autocomplete="off"/>
                        <Field
                            name="url" label="Address" mono=true placeholder="https://siem.example.com/skypanel" autocomplete="off"
                            hint="A webhook (https://…), or syslog: syslog+tls://host:6514, syslog+tcp://host:601, syslog+udp://host:514."
                        />
                        <Field
                            name="secret" label="Secret" kind="password" optional=true autocomplete="off"
                            hint="For webhooks, 16 characters or more: X-SkyPanel-Signature is made with it. Never shown again."
                        />
                        <div><SubmitButton needs=Action::Settings>"Add stream"</SubmitButton></div>
                    </Form>
                </Card>
            </Page>
        }
    })
}

fn standing(stream: &AuditStream) -> (Tone, &'static str) {
    match (stream.is_enabled, stream.failing_since.is_some()) {
        (false, _) if stream.disabled_reason.is_some() => (Tone::Bad, "Switched off after failing"),
        (false, _) => (Tone::Idle, "Off"),
        (true, true) => (Tone::Warning, "Failing"),
        (true, false) => (Tone::Good, "On"),
    }
}

#[component]
fn Stream(stream: AuditStream) -> impl IntoView {
    let (tone, word) = standing(&stream);
    let hidden = vec![("id", stream.id.to_string())];
    let mut switch = hidden.clone();
    switch.push(("is_enabled", (!stream.is_enabled).to_string()));
    let switch_word = if stream.is_enabled { "Switch off" } else { "Switch on" };
    let why = stream.disabled_reason.clone().or_else(|| stream.last_error.clone());
    view! {
        <Card title=stream.name.clone() text=stream.url.clone() actions=move || view! { <Status tone=tone word=word/> }>
            <div class="flex flex-col gap-4">
                {why.map(|why| view! { <Notice tone=tone>{why}</Notice> })}
                <KeyValue across=true>
                    <Fact name="Kind"><Tag>{stream.kind.title()}</Tag></Fact>
                    <Fact name="Last arrived"><MaybeTime at=stream.last_sent_at/></Fact>
                    <Fact name="Up to line">{stream.sent_seq}</Fact>
                    <Fact name="Waiting">{stream.waiting}</Fact>
                </KeyValue>
                <div class="flex flex-wrap gap-2">
                    <Form to=TestAuditStream::FORM hidden=hidden.clone() class="contents">
                        <SubmitButton look=Look::Plain small=true needs=Action::Settings>"Send a test"</SubmitButton>
                    </Form>
                    <Form to=SwitchAuditStream::FORM hidden=switch class="contents">
                        <SubmitButton look=Look::Plain small=true needs=Action::Settings>{switch_word}</SubmitButton>
                    </Form>
                    <Form to=DeleteAuditStream::FORM hidden=hidden class="contents">
                        <SubmitButton look=Look::Plain small=true needs=Action::Settings>"Remove"</SubmitButton>
                    </Form>
                </div>
            </div>
        </Card>
    }
}
