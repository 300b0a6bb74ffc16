//! Numbers.
use super::{Answers, LOOK, OPERATOR, Table};

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/paas/applications/{id}/metrics",    LOOK),
    ("GET /api/paas/applications/{id}/access-log", LOOK),
    ("GET /api/admin/traffic",                     OPERATOR),
    ("GET /api/admin/metrics",                     OPERATOR),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("metrics/fns/read_metrics",          LOOK),
    ("metrics/fns/read_access_log",       LOOK),
    ("metrics/fns/read_platform_traffic", OPERATOR),
];

pub const TABLE: Table =
    Table { routes: ROUTES, functions: FUNCTIONS, body: |_, _| None, fields: |_, _| None, place: |_, _| None, prepare: None };
