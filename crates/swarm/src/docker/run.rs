//! Programs that run once: a plain container with limits on the engine that we speak to, watched to its end and removed, also
//! when the caller loses interest. And the broom for what a crash leaves: containers of runs and of builds that have ended.
use super::*;
use bollard::{
    models::{ContainerCreateBody, ContainerInspectResponse, HostConfig},
    query_parameters::{
        CreateContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
        WaitContainerOptions,
    },
};
use futures::StreamExt;

/// The label of containers that run once.
const ONCE: &str = "skypanel.once";
/// How many lines of output are kept.
const KEPT: &str = "200";
/// The most processes that such a program may have.
const PIDS: i64 = 256;

impl Engine {
    pub(super) async fn run_to_end(&self, spec: RunSpec) -> Result<RunOutcome> {
        let body = body(&spec);
        let made =
            self.call("creating a container", |d| async move { d.create_container(None::<CreateContainerOptions>, body).await }).await?;
        let guard = Guard { engine: self.clone(), container: Some(made.id.clone()) };
        let id = made.id.as_str();
        self.call("starting a container", |d| async move { d.start_container(id, None::<StartContainerOptions>).await }).await?;
        let exit_code = match tokio::time::timeout(spec.timeout, self.wait(id)).await {
            Ok(code) => Some(code?),
            Err(_) => None,
        };
        let output = self.last_lines(id).await?;
        guard.remove().await?;
        Ok(RunOutcome { exit_code, output })
    }

    async fn wait(&self, container: &str) -> Result<i64> {
        let client = self.client().await?.with_timeout(TRANSFER);
        match client.wait_container(container, None::<WaitContainerOptions>).next().await {
            Some(Ok(end)) => Ok(end.status_code),
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(why)) => Err(errors::translate(why)),
            None => Err(SwarmError::Unreachable("the engine hung up while a program ran".into())),
        }
    }

    async fn last_lines(&self, container: &str) -> Result<Vec<String>> {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(KEPT).build();
        let read = self.call("reading a program's output", |d| async move {
            let lines = d.logs(container, Some(options)).filter_map(|l| std::future::ready(l.ok()));
            Ok(lines.map(|l| logs::text(&l.into_bytes())).collect::<Vec<_>>().await)
        });
        read.await
    }

    pub(super) async fn remove_container(&self, container: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        errors::gone_is_fine(self.call("removing a container", |d| async move { d.remove_container(container, Some(options)).await }).await)
    }

    pub(super) async fn sweep_containers(&self, after: Duration) -> Result<usize> {
        let ended = filters([("status", "created"), ("status", "exited"), ("status", "dead")]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&ended).build();
        let listed = self.call("listing containers", |d| async move { d.list_containers(Some(options)).await }).await?;
        let mut swept = 0;
        for summary in listed {
            let labels = summary.labels.unwrap_or_default();
            let Some(id) = summary.id.filter(|_| !labels.contains_key("com.docker.swarm.task.id")) else { continue };
            let there = match self.inspect(&id).await {
                Err(SwarmError::NotFound(_)) => continue,
                other => other?,
            };
            let is_of_a_build =
                there.host_config.as_ref().and_then(|h| h.extra_hosts.as_ref()).is_some_and(|h| h.iter().any(|h| h == build::MARK));
            if (labels.contains_key(ONCE) || is_of_a_build) && now().since(ended_at(&there)) >= after {
                self.remove_container(&id).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }
}

/// When a container ended, or was made where it never began.
fn ended_at(container: &ContainerInspectResponse) -> Timestamp {
    let ended = moment(container.state.as_ref().and_then(|s| s.finished_at.as_ref()));
    ended.max(moment(container.created.as_ref()))
}

fn body(spec: &RunSpec) -> ContainerCreateBody {
    let memory = i64::try_from(spec.memory.0).unwrap_or(i64::MAX);
    let mut labels = marked(&spec.labels);
    labels.insert(ONCE.into(), "true".into());
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        cmd: Some(spec.command.clone()),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            memory: Some(memory),
            memory_swap: Some(memory),
            pids_limit: Some(PIDS),
            init: Some(true),
            network_mode: spec.network.clone(),
            cap_drop: Some(spec::DROPPED.map(String::from).to_vec()),
            security_opt: Some(vec!["no-new-privileges".into()]),
            log_config: Some(spec::log()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Removes a container at the end, whichever end that is.
struct Guard {
    engine: Engine,
    container: Option<String>,
}

impl Guard {
    async fn remove(mut self) -> Result<()> {
        let Some(container) = self.container.clone() else { return Ok(()) };
        self.engine.remove_container(&container).await?;
        self.container = None;
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(container) = self.container.take() else { return };
        let engine = self.engine.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(why) = engine.remove_container(&container).await {
                    tracing::warn!(%container, %why, "a container that ran once is left for the broom");
                }
            });
        }
    }
}
