//! Maintenance, HTTPS, and how much of what visitors do is logged.
use crate::{
    id::AppId,
    kit::{Ask, Card, Checkbox, Field, Form, FormOf, Icon, Look, Notice, Select, SubmitButton, TextArea, Time, Tone, load},
    rights::Action,
    routing::{
        fns::{BeginMaintenance, EndMaintenance, SaveAccessLog, SaveHttps, SaveMaintenance},
        model::{HttpsMode, Routing},
        ui::{Part, RoutingFrame, both, hidden},
    },
};
use leptos::prelude::*;

/// The first part.
#[component]
pub fn RoutingGeneral() -> impl IntoView {
    load(both(), |(app, routing)| {
        view! {
            <RoutingFrame app=app part=Part::General>
                <MaintenanceCard routing=routing.clone()/>
                <HttpsCard routing=routing.clone()/>
                <AccessLogCard routing=routing/>
            </RoutingFrame>
        }
    })
}

/// Says that visitors get the maintenance page, and ends that.
#[component]
pub fn InMaintenance(
    /// The application.
    id: AppId,
    /// Whether they do.
    is_on: bool,
) -> impl IntoView {
    is_on.then(|| {
        view! {
            <Notice tone=Tone::Warning icon=Icon::Pause>
                <div class="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
                    <span>"In maintenance: visitors see the maintenance page."</span>
                    <Form to=EndMaintenance::FORM hidden=vec![("id", id.to_string())] class="contents">
                        <SubmitButton look=Look::Plain small=true needs=Action::Configure>"End maintenance"</SubmitButton>
                    </Form>
                </div>
            </Notice>
        }
    })
}

#[component]
fn MaintenanceCard(routing: Routing) -> impl IntoView {
    let (id, fields) = (routing.application_id.clone(), hidden(&routing));
    let maintenance = routing.rules.maintenance;
    let since = maintenance.since.map(|at| view! { <span class="text-muted">"On since " <Time at=at/></span> });
    let switch = match maintenance.enabled {
        true => view! { <InMaintenance id=id is_on=true/> {since} }.into_any(),
        false => view! {
            <div>
                <Ask
                    to=BeginMaintenance::FORM words="Begin maintenance" icon=Icon::Pause needs=Action::Configure hidden=vec![("id", id.to_string())]
                    button="Begin maintenance" text="From now on visitors see the maintenance page (503) instead of the application. Its replicas go on running."
                />
            </div>
        }
        .into_any(),
    };
    let minutes = maintenance.retry_after_seconds.div_ceil(60).to_string();
    view! {
        <Card title="Maintenance" text="One page instead of the application, while you work on it.">
            <div class="flex flex-col gap-6">
                {switch}
                <Form to=SaveMaintenance::FORM hidden=fields>
                    <TextArea
                        name="page" label="Page" value=maintenance.page.unwrap_or_default() optional=true mono=true rows=5 placeholder="<!doctype html>…"
                        hint="HTML, 64 KiB at most. Without it, visitors see a page of the platform’s."
                    />
                    <div class="grid gap-4 sm:grid-cols-2">
                        <Field
                            name="retry_after_minutes" label="Come back after" kind="number" unit="minutes" value=minutes
                            hint="Told to programs as Retry-After."
                        />
                        <Field
                            name="bypass" label="Path that stays open" value=maintenance.bypass.unwrap_or_default() optional=true mono=true placeholder="/status"
                            hint="It and all below it reach the application."
                        />
                    </div>
                    <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save page"</SubmitButton></div>
                </Form>
            </div>
        </Card>
    }
}

#[component]
fn HttpsCard(routing: Routing) -> impl IntoView {
    let fields = hidden(&routing);
    let modes = [
        (HttpsMode::Auto, "Redirect to HTTPS where the address has a certificate"),
        (HttpsMode::Always, "Redirect to HTTPS always"),
        (HttpsMode::Off, "Serve plain HTTP, too"),
    ];
    let modes = modes.into_iter().map(|(mode, words)| (mode.word().to_string(), words.to_string())).collect();
    let hsts = routing.rules.hsts;
    let days = hsts.map_or(365, |it| it.max_age_seconds / 86_400).to_string();
    let (subdomains, preload) = (hsts.is_some_and(|it| it.include_subdomains), hsts.is_some_and(|it| it.preload));
    view! {
        <Card title="HTTPS" text="How visitors who come without it are answered.">
            <Form to=SaveHttps::FORM hidden=fields>
                <Select
                    name="https" label="Plain HTTP" options=modes value=routing.rules.https.word()
                    hint="“Always” is for addresses whose TLS ends in front of the platform."
                />
                <Checkbox
                    name="hsts" label="HSTS" checked=hsts.is_some()
                    hint="Browsers remember to come by HTTPS only. It can’t be taken back before its time is over: begin with a few days."
                />
                <div class="max-w-xs"><Field name="hsts_days" label="Browsers remember it for" kind="number" unit="days" value=days optional=true/></div>
                <Checkbox
                    name="include_subdomains" label="All subdomains, too" checked=subdomains
                    hint="Every name below the address must have a certificate, also those that lead elsewhere."
                />
                <Checkbox
                    name="preload" label="Allow preload lists" checked=preload
                    hint="Browsers may be shipped with it. To come off such a list takes months."
                />
                <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save HTTPS"</SubmitButton></div>
            </Form>
        </Card>
    }
}

#[component]
fn AccessLogCard(routing: Routing) -> impl IntoView {
    let fields = hidden(&routing);
    let percent = (f64::from(routing.rules.access_log_permille) / 10.0).to_string();
    view! {
        <Card title="Access log" text="How many of the requests are written down, with the visitor’s address and the path.">
            <Form to=SaveAccessLog::FORM hidden=fields>
                <div class="max-w-xs">
                    <Field name="percent" label="Share" kind="number" unit="%" value=percent hint="0 to 100. Figures count all requests, whatever the share."/>
                </div>
                <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save share"</SubmitButton></div>
            </Form>
        </Card>
    }
}
