//! One edge: how it is, and what can be done about it.
use super::{HERE, list::version, tone};
use crate::{
    edges::{
        fns::{RemoveEdge, RenameEdge, RevokeEdge, RotateEdge, read_edge},
        model::{EDGE, Edge, EdgeState},
    },
    error::Error,
    id::EdgeId,
    kit::{
        AdminTabs, Badge, Card, ConfirmByName, DangerZone, Fact, Field, Form, FormOf, Icon, KeyValue, Look, MaybeTime, Notice, Page,
        PageTitle, SubmitButton, Time, Tone, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// One edge.
#[component]
pub fn AdminEdge() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    let found = async move {
        let id: EdgeId = id.parse().map_err(|_| Error::NotFound(EDGE))?;
        read_edge(id).await
    };
    load(found, |it: Edge| {
        let above = vec![("Admin".into(), "/admin".into()), ("Edges".into(), HERE.into())];
        let (mark, word) = (tone(it.state), it.state.to_string());
        let id = vec![("id", it.id.to_string())];
        let (renamed, rotated, revoked, name, again) = (id.clone(), id.clone(), id.clone(), it.name.clone(), it.name.clone());
        let (is_away, is_revoked) = (it.state == EdgeState::Away, it.state == EdgeState::Revoked);
        view! {
            <Page>
                <PageTitle title=it.name.clone() above=above status=move || view! { <Badge tone=mark word=word/> }/>
                <AdminTabs current=HERE/>
                {it.problem.clone().map(|why| view! { <Notice tone=Tone::Warning>{why}</Notice> })}
                {is_away.then(|| view! {
                    <Notice tone=Tone::Warning>"It was not heard of lately. It may serve on with the routes that it has."</Notice>
                })}
                <Facts it=it.clone()/>
                <Card title="Name">
                    <Form to=RenameEdge::FORM hidden=renamed class="flex max-w-md flex-col gap-4">
                        <Field name="name" label="Name" value=name autocomplete="off"/>
                        <div><SubmitButton look=Look::Plain>"Rename"</SubmitButton></div>
                    </Form>
                </Card>
                <Card title="Token" text="A new token is shown once. The old one is good no longer, so that the edge gets no news until it has the new one; it serves on meanwhile.">
                    <Form to=RotateEdge::FORM hidden=rotated>
                        <div><SubmitButton look=Look::Plain>{Icon::Restart.view()} "Make a new token"</SubmitButton></div>
                    </Form>
                </Card>
                <DangerZone>
                    {(!is_revoked).then(|| view! {
                        <div class="px-5 py-4">
                            <Form to=RevokeEdge::FORM hidden=revoked class="flex flex-wrap items-center justify-between gap-3">
                                <span>"Cuts the edge off from news at once. It serves on with what it has until it is stopped."</span>
                                <SubmitButton look=Look::Danger>"Revoke"</SubmitButton>
                            </Form>
                        </div>
                    })}
                    <ConfirmByName
                        to=RemoveEdge::FORM name=again title="Remove this edge" button="Remove edge" hidden=id
                        text="It is cut off and leaves this list. Stop it on its machine, or visitors there see what is live now for ever."
                    />
                </DangerZone>
            </Page>
        }
    })
}

#[component]
fn Facts(it: Edge) -> impl IntoView {
    let told = version(&it);
    view! {
        <Card title="Edge">
            <KeyValue across=true>
                <Fact name="Routes">{told}</Fact>
                <Fact name="Heard of"><MaybeTime at=it.heard_at/></Fact>
                <Fact name="From">{it.heard_from.unwrap_or_else(|| "nowhere yet".into())}</Fact>
                <Fact name="Program"><span class="font-mono text-small">{it.software.unwrap_or_else(|| "unknown".into())}</span></Fact>
                <Fact name="Started"><MaybeTime at=it.started_at/></Fact>
                <Fact name="Live">{format!("{} routes, {} certificates", it.routes, it.certificates)}</Fact>
                <Fact name="Requests">{format!("{:.1} a second, {} in hand", it.requests_per_second, it.in_flight)}</Fact>
                <Fact name="Lost reports">{it.lost_reports}</Fact>
                <Fact name="Token"><span class="font-mono text-small">{it.hint}</span></Fact>
                <Fact name="Added"><Time at=it.created_at/></Fact>
            </KeyValue>
        </Card>
    }
}
