//! What only the engine that runs a container knows: its resources, and the ports on which it listens.
use super::*;
use bollard::{
    models::ContainerInspectResponse,
    query_parameters::{InspectContainerOptions, StatsOptionsBuilder},
};
use futures::StreamExt;
use std::net::Ipv4Addr;

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

    pub(super) async fn read_listeners(&self, task: &str) -> Result<Option<Vec<Listener>>> {
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

/// Where a container's processes listen, read from its first process. None where that process is not of this
/// machine: a socket may lead elsewhere.
fn read_proc(pid: i64, container: &str) -> Option<Vec<Listener>> {
    let cgroup = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    cgroup.contains(container).then_some(())?;
    let tables = ["tcp", "tcp6"].map(|t| std::fs::read_to_string(format!("/proc/{pid}/net/{t}")).unwrap_or_default());
    let mut found: Vec<Listener> = tables.iter().flat_map(|t| t.lines().skip(1)).filter_map(listener).collect();
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// The listener in a line of `/proc/net/tcp` or `tcp6`, where it is one. Docker's own resolver, which listens in every container, is left out.
fn listener(line: &str) -> Option<Listener> {
    const LISTEN: &str = "0A";
    const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    (words.nth(1)? == LISTEN).then_some(())?;
    let address = address_of(address)?;
    (address != RESOLVER).then_some(Listener { address, port: u16::from_str_radix(port, 16).ok()? })
}

/// An address as the kernel prints it: hexadecimal, each word of four bytes in the machine's order.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (n, four) in bytes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *four = word(n * 8)?;
            }
            // `::ffff:127.0.0.1` is loopback as much as `127.0.0.1`.
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_with_their_addresses() {
        let told = |address: &str, port: u16| Some(Listener { address: address.parse().unwrap(), port });
        let everywhere =
            "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0";
        assert_eq!(listener(everywhere), told("0.0.0.0", 8080));
        assert_eq!(listener(&everywhere.replace("00000000:1F90", "0B00007F:1F90")), None, "Docker's resolver");
        assert_eq!(listener(&everywhere.replace("00000000:1F90", "0100007F:1F90")), told("127.0.0.1", 8080));
        assert_eq!(listener(&everywhere.replace("00000000:1F90", "0304010A:1F90")), told("10.1.4.3", 8080));
        assert_eq!(listener(&everywhere.replace(" 0A ", " 01 ")), None, "a connection");
        let six = |address: &str| format!("   0: {address}:0050 00000000000000000000000000000000:0000 0A 0:0");
        assert_eq!(listener(&six("00000000000000000000000000000000")), told("::", 80));
        assert_eq!(listener(&six("00000000000000000000000001000000")), told("::1", 80));
        assert_eq!(listener(&six("0000000000000000FFFF00000100007F")), told("127.0.0.1", 80));
    }
}
