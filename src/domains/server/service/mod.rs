//! What members do with domains: claim, look, check, change, remove; and with their certificates: order again, upload, remove.
mod own;
use crate::domains::server::{CERTIFICATES, DOMAINS};
pub use own::own_certificates;

use crate::{
    audit::server::service::record,
    domains::{
        model::{
            CERTIFICATE, CertificateSource, CertificateState, ChangeCertificate, CreateDomain, Domain, DomainName, Method, UpdateDomain,
        },
        server::{
            events,
            material::{self, place},
            names, pem,
            task::verify,
            trust,
            view::{self, NEVER, view, views},
        },
    },
    error::{Error, Fields, Result},
    fault::Because,
    id::{AppId, CertificateId, DomainId},
    rights::Action,
    runtime::panel::Panel,
    store::{
        Tx, is_taken,
        json::JsonText,
        random,
        tables::{application, certificate, domain, organization},
    },
    web::{
        api::{Pagination, Paging, contains},
        attempts::{self, AttemptLimit},
        ctx::{Ctx, Granted},
    },
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, OnConflict, Query},
};
use serde_json::json;
use std::time::Duration;

/// Checks that an organization may ask for by hand: each speaks to name servers and addresses of strangers.
const CHECKS: AttemptLimit = AttemptLimit { failures: 30, window: Duration::from_secs(600) };
/// Certificates that may be asked for by hand, for one domain.
const ORDERS: AttemptLimit = AttemptLimit { failures: 5, window: Duration::from_secs(3_600) };

/// A page of the organization's domains.
pub async fn list(ctx: &Ctx, search: Option<&str>, paging: Paging) -> Result<(Vec<Domain>, Pagination)> {
    let mut all = ctx.visible_domains()?;
    if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
        let short: String = text.to_lowercase().chars().take(100).collect();
        all = all.filter(Condition::any().add(contains(domain::Column::Name, &short)).add(contains(domain::Column::Shown, &short)));
    }
    page(ctx, all, paging).await
}

/// A page of an application's domains.
pub async fn of_application(ctx: &Ctx, app: &AppId, paging: Paging) -> Result<(Vec<Domain>, Pagination)> {
    let app = ctx.app(app).to(Action::View).await?;
    page(ctx, ctx.domains().filter(domain::Column::ApplicationId.eq(app.id.clone())), paging).await
}

async fn page(ctx: &Ctx, all: sea_orm::Select<domain::Entity>, paging: Paging) -> Result<(Vec<Domain>, Pagination)> {
    let alive = Query::select()
        .column(application::Column::Id)
        .from(application::Entity)
        .and_where(application::Column::OrganizationId.eq(ctx.who.org.clone()))
        .and_where(application::Column::DeletedAt.is_null())
        .to_owned();
    let all = all.filter(domain::Column::ApplicationId.in_subquery(alive));
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting domains")?;
    let rows = all.order_by_asc(domain::Column::Name).offset(paging.offset()).limit(paging.limit).all(db).await;
    Ok((views(&ctx.panel, rows.because("listing domains")?).await?, paging.of(total)))
}

/// One domain.
pub async fn get(ctx: &Ctx, id: &DomainId) -> Result<Domain> {
    let row = ctx.domain(id).to(Action::View).await?;
    view(&ctx.panel, (*row).clone()).await
}

/// Claims a name for an application. It serves once its owner has proven it; the answer says with which records.
pub async fn add(ctx: &Ctx, form: &CreateDomain) -> Result<Domain> {
    let new = form.parse()?;
    let app = ctx.app(&new.app).to(Action::Domains).await?;
    let config = &ctx.panel.config;
    let mut fields = Fields::default();
    // A wildcard that can't be ordered gets a certificate of the customer's own.
    if fields.take("domain", names::claimable(config, &new.name)).is_some() && !new.name.is_wildcard() {
        fields.take("validation_method", names::feasible(config, new.method));
    }
    if let Some(other) = &new.counterpart {
        fields.take("with_counterpart", names::claimable(config, other));
    }
    fields.done()?;
    let id: DomainId = random::id();
    ctx.panel
        .db
        .tx(async |tx| {
            within_limit(tx, ctx, 1 + u64::from(new.counterpart.is_some())).await?;
            let of_app = || domain::Entity::find().filter(domain::Column::ApplicationId.eq(app.id.clone()));
            let first = of_app().filter(domain::Column::IsPrimary.eq(true)).count(tx).await.because("looking for a primary domain")? == 0;
            let primary = !new.name.is_wildcard() && (new.primary || first);
            if primary {
                no_primary(tx, &app.id).await?;
            }
            insert(
                tx,
                ctx,
                &app,
                Claimed { id: id.clone(), name: &new.name, shown: &new.shown, method: new.method, primary, redirects: false },
            )
            .await?;
            if let Some(other) = &new.counterpart {
                insert_counterpart(tx, ctx, &app, other, &new.shown, new.method).await?;
            }
            Ok(())
        })
        .await?;
    ctx.panel.wake(DOMAINS);
    material::publish(&ctx.panel).await?;
    get(ctx, &id).await
}

