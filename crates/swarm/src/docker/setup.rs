//! Makes a swarm where there is none. The gateway bridge comes first: once a swarm has begun it can't be changed any more, and
//! Docker's own would open the ports of all tasks to the whole world.
use super::{
    nodes::{BINDING, GATEWAY},
    *,
};
use bollard::models::{LocalNodeState, NetworkCreateRequest, SwarmInitRequest, SwarmSpec, SwarmSpecOrchestration};

/// How many ended tasks Swarm keeps per copy: enough for the story of a failure, few enough to list often.
const HISTORY: i64 = 3;
/// Where managers meet.
const PORT: u16 = 2377;

/// What [`Engine::ensure_swarm`] found or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Began {
    /// A swarm of one machine was made.
    Now,
    /// There was one already, and this engine manages it.
    Already {
        /// The address on which its gateway bridge opens ports; none where it is every address, which is open to the world.
        binding: Option<IpAddr>,
    },
}

impl Engine {
    /// Makes sure that the engine manages a swarm. A new one listens and advertises on `address`, and opens the ports of its
    /// tasks there only: loopback on a single machine, the private address where others are to join.
    pub async fn ensure_swarm(&self, address: IpAddr) -> Result<Began> {
        let info = self.call("asking the engine for its swarm", |d| async move { d.info().await }).await?;
        let swarm = info.swarm.unwrap_or_default();
        match swarm.local_node_state.unwrap_or(LocalNodeState::INACTIVE) {
            LocalNodeState::INACTIVE | LocalNodeState::EMPTY => {}
            LocalNodeState::ACTIVE if swarm.control_available == Some(true) => {
                return Ok(Began::Already { binding: self.gateway_binding().await? });
            }
            LocalNodeState::ACTIVE => {
                return Err(SwarmError::Refused("this engine is a worker; the panel needs a manager of the swarm".into()));
            }
            other => return Err(SwarmError::Refused(format!("the engine's swarm is {other}: {}", swarm.error.unwrap_or_default()))),
        }
        self.bind_gateway(address).await?;
        let host = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        };
        let request = SwarmInitRequest {
            listen_addr: Some(format!("{host}:{PORT}")),
            advertise_addr: Some(format!("{host}:{PORT}")),
            spec: Some(SwarmSpec {
                orchestration: Some(SwarmSpecOrchestration { task_history_retention_limit: Some(HISTORY) }),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.call_within(Duration::from_secs(60), "beginning a swarm", |d| async move { d.init_swarm(request).await }).await?;
        *self.shared.here.lock().expect("nobody panics with it") = None;
        Ok(Began::Now)
    }

    /// Makes the gateway bridge as Docker would, but bound to one address.
    pub(super) async fn bind_gateway(&self, address: IpAddr) -> Result<()> {
        match self.call("looking at the gateway bridge", |d| async move { d.inspect_network(GATEWAY, None).await }).await {
            Err(SwarmError::NotFound(_)) => {}
            Err(why) => return Err(why),
            Ok(_) if self.gateway_binding().await? == Some(address) => return Ok(()),
            // Left from an earlier swarm. Removing fails where something is still attached, and its words say so.
            Ok(_) => self.call("removing the old gateway bridge", |d| async move { d.remove_network(GATEWAY).await }).await?,
        }
        let options = [
            ("com.docker.network.bridge.name", GATEWAY.to_string()),
            ("com.docker.network.bridge.enable_ip_masquerade", "true".into()),
            ("com.docker.network.bridge.enable_icc", "false".into()),
            (BINDING, address.to_string()),
        ];
        let request = NetworkCreateRequest {
            name: GATEWAY.into(),
            driver: Some("bridge".into()),
            options: Some(options.into_iter().map(|(k, v)| (k.to_string(), v)).collect()),
            ..Default::default()
        };
        self.call("making the gateway bridge", |d| async move { d.create_network(request).await }).await?;
        Ok(())
    }
}
