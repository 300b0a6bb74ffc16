//! The walls around this machine's containers, kept by this process where the engine is this machine's. What they are stands in
//! [`crate::agent`], which another machine runs by itself.
use crate::{
    agent::{self, WallStatus},
    runtime::{loops::Loop, panel::Panel, swarms::engine},
};
use futures::FutureExt;
use std::sync::Arc;

/// The keeper.
pub const LOOP: Loop = Loop::endless("walls", "it changes the packet filter of the machine that it runs on", |panel| keep(panel).boxed());

async fn keep(panel: Arc<Panel>) {
    let config = &panel.config;
    let why = if !config.walls.keep {
        "walls.keep is off"
    } else if !config.swarm.endpoint.starts_with("unix:") {
        "the engine is another machine’s"
    } else if let Ok(engine) = engine(config) {
        return agent::keep(engine, config.wall_settings(), panel.walls.clone(), panel.stop.clone()).await;
    } else {
        "the engine’s address is wrong"
    };
    panel.walls.note(WallStatus::Elsewhere(why.into()));
}
