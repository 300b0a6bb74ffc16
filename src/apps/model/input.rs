//! What is sent to create or change an application, and how it is parsed: every wrong field is told at once, under the name that
//! the API gives it.
use super::*;
use crate::{
    error::{Error, Fields, Result},
    orgs::model::Defaults,
};
use std::collections::BTreeMap;

/// The body of `POST /api/paas/applications`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "shop", "source": { "git": { "repository_url": "https://git.example.com/acme/shop.git", "branch": "main" } }, "port": 3000 }))]
pub struct CreateApplication {
    /// Without it, the organization's first cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
    pub name: String,
    pub source: SourceInput,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_context_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment_variables: BTreeMap<String, EnvInputValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<LimitsInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
}

/// `{"git": {…}}` or `{"image": {…}}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<GitInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageInput>,
}

/// A repository and its branch (`main` where it is not named).
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GitInput {
    pub repository_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// An image by reference.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    pub reference: String,
}

/// Limits of one replica; what is left out keeps its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// The path that must answer 200 to 399.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheckInput {
    #[serde(default)]
    pub path: Option<String>,
}

/// A value, or `{"value": …, "secret": true}`. A secret without a value keeps the stored one.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum EnvInputValue {
    Plain(String),
    Full(EnvInputObject),
}

/// A variable's value and whether it is secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvInputObject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default)]
    pub secret: bool,
}

/// A request to create an application, parsed.
#[derive(Debug, Clone)]
pub struct NewApplication {
    pub cluster: Option<ClusterId>,
    pub name: AppName,
    pub settings: Settings,
    pub env: Vec<EnvInput>,
    pub replicas: Replicas,
}

/// The body of `PUT /api/paas/applications/:id`: what is left out stays, what is `null` or empty is cleared.
#[derive(Debug, Clone, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "port": 8080, "health_check": { "path": "/healthz" } }))]
pub struct UpdateApplication {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dockerfile_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_context_path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub start_command: Option<Option<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "or_null")]
    pub port: Option<Option<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_limits: Option<LimitsInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckInput>,
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

/// A field that may be left out: parsed where it is given, its error kept under the field's name.
fn optional<T: std::str::FromStr>(fields: &mut Fields, name: &str, text: &Option<String>) -> Option<T>
where
    T::Err: ToString,
{
    given(text).and_then(|text| fields.take(name, text.parse()))
}

fn limits(fields: &mut Fields, input: &LimitsInput, base: Limits) -> Limits {
    let cpu = input.cpu_millis.and_then(|n| fields.take("resource_limits.cpu_millis", check_cpu(n)));
    let memory = input.memory_bytes.and_then(|n| fields.take("resource_limits.memory_bytes", check_memory(n)));
    Limits { cpu_millis: cpu.unwrap_or(base.cpu_millis), memory_bytes: memory.unwrap_or(base.memory_bytes) }
}

fn source(fields: &mut Fields, input: &SourceInput, dockerfile: &Option<String>, context: &Option<String>) -> Option<Source> {
    let dockerfile_path = optional(fields, "dockerfile_path", dockerfile).unwrap_or_else(RepoPath::dockerfile);
    let build_context_path = optional(fields, "build_context_path", context).unwrap_or_else(RepoPath::root);
    match (&input.git, &input.image) {
        (Some(git), None) => {
            let url = fields.take("source.git.repository_url", git.repository_url.trim().parse());
            let branch = match given(&git.branch) {
                Some(text) => fields.take("source.git.branch", text.parse()),
                None => "main".parse().ok(),
            };
            Some(Source::Git { repository_url: url?, branch: branch?, dockerfile_path, build_context_path })
        }
        (None, Some(image)) => {
            let reference = fields.take("source.image.reference", image.reference.trim().parse())?;
            Some(Source::Image { reference })
        }
        _ => {
            fields.refuse("source", "Name either a git repository or an image.");
            None
        }
    }
}

