//! What only the engine that runs a container knows: its resources, and the ports on which it listens.
use super::*;
use bollard::{
    models::ContainerInspectResponse,
    query_parameters::{InspectContainerOptions, StatsOptionsBuilder},
};
use futures::StreamExt;

impl Engine {
    pub(super) async fn inspect(&self, container: &str) -> Result<ContainerInspectResponse> {
        self.call("looking at a container", |d| async move { d.inspect_container(container, None::<InspectContainerOptions>).await }).await
    }

    pub(super) async fn read_stats(&self, task: &str) -> Result<Stats> {
        let container = self.container_of(task).await?.0.ok_or_else(|| SwarmError::NotFound(format!("container of task {task}")))?;
        let once = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let sample = self.call("sampling a container", |d| async move { d.stats(&container, Some(once)).next().await.transpose() }).await?;
        let sample = sample.ok_or_else(|| SwarmError::NotFound(format!("container of task {task}")))?;
        let memory = sample.memory_stats.unwrap_or_default();
        // The page cache can be taken back at any time; it is no use that anyone should pay for.
        let details = memory.stats.unwrap_or_default();
        let cache = details.get("inactive_file").or_else(|| details.get("total_inactive_file")).copied().unwrap_or_default();
        let networks = sample.networks.unwrap_or_default();
        Ok(Stats {
            cpu_nanos: sample.cpu_stats.and_then(|c| c.cpu_usage?.total_usage).unwrap_or_default(),
            memory: Bytes(memory.usage.unwrap_or_default().saturating_sub(cache)),
            received: Bytes(networks.values().filter_map(|n| n.rx_bytes).sum()),
            sent: Bytes(networks.values().filter_map(|n| n.tx_bytes).sum()),
            pids: sample.pids_stats.and_then(|p| p.current).unwrap_or_default().try_into().unwrap_or_default(),
        })
    }

    pub(super) async fn read_listening(&self, task: &str) -> Result<Option<Vec<u16>>> {
        let (container, node) = self.container_of(task).await?;
        let Some(container) = container.filter(|_| self.shared.endpoint.socket().is_some()) else { return Ok(None) };
        if node != self.here().await?.node {
            return Ok(None);
        }
        let Ok(there) = self.inspect(&container).await else { return Ok(None) };
        let Some(pid) = there.state.and_then(|s| s.pid).filter(|pid| *pid > 0) else { return Ok(None) };
        let read = tokio::task::spawn_blocking(move || read_proc(pid, &container)).await;
        Ok(read.unwrap_or_default())
    }
}

/// The ports on which a container's processes listen, read from its first process. None where that process is not of this
/// machine: a socket may lead elsewhere.
fn read_proc(pid: i64, container: &str) -> Option<Vec<u16>> {
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    cgroup.contains(container).then_some(())?;
    let tables = ["tcp", "tcp6"].map(|t| std::fs::read_to_string(format!("/proc/{pid}/net/{t}")).unwrap_or_default());
    let mut ports: Vec<u16> = tables.iter().flat_map(|t| t.lines().skip(1)).filter_map(listener).collect();
    ports.sort_unstable();
    ports.dedup();
    Some(ports)
}

/// The port of a line of `/proc/net/tcp` that is a listener which others can reach. Loopback does not count: nobody outside
/// reaches it, and Docker's own resolver listens there in every container.
fn listener(line: &str) -> Option<u16> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    (words.nth(1)? == LISTEN).then_some(())?;
    // Addresses are hexadecimal, each word in the machine's order: 127.x.y.z ends with its first byte.
    let loopback = if address.len() == 8 {
        cfg!(target_endian = "little") && address.ends_with("7F")
    } else {
        address == "00000000000000000000000001000000"
    };
    if loopback { None } else { u16::from_str_radix(port, 16).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reachable_listeners_count() {
        let everywhere =
            "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0";
        assert_eq!(listener(everywhere), Some(8080));
        assert_eq!(listener(&everywhere.replace("00000000:1F90", "0B00007F:1F90")), None);
        assert_eq!(listener(&everywhere.replace(" 0A ", " 01 ")), None);
        assert_eq!(listener("   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0"), Some(80));
        assert_eq!(listener("   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0"), None);
    }
}
