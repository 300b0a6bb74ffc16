//! What members do with applications: create, look, configure, scale, stop, start, delete. Each finds and authorizes, decides, writes
//! what is wanted, and wakes the loop that makes it so.
use crate::{
    apps::{
        model::{
            AppName, AppStatus, Application, CreateApplication, EnvInputValue, EnvVar, Replica, Replicas, UpdateApplication, Wanted,
            parse_env,
        },
        server::{
            ending, env, events,
            view::{self, view, views},
        },
    },
    audit::server::service::record,
    clusters::server::service as clusters,
    error::{Error, Fields, Result},
    fault::Because,
    id::{AppId, ClusterId, Id},
    orgs::server::{APPLICATIONS, DEPLOYMENTS, ROUTES, hold::goes_on, service as orgs},
    rights::Action,
    runtime::{changes::Changed, panel::Panel},
    store::{EventKind, Tx, is_taken, json::JsonText, random, tables::application},
    web::{
        api::{Pagination, Paging, contains},
        ctx::{Ctx, Granted},
    },
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use std::collections::BTreeMap;

/// Which applications of a list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub search: Option<String>,
    pub status: Option<AppStatus>,
    pub cluster: Option<ClusterId>,
    /// `name`, `created_at` or `updated_at`; a minus in front turns it round.
    pub sort: Option<String>,
}

/// A page of the organization's applications.
pub async fn list(ctx: &Ctx, filter: &Filter, paging: Paging) -> Result<(Vec<Application>, Pagination)> {
    let mut all = ctx.visible_apps()?;
    if let Some(text) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let short: String = text.to_lowercase().chars().take(100).collect();
        all = all.filter(contains(application::Column::Name, &short));
    }
    if let Some(cluster) = &filter.cluster {
        all = all.filter(application::Column::ClusterId.eq(cluster.clone()));
    }
    all = match filter.sort.as_deref().unwrap_or("name") {
        "name" => all.order_by_asc(application::Column::Name),
        "-name" => all.order_by_desc(application::Column::Name),
        "created_at" => all.order_by_asc(application::Column::Id),
        "-created_at" => all.order_by_desc(application::Column::Id),
        "updated_at" => all.order_by_asc(application::Column::UpdatedAt),
        "-updated_at" => all.order_by_desc(application::Column::UpdatedAt),
        _ => return Err(Error::invalid("sort", "Sort by name, created_at or updated_at, with a minus in front to turn it round.")),
    };
    let db = ctx.panel.db.read();
    let Some(status) = filter.status else {
        // One row more than fits tells whether there is anything to count.
        let mut rows = all.clone().offset(paging.offset()).limit(paging.limit + 1).all(db).await.because("listing applications")?;
        let total = match rows.len() as u64 {
            seen if seen <= paging.limit && (seen > 0 || paging.page == 1) => paging.offset() + seen,
            _ => all.count(db).await.because("counting applications")?,
        };
        rows.truncate(paging.limit as usize);
        return Ok((views(&ctx.panel, rows).await?, paging.of(total)));
    };
    // A status is told from what was observed, which the database doesn't know.
    let rows = all.all(db).await.because("listing applications")?;
    let matching: Vec<Application> = views(&ctx.panel, rows).await?.into_iter().filter(|app| app.status == status).collect();
    let total = matching.len() as u64;
    let page = matching.into_iter().skip(paging.offset() as usize).take(paging.limit as usize).collect();
    Ok((page, paging.of(total)))
}

/// One application.
pub async fn get(ctx: &Ctx, id: &AppId) -> Result<Application> {
    after(ctx, id, Action::View).await
}

/// How it stands after a deed: whoever may do it is told, also where she may not look otherwise.
async fn after(ctx: &Ctx, id: &AppId, deed: Action) -> Result<Application> {
    let app = ctx.app(id).to(deed).await?;
    view(&ctx.panel, (*app).clone()).await
}

/// Its replicas.
pub async fn replicas(ctx: &Ctx, id: &AppId) -> Result<Vec<Replica>> {
    let app = ctx.app(id).to(Action::View).await?;
    view::replicas(&ctx.panel, &app).await
}

