//! The loop that sends. Each message is claimed with a lease by the database's clock, so that of several panels one sends it; the lease
//! is kept alive while the server answers, and asked for once more right before the message is handed over. What the server took is
//! written down at once. Only a panel that dies between the two leaves a message whose fate nobody knows: it is sent again under the
//! same `Message-ID`, since a message that is lost locks somebody out and one that comes twice does not.
use crate::outbox::MAIL;
use crate::{
    error::Result,
    fault::Because,
    id::MailId,
    mail::{
        model::{MailStatus, is_dead_address},
        server::{
            letter::letter,
            smtp::{NotTaken, Reply, Smtp, Stage},
        },
    },
    outbox::{Note, line, note, suppressed},
    runtime::{
        config::SmtpConfig,
        loops::{Loop, Outcome},
        panel::Panel,
    },
    store::{
        Tx,
        backoff::{Backoff, failures},
        lease::{Lease, is_mine, release},
        tables::{mail, mail_suppression},
    },
};
use futures::FutureExt;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long a lease holds without a beat.
const LEASE: Duration = Duration::from_secs(60);
/// How often it beats.
const BEAT: Duration = Duration::from_secs(15);
/// The first and the longest wait where the server did not answer; it doubles with each try.
const AWAY: Backoff = Backoff { first: Duration::from_secs(10), longest: Duration::from_secs(300) };
/// The same where it answered “later”.
const LATER: Backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(3_600) };
/// Messages that one pass sends at most.
const BATCH: u64 = 1_000;
/// Old messages that one pass removes at most.
const SWEEP: u64 = 500;

/// What one pass counts.
#[derive(Default)]
struct Tally {
    /// The server does not answer: the rest waits.
    away: AtomicBool,
    claimed: AtomicU64,
    sent: AtomicU64,
    deferred: AtomicU64,
    refused: AtomicU64,
}

/// The loop.
pub const LOOP: Loop = Loop::new("mail", Duration::from_secs(5), |panel| pass(panel).boxed()).woken_by(MAIL);

/// Ends what has expired, takes over what a dead panel left, sends what is due, and forgets what is old.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let expired = expire(panel).await?;
    let forgotten = sweep(panel).await?;
    let mut did = Vec::new();
    let mut say = |count: u64, words: &str| {
        if count > 0 {
            did.push(format!("{words} {count}"))
        }
    };
    say(expired, "expired");
    say(forgotten, "forgot");
    if let Some(config) = &panel.config.mail.smtp {
        let interrupted = take_over(panel).await?;
        let tally = Tally::default();
        let workers = (0..panel.config.mail.concurrent).map(|_| work(panel, config, &tally));
        futures::future::try_join_all(workers).await?;
        say(interrupted, "took over");
        say(tally.sent.into_inner(), "sent");
        say(tally.deferred.into_inner(), "deferred");
        say(tally.refused.into_inner(), "gave up");
    }
    Ok((!did.is_empty()).then(|| format!("{} messages", did.join(", "))))
}

/// Claims and sends one after the other until nothing is due.
async fn work(panel: &Panel, config: &SmtpConfig, tally: &Tally) -> Result<()> {
    while !panel.stop.is_cancelled() && !tally.away.load(Ordering::Relaxed) && tally.claimed.fetch_add(1, Ordering::Relaxed) < BATCH {
        let Some(row) = claim(panel).await? else { break };
        send(panel, config, row, tally).await?;
    }
    Ok(())
}

