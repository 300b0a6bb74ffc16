//! How each kind of message looks in the operator's name and colour. The HTML stands in a frame of its own that can do nothing.
use crate::{
    kit::{Card, Cell, Column, Form, FormOf, NameCell, Page, PageTitle, Row, SubmitButton, Table, load},
    mail::{
        fns::{SendTestMail, read_mail_kinds, read_mail_template},
        model::{MailKind, kind_word},
        ui::{MailFrame, within},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The kinds.
#[component]
pub fn MailTemplates() -> impl IntoView {
    load(read_mail_kinds(), |kinds| {
        let rows = kinds
            .into_iter()
            .map(|MailKind { name: kind, word }| {
                view! {
                    <Row>
                        <NameCell href=format!("/admin/mail/templates/{kind}") name=word/>
                        <Cell><span class="font-mono text-small text-muted">{kind}</span></Cell>
                    </Row>
                }
            })
            .collect_view();
        view! {
            <MailFrame current="/admin/mail/templates">
                <Table caption="Templates" columns=vec![Column::new("Kind"), Column::new("Name in the API")]>{rows}</Table>
            </MailFrame>
        }
    })
}

/// One kind, as HTML and as text.
#[component]
pub fn MailTemplatePage() -> impl IntoView {
    let kind = use_params_map().read_untracked().get("kind").unwrap_or_default();
    let both = async move { Ok((read_mail_template(kind).await?, read_mail_kinds().await?)) };
    load(both, |(it, kinds)| {
        let kind = it.kind.clone();
        let actions = move || {
            view! { <Form to=SendTestMail::FORM hidden=vec![("template", kind)]><SubmitButton>"Send a test mail to me"</SubmitButton></Form> }
        };
        view! {
            <Page>
                <PageTitle title=kind_word(&kinds, &it.kind) above=within("Templates", "/admin/mail/templates") actions=actions/>
                <Card title="As HTML" text=it.subject flush=true>
                    <iframe
                        src=format!("/admin/mail/templates/{}/html", it.kind) sandbox="" title="The message as HTML"
                        class="h-[560px] w-full border-t border-line bg-white"
                    ></iframe>
                </Card>
                <Card title="As text"><pre class="overflow-x-auto font-mono text-small whitespace-pre-wrap">{it.text}</pre></Card>
            </Page>
        }
    })
}
