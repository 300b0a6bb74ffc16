//! The overlays of organizations. The subnet is always ours to choose: Docker's own pools run out after thirty networks.
use super::*;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};

impl Engine {
    pub(super) async fn make_network(&self, spec: &NetworkSpec) -> Result<()> {
        let request = NetworkCreateRequest {
            name: spec.name.clone(),
            driver: Some("overlay".into()),
            scope: Some("swarm".into()),
            // Programs that run once join it too.
            attachable: Some(true),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig { subnet: Some(spec.subnet.clone()), ..Default::default() }]),
                ..Default::default()
            }),
            labels: Some(marked(&spec.labels)),
            ..Default::default()
        };
        let made = self.call("creating a network", |d| async move { d.create_network(request).await }).await;
        match made {
            Ok(_) => Ok(()),
            Err(SwarmError::Conflict(_)) => self.race(|| self.same_network(spec)).await,
            // Some engines say "already exists" with a 403; a race for the name has words of its own.
            Err(SwarmError::Refused(words)) if ["already exists", "name conflicts"].iter().any(|w| words.contains(w)) => {
                self.race(|| self.same_network(spec)).await
            }
            Err(why) => Err(why),
        }
    }

    async fn same_network(&self, spec: &NetworkSpec) -> Result<()> {
        let there =
            self.find_network(&spec.name).await?.ok_or_else(|| SwarmError::Conflict(format!("network {} was removed", spec.name)))?;
        if !is_ours(&there) {
            return Err(SwarmError::Refused(format!("a network {} exists and is not ours", spec.name)));
        }
        let subnets: Vec<_> = there.ipam.and_then(|i| i.config).unwrap_or_default().into_iter().filter_map(|c| c.subnet).collect();
        if subnets.contains(&spec.subnet) {
            return Ok(());
        }
        // Swarm gives a network its subnet a moment after its name.
        if subnets.is_empty() {
            return Err(SwarmError::Conflict(format!("network {} is only just being made", spec.name)));
        }
        Err(SwarmError::Refused(format!("network {} exists with subnet {}, not {}", spec.name, subnets.join(", "), spec.subnet)))
    }

    pub(super) async fn drop_network(&self, name: &str) -> Result<()> {
        match self.find_network(name).await? {
            None => Ok(()),
            Some(there) if !is_ours(&there) => Err(SwarmError::Refused(format!("network {name} is not ours"))),
            Some(there) => {
                let id = there.id.unwrap_or_else(|| name.to_string());
                errors::gone_is_fine(self.call("removing a network", |d| async move { d.remove_network(&id).await }).await)
            }
        }
    }

    async fn find_network(&self, name: &str) -> Result<Option<NetworkInspect>> {
        match self.call("looking at a network", |d| async move { d.inspect_network(name, None).await }).await {
            Ok(there) => Ok(Some(there)),
            Err(SwarmError::NotFound(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

fn is_ours(network: &NetworkInspect) -> bool {
    network.labels.as_ref().is_some_and(|l| l.contains_key(OURS))
}
