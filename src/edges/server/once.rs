//! The one look at a new token that a page gives: between the form and the page that follows it, the token travels in a cookie that only
//! we can open, for that session, once.
use crate::{
    edges::model::NewEdge,
    error::Result,
    web::{
        ctx::{Ctx, Operator},
        http::cookie,
    },
};
use axum::http::{HeaderValue, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

const COOKIE: &str = "skypanel_edge_once";
/// Seconds that the page may take to come.
const LIFE: u32 = 60;

fn place(ctx: &Ctx) -> String {
    format!("edge once {}", ctx.who.credential.id())
}

/// Hands the token to the page that follows.
pub fn hand_over(ctx: &Operator, made: &NewEdge) -> Result<()> {
    let sealed = ctx.panel.secrets.seal(&place(ctx), &format!("{}\n{}\n{}", made.edge.name, made.token, made.command))?;
    set(ctx, &sealed, LIFE);
    Ok(())
}

/// The name, the token and the command of the edge that was just added, where there is one; the next time there is none.
pub fn receive(ctx: &Operator) -> Option<(String, String, String)> {
    let parts = use_context::<Parts>()?;
    let sealed = cookie(&parts.headers, COOKIE).filter(|sealed| !sealed.is_empty())?;
    set(ctx, "", 0);
    let opened = ctx.panel.secrets.try_unseal(&place(ctx), &sealed)?;
    let mut lines = opened.splitn(3, '\n').map(str::to_string);
    Some((lines.next()?, lines.next()?, lines.next()?))
}

fn set(ctx: &Ctx, value: &str, age: u32) {
    let secure = if ctx.panel.config.public_url().starts_with("https://") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/admin/edges; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    if let (Some(response), Ok(cookie)) = (use_context::<ResponseOptions>(), HeaderValue::from_str(&cookie)) {
        response.append_header(header::SET_COOKIE, cookie);
    }
}
