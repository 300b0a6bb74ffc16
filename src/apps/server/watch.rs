//! An application as a stream: how it stands and its replicas, whenever that changes. It goes on until the reader leaves, the
//! application is deleted, or she may no longer see it.
use crate::{
    apps::{model::AppState, server::service},
    error::Result,
    id::AppId,
    runtime::changes::{ChangeBus, Changed},
    web::{ctx::Ctx, sse},
};
use axum::response::sse::Event;
use futures::Stream;
use std::time::Duration;

/// How long a change may stay unseen that nobody told of (another panel's, a swarm that fell silent).
const LOOK: Duration = Duration::from_secs(2);

struct Watch {
    ctx: Ctx,
    id: AppId,
    listener: tokio::sync::broadcast::Receiver<Changed>,
    shown: Option<AppState>,
    count: u64,
}

/// How an application stands now.
pub async fn state(ctx: &Ctx, id: &AppId) -> Result<AppState> {
    Ok(AppState { application: service::get(ctx, id).await?, replicas: service::replicas(ctx, id).await? })
}

/// Events `state`, the first at once.
pub async fn events(ctx: &Ctx, id: &AppId) -> Result<impl Stream<Item = Result<Event>> + use<>> {
    state(ctx, id).await?;
    let watch = Watch { ctx: ctx.clone(), id: id.clone(), listener: ctx.panel.changes.listen(), shown: None, count: 0 };
    Ok(futures::stream::unfold(watch, async |mut watch| {
        loop {
            let now = match state(&watch.ctx, &watch.id).await {
                Ok(now) => now,
                Err(why) => return Some((Err(why), watch)),
            };
            if watch.shown.as_ref() != Some(&now) {
                watch.count += 1;
                let event = sse::event(&watch.count.to_string(), "state", &now);
                watch.shown = Some(now);
                return Some((Ok(event), watch));
            }
            let id = watch.id.clone();
            ChangeBus::wait(&mut watch.listener, LOOK, move |what| *what == Changed::App(id.clone())).await;
        }
    }))
}
