//! The audit trail: what a line says, and that nobody who has the database alone can change the past unseen.
use crate::support::panel::{TestPanel, step_down, step_up};
use futures::future::join_all;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;
use skypanel::{
    audit::server::{
        chain::{self, Chain},
        service::{self, Event, record_for},
        verify::{self, Anchor, Broken, Count, Said, Wrong},
    },
    error::Error,
    id::OrgId,
    rights::Role,
    store::{
        EventKind,
        tables::audit_event::{self, Column},
    },
    web::ctx::Origin,
};

const DONE: EventKind = EventKind::new("thing.done", "A thing was done");

/// What verifying says: everything that is broken, and how the chains end.
async fn read(t: &TestPanel, anchors: &[Anchor]) -> (Vec<Broken>, Vec<Anchor>, Count) {
    let chain = Chain::new(t.panel.secrets.trail_key());
    let (mut broken, mut ends) = (Vec::new(), Vec::new());
    let mut say = |said| match said {
        Said::Broken(it) => broken.push(it),
        Said::End(it) => ends.push(it),
    };
    let count = verify::verify(&t.panel.db, &chain, None, anchors, &mut say).await.unwrap();
    (broken, ends, count)
}

async fn wrongs(t: &TestPanel) -> Vec<(Option<i64>, Wrong)> {
    read(t, &[]).await.0.into_iter().map(|it| (it.seq, it.wrong)).collect()
}

fn origin() -> Origin {
    Origin { address: "203.0.113.9".into(), agent: "a test".into(), request_id: "req_1".into() }
}

