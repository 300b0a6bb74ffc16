//! Numbers as charts and as a table.
use crate::{
    id::AppId,
    kit::{Align, Cell, Chart, ChartMark, Column, Plot, Row, Series, Shape, Table, TextLink, Unit, moment},
    metrics::{
        model::{EDGE, Latency, Metrics, Numbers, ReleaseNumbers},
        ui::{address, p95, percent},
    },
    units::Bytes,
};
use leptos::prelude::*;

/// The id of the table with all numbers.
pub const TABLE: &str = "numbers";

type Read = fn(&Numbers) -> Option<f64>;

fn latency(of: &Numbers, read: fn(Latency) -> u64) -> Option<f64> {
    of.latency.map(|latency| read(latency) as f64)
}

/// A plot of some measures of every point.
fn plot(metrics: &Metrics, unit: Unit, shape: Shape, all: &[(&'static str, &'static str, Read)]) -> Plot {
    let series = all.iter().map(|(name, class, read)| Series {
        name,
        class,
        values: metrics.points.iter().map(|point| point.numbers.as_ref().and_then(read)).collect(),
    });
    // What never happened takes no room in the legend; one measure always stands there.
    let is_something = |one: &Series| one.values.iter().flatten().any(|value| *value > 0.0);
    let (some, none): (Vec<Series>, Vec<Series>) = series.partition(is_something);
    let series = if some.is_empty() { none.into_iter().take(1).collect() } else { some };
    let mark = |mark: &crate::metrics::model::Mark| ChartMark {
        at: mark.at,
        words: format!("Deployment {} went live at {}", mark.number, mark.at.plain()),
    };
    Plot {
        unit,
        shape,
        times: metrics.points.iter().map(|point| point.at).collect(),
        step: metrics.step_seconds,
        series,
        marks: metrics.deployments.iter().map(mark).collect(),
    }
}

/// All charts.
#[allow(clippy::too_many_lines, reason = "one chart after the other")]
#[component]
pub fn Charts(metrics: Metrics) -> impl IntoView {
    let total = metrics.total;
    let requests = plot(
        &metrics,
        Unit::Count,
        Shape::Stacked,
        &[
            ("2xx", "fill-good", |it| Some(it.success as f64)),
            ("1xx", "fill-accent", |it| Some(it.informational as f64)),
            ("3xx", "fill-busy", |it| Some(it.redirect as f64)),
            ("4xx", "fill-warning", |it| Some(it.client_error as f64)),
            ("5xx", "fill-bad", |it| Some(it.server_error as f64)),
            ("client left", "fill-faint", |it| Some(it.aborted as f64)),
        ],
    );
    let times = plot(
        &metrics,
        Unit::Micros,
        Shape::Lines,
        &[
            ("p50", "stroke-good", |it| latency(it, |of| of.p50_micros)),
            ("p95", "stroke-warning", |it| latency(it, |of| of.p95_micros)),
            ("p99", "stroke-bad", |it| latency(it, |of| of.p99_micros)),
        ],
    );
    let bytes = plot(
        &metrics,
        Unit::Bytes,
        Shape::Lines,
        &[
            ("to clients", "stroke-accent-text", |it| Some(it.bytes_out as f64)),
            ("from clients", "stroke-busy", |it| Some(it.bytes_in as f64)),
        ],
    );
    let in_flight = plot(&metrics, Unit::Count, Shape::Lines, &[("most at once", "stroke-accent-text", |it| Some(it.in_flight as f64))]);
    let trouble = plot(
        &metrics,
        Unit::Count,
        Shape::Lines,
        &[("retried", "stroke-warning", |it| Some(it.retried as f64)), ("waited", "stroke-busy", |it| Some(it.held as f64))],
    );
    let share = percent(total.error_share());
    let said = total.latency.map_or_else(
        || "No request was answered.".to_string(),
        |of| {
            let [p50, p95, p99] = [of.p50_micros, of.p95_micros, of.p99_micros].map(|micros| Unit::Micros.words(micros as f64));
            format!("Half of the answers began within {p50}, 95 % within {p95}, 99 % within {p99}.")
        },
    );
    view! {
        <Chart title="Requests" says=format!("{} requests, {share} of them answered with a server error.", total.requests) table=TABLE plot=requests/>
        <div class="grid gap-6 lg:grid-cols-2">
            <Chart title="Time to answer" says=said table=TABLE plot=times/>
            <Chart title="Data" says=format!("{} to clients, {} from them.", Bytes(total.bytes_out), Bytes(total.bytes_in)) table=TABLE plot=bytes/>
            <Chart title="In hand" says=format!("At most {} requests at once.", total.in_flight) table=TABLE plot=in_flight/>
            <Chart title="Retried and waited" says=format!("{} requests were tried again, {} waited for a replica.", total.retried, total.held) table=TABLE plot=trouble/>
        </div>
    }
}

