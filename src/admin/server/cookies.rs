//! What the browser gets when an operator begins or ends to act in somebody's name: another cookie, and a place to go.
use crate::{
    auth::session::{Opened, cookie, no_cookie},
    error::Result,
    web::ctx::visitor,
};
use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// WorkerSlots out a session's cookie and goes on.
pub fn go_on(opened: &Opened, to: &str) -> Result<()> {
    set(&cookie(&visitor()?.panel, opened));
    leptos_axum::redirect(to);
    Ok(())
}

/// The operator's own session is over.
pub fn sign_in_again() -> Result<()> {
    set(&no_cookie(&visitor()?.panel));
    leptos_axum::redirect("/sign-in");
    Ok(())
}

fn set(cookie: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
}
