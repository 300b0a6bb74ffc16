//! Deployments in rows: the newest first.
use crate::{
    deployments::{
        fns::RollBack,
        model::{Deployment, Kind},
        ui::{short, standing_of, subject},
    },
    kit::{ActionsCell, Align, Ask, Cell, Column, FormOf, Icon, NameCell, Row, Status, Table, Tag, Time, Took},
    rights::Action,
};
use leptos::prelude::*;

/// A table of deployments.
#[component]
pub fn Deployments(
    /// The rows.
    deployments: Vec<Deployment>,
    /// Stands in a box already, and offers nothing to do.
    #[prop(optional)]
    brief: bool,
) -> impl IntoView {
    let mut columns = vec![
        Column::new("Deployment"),
        Column::new("Status"),
        Column::new("By").wide(),
        Column::new("Took").end().wide(),
        Column::new("Started").end(),
    ];
    if !brief {
        columns.push(Column::new("").wide());
    }
    let rows = deployments.into_iter().map(|it| view! { <DeploymentRow deployment=it brief=brief/> }).collect_view();
    view! { <Table caption="Deployments" columns=columns bare=brief>{rows}</Table> }
}

#[component]
fn DeploymentRow(deployment: Deployment, brief: bool) -> impl IntoView {
    let (tone, word) = standing_of(&deployment);
    let it = deployment.clone();
    let below = move || {
        view! {
            <span class="inline-flex max-w-full flex-wrap items-center gap-x-2 gap-y-0.5">
                <span class="font-mono">{format!("#{}", it.number)}</span>
                {it.commit_hash.as_deref().map(|hash| view! { <span class="font-mono">{short(hash)}</span> })}
                {(it.kind != Kind::Deploy).then(|| view! { <Tag>{it.kind.word()}</Tag> })}
            </span>
        }
    };
    let took = deployment.finished_at.map(|end| view! { <Took length=end.since(deployment.created_at)/> });
    let old = deployment.clone();
    let actions = (!brief).then(|| {
        view! {
            <ActionsCell>
                {old.can_roll_back.then(|| view! { <RollBack deployment=old small=true/> })}
            </ActionsCell>
        }
    });
    view! {
        <Row>
            <NameCell href=format!("/deployments/{}", deployment.id) name=subject(&deployment) below=below/>
            <Cell><Status tone=tone word=word/></Cell> <Cell wide=true>{deployment.created_by.clone()}</Cell>
            <Cell align=Align::End wide=true><span class="text-muted">{took}</span></Cell>
            <Cell align=Align::End><span class="text-muted"><Time at=deployment.created_at/></span></Cell> {actions}
        </Row>
    }
}

/// Rolls back to an old deployment, after a question.
#[component]
pub fn RollBack(
    /// The old one.
    deployment: Deployment,
    /// For table rows.
    #[prop(optional)]
    small: bool,
) -> impl IntoView {
    let what = match (deployment.release_number, deployment.commit_hash.as_deref()) {
        (Some(release), Some(hash)) => format!("release {release} ({})", short(hash)),
        (Some(release), None) => format!("release {release}"),
        _ => format!("deployment #{}", deployment.number),
    };
    view! {
        <Ask
            to=RollBack::FORM words="Roll back" icon=Icon::Rollback needs=Action::Deploy small=small hidden=vec![("id", deployment.id.to_string())]
            text=format!("Visitors get {what} again, with its image, settings and variables. Nothing is built; what is live serves until it is ready.")
            button="Roll back to this release"
        />
    }
}
