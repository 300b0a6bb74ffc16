//! A deployment as a stream: every line of its log in order, resumed by number, and its state whenever that changes. The stream ends
//! when the deployment is final and all was sent.
use crate::{
    deployments::{model::Deployment, server::service},
    error::Result,
    id::DeploymentId,
    runtime::changes::{ChangeBus, Changed},
    web::{ctx::Ctx, sse},
};
use axum::response::sse::Event;
use futures::Stream;
use std::{collections::VecDeque, time::Duration};

/// Lines that are read at once.
const BATCH: u64 = 500;

struct Watch {
    ctx: Ctx,
    id: DeploymentId,
    listener: tokio::sync::broadcast::Receiver<Changed>,
    after: i64,
    shown: Option<Deployment>,
    ready: VecDeque<Event>,
    over: bool,
}

/// Events `line` (with the line's number as id), `state` and at last `end`.
pub async fn events(ctx: &Ctx, id: &DeploymentId, after: i64) -> Result<impl Stream<Item = Result<Event>> + use<>> {
    service::get(ctx, id).await?;
    let listener = ctx.panel.changes.listen();
    let watch = Watch { ctx: ctx.clone(), id: id.clone(), listener, after, shown: None, ready: VecDeque::new(), over: false };
    Ok(futures::stream::unfold(watch, async |mut watch| {
        loop {
            if let Some(event) = watch.ready.pop_front() {
                return Some((Ok(event), watch));
            }
            if watch.over {
                return None;
            }
            if let Err(why) = watch.look().await {
                watch.over = true;
                return Some((Err(why), watch));
            }
        }
    }))
}

impl Watch {
    /// Gathers what is new, or waits for it.
    async fn look(&mut self) -> Result<()> {
        // The state first: once it is final no line follows that is not there already.
        let mut state = service::get(&self.ctx, &self.id).await?;
        state.dossier = None;
        let lines = service::lines(&self.ctx, &self.id, self.after, BATCH).await?;
        for line in &lines {
            self.after = line.seq;
            self.ready.push_back(sse::event(&line.seq.to_string(), "line", line));
        }
        let all_read = (lines.len() as u64) < BATCH;
        if self.shown.as_ref() != Some(&state) && all_read {
            self.ready.push_back(sse::event(&self.after.to_string(), "state", &state));
            self.shown = Some(state.clone());
        }
        if state.phase.is_final() && all_read {
            self.ready.push_back(sse::event(&self.after.to_string(), "end", &state.phase));
            self.over = true;
        }
        if self.ready.is_empty() {
            let id = self.id.clone();
            ChangeBus::wait(&mut self.listener, Duration::from_secs(2), move |what| *what == Changed::Deployment(id.clone())).await;
        }
        Ok(())
    }
}
