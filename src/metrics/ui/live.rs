//! What keeps the numbers fresh.
use crate::{
    kit::{
        live::{LineState, events},
        side,
    },
    metrics::model::AccessLine,
};
use leptos::prelude::*;

/// Loads the page again when a minute has passed in which something was asked. Each line of the stream is small: it only says that.
#[island]
pub fn Fresh(
    /// Where new minutes are heard.
    url: String,
) -> impl IntoView {
    let line = events(url, "minute", |_, _: i64| {
        side::refresh();
    });
    view! { <LineState line=line/> }
}

/// Follows the access log.
#[island]
pub fn FollowAccess(
    /// The stream's address.
    url: String,
) -> impl IntoView {
    let tail = crate::kit::tail::Tail::of(super::access::LIST);
    let line = events(url, "line", move |_, said: AccessLine| tail.push(super::access::line(&said)));
    view! { <crate::kit::tail::TailControls tail=tail line=line/> }
}
