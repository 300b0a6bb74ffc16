//! What members do with an application's routing: look, and change. A change holds at the edge at once, without a deployment.
pub mod paths;

use crate::orgs::server::ROUTES;
use crate::{
    audit::server::service::record,
    edge::Credentials,
    error::{Error, Fields, Result},
    fault::Because,
    id::AppId,
    rights::Action,
    routing::{
        model::{
            BasicLogin, Direction, Header, LoginInput, MaintenanceInput, Routing, Rules, UpdateRouting, WantedLogin, header_name,
            header_value,
        },
        server::{events, policies},
    },
    runtime::{changes::Changed, panel::Panel},
    store::{
        Tx, is_taken,
        tables::{application, routing},
    },
    web::ctx::{Ctx, Granted},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use std::collections::BTreeSet;
use tokio::sync::Semaphore;

/// Passwords hashed at the same time.
static TURN: Semaphore = Semaphore::const_new(1);

/// What an application has now.
struct Current {
    /// 0 before anything was asked for.
    version: i64,
    rules: Rules,
    logins: Vec<Credentials>,
}

impl Current {
    fn usernames(&self) -> Vec<String> {
        self.logins.iter().map(|login| login.user.clone()).collect()
    }

    /// The logins as they would be sent again.
    fn inputs(&self) -> Vec<LoginInput> {
        self.logins.iter().map(|login| LoginInput { username: login.user.clone(), password: None }).collect()
    }

    fn headers(&self, direction: Direction) -> &[Header] {
        match direction {
            Direction::Request => &self.rules.request_headers,
            Direction::Response => &self.rules.response_headers,
        }
    }

    fn shown(self, app: &AppId) -> Routing {
        let basic_auth = self.logins.into_iter().map(|login| BasicLogin { username: login.user }).collect();
        Routing { application_id: app.clone(), version: self.version, basic_auth, rules: self.rules }
    }
}

async fn current(panel: &Panel, app: &AppId) -> Result<Current> {
    let row = routing::Entity::find_by_id(app.clone()).one(panel.db.read()).await.because("looking up an application's routing")?;
    Ok(match row {
        Some(row) => Current { version: row.version, rules: policies::rules(&row)?, logins: policies::logins(&row)? },
        None => Current { version: 0, rules: Rules::default(), logins: Vec::new() },
    })
}

/// An application's routing.
pub async fn get(ctx: &Ctx, id: &AppId) -> Result<Routing> {
    let app = ctx.app(id).to(Action::View).await?;
    Ok(current(&ctx.panel, &app.id).await?.shown(&app.id))
}

/// Whether visitors get the maintenance page.
pub async fn is_in_maintenance(ctx: &Ctx, id: &AppId) -> Result<bool> {
    Ok(get(ctx, id).await?.rules.maintenance.enabled)
}

/// Changes what is given. `if_match` is the version that the caller saw.
pub async fn update(ctx: &Ctx, id: &AppId, form: &UpdateRouting, if_match: Option<i64>) -> Result<Routing> {
    change(ctx, id, if_match, |_| Ok(form.clone())).await
}

/// Puts the maintenance page up, or takes it down.
pub async fn maintain(ctx: &Ctx, id: &AppId, enabled: bool) -> Result<Routing> {
    let maintenance = MaintenanceInput { enabled: Some(enabled), ..Default::default() };
    change(ctx, id, None, |_| Ok(UpdateRouting { maintenance: Some(maintenance), ..Default::default() })).await
}

/// Adds a login, or gives one that is there another password.
pub async fn set_login(ctx: &Ctx, id: &AppId, username: &str, password: &str) -> Result<Routing> {
    let login = LoginInput { username: username.trim().into(), password: Some(password.into()) };
    if password.is_empty() {
        return Err(Error::invalid("basic_auth[0].password", "Give a password of at least 8 characters."));
    }
    change(ctx, id, None, |now| {
        let mut all = now.inputs();
        all.retain(|it| it.username != login.username);
        all.push(login);
        Ok(UpdateRouting { basic_auth: Some(all), ..Default::default() })
    })
    .await
}

/// Removes a login. Without any, everybody comes in.
pub async fn remove_login(ctx: &Ctx, id: &AppId, username: &str) -> Result<Routing> {
    change(ctx, id, None, |now| {
        let mut all = now.inputs();
        all.retain(|it| it.username != username);
        Ok(UpdateRouting { basic_auth: Some(all), ..Default::default() })
    })
    .await
}

/// Sets a header, or says that it is removed; in the place of the rule for it that is there.
pub async fn set_header(ctx: &Ctx, id: &AppId, direction: Direction, name: &str, value: Option<&str>) -> Result<Routing> {
    change(ctx, id, None, |now| {
        let mut fields = Fields::default();
        let name = fields.take("name", header_name(name, direction));
        let value = fields.take("value", value.map(header_value).transpose());
        fields.done()?;
        let mut all = now.headers(direction).to_vec();
        if let (Some(name), Some(value)) = (name, value) {
            all.retain(|it| !it.name.eq_ignore_ascii_case(&name));
            all.push(Header { name, value });
        }
        Ok(of_direction(direction, all))
    })
    .await
}

/// Takes a rule for a header away: the field is as the application and the edge make it.
pub async fn remove_header(ctx: &Ctx, id: &AppId, direction: Direction, name: &str) -> Result<Routing> {
    change(ctx, id, None, |now| {
        let mut all = now.headers(direction).to_vec();
        all.retain(|it| !it.name.eq_ignore_ascii_case(name));
        Ok(of_direction(direction, all))
    })
    .await
}

fn of_direction(direction: Direction, all: Vec<Header>) -> UpdateRouting {
    match direction {
        Direction::Request => UpdateRouting { request_headers: Some(all), ..Default::default() },
        Direction::Response => UpdateRouting { response_headers: Some(all), ..Default::default() },
    }
}

async fn change(ctx: &Ctx, id: &AppId, if_match: Option<i64>, make: impl FnOnce(&Current) -> Result<UpdateRouting>) -> Result<Routing> {
    let app = ctx.app(id).to(Action::Configure).await?;
    let now = current(&ctx.panel, &app.id).await?;
    let (rules, wanted) = make(&now)?.parse(&now.rules, &now.usernames(), ctx.panel.now())?;
    if if_match.is_some_and(|version| version != now.version) {
        return Err(changed_meanwhile());
    }
    let logins = match wanted {
        Some(wanted) => hashed(wanted, &now.logins).await?,
        None => now.logins.clone(),
    };
    let next = Current { version: now.version + 1, rules, logins };
    if next.rules == now.rules && next.logins == now.logins {
        return Ok(now.shown(&app.id));
    }
    ctx.panel
        .db
        .tx(async |tx| {
            audit(tx, ctx, &app.id, &now, &next).await?;
            store(tx, ctx, &app, &next).await
        })
        .await?;
    ctx.panel.wake(ROUTES);
    ctx.panel.changes.tell(Changed::App(app.id.clone()));
    Ok(next.shown(&app.id))
}

fn changed_meanwhile() -> Error {
    Error::Conflict("Somebody else changed this application’s routing meanwhile. Load it again and repeat your change.".into())
}

async fn audit(tx: &Tx, ctx: &Ctx, app: &AppId, before: &Current, after: &Current) -> Result<()> {
    if before.rules.maintenance.enabled != after.rules.maintenance.enabled {
        let event =
            if after.rules.maintenance.enabled { events::APPLICATION_MAINTENANCE_BEGUN } else { events::APPLICATION_MAINTENANCE_ENDED };
        record(tx, ctx, event, app, json!({})).await?;
    }
    let mut changed = after.rules.differences(&before.rules);
    let (old, new): (BTreeSet<String>, BTreeSet<String>) =
        (before.usernames().into_iter().collect(), after.usernames().into_iter().collect());
    let is_renewed = |login: &&Credentials| before.logins.iter().any(|other| other.user == login.user && other.hash != login.hash);
    let renewed: Vec<&str> = after.logins.iter().filter(is_renewed).map(|login| login.user.as_str()).collect();
    if before.logins != after.logins {
        changed.push("basic_auth");
    }
    let mut detail = json!({ "changed": changed });
    if before.logins != after.logins {
        let (added, removed): (Vec<_>, Vec<_>) = (new.difference(&old).collect(), old.difference(&new).collect());
        detail["basic_auth"] = json!({ "added": added, "removed": removed, "new_password": renewed });
    }
    record(tx, ctx, events::APPLICATION_ROUTING_CHANGED, app, detail).await
}

async fn store(tx: &Tx, ctx: &Ctx, app: &Granted<application::Model>, next: &Current) -> Result<()> {
    let row = routing::ActiveModel {
        application_id: Set(app.id.clone()),
        organization_id: Set(app.organization_id.clone()),
        rules: Set(serde_json::to_string(&next.rules).because("writing an application's routing")?),
        logins: Set(serde_json::to_string(&next.logins).because("writing an application's logins")?),
        version: Set(next.version),
        updated_at: Set(ctx.panel.now()),
    };
    if next.version == 1 {
        return match routing::Entity::insert(row).exec_without_returning(tx).await {
            Err(why) if is_taken(&why) => Err(changed_meanwhile()),
            done => done.because("storing an application's routing").map(|_| ()),
        };
    }
    let unchanged = routing::Entity::update_many()
        .set(row)
        .filter(routing::Column::ApplicationId.eq(app.id.clone()))
        .filter(routing::Column::Version.eq(next.version - 1));
    let done = unchanged.exec(tx).await.because("changing an application's routing")?;
    if done.rows_affected == 1 { Ok(()) } else { Err(changed_meanwhile()) }
}

/// Logins with their hashes: new ones are made off the async threads, one application's at a time.
async fn hashed(wanted: Vec<WantedLogin>, known: &[Credentials]) -> Result<Vec<Credentials>> {
    let known = known.to_vec();
    let make = move || {
        let one = |it: WantedLogin| match it.password {
            Some(password) => Credentials::new(&it.username, &password).map(Some),
            None => Ok(known.iter().find(|login| login.user == it.username).cloned()),
        };
        wanted.into_iter().filter_map(|it| one(it).transpose()).collect::<Result<Vec<Credentials>, String>>()
    };
    let _turn = TURN.acquire().await.because("waiting for a turn to hash")?;
    tokio::task::spawn_blocking(make).await.because("hashing a password")?.because("hashing a password")
}
