//! Why a deployment failed: the sentence first, then the evidence that was kept before the containers went.
use crate::{
    deployments::model::{Dossier, Failure, ProbeReport, TaskLine, TaskReport},
    kit::{Card, Cell, Column, Icon, Row, Status, Table, Time, Tone, log},
};
use leptos::prelude::*;

/// The sentence, and what visitors see meanwhile.
#[component]
pub fn Reason(
    /// The failure.
    failure: Failure,
    /// Whether another release goes on serving.
    still_serving: bool,
) -> impl IntoView {
    let (phase, code) = (failure.phase.word().to_lowercase(), failure.code);
    let meanwhile = if still_serving {
        "Visitors notice nothing: the release that was live goes on serving."
    } else {
        "Nothing was live before, so the address does not answer yet."
    };
    view! {
        <section role="alert" aria-label="Why it failed" class="flex gap-3 rounded-card border border-bad/40 bg-bad-soft px-5 py-4">
            <span class="pt-1 text-bad-text">{Icon::Blocked.view()}</span>
            <div class="flex min-w-0 flex-col gap-1">
                <p class="text-lead font-medium break-words text-bad-text">{failure.sentence}</p>
                <p>{meanwhile}</p>
                <p class="text-small text-muted">"Failed while " {phase} " · " <code class="font-mono">{code}</code></p>
            </div>
        </section>
    }
}

/// The evidence.
#[component]
pub fn Evidence(
    /// What was kept.
    dossier: Dossier,
) -> impl IntoView {
    let Dossier { tasks, probes, logs } = dossier;
    view! {
        {(!logs.is_empty()).then(|| view! { <LastWords logs=logs/> })}
        {(!tasks.is_empty()).then(|| view! { <Tasks tasks=tasks/> })}
        {(!probes.is_empty()).then(|| view! { <Probes probes=probes/> })}
    }
}

#[component]
fn LastWords(logs: Vec<TaskLine>) -> impl IntoView {
    let rows = logs
        .into_iter()
        .enumerate()
        .map(|(n, it)| {
            let time = it.at.to_string().get(11..19).unwrap_or_default().to_string();
            view! { <log::LogRow line=log::LogLine { id: n.to_string(), time, from: it.task, is_error: false, text: it.text }/> }
        })
        .collect_view();
    view! {
        <Card title="What the application said last" flush=true>
            <div class="border-t border-line"><log::LogView label="The application’s last lines" id="last-words" height="320px">{rows}</log::LogView></div>
        </Card>
    }
}

#[component]
fn Tasks(tasks: Vec<TaskReport>) -> impl IntoView {
    let row = |it: TaskReport| {
        let mut state = it.state;
        if let Some(first) = state.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let is_bad = it.out_of_memory || it.exit_code.is_some_and(|code| code != 0);
        let exit = it.exit_code.map_or_else(|| "–".to_string(), |code| code.to_string());
        view! {
            <Row>
                <Cell><span class="whitespace-nowrap">{it.slot} <span class="ml-2 font-mono text-small text-faint">{it.id}</span></span></Cell>
                <Cell>
                    <Status tone=if is_bad { Tone::Bad } else { Tone::Idle } word=state/>
                    {it.out_of_memory.then(|| view! { <p class="text-small text-bad-text">"It needed more memory than it may have."</p> })}
                </Cell>
                <Cell wide=true><span class="font-mono text-small break-words text-muted">{it.message}</span></Cell>
                <Cell align=crate::kit::Align::End>{exit}</Cell>
                <Cell align=crate::kit::Align::End wide=true><span class="text-muted"><Time at=it.at/></span></Cell>
            </Row>
        }
    };
    let columns = vec![
        Column::new("Task"),
        Column::new("State"),
        Column::new("In Swarm’s words").wide(),
        Column::new("Exit code").end(),
        Column::new("When").end().wide(),
    ];
    view! {
        <Card title="How its tasks stood" flush=true>
            <div class="border-t border-line">
                <Table caption="Tasks" columns=columns bare=true>{tasks.into_iter().map(row).collect_view()}</Table>
            </div>
        </Card>
    }
}

#[component]
fn Probes(probes: Vec<ProbeReport>) -> impl IntoView {
    let row = |it: ProbeReport| {
        let tone = if it.healthy { Tone::Good } else { Tone::Bad };
        view! {
            <Row>
                <Cell><span class="font-mono text-small">{it.task}</span></Cell>
                <Cell><span class="inline-flex items-start gap-2"><span class="pt-1">{tone.sign()}</span> <span class="break-words">{it.answer}</span></span></Cell>
                <Cell align=crate::kit::Align::End><span class="text-muted"><Time at=it.at/></span></Cell>
            </Row>
        }
    };
    let columns = vec![Column::new("Task"), Column::new("Answer"), Column::new("When").end()];
    view! {
        <Card title="What the probes got" flush=true>
            <div class="border-t border-line">
                <Table caption="Probes" columns=columns bare=true>{probes.into_iter().map(row).collect_view()}</Table>
            </div>
        </Card>
    }
}
