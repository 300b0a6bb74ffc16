//! All deployments of an application.
use crate::{
    apps::{
        fns::read_application,
        ui::{AppFrame, KeepFresh, Tab, app_param, events_url},
    },
    deployments::{fns::read_deployments, ui::table::Deployments},
    kit::{EmptyState, Icon, Pagination, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The history.
#[component]
pub fn History() -> impl IntoView {
    let page = use_query_map().read_untracked().get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1);
    let both = async move {
        let id = app_param()?;
        Ok((read_application(id.clone()).await?, read_deployments(id, page, 20).await?))
    };
    load(both, move |(app, (deployments, pages))| {
        let base = format!("/applications/{}/deployments", app.id);
        let href = Callback::new(move |page: u64| format!("{base}?page={page}"));
        let (url, live, active) = (events_url(&app.id), app.live_deployment_id.clone(), app.active_deployment_id.clone());
        view! {
            <AppFrame app=app tab=Tab::Deployments>
                <KeepFresh url=url live=live active=active/>
                {match deployments.is_empty() {
                    true => view! {
                        <EmptyState icon=Icon::Rocket title="Never deployed" text="Press Deploy: the source is built, tried out, and put online at the application’s address.">
                            ""
                        </EmptyState>
                    }.into_any(),
                    false => view! { <Deployments deployments=deployments/> }.into_any(),
                }}
                <Pagination page=page pages=pages href=href/>
            </AppFrame>
        }
    })
}
