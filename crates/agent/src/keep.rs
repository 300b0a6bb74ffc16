//! Keeps the walls up: looks at them every 30 seconds, puts them up where they are not as they should be, and says what it found.
//! Where they can't be put up, the node takes no new tasks until they can.
use super::{
    Facts, Ruleset, Tables,
    facts::is_privileged,
    rules::{is_up, removal, rules},
};
use ipnet::IpNet;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use swarm::{SwarmError, docker::Engine};
use tokio_util::sync::CancellationToken;

/// How often the walls are looked at.
pub const EVERY: Duration = Duration::from_secs(30);
/// The same while something is wrong, or the machines are not known yet.
const SOON: Duration = Duration::from_secs(3);

/// How the walls of this machine stand, as far as this process knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WallStatus {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// This process does not keep them: a phrase that says why.
    Elsewhere(String),
    Up,
    /// A sentence that says what is wrong.
    Down(String),
}

/// What a look at the walls led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pass {
    /// They stood.
    Stood,
    /// They were put up; what was wrong, a phrase each.
    Raised(Vec<String>),
}

/// Puts walls up and watches them.
pub struct Keeper<T> {
    tables: T,
}

impl<T: Tables> Keeper<T> {
    /// A keeper of these tables.
    pub fn new(tables: T) -> Self {
        Keeper { tables }
    }

    /// What is wrong with the walls, a phrase each; nothing where they stand. Changes nothing.
    pub async fn look(&self, facts: &Facts) -> Result<Vec<String>, String> {
        let mut faults = Vec::new();
        for family in self.tables.families() {
            let found = rules(facts, family).faults(&self.tables.list(family).await?);
            faults.extend(found.into_iter().map(|fault| format!("{family:?}: {fault}")));
        }
        Ok(faults)
    }