/// Claims the name with `www.` of one without it, and the other way round, unless the organization has it. It redirects to the primary one.
async fn insert_counterpart(
    tx: &Tx,
    ctx: &Ctx,
    app: &Granted<application::Model>,
    other: &DomainName,
    shown: &str,
    method: Method,
) -> Result<()> {
    let shown = match shown.strip_prefix("www.") {
        Some(apex) => apex.to_string(),
        None => format!("www.{shown}"),
    };
    let known = ctx.domains().filter(domain::Column::Name.eq(other.as_str())).count(tx).await.because("looking for the counterpart")?;
    if known > 0 {
        return Ok(());
    }
    insert(tx, ctx, app, Claimed { id: random::id(), name: other, shown: &shown, method, primary: false, redirects: true }).await
}

struct Claimed<'a> {
    id: DomainId,
    name: &'a DomainName,
    shown: &'a str,
    method: Method,
    primary: bool,
    redirects: bool,
}

async fn insert(tx: &Tx, ctx: &Ctx, app: &Granted<application::Model>, new: Claimed<'_>) -> Result<()> {
    // One that went with its application may be left for a moment.
    let deleted = Query::select()
        .column(application::Column::Id)
        .from(application::Entity)
        .and_where(application::Column::DeletedAt.is_not_null())
        .to_owned();
    let left = domain::Entity::delete_many()
        .filter(domain::Column::OrganizationId.eq(app.organization_id.clone()))
        .filter(domain::Column::Name.eq(new.name.as_str()))
        .filter(domain::Column::ApplicationId.in_subquery(deleted));
    left.exec(tx).await.because("removing a domain that is left")?;
    let known = ctx.domains().filter(domain::Column::Name.eq(new.name.as_str())).one(tx).await.because("looking for the domain")?;
    if let Some(known) = known {
        let here = known.application_id == app.id;
        let words = if here {
            "This application has this domain already."
        } else {
            "Another application of your organization has this domain. Remove it there first."
        };
        return Err(Error::invalid("domain", words));
    }
    let now = ctx.panel.now();
    let row = domain::ActiveModel {
        id: Set(new.id.clone()),
        organization_id: Set(app.organization_id.clone()),
        application_id: Set(app.id.clone()),
        name: Set(new.name.to_string()),
        shown: Set(new.shown.into()),
        token: Set(format!("skypanel-{}", &random::hash(&random::token())[..32])),
        method: Set(new.method),
        is_primary: Set(new.primary),
        redirects: Set(new.redirects),
        next_check_at: Set(now),
        created_at: Set(now),
        ..Default::default()
    };
    record(tx, ctx, events::DOMAIN_ADDED, &new.id, json!({ "domain": new.name, "application": app.id })).await?;
    match domain::Entity::insert(row).exec_without_returning(tx).await {
        Err(why) if is_taken(&why) => {
            Err(Error::Conflict("Somebody else changed this application’s domains meanwhile. Load them again.".into()))
        }
        done => done.because("adding a domain").map(|_| ()),
    }
}

/// Refuses more than an organization may have. Whoever else adds one waits here.
async fn within_limit(tx: &Tx, ctx: &Ctx, more: u64) -> Result<()> {
    organization::Entity::find_by_id(ctx.who.org.clone()).lock_exclusive().one(tx).await.because("holding an organization")?;
    let (limit, used) = (ctx.panel.config.domains.per_organization, ctx.domains().count(tx).await.because("counting domains")?);
    if used + more > limit { Err(Error::QuotaExceeded { what: "domains".into(), limit, used }) } else { Ok(()) }
}

async fn no_primary(tx: &Tx, app: &AppId) -> Result<()> {
    let old = domain::Entity::update_many()
        .col_expr(domain::Column::IsPrimary, Expr::value(false))
        .filter(domain::Column::ApplicationId.eq(app.clone()))
        .filter(domain::Column::IsPrimary.eq(true));
    old.exec(tx).await.because("choosing a primary domain").map(|_| ())
}

