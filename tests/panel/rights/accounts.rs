//! Accounts and sessions.
use super::{Answers, LIST, OPEN, Pairs, Table, World, fresh_name};
use serde_json::{Value, json};

/// No token leads here.
const DEAD_LINK: Answers = ([404; 7], "");
/// The credential is none.
const NO_CREDENTIAL: Answers = ([401; 7], "");
/// Somebody else's, for everybody who is signed in.
const NOT_HERS: Answers = ([404, 404, 404, 404, 404, 404, 401], "");
/// The fields name no password of anybody's.
const NO_PASSWORD: Answers = ([400, 400, 400, 400, 400, 400, 401], "");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("POST /api/auth/register",                       ([201; 7], "")),
    ("POST /api/auth/login",                          OPEN),
    ("POST /api/auth/refresh",                        NO_CREDENTIAL),
    ("POST /api/auth/logout",                         LIST),
    ("GET /api/auth/me",                              LIST),
    ("GET /api/auth/profile",                         LIST),
    ("PUT /api/auth/profile",                         LIST),
    ("POST /api/auth/verify-email",                   DEAD_LINK),
    ("POST /api/auth/verify-email/resend",            LIST),
    ("PUT /api/auth/password",                        NO_PASSWORD),
    ("POST /api/auth/forgot-password",                OPEN),
    ("POST /api/auth/reset-password",                 DEAD_LINK),
    ("GET /api/auth/sessions",                        LIST),
    ("DELETE /api/auth/sessions",                     LIST),
    ("DELETE /api/auth/sessions/{id}",                NOT_HERS),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("accounts/fns/is_new",                  OPEN),
    ("accounts/fns/is_setup_link",           OPEN),
    ("accounts/fns/is_reset_link",           OPEN),
    ("accounts/fns/read_me",                 LIST),
    ("accounts/fns/read_profile",            LIST),
    ("accounts/fns/read_sessions",           LIST),
    ("accounts/fns/read_email_link",         DEAD_LINK),
    ("accounts/fns/change_name",             LIST),
    ("accounts/fns/change_email",            NO_PASSWORD),
    ("accounts/fns/cancel_email_change",     LIST),
    ("accounts/fns/resend_verification",     LIST),
    ("accounts/fns/verify_email",            DEAD_LINK),
    ("accounts/fns/change_password",         NO_PASSWORD),
    ("accounts/fns/forgot_password",         OPEN),
    ("accounts/fns/reset_password",          DEAD_LINK),
    ("accounts/fns/end_session",             NOT_HERS),
    ("accounts/fns/end_other_sessions",      LIST),
    // The link was used up by the first administrator.
    ("accounts/fns/set_up",                  DEAD_LINK),
    ("accounts/fns/sign_in",                 OPEN),
    // No sign-in waits in this browser.
    ("accounts/fns/read_pending_sign_in",    NO_CREDENTIAL),
    ("accounts/fns/sign_in_with_code",       NO_CREDENTIAL),
    ("accounts/fns/sign_out",                LIST),
    ("accounts/fns/sign_up",                 OPEN),
    ("kit/theme/set_theme",                  OPEN),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

/// A session that nobody has.
const SESSION: &str = "ses_01jd0000000000000000000000";

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/auth/register" => {
            json!({ "name": "Ada", "email": format!("{}@example.com", fresh_name()), "password": "correct horse" })
        }
        "POST /api/auth/login" => json!({ "email": "grace@example.com", "password": "correct horse" }),
        "POST /api/auth/refresh" => json!({ "refresh_token": "x" }),
        "PUT /api/auth/profile" => json!({ "name": "Ada King" }),
        "POST /api/auth/verify-email" => json!({ "token": "x" }),
        "PUT /api/auth/password" => json!({ "current_password": "wrong horse", "new_password": "nine pink lamps of winter" }),
        "POST /api/auth/forgot-password" => json!({ "email": format!("{}@example.com", fresh_name()) }),
        "POST /api/auth/reset-password" => json!({ "token": "x", "password": "nine pink lamps of winter" }),
        _ => return None,
    })
}

fn fields(function: &str, _: &World) -> Option<Pairs> {
    let new_password = || "nine pink lamps of winter".to_string();
    Some(match function {
        "is_new" | "read_me" | "sign_out" | "read_pending_sign_in" => vec![],
        "read_profile" | "read_sessions" | "cancel_email_change" | "resend_verification" | "end_other_sessions" => vec![],
        "sign_in_with_code" => vec![("code", "123456".into())],
        "is_setup_link" | "is_reset_link" | "read_email_link" | "verify_email" => vec![("token", "x".into())],
        "change_name" => vec![("name", "Ada King".into())],
        "change_email" => vec![("email", format!("{}@example.com", fresh_name())), ("password", "wrong horse".into())],
        "change_password" => vec![("current_password", "wrong horse".into()), ("new_password", new_password())],
        "forgot_password" => vec![("email", format!("{}@example.com", fresh_name()))],
        "reset_password" => vec![("token", "x".into()), ("password", new_password())],
        "end_session" => vec![("id", SESSION.into())],
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

fn place(route: &str, _: &World) -> Option<Pairs> {
    route.contains("/sessions/").then(|| vec![("{id}", SESSION.into())])
}
