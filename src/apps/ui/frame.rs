//! What every page of one application begins with: its name and how it stands, its address, what can be done, and the tabs.
use crate::{
    apps::{
        model::Application,
        ui::{DeploymentForms, events_url, live::AppBadge},
    },
    error::{Error, Result, Thing},
    id::AppId,
    kit::{Copyable, Form, Icon, Notice, OnApp, Page, PageTitle, Rights, SubmitButton, Tabs, TextLink, Tone, may},
    rights::{Action, Role},
};
use leptos::{children::ViewFnOnce, prelude::*};
use leptos_router::hooks::use_params_map;

/// A view of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Deployments,
    Logs,
    Metrics,
    Environment,
    Domains,
    Routing,
    Settings,
}

impl Tab {
    const ALL: [(Tab, &str, &str); 8] = [
        (Tab::Overview, "Overview", ""),
        (Tab::Deployments, "Deployments", "/deployments"),
        (Tab::Logs, "Logs", "/logs"),
        (Tab::Metrics, "Metrics", "/metrics"),
        (Tab::Environment, "Environment", "/environment"),
        (Tab::Domains, "Domains", "/domains"),
        (Tab::Routing, "Routing", "/routing"),
        (Tab::Settings, "Settings", "/settings"),
    ];

    fn entry(self) -> (Tab, &'static str, &'static str) {
        Self::ALL.into_iter().find(|(tab, ..)| *tab == self).unwrap_or(Self::ALL[0])
    }
}

/// The application that the address names.
pub fn app_param() -> Result<AppId> {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    id.parse().map_err(|_| Error::NotFound(Thing::APPLICATION))
}

/// The frame around a view of an application.
#[component]
pub fn AppFrame(
    /// The application.
    app: Application,
    /// Which view it is.
    tab: Tab,
    /// What else can be done, left of Deploy.
    #[prop(optional, into)]
    actions: ViewFnOnce,
    /// Uses the whole width.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    let base = format!("/applications/{}", app.id);
    let (_, name, path) = tab.entry();
    let current = format!("{base}{path}");
    let mut tabs: Vec<_> = Tab::ALL.into_iter().map(|(_, name, path)| (name, format!("{base}{path}"))).collect();
    if may(Action::Audit).is_ok() {
        tabs.push(("Activity", format!("/organization/activity?search={}", app.id)));
    }
    let title = if tab == Tab::Overview { app.name.to_string() } else { format!("{name} · {}", app.name) };
    let (url, status) = (events_url(&app.id), app.status);
    let below = {
        let (address, live) = (app.url.clone(), app.live_deployment_id.is_some());
        move || view! { <Address url=address live=live/> }
    };
    let id = app.id.clone();
    let all = move || view! { {actions.run()} <Deploy app_id=app.id.clone()/> };
    view! {
        <OnApp id=id>
        <Page wide=wide>
            <PageTitle
                title=app.name.to_string() above=vec![("Applications".into(), "/applications".into())]
                status=move || view! { <AppBadge url=url status=status/> } below=below actions=all document=title
            />
            <Tabs tabs=tabs current=current/>
            <LookOnly/>
            {children()}
        </Page>
        </OnApp>
    }
}

#[component]
fn Deploy(app_id: AppId) -> impl IntoView {
    use_context::<DeploymentForms>().map(|forms| {
        view! {
            <Form to=forms.deploy hidden=vec![("id", app_id.to_string())] class="contents">
                <SubmitButton needs=Action::Deploy>"Deploy"</SubmitButton>
            </Form>
        }
    })
}

#[component]
fn Address(url: String, live: bool) -> impl IntoView {
    if !live {
        return view! { <p class="truncate font-mono text-small text-faint">{url}</p> }.into_any();
    }
    view! {
        <div class="flex min-w-0 items-center gap-2 text-small">
            <TextLink href=url.clone() outside=true>"Open"</TextLink>
            <Copyable text=url/>
        </div>
    }
    .into_any()
}

/// Says to a viewer why so much is locked.
#[component]
fn LookOnly() -> impl IntoView {
    let looks_only = |rights: Rights| rights.permissions == Role::Viewer.permissions();
    use_context::<Rights>().is_some_and(looks_only).then(|| {
        view! {
            <Notice tone=Tone::Idle icon=Icon::Lock>
                "You are a viewer in this organization: you see everything and change nothing. An owner or admin can give you more."
            </Notice>
        }
    })
}