/// Leaves lines in an organization's trail.
async fn deeds(t: &TestPanel, org: &OrgId, count: usize) {
    t.panel
        .db
        .tx(async |tx| {
            for number in 0..count {
                let event = Event { kind: DONE, target: format!("thing {number}"), detail: json!({ "number": number }) };
                record_for(tx, org, "", &origin(), t.panel.now(), event).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

async fn rows(t: &TestPanel, org: &OrgId) -> Vec<audit_event::Model> {
    let all = audit_event::Entity::find().filter(Column::OrganizationId.eq(org.clone())).order_by_asc(Column::Seq);
    all.all(t.panel.db.read()).await.unwrap()
}

async fn run(t: &TestPanel, sql: &str) {
    t.panel.db.read().execute_unprepared(sql).await.unwrap();
}

/// A panel with a trail of six lines in one organization.
async fn trail_of_six() -> (TestPanel, OrgId) {
    let t = TestPanel::start().await;
    let org = t.org("acme").await;
    deeds(&t, &org, 4).await;
    deeds(&t, &org, 2).await;
    assert_eq!(wrongs(&t).await, []);
    (t, org)
}

#[tokio::test]
async fn a_line_says_who_did_what_from_where_and_with_what() {
    let t = TestPanel::start().await;
    let app = t.app_in("acme").await;
    let reply = app.owner.with("user-agent", "curl/8").post(&app.url("scale"), json!({ "replicas": 3 })).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let all = rows(&t, &app.owner.org).await;
    let line = all.iter().find(|row| row.event == "application.scaled").unwrap();
    assert_eq!((line.user_id.as_str(), line.user_name.as_str()), (app.owner.user.to_string().as_str(), "Ada Lovelace"));
    assert_eq!((line.target.as_str(), line.address.as_str()), (app.id.to_string().as_str(), "203.0.113.1"));
    assert_eq!((line.credential_kind.as_str(), line.agent.as_str()), ("bearer", "curl/8"));
    assert!(line.credential.starts_with("ses_") && line.request_id == reply.header("x-request-id"));
    assert!(line.impersonator_id.is_none());
    assert_eq!(wrongs(&t).await, []);
}

#[tokio::test]
async fn an_altered_line_is_named_whatever_was_altered() {
    let (t, org) = trail_of_six().await;
    let row = rows(&t, &org).await[2].clone();
    for change in [
        "detail = '{\"number\":7}'",
        "user_id = 'usr_01jd0000000000000000000000'",
        "user_name = 'Mallory'",
        "impersonator_id = 'usr_01jd0000000000000000000000'",
        "event = 'thing.undone'",
        "target = 'another'",
        "address = '192.0.2.1'",
        "agent = 'x'",
        "credential = 'ses_x'",
        "credential_kind = 'key'",
        "request_id = ''",
        "created_at = created_at + 1",
        "prev_hash = hash",
    ] {
        run(&t, &format!("UPDATE audit_events SET {change} WHERE id = '{}'", row.id)).await;
        let (broken, ..) = read(&t, &[]).await;
        let named: Vec<_> = broken.iter().map(|it| (&it.org, it.seq, it.row.as_ref(), &it.wrong)).collect();
        assert_eq!(named, [(&org, Some(3), Some(&row.id), &Wrong::Altered)], "{change}");
        assert!(broken[0].to_string().contains(&format!("row 3 ({})", row.id)), "{}", broken[0]);
        put_back(&t, &row).await;
    }
    assert_eq!(wrongs(&t).await, []);
}

/// Writes a row as it was.
async fn put_back(t: &TestPanel, row: &audit_event::Model) {
    use sea_orm::{ActiveModelTrait, IntoActiveModel};
    row.clone().into_active_model().reset_all().update(t.panel.db.read()).await.unwrap();
}

#[tokio::test]
async fn removed_lines_are_found_in_the_middle_and_at_both_ends() {
    for (removed, told) in [
        ("seq = 3", vec![(Some(3), Wrong::MissingTo(3))]),
        ("seq IN (2, 3)", vec![(Some(2), Wrong::MissingTo(3))]),
        ("seq = 1", vec![(Some(1), Wrong::MissingTo(1))]),
        ("seq = 6", vec![(Some(6), Wrong::Cut(6))]),
        ("seq > 3", vec![(Some(4), Wrong::Cut(6))]),
        ("seq > 0", vec![(Some(1), Wrong::Cut(6))]),
    ] {
        let (t, org) = trail_of_six().await;
        run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{org}' AND {removed}")).await;
        assert_eq!(wrongs(&t).await, told, "{removed}");
    }
}

#[tokio::test]
async fn the_end_can_not_be_moved_back_nor_a_chain_taken_away() {
    let (t, org) = trail_of_six().await;
    let hash = rows(&t, &org).await[3].hash.clone().unwrap();
    run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{org}' AND seq > 4")).await;
    run(&t, &format!("UPDATE audit_heads SET seq = 4, hash = '{hash}' WHERE organization_id = '{org}'")).await;
    assert_eq!(wrongs(&t).await, [(None, Wrong::Head)]);
    run(&t, &format!("DELETE FROM audit_heads WHERE organization_id = '{org}'")).await;
    assert_eq!(wrongs(&t).await, [(None, Wrong::NoHead)]);
    run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{org}'")).await;
    assert_eq!(wrongs(&t).await, [(None, Wrong::Gone)]);
    let platform = chain::platform();
    run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{platform}'")).await;
    assert_eq!(wrongs(&t).await.len(), 1);
    run(&t, "DELETE FROM audit_heads").await;
    let other = t.org("globex").await;
    deeds(&t, &other, 1).await;
    run(&t, &format!("DELETE FROM audit_heads WHERE organization_id = '{platform}'")).await;
    run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{platform}'")).await;
    assert_eq!(wrongs(&t).await, [(None, Wrong::Gone)]);
}

#[tokio::test]
async fn an_end_that_was_kept_elsewhere_finds_a_trail_that_was_rolled_back() {
    let (t, org) = trail_of_six().await;
    let head = async || {
        let row = skypanel::store::tables::audit_head::Entity::find_by_id(org.clone()).one(t.panel.db.read()).await;
        row.unwrap().unwrap()
    };
    let (before, count) = (head().await, rows(&t, &org).await.len());
    deeds(&t, &org, 2).await;
    let kept = read(&t, &[]).await.1.into_iter().find(|end| end.org == org).unwrap();
    assert_eq!(kept.to_string().parse::<Anchor>().unwrap(), kept);
    // A backup is played back: the chain is sound, and yet it is not the whole one.
    run(&t, &format!("DELETE FROM audit_events WHERE organization_id = '{org}' AND seq > {count}")).await;
    let sql = format!(
        "UPDATE audit_heads SET seq = {}, hash = '{}', seal = '{}' WHERE organization_id = '{org}'",
        before.seq, before.hash, before.seal
    );
    run(&t, &sql).await;
    assert_eq!(wrongs(&t).await, []);
    let (broken, ..) = read(&t, std::slice::from_ref(&kept)).await;
    assert_eq!(broken.iter().map(|it| it.wrong.clone()).collect::<Vec<_>>(), [Wrong::Anchor]);
    // And what is written on top of it does not fit either.
    deeds(&t, &org, 2).await;
    assert_eq!(wrongs(&t).await, []);
    t.clock.advance(std::time::Duration::from_secs(1));
    let (broken, ..) = read(&t, &[kept]).await;
    assert_eq!(broken.iter().map(|it| (it.seq, it.wrong.clone())).collect::<Vec<_>>(), [(Some(8), Wrong::Anchor)]);
}

#[tokio::test]
async fn lines_in_another_order_and_lines_that_the_panel_did_not_write_are_found() {
    let (t, org) = trail_of_six().await;
    let of = format!("organization_id = '{org}'");
    for (from, to) in [(2, 0), (3, 2), (0, 3)] {
        run(&t, &format!("UPDATE audit_events SET seq = {to} WHERE {of} AND seq = {from}")).await;
    }
    let told = wrongs(&t).await;
    assert!(told.contains(&(Some(2), Wrong::Altered)) && told.contains(&(Some(3), Wrong::Altered)), "{told:?}");
    for (from, to) in [(2, 0), (3, 2), (0, 3)] {
        run(&t, &format!("UPDATE audit_events SET seq = {to} WHERE {of} AND seq = {from}")).await;
    }
    assert_eq!(wrongs(&t).await, []);
    let mut forged = rows(&t, &org).await[0].clone();
    for (seq, wrong) in [(None, Wrong::Unchained), (Some(7), Wrong::Beyond)] {
        use sea_orm::{ActiveModelTrait, IntoActiveModel};
        (forged.id, forged.seq) = (skypanel::store::random::id(), seq);
        forged.clone().into_active_model().reset_all().insert(t.panel.db.read()).await.unwrap();
        let (broken, ..) = read(&t, &[]).await;
        let named: Vec<_> = broken.iter().map(|it| (it.row.as_ref(), &it.wrong)).collect();
        assert_eq!(named, [(Some(&forged.id), &wrong)]);
        run(&t, &format!("DELETE FROM audit_events WHERE id = '{}'", forged.id)).await;
    }
}

#[tokio::test]
async fn whoever_has_the_database_but_not_the_master_key_can_not_write_a_sound_line() {
    let (t, org) = trail_of_six().await;
    let other = Chain::new(&[9; 32]);
    let mut last = rows(&t, &org).await[5].clone();
    last.detail = "{}".into();
    last.hash = Some(other.hash(&last));
    put_back(&t, &last).await;
    assert_eq!(wrongs(&t).await, [(Some(6), Wrong::Altered)]);
}

#[tokio::test]
async fn concurrent_writers_keep_one_chain_and_never_wait_in_a_circle() {
    let t = TestPanel::start().await;
    let (one, other) = (t.org("acme").await, t.org("globex").await);
    let another = t.another().await;
    let before = rows(&t, &one).await.len() + rows(&t, &other).await.len();
    let write = async |number: usize| {
        let panel = if number.is_multiple_of(2) { &t.panel } else { &another.panel };
        // Half of them name the organizations the other way round, and each changes a row that the others change, too.
        let (first, second) = if number % 4 < 2 { (&one, &other) } else { (&other, &one) };
        let done = panel.db.tx(async |tx| {
            let event = |org: &OrgId| Event { kind: DONE, target: org.to_string(), detail: json!({ "number": number }) };
            record_for(tx, first, "", &origin(), panel.now(), event(first)).await?;
            let sql = format!(
                "UPDATE organizations SET tax_id = '{number}' WHERE id = '{}'",
                if number.is_multiple_of(3) { first } else { &one }
            );
            tx.execute_unprepared(&sql).await.map_err(|why| Error::Internal(why.to_string()))?;
            record_for(tx, second, "", &origin(), panel.now(), event(second)).await
        });
        done.await.unwrap();
    };
    join_all((0..60).map(write)).await;
    let (broken, _, count) = read(&t, &[]).await;
    assert_eq!(broken, []);
    let now = rows(&t, &one).await.len() + rows(&t, &other).await.len();
    assert_eq!(now - before, 120);
    assert!(count.rows >= 120);
}

#[tokio::test]
async fn a_deed_that_fails_leaves_no_line_and_no_gap() {
    let (t, org) = trail_of_six().await;
    let failed: Result<(), Error> = t
        .panel
        .db
        .tx(async |tx| {
            let event = Event { kind: DONE, target: String::new(), detail: json!({}) };
            record_for(tx, &org, "", &origin(), t.panel.now(), event).await?;
            Err(Error::Conflict("It did not work out.".into()))
        })
        .await;
    failed.unwrap_err();
    assert_eq!(rows(&t, &org).await.len(), 6);
    deeds(&t, &org, 1).await;
    assert_eq!(wrongs(&t).await, []);
}

#[tokio::test]
async fn a_detail_that_is_too_long_is_cut_and_says_so() {
    let (t, org) = trail_of_six().await;
    t.panel
        .db
        .tx(async |tx| {
            let event = Event { kind: DONE, target: "x\n\u{0}".repeat(500), detail: json!({ "long": "é\u{0}".repeat(20_000) }) };
            record_for(tx, &org, "", &origin(), t.panel.now(), event).await
        })
        .await
        .unwrap();
    let row = rows(&t, &org).await.pop().unwrap();
    assert!(row.detail.len() <= 16 * 1024 && row.target.len() <= 200);
    let detail: serde_json::Value = serde_json::from_str(&row.detail).unwrap();
    assert_eq!(detail["shortened"], true);
    assert_eq!(wrongs(&t).await, []);
}

#[tokio::test]
async fn lines_from_before_there_were_chains_are_chained_once() {
    let t = TestPanel::start().await;
    let acme = t.member("acme", Role::Owner).await;
    step_down(&t.panel.db, 3).await;
    for number in 0..2_500 {
        let sql = format!(
            "INSERT INTO audit_events (id, organization_id, user_id, event, target, detail, address, request_id, created_at)
             VALUES ('aud_{number:026}', '{}', '{}', 'thing.done', '', '{{}}', '', '', {number})",
            acme.org, acme.user
        );
        run(&t, &sql).await;
    }
    for _ in 0..3 {
        step_up(&t.panel.db).await;
    }
    service::adopt(&t.panel).await.unwrap();
    assert_eq!(wrongs(&t).await, []);
    let chained = audit_event::Entity::find().filter(Column::Seq.is_not_null()).filter(Column::OrganizationId.eq(acme.org.clone()));
    assert_eq!(chained.count(t.panel.db.read()).await.unwrap(), 2_500);
    // A line that somebody puts there afterwards gets no place at the next start.
    let forged = format!(
        "INSERT INTO audit_events (id, organization_id, user_id, event, target, detail, address, request_id, created_at)
         VALUES ('aud_{:026}', '{}', '', 'thing.forged', '', '{{}}', '', '', 1)",
        9_999, acme.org
    );
    run(&t, &forged).await;
    service::adopt(&t.panel).await.unwrap();
    assert_eq!(wrongs(&t).await, [(None, Wrong::Unchained)]);
}
