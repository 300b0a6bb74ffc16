//! What keeps itself fresh on an application's pages: the status, the replicas, and the page itself when another release goes live.
use crate::{
    apps::{
        model::{AppState, AppStatus, Replica, ReplicaCount},
        ui::tone,
    },
    id::DeploymentId,
    kit::{
        Badge, Status, Tone, ago,
        live::{LineState, events, ticking},
        side,
    },
    units::Timestamp,
};
use leptos::prelude::*;

/// The status beside the name.
#[island]
pub fn AppBadge(
    /// Where changes are heard.
    url: String,
    /// As the server saw it.
    status: AppStatus,
) -> impl IntoView {
    let (now, set_now) = signal(status);
    events(url, "state", move |_, state: AppState| {
        if now.get_untracked() != state.application.status {
            set_now.set(state.application.status);
        }
    });
    view! { <span role="status">{move || view! { <Badge tone=tone(now.get()) word=now.get().word()/> }}</span> }
}

/// How many replicas run, and each of them.
#[island]
pub fn ReplicaTable(
    /// Where changes are heard.
    url: String,
    /// As the server saw it.
    status: AppStatus,
    /// As the server saw it.
    count: ReplicaCount,
    /// As the server saw them.
    replicas: Vec<Replica>,
    /// The server's moment.
    now: Timestamp,
) -> impl IntoView {
    let (seen, set_seen) = signal((status, count, replicas));
    let clock = ticking(now);
    let line = events(url, "state", move |_, state: AppState| {
        set_seen.set((state.application.status, state.application.replicas, state.replicas));
    });
    let words = move || {
        let ReplicaCount { wanted, running } = seen.get().1;
        if wanted == 0 && running == 0 {
            return "None running".to_string();
        }
        format!("{running} of {wanted} running")
    };
    let sign = move || match seen.get().1 {
        _ if seen.get().0 == AppStatus::New => Tone::Idle,
        ReplicaCount { wanted: 0, .. } => Tone::Idle,
        ReplicaCount { wanted, running } if running >= wanted => Tone::Good,
        ReplicaCount { running: 0, .. } if seen.get().0 == AppStatus::Down => Tone::Bad,
        _ => Tone::Busy,
    };
    let rows = move || {
        let replicas = seen.get().2;
        match replicas.is_empty() {
            true => view! { <tr><td colspan="4" class="h-12 px-5 text-muted">{nothing(seen.get().0)}</td></tr> }.into_any(),
            false => replicas.into_iter().map(|replica| view! { <ReplicaRow replica=replica clock=clock/> }).collect_view().into_any(),
        }
    };
    view! {
        <div>
            <p class="flex items-center justify-between gap-4 px-5 pb-4" role="status">
                <span class="inline-flex items-center gap-2 text-lead tabular-nums">{move || sign().sign()} <span>{words}</span></span> <LineState line=line/>
            </p>
            <div class="overflow-x-auto border-t border-line">
                <table class="w-full border-collapse">
                    <caption class="sr-only">"Each replica"</caption>
                    <thead class="bg-sunken text-small text-muted" hidden=move || seen.get().2.is_empty()>
                        <tr>
                            <th scope="col" class="h-9 pr-2 pl-5 text-left font-medium">"Replica"</th> <th scope="col" class="h-9 px-2 text-left font-medium">"State"</th>
                            <th scope="col" class="hidden h-9 px-2 text-left font-medium sm:table-cell">"Node"</th>
                            <th scope="col" class="h-9 pr-5 pl-2 text-right font-medium">"Since"</th>
                        </tr>
                    </thead>
                    <tbody class="divide-y divide-line">{rows}</tbody>
                </table>
            </div>
        </div>
    }
}

fn nothing(status: AppStatus) -> &'static str {
    match status {
        AppStatus::New => "Nothing runs yet. Deploy the application to put it online.",
        AppStatus::Deploying => "The first deployment is under way.",
        AppStatus::Stopped => "The application is stopped. Its release is kept; start it again at any time.",
        AppStatus::Unknown => "The swarm does not answer just now. What runs there goes on running.",
        _ => "Nothing runs just now.",
    }
}

#[component]
fn ReplicaRow(replica: Replica, clock: ReadSignal<Timestamp>) -> impl IntoView {
    let tone = if replica.running { Tone::Good } else { Tone::Busy };
    let since = replica.since;
    let mut state = replica.state;
    if let Some(first) = state.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    view! {
        <tr>
            <td class="h-11 pr-2 pl-5 whitespace-nowrap">{replica.slot} <span class="ml-2 font-mono text-small text-faint">{replica.id}</span></td>
            <td class="h-11 px-2"><Status tone=tone word=state/></td> <td class="hidden h-11 px-2 font-mono text-small sm:table-cell">{replica.node}</td>
            <td class="h-11 pr-5 pl-2 text-right whitespace-nowrap text-muted">
                <time datetime=since.to_string() title=since.plain()>{move || ago(since, clock.get())}</time>
            </td>
        </tr>
    }
}

/// Loads the page again when another deployment goes live, begins or ends: the rest of the page is the server's. While somebody is
/// typing it only says so.
#[island]
pub fn KeepFresh(
    /// Where changes are heard.
    url: String,
    /// The live deployment that the page shows.
    live: Option<DeploymentId>,
    /// The unfinished one that it shows.
    active: Option<DeploymentId>,
) -> impl IntoView {
    let (old, set_old) = signal(false);
    events(url, "state", move |_, state: AppState| {
        let app = state.application;
        if (app.live_deployment_id != live || app.active_deployment_id != active) && !side::refresh() {
            set_old.set(true);
        }
    });
    view! {
        <p hidden=move || !old.get() role="status" class="rounded-card bg-busy-soft px-4 py-3 text-busy-text">
            "This page has changed meanwhile. " <a href="" class="underline underline-offset-4">"Load it again"</a>
        </p>
    }
}
