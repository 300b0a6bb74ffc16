//! What the browser gets when it signs in or out: a cookie, and a place to go.
use crate::{
    error::Result,
    platform::{
        ctx::visitor,
        forms::is_local,
        session::{Opened, cookie, no_cookie},
    },
};
use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Hands out the session's cookie and goes on.
pub fn welcome(opened: &Opened, next: Option<String>) -> Result<()> {
    set(&cookie(&visitor()?.panel, opened));
    leptos_axum::redirect(&next.filter(|next| is_local(next)).unwrap_or_else(|| "/applications".into()));
    Ok(())
}

/// Takes the cookie back.
pub fn farewell() -> Result<()> {
    set(&no_cookie(&visitor()?.panel));
    leptos_axum::redirect("/sign-in");
    Ok(())
}

fn set(cookie: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
}
