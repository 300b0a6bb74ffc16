//! Second factors, passkeys, accounts at other providers: everybody's own, so the answers do not depend on the role.
use super::{Answers, LIST, OPEN, Pairs, Table, World};
use serde_json::{Value, json};

/// Nothing was begun.
const NONE_BEGUN: Answers = ([409, 409, 409, 409, 409, 409, 401], "");
/// None of the caller's own.
const NOT_OWN: Answers = ([404, 404, 404, 404, 404, 404, 401], "");
/// Read before it is asked who sends it.
const UNREADABLE: Answers = ([400; 7], "");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("POST /api/auth/2fa/setup",                      LIST),
    ("POST /api/auth/2fa/enable",                     NONE_BEGUN),
    ("POST /api/auth/2fa/disable",                    NONE_BEGUN),
    ("GET /api/auth/2fa/backup-codes",                LIST),
    ("POST /api/auth/2fa/backup-codes",               NONE_BEGUN),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("accounts/fns/factors/read_security",               LIST),
    ("accounts/fns/factors/set_up_totp",                 LIST),
    ("accounts/fns/factors/enable_totp",                 NONE_BEGUN),
    ("accounts/fns/factors/disable_totp",                NONE_BEGUN),
    ("accounts/fns/factors/renew_recovery_codes",        NONE_BEGUN),
    ("accounts/fns/factors/read_recovery_codes",         LIST),
    ("accounts/fns/factors/put_recovery_codes_away",     LIST),
    ("accounts/fns/factors/begin_passkey",               LIST),
    ("accounts/fns/factors/add_passkey",                 NONE_BEGUN),
    ("accounts/fns/factors/rename_passkey",              NOT_OWN),
    ("accounts/fns/factors/remove_passkey",              NOT_OWN),
    ("accounts/fns/factors/begin_passkey_confirmation",  NONE_BEGUN),
    ("accounts/fns/factors/begin_passkey_sign_in",       OPEN),
    // No sign-in waits in this browser.
    ("accounts/fns/factors/begin_second_passkey",        ([401; 7], "")),
    ("accounts/fns/factors/sign_in_with_passkey",        UNREADABLE),
    ("accounts/fns/factors/read_providers",              OPEN),
    ("accounts/fns/factors/read_link_offer",             NOT_OWN),
    ("accounts/fns/factors/link_identity",               NOT_OWN),
    ("accounts/fns/factors/unlink_identity",             NOT_OWN),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: None };

fn body(route: &str, _: &World) -> Option<Value> {
    Some(match route {
        "POST /api/auth/2fa/enable" | "POST /api/auth/2fa/backup-codes" => json!({ "code": "123456" }),
        "POST /api/auth/2fa/disable" => json!({ "password": "x", "code": "123456" }),
        _ => return None,
    })
}

fn fields(function: &str, _: &World) -> Option<Pairs> {
    let id = || ("id", "psk_01jd0000000000000000000000".to_string());
    let answer = || vec![("token", "x".into()), ("credential", "{}".into())];
    Some(match function {
        "enable_totp" | "renew_recovery_codes" => vec![("code", "123456".into())],
        "disable_totp" => vec![("password", "x".into()), ("code", "123456".into())],
        "add_passkey" => [answer(), vec![("name", "Laptop".into())]].concat(),
        "rename_passkey" => vec![id(), ("name", "Laptop".into())],
        "remove_passkey" => vec![id(), ("password", "x".into())],
        "sign_in_with_passkey" => answer(),
        "read_link_offer" | "link_identity" => vec![("token", "x".into())],
        "unlink_identity" => vec![("provider", "x".into()), ("subject", "x".into())],
        _ => vec![],
    })
}

fn place(_: &str, _: &World) -> Option<Pairs> {
    None
}
