//! The context of a request: who asks, from where, and the only ways to a tenant's row. A right is obtained, not checked and
//! forgotten: looking a thing up and being allowed to do something with it is one call, and its result, [`Granted`], is what the
//! functions that write demand. What belongs to another organization looks exactly like what does not exist.
use crate::{
    auth::session::{self, Who},
    error::{Error, Result, Thing},
    fault::Because,
    id::{AppId, ClusterId, DeploymentId, DomainId, OrgId, PathId, SessionId},
    rights::{Action, Permissions},
    runtime::panel::Panel,
    store::tables::{application, cluster, deployment, domain, path_route},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use sea_orm::{ColumnTrait, EntityTrait, PrimaryKeyTrait, QueryFilter, Select};
use std::{ops::Deref, sync::Arc};

/// Where a request comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub address: String,
    pub agent: String,
    pub request_id: String,
}

impl Origin {
    /// Of what the panel does by itself.
    pub fn system() -> Self {
        Origin { address: String::new(), agent: String::new(), request_id: String::new() }
    }
}

/// A request of somebody who is signed in.
#[derive(Clone)]
pub struct Ctx {
    pub panel: Arc<Panel>,
    pub who: Arc<Who>,
    pub origin: Arc<Origin>,
}

/// Something that may be acted upon as was asked. Made nowhere but here.
#[derive(Debug, Clone)]
pub struct Granted<T>(T);

impl<T> Deref for Granted<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The context of somebody who operates the platform. Made nowhere but here: what only operators may do demands one.
#[derive(Clone)]
pub struct Operator(Ctx);

impl Deref for Operator {
    type Target = Ctx;
    fn deref(&self) -> &Ctx {
        &self.0
    }
}

/// A row that was named but not yet looked up.
#[must_use = "a look-up does nothing until it is asked for an action"]
pub struct Lookup<'a, E: EntityTrait> {
    ctx: &'a Ctx,
    thing: Thing,
    select: Select<E>,
    /// The application that a row is of or belongs to, where it does.
    app: fn(&E::Model) -> Option<&AppId>,
}

impl<E: EntityTrait> Lookup<'_, E> {
    /// Finds the row and the right to do `action` with it.
    pub async fn to(self, action: Action) -> Result<Granted<E::Model>> {
        let row = self.select.one(self.ctx.panel.db.read()).await.because("looking up a row")?;
        let not_there = Error::NotFound(self.thing);
        let Some(thing) = row else { return Err(not_there) };
        let who = &self.ctx.who;
        let permissions = (self.app)(&thing).map_or(who.permissions, |app| who.permissions_on(app));
        if permissions.is_empty() {
            return Err(not_there);
        }
        self.ctx.allow(permissions, action)?;
        Ok(Granted(thing))
    }
}

/// A table whose rows belong to organizations, so that [`Ctx::find`] looks them up. A feature says it of a table of its own.
pub trait Tenanted: EntityTrait {
    /// What a row is called where it is not there.
    const THING: Thing;
    /// The column of the organization.
    const ORGANIZATION: Self::Column;

    /// The application that a row belongs to, where it does: then a right on that application counts.
    fn app(_row: &Self::Model) -> Option<&AppId> {
        None
    }
}

impl Ctx {
    /// The organization's rows of a table.
    pub fn all<E: Tenanted>(&self) -> Select<E> {
        E::find().filter(E::ORGANIZATION.eq(self.who.org.clone()))
    }

