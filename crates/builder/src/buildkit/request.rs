//! A build, from the context to the image in the box. The connection is the build: hanging up ends it.
use super::{
    session::{Known, Session},
    trace::Trace,
};
use crate::{
    boxes::{Running, engine::Engine},
    context::Context,
    dockerfile::{Dockerfile, Frontends},
    ranges::Reach,
    seam::{BuildEvent, BuildFailure, BuildJob, BuilderError, Built, ImageId, SecretValue, Spent},
    verdict::{Circumstances, verdict},
};
use base::units::Bytes as Size;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyStream, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use std::{
    io,
    time::{Duration, Instant},
};
use tokio::{
    sync::mpsc::{self, Sender},
    task::spawn_blocking,
    time::{sleep_until, timeout},
};
use url::form_urlencoded::Serializer;

/// The longest object of the engine's answer, and all of it.
const OBJECT: usize = 1 << 20;
const ANSWER: u64 = 64 << 20;
/// The context goes out in pieces of this size.
const PIECE: usize = 256 << 10;
const ASKED: Duration = Duration::from_secs(30);
const PRUNED: Duration = Duration::from_secs(120);
/// An argument that would pull a frontend and run it. Whoever wants one names it in the Dockerfile, where it is judged.
const SYNTAX: &str = "BUILDKIT_SYNTAX";

/// What a build ends with where it does not end with an image.
pub enum Halt {
    Failed(BuildFailure),
    /// The box is gone, or we are at fault: the stream ends without a verdict.
    Lost(BuilderError),
}

impl From<BuildFailure> for Halt {
    fn from(why: BuildFailure) -> Halt {
        Halt::Failed(why)
    }
}

impl From<BuilderError> for Halt {
    fn from(why: BuilderError) -> Halt {
        Halt::Lost(why)
    }
}

/// The name that a build's image has in its box.
pub fn tag(build: &str) -> String {
    format!("job/{build}")
}

/// Looks at the source and its Dockerfile before a box is woken. Blocks.
pub fn looked_at(job: &BuildJob, frontends: &Frontends) -> Result<(Context, Dockerfile), BuildFailure> {
    let context = Context::gather(&job.source, &job.dockerfile, job.limits.context)?;
    let file = Dockerfile::scan(&context.dockerfile);
    match file.refused(frontends) {
        Some(refused) => Err(refused),
        None => Ok((context, file)),
    }
}

/// What a build goes on with.
pub struct Going<'a> {
    pub job: &'a BuildJob,
    pub running: &'a Running,
    pub reach: &'a Reach,
    pub events: &'a Sender<BuildEvent>,
    /// The engine's major and minor version.
    pub engine: (u32, u32),
}

