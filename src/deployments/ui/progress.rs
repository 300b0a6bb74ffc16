//! What is alive on a deployment's page: its status, its phases with their times, and its log. One stream feeds all three.
use crate::{
    deployments::{
        model::{Deployment, LogLine, Phase, PhaseTime, Strategy},
        ui::standing,
    },
    kit::{
        Badge, Notice, Tone,
        live::{events, ticking},
        log, side,
        tail::{Tail, TailControls},
    },
    units::{Timestamp, spoken},
};
use leptos::prelude::*;

/// The id of the log's list.
pub const LIST: &str = "log";

/// What changes about a deployment while it runs.
type Seen = (Phase, bool, bool, Vec<PhaseTime>);

fn seen(deployment: Deployment) -> Seen {
    (deployment.phase, deployment.is_live, deployment.cancelling, deployment.phases)
}

/// The status beside the name. When the deployment is over it loads the page again: what follows from the end is the server's.
#[island]
pub fn DeploymentStatus(
    /// Where changes are heard; empty where there will be none.
    url: String,
    /// As the server saw it.
    phase: Phase,
    /// As the server saw it.
    is_live: bool,
    /// As the server saw it.
    cancelling: bool,
) -> impl IntoView {
    let (now, set_now) = signal((phase, is_live, cancelling));
    if !url.is_empty() {
        events(url, "state", move |_, state: Deployment| {
            let next = (state.phase, state.is_live, state.cancelling);
            if now.get_untracked() != next {
                set_now.set(next);
            }
            if next.0.is_final() {
                side::refresh();
            }
        });
    }
    let badge = move || {
        let (phase, is_live, cancelling) = now.get();
        let (tone, word) = standing(phase, is_live, cancelling);
        view! { <Badge tone=tone word=word/> }
    };
    view! { <span role="status" aria-label="Deployment">{badge}</span> }
}

/// The phases, each with how long it took.
#[island]
pub fn Phases(
    /// Where changes are heard; empty where there will be none.
    url: String,
    /// As the server saw it.
    deployment: Deployment,
    /// The server's moment.
    now: Timestamp,
) -> impl IntoView {
    let kind_builds = deployment.commit_hash.is_some() || deployment.branch.is_some();
    let is_canary = deployment.strategy == Strategy::Canary;
    let (now_seen, set_seen) = signal(seen(deployment));
    let clock = ticking(now);
    if !url.is_empty() {
        events(url, "state", move |_, state: Deployment| set_seen.set(seen(state)));
    }
    let rows = move || {
        let (phase, _, _, phases) = now_seen.get();
        steps(phase, &phases, kind_builds, is_canary).into_iter().map(|step| view! { <StepRow step=step clock=clock/> }).collect_view()
    };
    view! { <ol class="flex flex-col gap-0.5" aria-label="Phases">{rows}</ol> }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    phase: Phase,
    tone: Tone,
    time: Option<(Timestamp, Option<Timestamp>)>,
}

/// What was passed, what runs, and what is still to come.
fn steps(now: Phase, phases: &[PhaseTime], builds: bool, is_canary: bool) -> Vec<Step> {
    let passed = phases.iter().map(|it| {
        let is_last = it.phase == now;
        let tone = match it.phase {
            Phase::Failed => Tone::Bad,
            Phase::Cancelled | Phase::Superseded => Tone::Idle,
            _ if is_last && !now.is_final() => Tone::Busy,
            _ => Tone::Good,
        };
        let time = (!it.phase.is_final()).then_some((it.started_at, it.finished_at));
        Step { phase: it.phase, tone, time }
    });
    let coming = Phase::ALL
        .into_iter()
        .filter(|phase| !now.is_final() && *phase > now && *phase <= Phase::Live)
        // Only some deployments build, and only some swarms need a push: these are told when they come.
        .filter(|phase| is_canary || *phase != Phase::Canary)
        .filter(|phase| *phase != Phase::Pushing && (builds || *phase != Phase::Building))
        .map(|phase| Step { phase, tone: Tone::Idle, time: None });
    passed.chain(coming).collect()
}

#[component]
fn StepRow(step: Step, clock: ReadSignal<Timestamp>) -> impl IntoView {
    let Step { phase, tone, time } = step;
    let words = match tone {
        Tone::Idle if !phase.is_final() || phase == Phase::Live => "text-faint",
        Tone::Busy => "font-medium",
        _ => "",
    };
    let length = time.map(|(start, end)| {
        view! { <span class="text-small text-muted tabular-nums">{move || spoken(end.unwrap_or_else(|| clock.get()).since(start))}</span> }
    });
    view! {
        <li class="flex h-8 items-center justify-between gap-4" aria-current=(tone == Tone::Busy).then_some("step")>
            <span class=format!("inline-flex items-center gap-2.5 {words}")>{tone.sign()} {phase.word()}</span> {length}
        </li>
    }
}

/// What keeps the deployment waiting, told as soon as it is seen and taken back when it is over.
#[island]
pub fn DeploymentWarning(
    /// Where lines of the log are heard.
    url: String,
    /// As the lines say that the page holds.
    warning: Option<String>,
) -> impl IntoView {
    let (now, set_now) = signal(warning);
    events(url, "line", move |_, line: LogLine| set_now.update(|now| *now = line.warning_after(now.take())));
    move || {
        now.get().map(|warning| {
            view! { <Notice tone=Tone::Warning>{warning} " The deployment still waits, in case that changes by itself."</Notice> }
        })
    }
}

/// Follows the log.
#[island]
pub fn FollowDeployment(
    /// Its address, behind the last line that the page holds.
    url: String,
) -> impl IntoView {
    let tail = Tail::of(LIST);
    let line = events(url, "line", move |_, it: LogLine| tail.push(row(it)));
    view! { <TailControls tail=tail line=line/> }
}

/// A line for the log view.
pub fn row(it: LogLine) -> log::LogLine {
    let text = it.at.to_string();
    log::LogLine {
        id: it.seq.to_string(),
        time: text.get(11..19).unwrap_or_default().to_string(),
        from: it.phase.name().to_string(),
        is_error: it.phase == Phase::Failed,
        text: it.text,
    }
}
