//! Looking at the swarms: one look serves every page, stream and loop. Events wake it; a tick makes up for events that were
//! missed.
use crate::clusters::server::SWARMS;
use crate::orgs::server::ROUTES;
use crate::{
    error::Result,
    fault::Because,
    id::{AppId, ProviderId},
    runtime::{
        changes::Changed,
        loops::{Loop, Outcome},
        panel::{Observation, Panel, SwarmView},
    },
    store::tables::provider,
    swarm::{Event, LABEL_APP, Swarm, Task},
};
use futures::{FutureExt, StreamExt};
use sea_orm::EntityTrait;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

/// The look.
pub const LOOP: Loop =
    Loop::new("swarms", Duration::from_secs(10), |panel| pass(panel).boxed()).calm(Duration::from_millis(100)).woken_by(SWARMS);

/// The ear for events.
pub const LISTEN: Loop =
    Loop::endless("events of swarms", "it waits for what swarms say, and a test asks them instead", |panel| listen(panel).boxed());

/// Looks at every swarm once.
pub async fn pass(panel: &Arc<Panel>) -> Result<Outcome> {
    let _one_at_a_time = panel.looking.lock().await;
    let providers = provider::Entity::find().all(panel.db.read()).await.because("looking up providers")?;
    let before = panel.observed.load_full();
    let mut swarms = HashMap::new();
    let mut changed = HashSet::new();
    let mut news = Vec::new();
    for provider in providers.into_iter().filter(|provider| provider.is_enabled) {
        let old = before.swarms.get(&provider.id).cloned().unwrap_or_default();
        let view = match look(panel, &provider).await {
            Ok(seen) => SwarmView { at: panel.now(), reachable: true, ..seen },
            // What was seen last stands: the edge goes on with it, and the page says that it is old.
            Err(why) => {
                if old.reachable {
                    news.push(format!("swarm {} does not answer ({why})", provider.name));
                }
                SwarmView { reachable: false, ..old.clone() }
            }
        };
        if view.reachable && !old.reachable {
            news.push(format!("swarm {} answers", provider.name));
        }
        differences(&old, &view, &mut changed);
        swarms.insert(provider.id, view);
    }
    panel.observed.store(Arc::new(Observation { swarms }));
    panel.wake(ROUTES);
    for app in changed {
        panel.changes.tell(Changed::App(app));
    }
    Ok((!news.is_empty()).then(|| news.join(", ")))
}

async fn look(panel: &Panel, provider: &provider::Model) -> Result<SwarmView> {
    let swarm = panel.swarms.of(panel, &provider.id).await?;
    let (tasks, nodes) =
        tokio::try_join!(swarm.tasks(None), swarm.nodes()).map_err(|why| crate::error::Error::Unavailable(why.to_string()))?;
    let mut by_service: HashMap<String, Vec<Task>> = HashMap::new();
    for task in tasks {
        by_service.entry(task.service.clone()).or_default().push(task);
    }
    Ok(SwarmView { tasks: by_service, nodes, ..Default::default() })
}

fn differences(old: &SwarmView, new: &SwarmView, changed: &mut HashSet<AppId>) {
    let app_of = |tasks: &[Task]| tasks.first().and_then(|task| task.labels.get(LABEL_APP)).and_then(|id| id.parse().ok());
    let services: HashSet<&String> = old.tasks.keys().chain(new.tasks.keys()).collect();
    for service in services {
        let (was, is) = (old.tasks.get(service), new.tasks.get(service));
        if was != is || old.reachable != new.reachable {
            changed.extend(is.or(was).and_then(|tasks| app_of(tasks)));
        }
    }
}

/// Listens to every swarm's events and wakes the look; a stream that breaks is opened again.
#[expect(clippy::disallowed_methods, reason = "one stream for each swarm; each ends with the panel")]
pub async fn listen(panel: Arc<Panel>) {
    let mut open = HashSet::new();
    while !panel.stop.is_cancelled() {
        for (id, swarm) in panel.swarms.known() {
            if open.insert(id.clone()) {
                tokio::spawn(follow(panel.clone(), id, swarm));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = panel.stop.cancelled() => {}
        }
    }
}

async fn follow(panel: Arc<Panel>, id: ProviderId, swarm: Arc<dyn Swarm>) {
    let mut pause = Duration::from_secs(1);
    let mut broke = false;
    while !panel.stop.is_cancelled() {
        if let Ok(mut events) = swarm.events().await {
            if broke {
                panel.note_interruption(&id, Some(panel.now()));
            }
            pause = Duration::from_secs(1);
            // Something may have happened while nobody listened.
            panel.wake(SWARMS);
            loop {
                let event = tokio::select! { event = events.next() => event, () = panel.stop.cancelled() => return };
                match event {
                    Some(Event::OutOfMemory { container }) => {
                        tracing::warn!(%container, "a container ran out of memory");
                        panel.wake(SWARMS);
                    }
                    Some(_) => panel.wake(SWARMS),
                    None => break,
                }
            }
            broke = true;
            panel.note_interruption(&id, None);
            panel.wake(SWARMS);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
    }
}