impl Going<'_> {
    async fn tell(&self, event: BuildEvent) {
        // Whoever does not listen any more drops the build as well.
        let _ = self.events.send(event).await;
    }

    /// Builds.
    pub async fn run(&self, context: Context, file: &Dockerfile) -> Result<Built, Halt> {
        if let Some(newer) = file.needs_newer(self.engine) {
            return Err(newer.into());
        }
        let began = Instant::now();
        let before = (self.running.tree.usage(), self.running.tree.mark_memory());
        self.make_room().await?;
        let mut trace = Trace::new(self.masks(), self.job.limits.log.0);
        let ended = timeout(self.job.limits.time, self.build(context, &mut trace)).await;
        for event in trace.finish() {
            self.tell(event).await;
        }
        let image = match ended {
            Err(_) => return Err(BuildFailure::TimedOut(self.job.limits.time).into()),
            Ok(Err(Ended::Halt(halt))) => return Err(halt),
            Ok(Err(Ended::Said(said))) => {
                let refusals = self.running.resolver.refusals();
                let of = Circumstances {
                    reach: self.reach,
                    names: &refusals,
                    out_of_memory: self.running.tree.ran_out_of_memory(before.1),
                    size: &self.job.size,
                    step: trace.failed.clone(),
                    last_lines: trace.last_lines(),
                };
                let failure = verdict(&said, &of);
                if matches!(failure, BuildFailure::DiskFull(_)) {
                    // A torn download would keep it full for the next build, too.
                    prune(&self.running.engine, None).await?;
                }
                return Err(failure.into());
            }
            Ok(Ok(image)) => image,
        };
        let usage = self.running.tree.usage();
        let spent = Spent { wall: began.elapsed(), cpu: usage.cpu.saturating_sub(before.0.cpu), memory_peak: Size(usage.steps_peak) };
        let built = self.inspected(image, spent).await?;
        if built.bytes > self.job.limits.image {
            return Err(BuildFailure::ImageTooLarge { bytes: built.bytes, most: self.job.limits.image }.into());
        }
        Ok(built)
    }

    fn masks(&self) -> super::masks::Masks {
        let secrets = self.job.secrets.values().chain(self.job.credentials.iter().map(|of| &of.password));
        self.job.masks.and(secrets.map(|SecretValue(value)| value.as_str()))
    }

    /// Makes room on the box's disk: the cache beyond a third of it, then all of it.
    async fn make_room(&self) -> Result<(), BuilderError> {
        let first = self.running.first;
        let room = move || -> io::Result<(u64, u64)> {
            // By a descriptor: who follows the path by its name stands on the machine's own file system.
            let dir = std::fs::File::open(format!("/proc/{first}/root/var/lib/docker"))?;
            let of = nix::sys::statvfs::fstatvfs(dir)?;
            Ok((of.blocks_available() * of.fragment_size(), of.blocks() * of.fragment_size()))
        };
        for keep in [Some(self.job.size.disk.0 / 3), None] {
            let (free, all) = spawn_blocking(room).await.map_err(|_| BuilderError::Away)?.map_err(|_| BuilderError::Away)?;
            if free >= (all / 5).max(crate::boxes::disk::LEAST_FREE.min(all / 2)) {
                break;
            }
            prune(&self.running.engine, keep).await?;
        }
        Ok(())
    }

    fn uri(&self, context: &Context, session: &str) -> String {
        let job = self.job;
        let mut query = Serializer::new(String::new());
        query.append_pair("version", "2").append_pair("session", session).append_pair("buildid", &job.id);
        query.append_pair("pull", "1").append_pair("t", &tag(&job.id)).append_pair("dockerfile", &context.path);
        query.append_pair("rm", "1").append_pair("forcerm", "1");
        let args: serde_json::Map<String, Value> =
            job.args.iter().filter(|(name, _)| *name != SYNTAX).map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        query.append_pair("buildargs", &Value::Object(args).to_string());
        query.append_pair("labels", &serde_json::json!(job.labels).to_string());
        for (name, value) in [("target", &job.target), ("platform", &job.platform)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if job.no_cache {
            query.append_pair("nocache", "1");
        }
        format!("/build?{}", query.finish())
    }

    async fn build(&self, context: Context, trace: &mut Trace) -> Result<ImageId, Ended> {
        let job = self.job;
        let known = Known { credentials: job.credentials.clone(), secrets: job.secrets.clone() };
        let session = Session::open(&self.running.engine, format!("s-{}", job.id), known).await?;
        let uri = self.uri(&context, &session.id);
        let body = StreamBody::new(packed(context).boxed());
        let request =
            Request::builder().method(Method::POST).uri(uri).header("host", "box").header("content-type", "application/x-tar").body(body);
        let request = request.map_err(|why| BuilderError::Broken(why.to_string()))?;
        let answer = self.running.engine.send(request).await?;
        if answer.status != StatusCode::OK {
            let rest = Engine::rest(answer.body).await;
            let said = serde_json::from_str::<Value>(&rest).ok().and_then(|of| Some(of.get("message")?.as_str()?.to_string()));
            return Err(Ended::Said(said.unwrap_or(rest)));
        }
        let mut body = BodyStream::new(answer.body);
        let mut lines = Lines::default();
        let mut image = None;
        let mut silent = tokio::time::Instant::now() + job.limits.silence;
        loop {
            let frame = tokio::select! {
                frame = body.next() => frame,
                () = sleep_until(silent) => return Err(BuildFailure::Silent(job.limits.silence).into()),
                () = self.events.closed() => return Err(BuilderError::Away.into()),
            };
            let data = match frame {
                None => break,
                Some(Err(_)) => return Err(BuilderError::Away.into()),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            for object in lines.take(&data)? {
                match read(&object) {
                    Said::Nothing => {}
                    Said::Image(id) => image = Some(id),
                    Said::Error(said) => return Err(Ended::Said(said)),
                    Said::Progress(message) => {
                        let events = trace.read(&message);
                        if !events.is_empty() || !message.is_empty() {
                            silent = tokio::time::Instant::now() + job.limits.silence;
                        }
                        for event in events {
                            self.tell(event).await;
                        }
                    }
                }
            }
        }
        image.ok_or_else(|| BuilderError::Away.into())
    }

    async fn inspected(&self, image: ImageId, spent: Spent) -> Result<Built, BuilderError> {
        let (status, body) = self.running.engine.ask(Method::GET, &format!("/images/{image}/json"), Bytes::new(), ASKED).await?;
        let of: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status != StatusCode::OK {
            return Err(BuilderError::Broken("the builder’s engine does not know the image that it built".into()));
        }
        Ok(built(&of, image, spent))
    }
}

/// What an image's own description says of it. It is a stranger's: everything is bounded.
fn built(of: &Value, image: ImageId, spent: Spent) -> Built {
    let config = of.get("Config").cloned().unwrap_or_default();
    let text = |of: &Value, key: &str| {
        of.get(key).and_then(Value::as_str).map(|text| super::trace::cut(text, 200)).filter(|text| !text.is_empty())
    };
    let words = |key: &str| -> Vec<String> {
        let all = config.get(key).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).take(64).map(|word| super::trace::cut(word, 1000)).collect()
    };
    let named = config.get("ExposedPorts").and_then(Value::as_object).into_iter().flatten();
    let mut ports: Vec<u16> =
        named.filter_map(|(port, _)| port.strip_suffix("/tcp").unwrap_or(port).parse().ok()).filter(|port| *port > 0).collect();
    ports.sort_unstable();
    ports.truncate(64);
    let platform = [text(of, "Os"), text(of, "Architecture"), text(of, "Variant")].into_iter().flatten().collect::<Vec<_>>().join("/");
    Built {
        image,
        bytes: Size(of.get("Size").and_then(Value::as_u64).unwrap_or(0)),
        ports,
        user: text(&config, "User"),
        entrypoint: words("Entrypoint"),
        command: words("Cmd"),
        has_healthcheck: config.get("Healthcheck").is_some_and(|of| !of.is_null()),
        platform,
        spent,
    }
}