/// Makes an application; nothing runs before it is deployed.
pub async fn create(ctx: &Ctx, form: &CreateApplication) -> Result<Application> {
    let org = ctx.may(Action::Create)?;
    let new = form.clone().or_defaults(&orgs::defaults(ctx).await?).parse()?;
    let cluster = match &new.cluster {
        Some(id) => (*ctx.cluster(id).to(Action::Create).await?).clone(),
        None => clusters::of_organization(&ctx.panel, &org).await?,
    };
    let limits = clusters::place(&ctx.panel, &cluster.id).await?.limits;
    limits.allow_size(new.settings.limits.cpu_millis, new.settings.limits.memory_bytes)?;
    limits.allow_replicas(new.replicas.get())?;
    let id: AppId = random::id();
    let variables = env::merge(&ctx.panel, &id, &[], new.env)?;
    let now = ctx.panel.now();
    let row = application::Model {
        host: String::new(),
        organization_id: (*org).clone(),
        cluster_id: cluster.id.clone(),
        name: new.name.to_string(),
        settings: JsonText::of(&new.settings)?,
        replicas: i64::from(new.replicas.get()),
        wanted: Wanted::Running,
        stopped_by_suspension: false,
        env_version: 0,
        live_deployment_id: None,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
        id,
    };
    let made = ctx
        .panel
        .db
        .tx(async |tx| {
            // Whoever else makes one in this cluster waits here, so that the count still holds when the row is written.
            clusters::hold(tx, &cluster.id).await?;
            let used = ctx
                .apps()
                .filter(application::Column::ClusterId.eq(cluster.id.clone()))
                .count(tx)
                .await
                .because("counting applications")?;
            limits.allow_application(used)?;
            let row = insert(tx, ctx, row, &new.name).await?;
            if !variables.is_empty() {
                env::append(tx, &ctx.panel, &row, &variables).await?;
            }
            record(tx, ctx, events::APPLICATION_CREATED, &row.id, json!({ "name": row.name })).await?;
            Ok(row.id)
        })
        .await?;
    ctx.panel.wake(ROUTES);
    after(ctx, &made, Action::Create).await
}

/// Inserts the row under the plain host name, or, where another organization has that, under one with a few letters more.
async fn insert(tx: &Tx, ctx: &Ctx, mut row: application::Model, name: &AppName) -> Result<application::Model> {
    let same_name = ctx.apps().filter(application::Column::Name.eq(name.as_str())).count(tx).await.because("looking for the name")?;
    if same_name > 0 {
        return Err(name_taken());
    }
    let free =
        application::Entity::find().filter(application::Column::Host.eq(name.as_str())).filter(application::Column::DeletedAt.is_null());
    let taken = free.count(tx).await.because("looking for the host name")? > 0 || RESERVED.contains(&name.as_str());
    let tail = row.id.suffix();
    row.host = if taken { format!("{name}-{}", &tail[tail.len() - 6..]) } else { name.to_string() };
    match application::Entity::insert(application::ActiveModel::from(row.clone())).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => Err(name_taken()),
        done => done.because("making an application").map(|_| row),
    }
}

/// Host names that would look like the platform's own.
const RESERVED: [&str; 12] =
    ["www", "api", "admin", "panel", "skypanel", "mail", "status", "login", "account", "support", "billing", "docs"];

fn name_taken() -> Error {
    Error::invalid("name", "Your organization has an application of this name. Choose another.")
}

/// Changes the settings; they apply with the next deployment. `if_match` is the version that the caller saw.
pub async fn update(ctx: &Ctx, id: &AppId, form: &UpdateApplication, if_match: Option<i64>) -> Result<Application> {
    let app = ctx.app(id).to(Action::Configure).await?;
    let (name, settings) = form.parse(&app.settings.read()?)?;
    let limits = clusters::place(&ctx.panel, &app.cluster_id).await?.limits;
    limits.allow_size(settings.limits.cpu_millis, settings.limits.memory_bytes)?;
    if if_match.is_some_and(|version| version != app.version) {
        return Err(changed_meanwhile());
    }
    let text = JsonText::of(&settings)?;
    let name = name.map_or_else(|| app.name.clone(), |name| name.to_string());
    let changed: Vec<&str> =
        [("name", name != app.name), ("settings", text != app.settings)].iter().filter(|it| it.1).map(|it| it.0).collect();
    let next = application::Model { name, settings: text, ..next(ctx, &app) };
    ctx.panel
        .db
        .tx(async |tx| {
            if next.name != app.name
                && ctx.apps().filter(application::Column::Name.eq(&next.name)).count(tx).await.because("looking for the name")? > 0
            {
                return Err(name_taken());
            }
            record(tx, ctx, events::APPLICATION_CONFIGURED, &app.id, json!({ "changed": changed })).await?;
            let change = application::ActiveModel { name: Set(next.name.clone()), settings: Set(next.settings.clone()), ..touched(&next) };
            write(tx, &app, change).await
        })
        .await?;
    ctx.panel.changes.tell(Changed::App(app.id.clone()));
    view(&ctx.panel, next).await
}

