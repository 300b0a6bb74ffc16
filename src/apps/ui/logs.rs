//! The logs of all replicas of an application as one: the last lines by the server, what follows by a stream.
use crate::{
    apps::{
        fns::{read_application_logs, read_state},
        model::{AppState, LogEntry, LogPage},
        ui::{AppFrame, Tab, app_param},
    },
    id::AppId,
    kit::{
        EmptyState, Icon, LinkButton, Look,
        live::events,
        load,
        log::{LogLine, LogRow, LogView},
        tail::{Tail, TailControls},
    },
    units::Timestamp,
};
use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, params::ParamsMap};
use serde::{Deserialize, Serialize};

const LIST: &str = "log";

/// The log viewer.
#[component]
pub fn Logs() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let (search, replica) = (given("search"), given("replica"));
    let asked = (search.clone(), replica.clone());
    let both = async move {
        let id = app_param()?;
        let state = read_state(id.clone()).await?;
        Ok((state, read_application_logs(id, asked.0, asked.1).await?))
    };
    load(both, move |(state, page)| {
        let app = state.application.clone();
        let live = app.live_deployment_id.is_some();
        view! {
            <AppFrame app=app tab=Tab::Logs wide=true>
                <LogSources id=state.application.id.clone() is_access=false/>
                {match live {
                    true => view! { <Viewer state=state page=page search=search replica=replica/> }.into_any(),
                    false => view! {
                        <EmptyState icon=Icon::Logs title="Nothing has been said yet" text="What the application writes to standard output and error appears here once it is deployed.">
                            ""
                        </EmptyState>
                    }.into_any(),
                }}
            </AppFrame>
        }
    })
}

/// The two logs of an application: what it writes, and who asked it for what.
#[component]
pub fn LogSources(
    /// The application.
    id: AppId,
    /// Whether it is the access log that is shown.
    is_access: bool,
) -> impl IntoView {
    let base = format!("/applications/{id}/logs");
    let links = [("Runtime logs", base.clone(), !is_access), ("Access log", format!("{base}/access"), is_access)].map(|(name, href, is_here)| {
        let here = is_here.then_some("page");
        view! {
            <a
                href=href aria-current=here data-control
                class="inline-flex h-7 items-center rounded-control px-2.5 text-small text-muted hover:bg-hover hover:text-text aria-[current]:bg-press aria-[current]:font-medium aria-[current]:text-text"
            >
                {name}
            </a>
        }
    });
    view! { <nav aria-label="Which log" class="flex gap-1 self-start rounded-card border border-line bg-surface p-1">{links}</nav> }
}

