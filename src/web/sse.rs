//! Server-sent events: streams that a client resumes by the id of the last event it saw, that end with the panel, and that keep
//! a silent connection alive.
use crate::{error::Result, runtime::panel::Panel};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};
use serde::Serialize;
use std::{convert::Infallible, time::Duration};

/// One event: its id to resume from, its name, its JSON.
pub fn event(id: &str, name: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name).id(id);
    event.json_data(data).unwrap_or_else(|_| Event::default().comment("an event that can't be written"))
}

/// The id of the last event that the client saw: `Last-Event-ID`, or `?after=` on the first connection.
pub fn last_seen(headers: &HeaderMap, after: Option<&str>) -> Option<String> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    header.or(after).map(str::to_string).filter(|id| !id.is_empty() && id.len() <= 4096)
}

/// Sends events until the stream ends or the panel stops. An error ends the stream; the client comes back by itself.
pub fn stream(panel: &Panel, events: impl Stream<Item = Result<Event>> + Send + 'static) -> Response {
    let stop = panel.stop.clone();
    let events = events
        .take_while(|event| std::future::ready(event.is_ok()))
        .filter_map(|event| std::future::ready(event.ok().map(Ok::<_, Infallible>)));
    let sse = Sse::new(Box::pin(events).take_until(stop.cancelled_owned())).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    // A proxy in front must not hold lines back.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    ([unbuffered, (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], sse).into_response()
}
