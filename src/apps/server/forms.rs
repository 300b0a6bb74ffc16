//! What browsers' forms say, put into the words of the API: the same parsing and the same sentences for both doors, under the field
//! names that the forms have.
use crate::{
    apps::{
        model::{
            AppStatus, CreateApplication, CreateForm, EnvInputObject, EnvInputValue, GitInput, GitUrl, HealthCheckInput, ImageInput,
            LimitsInput, LogEntry, LogPage, RepositoryCheck, SourceInput, UpdateApplication,
        },
        server::logs::Line,
    },
    error::{Error, FieldError, Fields, Result},
    git,
    rights::Action,
    units::Bytes,
    web::ctx::Ctx,
};
use std::{collections::BTreeMap, time::Duration};

/// How long a look at a repository may take while somebody types.
const GLANCE: Duration = Duration::from_secs(10);

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_string)
}

fn number<T: std::str::FromStr>(fields: &mut Fields, name: &str, text: &str, why: &str) -> Option<T> {
    filled(text).and_then(|text| fields.take(name, text.parse().map_err(|_| why)))
}

/// Limits as typed: mebibytes and cores.
fn limits(fields: &mut Fields, form: &CreateForm) -> Option<LimitsInput> {
    let memory: Option<u64> = number(fields, "memory_mib", &form.memory_mib, "A whole number of MiB, like 256.");
    let cpu: Option<f64> = number(fields, "cpu", &form.cpu.replace(',', "."), "A number of CPUs, like 0.5.");
    let cpu_millis = cpu.map(|cpu| (cpu * 1000.0).round().clamp(0.0, 1_000_000.0) as u32);
    (memory.is_some() || cpu_millis.is_some())
        .then(|| LimitsInput { cpu_millis, memory_bytes: memory.map(|mib| Bytes::mib(mib.min(1 << 24)).0) })
}

fn source(form: &CreateForm) -> SourceInput {
    match form.source.as_str() {
        "image" => SourceInput { git: None, image: Some(ImageInput { reference: form.reference.trim().into() }) },
        _ => SourceInput {
            git: Some(GitInput { repository_url: form.repository_url.trim().into(), branch: filled(&form.branch) }),
            image: None,
        },
    }
}

/// The form that creates an application.
pub fn creation(form: &CreateForm) -> Result<CreateApplication> {
    let mut fields = Fields::default();
    let port = number(&mut fields, "port", &form.port, "A port is a number from 1 to 65535.");
    let replicas = number(&mut fields, "replicas", &form.replicas, "A whole number of replicas, like 1.");
    let resource_limits = limits(&mut fields, form);
    let environment = lines(&form.environment).map_err(|why| why.to_string());
    let environment = fields.take("environment", environment).unwrap_or_default();
    let body = CreateApplication {
        cluster_id: None,
        name: form.name.trim().into(),
        source: source(form),
        dockerfile_path: filled(&form.dockerfile_path),
        build_context_path: filled(&form.build_context_path),
        start_command: filled(&form.start_command),
        port,
        environment_variables: environment.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        resource_limits,
        health_check: filled(&form.health_check_path).map(|path| HealthCheckInput { path: Some(path) }),
        replicas,
    };
    // Parsed here as well, so that what is wrong with numbers and what is wrong with texts is told at once.
    if let Err(why) = body.parse()
        && let Error::Invalid(all) = typed(why)
    {
        all.into_iter().for_each(|it| fields.refuse(&it.field, it.message));
    }
    fields.done()?;
    Ok(body)
}

/// The form that changes an application's settings; an empty field is cleared.
pub fn change(form: &CreateForm) -> Result<UpdateApplication> {
    let mut fields = Fields::default();
    let port: Option<u32> = number(&mut fields, "port", &form.port, "A port is a number from 1 to 65535.");
    let resource_limits = limits(&mut fields, form);
    fields.done()?;
    Ok(UpdateApplication {
        name: filled(&form.name),
        source: Some(source(form)),
        dockerfile_path: Some(filled(&form.dockerfile_path).unwrap_or_else(|| "Dockerfile".into())),
        build_context_path: Some(filled(&form.build_context_path).unwrap_or_else(|| ".".into())),
        start_command: Some(filled(&form.start_command)),
        port: Some(port),
        resource_limits,
        health_check: Some(HealthCheckInput { path: filled(&form.health_check_path) }),
    })
}

/// The API's field names in the form's.
pub fn typed(why: Error) -> Error {
    let rename = |field: String| match field.as_str() {
        "source.git.repository_url" => "repository_url".into(),
        "source.git.branch" => "branch".into(),
        "source.image.reference" => "reference".into(),
        "resource_limits.memory_bytes" => "memory_mib".into(),
        "resource_limits.cpu_millis" => "cpu".into(),
        "health_check.path" => "health_check_path".into(),
        name if name.starts_with("environment_variables") => "environment".into(),
        _ => field,
    };
    match why {
        Error::Invalid(fields) => {
            Error::Invalid(fields.into_iter().map(|it| FieldError { field: rename(it.field), message: it.message }).collect())
        }
        other => other,
    }
}