/// Takes the message that has been due longest and that nobody holds.
async fn claim(panel: &Panel) -> Result<Option<mail::Model>> {
    let due = mail::Entity::find()
        .filter(mail::Column::Status.is_in([MailStatus::Queued, MailStatus::Deferred]))
        .filter(mail::Column::NextTryAt.lte(panel.now()))
        .order_by_asc(mail::Column::NextTryAt)
        .order_by_asc(mail::Column::Id)
        .limit(16);
    for row in due.all(panel.db.read()).await.because("looking for mail to send")? {
        let same = Condition::all()
            .add(mail::Column::Id.eq(row.id.clone()))
            .add(mail::Column::Status.eq(row.status))
            .add(mail::Column::Attempts.eq(row.attempts));
        let sending = |claim: UpdateMany<mail::Entity>| {
            claim
                .col_expr(mail::Column::Status, Expr::value(MailStatus::Sending))
                .col_expr(mail::Column::Attempts, Expr::col(mail::Column::Attempts).add(1i64))
        };
        if lease(panel).claim(same, sending).await? {
            return Ok(Some(mail::Model { attempts: row.attempts + 1, status: MailStatus::Sending, ..row }));
        }
    }
    Ok(None)
}

/// Keeps the lease; whether it is still ours.
async fn beat(panel: &Panel, id: &MailId) -> Result<bool> {
    lease(panel).renew::<mail::Entity>(ours(panel, id)).await
}

fn lease(panel: &Panel) -> Lease<'_> {
    Lease { db: &panel.db, owner: &panel.owner, lasts: LEASE }
}

fn ours(panel: &Panel, id: &MailId) -> Condition {
    Condition::all()
        .add(mail::Column::Id.eq(id.clone()))
        .add(mail::Column::Status.eq(MailStatus::Sending))
        .add(is_mine::<mail::Entity>(&panel.owner))
}

/// What became of a message that was claimed.
struct Fate<'a> {
    status: MailStatus,
    /// The event's kind, where it is not the status's name.
    kind: Option<&'a str>,
    said: String,
    wait: Duration,
    /// Why its address gets no mail any more.
    dead: bool,
}

impl Fate<'_> {
    fn new(status: MailStatus, said: impl Into<String>) -> Self {
        Fate { status, kind: None, said: said.into(), wait: Duration::ZERO, dead: false }
    }
}

async fn send(panel: &Panel, config: &SmtpConfig, row: mail::Model, tally: &Tally) -> Result<()> {
    if suppressed(panel.db.read(), &row.recipient).await? {
        return settle(panel, &row, Fate::new(MailStatus::Suppressed, "")).await;
    }
    let letter = match letter(panel, &row) {
        Ok(Ok(letter)) => letter,
        Ok(Err(why)) => return settle(panel, &row, Fate::new(MailStatus::Failed, why.0)).await,
        // The cause was logged; the row must not be tried for ever.
        Err(why) => return settle(panel, &row, Fate::new(MailStatus::Failed, why.to_string())).await,
    };
    let still = async || beat(panel, &row.id).await.unwrap_or(false);
    let mut sending = std::pin::pin!(panel.of::<Smtp>().send(panel, config, &letter, still()));
    let done = loop {
        tokio::select! {
            done = &mut sending => break done,
            // A lease that can't be kept now may be kept the next time; whether it is still ours is asked before the handing over.
            () = tokio::time::sleep(BEAT) => drop(beat(panel, &row.id).await),
        }
    };
    let fate = match done {
        Ok(said) => Fate::new(MailStatus::Sent, said),
        Err(NotTaken::Withdrawn) => return Ok(()),
        Err(why) => fate(&row, why, tally),
    };
    match fate.status {
        MailStatus::Sent => &tally.sent,
        MailStatus::Deferred => &tally.deferred,
        _ => &tally.refused,
    }
    .fetch_add(1, Ordering::Relaxed);
    settle(panel, &row, fate).await
}

fn fate(row: &mail::Model, why: NotTaken, tally: &Tally) -> Fate<'static> {
    match why {
        NotTaken::Unreachable(said) => {
            tally.away.store(true, Ordering::Relaxed);
            Fate {
                wait: AWAY.jittered(failures(row.attempts)),
                ..Fate::new(MailStatus::Deferred, format!("The mail server can’t be used: {said}"))
            }
        }
        NotTaken::Later(reply) => Fate { wait: LATER.jittered(failures(row.attempts)), ..Fate::new(MailStatus::Deferred, reply.words()) },
        NotTaken::Unknown(said) => {
            let said = format!("The connection broke when the message was handed over, so it may come twice: {said}");
            Fate { kind: Some("interrupted"), wait: LATER.jittered(failures(row.attempts)), ..Fate::new(MailStatus::Deferred, said) }
        }
        NotTaken::Never(Stage::Recipient, reply) => Fate { dead: is_dead(&reply), ..Fate::new(MailStatus::Bounced, reply.words()) },
        NotTaken::Never(_, reply) => Fate::new(MailStatus::Failed, reply.words()),
        NotTaken::Withdrawn => Fate::new(MailStatus::Cancelled, ""),
    }
}

