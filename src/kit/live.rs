//! What islands share: typed streams of server-sent events. An island starts from what the server rendered, hears every later state
//! through one of these, and never posts. The server names its events (`state`, `line`), puts the JSON of a type into each, gives it
//! an id, and says `end` when nothing will follow (with some data: browsers swallow an event without). Islands of one page that hear
//! the same address share one connection. A stream that is taken up again names the last id that it heard (`Last-Event-ID`, or
//! `last_event_id=` in the query), so that nothing is missed and nothing comes twice.
use super::side;
use leptos::prelude::*;
use serde::de::DeserializeOwned;

/// What the transport tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The stream stands.
    Open,
    /// One event's id and data.
    Event(String, String),
    /// The stream broke; it will be taken up again.
    Lost,
    /// The server has nothing more to say.
    Ended,
}

/// How a stream stands, for the small word beside what it keeps fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// Nothing was heard yet: the page shows what the server rendered.
    Waiting,
    /// What is shown is what is.
    Live,
    /// What is shown may be old; a new connection is being tried.
    Lost,
    /// Nothing will change any more.
    Ended,
}

/// Hears the events of one `kind` at `url` and hands each on with its id. Starts when the island wakes; on the server it only says
/// [`Line::Waiting`].
pub fn events<T: DeserializeOwned + 'static>(
    url: impl Into<String>,
    kind: &'static str,
    mut on: impl FnMut(String, T) + 'static,
) -> ReadSignal<Line> {
    let (line, set_line) = signal(Line::Waiting);
    let url = url.into();
    let mut start = Some(move || {
        side::listen(url, kind, move |heard| match heard {
            Heard::Open => set_line.set(Line::Live),
            Heard::Lost => set_line.set(Line::Lost),
            Heard::Ended => set_line.set(Line::Ended),
            Heard::Event(id, data) => match serde_json::from_str(&data) {
                Ok(value) => on(id, value),
                Err(why) => leptos::logging::error!("an event of an unknown shape: {why}"),
            },
        });
    });
    Effect::new(move |_| {
        if let Some(start) = start.take() {
            start();
        }
    });
    line
}

/// A clock for islands: begins at the server's moment and ticks once a second in the browser, whatever the browser's own clock says.
pub fn ticking(now: crate::units::Timestamp) -> ReadSignal<crate::units::Timestamp> {
    let (at, set_at) = signal(now);
    Effect::new(move |_| {
        side::every_second(move || set_at.set(now + side::page_age()));
    });
    at
}

/// Says, beside what a stream keeps fresh, that it is not fresh now. Says nothing while all is well.
#[component]
pub fn LineState(
    /// What [`events`] returned.
    line: ReadSignal<Line>,
) -> impl IntoView {
    view! {
        <span class="text-small text-warning-text" role="status">
            {move || (line.get() == Line::Lost).then_some("Connection lost, trying again")}
        </span>
    }
}
