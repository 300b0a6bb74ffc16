//! What the operator does with mail, and what other sides tell about it.
use crate::{
    accounts::model::Email,
    audit::server::service::record,
    error::{Error, Result, Thing},
    fault::Because,
    id::{Id, MailId},
    mail::{
        model::{
            MESSAGE, MailCounts, MailEvent, MailKind, MailOverview, MailStatus, Message, MessageDetail, Suppression, TemplatePreview,
            is_dead_address,
        },
        server::{
            events,
            letter::message_id,
            render::{Trace, render},
            task::suppress,
            view,
        },
    },
    outbox::{Draft, LetterKind, LetterKinds, MAIL, Mail, Note, Sample, content, note, put},
    runtime::panel::Panel,
    store::{
        EventKind,
        tables::{mail, mail_event, mail_suppression},
    },
    web::{
        api::{Pagination, Paging, contains},
        ctx::{Ctx, Operator},
    },
};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, Func},
};
use serde_json::json;

/// Lines of a message's history that are shown.
const EVENTS: u64 = 200;

/// Which messages.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<MailStatus>,
    pub template: Option<String>,
    /// A whole address, or a message's id.
    pub search: Option<String>,
}

/// A page of messages, the newest first.
pub async fn list(ctx: &Operator, filter: &Filter, paging: Paging) -> Result<(Vec<Message>, Pagination)> {
    let mut all = mail::Entity::find();
    if let Some(status) = filter.status {
        all = all.filter(mail::Column::Status.eq(status));
    }
    if let Some(template) = filter.template.as_deref().filter(|kind| !kind.is_empty()) {
        known(&ctx.panel, template)?;
        all = all.filter(mail::Column::Template.eq(template));
    }
    if let Some(search) = filter.search.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let text: String = search.to_lowercase().chars().filter(|c| *c != '\0').take(254).collect();
        all = match crate::mail::server::letter::of_message_id(&text) {
            Some(id) => all.filter(mail::Column::Id.eq(id)),
            None => all.filter(mail::Column::Recipient.eq(text)),
        };
    }
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting messages")?;
    let rows = all.order_by_desc(mail::Column::Id).offset(paging.offset()).limit(paging.limit).all(db).await.because("listing messages")?;
    let messages = rows.into_iter().map(view::message).collect();
    Ok((messages, paging.of(total)))
}

async fn row(panel: &Panel, id: &MailId) -> Result<mail::Model> {
    let row = mail::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a message")?;
    row.ok_or(Error::NotFound(MESSAGE))
}

/// One message with what happened to it.
pub async fn get(ctx: &Operator, id: &MailId) -> Result<MessageDetail> {
    detail(&ctx.panel, row(&ctx.panel, id).await?).await
}

async fn detail(panel: &Panel, row: mail::Model) -> Result<MessageDetail> {
    let events = mail_event::Entity::find()
        .filter(mail_event::Column::MailId.eq(row.id.clone()))
        .order_by_asc(mail_event::Column::Id)
        .limit(EVENTS)
        .all(panel.db.read())
        .await
        .because("looking up what happened to a message")?;
    let events: Vec<MailEvent> = events.into_iter().map(view::event).collect();
    Ok(MessageDetail { message_id: message_id(panel, &row.id), message: view::message(row), events })
}

/// Sends a message that was not delivered once more, unless it has lost its meaning or its address gets no mail.
pub async fn retry(ctx: &Operator, id: &MailId) -> Result<MessageDetail> {
    let row = row(&ctx.panel, id).await?;
    let status = row.status;
    if !status.can_retry() {
        return Err(Error::Conflict("Only a message that waits, was refused or was ended can be sent once more.".into()));
    }
    if row.expires_at <= ctx.panel.now() {
        return Err(Error::Conflict("What this message says is no longer good. Ask for a new one where it came from.".into()));
    }
    if crate::outbox::is_suppressed(&ctx.panel, &row.recipient).await? {
        return Err(Error::Conflict("This address gets no mail any more. Lift that first, under Suppressed addresses.".into()));
    }
    change(ctx, &row, status, MailStatus::Queued, events::MAIL_RETRIED, "retried").await?;
    ctx.panel.wake(MAIL);
    get(ctx, id).await
}

/// Ends a message that waits.
pub async fn cancel(ctx: &Operator, id: &MailId) -> Result<MessageDetail> {
    let row = row(&ctx.panel, id).await?;
    let status = row.status;
    if !status.waits() {
        return Err(Error::Conflict("Only a message that waits can be ended.".into()));
    }
    change(ctx, &row, status, MailStatus::Cancelled, events::MAIL_CANCELLED, "cancelled").await?;
    get(ctx, id).await
}