/// Looks at a domain now.
pub async fn verify(ctx: &Ctx, id: &DomainId) -> Result<Domain> {
    let row = ctx.domain(id).to(Action::Domains).await?;
    let subject = format!("domain-checks {}", ctx.who.org);
    attempts::check(&ctx.panel, &subject, CHECKS).await?;
    attempts::count(&ctx.panel, &subject, CHECKS).await?;
    let after = verify::check(&ctx.panel, (*row).clone()).await?;
    material::publish(&ctx.panel).await?;
    view(&ctx.panel, after).await
}

/// The method of validation and the application that a form asks for, where it asks.
fn wishes(ctx: &Ctx, row: &domain::Model, form: &UpdateDomain) -> Result<(Option<Method>, Option<AppId>)> {
    let name = view::name(row)?;
    let mut fields = Fields::default();
    let method = form.validation_method.as_deref().and_then(|text| fields.take("validation_method", text.parse::<Method>()));
    if let Some(method) = method.filter(|method| *method != row.method) {
        fields.take("validation_method", names::feasible(&ctx.panel.config, method));
    }
    if name.is_wildcard() && method.is_some_and(|method| method != Method::Dns) {
        fields.refuse("validation_method", "A wildcard is validated by DNS only.");
    }
    if name.is_wildcard() && form.primary_domain == Some(true) {
        fields.refuse("primary_domain", "A wildcard can’t be what other domains redirect to.");
    }
    let to = form.application_id.as_deref().and_then(|text| fields.take("application_id", text.parse::<AppId>()));
    fields.done()?;
    Ok((method, to))
}

async fn change_certificates_method(tx: &Tx, domain: &DomainId, method: Method) -> Result<()> {
    let certificates = certificate::Entity::update_many()
        .col_expr(certificate::Column::Method, Expr::value(method))
        .filter(certificate::Column::DomainId.eq(domain.clone()));
    certificates.exec(tx).await.because("changing a certificate's method").map(|_| ())
}

/// Changes what a domain does.
pub async fn update(ctx: &Ctx, id: &DomainId, form: &UpdateDomain) -> Result<Domain> {
    let row = ctx.domain(id).to(Action::Domains).await?;
    let (method, to) = wishes(ctx, &row, form)?;
    let to = match to.filter(|to| *to != row.application_id) {
        Some(to) => Some(ctx.app(&to).to(Action::Domains).await?),
        None => None,
    };
    let app = to.as_ref().map_or(&row.application_id, |app| &app.id).clone();
    let primary = form.primary_domain.unwrap_or(row.is_primary && to.is_none());
    let redirects = form.redirect_to_primary.unwrap_or(row.redirects);
    if primary && redirects && form.redirect_to_primary == Some(true) {
        return Err(Error::invalid("redirect_to_primary", "This is the primary domain; it can’t redirect to itself."));
    }
    let method = method.unwrap_or(row.method);
    let mut change = domain::ActiveModel {
        application_id: Set(app.clone()),
        is_primary: Set(primary),
        redirects: Set(redirects && !primary),
        method: Set(method),
        version: Set(row.version + 1),
        ..Default::default()
    };
    // What leads elsewhere now is looked at anew, as often as somebody may ask for that. A proof that is missing is not missed sooner.
    let subject = format!("domain-checks {}", ctx.who.org);
    if row.failures == 0
        && (method != row.method || app != row.application_id)
        && attempts::check(&ctx.panel, &subject, CHECKS).await.is_ok()
    {
        attempts::count(&ctx.panel, &subject, CHECKS).await?;
        change.next_check_at = Set(ctx.panel.now());
    }
    ctx.panel
        .db
        .tx(async |tx| {
            if primary {
                no_primary(tx, &app).await?;
            }
            let detail =
                json!({ "domain": row.name, "primary": primary, "redirects": redirects && !primary, "method": method, "application": app });
            record(tx, ctx, events::DOMAIN_CHANGED, &row.id, detail).await?;
            if method != row.method {
                change_certificates_method(tx, &row.id, method).await?;
            }
            let unchanged = domain::Entity::update_many()
                .set(change)
                .filter(domain::Column::Id.eq(row.id.clone()))
                .filter(domain::Column::Version.eq(row.version));
            let done = unchanged.exec(tx).await.because("changing a domain")?;
            if done.rows_affected == 1 {
                Ok(())
            } else {
                Err(Error::Conflict("Somebody else changed this domain meanwhile. Load it again.".into()))
            }
        })
        .await?;
    ctx.panel.wake(DOMAINS);
    material::publish(&ctx.panel).await?;
    get(ctx, id).await
}