    /// One row of a table.
    pub fn find<E: Tenanted>(&self, id: impl Into<<E::PrimaryKey as PrimaryKeyTrait>::ValueType>) -> Lookup<'_, E> {
        let select = E::find_by_id(id).filter(E::ORGANIZATION.eq(self.who.org.clone()));
        Lookup { ctx: self, thing: E::THING, select, app: E::app }
    }

    /// Refuses where the role does not include the action; answers with the organization to act in.
    pub fn may(&self, action: Action) -> Result<Granted<OrgId>> {
        self.allow(self.who.permissions, action)?;
        Ok(Granted(self.who.org.clone()))
    }

    fn allow(&self, permissions: Permissions, action: Action) -> Result<()> {
        if !permissions.may(action) {
            return Err(Error::Forbidden { permission: action.name().into() });
        }
        if self.who.lacks_second_factor {
            return Err(Error::TwoFactorRequired);
        }
        if let Some(id) = &self.who.needs_provider {
            let known = self.panel.config.oidc.iter().find(|provider| provider.id == *id);
            return Err(Error::ProviderRequired(known.map_or(id, |provider| &provider.name).clone()));
        }
        let puts_online = Permissions::of(&[Action::Create, Action::Deploy]).may(action);
        if puts_online && !self.who.is_verified && !self.who.is_operator && self.panel.config.accounts.require_verified_email {
            return Err(Error::Unverified);
        }
        if self.who.is_suspended && !Permissions::of(&[Action::View, Action::Billing, Action::Audit]).may(action) {
            return Err(Error::Suspended);
        }
        Ok(())
    }

    /// The same caller in an organization that she names; one that she is no member of is not there. A key of the API stays in its own.
    pub async fn in_org(&self, id: &OrgId) -> Result<Ctx> {
        if self.who.org == *id {
            return Ok(self.clone());
        }
        let who = session::elsewhere(&self.panel, &self.who.credential, id).await?.ok_or(Error::NotFound(Thing::ORGANIZATION))?;
        Ok(Ctx { panel: self.panel.clone(), who: Arc::new(who), origin: self.origin.clone() })
    }

    /// Refuses everybody but the operators of the platform.
    pub fn operator(&self) -> Result<Operator> {
        if self.who.is_operator && self.who.credential.session().is_some() {
            Ok(Operator(self.clone()))
        } else {
            Err(Error::Forbidden { permission: "operator".into() })
        }
    }

    /// Refuses keys of the API and impersonators: a person's credentials, and what is done with them, are the person's alone. Answers
    /// with the session.
    pub fn in_person(&self) -> Result<&SessionId> {
        match self.who.credential.session() {
            Some(session) if self.who.impersonator.is_none() => Ok(session),
            _ => Err(Error::Forbidden { permission: "in_person".into() }),
        }
    }

    /// The organization's applications that are not deleted, whether or not the caller may see each.
    pub fn apps(&self) -> Select<application::Entity> {
        application::Entity::find()
            .filter(application::Column::OrganizationId.eq(self.who.org.clone()))
            .filter(application::Column::DeletedAt.is_null())
    }

    /// Those of them that the caller may see.
    pub fn visible_apps(&self) -> Result<Select<application::Entity>> {
        let seen: Vec<AppId> = self.who.grants.iter().filter(|(_, of)| of.may(Action::View)).map(|(id, _)| id.clone()).collect();
        if self.who.permissions.may(Action::View) || seen.is_empty() {
            self.may(Action::View)?;
            return Ok(self.apps());
        }
        self.allow(Permissions::of(&[Action::View]), Action::View)?;
        Ok(self.apps().filter(application::Column::Id.is_in(seen)))
    }

    /// One application.
    pub fn app(&self, id: &AppId) -> Lookup<'_, application::Entity> {
        let select = self.apps().filter(application::Column::Id.eq(id.clone()));
        Lookup { ctx: self, thing: Thing::APPLICATION, select, app: |row| Some(&row.id) }
    }

    /// The organization's deployments, those of deleted applications too.
    pub fn deployments(&self) -> Select<deployment::Entity> {
        deployment::Entity::find().filter(deployment::Column::OrganizationId.eq(self.who.org.clone()))
    }

    /// One deployment.
    pub fn deployment(&self, id: &DeploymentId) -> Lookup<'_, deployment::Entity> {
        let select = self.deployments().filter(deployment::Column::Id.eq(id.clone()));
        Lookup { ctx: self, thing: Thing::DEPLOYMENT, select, app: |row| Some(&row.application_id) }
    }

    /// The organization's domains, whether or not the caller may see each.
    pub fn domains(&self) -> Select<domain::Entity> {
        domain::Entity::find().filter(domain::Column::OrganizationId.eq(self.who.org.clone()))
    }

    /// Those of them that the caller may see.
    pub fn visible_domains(&self) -> Result<Select<domain::Entity>> {
        let seen: Vec<AppId> = self.who.grants.iter().filter(|(_, of)| of.may(Action::View)).map(|(id, _)| id.clone()).collect();
        if self.who.permissions.may(Action::View) || seen.is_empty() {
            self.may(Action::View)?;
            return Ok(self.domains());
        }
        self.allow(Permissions::of(&[Action::View]), Action::View)?;
        Ok(self.domains().filter(domain::Column::ApplicationId.is_in(seen)))
    }

    /// One domain.
    pub fn domain(&self, id: &DomainId) -> Lookup<'_, domain::Entity> {
        let select = self.domains().filter(domain::Column::Id.eq(id.clone()));
        Lookup { ctx: self, thing: Thing::DOMAIN, select, app: |row| Some(&row.application_id) }
    }

    /// The organization's paths under hosts.
    pub fn paths(&self) -> Select<path_route::Entity> {
        path_route::Entity::find().filter(path_route::Column::OrganizationId.eq(self.who.org.clone()))
    }

    /// One path that leads to an application.
    pub fn path(&self, app: &AppId, id: &PathId) -> Lookup<'_, path_route::Entity> {
        let of_app = self.paths().filter(path_route::Column::ApplicationId.eq(app.clone()));
        let select = of_app.filter(path_route::Column::Id.eq(id.clone()));
        Lookup { ctx: self, thing: Thing::PATH, select, app: |row| Some(&row.application_id) }
    }

    /// The organization's clusters.
    pub fn clusters(&self) -> Select<cluster::Entity> {
        cluster::Entity::find().filter(cluster::Column::OrganizationId.eq(self.who.org.clone()))
    }

    /// One cluster.
    pub fn cluster(&self, id: &ClusterId) -> Lookup<'_, cluster::Entity> {
        let select = self.clusters().filter(cluster::Column::Id.eq(id.clone()));
        Lookup { ctx: self, thing: Thing::CLUSTER, select, app: |_| None }
    }
}

