//! What the browser gets when it signs in or out: a cookie, and a place to go.
use crate::{
    accounts::server::tokens::Purpose,
    auth::session::{self, DEVICE, Opened, PENDING, cookie, no_cookie},
    error::Result,
    web::{
        ctx::{Visitor, visitor},
        forms::is_local,
    },
};
use axum::http::{HeaderValue, header};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Seconds that a browser keeps the cookie by which accounts know it: as long as browsers allow.
pub const DEVICE_LIFE: u64 = 400 * 86_400;

/// WorkerSlots out the session's cookie and goes on.
pub fn set_session_cookie(opened: &Opened, next: Option<String>) -> Result<()> {
    session_cookies(&visitor()?, opened).iter().for_each(|cookie| set(cookie));
    leptos_axum::redirect(&next.filter(|next| is_local(next)).unwrap_or_else(|| "/applications".into()));
    Ok(())
}

/// The `Set-Cookie`s of somebody who signed in.
pub fn session_cookies(visitor: &Visitor, opened: &Opened) -> Vec<String> {
    let mut cookies = vec![cookie(&visitor.panel, opened)];
    if let Some(device) = &opened.device {
        cookies.push(session::set(&visitor.panel, DEVICE, device, DEVICE_LIFE));
    }
    if visitor.cookie(PENDING).is_some() {
        cookies.push(session::set(&visitor.panel, PENDING, "", 0));
    }
    cookies
}

/// WorkerSlots out the cookie by which accounts know a browser, where it is a new one.
pub fn set_device_cookie(device: Option<&str>) -> Result<()> {
    if let Some(device) = device {
        set(&session::set(&visitor()?.panel, DEVICE, device, DEVICE_LIFE));
    }
    Ok(())
}

/// Leads on to the second factor.
pub fn begin_second_factor(token: &str) -> Result<()> {
    set(&pending(&visitor()?, token));
    leptos_axum::redirect("/sign-in/second-factor");
    Ok(())
}

/// The `Set-Cookie` of a sign-in that waits for the second factor.
pub fn pending(visitor: &Visitor, token: &str) -> String {
    session::set(&visitor.panel, PENDING, token, Purpose::SignIn.life().as_secs())
}

/// Takes the cookie back.
pub fn clear_session_cookie() -> Result<()> {
    set(&no_cookie(&visitor()?.panel));
    leptos_axum::redirect("/sign-in");
    Ok(())
}

fn set(cookie: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
}