#[component]
fn Viewer(state: AppState, page: LogPage, search: Option<String>, replica: Option<String>) -> impl IntoView {
    let id = state.application.id.clone();
    let address = |more: &[(&'static str, &str)]| {
        let mut params = ParamsMap::new();
        for (name, value) in [("search", &search), ("replica", &replica)] {
            if let Some(value) = value {
                params.insert(name, value.clone());
            }
        }
        more.iter().for_each(|(name, value)| params.insert(*name, value.to_string()));
        format!("/api/paas/applications/{id}/logs{}", params.to_query_string())
    };
    let stream = address(&[("follow", "true"), ("limit", "200"), ("last_event_id", &page.cursor)]);
    let file = address(&[("format", "text"), ("limit", "5000")]);
    let none = page.lines.is_empty();
    let narrowed = search.is_some() || replica.is_some();
    let lines = page.lines.into_iter().map(|entry| view! { <LogRow line=line(entry)/> }).collect_view();
    view! {
        <section aria-label="Log viewer" class="min-w-0 overflow-hidden rounded-card border border-line bg-surface">
            <div class="flex flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-2.5">
                <Narrow id=id.clone() state=state search=search.unwrap_or_default() replica=replica.unwrap_or_default()/>
                <div class="flex flex-wrap items-center gap-2">
                    <Follow url=stream away=page.away/>
                    <LinkButton href=file small=true download=true>{Icon::Download.view()} "Download"</LinkButton>
                </div>
            </div>
            <LogView label="Log of all replicas" id=LIST height="max(320px, calc(100dvh - 300px))">{lines}</LogView>
            {none.then(|| view! {
                <p data-none class="border-t border-line px-5 py-3 text-small text-muted">
                    {if narrowed { "No line like this among the last 10,000. New ones appear above." } else { "Nothing was written yet. New lines appear above." }}
                </p>
            })}
        </section>
    }
}

#[component]
fn Narrow(id: AppId, state: AppState, search: String, replica: String) -> impl IntoView {
    let field = "h-7 rounded-control border border-edge bg-surface text-small hover:border-faint";
    let narrowed = !search.is_empty() || !replica.is_empty();
    let options = state
        .replicas
        .into_iter()
        .map(|it| {
            let slot = it.slot.to_string();
            view! { <option value=slot.clone() selected=slot == replica>{format!("Replica {} ({})", it.slot, it.id)}</option> }
        })
        .collect_view();
    view! {
        <form method="get" class="flex min-w-0 flex-wrap items-center gap-2" role="search">
            <div class="relative w-full sm:w-56">
                <span class="pointer-events-none absolute inset-y-0 left-2 flex items-center text-faint">{Icon::Search.view()}</span>
                <input type="search" name="search" value=search placeholder="Lines that contain…" aria-label="Lines that contain" class=format!("{field} w-full pr-2 pl-8") autocapitalize="off" spellcheck="false" data-control/>
            </div>
            <div class="relative">
                <select name="replica" aria-label="Which" class=format!("{field} appearance-none pr-8 pl-2.5") data-control>
                    <option value="">"Every replica"</option>
                    {options}
                </select>
                <span class="pointer-events-none absolute inset-y-0 right-2 flex items-center text-muted">{Icon::Updown.view()}</span>
            </div>
            <button class="h-7 rounded-control border border-edge bg-surface px-2 text-small font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
            {narrowed.then(|| view! { <LinkButton href=format!("/applications/{id}/logs") small=true look=Look::Quiet>"Show all"</LinkButton> })}
        </form>
    }
}

/// A line as the stream sends it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    replica: String,
    slot: u32,
    at: Timestamp,
    stream: String,
    text: String,
    nanos: String,
}

/// Follows the stream.
#[island]
pub fn Follow(
    /// Its address.
    url: String,
    /// Replicas whose machines could not be asked for their lines.
    away: Vec<String>,
) -> impl IntoView {
    let tail = Tail::of(LIST);
    let (silent, set_silent) = signal(away);
    let line = events(url.clone(), "line", move |_, said: Said| {
        if silent.with_untracked(|all| all.contains(&said.replica)) {
            set_silent.update(|all| all.retain(|it| *it != said.replica));
        }
        tail.push(line(LogEntry {
            replica: said.replica,
            slot: said.slot,
            at: said.at,
            is_error: said.stream == "err",
            text: said.text,
            nanos: said.nanos,
        }));
    });
    events(url, "gap", move |_, replica: String| {
        if silent.with_untracked(|all| !all.contains(&replica)) {
            set_silent.update(|all| all.push(replica));
        }
    });
    let gap = move || format!("The machine of replica {} does not answer; its lines follow later", silent.get().join(", "));
    view! {
        <span class="text-small text-warning-text" role="status" hidden=move || silent.get().is_empty()>{gap}</span>
        <TailControls tail=tail line=line/>
    }
}

fn line(entry: LogEntry) -> LogLine {
    LogLine {
        id: format!("{}={}", entry.replica, entry.nanos),
        time: clock(entry.at),
        from: format!("{}·{}", entry.slot, entry.replica.get(..4).unwrap_or_default()),
        is_error: entry.is_error,
        text: entry.text,
    }
}

/// `14:03:22.114`, UTC.
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.get(11..19).unwrap_or_default();
    format!("{seconds}.{:03}", at.millis().rem_euclid(1_000))
}
