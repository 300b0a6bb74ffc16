//! The fields of an application's settings, the same where it is made and where it is changed.
use crate::{
    apps::model::{Application, MAX_REPLICAS, Source},
    kit::{Choice, Choices, Field, Icon, TextArea},
};
use leptos::prelude::*;

/// What stands in the fields at first.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    pub name: String,
    pub source: &'static str,
    pub repository_url: String,
    pub branch: String,
    pub dockerfile_path: String,
    pub build_context_path: String,
    pub reference: String,
    pub port: String,
    pub start_command: String,
    pub health_check_path: String,
    pub memory_mib: String,
    pub cpu: String,
}

impl From<&Application> for Typed {
    fn from(app: &Application) -> Self {
        let settings = &app.settings;
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let base = Typed {
            name: app.name.to_string(),
            port: text(&settings.port.map(|it| it.to_string())),
            start_command: text(&settings.start_command.as_ref().map(ToString::to_string)),
            health_check_path: text(&settings.health_check_path.as_ref().map(ToString::to_string)),
            memory_mib: settings.limits.memory_bytes.as_mib().to_string(),
            cpu: (f64::from(settings.limits.cpu_millis.0) / 1000.0).to_string(),
            ..Typed::default()
        };
        match &settings.source {
            Source::Git { repository_url, branch, dockerfile_path, build_context_path } => Typed {
                source: "git",
                repository_url: repository_url.to_string(),
                branch: branch.to_string(),
                dockerfile_path: dockerfile_path.to_string(),
                build_context_path: build_context_path.to_string(),
                ..base
            },
            Source::Image { reference } => Typed { source: "image", reference: reference.to_string(), ..base },
        }
    }
}

/// Where the code comes from. `below` stands under the repository.
#[component]
pub fn SourceFields(
    /// What stands there at first.
    typed: Typed,
    /// The suggestions for the branch, by their list's id.
    #[prop(default = None)]
    branches: Option<&'static str>,
    /// What an island says about the repository.
    #[prop(optional, into)]
    below: leptos::children::ViewFnOnce,
) -> impl IntoView {
    view! {
        <Choices
            name="source" label="Source" value=typed.source
            options=vec![
                Choice { value: "git", title: "Git repository", text: "Built from its Dockerfile at each deployment.", icon: Icon::Branch },
                Choice { value: "image", title: "Container image", text: "Pulled from a registry, run as it is.", icon: Icon::Image },
            ]
        />
        <div class="flex flex-col gap-4" data-shown-for="git">
            <div class="flex flex-col gap-1.5">
                <Field
                    name="repository_url" label="Repository" value=typed.repository_url mono=true placeholder="https://github.com/you/shop" autocomplete="off"
                    hint="Its http or https address. It must be readable without a password."
                />
                {below.run()}
            </div>
            <div class="max-w-xs"><Field name="branch" label="Branch" value=typed.branch mono=true placeholder="main" list=branches autocomplete="off"/></div>
        </div>
        <div data-shown-for="image">
            <Field name="reference" label="Image" value=typed.reference mono=true placeholder="nginx:1.27 or ghcr.io/acme/web:2" autocomplete="off" hint="A public image, with its tag or digest."/>
        </div>
    }
}

/// How it is built: of git alone.
#[component]
pub fn BuildFields(
    /// What stands there at first.
    typed: Typed,
) -> impl IntoView {
    view! {
        <div class="grid gap-4 sm:grid-cols-2" data-shown-for="git">
            <Field name="dockerfile_path" label="Dockerfile" value=typed.dockerfile_path optional=true mono=true placeholder="Dockerfile" hint="Its path in the repository."/>
            <Field name="build_context_path" label="Build folder" value=typed.build_context_path optional=true mono=true placeholder="." hint="What the build can see; all of the repository by default."/>
        </div>
    }
}

/// How it runs.
#[component]
pub fn RunFields(
    /// What stands there at first.
    typed: Typed,
) -> impl IntoView {
    view! {
        <Field name="start_command" label="Command" value=typed.start_command optional=true mono=true placeholder="node server.js" hint="Instead of the image’s own."/>
        <Field
            name="health_check_path" label="Health check" value=typed.health_check_path optional=true mono=true placeholder="/healthz"
            hint="A path that answers 200 to 399 when a replica can serve. Without it, any answer to / counts."
        />
        <div class="grid gap-4 sm:grid-cols-2">
            <Field name="memory_mib" label="Memory" value=typed.memory_mib kind="number" unit="MiB" placeholder="256" optional=true hint="For each replica."/>
            <Field name="cpu" label="CPU" value=typed.cpu kind="number" unit="cores" placeholder="0.5" optional=true hint="For each replica."/>
        </div>
    }
}

/// How many, and with which variables: where an application is made.
#[component]
pub fn FirstFields(
    /// How many at first.
    replicas: String,
) -> impl IntoView {
    view! {
        <div class="max-w-xs"><Field name="replicas" label="Replicas" kind="number" value=replicas hint=format!("1 to {MAX_REPLICAS}. They share the visitors.")/></div>
        <TextArea
            name="environment" label="Environment" optional=true mono=true rows=5 placeholder="DATABASE_URL=postgres://…\nLOG_LEVEL=info"
            hint="One NAME=value a line, as in a .env file. Secrets can be set after it is made."
        />
    }
}

/// Name and port: beside each other.
#[component]
pub fn NameFields(
    /// What stands there at first.
    typed: Typed,
) -> impl IntoView {
    view! {
        <div class="grid gap-4 sm:grid-cols-2">
            <Field name="name" label="Name" value=typed.name mono=true autocomplete="off" placeholder="shop" hint="Lower-case letters, digits and hyphens. It begins the address."/>
            <Field
                name="port" label="Port" value=typed.port kind="number" optional=true placeholder="from the image"
                hint="Where it listens, also told to it as PORT. Empty: what the image exposes."
            />
        </div>
    }
}