/// Removes a domain, its proof and its certificate. A page asks for its name.
pub async fn remove(ctx: &Ctx, id: &DomainId, confirm: Option<&str>) -> Result<AppId> {
    let row = ctx.domain(id).to(Action::Domains).await?;
    if confirm.is_some_and(|typed| typed.trim().to_lowercase() != row.shown && typed.trim() != row.name) {
        return Err(Error::invalid("confirm", "This is not the domain’s name."));
    }
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::DOMAIN_REMOVED, &row.id, json!({ "domain": row.name })).await?;
            let certificates = certificate::Entity::delete_many().filter(certificate::Column::DomainId.eq(row.id.clone()));
            certificates.exec(tx).await.because("removing a certificate")?;
            domain::Entity::delete_by_id(row.id.clone()).exec(tx).await.because("removing a domain").map(|_| ())
        })
        .await?;
    material::publish(&ctx.panel).await?;
    Ok(row.application_id.clone())
}

/// Orders a certificate again, by another method where one is named, or takes the customer's own.
pub async fn certify(ctx: &Ctx, id: &DomainId, form: &ChangeCertificate) -> Result<Domain> {
    let row = ctx.domain(id).to(Action::Domains).await?;
    let uploads = form.certificate_chain.is_some() || form.private_key.is_some();
    if uploads && (form.method.is_some() || form.force_renew) {
        return Err(Error::invalid("certificate_chain", "Either upload a certificate, or have one ordered: not both."));
    }
    // A certificate for a name that is somebody else's would be served to that one's visitors.
    if row.verified_at.is_none() {
        return Err(Error::Conflict("The domain is not proven to be yours yet. Set the ownership record and check it first.".into()));
    }
    if uploads {
        upload(ctx, &row, form.certificate_chain.as_deref().unwrap_or_default(), form.private_key.as_deref().unwrap_or_default()).await?;
    } else {
        order(ctx, &row, form).await?;
    }
    material::publish(&ctx.panel).await?;
    get(ctx, id).await
}

async fn of(panel: &Panel, row: &domain::Model) -> Result<Option<certificate::Model>> {
    let found = certificate::Entity::find().filter(certificate::Column::DomainId.eq(row.id.clone()));
    found.one(panel.db.read()).await.because("looking up a certificate")
}

/// The method that a form names for an order, where it names one that this platform and this name can take.
fn method_to_order_by(panel: &Panel, row: &domain::Model, form: &ChangeCertificate) -> Result<Option<Method>> {
    let name = view::name(row)?;
    if name.is_wildcard() && names::feasible(&panel.config, Method::Dns).is_err() {
        return Err(Error::Conflict(
            "A wildcard takes validation by DNS, which this platform does not offer. Upload a certificate.".into(),
        ));
    }
    let mut fields = Fields::default();
    let method = form.method.as_deref().and_then(|text| fields.take("method", text.parse::<Method>()));
    if let Some(method) = method {
        fields.take("method", names::feasible(&panel.config, method));
        if name.is_wildcard() && method != Method::Dns {
            fields.refuse("method", "A wildcard is validated by DNS only.");
        }
    }
    fields.done()?;
    Ok(method)
}

async fn order(ctx: &Ctx, row: &Granted<domain::Model>, form: &ChangeCertificate) -> Result<()> {
    let panel = &ctx.panel;
    if panel.config.acme.directory.is_none() {
        return Err(Error::Conflict("This platform orders no certificates by itself. Upload one.".into()));
    }
    let method = method_to_order_by(panel, row, form)?;
    let subject = format!("certificate-orders {}", row.id);
    attempts::check(panel, &subject, ORDERS).await?;
    attempts::count(panel, &subject, ORDERS).await?;
    let method = method.unwrap_or(row.method);
    let known = of(panel, row).await?;
    let due = known.as_ref().is_none_or(|it| form.force_renew || it.source != CertificateSource::Acme || it.chain.is_none());
    panel
        .db
        .tx(async |tx| {
            record(
                tx,
                ctx,
                events::CERTIFICATE_REQUESTED,
                &row.id,
                json!({ "domain": row.name, "method": method, "renew": form.force_renew }),
            )
            .await?;
            let change = domain::ActiveModel { method: Set(method), ..Default::default() };
            domain::Entity::update_many()
                .set(change)
                .filter(domain::Column::Id.eq(row.id.clone()))
                .exec(tx)
                .await
                .because("changing a method")?;
            verify::order(tx, panel, &domain::Model { method, ..(**row).clone() }).await?;
            let mut change = certificate::ActiveModel { source: Set(CertificateSource::Acme), method: Set(method), ..Default::default() };
            if due {
                // Whatever is under way ends with its lease's next write; the next attempt begins anew.
                change.next_try_at = Set(panel.now());
                change.order_url = Set(None);
                change.problem = Set(None);
            }
            let certificates = certificate::Entity::update_many().set(change).filter(certificate::Column::DomainId.eq(row.id.clone()));
            certificates.exec(tx).await.because("asking for a certificate").map(|_| ())
        })
        .await?;
    panel.wake(CERTIFICATES);
    Ok(())
}