fn changed_meanwhile() -> Error {
    Error::Conflict("Somebody else changed this application meanwhile. Load it again and repeat your change.".into())
}

/// A row as it is after a change, but for what the change is about. A writer answers with it instead of reading the row again: the
/// write holds only where nobody else was faster.
fn next(ctx: &Ctx, app: &Granted<application::Model>) -> application::Model {
    application::Model { version: app.version + 1, updated_at: ctx.panel.now(), ..(**app).clone() }
}

/// A change that bears the next version.
fn touched(next: &application::Model) -> application::ActiveModel {
    application::ActiveModel { version: Set(next.version), updated_at: Set(next.updated_at), ..Default::default() }
}

/// Writes a change of a row that was granted, unless somebody else was faster.
async fn write(tx: &Tx, app: &Granted<application::Model>, change: application::ActiveModel) -> Result<()> {
    let unchanged = application::Entity::update_many()
        .set(change)
        .filter(application::Column::Id.eq(app.id.clone()))
        .filter(application::Column::Version.eq(app.version))
        .filter(application::Column::DeletedAt.is_null());
    let done = unchanged.exec(tx).await.because("changing an application")?;
    if done.rows_affected == 1 { Ok(()) } else { Err(changed_meanwhile()) }
}

/// What scaling answers with.
#[derive(Debug, Clone)]
pub struct Scaled {
    pub application: Application,
    pub previous_replicas: u32,
}

/// Asks for so many replicas.
pub async fn scale(ctx: &Ctx, id: &AppId, to: Replicas) -> Result<Scaled> {
    let app = ctx.app(id).to(Action::Scale).await?;
    clusters::place(&ctx.panel, &app.cluster_id).await?.limits.allow_replicas(to.get())?;
    let next = application::Model { replicas: i64::from(to.get()), ..next(ctx, &app) };
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::APPLICATION_SCALED, &app.id, json!({ "from": app.replicas, "to": to.get() })).await?;
            write(tx, &app, application::ActiveModel { replicas: Set(next.replicas), ..touched(&next) }).await
        })
        .await?;
    wake(&ctx.panel, id);
    Ok(Scaled { application: view(&ctx.panel, next).await?, previous_replicas: app.replicas as u32 })
}

/// Stops all replicas; the release stays, and the address says that the application is stopped.
pub async fn stop(ctx: &Ctx, id: &AppId) -> Result<Application> {
    want(ctx, id, Wanted::Stopped, events::APPLICATION_STOPPED).await
}

/// Starts the live release again.
pub async fn start(ctx: &Ctx, id: &AppId) -> Result<Application> {
    want(ctx, id, Wanted::Running, events::APPLICATION_STARTED).await
}

async fn want(ctx: &Ctx, id: &AppId, to: Wanted, event: EventKind) -> Result<Application> {
    let app = ctx.app(id).to(Action::Scale).await?;
    if app.live_deployment_id.is_none() {
        return Err(Error::Conflict("There is nothing to stop or start yet. Deploy the application first.".into()));
    }
    if app.wanted != to {
        ctx.panel
            .db
            .tx(async |tx| {
                goes_on(tx, &app.organization_id).await?;
                record(tx, ctx, event, &app.id, json!({})).await?;
                if to == Wanted::Stopped {
                    ending::cancel_deployments(tx, &app.id).await?;
                }
                write(tx, &app, application::ActiveModel { wanted: Set(to), ..touched(&next(ctx, &app)) }).await
            })
            .await?;
        wake(&ctx.panel, id);
    }
    after(ctx, id, Action::Scale).await
}