async fn change(ctx: &Ctx, row: &mail::Model, from: MailStatus, to: MailStatus, event: EventKind, kind: &str) -> Result<()> {
    let now = ctx.panel.now();
    let change = mail::Entity::update_many()
        .col_expr(mail::Column::Status, Expr::value(to))
        .col_expr(mail::Column::NextTryAt, Expr::value(now.0))
        .filter(mail::Column::Id.eq(row.id.clone()))
        .filter(mail::Column::Status.eq(from));
    ctx.panel
        .db
        .tx(async |tx| {
            if change.exec(tx).await.because("changing a message")?.rows_affected == 0 {
                return Err(Error::Conflict("The message was changed meanwhile. Look again.".into()));
            }
            note(tx, &row.id, Note { kind, at: now, ..Note::default() }).await?;
            record(tx, ctx, event, &row.id, json!({ "template": row.template, "status": from })).await
        })
        .await
}

/// How mail is doing.
pub async fn overview(ctx: &Operator) -> Result<MailOverview> {
    let (panel, now) = (&ctx.panel, ctx.panel.now());
    let (config, db) = (&panel.config.mail, panel.db.read());
    let waiting = mail::Entity::find().filter(mail::Column::Status.is_in([MailStatus::Queued, MailStatus::Deferred, MailStatus::Sending]));
    let queue = waiting.clone().count(db).await.because("counting waiting mail")?;
    let oldest = waiting.order_by_asc(mail::Column::CreatedAt).limit(1).one(db).await.because("looking for the oldest mail")?;
    let by_day = counted(panel, (now.0.div_euclid(view::DAY) - 6) * view::DAY).await?;
    let mut day = MailCounts::default();
    for (kind, _, count) in counted(panel, now.0 - view::DAY).await? {
        view::add(&mut day, &kind, count.unsigned_abs());
    }
    let days = view::days(now, &by_day);
    let mut week = MailCounts::default();
    for (kind, _, count) in &by_day {
        view::add(&mut week, kind, count.unsigned_abs());
    }
    let mail_server = config.smtp.as_ref().map(|smtp| {
        let security = serde_json::to_value(smtp.security).ok().and_then(|word| word.as_str().map(str::to_string)).unwrap_or_default();
        format!("{}:{} ({security})", smtp.host, smtp.port())
    });
    Ok(MailOverview {
        is_set_up: config.smtp.is_some(),
        mail_server,
        from: config.from.clone(),
        reads_bounces: config.bounces.as_ref().is_some_and(|bounces| bounces.spool.is_some()),
        has_webhook: config.webhook_secret_file.is_some(),
        tracking: config.tracking,
        queue,
        oldest: oldest.map(|row| row.created_at),
        day,
        week,
        days,
    })
}

/// Events by kind and day since 1970.
async fn counted(panel: &Panel, since: i64) -> Result<Vec<(String, i64, i64)>> {
    // Written out: PostgreSQL takes two expressions with values of their own for two.
    let day = || Expr::cust(format!("created_at / {}", view::DAY));
    mail_event::Entity::find()
        .select_only()
        .column(mail_event::Column::Kind)
        .expr_as(day(), "day")
        .expr_as(Func::count(Expr::col(mail_event::Column::Id)), "count")
        .filter(mail_event::Column::CreatedAt.gte(since))
        .group_by(mail_event::Column::Kind)
        .group_by(day())
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("counting what happened to mail")
}

/// A page of the addresses that get no mail, the newest first.
pub async fn suppressions(ctx: &Operator, search: Option<&str>, paging: Paging) -> Result<(Vec<Suppression>, Pagination)> {
    let mut all = mail_suppression::Entity::find();
    if let Some(text) = search.map(str::trim).filter(|text| !text.is_empty()) {
        let short: String = text.to_lowercase().chars().take(254).collect();
        all = all.filter(contains(mail_suppression::Column::Address, &short));
    }
    let db = ctx.panel.db.read();
    let total = all.clone().count(db).await.because("counting suppressed addresses")?;
    let all = all.order_by_desc(mail_suppression::Column::CreatedAt).order_by_asc(mail_suppression::Column::Address);
    let rows = all.offset(paging.offset()).limit(paging.limit).all(db).await.because("listing suppressed addresses")?;
    Ok((rows.into_iter().map(view::suppression).collect(), paging.of(total)))
}

/// Lets an address get no mail any more.
pub async fn suppress_address(ctx: &Operator, address: &str) -> Result<Suppression> {
    let address: Email = address.parse().map_err(|why: &str| Error::invalid("address", why))?;
    let panel = &ctx.panel;
    panel
        .db
        .tx(async |tx| {
            if suppress(tx, panel, address.as_str(), "operator", None, None).await? {
                record(tx, ctx, events::MAIL_SUPPRESSED, address.as_str(), json!({})).await?;
            }
            let row = mail_suppression::Entity::find_by_id(address.as_str()).one(tx).await.because("looking up a suppressed address")?;
            row.map(view::suppression).ok_or(Error::NotFound(MESSAGE))
        })
        .await
}

/// Lets an address get mail again.
pub async fn lift(ctx: &Operator, address: &str) -> Result<()> {
    let address: String = address.trim().to_lowercase().chars().filter(|c| *c != '\0').take(254).collect();
    ctx.panel
        .db
        .tx(async |tx| {
            let gone = mail_suppression::Entity::delete_by_id(address.clone()).exec(tx).await.because("lifting a suppression")?;
            if gone.rows_affected == 0 {
                return Err(Error::invalid("address", "This address is not suppressed."));
            }
            record(tx, ctx, events::MAIL_SUPPRESSION_LIFTED, &address, json!({})).await
        })
        .await
}

