//! The access log: the newest requests by the server, what follows by a stream.
use super::live::FollowAccess;
use crate::{
    apps::ui::{AppFrame, LogSources, Tab, app_param},
    kit::{
        LinkButton, Look, Unit, load,
        log::{LogLine, LogRow, LogView},
    },
    metrics::{
        fns::{AccessPage, read_access_log},
        model::AccessLine,
    },
    units::Bytes,
};
use leptos::prelude::*;
use leptos_router::{hooks::use_query_map, params::ParamsMap};

/// The list's id.
pub const LIST: &str = "access";

const CLASSES: [(u8, &str); 6] = [
    (1, "1xx: upgrades"),
    (2, "2xx: well"),
    (3, "3xx: elsewhere"),
    (4, "4xx: the client’s fault"),
    (5, "5xx: our fault"),
    (0, "the client left"),
];

/// The page.
#[component]
pub fn AccessLog() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let given = |name: &str| query.get(name).filter(|text| !text.trim().is_empty());
    let class = given("class").and_then(|text| text.parse().ok()).filter(|class: &u8| *class <= 5);
    let path = given("path").map(|text| text.chars().take(200).collect::<String>());
    let asked = path.clone();
    let page = async move { read_access_log(app_param()?, class, asked).await };
    load(page, move |page| {
        view! {
            <AppFrame app=page.application.clone() tab=Tab::Logs wide=true>
                <LogSources id=page.application.id.clone() is_access=true/>
                <Viewer page=page class=class path=path/>
            </AppFrame>
        }
    })
}

#[component]
fn Viewer(page: AccessPage, class: Option<u8>, path: Option<String>) -> impl IntoView {
    let id = page.application.id;
    let mut params = ParamsMap::new();
    if let Some(class) = class {
        params.insert("class", class.to_string());
    }
    if let Some(path) = &path {
        params.insert("path", path.clone());
    }
    params.insert("follow", "true".to_string());
    params.insert("last_event_id", page.last.to_string());
    let stream = format!("/api/paas/applications/{id}/access-log{}", params.to_query_string());
    let (none, narrowed) = (page.lines.is_empty(), class.is_some() || path.is_some());
    let lines = page.lines.iter().map(|said| view! { <LogRow line=line(said)/> }).collect_view();
    let said = match (narrowed, page.last) {
        (true, _) => "No request like this among those that are kept. New ones appear above.",
        (false, 0) => "No request was written down yet. New ones appear above, as many of them as the application’s settings say.",
        (false, _) => "The requests that were written down are older than a week. New ones appear above.",
    };
    let options = CLASSES.map(|(one, words)| view! { <option value=one.to_string() selected=class == Some(one)>{words}</option> });
    let field = "h-7 rounded-control border border-edge bg-surface text-small hover:border-faint";
    view! {
        <section aria-label="Access log" class="min-w-0 overflow-hidden rounded-card border border-line bg-surface">
            <div class="flex flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-2.5">
                <form method="get" class="flex min-w-0 flex-wrap items-center gap-2" role="search">
                    <input type="search" name="path" value=path.unwrap_or_default() maxlength="200" placeholder="Paths that contain…" aria-label="Paths that contain" class=format!("{field} w-full px-2 sm:w-56") autocapitalize="off" spellcheck="false" data-control/>
                    <select name="class" aria-label="Which" class=format!("{field} px-2") data-control>
                        <option value="">"Every status"</option>
                        {options}
                    </select>
                    <button class="h-7 rounded-control border border-edge bg-surface px-2 text-small font-medium shadow-control hover:bg-hover" data-control>"Filter"</button>
                    {narrowed.then(|| view! { <LinkButton href=format!("/applications/{id}/logs/access") small=true look=Look::Quiet>"Show all"</LinkButton> })}
                </form>
                <div class="flex flex-wrap items-center gap-2"><FollowAccess url=stream/></div>
            </div>
            <LogView label="Access log" id=LIST height="max(320px, calc(100dvh - 340px))">{lines}</LogView>
            {none.then(|| view! { <p data-none class="border-t border-line px-5 py-3 text-small text-muted">{said}</p> })}
        </section>
    }
}

/// A request as a line: the path last but for the client, because both may be long.
pub fn line(said: &AccessLine) -> LogLine {
    let text = said.at.to_string();
    let time = format!("{}.{:03}", text.get(11..19).unwrap_or_default(), said.at.millis().rem_euclid(1_000));
    let status = if said.status == 0 { "left".to_string() } else { said.status.to_string() };
    let time_taken = Unit::Micros.words(said.micros as f64);
    LogLine {
        id: said.seq.to_string(),
        time,
        from: status,
        is_error: said.status >= 500,
        text: format!(
            "{} {}{} {time_taken} {} {} {}",
            said.method,
            said.host,
            said.path,
            Bytes(said.bytes_out),
            said.client,
            if said.user_agent.is_empty() { "-" } else { &said.user_agent }
        ),
    }
}