/// Deletes an application for good. `confirm` is its name where a person asks; a script names the id and is not asked again.
pub async fn delete(ctx: &Ctx, id: &AppId, confirm: Option<&str>) -> Result<()> {
    let app = ctx.app(id).to(Action::Delete).await?;
    if confirm.is_some_and(|name| name.trim() != app.name) {
        return Err(Error::invalid("confirm", format!("Type the application’s name, {}, to delete it.", app.name)));
    }
    let now = ctx.panel.now();
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::APPLICATION_DELETED, &app.id, json!({ "name": app.name })).await?;
            ending::cancel_deployments(tx, &app.id).await?;
            let (wanted, deleted_at) = (Set(Wanted::Deleted), Set(Some(now)));
            let change = application::ActiveModel { wanted, deleted_at, ..touched(&next(ctx, &app)) };
            write(tx, &app, change).await
        })
        .await?;
    wake(&ctx.panel, id);
    ctx.panel.wake(DEPLOYMENTS);
    Ok(())
}

fn wake(panel: &Panel, id: &AppId) {
    panel.wake(APPLICATIONS);
    panel.wake(ROUTES);
    panel.changes.tell(Changed::App(id.clone()));
}

/// The variables that are wanted now; secrets without their values.
pub async fn environment(ctx: &Ctx, id: &AppId) -> Result<Vec<EnvVar>> {
    let app = ctx.app(id).to(Action::View).await?;
    env::shown(&ctx.panel, &app.id, app.env_version).await
}

/// Replaces all variables; they apply with the next deployment.
pub async fn put_environment(ctx: &Ctx, id: &AppId, input: &BTreeMap<String, EnvInputValue>) -> Result<Vec<EnvVar>> {
    let app = ctx.app(id).to(Action::Secrets).await?;
    let mut fields = Fields::default();
    let input = parse_env(&mut fields, input);
    fields.done()?;
    let now = env::stored(&ctx.panel, &app.id, app.env_version).await?;
    let next = env::merge(&ctx.panel, &app.id, &now, input)?;
    store_environment(ctx, &app, &now, &next).await
}

/// Sets some variables and, where the value is none, removes them.
pub async fn patch_environment(ctx: &Ctx, id: &AppId, input: &BTreeMap<String, Option<EnvInputValue>>) -> Result<Vec<EnvVar>> {
    let app = ctx.app(id).to(Action::Secrets).await?;
    let set: BTreeMap<String, EnvInputValue> = input.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    let mut fields = Fields::default();
    let set = parse_env(&mut fields, &set);
    fields.done()?;
    let now = env::stored(&ctx.panel, &app.id, app.env_version).await?;
    let mut next: Vec<env::Stored> = now.iter().filter(|it| !input.contains_key(it.name.as_str())).cloned().collect();
    next.extend(env::merge(&ctx.panel, &app.id, &now, set)?);
    next.sort_by(|a, b| a.name.cmp(&b.name));
    if next.len() > crate::apps::model::MAX_ENV {
        return Err(Error::invalid("environment_variables", format!("At most {} variables.", crate::apps::model::MAX_ENV)));
    }
    store_environment(ctx, &app, &now, &next).await
}

async fn store_environment(ctx: &Ctx, app: &Granted<application::Model>, now: &[env::Stored], next: &[env::Stored]) -> Result<Vec<EnvVar>> {
    if now != next {
        let changed: Vec<&str> = next.iter().filter(|it| !now.contains(it)).map(|it| it.name.as_str()).collect();
        let removed: Vec<&str> =
            now.iter().filter(|it| !next.iter().any(|other| other.name == it.name)).map(|it| it.name.as_str()).collect();
        ctx.panel
            .db
            .tx(async |tx| {
                record(tx, ctx, events::APPLICATION_ENVIRONMENT_CHANGED, &app.id, json!({ "set": changed, "removed": removed })).await?;
                env::append(tx, &ctx.panel, app, next).await
            })
            .await?;
        ctx.panel.changes.tell(Changed::App(app.id.clone()));
    }
    environment(ctx, &app.id).await
}
