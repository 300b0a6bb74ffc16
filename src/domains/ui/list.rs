//! Domains in rows: the organization's on a page of their own, an application's in its tab, with the form that adds one.
use crate::{
    apps::{
        fns::read_application,
        ui::{AppFrame, Tab, app_param},
    },
    domains::{
        fns::{AddDomain, read_domains, read_domains_of},
        model::Domain,
        ui::{claim_tone, standing},
    },
    id::AppId,
    kit::{
        Card, Cell, Checkbox, Column, EmptyState, Field, Form, FormOf, Icon, LinkButton, Look, NameCell, Page, PageTitle, Pagination, Row,
        Select, Status, SubmitButton, Table, Tag, TextLink, load,
    },
    rights::Action,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

fn page_param() -> u64 {
    use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok()).filter(|page| (1..=10_000).contains(page)).unwrap_or(1)
}

/// The organization's domains.
#[component]
pub fn Domains() -> impl IntoView {
    let search = use_query_map().read_untracked().get("search").map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
    let page = page_param();
    load(read_domains(search.clone(), page), move |(domains, pages)| {
        let nothing = domains.is_empty() && search.is_none() && page == 1;
        let found = search.clone();
        let query = search.as_ref().map(|text| format!("&search={}", encoded(text))).unwrap_or_default();
        let href = Callback::new(move |page: u64| format!("/domains?page={page}{query}"));
        view! {
            <Page>
                <PageTitle title="Domains"/>
                {(!nothing).then(|| view! { <Search text=found.clone().unwrap_or_default()/> })}
                {match (nothing, domains.is_empty()) {
                    (true, _) => view! {
                        <EmptyState
                            icon=Icon::External title="No domains yet"
                            text="Every application has an address of the platform’s from the start. Add a domain of yours on an application’s Domains tab."
                        >
                            <LinkButton href="/applications" look=Look::Primary>"Choose an application"</LinkButton>
                        </EmptyState>
                    }.into_any(),
                    (false, true) => view! { <p class="text-muted">"No domain has this in its name."</p> }.into_any(),
                    (false, false) => view! { <DomainList domains=domains with_app=true/> }.into_any(),
                }}
                <Pagination page=page pages=pages href=href/>
            </Page>
        }
    })
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[component]
fn Search(text: String) -> impl IntoView {
    view! {
        <form method="get" action="/domains" role="search" class="flex max-w-md gap-2">
            <input
                type="search" name="search" value=text aria-label="Search domains" placeholder="Part of a domain" autocapitalize="off" spellcheck="false"
                class="h-8 w-full rounded-control border border-edge bg-surface px-3 shadow-control hover:border-faint" data-control
            />
            <SubmitButton look=Look::Plain>{Icon::Search.view()} "Search"</SubmitButton>
        </form>
    }
}

/// The domains of an application.
#[component]
pub fn AppDomains() -> impl IntoView {
    let page = page_param();
    let both = async move {
        let id = app_param()?;
        Ok((read_application(id.clone()).await?, read_domains_of(id, page).await?))
    };
    load(both, move |(app, (domains, pages))| {
        let (id, url) = (app.id.clone(), app.url.clone());
        let base = format!("/applications/{id}/domains");
        let href = Callback::new(move |page: u64| format!("{base}?page={page}"));
        view! {
            <AppFrame app=app tab=Tab::Domains>
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_380px]">
                    <div class="flex min-w-0 flex-col gap-4">
                        {match domains.is_empty() {
                            true => view! {
                                <Card title="Domains">
                                    <p class="text-muted">
                                        "None of your own yet. The application answers at " <TextLink href=url outside=true>"its own address"</TextLink>
                                        " from the start; add a domain, and it answers there, too."
                                    </p>
                                </Card>
                            }.into_any(),
                            false => view! { <DomainList domains=domains with_app=false/> }.into_any(),
                        }}
                        <Pagination page=page pages=pages href=href/>
                    </div>
                    <AddDomain id=id/>
                </div>
            </AppFrame>
        }
    })
}

/// A table of domains.
#[component]
fn DomainList(
    /// The rows.
    domains: Vec<Domain>,
    /// Says which application each belongs to.
    with_app: bool,
) -> impl IntoView {
    let mut columns = vec![Column::new("Domain"), Column::new("Ownership"), Column::new("Certificate").wide()];
    if with_app {
        columns.push(Column::new("Application").wide());
    }
    let rows = domains.into_iter().map(|it| view! { <DomainRow domain=it with_app=with_app/> }).collect_view();
    view! { <Table caption="Domains" columns=columns>{rows}</Table> }
}

#[component]
fn DomainRow(domain: Domain, with_app: bool) -> impl IntoView {
    let (tone, word) = standing(domain.certificate.as_ref());
    let (primary, redirects) = (domain.primary_domain, domain.redirect_to_primary);
    let below = move || {
        view! {
            <span class="inline-flex flex-wrap gap-1.5">
                {primary.then(|| view! { <Tag>"primary"</Tag> })}
                {redirects.then(|| view! { <Tag>"redirects to primary"</Tag> })}
            </span>
        }
    };
    let app = with_app.then(|| view! { <Cell wide=true>{domain.application_name.clone()}</Cell> });
    view! {
        <Row>
            <NameCell href=format!("/domains/{}", domain.id) name=domain.shown.clone() below=below/>
            <Cell><Status tone=claim_tone(domain.claim) word=domain.claim.words()/></Cell>
            <Cell wide=true><Status tone=tone word=word/></Cell>
            {app}
        </Row>
    }
}

/// The form that claims a domain.
#[component]
fn AddDomain(
    /// The application.
    id: AppId,
) -> impl IntoView {
    let methods = [
        ("", "Choose for me"),
        ("http", "HTTP: works for most"),
        ("tls", "TLS: where port 80 is closed"),
        ("dns", "DNS: for wildcards and proxies"),
    ];
    let methods = methods.map(|(value, words)| (value.to_string(), words.to_string())).to_vec();
    view! {
        <Card title="Add a domain">
            <Form to=AddDomain::FORM hidden=vec![("id", id.to_string())]>
                <Field
                    name="domain" label="Domain" mono=true placeholder="shop.example.com" autocomplete="off"
                    hint="The next page shows the exact records to set at your provider."
                />
                <Checkbox name="with_counterpart" label="With and without www" hint="The other one redirects here."/>
                <Checkbox name="primary_domain" label="Primary domain" hint="The one that others redirect to. The first becomes it by itself."/>
                <Select name="validation_method" label="Certificate by" options=methods/>
                <div><SubmitButton needs=Action::Domains>{Icon::Plus.view()} "Add domain"</SubmitButton></div>
            </Form>
        </Card>
    }
}
