//! Mail: the operator's alone, but for the provider's webhook, which is not there without a secret.
use super::{Answers, OPERATOR, Pairs, Table, World};
use crate::support::panel::TestPanel;
use futures::future::BoxFuture;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::{Value, json};
use skypanel::{
    fault::Because,
    id::MailId,
    mail::{
        model::MailStatus,
        server::{letters::TestLetter, task::suppress},
    },
    outbox::{Mail, queue},
    store::tables::mail,
};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/admin/mail",                             OPERATOR),
    ("GET /api/admin/mail/figures",                     OPERATOR),
    ("GET /api/admin/mail/messages/{id}",               OPERATOR),
    ("POST /api/admin/mail/messages/{id}/retry",        OPERATOR),
    ("POST /api/admin/mail/messages/{id}/cancel",       OPERATOR),
    ("GET /api/admin/mail/suppressions",                OPERATOR),
    ("POST /api/admin/mail/suppressions",               OPERATOR),
    ("DELETE /api/admin/mail/suppressions/{address}",   OPERATOR),
    ("GET /api/admin/mail/templates/{kind}",            OPERATOR),
    ("POST /api/admin/mail/test",                       OPERATOR),
    ("POST /api/hooks/mail",                            ([404; 7], "")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("mail/fns/cancel_mail",                 OPERATOR),
    ("mail/fns/lift_suppression",            OPERATOR),
    ("mail/fns/read_mail",                   OPERATOR),
    ("mail/fns/read_mail_kinds",             OPERATOR),
    ("mail/fns/read_mail_overview",          OPERATOR),
    ("mail/fns/read_mail_template",          OPERATOR),
    ("mail/fns/read_mails",                  OPERATOR),
    ("mail/fns/read_suppressions",           OPERATOR),
    ("mail/fns/retry_mail",                  OPERATOR),
    ("mail/fns/send_test_mail",              OPERATOR),
    ("mail/fns/suppress_address",            OPERATOR),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

const GONE: &str = "gone@example.org";

/// A message that waits, one that was refused, and an address that gets none.
fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let mail = || Mail { to: "ada@example.org".into(), org: None, letter: TestLetter { name: "Ada".into() } };
        let made = t.panel.db.tx(async |tx| {
            suppress(tx, &t.panel, GONE, "bounce", None, None).await?;
            let (waits, failed): (MailId, MailId) = (queue(tx, &t.panel, mail()).await?, queue(tx, &t.panel, mail()).await?);
            let row = mail::ActiveModel { id: Set(failed.clone()), status: Set(MailStatus::Failed), ..Default::default() };
            row.update(tx).await.because("failing a message")?;
            Ok((waits, failed))
        });
        let (waits, failed) = made.await.unwrap();
        world.more.insert("waits", waits.to_string());
        world.more.insert("failed", failed.to_string());
    })
}

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/admin/mail/suppressions" => json!({ "address": "new@example.org" }),
        "POST /api/admin/mail/test" => json!({ "template": "test" }),
        "POST /api/hooks/mail" => json!({ "events": [] }),
        _ => return None,
    })
}

fn message(deed: &str, world: &World) -> String {
    world.more[if deed.contains("retry") { "failed" } else { "waits" }].clone()
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    Some(match function {
        "read_mails" | "read_mail_kinds" | "read_mail_overview" | "read_suppressions" => vec![],
        "read_mail" | "retry_mail" | "cancel_mail" => vec![("id", message(function, world))],
        "lift_suppression" => vec![("address", GONE.into())],
        "suppress_address" => vec![("address", "new@example.org".into())],
        "read_mail_template" => vec![("kind", "invitation".into())],
        "send_test_mail" => vec![("template", "test".into())],
        _ => return None,
    })
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    Some(vec![("{id}", message(route, world)), ("{address}", GONE.into()), ("{kind}", "invitation".into())])
}
