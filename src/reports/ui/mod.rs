//! The operators' pages of error reports: kinds with their counts, and one with the requests in which it happened.
use crate::{
    kit::{
        Align, Card, Cell, Column, EmptyState, Fact, Icon, KeyValue, LinkButton, NameCell, Page, PageTitle, Pagination, Row, Table, Time,
        load,
    },
    reports::{
        fns::{read_error, read_errors},
        model::{ErrorDetail, ErrorPage, ErrorReport},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

const HERE: &str = "/admin/errors";

/// All kinds of fault.
#[component]
pub fn ErrorReports() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let search = query.get("search").filter(|text| !text.trim().is_empty());
    let page = query.get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1);
    load(read_errors(search.clone(), page), move |found| {
        let words = "What stands behind the references that customers were shown. Kept for 30 days.";
        view! {
            <Page>
                <PageTitle title="Error reports" above=vec![("Admin".into(), "/admin".into())] below=move || view! { <p class="text-muted">{words}</p> }/>
                <Search search=search.clone().unwrap_or_default()/>
                <Kinds found=found search=search/>
            </Page>
        }
    })
}

#[component]
fn Search(search: String) -> impl IntoView {
    view! {
        <form method="get" action=HERE role="search" class="flex flex-wrap items-center gap-2">
            <input
                type="search" name="search" value=search placeholder="err_… or words of the cause" aria-label="Search by reference or cause"
                class="h-8 w-full rounded-control border border-edge bg-surface px-3 shadow-control hover:border-faint sm:w-96" autocapitalize="off"
                spellcheck="false" data-control
            />
            <button class="inline-flex h-8 items-center rounded-control border border-edge bg-surface px-3 font-medium hover:bg-hover" data-control>"Search"</button>
        </form>
    }
}

#[component]
fn Kinds(found: ErrorPage, search: Option<String>) -> impl IntoView {
    if found.groups.is_empty() {
        return match search {
            None => view! { <EmptyState icon=Icon::Check title="Nothing failed" text="When something goes wrong on our side, its cause and count stand here.">""</EmptyState> }.into_any(),
            Some(_) => view! {
                <EmptyState icon=Icon::Search title="Nothing found" text="No report has this reference, or these words in its cause. Older ones are in the log.">
                    <LinkButton href=HERE>"Show all"</LinkButton>
                </EmptyState>
            }
            .into_any(),
        };
    }
    let rows = found
        .groups
        .into_iter()
        .map(|group| {
            let cause: String = group.cause.chars().take(160).collect();
            view! {
                <Row>
                    <NameCell href=format!("{HERE}/{}", group.fingerprint) name=format!("failed while {}", group.doing) below=move || view! { <span class="font-mono break-all">{cause}</span> }/>
                    <Cell align=Align::End><span class="tabular-nums">{group.count}</span></Cell>
                    <Cell align=Align::End wide=true><Time at=group.first_seen_at/></Cell>
                    <Cell align=Align::End><Time at=group.last_seen_at/></Cell>
                </Row>
            }
        })
        .collect_view();
    let href = Callback::new(move |page: u64| {
        let mut params = leptos_router::params::ParamsMap::new();
        if let Some(search) = search.clone() {
            params.insert("search", search);
        }
        params.insert("page", page.to_string());
        format!("{HERE}{}", params.to_query_string())
    });
    view! {
        <Table caption="Kinds of fault" columns=vec![Column::new("What failed"), Column::new("Count").end(), Column::new("First").end().wide(), Column::new("Last").end()]>
            {rows}
        </Table>
        <Pagination page=found.page pages=found.pages href=href/>
    }
    .into_any()
}

/// One kind of fault, found by its fingerprint or a reference.
#[component]
pub fn ErrorReportPage() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    load(read_error(id), |ErrorDetail { group, reports }| {
        let reports = reports.into_iter().map(|report| view! { <Report report=report/> }).collect_view();
        view! {
            <Page>
                <PageTitle title=format!("Failed while {}", group.doing) above=vec![("Error reports".to_string(), HERE.to_string())]/>
                <Card title="Cause">
                    <div class="flex flex-col gap-4">
                        <pre class="overflow-x-auto font-mono text-small whitespace-pre-wrap break-words">{group.cause}</pre>
                        <KeyValue>
                            <Fact name="Count"><span class="tabular-nums">{group.count}</span></Fact>
                            <Fact name="First"><Time at=group.first_seen_at/></Fact>
                            <Fact name="Last"><Time at=group.last_seen_at/></Fact>
                        </KeyValue>
                    </div>
                </Card>
                <Card title="The newest" flush=true>
                    <Table caption="Reports" bare=true columns=vec![Column::new("Reference"), Column::new("Request").wide(), Column::new("Who").wide(), Column::new("When").end()]>
                        {reports}
                    </Table>
                </Card>
            </Page>
        }
    })
}

#[component]
fn Report(report: ErrorReport) -> impl IntoView {
    view! {
        <Row>
            <Cell><code class="font-mono text-small break-all">{report.reference}</code></Cell>
            <Cell wide=true>
                <div class="flex flex-col font-mono text-small">
                    <span>{report.route.unwrap_or_else(|| "no request".into())}</span> <span class="text-muted">{report.request_id}</span>
                </div>
            </Cell>
            <Cell wide=true>
                <div class="flex flex-col font-mono text-small text-muted"><span>{report.organization_id}</span> <span>{report.user_id}</span></div>
            </Cell>
            <Cell align=Align::End><Time at=report.created_at/></Cell>
        </Row>
    }
}
