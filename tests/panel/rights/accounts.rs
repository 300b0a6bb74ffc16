//! Accounts and sessions.
use super::{Answers, LIST, OPEN, Pairs, Table, World, fresh_name};
use serde_json::{Value, json};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("POST /api/auth/register",                       ([201; 7], "")),
    ("POST /api/auth/login",                          OPEN),
    ("POST /api/auth/logout",                         LIST),
    ("GET /api/auth/me",                              LIST),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("accounts/fns/is_new",                  OPEN),
    ("accounts/fns/is_setup_link",           OPEN),
    ("accounts/fns/read_me",                 LIST),
    // The link was used up by the first administrator.
    ("accounts/fns/set_up",                  ([404; 7], "")),
    ("accounts/fns/sign_in",                 OPEN),
    ("accounts/fns/sign_out",                LIST),
    ("accounts/fns/sign_up",                 OPEN),
    ("kit/theme/set_theme",                  OPEN),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/auth/register" => {
            json!({ "name": "Ada", "email": format!("{}@example.com", fresh_name()), "password": "correct horse" })
        }
        "POST /api/auth/login" => json!({ "email": "grace@example.com", "password": "correct horse" }),
        _ => return None,
    })
}

fn fields(function: &str, _: &World) -> Option<Pairs> {
    Some(match function {
        "is_new" | "read_me" | "sign_out" => vec![],
        "is_setup_link" => vec![("token", "x".into())],
        "set_up" => vec![
            ("token", "x".into()),
            ("name", "Ada".into()),
            ("email", format!("{}@example.com", fresh_name())),
            ("password", "correct horse".into()),
        ],
        "sign_in" => vec![("email", "grace@example.com".into()), ("password", "correct horse".into())],
        "sign_up" => {
            vec![("name", "Ada".into()), ("email", format!("{}@example.com", fresh_name())), ("password", "correct horse".into())]
        }
        "set_theme" => vec![("theme", "dark".into())],
        _ => return None,
    })
}

fn place(_: &str, _: &World) -> Option<Pairs> {
    None
}