/// Removes cache, down to `keep` bytes, and images without a name.
pub async fn prune(engine: &Engine, keep: Option<u64>) -> Result<(), BuilderError> {
    let _ = engine.ask(Method::POST, "/images/prune?filters=%7B%22dangling%22%3A%5B%22true%22%5D%7D", Bytes::new(), PRUNED).await?;
    let path = keep.map_or_else(|| "/build/prune?all=1".to_string(), |keep| format!("/build/prune?all=1&keep-storage={keep}"));
    engine.ask(Method::POST, &path, Bytes::new(), PRUNED).await.map(drop)
}

/// How the conversation ended.
enum Ended {
    Halt(Halt),
    /// The engine says why.
    Said(String),
}

impl<E: Into<Halt>> From<E> for Ended {
    fn from(why: E) -> Ended {
        Ended::Halt(why.into())
    }
}

/// The context as an archive, packed as fast as it is taken.
fn packed(context: Context) -> impl futures::Stream<Item = Result<Frame<Bytes>, io::Error>> + Send {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    spawn_blocking(move || {
        let out = Pieces { sender: sender.clone(), piece: BytesMut::with_capacity(PIECE) };
        if let Err(why) = context.pack(out) {
            // The body breaks off, and with it the request.
            let _ = sender.blocking_send(Err(why));
        }
    });
    stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?.map(Frame::data), receiver)))
}

