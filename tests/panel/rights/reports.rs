//! Error reports: the operators' alone.
use super::{Answers, OPERATOR, Pairs, Table, World};
use crate::support::panel::TestPanel;
use futures::future::BoxFuture;
use serde_json::Value;
use skypanel::{error::Error, fault, reports::server::task, runtime::fault_reports};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/admin/errors",                         OPERATOR),
    ("GET /api/admin/errors/{id}",                    OPERATOR),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("reports/fns/read_error",               OPERATOR),
    ("reports/fns/read_errors",              OPERATOR),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let fault = fault_reports::within(&t.panel, None, async { fault::internal("trying things out", "it broke") }).await;
        let Error::Internal(reference) = fault else { panic!("{fault}") };
        task::pass(&t.panel).await.unwrap();
        world.more.insert("reference", reference);
    })
}

fn body(_: &str, _: &World) -> Option<Value> {
    None
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    Some(match function {
        "read_error" => vec![("id", world.more["reference"].clone())],
        "read_errors" => vec![("page", "1".into())],
        _ => return None,
    })
}

fn place(_: &str, world: &World) -> Option<Pairs> {
    Some(vec![("{id}", world.more["reference"].clone())])
}
