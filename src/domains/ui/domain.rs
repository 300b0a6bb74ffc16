//! One domain: how it stands, what to set, what was found, its certificate, what it does, and its end.
use crate::{
    domains::{
        fns::{ChangeDomain, OrderCertificate, RemoveCertificate, RemoveDomain, UploadCertificate, VerifyDomain, read_domain},
        model::{CertificateState, Claim, Domain},
        ui::{claim_tone, dns::DnsInstructions, ssl::SslStatus, verification::DomainVerification},
    },
    error::{Error, Result, Thing},
    id::DomainId,
    kit::{
        Badge, Card, ConfirmByName, Copyable, DangerZone, Fact, Form, FormOf, KeyValue, Look, Notice, OnApp, Page, PageTitle, Select,
        SubmitButton, TextLink, Time, is_posted, load,
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn domain_param() -> Result<DomainId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(Thing::DOMAIN))
}

/// The domain that the address names.
#[component]
pub fn DomainPage() -> impl IntoView {
    load(async move { read_domain(domain_param()?).await }, |domain| {
        let above = vec![
            ("Applications".to_string(), "/applications".to_string()),
            (domain.application_name.clone(), format!("/applications/{}/domains", domain.application_id)),
        ];
        let (tone, word, url) = (claim_tone(domain.claim), domain.claim.words(), domain.url());
        let serves = domain.verified_at.is_some() && !domain.domain.is_wildcard();
        let below = move || {
            view! {
                <div class="flex min-w-0 items-center gap-2 text-small">
                    {serves.then(|| view! { <TextLink href=url.clone() outside=true>"Open"</TextLink> })}
                    <Copyable text=url/>
                </div>
            }
        };
        let check = {
            let id = domain.id.to_string();
            move || {
                view! {
                    <Form to=VerifyDomain::FORM hidden=vec![("id", id)] class="contents">
                        <SubmitButton needs=Action::Domains>"Check now"</SubmitButton>
                    </Form>
                }
            }
        };
        let again = follow(&domain).map(|seconds| view! { <meta http-equiv="refresh" content=seconds.to_string()/> });
        view! {
            {again}
            <OnApp id=domain.application_id.clone()>
            <Page>
                <PageTitle title=domain.shown.clone() above=above status=move || view! { <Badge tone=tone word=word/> } below=below actions=check/>
                <Standing domain=domain.clone()/>
                <DnsInstructions domain=domain.clone()/>
                <div class="grid items-start gap-6 lg:grid-cols-2">
                    <DomainVerification domain=domain.clone()/>
                    <SslStatus domain=domain.clone()/>
                </div>
                <div class="flex max-w-[720px] flex-col gap-6"><Change domain=domain.clone()/> <End domain=domain/></div>
            </Page>
            </OnApp>
        }
    })
}

/// Seconds after which the page is read again by itself: soon while a certificate is on its way, seldom while the record is waited for.
/// Never over a form that came back, which would be lost.
fn follow(domain: &Domain) -> Option<u32> {
    let forms = [
        VerifyDomain::FORM,
        ChangeDomain::FORM,
        UploadCertificate::FORM,
        RemoveDomain::FORM,
        OrderCertificate::FORM,
        RemoveCertificate::FORM,
    ];
    if forms.into_iter().any(is_posted) {
        return None;
    }
    let ordered = domain
        .certificate
        .as_ref()
        .is_some_and(|it| it.problem.is_none() && !matches!(it.state, CertificateState::Issued | CertificateState::Failed));
    let proven_lately = domain.verified_at.is_some() && domain.certificate.is_none() && domain.automatic_certificates;
    match domain.claim {
        _ if ordered || proven_lately => Some(3),
        Claim::Waiting | Claim::Contested if domain.next_check_at.is_some() => Some(30),
        _ => None,
    }
}

#[component]
fn Standing(domain: Domain) -> impl IntoView {
    let (claim, status) = (domain.claim, domain.status.clone());
    let notice = (claim != Claim::Verified).then(|| view! { <Notice tone=claim_tone(claim)>{status}</Notice> });
    let moment = |at: Option<crate::units::Timestamp>| match at {
        Some(at) => view! { <Time at=at/> }.into_any(),
        None => view! { <span class="text-faint">"not yet"</span> }.into_any(),
    };
    let role = role_words(&domain);
    let ascii = (domain.shown != domain.domain.as_str()).then(|| {
        let name = domain.domain.to_string();
        view! { <Fact name="In DNS"><span class="font-mono">{name}</span></Fact> }
    });
    let next = match domain.next_check_at {
        Some(at) => at.plain(),
        None => "only when you ask".into(),
    };
    view! {
        {notice}
        <Card>
            <KeyValue across=true>
                {ascii}
                <Fact name="Proven">{moment(domain.verified_at)}</Fact>
                <Fact name="Checked">{moment(domain.checked_at)}</Fact>
                <Fact name="Next check">{next}</Fact>
                <Fact name="Does">{role}</Fact>
            </KeyValue>
        </Card>
    }
}

fn role_words(domain: &Domain) -> &'static str {
    match (domain.primary_domain, domain.redirect_to_primary) {
        (true, _) => "Serves, and is the primary domain",
        (false, true) => "Redirects to the primary domain",
        (false, false) => "Serves",
    }
}

#[component]
fn Change(domain: Domain) -> impl IntoView {
    let role = match (domain.primary_domain, domain.redirect_to_primary) {
        (true, _) => "primary",
        (false, true) => "redirect",
        (false, false) => "serve",
    };
    let options = |all: &[(&str, &str)]| all.iter().map(|(value, words)| (value.to_string(), words.to_string())).collect::<Vec<_>>();
    let mut roles = vec![("serve", "Serve the application"), ("redirect", "Redirect to the primary domain")];
    let mut methods = vec![("dns", "DNS")];
    if !domain.domain.is_wildcard() {
        roles.insert(1, ("primary", "Be the primary domain"));
        methods = vec![("http", "HTTP"), ("tls", "TLS"), ("dns", "DNS")];
    }
    view! {
        <Card title="What it does">
            <Form to=ChangeDomain::FORM hidden=vec![("id", domain.id.to_string())]>
                <Select name="role" label="Visitors of this domain" options=options(&roles) value=role/>
                <Select
                    name="validation_method" label="The certificate authority checks by" options=options(&methods) value=domain.validation_method.name()
                    hint="DNS is for wildcards, and for domains behind a proxy of somebody else’s."
                />
                <div><SubmitButton look=Look::Plain needs=Action::Domains>"Save"</SubmitButton></div>
            </Form>
        </Card>
    }
}

#[component]
fn End(domain: Domain) -> impl IntoView {
    view! {
        <DangerZone>
            <ConfirmByName
                to=RemoveDomain::FORM name=domain.shown.clone() hidden=vec![("id", domain.id.to_string())] title="Remove this domain" needs=Action::Domains
                text="It leads to the application no more, and its certificate goes. The application and its other addresses stay. To add it again, a new record has to be set."
                button="Remove domain"
            />
        </DangerZone>
    }
}