/// Whether a refusal says that the address is dead. A server that gives no status beside its code means the address by 550, 551 and 553.
fn is_dead(reply: &Reply) -> bool {
    reply.status().map_or(matches!(reply.code, 550 | 551 | 553), is_dead_address)
}

/// Writes down what became of a claimed message. It is tried a few times: what the server took must not be forgotten.
async fn settle(panel: &Panel, row: &mail::Model, fate: Fate<'_>) -> Result<()> {
    let mut tries = 0;
    loop {
        match panel.db.tx(async |tx| settled(tx, panel, row, &fate).await).await {
            Err(_) if tries < 5 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(200 << tries)).await;
            }
            done => return done,
        }
    }
}

async fn settled(tx: &Tx, panel: &Panel, row: &mail::Model, fate: &Fate<'_>) -> Result<()> {
    let (now, said) = (panel.now(), line(&fate.said));
    let sent = fate.status == MailStatus::Sent;
    let error = (!sent && !said.is_empty()).then(|| said.clone());
    // A message that was taken is written down as that even where the lease was lost meanwhile.
    let whose = if sent { Condition::all().add(mail::Column::Id.eq(row.id.clone())) } else { ours(panel, &row.id) };
    let change = release::<mail::Entity>(mail::Entity::update_many())
        .col_expr(mail::Column::Status, Expr::value(fate.status))
        .col_expr(mail::Column::NextTryAt, Expr::value((now + fate.wait).0))
        .col_expr(mail::Column::LastError, Expr::value(error))
        .col_expr(mail::Column::SentAt, Expr::value(sent.then_some(now.0)))
        .filter(whose);
    if change.exec(tx).await.because("writing down what became of a message")?.rows_affected == 0 {
        return Ok(());
    }
    let detail = Some(said.as_str()).filter(|said| !said.is_empty());
    note(tx, &row.id, Note { kind: fate.kind.unwrap_or(fate.status.name()), detail, source: None, at: now }).await?;
    if fate.dead {
        suppress(tx, panel, &row.recipient, "bounce", detail, Some(&row.id)).await?;
    }
    Ok(())
}

/// Sees to it that an address gets no mail any more; answers whether it got some until now.
pub async fn suppress(tx: &Tx, panel: &Panel, address: &str, reason: &str, detail: Option<&str>, mail: Option<&MailId>) -> Result<bool> {
    let row = mail_suppression::ActiveModel {
        address: Set(address.to_lowercase()),
        reason: Set(reason.into()),
        detail: Set(detail.map(line)),
        mail_id: Set(mail.cloned()),
        created_at: Set(panel.now()),
    };
    let once = OnConflict::column(mail_suppression::Column::Address).do_nothing().to_owned();
    let written = mail_suppression::Entity::insert(row).on_conflict(once).exec_without_returning(tx).await;
    Ok(written.because("suppressing an address")? == 1)
}

/// Puts messages back whose panel died while it sent them. A server may have taken one: it keeps its `Message-ID`.
async fn take_over(panel: &Panel) -> Result<u64> {
    let now = panel.db.now().await?;
    let left = mail::Entity::find()
        .filter(mail::Column::Status.eq(MailStatus::Sending))
        .filter(mail::Column::LeaseUntil.lte(now))
        .order_by_asc(mail::Column::Id)
        .limit(100);
    let mut count = 0;
    for row in left.all(panel.db.read()).await.because("looking for mail that was left")? {
        count += u64::from(put_back(panel, row).await?);
    }
    Ok(count)
}

