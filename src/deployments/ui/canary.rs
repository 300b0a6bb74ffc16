//! A canary on the pages: both releases side by side while it runs, and what came of it afterwards.
use crate::{
    deployments::{
        fns::{PromoteCanary, TakeBackCanary},
        model::{Canary, Counts, Deployment, Numbers, Outcome, Strategy, Verdict, grouped, latency},
    },
    kit::{
        Ask, Card, FormOf, Icon, Look, Now, Time, Tone,
        live::{LineState, events, ticking},
        side,
    },
    rights::Action,
    units::{Timestamp, spoken},
};
use leptos::prelude::*;

/// The card: numbers, what is decided when, and the two decisions that members can take.
#[component]
pub fn CanaryCard(
    /// The deployment.
    deployment: Deployment,
    /// Where changes are heard; empty where there will be none.
    url: String,
) -> impl IntoView {
    let now = use_context::<Now>().map(|now| now.0).unwrap_or_default();
    let is_coming = deployment.strategy == Strategy::Canary && !deployment.phase.is_final();
    let Some(canary) = deployment.canary.clone() else {
        return is_coming.then(|| view! { <AwaitCanary url=url/> }).into_any();
    };
    let can_decide = canary.is_running() && !deployment.cancelling;
    let (id, before) = (deployment.id.to_string(), canary.previous_deployment_id.clone());
    let text = match canary.outcome {
        None => "A share of the requests goes to the new release. Both are measured over the same span.".to_string(),
        Some(outcome) => match &canary.decided_by {
            Some(who) => format!("{} by {who}.", outcome.words()),
            None => format!("{}.", outcome.words()),
        },
    };
    let finished_at = canary.finished_at;
    view! {
        <Card title="Canary" text=text flush=true>
            <CanaryNumbers url=url canary=canary now=now/>
            <div class="flex flex-wrap items-center justify-between gap-3 border-t border-line px-5 py-3">
                <span class="text-small text-muted">
                    {before.map(|id| view! { <a href=format!("/deployments/{id}") class="underline underline-offset-4">"The release before"</a> })}
                    {finished_at.map(|at| view! { <span>" · ended " <Time at=at/></span> })}
                </span>
                {can_decide.then(|| view! { <Decide id=id/> })}
            </div>
        </Card>
    }
    .into_any()
}

#[component]
fn Decide(id: String) -> impl IntoView {
    view! {
        <div class="flex flex-wrap gap-2">
            <Ask
                to=TakeBackCanary::FORM words="Roll back now" icon=Icon::Rollback needs=Action::Deploy hidden=vec![("id", id.clone())] look=Look::Danger
                text="All visitors get the release before again at once, and this deployment fails." button="Roll back now"
            />
            <Ask
                to=PromoteCanary::FORM words="Promote now" icon=Icon::Rocket needs=Action::Deploy hidden=vec![("id", id)]
                text="All visitors get the new release, whatever its numbers say so far." button="Promote now"
            />
        </div>
    }
}

/// Loads the page again when the canary begins: its card is the server's.
#[island]
pub fn AwaitCanary(
    /// Where changes are heard.
    url: String,
) -> impl IntoView {
    events(url, "state", |_, state: Deployment| {
        if state.canary.is_some() {
            side::refresh();
        }
    });
    view! { <span hidden></span> }
}

/// Both releases side by side, kept fresh.
#[island]
pub fn CanaryNumbers(
    /// Where changes are heard; empty where there will be none.
    url: String,
    /// As the server saw it.
    canary: Canary,
    /// The server's moment.
    now: Timestamp,
) -> impl IntoView {
    let was_running = canary.is_running();
    let (seen, set_seen) = signal(canary);
    let clock = ticking(now);
    let line = (!url.is_empty()).then(|| {
        events(url, "state", move |_, state: Deployment| {
            let Some(next) = state.canary else { return };
            let is_over = was_running && !next.is_running();
            set_seen.set(next);
            // What can be decided is the server's to say.
            if is_over {
                side::refresh();
            }
        })
    });
    let numbers = move || seen.get().steps.last().map(|step| step.numbers.clone()).unwrap_or_default();
    view! {
        <div class="flex flex-col gap-4 pb-4">
            <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-1 px-5">
                <p role="status" class="inline-flex items-center gap-2">
                    {move || tone(&seen.get()).sign()} <span class="font-medium">{move || seen.get().sentence()}</span>
                </p>
                <p class="text-small text-muted tabular-nums">{move || when(&seen.get(), clock.get())} {line.map(|line| view! { <LineState line=line/> })}</p>
            </div>
            <div class="overflow-x-auto border-y border-line">
                <table class="w-full border-collapse tabular-nums">
                    <caption class="sr-only">"Both releases in this step"</caption>
                    <thead class="bg-sunken text-small text-muted">
                        <tr>
                            <th scope="col" class="h-9 pr-2 pl-5 text-left font-medium">"In this step"</th> <th scope="col" class="h-9 px-2 text-right font-medium">"New release"</th>
                            <th scope="col" class="h-9 pr-5 pl-2 text-right font-medium">"Release before"</th>
                        </tr>
                    </thead>
                    <tbody class="divide-y divide-line">{move || compare(&seen.get(), &numbers())}</tbody>
                </table>
            </div>
            <ol class="flex flex-col gap-1 px-5 text-small text-muted tabular-nums" aria-label="Steps">{move || steps(&seen.get())}</ol>
        </div>
    }
}

