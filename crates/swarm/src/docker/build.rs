//! Builds, by the engine's classic builder: it is the one that honours limits of memory and CPU. Its steps run in containers of
//! their own, which the engine stops and removes as soon as we hang up; dropping the stream is therefore all that it takes to
//! cancel. What a dying engine leaves behind is known by a line in its hosts file, for the builder gives its containers no labels.
use super::*;
use crate::context::{Context, Unfit};
use bollard::{
    models::BuildInfo,
    query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, BuilderVersion, EventsOptionsBuilder},
};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// How long a build may run at all; callers have shorter deadlines.
const LONGEST: Duration = Duration::from_secs(3 * 60 * 60);
/// How many seconds an engine that went away is waited for.
const BACK: u32 = 300;
/// How many events may wait for a slow reader.
const WAITING: usize = 256;
/// The line that marks a container of a build.
pub(super) const MARK: &str = "build.skypanel.internal:127.0.0.1";

impl Engine {
    #[expect(clippy::disallowed_methods, reason = "it ends with the stream, or clears up after a stream that was dropped")]
    pub(super) async fn build_image(&self, spec: BuildSpec) -> Result<BoxStream<'static, BuildEvent>> {
        let (root, dockerfile, limit) = (spec.context.clone(), spec.dockerfile.clone(), spec.max_context);
        let gathered = tokio::task::spawn_blocking(move || Context::gather(&root, &dockerfile, limit)).await;
        let failed = |why| Ok(stream::iter([BuildEvent::Failed(why)]).boxed());
        let context = match gathered.map_err(|why| SwarmError::Refused(why.to_string()))? {
            Ok(context) => context,
            Err(Unfit::TooLarge) => return failed(BuildFailure::ContextTooLarge),
            Err(Unfit::NoDockerfile) => return failed(BuildFailure::NoDockerfile),
            Err(Unfit::Broken(message)) => return failed(BuildFailure::Step { message, exit_code: None }),
        };
        let client = with_memory(self.patient_client(LONGEST).await?, spec.memory);
        let (to, events) = mpsc::channel(WAITING);
        let run = Run { engine: self.clone(), to, begun: now(), containers: vec![], image: None };
        // Aborted when the stream is dropped; that closes the connection, which is how the builder learns of it.
        let running = AbortOnDropHandle::new(tokio::spawn(run.follow(client, spec, context)));
        let events = stream::unfold((events, running), |(mut events, running)| async move {
            let event = events.recv().await?;
            Some((event, (events, running)))
        });
        Ok(events.boxed())
    }
}

/// A build that runs.
struct Run {
    engine: Engine,
    to: mpsc::Sender<BuildEvent>,
    begun: Timestamp,
    /// The containers of its steps, by the beginning of their id.
    containers: Vec<String>,
    image: Option<String>,
}

impl Run {
    async fn follow(mut self, client: bollard::Docker, spec: BuildSpec, context: Context) {
        let body = bollard::body_try_stream(upload::stream(context));
        let mut output = client.build_image(options(&spec), None, Some(body));
        let mut line = String::new();
        while let Some(info) = output.next().await {
            match info {
                Ok(info) => self.take(info, &mut line).await,
                Err(why) => return self.fail(why).await,
            }
        }
        if !line.is_empty() {
            self.say(&line).await;
        }
        let Some(id) = self.image.take() else { return tracing::warn!("the engine ended a build without a word") };
        let end = match self.engine.find_image(&id).await {
            Ok(image) => BuildEvent::Done(image),
            Err(SwarmError::Unreachable(words)) => return tracing::warn!("the engine went away after a build: {words}"),
            Err(why) => BuildEvent::Failed(BuildFailure::Step { message: why.to_string(), exit_code: None }),
        };
        let _ = self.to.send(end).await;
    }

    /// Takes a piece of output: text that need not end where a line ends, the state of a pull, or the image's id.
    async fn take(&mut self, info: BuildInfo, line: &mut String) {
        if let Some(id) = info.aux.and_then(|aux| aux.id) {
            self.image = Some(id);
        }
        if let Some(text) = info.stream {
            line.push_str(&text);
            while let Some(end) = line.find('\n') {
                let rest = line.split_off(end + 1);
                self.say(&std::mem::replace(line, rest)).await;
            }
            // A program that never ends its line must not fill the memory.
            if line.len() > 4 * 16 * 1024 {
                self.say(&std::mem::take(line)).await;
            }
        }
        // The moving parts of a pull (bytes so far) are for terminals.
        if let Some(status) = info.status.filter(|_| info.progress_detail.is_none_or(|p| p.total.is_none() && p.current.is_none())) {
            let status = info.id.map_or(status.clone(), |id| format!("{id}: {status}"));
            self.say(&status).await;
        }
    }

