//! What the engine says of itself, and the machines of its swarm.
use super::*;
use bollard::models;
use std::net::Ipv4Addr;

/// The network through which published ports reach the tasks.
pub(super) const GATEWAY: &str = "docker_gwbridge";
/// Its option that says on which address of the host ports are opened.
pub(super) const BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";

/// What is known of the engine that we speak to.
#[derive(Debug, Clone, Default)]
pub(super) struct Here {
    /// Its node id within the swarm.
    pub node: Option<String>,
    /// The address on which its published ports are opened, where that is one address.
    pub binding: Option<IpAddr>,
}

impl Engine {
    pub(super) async fn read_facts(&self) -> Result<Facts> {
        let info = self.call("asking the engine for its facts", |d| async move { d.info().await }).await?;
        let api_version = self.client().await?.client_version().to_string();
        let swarm = info.swarm.unwrap_or_default();
        let node = swarm.node_id.filter(|id| !id.is_empty());
        let manages = swarm.control_available == Some(true);
        Ok(Facts {
            engine_version: info.server_version.unwrap_or_default(),
            api_version,
            swarm: swarm.cluster.and_then(|c| c.id).filter(|id| manages && !id.is_empty()),
            node,
            cpus: info.ncpu.unwrap_or_default().try_into().unwrap_or_default(),
            memory: Bytes(info.mem_total.unwrap_or_default().max(0) as u64),
        })
    }

    /// The engine's own node and the address of its ports, believed for half a minute.
    pub(super) async fn here(&self) -> Result<Here> {
        let known = self.shared.here.lock().expect("nobody panics with it").clone();
        if let Some((read, here)) = known
            && read.elapsed() < BELIEVED
        {
            return Ok(here);
        }
        let (facts, binding) = tokio::join!(self.read_facts(), self.gateway_binding());
        let here = Here { node: facts?.node, binding: binding? };
        *self.shared.here.lock().expect("nobody panics with it") = Some((Instant::now(), here.clone()));
        Ok(here)
    }

    /// The address on which the gateway bridge opens ports; none where it is all of them, or where there is no bridge yet.
    pub(super) async fn gateway_binding(&self) -> Result<Option<IpAddr>> {
        let bridge = self.call("looking at the gateway bridge", |d| async move { d.inspect_network(GATEWAY, None).await }).await;
        let options = match bridge {
            Ok(bridge) => bridge.options.unwrap_or_default(),
            Err(SwarmError::NotFound(_)) => return Ok(None),
            Err(why) => return Err(why),
        };
        let address = options.get(BINDING).and_then(|a| a.parse::<IpAddr>().ok());
        Ok(address.filter(|a| !a.is_unspecified()))
    }

    pub(super) async fn read_nodes(&self) -> Result<Vec<Node>> {
        let (here, nodes) = tokio::join!(self.here(), self.list_nodes());
        let here = here?;
        Ok(nodes?.into_iter().map(|n| node(n, &here)).collect())
    }

    pub(super) async fn list_nodes(&self) -> Result<Vec<models::Node>> {
        self.call("listing the nodes", |d| async move { d.list_nodes(None::<bollard::query_parameters::ListNodesOptions>).await }).await
    }
}

/// A node as the API tells it, in our words.
pub(super) fn node(node: models::Node, here: &Here) -> Node {
    let address = address(&node, here).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let ready = is_here(&node) && node.spec.as_ref().and_then(|s| s.availability) == Some(models::NodeSpecAvailabilityEnum::ACTIVE);
    let description = node.description.unwrap_or_default();
    let resources = description.resources.unwrap_or_default();
    Node {
        id: node.id.unwrap_or_default(),
        hostname: description.hostname.unwrap_or_default(),
        address,
        manager: node.manager_status.is_some(),
        ready,
        cpu: MilliCpu((resources.nano_cpus.unwrap_or_default() / 1_000_000).try_into().unwrap_or_default()),
        memory: Bytes(resources.memory_bytes.unwrap_or_default().max(0) as u64),
        labels: node.spec.and_then(|s| s.labels).unwrap_or_default().into_iter().collect(),
    }
}

/// Whether the node's heartbeats arrive.
pub(super) fn is_here(node: &models::Node) -> bool {
    node.status.as_ref().and_then(|s| s.state) == Some(models::NodeState::READY)
}

/// Where the node's published ports are reached.
pub(super) fn address(node: &models::Node, here: &Here) -> Option<IpAddr> {
    if node.id.is_some() && node.id == here.node && here.binding.is_some() {
        return here.binding;
    }
    let told = node.status.as_ref().and_then(|s| s.addr.as_deref());
    // A leader of old engines calls itself 0.0.0.0; its manager's address is right.
    let manager = node.manager_status.as_ref().and_then(|m| m.addr.as_deref()).and_then(|a| a.rsplit_once(':')).map(|(host, _)| host);
    [told, manager].into_iter().flatten().filter_map(|a| a.trim_matches(['[', ']']).parse::<IpAddr>().ok()).find(|a| !a.is_unspecified())
}
