//! The list of edges, a form for another one and, once, the token that was just made.
use super::{HERE, tone};
use crate::{
    edges::{
        fns::{AddEdge, read_edges, read_new_edge},
        model::{Edge, EdgePage},
    },
    kit::{
        AdminTabs, Align, Card, Cell, Column, Copyable, EmptyState, Field, Form, FormOf, Icon, MaybeTime, NameCell, Notice, Page,
        PageTitle, Pagination, Row, Status, SubmitButton, Table, Tone, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Every edge that runs elsewhere.
#[component]
pub fn AdminEdges() -> impl IntoView {
    let page = use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1);
    let both = async move { Ok((read_edges(page).await?, read_new_edge().await?)) };
    load(both, |(found, new)| {
        view! {
            <Page>
                <PageTitle title="Edges" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current=HERE/>
                {new.map(|(name, token, command)| view! { <Token name=name token=token command=command/> })}
                <List found=found/>
                <Card title="Add an edge" text="Another machine that answers visitors. It gets routes and certificates from here, and serves on when the panel is away.">
                    <Form to=AddEdge::FORM class="flex max-w-md flex-col gap-4">
                        <Field name="name" label="Name" placeholder="fra-1" hint="The machine it runs on." autocomplete="off"/>
                        <div><SubmitButton>"Add edge"</SubmitButton></div>
                    </Form>
                </Card>
            </Page>
        }
    })
}

/// The one look at a token.
#[component]
fn Token(name: String, token: String, command: String) -> impl IntoView {
    view! {
        <Notice tone=Tone::Good>
            <div class="flex min-w-0 flex-col gap-2" data-token-of=name.clone()>
                <p class="font-medium">{format!("Copy the token of {name} now: it can’t be shown again.")}</p>
                <Copyable text=token/>
                <p class="text-small">
                    "On that machine, put it into " <code class="font-mono">"/etc/skypanel/edge.token"</code>
                    " (mode 0600), and start the edge with this, or with the unit in " <code class="font-mono">"deploy/"</code> ":"
                </p>
                <Copyable text=command/>
            </div>
        </Notice>
    }
}

#[component]
fn List(found: EdgePage) -> impl IntoView {
    let EdgePage { edges, page, pages } = found;
    if edges.is_empty() {
        return view! {
            <EmptyState icon=Icon::Monitor title="No edges elsewhere" text="This panel answers visitors itself. Add an edge to answer them on other machines too.">
                ""
            </EmptyState>
        }
        .into_any();
    }
    let columns = vec![
        Column::new("Edge"),
        Column::new("Status"),
        Column::new("Routes").wide(),
        Column::new("Requests/s").end().wide(),
        Column::new("Program").wide(),
        Column::new("Heard of").wide(),
    ];
    let rows = edges.into_iter().map(|edge| view! { <EdgeRow edge=edge/> }).collect_view();
    view! {
        <div class="flex flex-col gap-6">
            <Table caption="Edges" columns=columns>{rows}</Table>
            <Pagination page=page pages=pages href=|page: u64| format!("{HERE}?page={page}")/>
        </div>
    }
    .into_any()
}

/// How far an edge is.
pub(super) fn version(edge: &Edge) -> String {
    match edge.newest_version.saturating_sub(edge.version) {
        _ if edge.version == 0 => "none yet".into(),
        0 => format!("version {}", edge.version),
        1 => format!("version {}, 1 behind", edge.version),
        behind => format!("version {}, {behind} behind", edge.version),
    }
}

#[component]
fn EdgeRow(edge: Edge) -> impl IntoView {
    let (version, below) = (version(&edge), edge.heard_from.clone().unwrap_or_default());
    view! {
        <Row>
            <NameCell href=format!("{HERE}/{}", edge.id) name=edge.name below=move || below/>
            <Cell><Status tone=tone(edge.state) word=edge.state.to_string()/></Cell>
            <Cell wide=true><span class="tabular-nums">{version}</span></Cell>
            <Cell align=Align::End wide=true><span class="tabular-nums">{format!("{:.1}", edge.requests_per_second)}</span></Cell>
            <Cell wide=true><span class="font-mono text-small">{edge.software.unwrap_or_default()}</span></Cell>
            <Cell wide=true><MaybeTime at=edge.heard_at/></Cell>
        </Row>
    }
}
