//! What all edges were asked, for operators.
use super::percent;
use crate::{
    kit::{AdminTabs, Align, Cell, Chart, Column, EmptyState, Icon, Page, PageTitle, Plot, Row, Series, Shape, Table, Time, Unit, load},
    metrics::{fns::read_platform_traffic, model::PlatformTraffic},
    units::Bytes,
};
use leptos::prelude::*;

/// Seconds that the figures of an edge stand for.
const LATELY: f64 = 300.0;

/// The page.
#[component]
pub fn AdminTraffic() -> impl IntoView {
    load(read_platform_traffic(), |traffic| {
        view! {
            <Page>
                <PageTitle title="Traffic" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current="/admin/traffic"/>
                {match traffic.edges.is_empty() {
                    true => view! {
                        <EmptyState icon=Icon::Chart title="No edge has told anything in the last hour" text="Edges tell every few seconds how many requests they were asked. Look whether they run and reach the panel.">""</EmptyState>
                    }.into_any(),
                    false => view! { <Shown traffic=traffic/> }.into_any(),
                }}
            </Page>
        }
    })
}

#[component]
fn Shown(traffic: PlatformTraffic) -> impl IntoView {
    let PlatformTraffic { edges, points, step_seconds } = traffic;
    let well = points.iter().map(|it| Some(it.requests?.saturating_sub(it.failed?) as f64)).collect();
    let series = vec![
        Series { name: "answered", class: "fill-good", values: well },
        Series { name: "5xx", class: "fill-bad", values: points.iter().map(|it| it.failed.map(|count| count as f64)).collect() },
        Series {
            name: "led nowhere",
            class: "fill-warning",
            values: points.iter().map(|it| it.unrouted.map(|count| count as f64)).collect(),
        },
    ];
    let total: u64 = points.iter().filter_map(|it| it.requests).sum();
    let plot = Plot {
        unit: Unit::Count,
        shape: Shape::Stacked,
        times: points.iter().map(|it| it.at).collect(),
        step: step_seconds,
        series,
        marks: Vec::new(),
    };
    let columns = vec![
        Column::new("Edge"),
        Column::new("Requests/s").end(),
        Column::new("Server errors").end(),
        Column::new("Led nowhere").end().wide(),
        Column::new("At once").end().wide(),
        Column::new("Sent/s").end().wide(),
        Column::new("Last told").end(),
    ];
    let rows = edges
        .into_iter()
        .map(|edge| {
            let share = (edge.failed * 10_000).checked_div(edge.requests).unwrap_or(0);
            view! {
                <Row>
                    <Cell><span class="font-mono text-small break-all">{edge.edge}</span></Cell>
                    <Cell align=Align::End>{format!("{:.1}", edge.requests as f64 / LATELY)}</Cell>
                    <Cell align=Align::End>{percent(share)}</Cell>
                    <Cell align=Align::End wide=true>{edge.unrouted}</Cell>
                    <Cell align=Align::End wide=true>{edge.in_flight}</Cell>
                    <Cell align=Align::End wide=true>{Bytes((edge.bytes_out as f64 / LATELY) as u64).to_string()}</Cell>
                    <Cell align=Align::End><Time at=edge.last/></Cell>
                </Row>
            }
        })
        .collect_view();
    view! {
        <Chart title="Requests of the last day" says=format!("{total} requests at all edges.") plot=plot/>
        <Table caption="Edges, over the last five minutes" columns=columns>{rows}</Table>
    }
}
