//! The operators' page of the platform's own certificates: the panel's address and the applications'.
use crate::{
    domains::{fns::read_own_certificates, model::OwnCertificate, ui::standing},
    kit::{AdminTabs, Align, Cell, Column, EmptyState, Icon, Page, PageTitle, Pagination, Row, Status, Table, Time, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const HERE: &str = "/admin/certificates";

/// The platform's own certificates.
#[component]
pub fn OwnCertificates() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let page = query.get("page").and_then(|text| text.parse().ok()).filter(|page| (1..=10_000).contains(page)).unwrap_or(1);
    load(read_own_certificates(page), move |(all, pages)| {
        let href = Callback::new(move |page: u64| format!("{HERE}?page={page}"));
        view! {
            <Page>
                <PageTitle title="Certificates" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current=HERE/>
                {match all.is_empty() {
                    true => view! {
                        <EmptyState
                            icon=Icon::External title="None yet"
                            text="The panel’s address and applications’ own names get certificates once acme.directory is set and they are names of the internet."
                        >""</EmptyState>
                    }.into_any(),
                    false => view! { <Rows all=all/> }.into_any(),
                }}
                <Pagination page=page pages=pages href=href/>
            </Page>
        }
    })
}

#[component]
fn Rows(all: Vec<OwnCertificate>) -> impl IntoView {
    let row = |it: OwnCertificate| {
        let (tone, word) = standing(Some(&it.certificate));
        let words = it.certificate.problem.clone().or(it.certificate.warning.clone()).unwrap_or_default();
        let next = it.certificate.next_try_at.map(|at| at.plain()).unwrap_or_default();
        let ends = it.certificate.expires_at.map(|at| view! { <Time at=at/> });
        view! {
            <Row>
                <Cell>
                    <span class="font-medium wrap-anywhere">{it.name}</span>
                    <p class="text-small text-muted wrap-anywhere">{words}</p>
                </Cell>
                <Cell><Status tone=tone word=word/></Cell>
                <Cell align=Align::End wide=true>{next}</Cell>
                <Cell align=Align::End wide=true>{ends}</Cell>
            </Row>
        }
    };
    let columns =
        vec![Column::new("Name"), Column::new("Certificate"), Column::new("Next try").end().wide(), Column::new("Expires").end().wide()];
    view! { <Table caption="The platform’s certificates" columns=columns>{all.into_iter().map(row).collect_view()}</Table> }
}
