//! What the walls of a machine need of its engine: who the other machines are, and that no new tasks come while the walls are down.
use super::{
    nodes::{BINDING, GATEWAY},
    *,
};
use bollard::{
    models::{NodeSpec, NodeSpecAvailabilityEnum},
    query_parameters::UpdateNodeOptionsBuilder,
};

/// The label of a node that we, and not the operator, have paused.
const HELD: &str = "skypanel.walls";

/// The gateway bridge as it is, for who looks after a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// There is none: no swarm has begun.
    Missing,
    /// Ports are opened on one address.
    Bound(IpAddr),
    /// Ports are opened on every address of the machine.
    Open,
}

impl Engine {
    /// The addresses of the machines of the swarm, as far as this engine knows them: a manager knows all, a worker itself and the managers.
    pub async fn neighbours(&self) -> Result<Vec<IpAddr>> {
        let info = self.call("asking the engine for its swarm", |d| async move { d.info().await }).await?;
        let swarm = info.swarm.unwrap_or_default();
        let mut found: Vec<IpAddr> = swarm.node_addr.iter().filter_map(|address| address.parse().ok()).collect();
        let managers = swarm.remote_managers.unwrap_or_default().into_iter().filter_map(|peer| peer.addr);
        found.extend(managers.filter_map(|address| Some(address.parse::<std::net::SocketAddr>().ok()?.ip())));
        if swarm.control_available == Some(true) {
            // The address as others have it, not the one that its ports are bound to.
            let nodes = self.list_nodes().await?;
            found.extend(nodes.iter().filter_map(|node| nodes::address(node, &nodes::Here::default())));
        }
        found.retain(|address| !address.is_unspecified());
        Ok(found)
    }

    /// Pauses this engine's node, so that no new tasks come to it, or ends a pause that was ours. What the operator set himself
    /// stays. Says whether something changed; an engine that is no manager can't change anything.
    pub async fn hold_node(&self, is_held: bool) -> Result<bool> {
        let info = self.call("asking the engine for its swarm", |d| async move { d.info().await }).await?;
        let swarm = info.swarm.unwrap_or_default();
        let Some(id) = swarm.node_id.filter(|id| !id.is_empty() && swarm.control_available == Some(true)) else { return Ok(false) };
        let name = id.clone();
        let node = self.call("looking at this node", |d| async move { d.inspect_node(&name).await }).await?;
        let mut spec: NodeSpec = node.spec.unwrap_or_default();
        let labels = spec.labels.get_or_insert_default();
        let is_ours = labels.contains_key(HELD);
        let is_active = spec.availability == Some(NodeSpecAvailabilityEnum::ACTIVE);
        match (is_held, is_ours) {
            (true, false) if is_active => {
                labels.insert(HELD.into(), "down".into());
                spec.availability = Some(NodeSpecAvailabilityEnum::PAUSE);
            }
            (false, true) => {
                labels.remove(HELD);
                if spec.availability == Some(NodeSpecAvailabilityEnum::PAUSE) {
                    spec.availability = Some(NodeSpecAvailabilityEnum::ACTIVE);
                }
            }
            _ => return Ok(false),
        }
        let version = node.version.and_then(|version| version.index).unwrap_or_default();
        let options = UpdateNodeOptionsBuilder::new().version(i64::try_from(version).unwrap_or_default()).build();
        self.call("changing this node's availability", |d| async move { d.update_node(&id, spec, options).await }).await?;
        Ok(true)
    }

    /// The gateway bridge as it is.
    pub async fn gateway(&self) -> Result<Gateway> {
        match self.call("looking at the gateway bridge", |d| async move { d.inspect_network(GATEWAY, None).await }).await {
            Ok(bridge) => {
                let binding = bridge.options.unwrap_or_default().get(BINDING).and_then(|address| address.parse::<IpAddr>().ok());
                Ok(binding.filter(|address| !address.is_unspecified()).map_or(Gateway::Open, Gateway::Bound))
            }
            Err(SwarmError::NotFound(_)) => Ok(Gateway::Missing),
            Err(why) => Err(why),
        }
    }

    /// Makes the gateway bridge of a machine that is about to join a swarm, so that its tasks' ports open on one address. Refuses
    /// where the machine is in a swarm already: its bridge can't be changed any more.
    pub async fn prepare(&self, address: IpAddr) -> Result<()> {
        let info = self.call("asking the engine for its swarm", |d| async move { d.info().await }).await?;
        if info.swarm.and_then(|swarm| swarm.node_id).is_some_and(|id| !id.is_empty()) && self.gateway().await? != Gateway::Bound(address) {
            return Err(SwarmError::Refused(
                "this machine is in a swarm already; drain it, let it leave, prepare it, and let it join again".into(),
            ));
        }
        self.bind_gateway(address).await
    }
}
