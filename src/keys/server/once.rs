//! The one look at a new secret that a page gives: between the form and the page that follows it, the secret travels in a cookie that
//! only we can open, for that session, once.
use crate::{
    error::Result,
    keys::model::NewApiKey,
    web::{ctx::Ctx, http::cookie},
};
use axum::http::{HeaderValue, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

const COOKIE: &str = "skypanel_once";
/// Seconds that the page may take to come.
const LIFE: u32 = 60;

fn place(ctx: &Ctx) -> String {
    format!("once {}", ctx.who.credential.id())
}

/// Hands the secret to the page that follows.
pub fn hand_over(ctx: &Ctx, made: &NewApiKey) -> Result<()> {
    let sealed = ctx.panel.secrets.seal(&place(ctx), &format!("{} {}", made.key.id, made.secret))?;
    set(ctx, &sealed, LIFE);
    Ok(())
}

/// The id and the secret of the key that was just made, where there is one; the next time there is none.
pub fn receive(ctx: &Ctx) -> Option<(String, String)> {
    let parts = use_context::<Parts>()?;
    let sealed = cookie(&parts.headers, COOKIE).filter(|sealed| !sealed.is_empty())?;
    set(ctx, "", 0);
    let opened = ctx.panel.secrets.try_unseal(&place(ctx), &sealed)?;
    opened.split_once(' ').map(|(id, secret)| (id.to_string(), secret.to_string()))
}

fn set(ctx: &Ctx, value: &str, age: u32) {
    let secure = if ctx.panel.config.public_url().starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/account/api-keys; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    if let (Some(response), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        response.append_header(header::SET_COOKIE, cookie);
    }
}