fn tone(canary: &Canary) -> Tone {
    match (canary.outcome, canary.steps.last().map(|step| step.numbers.verdict)) {
        (Some(Outcome::Promoted), _) => Tone::Good,
        (Some(Outcome::RolledBack | Outcome::Failed), _) => Tone::Bad,
        (Some(_), _) => Tone::Idle,
        (None, Some(Verdict::Fine)) => Tone::Good,
        (None, Some(Verdict::Worse)) => Tone::Bad,
        (None, _) => Tone::Busy,
    }
}

/// Which step it is, and when the next one comes.
fn when(canary: &Canary, now: Timestamp) -> String {
    let Some(step) = canary.steps.last() else { return String::new() };
    let at = format!("Step {} of {}", step.number, canary.settings.steps.len());
    match canary.outcome {
        Some(outcome) => format!("{at} · {}", outcome.words()),
        None if step.next_at > now => format!("{at} · at least {} more", spoken(step.next_at.since(now))),
        None => format!("{at} · waiting for enough requests"),
    }
}

fn compare(canary: &Canary, numbers: &Numbers) -> impl IntoView + use<> {
    let Numbers { old, new, .. } = numbers;
    let (share, is_running) = (canary.share, canary.is_running());
    let time = |micros: Option<u64>| micros.map_or_else(|| "–".to_string(), latency);
    let failed = |it: &Counts| format!("{} ({})", it.error_words(), grouped(it.errors));
    let mut rows = vec![
        ("Requests", grouped(new.requests), grouped(old.requests)),
        ("Failed (5xx)", failed(new), failed(old)),
        ("p50", time(new.p50_micros), time(old.p50_micros)),
        ("p95", time(new.p95_micros), time(old.p95_micros)),
    ];
    if is_running {
        rows.insert(0, ("Share now", format!("{share} %"), format!("{} %", 100 - share)));
    }
    rows.into_iter()
        .map(|(name, new, old)| {
            view! {
                <tr>
                    <th scope="row" class="h-10 pr-2 pl-5 text-left font-normal whitespace-nowrap text-muted">{name}</th> <td class="h-10 px-2 text-right font-medium whitespace-nowrap">{new}</td>
                    <td class="h-10 pr-5 pl-2 text-right whitespace-nowrap">{old}</td>
                </tr>
            }
        })
        .collect_view()
}

/// The steps that are behind, with their numbers, and those to come.
fn steps(canary: &Canary) -> impl IntoView + use<> {
    let begun = canary.steps.len();
    let behind = canary.steps.iter().map(|step| {
        let Numbers { old, new, .. } = &step.numbers;
        let is_done = step.finished_at.is_some();
        let words = format!(
            "{} %: {} of {} failed, {} of {} before{}",
            step.percent,
            grouped(new.errors),
            grouped(new.requests),
            grouped(old.errors),
            grouped(old.requests),
            step.finished_at.map(|end| format!(", in {}", spoken(end.since(step.started_at)))).unwrap_or_default()
        );
        (if is_done { Tone::Good } else { Tone::Busy }, words)
    });
    let coming = canary.settings.steps.iter().skip(begun).map(|step| (Tone::Idle, step.to_string()));
    let (is_running, taken_back) = (canary.is_running(), canary.outcome.is_some_and(|it| it != Outcome::Promoted));
    let mut rows: Vec<(Tone, String)> = behind.collect();
    if let Some(last) = rows.last_mut()
        && taken_back
    {
        last.0 = Tone::Bad;
    }
    if is_running {
        rows.extend(coming);
    }
    rows.into_iter()
        .map(|(tone, words)| view! { <li class="flex items-center gap-2.5">{tone.sign()} <span>{words}</span></li> })
        .collect_view()
}