/// The same as a table.
#[component]
pub fn NumbersTable(metrics: Metrics) -> impl IntoView {
    let columns = ["Requests", "2xx", "3xx", "4xx", "5xx", "Left", "p50", "p95", "p99", "In", "Out", "At once", "Retried", "Waited"];
    let columns = std::iter::once(Column::new("From (UTC)")).chain(columns.map(|name| Column::new(name).end())).collect();
    let step = metrics.step_seconds;
    let rows = metrics
        .points
        .into_iter()
        .rev()
        .map(|point| {
            let cells = match point.numbers {
                None => view! { <td colspan="14" class="px-4 text-faint">"no numbers"</td> }.into_any(),
                Some(it) => {
                    let time = |read: fn(Latency) -> u64| latency(&it, read).map_or_else(|| "–".into(), |value| Unit::Micros.words(value));
                    let told = [
                        it.requests.to_string(),
                        (it.success + it.informational).to_string(),
                        it.redirect.to_string(),
                        it.client_error.to_string(),
                        it.server_error.to_string(),
                        it.aborted.to_string(),
                        time(|of| of.p50_micros),
                        time(|of| of.p95_micros),
                        time(|of| of.p99_micros),
                        Bytes(it.bytes_in).to_string(),
                        Bytes(it.bytes_out).to_string(),
                        it.in_flight.to_string(),
                        it.retried.to_string(),
                        it.held.to_string(),
                    ];
                    told.map(|text| view! { <td class="h-8 px-4 text-right whitespace-nowrap">{text}</td> }).into_any()
                }
            };
            let (exact, words) = (point.at.to_string(), moment(point.at, step));
            view! { <tr><td class="h-8 px-4 whitespace-nowrap"><time datetime=exact>{words}</time></td> {cells}</tr> }
        })
        .collect_view();
    view! {
        <details id=TABLE class="rounded-card border border-line bg-surface">
            <summary class="px-5 py-3 font-medium">"Show the numbers"</summary>
            <div class="border-t border-line text-small"><Table caption="The numbers of all charts" columns=columns bare=true>{rows}</Table></div>
        </details>
    }
}

/// What each release was asked.
#[component]
pub fn ByRelease(id: AppId, releases: Vec<ReleaseNumbers>, range: &'static str, chosen: Option<String>) -> impl IntoView {
    let columns = vec![
        Column::new("Release"),
        Column::new("Requests").end(),
        Column::new("Server errors").end(),
        Column::new("p95").end(),
        Column::new("Sent").end().wide(),
    ];
    let rows = releases
        .into_iter()
        .map(|release| {
            let word = release.deployment_id.as_ref().map_or_else(|| EDGE.to_string(), ToString::to_string);
            let name = match (release.deployment_number, &release.deployment_id) {
                (Some(number), _) => format!("Deployment {number}"),
                (None, Some(_)) => "A deployment that is gone".into(),
                (None, None) => "Answered by the edge itself".into(),
            };
            let is_chosen = chosen.as_deref() == Some(word.as_str());
            let (href, it) = (address(&id, range, Some(&word)), release.numbers);
            view! {
                <Row>
                    <Cell>{if is_chosen { view! { <strong>{name}</strong> }.into_any() } else { view! { <TextLink href=href>{name}</TextLink> }.into_any() }}</Cell>
                    <Cell align=Align::End>{it.requests}</Cell>
                    <Cell align=Align::End>{percent(it.error_share())}</Cell>
                    <Cell align=Align::End>{p95(&it)}</Cell>
                    <Cell align=Align::End wide=true>{Bytes(it.bytes_out).to_string()}</Cell>
                </Row>
            }
        })
        .collect_view();
    view! { <Table caption="By release" columns=columns>{rows}</Table> }
}
