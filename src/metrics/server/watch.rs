//! New minutes of an application as a stream: says when the page's numbers are old, and leaves the numbers to the page.
use crate::{
    error::Result,
    id::AppId,
    rights::Action,
    runtime::changes::{ChangeBus, Changed},
    traffic::server::service::Step,
    web::{ctx::Ctx, sse},
};
use axum::response::sse::Event;
use futures::Stream;
use std::time::Duration;

/// How long another panel's numbers may stay unseen.
const LOOK: Duration = Duration::from_secs(60);

struct Watch {
    ctx: Ctx,
    id: AppId,
    minute: i64,
    listener: tokio::sync::broadcast::Receiver<Changed>,
}

/// Events `minute`, at most one a minute, with the beginning of the minute in milliseconds since 1970.
pub async fn events(ctx: &Ctx, id: &AppId) -> Result<impl Stream<Item = Result<Event>> + use<>> {
    ctx.app(id).to(Action::View).await?;
    let minute = Step::Minute.begin(ctx.panel.now().millis());
    let watch = Watch { ctx: ctx.clone(), id: id.clone(), minute, listener: ctx.panel.changes.listen() };
    Ok(futures::stream::unfold(watch, async |mut watch| {
        loop {
            let id = watch.id.clone();
            ChangeBus::wait(&mut watch.listener, LOOK, move |what| matches!(what, Changed::Traffic(apps) if apps.contains(&id))).await;
            // Who may no longer see the application hears no more of it.
            if let Err(why) = watch.ctx.app(&watch.id).to(Action::View).await {
                return Some((Err(why), watch));
            }
            let minute = Step::Minute.begin(watch.ctx.panel.now().millis());
            if minute > watch.minute {
                watch.minute = minute;
                return Some((Ok(sse::event(&minute.to_string(), "minute", &minute)), watch));
            }
        }
    }))
}
