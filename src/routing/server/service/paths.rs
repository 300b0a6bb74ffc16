//! Paths under hosts: which application takes a path of an address of the organization's. A host is the organization's where it is the own
//! host of one of its applications or a domain that it has proven; what was taken under another's host leads nowhere, whatever a row says.
use crate::orgs::server::ROUTES;
use crate::{
    audit::server::service::record,
    error::{Error, Result},
    fault::Because,
    id::{AppId, DomainId, PathId},
    rights::Action,
    routing::{
        model::{CreatePath, MAX_PATHS, PathRoute, PathsPage},
        server::events,
    },
    runtime::changes::Changed,
    store::{
        Tx, is_taken, random,
        tables::{application, domain, organization, path_route},
    },
    web::{
        api::{Pagination, Paging},
        ctx::{Ctx, Granted},
    },
};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Query};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

/// Hosts that a form proposes.
const PROPOSED: u64 = 30;

/// A host of the organization's.
struct Host {
    name: String,
    /// The application that it leads to.
    app: AppId,
    domain: Option<DomainId>,
}

fn own_host(ctx: &Ctx, label: &str) -> String {
    format!("{label}.{}", ctx.panel.config.edge.apps_domain)
}

/// Those of the names that are the organization's now.
async fn owned(ctx: &Ctx, names: &BTreeSet<&str>) -> Result<HashMap<String, Host>> {
    let db = ctx.panel.db.read();
    let tail = format!(".{}", ctx.panel.config.edge.apps_domain);
    let labels: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix(&tail)).collect();
    let apps = ctx.apps().filter(application::Column::Host.is_in(labels)).all(db).await.because("looking up hosts")?;
    let domains = ctx.domains().filter(domain::Column::Name.is_in(names.iter().copied())).filter(domain::Column::VerifiedAt.is_not_null());
    let domains = domains.all(db).await.because("looking up domains")?;
    let apps = apps.into_iter().map(|row| Host { name: own_host(ctx, &row.host), app: row.id, domain: None });
    let domains = domains.into_iter().map(|row| Host { name: row.name, app: row.application_id, domain: Some(row.id) });
    Ok(apps.chain(domains).map(|host| (host.name.clone(), host)).collect())
}

impl Host {
    /// Whether it is still the one that a path was taken under: an application that took over a name did not take over its paths.
    fn is_of(&self, row: &path_route::Model) -> bool {
        row.host_application_id.as_ref().is_none_or(|app| *app == self.app)
    }
}

async fn shown(ctx: &Ctx, rows: Vec<path_route::Model>) -> Result<Vec<PathRoute>> {
    let owned = owned(ctx, &rows.iter().map(|row| row.host.as_str()).collect()).await?;
    let one = |row: path_route::Model| PathRoute {
        active: owned.get(&row.host).is_some_and(|host| host.is_of(&row)),
        id: row.id,
        application_id: row.application_id,
        host: row.host,
        path: row.path,
        strip_path: row.strip_path,
        created_at: row.created_at,
    };
    Ok(rows.into_iter().map(one).collect())
}

/// A page of the paths that lead to an application.
pub async fn list(ctx: &Ctx, id: &AppId, paging: Paging) -> Result<(Vec<PathRoute>, Pagination)> {
    let app = ctx.app(id).to(Action::View).await?;
    let db = ctx.panel.db.read();
    let all = ctx.paths().filter(path_route::Column::ApplicationId.eq(app.id.clone()));
    let total = all.clone().count(db).await.because("counting paths")?;
    let rows = all.order_by_asc(path_route::Column::Host).order_by_asc(path_route::Column::Path).offset(paging.offset());
    let rows = rows.limit(paging.limit).all(db).await.because("listing paths")?;
    Ok((shown(ctx, rows).await?, paging.of(total)))
}

/// What the page of an application's paths shows.
pub async fn page(ctx: &Ctx, id: &AppId) -> Result<PathsPage> {
    let (routes, _) = list(ctx, id, Paging::parse(None, Some(MAX_PATHS))?).await?;
    let app = ctx.app(id).to(Action::View).await?;
    let (db, host) = (ctx.panel.db.read(), own_host(ctx, &app.host));
    let alive = alive(ctx);
    let taken = ctx.paths().filter(path_route::Column::Host.eq(&host)).filter(path_route::Column::ApplicationId.ne(app.id.clone()));
    let taken = taken.filter(path_route::Column::ApplicationId.in_subquery(alive)).order_by_asc(path_route::Column::Path).limit(MAX_PATHS);
    let taken = shown(ctx, taken.all(db).await.because("listing paths")?).await?;
    let names: Vec<AppId> = taken.iter().map(|it| it.application_id.clone()).collect();
    let names: Vec<(AppId, String)> = ctx
        .apps()
        .select_only()
        .columns([application::Column::Id, application::Column::Name])
        .filter(application::Column::Id.is_in(names))
        .into_tuple()
        .all(db)
        .await
        .because("looking up names")?;
    let names: HashMap<AppId, String> = names.into_iter().collect();
    let taken = taken.into_iter().map(|it| (names.get(&it.application_id).cloned().unwrap_or_default(), it)).map(|(name, it)| (it, name));
    let domains =
        ctx.visible_domains()?.filter(domain::Column::VerifiedAt.is_not_null()).order_by_asc(domain::Column::Name).limit(PROPOSED);
    let domains = domains.all(db).await.because("listing domains")?.into_iter().map(|row| row.name);
    let apps =
        ctx.visible_apps()?.filter(application::Column::Id.ne(app.id.clone())).order_by_asc(application::Column::Name).limit(PROPOSED);
    let apps = apps.all(db).await.because("listing applications")?.into_iter().map(|row| own_host(ctx, &row.host));
    Ok(PathsPage { routes, taken: taken.collect(), host, others: domains.chain(apps).collect() })
}