/// One variable from its form.
pub fn variable(name: &str, value: Option<String>, secret: bool) -> BTreeMap<String, Option<EnvInputValue>> {
    // A browser sends an empty field where nothing was typed; an empty secret keeps the stored one.
    let value = value.filter(|value| !secret || !value.is_empty()).or_else(|| (!secret).then(String::new));
    [(name.trim().to_string(), Some(EnvInputValue::Full(EnvInputObject { value, secret })))].into()
}

/// A refusal of one variable, put beside the two fields that its form has.
pub fn beside_the_fields(why: Error) -> Error {
    let place = |it: FieldError| {
        let field = if it.message.contains("name") || it.message.starts_with("PORT") { "name" } else { "value" };
        FieldError { field: field.into(), message: it.message }
    };
    match why {
        Error::Invalid(fields) => Error::Invalid(fields.into_iter().map(place).collect()),
        other => other,
    }
}

/// A refusal of several variables, put beside the one field that holds them.
pub fn beside_the_lines(why: Error) -> Error {
    let name = |it: FieldError| {
        let name = it.field.strip_prefix("environment_variables.").map(|name| format!("{name}: ")).unwrap_or_default();
        FieldError { field: "environment".into(), message: format!("{name}{}", it.message) }
    };
    match why {
        Error::Invalid(fields) => Error::Invalid(fields.into_iter().map(name).collect()),
        other => other,
    }
}

/// `KEY=value` lines as `.env` files have them: blank lines and comments are skipped, `export` and one pair of quotes around a
/// value are taken off.
pub fn lines(text: &str) -> Result<BTreeMap<String, Option<EnvInputValue>>> {
    let mut all = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or_else(|| Error::invalid("environment", format!("Line {} has no “=”.", at + 1)))?;
        let value = value.trim();
        let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        all.insert(name.trim().to_string(), Some(EnvInputValue::Plain(bare.unwrap_or(value).to_string())));
    }
    Ok(all)
}

/// The status of a list's filter.
pub fn status(text: Option<&str>) -> Result<Option<AppStatus>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = serde_json::from_value(serde_json::Value::String(text.into()));
    parsed.map(Some).map_err(|_| Error::invalid("status", "A status is new, deploying, running, degraded, down, stopped or unknown."))
}

/// Looks at a repository, bounded in time and under the same rules as a clone.
pub async fn check_repository(ctx: &Ctx, url: &str, branch: Option<&str>) -> Result<RepositoryCheck> {
    ctx.may(Action::Create)?;
    let mut fields = Fields::default();
    let url = fields.take("repository_url", url.trim().parse::<GitUrl>());
    let branch = branch.and_then(filled).and_then(|text| fields.take("branch", text.parse()));
    fields.done()?;
    let Some(url) = url else { return Err(Error::invalid("repository_url", "Give the repository’s address.")) };
    let policy = git::AddressPolicy { allow_private: false, allowed: ctx.panel.config.git.allowed_networks.clone() };
    let found = git::ls_remote(&url, branch.as_ref(), &policy, GLANCE).await.map_err(|why| {
        let field = if why.is_about_the_branch() { "branch" } else { "repository_url" };
        Error::invalid(field, why.to_string())
    })?;
    let name: String = url.repository().to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_lowercase()).chars().take(40).collect();
    Ok(RepositoryCheck { head: found.head.short().into(), branches: found.branches, default_branch: found.default_branch, name })
}

/// Lines for the page.
pub fn log_page((lines, cursor, away): (Vec<Line>, String, Vec<String>)) -> LogPage {
    let entry = |line: Line| LogEntry {
        replica: line.replica,
        slot: line.slot,
        at: line.at,
        is_error: line.stream == "err",
        text: line.text,
        nanos: line.nanos,
    };
    LogPage { lines: lines.into_iter().map(entry).collect(), cursor, away }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_tells_numbers_and_texts_at_once() {
        let form = CreateForm {
            name: "Bad Name".into(),
            source: "git".into(),
            repository_url: "x".into(),
            port: "abc".into(),
            ..Default::default()
        };
        let Err(Error::Invalid(fields)) = creation(&form) else { panic!("it was taken") };
        let names: Vec<_> = fields.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(names, ["port", "name", "repository_url"]);
    }

    #[test]
    fn env_files_are_read() {
        let all = lines("# c\nexport A=1\n\nB=\"x y\"\nC=a=b\n").unwrap();
        let value = |name: &str| match all.get(name) {
            Some(Some(EnvInputValue::Plain(text))) => text.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((value("A"), value("B"), value("C")), ("1".into(), "x y".into(), "a=b".into()));
        assert!(lines("nonsense").is_err());
    }
}
