//! The certificate of a domain: how it stands in words, when the next try is, and a customer's own in its place.
use crate::{
    domains::{
        fns::{OrderCertificate, RemoveCertificate, UploadCertificate},
        model::{Certificate, CertificateSource, CertificateState, Domain},
        ui::standing,
    },
    id::DomainId,
    kit::{Ask, Card, Fact, Form, FormOf, Icon, KeyValue, Look, Notice, Status, SubmitButton, TextArea, Time, Tone, is_posted},
    rights::Action,
};
use leptos::prelude::*;
use std::cmp::Ordering;

/// A domain's certificate.
#[component]
pub fn SslStatus(
    /// The domain.
    domain: Domain,
) -> impl IntoView {
    let (tone, word) = standing(domain.certificate.as_ref());
    let proven = domain.verified_at.is_some();
    let facts = match domain.certificate.clone() {
        Some(certificate) => view! { <Facts certificate=certificate/> }.into_any(),
        None => view! { <p class="text-muted">{missing(&domain)}</p> }.into_any(),
    };
    let can_order = proven && domain.automatic_certificates;
    let has = domain.certificate.is_some();
    view! {
        <Card title="Certificate" actions=move || view! { <Status tone=tone word=word/> }>
            <div class="flex flex-col gap-4">
                {facts}
                <div class="flex flex-wrap gap-2">
                    {can_order.then(|| view! { <OrderButton id=domain.id.clone() has=has/> })}
                    {has.then(|| view! { <RemoveButton id=domain.id.clone()/> })}
                </div>
                {proven.then(|| view! { <Upload id=domain.id.clone()/> })}
            </div>
        </Card>
    }
}

fn missing(domain: &Domain) -> &'static str {
    match (domain.verified_at.is_some(), domain.automatic_certificates) {
        (false, true) => "It is ordered by itself once the domain is proven to be yours.",
        (false, false) => "Once the domain is proven to be yours, you can upload one.",
        (true, true) => "There is none yet. One is ordered by itself with the next check; order it now, or upload your own.",
        (true, false) => "This platform orders none by itself. Upload your own, and visitors come by HTTPS.",
    }
}

#[component]
fn Facts(certificate: Certificate) -> impl IntoView {
    let it = certificate;
    let warning = it.warning.map(|words| view! { <Notice tone=Tone::Warning>{words}</Notice> });
    let problem = it.problem.map(|words| {
        let tone = if it.state == CertificateState::Failed { Tone::Bad } else { Tone::Warning };
        let next = it.next_try_at.map(|at| format!(" Next try: {}.", at.plain()));
        view! { <Notice tone=tone>{words} {next}</Notice> }
    });
    let renews = (it.source == CertificateSource::Acme && it.state == CertificateState::Issued).then_some(it.next_try_at).flatten();
    view! {
        {warning} {problem} {steps(it.state)}
        <KeyValue across=true>
            <Fact name="Kind">{match it.source {
                CertificateSource::Acme => format!("Automatic, by {}", it.method.words()),
                CertificateSource::Uploaded => "Uploaded".to_string(),
            }}</Fact>
            {it.issuer.map(|issuer| view! { <Fact name="Issued by">{issuer}</Fact> })}
            {it.issued_at.map(|at| view! { <Fact name="Issued"><Time at=at/></Fact> })}
            {it.expires_at.map(|at| view! { <Fact name="Expires">{at.plain()}</Fact> })}
            {renews.map(|at| view! { <Fact name="Renewed by itself">{at.plain()}</Fact> })}
            {(it.attempts > 0).then(|| view! { <Fact name="Failed attempts">{it.attempts}</Fact> })}
        </KeyValue>
        {(!it.names.is_empty()).then(|| view! { <p class="text-small text-muted wrap-anywhere">"Covers " {it.names.join(", ")}</p> })}
    }
}

/// How far a first certificate has come.
fn steps(state: CertificateState) -> Option<impl IntoView> {
    const WAY: [CertificateState; 4] =
        [CertificateState::Preflight, CertificateState::Ordered, CertificateState::Validating, CertificateState::Issued];
    let now = WAY.iter().position(|step| *step == state).filter(|_| state != CertificateState::Issued)?;
    let step = |(at, step): (usize, &CertificateState)| {
        let (tone, when) = match at.cmp(&now) {
            Ordering::Less => (Tone::Good, "done"),
            Ordering::Equal => (Tone::Busy, "now"),
            Ordering::Greater => (Tone::Idle, "then"),
        };
        let current = (at == now).then_some("step");
        view! { <li aria-current=current><Status tone=tone word=format!("{}: {when}", step.words())/></li> }
    };
    Some(view! { <ol class="flex flex-wrap gap-x-6 gap-y-1 text-small">{WAY.iter().enumerate().map(step).collect_view()}</ol> })
}

#[component]
fn OrderButton(id: DomainId, has: bool) -> impl IntoView {
    let words = if has { "Order again" } else { "Order a certificate" };
    view! {
        <Ask
            to=OrderCertificate::FORM words=words icon=Icon::Restart needs=Action::Domains hidden=vec![("id", id.to_string())]
            text="A new certificate is ordered now. Visitors get the present one until it is there; one that was uploaded is replaced."
            button="Order it"
        />
    }
}

#[component]
fn RemoveButton(id: DomainId) -> impl IntoView {
    view! {
        <Ask
            to=RemoveCertificate::FORM words="Remove" icon=Icon::Cross needs=Action::Domains look=Look::Danger hidden=vec![("id", id.to_string())]
            text="Visitors who come by HTTPS are warned by their browsers until there is another certificate."
            button="Remove certificate"
        />
    }
}

#[component]
fn Upload(id: DomainId) -> impl IntoView {
    view! {
        <details class="group rounded-card border border-line" open=is_posted(UploadCertificate::FORM)>
            <summary class="flex items-center justify-between gap-4 px-4 py-3">
                <span class="font-medium">"Upload your own"</span>
                <span class="text-muted transition-transform duration-100 group-open:rotate-90">{Icon::Chevron.view()}</span>
            </summary>
            <div class="px-4 pb-4">
                <Form to=UploadCertificate::FORM hidden=vec![("id", id.to_string())]>
                    <TextArea
                        name="certificate_chain" label="Certificate chain" mono=true rows=6 placeholder="-----BEGIN CERTIFICATE-----"
                        hint="In PEM: the domain’s own first, then the ones that signed it."
                    />
                    <TextArea
                        name="private_key" label="Private key" mono=true rows=4 placeholder="-----BEGIN PRIVATE KEY-----"
                        hint="In PEM, without a password. It is stored encrypted and never shown again."
                    />
                    <div><SubmitButton look=Look::Plain needs=Action::Domains>"Upload"</SubmitButton></div>
                </Form>
            </div>
        </details>
    }
}