async fn put_back(panel: &Panel, row: mail::Model) -> Result<bool> {
    let back = release::<mail::Entity>(mail::Entity::update_many())
        .col_expr(mail::Column::Status, Expr::value(MailStatus::Deferred))
        .col_expr(mail::Column::NextTryAt, Expr::value(panel.now().0))
        .filter(mail::Column::Id.eq(row.id.clone()))
        .filter(mail::Column::Status.eq(MailStatus::Sending))
        .filter(mail::Column::LeaseUntil.eq(row.lease_until));
    panel
        .db
        .tx(async |tx| {
            let done = back.exec(tx).await.because("putting a message back")?.rows_affected == 1;
            if done {
                let detail = Some("The panel ended while it sent this, so it may come twice.");
                note(tx, &row.id, Note { kind: "interrupted", detail, source: None, at: panel.now() }).await?;
            }
            Ok(done)
        })
        .await
}

/// Gives back what an earlier start of the only panel there can be was sending: the one on an embedded database.
pub async fn take_over_all(panel: &Panel) -> Result<()> {
    let rows = mail::Entity::find().filter(mail::Column::Status.eq(MailStatus::Sending)).limit(1_000);
    for row in rows.all(panel.db.read()).await.because("looking for mail that was left")? {
        put_back(panel, row).await?;
    }
    Ok(())
}

/// Ends messages that have lost their meaning before they could be sent.
async fn expire(panel: &Panel) -> Result<u64> {
    let now = panel.now();
    let waits =
        Condition::all().add(mail::Column::Status.is_in([MailStatus::Queued, MailStatus::Deferred])).add(mail::Column::ExpiresAt.lte(now));
    let rows = mail::Entity::find().filter(waits).limit(SWEEP).all(panel.db.read()).await.because("looking for expired mail")?;
    let mut count = 0;
    for row in rows {
        let end = mail::Entity::update_many()
            .col_expr(mail::Column::Status, Expr::value(MailStatus::Expired))
            .filter(mail::Column::Id.eq(row.id.clone()))
            .filter(mail::Column::Status.eq(row.status));
        let done = panel.db.tx(async |tx| {
            let done = end.exec(tx).await.because("ending an expired message")?.rows_affected == 1;
            if done {
                note(tx, &row.id, Note { kind: MailStatus::Expired.name(), at: now, ..Note::default() }).await?;
            }
            Ok(done)
        });
        count += u64::from(done.await?);
    }
    Ok(count)
}

/// Forgets messages that are older than they are kept; what happened to them goes along.
async fn sweep(panel: &Panel) -> Result<u64> {
    let before = panel.now() - Duration::from_secs(u64::from(panel.config.mail.keep_days) * 86_400);
    let old: Vec<MailId> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(mail::Column::CreatedAt.lt(before))
        .limit(SWEEP)
        .into_tuple()
        .all(panel.db.read())
        .await
        .because("looking for old mail")?;
    if old.is_empty() {
        return Ok(0);
    }
    let gone = mail::Entity::delete_many().filter(mail::Column::Id.is_in(old)).filter(mail::Column::Status.ne(MailStatus::Sending));
    Ok(panel.db.tx(async |tx| gone.exec(tx).await.because("forgetting old mail")).await?.rows_affected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound() {
        for (attempts, seconds) in [(1, 10.0), (2, 20.0), (3, 40.0), (4, 80.0), (9, 300.0), (4_000, 300.0), (0, 10.0)] {
            let waited = AWAY.jittered(failures(attempts)).as_secs_f64() / seconds;
            assert!((0.75..1.25).contains(&waited), "{attempts}: {waited}");
        }
    }

    #[test]
    fn a_refusal_that_is_not_about_the_address_leaves_it_alone() {
        let dead = |code, text: &str| is_dead(&Reply { code, text: text.into() });
        assert!(dead(550, "5.1.1 no such user") && dead(550, "No such user here"));
        assert!(!dead(550, "5.7.1 relaying denied") && !dead(552, "mailbox full") && !dead(554, "5.7.1 looks like spam"));
    }
}
