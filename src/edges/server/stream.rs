//! The stream that an edge listens to: what is live when it comes, and every change from then on, a line each. It never holds more than
//! one look's worth of lines: an edge that reads slowly gets several changes at once, or everything anew.
use super::service;
use crate::edges::server::distribution::EdgeDistribution;
use crate::orgs::server::ROUTES;
use crate::{
    edge::remote::{Control, End, HEARTBEAT},
    edges::server::distribution::{Listener, Live, line},
    error::Result,
    runtime::panel::Panel,
    store::tables::edge,
};
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use std::{collections::VecDeque, convert::Infallible, sync::Arc};
use tokio::sync::watch;

/// What the lines are.
pub const KIND: &str = "application/x-ndjson";

/// What an edge has already.
#[derive(Debug, Clone, Default)]
pub struct Has {
    pub version: u64,
    pub digest: String,
}

struct Following {
    panel: Arc<Panel>,
    listener: Listener,
    live: watch::Receiver<Arc<Live>>,
    /// The digest of what was sent last, and what that was.
    digest: String,
    sent: Arc<Live>,
    lines: VecDeque<Bytes>,
    is_over: bool,
}

/// Opens an edge's stream.
pub fn open(panel: &Arc<Panel>, edge: &edge::Model, has: Has) -> Response {
    let mut live = panel.of::<EdgeDistribution>().listen();
    let listener = panel.of::<EdgeDistribution>().open(&edge.id.to_string(), &edge.token_hash);
    panel.of::<EdgeDistribution>().heard_of(has.version);
    let now = live.borrow_and_update().clone();
    if has.version > now.version || now.version == 0 {
        // Another panel told it more, or this one has not looked yet.
        panel.wake(ROUTES);
    }
    let lines = if now.version > 0 { now.since(&has.digest, has.version).into() } else { VecDeque::from([now.now()]) };
    let digest = if now.version > 0 { now.digest.clone() } else { has.digest };
    let following = Following { panel: panel.clone(), listener, live, digest, sent: now, lines, is_over: false };
    let body = futures::stream::unfold(following, |mut it| async move {
        let line = it.next().await?;
        Some((Ok::<_, Infallible>(line), it))
    });
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(KIND)), (header::CACHE_CONTROL, HeaderValue::from_static("no-store")), unbuffered];
    (headers, Body::from_stream(body)).into_response()
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.is_over {
                return None;
            }
            let stop = self.panel.stop.clone();
            tokio::select! {
                biased;
                end = self.listener.ended() => self.end(end),
                () = stop.cancelled() => self.end(End::Stopping),
                changed = self.live.changed() => match changed {
                    Ok(()) => self.look(),
                    Err(_) => self.end(End::Stopping),
                },
                () = tokio::time::sleep(HEARTBEAT) => self.lines.push_back(self.sent.now()),
            }
        }
    }

    fn look(&mut self) {
        let live = self.live.borrow_and_update().clone();
        self.lines.extend(live.since(&self.digest, self.sent.version));
        self.digest.clone_from(&live.digest);
        self.sent = live;
    }

    fn end(&mut self, reason: End) {
        let message = match reason {
            End::Revoked => "The operator revoked this edge’s token, or gave it a new one.",
            End::Stopping => "The panel is stopping.",
            End::Replaced => "The same edge opened another stream. Is its token used twice?",
        };
        self.lines.push_back(line(&Control::<&serde_json::value::RawValue>::End { reason, message: message.into() }));
        self.is_over = true;
    }
}

/// Ends the streams of edges whose tokens are good no longer. Says how many.
pub async fn sweep(panel: &Panel) -> Result<usize> {
    let open = panel.of::<EdgeDistribution>().listeners();
    let good = service::still_good(panel, &open).await?;
    let over: Vec<_> = open.iter().filter(|(edge, _)| !good.contains(edge)).collect();
    over.iter().for_each(|(edge, _)| panel.of::<EdgeDistribution>().cut(edge));
    Ok(over.len())
}