struct Pieces {
    sender: Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = self.piece.split().freeze();
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Cuts the answer into its objects, a line each.
#[derive(Default)]
struct Lines {
    open: BytesMut,
    all: u64,
}

impl Lines {
    fn take(&mut self, data: &[u8]) -> Result<Vec<Bytes>, Halt> {
        self.all += data.len() as u64;
        self.open.extend_from_slice(data);
        let mut objects = Vec::new();
        while let Some(end) = memchr(&self.open) {
            objects.push(self.open.split_to(end + 1).freeze());
        }
        if self.open.len() > OBJECT || self.all > ANSWER {
            return Err(BuildFailure::TooMuchOutput.into());
        }
        Ok(objects)
    }
}

fn memchr(of: &[u8]) -> Option<usize> {
    of.iter().position(|byte| *byte == b'\n')
}

/// What one object of the answer says.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Nothing,
    Progress(Vec<u8>),
    Image(ImageId),
    Error(String),
}

fn read(object: &[u8]) -> Said {
    let Ok(of) = serde_json::from_slice::<Value>(object) else { return Said::Nothing };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
    if let Some(error) = text(of.get("error")).or_else(|| text(of.pointer("/errorDetail/message"))) {
        return Said::Error(error);
    }
    match (of.get("id").and_then(Value::as_str), of.get("aux")) {
        (Some("moby.buildkit.trace"), Some(Value::String(raw))) => BASE64_STANDARD.decode(raw).map_or(Said::Nothing, Said::Progress),
        (Some("moby.image.id"), Some(aux)) => text(aux.get("ID")).and_then(|id| id.parse().ok()).map_or(Said::Nothing, Said::Image),
        _ => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_s_objects_are_read_and_nonsense_is_passed_over() {
        let id = format!("sha256:{}", "a".repeat(64));
        assert_eq!(read(format!("{{\"id\":\"moby.image.id\",\"aux\":{{\"ID\":\"{id}\"}}}}").as_bytes()), Said::Image(id.parse().unwrap()));
        assert_eq!(read(b"{\"id\":\"moby.image.id\",\"aux\":{\"ID\":\"../../x\"}}"), Said::Nothing);
        assert_eq!(read(b"{\"id\":\"moby.buildkit.trace\",\"aux\":\"CgM=\"}"), Said::Progress(vec![10, 3]));
        assert_eq!(read(b"{\"errorDetail\":{\"message\":\"no\"},\"error\":\"no\"}"), Said::Error("no".into()));
        for nonsense in ["", "{", "[]", "{\"id\":7}", "{\"id\":\"moby.buildkit.trace\",\"aux\":\"%\"}"] {
            assert_eq!(read(nonsense.as_bytes()), Said::Nothing, "{nonsense}");
        }
    }

    #[test]
    fn an_answer_without_end_is_cut_off() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"{}\n{").ok().unwrap().len(), 1);
        assert_eq!(lines.take(b"}\n").ok().unwrap(), [Bytes::from_static(b"{}\n")]);
        assert!(lines.take(&vec![b'x'; OBJECT + 1]).is_err());
        let mut lines = Lines::default();
        assert!((0..=ANSWER / (1 << 19)).any(|_| lines.take(&[&[b'x'; (1 << 19) - 1][..], b"\n"].concat()).is_err()));
    }

    #[test]
    fn an_image_s_description_is_bounded() {
        let of = serde_json::json!({
            "Size": 7, "Os": "linux", "Architecture": "amd64",
            "Config": { "User": "app", "ExposedPorts": { "8080/tcp": {}, "53/udp": {}, "x": {}, "99": {} }, "Entrypoint": ["/init"], "Cmd": null, "Healthcheck": { "Test": ["CMD", "true"] } },
        });
        let id: ImageId = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
        let of = built(&of, id, Spent::default());
        assert_eq!(
            (of.ports, of.user.as_deref(), of.entrypoint, of.has_healthcheck, of.platform.as_str()),
            (vec![99, 8080], Some("app"), vec!["/init".into()], true, "linux/amd64")
        );
        assert!(of.command.is_empty());
    }
}