    /// Whether any walls stand, be it those that these facts ask for or others.
    pub async fn is_up(&self) -> Result<bool, String> {
        for family in self.tables.families() {
            if !is_up(&self.tables.list(family).await?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes sure that the walls stand. A family that fails does not keep the other from being put up.
    pub async fn pass(&self, facts: &Facts) -> Result<Pass, String> {
        let (mut raised, mut failed) = (Vec::new(), Vec::new());
        for family in self.tables.families() {
            match self.raise(&rules(facts, family), family).await {
                Ok(faults) => raised.extend(faults.into_iter().map(|fault| format!("{family:?}: {fault}"))),
                Err(why) => failed.push(why),
            }
        }
        match (failed.is_empty(), raised.is_empty()) {
            (false, _) => Err(failed.join(" ")),
            (true, true) => Ok(Pass::Stood),
            (true, false) => Ok(Pass::Raised(raised)),
        }
    }

    async fn raise(&self, wanted: &Ruleset, family: super::Family) -> Result<Vec<String>, String> {
        let standing = self.tables.list(family).await?;
        let faults = wanted.faults(&standing);
        if faults.is_empty() {
            return Ok(faults);
        }
        self.tables.restore(family, &wanted.script(&standing)).await?;
        // The kernel has the last word about what stands.
        match wanted.faults(&self.tables.list(family).await?) {
            left if left.is_empty() => Ok(faults),
            left => Err(format!("The rules of {family:?} were taken and are not there: {}.", left.join(", "))),
        }
    }

    /// Takes the walls down, for a machine that leaves the platform.
    pub async fn remove(&self) -> Result<(), String> {
        for family in self.tables.families() {
            let standing = self.tables.list(family).await?;
            self.tables.restore(family, &removal(&standing)).await?;
        }
        Ok(())
    }
}

/// What an operator says of the walls.
#[derive(Debug, Clone, Default)]
pub struct WallSettings {
    /// Machines that the engine does not tell of.
    pub nodes: Vec<IpNet>,
    pub closed: Vec<IpNet>,
    pub doors: Vec<SocketAddr>,
    /// Whether a node whose walls are down takes no new tasks.
    pub strict: bool,
}

impl WallSettings {
    /// The facts of now; false where the engine did not tell the machines.
    pub async fn facts(&self, engine: &Engine) -> (Facts, bool) {
        let known = engine.neighbours().await;
        let is_known = known.is_ok();
        let own = Facts::of_this_machine();
        let nodes = known.unwrap_or_default().into_iter().map(IpNet::from).chain(self.nodes.iter().copied());
        let facts = Facts { nodes: nodes.collect(), closed: self.closed.clone(), doors: self.doors.clone(), ..own };
        (facts.tidy(), is_known)
    }
}

/// Keeps the walls of this machine until the token is cancelled, and notes how they stand.
pub async fn keep(engine: Engine, asked: WallSettings, walls: Walls, stop: CancellationToken) {
    let tell = |standing| walls.note(standing);
    if !is_privileged() {
        let why = "this process may not change the packet filter (CAP_NET_ADMIN)";
        tracing::warn!("the walls of this machine are not kept here: {why}; let `skypanel agent` run as root");
        tell(WallStatus::Elsewhere(why.into()));
        return;
    }
    let keeper = Keeper::new(super::Iptables);
    let mut before = WallStatus::Unknown;
    let mut last: Option<Facts> = None;
    while !stop.is_cancelled() {
        let (now, is_known) = asked.facts(&engine).await;
        // While the engine is away its machines are those that it told last.
        let facts = if is_known { now } else { last.clone().unwrap_or(now) };
        // After a start of ours before the engine's: the walls of an earlier life know more machines than we do, and are left as they are.
        let stands_anyhow = !is_known && last.is_none() && keeper.is_up().await.unwrap_or(false);
        let standing = match if stands_anyhow { Ok(Pass::Stood) } else { keeper.pass(&facts).await } {
            Ok(Pass::Stood) => WallStatus::Up,
            Ok(Pass::Raised(faults)) => {
                if last.as_ref() == Some(&facts) {
                    tracing::warn!("somebody changed the walls of this machine, and they were put up again: {}", faults.join(", "));
                } else {
                    tracing::info!(machines = facts.nodes.len(), "the walls of this machine are up");
                }
                WallStatus::Up
            }
            Err(why) => WallStatus::Down(why),
        };
        last = if is_known { Some(facts) } else { last };
        if let WallStatus::Down(why) = &standing
            && before != standing
        {
            tracing::error!("THE WALLS OF THIS MACHINE ARE DOWN, containers may reach it and each other: {why}");
        }
        if asked.strict {
            hold(&engine, matches!(standing, WallStatus::Down(_))).await;
        }
        let pause = if standing == WallStatus::Up && is_known { EVERY } else { SOON };
        if before != standing {
            tell(standing.clone());
            before = standing;
        }
        tokio::select! { () = tokio::time::sleep(pause) => {}, () = stop.cancelled() => {} }
    }
}

async fn hold(engine: &Engine, is_down: bool) {
    match engine.hold_node(is_down).await {
        Ok(true) if is_down => tracing::error!("this node takes no new tasks until its walls stand"),
        Ok(true) => tracing::info!("this node takes tasks again"),
        Ok(false) | Err(SwarmError::Unreachable(_)) => {}
        Err(why) => tracing::warn!("this node's availability can’t be changed: {why}"),
    }
}

/// How the walls of this machine stand, for whoever asks.
#[derive(Debug, Default, Clone)]
pub struct Walls(Arc<Mutex<WallStatus>>);

impl Walls {
    /// What was last seen.
    pub fn standing(&self) -> WallStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what was seen.
    pub fn note(&self, standing: WallStatus) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, fake::Fake};

    fn facts(node: &str) -> Facts {
        Facts { nodes: vec![node.parse().unwrap()], ..Facts::of_this_machine() }.tidy()
    }

    #[tokio::test]
    async fn walls_are_put_up_once_and_again_when_somebody_takes_them_down() {
        let (tables, facts) = (Fake::default(), facts("10.0.0.2/32"));
        let keeper = Keeper::new(tables.clone());
        assert!(matches!(keeper.pass(&facts).await, Ok(Pass::Raised(_))));
        assert_eq!(keeper.pass(&facts).await, Ok(Pass::Stood));
        assert_eq!(tables.restores(), 2, "one for each family, and none on the second look");
        tables.flush();
        assert!(!keeper.is_up().await.unwrap());
        assert!(matches!(keeper.pass(&facts).await, Ok(Pass::Raised(_))));
        assert!(keeper.look(&facts).await.unwrap().is_empty());
        tables.insert(Family::V4, "FORWARD", "-j ACCEPT");
        assert_eq!(keeper.pass(&facts).await, Ok(Pass::Raised(vec!["V4: FORWARD has other rules before SKYPANEL-FWD".into()])));
        tables.insert(Family::V6, "SKYPANEL-IN", "-j RETURN");
        assert_eq!(keeper.pass(&facts).await, Ok(Pass::Raised(vec!["V6: SKYPANEL-IN differs".into()])));
        let jumps = tables.list(Family::V4).await.unwrap().into_iter().filter(|line| line == "-A FORWARD -j SKYPANEL-FWD");
        assert_eq!(jumps.count(), 1, "jumps do not pile up");
    }

    #[tokio::test]
    async fn a_node_that_joins_is_walled_in() {
        let keeper = Keeper::new(Fake::default());
        keeper.pass(&facts("10.0.0.2/32")).await.unwrap();
        let more = facts("10.0.0.3/32");
        assert_eq!(keeper.look(&more).await.unwrap().len(), 1);
        assert!(matches!(keeper.pass(&more).await, Ok(Pass::Raised(_))));
        assert_eq!(keeper.pass(&more).await, Ok(Pass::Stood));
    }

    #[tokio::test]
    async fn what_can_not_be_put_up_is_said_and_what_stands_is_removed_whole() {
        let tables = Fake::default();
        let keeper = Keeper::new(tables.clone());
        tables.fail(Some("iptables refused: Permission denied."));
        let why = keeper.pass(&facts("10.0.0.2/32")).await.unwrap_err();
        assert!(why.contains("Permission denied"), "{why}");
        tables.fail(None);
        keeper.pass(&facts("10.0.0.2/32")).await.unwrap();
        keeper.remove().await.unwrap();
        assert!(tables.list(Family::V4).await.unwrap().is_empty());
        keeper.remove().await.unwrap();
    }
}