fn alive(ctx: &Ctx) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .column(application::Column::Id)
        .from(application::Entity)
        .and_where(application::Column::OrganizationId.eq(ctx.who.org.clone()))
        .and_where(application::Column::DeletedAt.is_null())
        .to_owned()
}

/// Gives an application a path under a host of the organization's.
pub async fn add(ctx: &Ctx, id: &AppId, form: &CreatePath) -> Result<PathRoute> {
    let app = ctx.app(id).to(Action::Domains).await?;
    let (host, path) = form.parse()?;
    let host = host.unwrap_or_else(|| own_host(ctx, &app.host));
    let owner = owned(ctx, &BTreeSet::from([host.as_str()])).await?.remove(&host).ok_or_else(|| not_yours(ctx))?;
    if owner.app != app.id {
        // What takes a path of another application's address away from it changes that one, too.
        ctx.app(&owner.app).to(Action::Domains).await?;
    }
    redirects(ctx, &owner).await?;
    let row = path_route::Model {
        id: random::id(),
        organization_id: app.organization_id.clone(),
        application_id: app.id.clone(),
        host_application_id: owner.domain.is_none().then(|| owner.app.clone()),
        domain_id: owner.domain,
        host,
        path: path.into(),
        strip_path: form.strip_path,
        created_at: ctx.panel.now(),
    };
    let made = ctx.panel.db.tx(async |tx| insert(tx, ctx, &app, row).await).await?;
    ctx.panel.wake(ROUTES);
    ctx.panel.changes.tell(Changed::App(app.id.clone()));
    shown(ctx, vec![made]).await?.pop().ok_or("nothing came of a row").because("showing a path")
}

fn not_yours(ctx: &Ctx) -> Error {
    let own = own_host(ctx, "name");
    Error::invalid("host", format!("Give a domain that your organization has proven, or an application’s own host, like {own}."))
}

/// Refuses a domain whose visitors are sent elsewhere.
async fn redirects(ctx: &Ctx, host: &Host) -> Result<()> {
    let Some(id) = &host.domain else { return Ok(()) };
    let row = ctx.domains().filter(domain::Column::Id.eq(id.clone())).one(ctx.panel.db.read()).await.because("looking up a domain")?;
    match row.is_some_and(|row| row.redirects) {
        true => Err(Error::invalid("host", "This domain redirects to the primary one. Take the path there.")),
        false => Ok(()),
    }
}

async fn insert(tx: &Tx, ctx: &Ctx, app: &Granted<application::Model>, row: path_route::Model) -> Result<path_route::Model> {
    // Whoever else takes a path waits here.
    organization::Entity::find_by_id(app.organization_id.clone()).lock_exclusive().one(tx).await.because("holding an organization")?;
    let same = ctx.paths().filter(path_route::Column::Host.eq(&row.host)).filter(path_route::Column::Path.eq(&row.path));
    if let Some(same) = same.one(tx).await.because("looking for the path")? {
        let is_left = same.host_application_id != row.host_application_id;
        let other = ctx.apps().filter(application::Column::Id.eq(same.application_id.clone())).one(tx).await;
        match other.because("looking up an application")? {
            Some(other) if !is_left => return Err(taken(&row, &other, other.id == app.id)),
            // The application that it led to is gone, or the one whose host it was; the row was left.
            _ => {
                let left = path_route::Entity::delete_by_id(same.id).exec(tx).await;
                left.because("removing a path that is left")?;
            }
        }
    }
    let used = ctx.paths().filter(path_route::Column::ApplicationId.eq(app.id.clone())).count(tx).await.because("counting paths")?;
    if used >= MAX_PATHS {
        return Err(Error::Conflict(format!(
            "An application takes at most {MAX_PATHS} paths. Remove one, or take a shorter path for several."
        )));
    }
    let detail = json!({ "host": row.host, "path": row.path, "strip_path": row.strip_path, "path_id": row.id });
    record(tx, ctx, events::APPLICATION_PATH_ADDED, &app.id, detail).await?;
    match path_route::Entity::insert(path_route::ActiveModel::from(row.clone())).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => {
            Err(Error::Conflict(format!("{} under {} was taken just now. Load the page again.", row.path, row.host)))
        }
        done => done.because("adding a path").map(|_| row),
    }
}

fn taken(row: &path_route::Model, other: &application::Model, here: bool) -> Error {
    let (path, host) = (&row.path, &row.host);
    Error::Conflict(match here {
        true => format!("{path} under {host} leads here already. Remove it first to change it."),
        false => format!("{path} under {host} leads to the application “{}” already. Remove it there first.", other.name),
    })
}

/// Takes a path away again.
pub async fn remove(ctx: &Ctx, app: &AppId, id: &PathId) -> Result<()> {
    let app = ctx.app(app).to(Action::Domains).await?;
    let row = ctx.path(&app.id, id).to(Action::Domains).await?;
    ctx.panel
        .db
        .tx(async |tx| {
            let detail = json!({ "host": row.host, "path": row.path, "path_id": row.id });
            record(tx, ctx, events::APPLICATION_PATH_REMOVED, &app.id, detail).await?;
            path_route::Entity::delete_by_id(row.id.clone()).exec(tx).await.because("removing a path").map(|_| ())
        })
        .await?;
    ctx.panel.wake(ROUTES);
    ctx.panel.changes.tell(Changed::App(app.id.clone()));
    Ok(())
}
