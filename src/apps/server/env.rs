//! The environment of an application: append-only versions, secrets sealed. A change of one variable is a new version of all, so
//! that a release can name the one that it was made with.
use crate::{
    apps::model::{EnvInput, EnvName, EnvVar, MAX_ENV},
    error::{Error, Result},
    fault::Because,
    id::AppId,
    runtime::panel::Panel,
    store::{
        Tx, is_taken,
        tables::{application, environment},
    },
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use serde::{Deserialize, Serialize};

/// A variable as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub name: EnvName,
    /// Sealed where it is secret.
    pub value: String,
    pub secret: bool,
}

/// The variables of one version, as stored.
pub async fn stored(panel: &Panel, app: &AppId, version: i64) -> Result<Vec<Stored>> {
    if version == 0 {
        return Ok(Vec::new());
    }
    let row = environment::Entity::find_by_id((app.clone(), version)).one(panel.db.read()).await.because("reading an environment")?;
    let row = row.ok_or("its version is missing").because("reading an environment")?;
    serde_json::from_str(&row.variables).because("reading an environment")
}

/// The variables of one version, for a page: secrets without their values.
pub async fn shown(panel: &Panel, app: &AppId, version: i64) -> Result<Vec<EnvVar>> {
    let all = stored(panel, app, version).await?;
    Ok(all.into_iter().map(|it| EnvVar { name: it.name, value: (!it.secret).then_some(it.value), secret: it.secret }).collect())
}

/// The variables of one version, for a container.
pub async fn opened(panel: &Panel, app: &AppId, version: i64) -> Result<Vec<(String, String)>> {
    let open = |it: Stored| {
        let value = if it.secret { panel.secrets.unseal(&place(app, &it.name), &it.value)? } else { it.value };
        Ok((it.name.to_string(), value))
    };
    stored(panel, app, version).await?.into_iter().map(open).collect()
}

/// The values of one version's secrets.
pub async fn secret_values(panel: &Panel, app: &AppId, version: i64) -> Result<Vec<String>> {
    let secrets = stored(panel, app, version).await?.into_iter().filter(|it| it.secret);
    secrets.map(|it| panel.secrets.unseal(&place(app, &it.name), &it.value)).collect()
}

/// Turns what somebody sent into what is stored. A secret without a value keeps the one that `now` has.
pub fn merge(panel: &Panel, app: &AppId, now: &[Stored], input: Vec<EnvInput>) -> Result<Vec<Stored>> {
    let mut next = Vec::with_capacity(input.len());
    for EnvInput { name, value, secret } in input {
        let value = match value {
            Some(value) if secret => panel.secrets.seal(&place(app, &name), value.as_str())?,
            Some(value) => value.to_string(),
            None => {
                let kept = now.iter().find(|it| it.name == name && it.secret);
                let missing =
                    || Error::invalid(format!("environment_variables.{name}"), "There is no stored secret to keep; give a value.");
                kept.ok_or_else(missing)?.value.clone()
            }
        };
        next.push(Stored { name, value, secret });
    }
    if next.len() > MAX_ENV {
        return Err(Error::invalid("environment_variables", format!("At most {MAX_ENV} variables.")));
    }
    next.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(next)
}

/// Appends a version and points the application to it. `Conflict` where somebody else did so meanwhile.
pub async fn append(tx: &Tx, panel: &Panel, app: &application::Model, variables: &[Stored]) -> Result<i64> {
    let version = app.env_version + 1;
    let row = environment::ActiveModel {
        application_id: Set(app.id.clone()),
        version: Set(version),
        variables: Set(serde_json::to_string(variables).because("writing an environment")?),
        created_at: Set(panel.now()),
    };
    match environment::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => return Err(Error::Conflict("The environment was changed meanwhile. Load it again.".into())),
        done => done.because("writing an environment")?,
    };
    let row =
        application::ActiveModel { id: Set(app.id.clone()), env_version: Set(version), updated_at: Set(panel.now()), ..Default::default() };
    row.update(tx).await.because("pointing to the environment")?;
    Ok(version)
}

fn place(app: &AppId, name: &EnvName) -> String {
    format!("{app}/{name}")
}
