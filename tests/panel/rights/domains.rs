//! Domains.
use super::{Answers, LIST, LOOK, OPERATOR, Pairs, Table, World};
use crate::support::panel::TestPanel;
use futures::future::BoxFuture;
use sea_orm::{ActiveModelTrait, ActiveValue::Set};
use serde_json::{Value, json};
use skypanel::{
    fault::Because,
    id::{DomainId, Id},
    store::{random, tables::domain},
};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/domains",                         LIST),
    ("POST /api/paas/domains",                        ([201, 201, 201, 403, 403, 404, 401], "domains")),
    ("GET /api/paas/applications/{id}/domains",       LOOK),
    ("GET /api/paas/domains/{id}",                    LOOK),
    ("PUT /api/paas/domains/{id}",                    ([200, 200, 200, 403, 403, 404, 401], "domains")),
    ("DELETE /api/paas/domains/{id}",                 ([200, 200, 200, 403, 403, 404, 401], "domains")),
    ("POST /api/paas/domains/{id}/verify",            ([200, 200, 200, 403, 403, 404, 401], "domains")),
    // This platform orders none, and there is none: both are told only to whom may know.
    ("POST /api/paas/domains/{id}/ssl",               ([409, 409, 409, 403, 403, 404, 401], "domains")),
    ("GET /api/admin/certificates",                   OPERATOR),
    ("DELETE /api/paas/domains/{id}/ssl",             ([404, 404, 404, 403, 403, 404, 401], "domains")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("domains/fns/add_domain",               ([200, 200, 200, 403, 403, 404, 401], "domains")),
    ("domains/fns/change_domain",            ([200, 200, 200, 403, 403, 404, 401], "domains")),
    ("domains/fns/order_certificate",        ([409, 409, 409, 403, 403, 404, 401], "domains")),
    ("domains/fns/read_domain",              LOOK),
    ("domains/fns/read_domains",             LIST),
    ("domains/fns/read_domains_of",          LOOK),
    ("domains/fns/read_own_certificates",    OPERATOR),
    ("domains/fns/remove_certificate",       ([404, 404, 404, 403, 403, 404, 401], "domains")),
    ("domains/fns/remove_domain",            ([200, 200, 200, 403, 403, 404, 401], "domains")),
    ("domains/fns/upload_certificate",       ([400, 400, 400, 403, 403, 404, 401], "domains")),
    ("domains/fns/verify_domain",            ([200, 200, 200, 403, 403, 404, 401], "domains")),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// A proven domain of the application.
fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let name = fresh_domain();
        let body = json!({ "application_id": world.app.id, "domain": name });
        let made = world.app.owner.post("/api/paas/domains", body).await;
        assert_eq!(made.status(), 201, "{}", made.text());
        let id: DomainId = made.data()["id"].as_str().unwrap().parse().unwrap();
        let row = domain::ActiveModel { id: Set(id.clone()), verified_at: Set(Some(t.panel.now())), ..Default::default() };
        t.panel.db.tx(async |tx| row.update(tx).await.because("proving a domain")).await.unwrap();
        world.more.insert("domain", id.to_string());
        world.more.insert("name", name);
    })
}

fn fresh_domain() -> String {
    format!("{}.example", random::id::<DomainId>().suffix())
}

fn body(route: &str, world: &World) -> Option<Value> {
    Some(match route {
        "POST /api/paas/domains" => json!({ "application_id": world.app.id, "domain": fresh_domain() }),
        "PUT /api/paas/domains/{id}" => json!({ "primary_domain": true }),
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let mut fields = vec![("id", world.more["domain"].clone())];
    match function {
        "add_domain" => fields = vec![("id", world.app.id.to_string()), ("domain", fresh_domain())],
        "read_own_certificates" => fields = vec![("page", "1".into())],
        "read_domains" => fields = vec![("page", "1".into())],
        "read_domains_of" => fields = vec![("id", world.app.id.to_string()), ("page", "1".into())],
        "remove_domain" => fields.push(("confirm", world.more["name"].clone())),
        "change_domain" => fields.push(("role", "serve".into())),
        "upload_certificate" => fields.extend([("certificate_chain", "x".into()), ("private_key", "x".into())]),
        _ => {}
    }
    Some(fields)
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    route.contains("/domains/{id}").then(|| vec![("{id}", world.more["domain"].clone())])
}