/// Parses variables by name; every wrong one is named as `environment_variables.NAME`.
pub fn parse_env(fields: &mut Fields, input: &BTreeMap<String, EnvInputValue>) -> Vec<EnvInput> {
    if input.len() > MAX_ENV {
        fields.refuse("environment_variables", format!("At most {MAX_ENV} variables; put the rest into a file of the image."));
    }
    let mut out = Vec::with_capacity(input.len());
    for (name, value) in input {
        let at = format!("environment_variables.{name}");
        let (value, secret) = match value {
            EnvInputValue::Plain(text) => (Some(text), false),
            EnvInputValue::Full(full) => (full.value.as_ref(), full.secret),
        };
        let Some(name) = fields.take(&at, name.parse::<EnvName>()) else { continue };
        match value.map(|text| text.parse::<EnvValue>()) {
            Some(parsed) => {
                if let Some(value) = fields.take(&at, parsed) {
                    out.push(EnvInput { name, value: Some(value), secret });
                }
            }
            None if secret => out.push(EnvInput { name, value: None, secret }),
            None => fields.refuse(&at, "Give a value; only a secret may keep the stored one."),
        }
    }
    let total: usize = out.iter().map(|v| v.name.as_str().len() + v.value.as_ref().map_or(0, |v| v.as_str().len()) + 2).sum();
    if total > MAX_ENV_BYTES {
        fields.refuse("environment_variables", "All variables together may have 64 KiB; put large values into a file of the image.");
    }
    out
}

impl CreateApplication {
    /// Fills in what the organization says of new applications, where nothing else is said.
    pub fn or_defaults(mut self, defaults: &Defaults) -> Self {
        self.replicas = self.replicas.or(defaults.replicas);
        let limits = self.resource_limits.get_or_insert_default();
        limits.cpu_millis = limits.cpu_millis.or(defaults.cpu_millis.map(|it| it.0));
        limits.memory_bytes = limits.memory_bytes.or(defaults.memory_bytes.map(|it| it.0));
        if let (Some(git), Some(branch)) = (&mut self.source.git, &defaults.branch)
            && given(&git.branch).is_none()
        {
            git.branch = Some(branch.to_string());
        }
        self
    }

    /// Parses every field; all that are wrong are told at once.
    pub fn parse(&self) -> Result<NewApplication> {
        let mut fields = Fields::default();
        let cluster = optional(&mut fields, "cluster_id", &self.cluster_id);
        let name = fields.take("name", self.name.trim().parse());
        let source = source(&mut fields, &self.source, &self.dockerfile_path, &self.build_context_path);
        let port = self.port.and_then(|n| fields.take("port", Port::try_from(n)));
        let start_command = optional(&mut fields, "start_command", &self.start_command);
        let limits = limits(&mut fields, &self.resource_limits.clone().unwrap_or_default(), Limits::default());
        let path = self.health_check.as_ref().map(|check| check.path.clone()).unwrap_or_default();
        let health_check_path = optional(&mut fields, "health_check.path", &path);
        let replicas = fields.take("replicas", Replicas::try_from(self.replicas.unwrap_or(1)));
        let env = parse_env(&mut fields, &self.environment_variables);
        fields.done()?;
        let (Some(name), Some(source), Some(replicas)) = (name, source, replicas) else {
            return Err(Error::invalid("body", "The application could not be read."));
        };
        Ok(NewApplication { cluster, name, settings: Settings { source, port, start_command, limits, health_check_path }, env, replicas })
    }
}

impl UpdateApplication {
    /// Lays what is given over the settings that are there; answers with the new name, where there is one, and the settings.
    pub fn parse(&self, now: &Settings) -> Result<(Option<AppName>, Settings)> {
        let mut fields = Fields::default();
        let mut next = now.clone();
        let name = self.name.as_ref().and_then(|text| fields.take("name", text.trim().parse()));
        let paths = match &now.source {
            Source::Git { dockerfile_path, build_context_path, .. } => {
                (Some(dockerfile_path.to_string()), Some(build_context_path.to_string()))
            }
            Source::Image { .. } => (None, None),
        };
        let dockerfile = self.dockerfile_path.clone().or(paths.0);
        let context = self.build_context_path.clone().or(paths.1);
        let wanted = self.source.clone().unwrap_or_else(|| SourceInput::from(&now.source));
        if let Some(source) = source(&mut fields, &wanted, &dockerfile, &context) {
            next.source = source;
        }
        if let Some(port) = &self.port {
            next.port = port.and_then(|n| fields.take("port", Port::try_from(n)));
        }
        if let Some(command) = &self.start_command {
            next.start_command = optional(&mut fields, "start_command", command);
        }
        if let Some(input) = &self.resource_limits {
            next.limits = limits(&mut fields, input, now.limits);
        }
        if let Some(check) = &self.health_check {
            next.health_check_path = optional(&mut fields, "health_check.path", &check.path);
        }
        fields.done()?;
        Ok((name, next))
    }
}

impl From<&Source> for SourceInput {
    fn from(source: &Source) -> Self {
        match source {
            Source::Git { repository_url, branch, .. } => SourceInput {
                git: Some(GitInput { repository_url: repository_url.to_string(), branch: Some(branch.to_string()) }),
                image: None,
            },
            Source::Image { reference } => SourceInput { git: None, image: Some(ImageInput { reference: reference.to_string() }) },
        }
    }
}
