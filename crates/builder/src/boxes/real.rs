//! The seam on real boxes.
use super::{Boxes, Running, cgroup::Hierarchy, disk, engine::Engine, machine};
use crate::{
    buildkit::request::{Going, Halt, looked_at, tag},
    dockerfile::Frontends,
    seam::{BoxSize, BoxState, BuildEvent, BuildJob, Builder, BuilderError, BuilderFacts, Depth, ImageId, Swept, Warmth, fit_for_a_tag},
};
use async_trait::async_trait;
use base::{id::OrgId, units::Bytes as Size};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyStream, Empty};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::warn;

const ASKED: Duration = Duration::from_secs(30);

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[async_trait]
impl Builder for Boxes {
    async fn facts(&self) -> Result<BuilderFacts, BuilderError> {
        let version = dockerd_version().await?;
        let (free, _) = disk::room(self.folder_of_all())?;
        Ok(BuilderFacts {
            native_diff: major_minor(&version).is_some_and(|of| of >= (27, 0)),
            engine: version,
            depth: Depth::Whole,
            cgroup: if *self.hierarchy() == Hierarchy::V2 { 2 } else { 1 },
            memory_free: Size(machine::memory_available()),
            disk_free: Size(free),
        })
    }

    async fn admits(&self, org: &OrgId, size: &BoxSize) -> Result<(), BuilderError> {
        Boxes::admits(self, org, size).await
    }

    async fn boxes(&self) -> Result<Vec<BoxState>, BuilderError> {
        Ok(self.states().await)
    }

    async fn warm(&self, org: &OrgId, size: &BoxSize) -> Result<Warmth, BuilderError> {
        Boxes::warm(self, org, size).await.map(|(_, warmth)| warmth)
    }

    async fn build(&self, job: BuildJob) -> Result<BoxStream<'static, BuildEvent>, BuilderError> {
        job.fit()?;
        let (events, receiver) = mpsc::channel(256);
        let boxes = self.clone();
        let task = Task(tokio::spawn(async move {
            match boxes.build_in_box(job, &events).await {
                Ok(()) => {}
                Err(Halt::Failed(why)) => drop(events.send(BuildEvent::Failed(why)).await),
                Err(Halt::Lost(why)) => warn!(%why, "a build was lost"),
            }
        }));
        // Dropping the stream drops the task, and that hangs up on the engine.
        Ok(stream::unfold((receiver, task), async |(mut receiver, task)| Some((receiver.recv().await?, (receiver, task)))).boxed())
    }

    async fn export(&self, org: &OrgId, image: &ImageId) -> Result<BoxStream<'static, Result<Bytes, BuilderError>>, BuilderError> {
        let running = self.running(org).await.ok_or(BuilderError::Away)?;
        let request = Request::get(format!("/images/{image}/get")).header("host", "box").body(Empty::<Bytes>::new());
        let answer = running.engine.send(request.map_err(|why| BuilderError::Broken(why.to_string()))?).await?;
        if answer.status != StatusCode::OK {
            return Err(BuilderError::Broken(format!("the box has no image {image}")));
        }
        let busy = running.busy.clone();
        let (body, connection) = answer.split();
        let frames = BodyStream::new(body).filter_map(move |frame| {
            let _held = (&busy, &connection);
            std::future::ready(match frame {
                Ok(frame) => frame.into_data().ok().map(Ok),
                Err(_) => Some(Err(BuilderError::Away)),
            })
        });
        Ok(frames.boxed())
    }

    async fn forget(&self, org: &OrgId, build: &str) -> Result<(), BuilderError> {
        let Some(running) = self.running(org).await.filter(|_| fit_for_a_tag(build)) else { return Ok(()) };
        running.engine.ask(Method::DELETE, &format!("/images/{}", tag(build)), Bytes::new(), ASKED).await.map(drop)
    }

    async fn stop(&self, org: &OrgId) -> Result<(), BuilderError> {
        Boxes::stop(self, org).await
    }

    async fn discard(&self, org: &OrgId) -> Result<(), BuilderError> {
        Boxes::discard(self, org).await
    }

    async fn sweep(&self) -> Result<Swept, BuilderError> {
        Boxes::sweep(self).await
    }
}

impl Boxes {
    async fn build_in_box(&self, job: BuildJob, events: &mpsc::Sender<BuildEvent>) -> Result<(), Halt> {
        let frontends = Frontends::default();
        let (job, looked) = tokio::task::spawn_blocking(move || {
            let looked = looked_at(&job, &frontends);
            (job, looked)
        })
        .await
        .map_err(|_| BuilderError::Broken("a worker of the builder died".into()))?;
        let (context, file) = looked?;
        let (running, warmth): (Running, Warmth) = self.warm(&job.org, &job.size).await?;
        let _busy: Arc<()> = running.busy.clone();
        let _ = events.send(BuildEvent::Placed { warmth }).await;
        let engine = version(&running.engine).await?;
        let reach = self.reach();
        let going = Going { job: &job, running: &running, reach: &reach, events, engine };
        let built = tokio::select! {
            built = going.run(context, &file) => built?,
            // The box's end is the build's, whatever the connection says.
            () = running.ends() => return Err(BuilderError::Away.into()),
        };
        let _ = events.send(BuildEvent::Done(built)).await;
        Ok(())
    }
}

async fn version(engine: &Engine) -> Result<(u32, u32), BuilderError> {
    let (_, body) = engine.ask(Method::GET, "/version", Bytes::new(), ASKED).await?;
    let of: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let version = of.get("Version").and_then(serde_json::Value::as_str).and_then(major_minor);
    version.ok_or_else(|| BuilderError::Broken("the builder’s engine names no version".into()))
}

fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// What `dockerd --version` says: `Docker version 20.10.24+dfsg1, build 297e128`.
async fn dockerd_version() -> Result<String, BuilderError> {
    let program =
        machine::program("dockerd").ok_or_else(|| BuilderError::Unfit("Builders need the program dockerd: install docker.io.".into()))?;
    let out = tokio::process::Command::new(program).arg("--version").output().await?;
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let version = said.split_whitespace().nth(2).map(|word| word.trim_end_matches(',').split('+').next().unwrap_or_default().to_string());
    version.ok_or_else(|| BuilderError::Broken("dockerd names no version".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_s_name_is_fit_for_a_tag() {
        for (name, fine) in [("dep-01j0", true), ("", false), ("A", false), ("a/b", false), ("-a", false), ("a&t=x", false)] {
            assert_eq!(fit_for_a_tag(name), fine, "{name}");
        }
        assert_eq!((major_minor("20.10.24"), major_minor("27.0.3-rc1"), major_minor("x")), (Some((20, 10)), Some((27, 0)), None));
    }
}
