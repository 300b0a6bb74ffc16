//! The engine's events, as wake-ups. The manager tells of services and nodes, the engine of its own containers; none carries a
//! state, because whoever is woken looks for herself.
//!
//! The engine speaks before the manager knows: a container starts, and only some hundred milliseconds later its task is running.
//! What a container tells is therefore echoed twice, so that whoever looked too early is woken again.
use super::*;
use bollard::{
    models::{EventMessage, EventMessageTypeEnum as Type},
    query_parameters::EventsOptionsBuilder,
};
use futures::{StreamExt, stream};
use std::collections::VecDeque;

/// The kinds of events that mean that something may be different now. Health checks alone would fill the line with `exec_…`.
const HEARD: [(&str, &str); 10] = [
    ("type", "service"),
    ("type", "node"),
    ("type", "container"),
    ("event", "create"),
    ("event", "update"),
    ("event", "remove"),
    ("event", "start"),
    ("event", "die"),
    ("event", "oom"),
    ("event", "health_status"),
];

impl Engine {
    pub(super) async fn follow_events(&self) -> Result<BoxStream<'static, Event>> {
        // The stream begins with its first poll; the engine keeps its latest events and repeats them from the moment of this
        // call, so none falls between. An engine that is away is an error here and not a stream without events.
        let begun = self.call("asking the engine for its time", |d| async move { d.info().await }).await?.system_time;
        let since = begun.and_then(|t| logs::nanos(&t)).map(|n| format!("{}.{:09}", n / 1_000_000_000, n % 1_000_000_000));
        let mut options = EventsOptionsBuilder::default().filters(&filters(HEARD));
        if let Some(since) = since {
            options = options.since(&since);
        }
        let options = options.build();
        let raw = self.patient_client(CALL).await?.events(Some(options));
        let heard = raw.take_while(|e| std::future::ready(e.is_ok())).filter_map(|e| std::future::ready(e.ok()));
        let echoing = Echoing { heard: heard.flat_map(|e| stream::iter(events(e))).boxed(), echoes: VecDeque::new() };
        Ok(stream::unfold(echoing, |mut e| async move { e.next().await.map(|event| (event, e)) }).boxed())
    }
}

/// How long after a container's word the manager surely knows; once for the quick, once for the slow.
const ECHOES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(1500)];
/// Echoes that are nearer to each other are one.
const NEAR: Duration = Duration::from_millis(100);

/// Events and their echoes.
struct Echoing {
    heard: BoxStream<'static, Event>,
    /// What is to be said again, and when; in order, and nothing twice at nearly the same time.
    echoes: VecDeque<(Instant, Event)>,
}

impl Echoing {
    async fn next(&mut self) -> Option<Event> {
        let due = self.echoes.front().map(|(at, _)| *at);
        let wait = async {
            match due {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = wait => self.echoes.pop_front().map(|(_, event)| event),
            event = self.heard.next() => {
                if let Some(told @ Event::Service { app: Some(_) }) = &event {
                    self.echo(told);
                }
                event
            }
        }
    }

    fn echo(&mut self, event: &Event) {
        for delay in ECHOES {
            let at = Instant::now() + delay;
            let is_covered = |(other, e): &(Instant, Event)| e == event && at.saturating_duration_since(*other) < NEAR;
            if !self.echoes.iter().any(is_covered) {
                let place = self.echoes.partition_point(|(other, _)| *other <= at);
                self.echoes.insert(place, (at, event.clone()));
            }
        }
    }
}

fn events(message: EventMessage) -> Vec<Event> {
    let actor = message.actor.unwrap_or_default();
    let attributes = actor.attributes.unwrap_or_default();
    match message.typ {
        Some(Type::NODE) => vec![Event::Node],
        Some(Type::SERVICE) => vec![Event::Service { app: None }],
        Some(Type::CONTAINER) if attributes.contains_key(OURS) => {
            let woken = Event::Service { app: attributes.get(LABEL_APP).cloned() };
            match (message.action.as_deref(), actor.id) {
                (Some("oom"), Some(container)) => vec![Event::OutOfMemory { container }, woken],
                _ => vec![woken],
            }
        }
        _ => vec![],
    }
}