    async fn say(&mut self, line: &str) {
        if let Some(id) = line.trim().strip_prefix("---> Running in ") {
            self.containers.push(id.to_string());
        }
        // Of a line that overwrites itself the last state counts.
        let line = line.trim_end_matches(['\n', '\r']);
        let line = line.rsplit('\r').next().unwrap_or_default();
        let _ = self.to.send(BuildEvent::Line(logs::text(line.as_bytes()))).await;
    }

    async fn fail(self, why: bollard::errors::Error) {
        let message = match errors::translate(why) {
            SwarmError::Refused(words) | SwarmError::NotFound(words) | SwarmError::Conflict(words) => words,
            // No fault of what is built: the stream ends without a verdict, and the caller builds again.
            SwarmError::Unreachable(words) => {
                tracing::warn!("the engine went away during a build: {words}");
                return self.clear_away();
            }
        };
        let failure = if message.contains("Cannot locate specified Dockerfile") {
            BuildFailure::NoDockerfile
        } else if self.ran_out_of_memory(&message).await {
            BuildFailure::OutOfMemory
        } else {
            BuildFailure::Step { exit_code: exit_code(&message), message }
        };
        let _ = self.to.send(BuildEvent::Failed(failure)).await;
    }

    /// Removes the containers of the steps once the engine is back, for it forgets whose they were.
    #[expect(clippy::disallowed_methods, reason = "it ends with the stream, or clears up after a stream that was dropped")]
    fn clear_away(self) {
        tokio::spawn(async move {
            for _ in 0..BACK {
                let removals = self.containers.iter().map(|id| self.engine.remove_container(id));
                if futures::future::join_all(removals).await.iter().all(Result::is_ok) {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    /// Whether a step was killed for want of memory. Its container is gone, but the engine keeps its latest events. The event may come
    /// late or, where the container's cgroup went first, never: a step that was killed from outside (137) was killed for this, for its
    /// container is known to nobody but the builder and the kernel.
    async fn ran_out_of_memory(&self, message: &str) -> bool {
        if exit_code(message) == Some(KILLED) || message.contains("OOM-killed") {
            return true;
        }
        let span = |at: Timestamp| (at.millis() / 1000).to_string();
        let since = span(self.begun - Duration::from_secs(60));
        let until = span(now() + Duration::from_secs(1));
        let options = EventsOptionsBuilder::default().since(&since).until(&until).filters(&filters([("event", "oom")])).build();
        let seen = self.engine.call("looking for want of memory", |d| async move {
            Ok(d.events(Some(options)).filter_map(|e| std::future::ready(e.ok().and_then(|e| e.actor?.id))).collect::<Vec<String>>().await)
        });
        seen.await.unwrap_or_default().iter().any(|id| self.containers.iter().any(|begin| id.starts_with(begin)))
    }
}

/// The exit code of a program that was killed: 128 and the signal's number, 9.
const KILLED: i64 = 137;

/// The code that stands in the builder's sentence on a step that failed.
fn exit_code(message: &str) -> Option<i64> {
    let (_, code) = message.rsplit_once("returned a non-zero code: ")?;
    code.trim().parse().ok()
}

fn options(spec: &BuildSpec) -> BuildImageOptions {
    const PERIOD: i32 = 100_000;
    let pairs = |all: &[(String, String)]| all.iter().cloned().collect::<HashMap<_, _>>();
    BuildImageOptionsBuilder::default()
        .version(BuilderVersion::BuilderV1)
        .dockerfile(&spec.dockerfile)
        .t(&spec.tag)
        .buildargs(&pairs(&spec.build_args))
        .labels(&marked(&spec.labels))
        .nocache(spec.no_cache)
        .rm(true)
        .forcerm(true)
        .cpuperiod(PERIOD)
        .cpuquota(i32::try_from(u64::from(spec.cpu.0) * PERIOD as u64 / 1000).unwrap_or(i32::MAX))
        .extrahosts(MARK)
        .build()
}

/// bollard holds the memory of a build in 32 bits, which ends at 2 GiB; the query is therefore completed here.
fn with_memory(client: bollard::Docker, memory: Bytes) -> bollard::Docker {
    client.with_request_modifier(move |mut request| {
        let kept = |pair: &&str| !pair.starts_with("memory=") && !pair.starts_with("memswap=");
        let uri = request.uri().to_string();
        let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
        let query: Vec<_> = query.split('&').filter(kept).collect();
        // As much with swap as without: a build must not swap the machine to death.
        let full = format!("{path}?{}&memory={m}&memswap={m}", query.join("&"), m = memory.0);
        if let Ok(uri) = full.parse() {
            *request.uri_mut() = uri;
        }
        request
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_from_the_builders_sentence() {
        assert_eq!(exit_code("The command '/bin/sh -c exit 3' returned a non-zero code: 3"), Some(3));
        assert_eq!(exit_code("pull access denied for nope"), None);
    }
}
