//! A new application: where it comes from, what it is called, and, folded, everything else. One plain form; an island looks at the
//! repository while its address is typed.
use crate::{
    apps::{
        fns::check_repository,
        model::{RepositoryCheck, RepositoryLook},
        ui::{
            DeploymentForms,
            fields::{BuildFields, FirstFields, NameFields, RunFields, SourceFields, Typed},
        },
    },
    error::Result,
    kit::{Card, Form, LinkButton, Look, Page, PageTitle, Posted, SubmitButton, Tone, load, side},
    orgs::{fns::read_defaults, model::Defaults},
    rights::Action,
};
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;

const BRANCHES: &str = "branches";
/// The fields behind the fold.
const MORE: [&str; 8] =
    ["dockerfile_path", "build_context_path", "start_command", "health_check_path", "memory_mib", "cpu", "replicas", "environment"];

/// The form.
#[component]
pub fn NewApplication() -> impl IntoView {
    load(read_defaults(), |defaults| view! { <Creation defaults=defaults/> })
}

#[component]
fn Creation(defaults: Defaults) -> impl IntoView {
    let replicas = defaults.replicas.unwrap_or(1).to_string();
    let [source, name, build, run] = std::array::from_fn(|_| Typed {
        source: "git",
        branch: defaults.branch.as_ref().map(ToString::to_string).unwrap_or_default(),
        memory_mib: defaults.memory_bytes.map(|it| it.as_mib().to_string()).unwrap_or_default(),
        cpu: defaults.cpu_millis.map(|it| (f64::from(it.0) / 1000.0).to_string()).unwrap_or_default(),
        ..Typed::default()
    });
    let Some(DeploymentForms { create: form, .. }) = use_context() else { return ().into_any() };
    let posted = use_context::<Posted>();
    let unfolded = posted.is_some_and(|it| MORE.iter().any(|field| it.error.for_field(field).is_some()));
    let check = move || {
        view! { <WatchRepository address=form.field_id("repository_url") branch=form.field_id("branch") name=form.field_id("name")/> }
    };
    view! {
        <Page narrow=true>
            <PageTitle title="New application" above=vec![("Applications".into(), "/applications".into())]/>
            <Form to=form class="flex flex-col gap-6">
                <Card title="Where it comes from">
                    <div class="flex flex-col gap-4"><SourceFields typed=source branches=Some(BRANCHES) below=check/></div>
                </Card>
                <Card title="What it is called"><NameFields typed=name/></Card>
                <details class="group rounded-card border border-line bg-surface" open=unfolded>
                    <summary class="flex items-center justify-between gap-4 px-5 py-4">
                        <span class="flex flex-col gap-0.5">
                            <span class="text-lead font-semibold">"More settings"</span>
                            <span class="text-muted">"Build, command, health check, size, replicas, environment. All can be changed later."</span>
                        </span>
                        <span class="text-muted transition-transform duration-100 group-open:rotate-90">{crate::kit::Icon::Chevron.view()}</span>
                    </summary>
                    <div class="flex flex-col gap-4 px-5 pb-5"><BuildFields typed=build/> <RunFields typed=run/> <FirstFields replicas=replicas/></div>
                </details>
                <div class="flex flex-wrap items-center gap-2">
                    <SubmitButton name="deploy" value="true" needs=Action::Create>"Create and deploy"</SubmitButton>
                    <SubmitButton look=Look::Plain needs=Action::Create>"Create application"</SubmitButton>
                    <LinkButton href="/applications" look=Look::Quiet>"Cancel"</LinkButton>
                </div>
            </Form>
        </Page>
    }
    .into_any()
}

/// What is known of the repository that is being typed.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    Nothing,
    Looking,
    Found(RepositoryCheck),
    Refused(String),
}

/// Looks at the repository while its address is typed, says what it found, suggests branches and proposes a name.
#[island]
pub fn WatchRepository(
    /// The ids of the three fields.
    address: String,
    branch: String,
    name: String,
) -> impl IntoView {
    let (known, set_known) = signal(Known::Nothing);
    let turn = StoredValue::new(0_u32);
    let fields = StoredValue::new((address.clone(), branch.clone(), name));
    let look = move || {
        let mine = turn.get_value() + 1;
        turn.set_value(mine);
        let (address, branch) = fields.with_value(|(address, branch, _)| (side::value(address), side::value(branch)));
        if !address.contains("://") || address.len() < 12 {
            set_known.set(Known::Nothing);
            return;
        }
        // What is typed on is not looked at; only the newest look is shown.
        set_timeout(
            move || {
                if turn.get_value() == mine {
                    set_known.set(Known::Looking);
                    spawn_local(async move {
                        let found = check_repository(address, Some(branch).filter(|it| !it.is_empty())).await;
                        if turn.get_value() == mine {
                            fields.with_value(|(_, branch, name)| show(found, branch, name, set_known));
                        }
                    });
                }
            },
            Duration::from_millis(500),
        );
    };
    Effect::new(move |_| {
        side::on_input(&address, move |_| look());
        side::on_input(&branch, move |_| look());
    });
    let says = move || match known.get() {
        Known::Nothing => ().into_any(),
        Known::Looking => view! { {Tone::Busy.sign()} <span class="text-muted">"Looking at the repository…"</span> }.into_any(),
        Known::Found(it) => view! { {Tone::Good.sign()} <span class="text-good-text">{sentence(&it)}</span> }.into_any(),
        Known::Refused(why) => view! { {Tone::Bad.sign()} <span class="text-bad-text">{why}</span> }.into_any(),
    };
    let branches = move || match known.get() {
        Known::Found(it) => it.branches.into_iter().map(|branch| view! { <option value=branch></option> }).collect_view().into_any(),
        _ => ().into_any(),
    };
    view! {
        <div>
            <p role="status" class="flex items-center gap-2 text-small">{says}</p>
            <datalist id=BRANCHES>{branches}</datalist>
        </div>
    }
}

fn show(found: Result<RepositoryLook>, branch: &str, name: &str, set_known: WriteSignal<Known>) {
    match found {
        Ok(RepositoryLook::Found(it)) => {
            side::propose(name, &it.name);
            side::propose(branch, it.default_branch.as_deref().unwrap_or_default());
            set_known.set(Known::Found(it));
        }
        Ok(RepositoryLook::Refused(why)) => set_known.set(Known::Refused(why)),
        Err(why) => set_known.set(Known::Refused(why.to_string())),
    }
}

fn sentence(found: &RepositoryCheck) -> String {
    let branches = if found.branches.len() == 1 { "1 branch".to_string() } else { format!("{} branches", found.branches.len()) };
    match &found.default_branch {
        Some(branch) => format!("Found: {branches}, {branch} by default, newest commit {}", found.head),
        None => format!("Found: {branches}, newest commit {}", found.head),
    }
}
