//! The server's side: the answer's status and its cookies. Streams, clipboards and elements are the browser's; here they do nothing.
use super::super::{Flash, live::Heard, log::LogLine};
use axum::http::{HeaderValue, StatusCode, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use std::time::Duration;

/// A stream is heard in the browser only.
pub fn listen(_url: String, _kind: &'static str, _hear: impl FnMut(Heard) + 'static) {}

/// A server has no clipboard.
pub fn can_copy() -> bool {
    false
}

/// A server has no clipboard.
pub fn copy(_text: &str) {}

/// Nobody types into a server.
pub fn on_input(_id: &str, _hear: impl FnMut(String) + 'static) {}

/// Nobody types into a server.
pub fn value(_id: &str) -> String {
    String::new()
}

/// Nobody types into a server.
pub fn propose(_id: &str, _text: &str) {}

/// A page begins when it is rendered.
pub fn page_age() -> Duration {
    Duration::ZERO
}

/// A server renders once.
pub fn every_second(_then: impl Fn() + 'static) {}

/// A server renders once.
pub fn refresh() -> bool {
    false
}

/// A server has no scroll bars.
pub fn show_end(_list: &str) {}

/// A server has no scroll bars.
pub fn on_log_scroll(_list: &str, _hear: impl Fn(bool) + 'static) {}

/// Lines are added in the browser.
pub fn append_lines(_list: &str, _lines: &[LogLine], _most: u32) {}

/// Says with which status this page is answered. Only for pages that are rendered in one piece (`SsrMode::Async`).
pub fn set_status(status: u16) {
    if let (Some(answer), Ok(status)) = (use_context::<ResponseOptions>(), StatusCode::from_u16(status)) {
        answer.set_status(status);
    }
}

fn append_cookie(cookie: String) {
    if let (Some(answer), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        answer.append_header(header::SET_COOKIE, cookie);
    }
}

/// Sets a cookie that lasts a year and holds nothing secret.
pub fn set_cookie(name: &str, value: &str) {
    append_cookie(format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"));
}

/// Says on the next page, once, that something worked.
pub fn remember(flash: Flash) {
    append_cookie(format!("{}={}; Path=/; Max-Age=20; SameSite=Lax; HttpOnly", Flash::COOKIE, flash.code()));
}

/// Forgets the message: it was said.
pub fn forget() {
    append_cookie(format!("{}=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly", Flash::COOKIE));
}