/// What an uploaded certificate replaces of the one that was there.
fn replaces() -> OnConflict {
    use certificate::Column as C;
    OnConflict::column(C::Id)
        .update_columns([
            C::Source,
            C::State,
            C::Chain,
            C::PrivateKey,
            C::Names,
            C::Issuer,
            C::Fingerprint,
            C::Trusted,
            C::LookedAt,
            C::IssuedAt,
            C::ExpiresAt,
            C::OrderUrl,
            C::OrderKey,
            C::Challenges,
            C::Problem,
            C::Attempts,
            C::NextTryAt,
            C::LeaseOwner,
            C::LeaseUntil,
        ])
        .to_owned()
}

async fn upload(ctx: &Ctx, row: &Granted<domain::Model>, chain: &str, key: &str) -> Result<()> {
    let panel = &ctx.panel;
    let now = panel.now();
    let known = pem::check(&view::name(row)?, chain, key, now)?;
    let trusted = trust::Roots::load(&panel.config).judge(&row.name, chain, now);
    if trusted == Some(false)
        && let Some(signer) = pem::open_end(chain)
    {
        let words = format!(
            "The chain lacks an intermediate certificate: its last one is signed by “{signer}”, which browsers don’t know. Add that one’s certificate at the end."
        );
        return Err(Error::invalid("certificate_chain", words));
    }
    let id: CertificateId = of(panel, row).await?.map_or_else(random::id, |it| it.id);
    let new = certificate::ActiveModel {
        id: Set(id.clone()),
        domain_id: Set(Some(row.id.clone())),
        name: Set(row.name.clone()),
        source: Set(CertificateSource::Uploaded),
        method: Set(row.method),
        state: Set(CertificateState::Issued),
        chain: Set(Some(chain.to_string())),
        private_key: Set(Some(panel.secrets.seal(&place(&id, "key"), key)?)),
        names: Set(JsonText::of(&known.names)?),
        issuer: Set(Some(known.issuer)),
        fingerprint: Set(Some(known.fingerprint.clone())),
        trusted: Set(trusted),
        looked_at: Set(now),
        issued_at: Set(Some(known.from)),
        expires_at: Set(Some(known.to)),
        order_url: Set(None),
        order_key: Set(None),
        challenges: Set(None),
        problem: Set(None),
        attempts: Set(0),
        next_try_at: Set(NEVER),
        // Takes it out of the hands of whoever was ordering one.
        lease_owner: Set(None),
        lease_until: Set(None),
        created_at: Set(now),
    };
    panel
        .db
        .tx(async |tx| {
            let detail = json!({ "domain": row.name, "fingerprint": known.fingerprint, "expires_at": known.to });
            record(tx, ctx, events::CERTIFICATE_UPLOADED, &row.id, detail).await?;
            match certificate::Entity::insert(new).on_conflict(replaces()).exec_without_returning(tx).await {
                Err(why) if is_taken(&why) => Err(Error::Conflict("The certificate was changed meanwhile. Load the page again.".into())),
                done => done.because("keeping a certificate").map(|_| ()),
            }
        })
        .await
}

/// Removes a domain's certificate: visitors get none, until another is ordered or uploaded.
pub async fn uncertify(ctx: &Ctx, id: &DomainId) -> Result<Domain> {
    let row = ctx.domain(id).to(Action::Domains).await?;
    if of(&ctx.panel, &row).await?.is_none() {
        return Err(Error::NotFound(CERTIFICATE));
    }
    ctx.panel
        .db
        .tx(async |tx| {
            record(tx, ctx, events::CERTIFICATE_REMOVED, &row.id, json!({ "domain": row.name })).await?;
            let certificates = certificate::Entity::delete_many().filter(certificate::Column::DomainId.eq(row.id.clone()));
            certificates.exec(tx).await.because("removing a certificate").map(|_| ())
        })
        .await?;
    material::publish(&ctx.panel).await?;
    get(ctx, id).await
}