/// The kinds of messages that there are.
pub fn kinds(ctx: &Operator) -> Vec<MailKind> {
    let all = ctx.panel.of::<LetterKinds>().all();
    all.iter().map(|kind| MailKind { name: kind.name().into(), word: kind.word().into() }).collect()
}

fn known<'a>(panel: &'a Panel, kind: &str) -> Result<&'a LetterKind> {
    let kinds = panel.of::<LetterKinds>();
    let names = || kinds.all().iter().map(LetterKind::name).collect::<Vec<_>>().join(", ");
    kinds.named(kind).ok_or_else(|| Error::invalid("template", format!("A template is one of {}.", names())))
}

fn sample(ctx: &Ctx, kind: &LetterKind) -> Result<Draft> {
    kind.sample(&Sample { name: &ctx.who.name, url: &ctx.panel.config.public_url(), now: ctx.panel.now() })
}

/// How a kind of message looks, with made-up content.
pub fn preview(ctx: &Operator, kind: &str) -> Result<TemplatePreview> {
    let (kinds, brand) = (ctx.panel.of::<LetterKinds>(), &ctx.panel.config.brand);
    let draft = sample(ctx, kinds.named(kind).ok_or(Error::NotFound(Thing::PAGE))?)?;
    let said = render(brand, kinds.write(&draft, &brand.name)?, Trace::default());
    Ok(TemplatePreview { kind: kind.into(), subject: said.subject, text: said.text, html: said.html })
}

/// Sends a kind of message with made-up content to the operator who asks.
pub async fn send_test(ctx: &Operator, kind: &str) -> Result<MessageDetail> {
    let panel = &ctx.panel;
    let letter = sample(ctx, known(panel, kind)?)?;
    let mail = Mail { to: ctx.who.email.clone(), org: None, letter };
    let id = panel
        .db
        .tx(async |tx| {
            let id = put(tx, panel, mail).await?;
            record(tx, ctx, events::MAIL_TEST_SENT, &id, json!({ "template": kind })).await?;
            Ok(id)
        })
        .await?;
    get(ctx, &id).await
}

/// What another side tells about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    Bounced { status: String, reason: String },
    Delayed { reason: String },
    Delivered,
    Complained,
    Opened,
    Clicked,
}

/// Whether that was news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    New,
    /// It was told before.
    Again,
    /// There is no such message.
    Unknown,
}

/// Writes down what another side tells about a message. `source` names the telling: told twice, it is taken once.
pub async fn feedback(panel: &Panel, id: &MailId, what: &Feedback, source: &str) -> Result<Told> {
    let (kind, detail) = match what {
        Feedback::Bounced { reason, .. } => ("bounced", Some(reason.as_str())),
        Feedback::Delayed { reason } => ("delayed", Some(reason.as_str())),
        Feedback::Delivered => ("delivered", None),
        Feedback::Complained => ("complained", None),
        Feedback::Opened => ("opened", None),
        Feedback::Clicked => ("clicked", None),
    };
    let detail = detail.filter(|text| !text.is_empty());
    panel
        .db
        .tx(async |tx| {
            let Some(row) = mail::Entity::find_by_id(id.clone()).one(tx).await.because("looking up a message")? else {
                return Ok(Told::Unknown);
            };
            if !note(tx, &row.id, Note { kind, detail, source: Some(source), at: panel.now() }).await? {
                return Ok(Told::Again);
            }
            match what {
                Feedback::Bounced { status, .. } => {
                    let back = mail::Entity::update_many()
                        .col_expr(mail::Column::Status, Expr::value(MailStatus::Bounced))
                        .col_expr(mail::Column::LastError, Expr::value(detail.map(crate::outbox::line)))
                        .filter(mail::Column::Id.eq(row.id.clone()))
                        .filter(mail::Column::Status.eq(MailStatus::Sent));
                    back.exec(tx).await.because("noting that a message came back")?;
                    if is_dead_address(status) {
                        suppress(tx, panel, &row.recipient, "bounce", detail, Some(&row.id)).await?;
                    }
                }
                Feedback::Complained => {
                    suppress(tx, panel, &row.recipient, "complaint", None, Some(&row.id)).await?;
                }
                _ => {}
            }
            Ok(Told::New)
        })
        .await
}

/// The address that a message's button leads to: read from the message itself, so that nobody can be sent elsewhere.
pub async fn link(panel: &Panel, id: &MailId) -> Result<String> {
    let draft = content(panel, &row(panel, id).await?)?;
    let letter = panel.of::<LetterKinds>().write(&draft, &panel.config.brand.name)?;
    let own = letter.link.filter(|link| link.starts_with(&format!("{}/", panel.config.public_url())));
    own.ok_or(Error::NotFound(Thing::LINK))
}

/// The id in a path.
pub fn mail_id(text: &str) -> Result<MailId> {
    debug_assert_eq!(MailId::PREFIX, "mal");
    crate::web::api::named(text, MESSAGE)
}