/// The context of the server function or page that is running, or `SignedOut`.
pub fn ctx() -> Result<Ctx> {
    visitor()?.ctx()
}

/// The caller of the server function or page that is running.
pub fn visitor() -> Result<Visitor> {
    leptos::prelude::use_context::<Visitor>().ok_or_else(|| crate::fault::internal("reading a page's context", "there is none"))
}

/// Whoever calls, signed in or not. Put into every request by the outermost layer.
#[derive(Clone)]
pub struct Visitor {
    pub panel: Arc<Panel>,
    pub who: Option<Arc<Who>>,
    pub origin: Arc<Origin>,
    /// What the tokens of this visitor's forms are bound to: the session's id, or the visit's.
    pub form_key: Arc<str>,
    /// The `Cookie` headers as they came.
    pub cookies: Arc<str>,
}

impl Visitor {
    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        cookie::Cookie::split_parse(&*self.cookies).flatten().find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_string())
    }

    /// The context of somebody who is signed in.
    pub fn ctx(&self) -> Result<Ctx> {
        let who = self.who.clone().ok_or_else(Error::signed_out)?;
        Ok(Ctx { panel: self.panel.clone(), who, origin: self.origin.clone() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = crate::web::api::Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let found = parts.extensions.get::<Visitor>().cloned();
        found.ok_or_else(|| crate::fault::internal("reading a request's context", "there is none").into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ctx {
    type Rejection = crate::web::api::Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Visitor::from_request_parts(parts, state).await?.ctx()?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = crate::web::api::Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Ctx::from_request_parts(parts, state).await?.operator()?)
    }
}
