//! What every swarm must do, the real one and the fake alike. Written once, as promises over `&dyn Swarm`; `tests/engine/swarm.rs`
//! of the panel runs them against a private engine, `tests/fake.rs` against the fake. If one of them breaks here and holds there, the
//! fake lies.
use base::units::{Bytes, MilliCpu};
use futures::StreamExt;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use swarm::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A swarm with names of its own, so that tests may run side by side.
pub struct Bench {
    pub swarm: Arc<dyn Swarm>,
    pub prefix: String,
}

/// Declares a test for every promise. `$bench` makes a fresh [`Bench`].
macro_rules! promises {
    ($bench:path) => {
        promises!($bench: facts_and_nodes_are_told, converging_twice_changes_nothing, a_service_scales, a_changed_spec_replaces_tasks,
            a_value_arrives_byte_for_byte, the_engines_words_quote_no_value,
            a_port_answers, listeners_are_seen, usage_is_measured, logs_resume_without_gap_or_repeat, logs_are_followed_to_the_end,
            an_exit_is_a_failure_with_its_code, a_clean_exit_is_complete, want_of_memory_is_seen, an_image_that_is_not_there_is_rejected,
            want_of_room_is_told, networks_are_made_once_and_removed, removing_twice_is_fine, events_wake, a_build_makes_an_image_that_runs,
            a_failing_build_tells_its_step, a_build_that_eats_memory_is_told_apart, a_build_needs_a_dockerfile, a_context_is_bounded,
            dockerignore_and_links_hold, an_image_is_kept_while_in_use, a_registry_that_refuses_is_quoted, a_program_runs_once,
            a_program_that_takes_too_long_is_killed);
    };
    ($bench:path: $($name:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            let bench = $bench().await;
            conformance::$name(&bench).await;
            bench.tidy().await;
        })*
    };
}

impl Bench {
    pub fn new(swarm: Arc<dyn Swarm>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Bench { swarm, prefix }
    }

    /// A small service of busybox that runs this script.
    pub async fn service(&self, script: &str) -> ServiceSpec {
        let image = self.swarm.resolve("busybox:latest", None).await.expect("make test puts busybox on the engine").id;
        ServiceSpec {
            name: format!("{}-web", self.prefix),
            image,
            command: Some(vec!["sh".into(), "-c".into(), script.into()]),
            env: vec![("NAME".into(), "ada".into())],
            port: None,
            replicas: 1,
            cpu: MilliCpu(200),
            memory: Bytes::mib(32),
            pids: 64,
            network: None,
            constraints: vec![],
            labels: [(LABEL_APP.to_string(), self.prefix.clone())].into(),
            stop_grace: 1,
            registry: None,
        }
    }

    /// Waits until the service's tasks are as wanted, and answers with them.
    pub async fn until(&self, service: &str, what: &str, is_so: impl Fn(&[Task]) -> bool) -> Vec<Task> {
        let mut last = vec![];
        for _ in 0..600 {
            last = self.swarm.tasks(Some(service)).await.unwrap();
            if is_so(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}: not within 30 s; the tasks are {last:#?}");
    }

    pub async fn running(&self, service: &str, count: usize) -> Vec<Task> {
        let is_so = |tasks: &[Task]| running(tasks).len() == count && tasks.iter().filter(|t| t.wanted).count() == count;
        running(&self.until(service, "running", is_so).await)
    }

    async fn network(&self) -> NetworkSpec {
        let n = self.prefix.bytes().fold(0u32, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
        let subnet = format!("10.{}.{}.0/24", 201 + n % 40, (n >> 8) % 256);
        NetworkSpec { name: format!("{}-net", self.prefix), subnet, labels: Labels::new() }
    }

    /// A build of a directory that holds these files.
    pub fn build(&self, dir: &Path, files: &[(&str, &str)]) -> BuildSpec {
        for (name, text) in files {
            let path = dir.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        BuildSpec {
            tag: format!("{}:one", self.prefix),
            context: dir.to_path_buf(),
            dockerfile: "Dockerfile".into(),
            build_args: vec![],
            labels: [(LABEL_APP.to_string(), self.prefix.clone())].into(),
            memory: Bytes::mib(64),
            cpu: MilliCpu(1000),
            max_context: Bytes::mib(8),
            no_cache: false,
        }
    }

    /// Runs a build to its end.
    pub async fn built(&self, spec: BuildSpec) -> (Vec<String>, BuildEvent) {
        let mut events = self.swarm.build(spec).await.unwrap();
        let mut lines = vec![];
        while let Some(event) = events.next().await {
            match event {
                BuildEvent::Line(line) => lines.push(line),
                end => {
                    assert!(events.next().await.is_none(), "nothing comes after the end");
                    return (lines, end);
                }
            }
        }
        panic!("the build ended without a word: {lines:?}");
    }

    /// Removes what the test has made.
    pub async fn tidy(&self) {
        for service in self.swarm.services().await.unwrap().iter().filter(|s| s.name.starts_with(&self.prefix)) {
            self.swarm.remove(&service.name).await.unwrap();
        }
        let network = self.network().await.name;
        for _ in 0..400 {
            match self.swarm.remove_network(&network).await {
                Err(SwarmError::Conflict(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                done => return done.unwrap(),
            }
        }
        panic!("{network} stays in use");
    }
}

pub fn running(tasks: &[Task]) -> Vec<Task> {
    tasks.iter().filter(|t| t.state == TaskState::Running && t.wanted).cloned().collect()
}

async fn lines(swarm: &dyn Swarm, task: &str, query: LogQuery) -> Vec<LogLine> {
    let stream = swarm.logs(task, query).await.unwrap();
    stream.map(|l| l.unwrap()).collect().await
}

/// The first words that an address answers over HTTP.
pub async fn get(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await?;
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

const SLEEP: &str = "sleep 1000";
const SERVE: &str = "mkdir -p /tmp/w; echo hello > /tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w";

pub async fn facts_and_nodes_are_told(b: &Bench) {
    let facts = b.swarm.facts().await.unwrap();
    assert!(facts.cpus > 0 && facts.memory > Bytes::mib(256) && facts.swarm.is_some(), "{facts:?}");
    assert!(facts.api_version.starts_with("1."), "{facts:?}");
    let nodes = b.swarm.nodes().await.unwrap();
    let here = nodes.iter().find(|n| Some(&n.id) == facts.node.as_ref()).expect("the engine is a node of its swarm");
    assert!(here.manager && here.ready && !here.address.is_unspecified() && here.cpu >= MilliCpu(1000), "{here:?}");
}

pub async fn converging_twice_changes_nothing(b: &Bench) {
    let spec = b.service(SLEEP).await;
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Created);
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Unchanged);
    let first = b.running(&spec.name, 1).await.remove(0);
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Unchanged);
    let task = b.running(&spec.name, 1).await.remove(0);
    assert_eq!(task.id, first.id, "nothing was started anew");
    assert_eq!((task.service.as_str(), task.slot, task.address, task.exit_code), (spec.name.as_str(), 1, None, None));
    assert_eq!(task.labels.get(LABEL_APP), Some(&b.prefix));
    let there: Vec<_> = b.swarm.services().await.unwrap().into_iter().filter(|s| s.name == spec.name).collect();
    assert_eq!((there.len(), there[0].replicas), (1, 1));
    let mut labels = there[0].labels.clone();
    assert!(labels.remove(OURS).is_some());
    assert_eq!(labels, spec.labels);
}

pub async fn a_service_scales(b: &Bench) {
    let spec = b.service(SLEEP).await;
    b.swarm.converge(&spec).await.unwrap();
    b.swarm.scale(&spec.name, 3).await.unwrap();
    let tasks = b.running(&spec.name, 3).await;
    assert_eq!(tasks.iter().map(|t| t.slot).collect::<Vec<_>>(), [1, 2, 3]);
    b.swarm.scale(&spec.name, 0).await.unwrap();
    b.until(&spec.name, "scaled to nothing", |tasks| tasks.iter().all(|t| t.state != TaskState::Running)).await;
    // Scaling is not a part of the spec's identity, but the number of copies is a part of the spec.
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Updated);
    b.running(&spec.name, 1).await;
    let missing = b.swarm.scale(&format!("{}-missing", b.prefix), 2).await;
    assert!(matches!(missing, Err(SwarmError::NotFound(_))), "{missing:?}");
}

pub async fn a_changed_spec_replaces_tasks(b: &Bench) {
    let spec = b.service(SLEEP).await;
    b.swarm.converge(&spec).await.unwrap();
    let old = b.running(&spec.name, 1).await.remove(0);
    let changed = ServiceSpec { env: vec![("NAME".into(), "grace".into())], ..spec };
    assert_eq!(b.swarm.converge(&changed).await.unwrap(), Converged::Updated);
    let is_replaced = |tasks: &[Task]| {
        running(tasks).iter().any(|t| t.id != old.id) && tasks.iter().all(|t| t.id != old.id || t.state == TaskState::Shutdown)
    };
    b.until(&changed.name, "replaced", is_replaced).await;
    assert_eq!(b.swarm.converge(&changed).await.unwrap(), Converged::Unchanged);
}

/// Values that mean something to Go's templates, to shells or to lists of variables.
const ODD: [&str; 20] = [
    "backup-{{ .Extension }}.tar",
    "{{ user.name | upper }}",
    "{{- if .Summary -}}{{ .Summary }}{{- end -}}",
    "{{x}}",
    r#"{{"{{"}}"#,
    "{{.Node.Hostname}}-{{.Service.Name}}-{{.Task.Slot}}",
    "{{/* a comment */}}",
    "{{{three}}}",
    "{{{{four}}}}",
    "{ {not} }",
    "open {{",
    "close }}",
    "}}{{",
    "{{`raw`}} {{'c'}} {{1}}",
    r#"{"json":{"a":{"b":[1,{}]}}}"#,
    r#"\{{ \n \\{{ "quoted" 'single'"#,
    "$HOME ${HOME} $(id) %s %d =a=b=",
    "two\nlines {{ \n}} -",
    " {{ - }} spaces at both ends {{-  ",
    "ü {{☃}} 🦀",
];

pub async fn a_value_arrives_byte_for_byte(b: &Bench) {
    let script: String = (0..ODD.len()).map(|i| format!(r#"printf '%s\n' "$V{i}"; "#)).collect();
    let mut spec = b.service(&format!("{script}sleep 1000")).await;
    spec.env = ODD.iter().enumerate().map(|(i, value)| (format!("V{i}"), value.to_string())).collect();
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Created);
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Unchanged);
    let task = b.running(&spec.name, 1).await.remove(0);
    let all = LogQuery { after: None, tail: None, follow: false };
    let wanted = ODD.join("\n");
    let mut read = String::new();
    for _ in 0..100 {
        read = lines(&*b.swarm, &task.id, all).await.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
        if read.len() >= wanted.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(read, wanted);
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Unchanged, "what is read back is what was wanted");
}

/// Whatever an engine refuses for, its words leave the door without a value of the environment.
pub async fn the_engines_words_quote_no_value(b: &Bench) {
    let mut spec = b.service(SLEEP).await;
    spec.env = vec![("TOKEN".into(), "{{hunter2}}".into())];
    // There is no network of this name, and the engine says so.
    spec.network = Some(("TOKEN=hunter2".into(), "web".into()));
    let refused = b.swarm.converge(&spec).await.unwrap_err();
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}

pub async fn a_port_answers(b: &Bench) {
    let network = b.network().await;
    b.swarm.ensure_network(&network).await.unwrap();
    let mut spec = b.service(SERVE).await;
    (spec.port, spec.replicas) = (Some(8080), 2);
    assert!(matches!(b.swarm.converge(&spec).await, Err(SwarmError::Refused(_))), "without a network it would be open to the world");
    spec.network = Some((network.name, "web".into()));
    b.swarm.converge(&spec).await.unwrap();
    let tasks = b.running(&spec.name, 2).await;
    let addresses: Vec<_> = tasks.iter().map(|t| t.address.expect("a running task with a port has an address")).collect();
    assert_ne!(addresses[0], addresses[1]);
    for address in addresses {
        let mut answer = get(address).await;
        for _ in 0..100 {
            if answer.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            answer = get(address).await;
        }
        assert_eq!(answer.unwrap(), "HTTP/1.1 200", "{address}");
    }
}

pub async fn listeners_are_seen(b: &Bench) {
    let network = b.network().await;
    b.swarm.ensure_network(&network).await.unwrap();
    let mut spec = b.service(&SERVE.replace("8080", "3000")).await;
    (spec.port, spec.network) = (Some(8080), Some((network.name, "web".into())));
    b.swarm.converge(&spec).await.unwrap();
    let task = b.running(&spec.name, 1).await.remove(0);
    for _ in 0..100 {
        let seen = b.swarm.listeners(&task.id).await.unwrap().expect("its engine is the one that we speak to");
        if let [one] = seen.as_slice() {
            assert!(one.port == 3000 && one.is_open(), "{seen:?}");
            assert!(get(task.address.unwrap()).await.is_err(), "the port that is published is not the one that listens");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("port 3000 was not seen: {:?}", b.swarm.listeners(&task.id).await);
}

pub async fn usage_is_measured(b: &Bench) {
    let spec = b.service(SLEEP).await;
    b.swarm.converge(&spec).await.unwrap();
    let task = b.running(&spec.name, 1).await.remove(0);
    let stats = b.swarm.stats(&task.id).await.unwrap();
    assert!(stats.pids > 0 && stats.memory.0 > 0 && stats.memory <= spec.memory, "{stats:?}");
    assert!(matches!(b.swarm.stats("task-that-never-was").await, Err(SwarmError::NotFound(_))));
}

pub async fn logs_resume_without_gap_or_repeat(b: &Bench) {
    let spec = b.service("echo one; echo two >&2; echo three; echo four; sleep 1000").await;
    b.swarm.converge(&spec).await.unwrap();
    let task = b.running(&spec.name, 1).await.remove(0);
    let all = LogQuery { after: None, tail: None, follow: false };
    let mut read = vec![];
    for _ in 0..100 {
        read = lines(&*b.swarm, &task.id, all).await;
        if read.len() == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Two pipes keep no order between them.
    let out: Vec<_> = read.iter().filter(|l| l.stream == Stream::Out).map(|l| l.text.as_str()).collect();
    let err: Vec<_> = read.iter().filter(|l| l.stream == Stream::Err).map(|l| l.text.as_str()).collect();
    assert_eq!((out, err), (vec!["one", "three", "four"], vec!["two"]));
    let mut stamps: Vec<_> = read.iter().map(|l| l.nanos).collect();
    stamps.sort_unstable();
    let tail = lines(&*b.swarm, &task.id, LogQuery { tail: Some(2), ..all }).await;
    assert_eq!(tail.len(), 2);
    assert_eq!(tail.iter().map(|l| &l.text).collect::<Vec<_>>(), read[2..].iter().map(|l| &l.text).collect::<Vec<_>>());
    for (i, stamp) in stamps.iter().enumerate() {
        let later = lines(&*b.swarm, &task.id, LogQuery { after: Some(*stamp), ..all }).await;
        assert_eq!(later.len(), stamps.iter().filter(|s| *s > stamp).count(), "after line {i}");
    }
}

pub async fn logs_are_followed_to_the_end(b: &Bench) {
    let spec = b.service("echo begin; sleep 1; echo middle; sleep 1; echo end; exit 4").await;
    b.swarm.converge(&spec).await.unwrap();
    let task = b.running(&spec.name, 1).await.remove(0);
    let follow = b.swarm.logs(&task.id, LogQuery { after: None, tail: Some(100), follow: true }).await.unwrap();
    let texts = follow.map(|l| l.unwrap().text).collect::<Vec<_>>();
    let texts = tokio::time::timeout(Duration::from_secs(15), texts).await.expect("the log ends with its task");
    assert_eq!(texts, ["begin", "middle", "end"]);
}

pub async fn an_exit_is_a_failure_with_its_code(b: &Bench) {
    let spec = b.service("echo goodbye; exit 3").await;
    b.swarm.converge(&spec).await.unwrap();
    let ended = |tasks: &[Task]| tasks.iter().any(|t| t.state == TaskState::Failed) && tasks.len() > 1;
    let tasks = b.until(&spec.name, "failed and followed by another", ended).await;
    let failed = tasks.iter().find(|t| t.state == TaskState::Failed).unwrap();
    assert_eq!((failed.exit_code, failed.wanted, failed.out_of_memory), (Some(3), false, false));
    assert_eq!(failed.message, "started: task: non-zero exit (3)");
    assert!(tasks[0].wanted, "the newest of a slot comes first: {tasks:#?}");
    let words = lines(&*b.swarm, &failed.id, LogQuery { after: None, tail: None, follow: false }).await;
    assert_eq!(words.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(), ["goodbye"], "the log outlives the container's end");
}

pub async fn a_clean_exit_is_complete(b: &Bench) {
    let spec = b.service("exit 0").await;
    b.swarm.converge(&spec).await.unwrap();
    let tasks = b.until(&spec.name, "complete", |tasks| tasks.iter().any(|t| t.state == TaskState::Complete)).await;
    let complete = tasks.iter().find(|t| t.state == TaskState::Complete).unwrap();
    assert_eq!((complete.exit_code, complete.message.as_str()), (Some(0), "finished"));
}

pub async fn want_of_memory_is_seen(b: &Bench) {
    let mut events = b.swarm.events().await.unwrap();
    let mut spec = b.service("tail /dev/zero").await;
    spec.memory = Bytes::mib(16);
    b.swarm.converge(&spec).await.unwrap();
    let is_told = |tasks: &[Task]| tasks.iter().any(|t| t.state == TaskState::Failed && t.out_of_memory);
    let tasks = b.until(&spec.name, "out of memory", is_told).await;
    let failed = tasks.iter().find(|t| t.out_of_memory).unwrap();
    assert_eq!(failed.exit_code, Some(137));
    let told = async {
        while let Some(event) = events.next().await {
            if let Event::OutOfMemory { container } = event
                && failed.container.as_ref() == Some(&container)
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told).await.expect("the event came too");
}

pub async fn an_image_that_is_not_there_is_rejected(b: &Bench) {
    let mut spec = b.service(SLEEP).await;
    spec.image = format!("sha256:{}", "ab".repeat(32));
    b.swarm.converge(&spec).await.unwrap();
    let tasks = b.until(&spec.name, "rejected", |tasks| tasks.iter().any(|t| t.state == TaskState::Rejected)).await;
    let rejected = tasks.iter().find(|t| t.state == TaskState::Rejected).unwrap();
    assert!(rejected.message.contains("No such image"), "{rejected:?}");
    assert_eq!((rejected.exit_code, rejected.address), (None, None));
}

pub async fn want_of_room_is_told(b: &Bench) {
    let mut spec = b.service(SLEEP).await;
    spec.memory = Bytes::mib(1024 * 1024);
    b.swarm.converge(&spec).await.unwrap();
    let words = "no suitable node (insufficient resources on 1 node)";
    let tasks = b.until(&spec.name, "told why it waits", |tasks| tasks.iter().any(|t| t.message.contains(words))).await;
    assert_eq!((tasks[0].state, tasks[0].node.as_ref()), (TaskState::Pending, None));
    spec.memory = Bytes::mib(32);
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Updated);
    b.running(&spec.name, 1).await;
}

pub async fn networks_are_made_once_and_removed(b: &Bench) {
    let network = b.network().await;
    let both = futures::future::join(b.swarm.ensure_network(&network), b.swarm.ensure_network(&network)).await;
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    b.swarm.ensure_network(&network).await.unwrap();
    let other = NetworkSpec { subnet: "10.250.250.0/24".into(), ..network.clone() };
    assert!(matches!(b.swarm.ensure_network(&other).await, Err(SwarmError::Refused(_))));
    let mut spec = b.service(SLEEP).await;
    spec.network = Some((network.name.clone(), "web".into()));
    b.swarm.converge(&spec).await.unwrap();
    b.running(&spec.name, 1).await;
    assert!(matches!(b.swarm.remove_network(&network.name).await, Err(SwarmError::Conflict(_))), "it is in use");
    b.tidy().await;
    b.swarm.remove_network(&network.name).await.unwrap();
}

pub async fn removing_twice_is_fine(b: &Bench) {
    let spec = b.service(SLEEP).await;
    b.swarm.converge(&spec).await.unwrap();
    b.running(&spec.name, 1).await;
    b.swarm.remove(&spec.name).await.unwrap();
    b.swarm.remove(&spec.name).await.unwrap();
    assert!(b.swarm.services().await.unwrap().iter().all(|s| s.name != spec.name));
    b.until(&spec.name, "all tasks gone", |tasks| tasks.is_empty()).await;
}

pub async fn events_wake(b: &Bench) {
    let mut events = b.swarm.events().await.unwrap();
    let spec = b.service(SLEEP).await;
    b.swarm.converge(&spec).await.unwrap();
    let woken = async {
        while let Some(event) = events.next().await {
            if event == (Event::Service { app: Some(b.prefix.clone()) })
                && !running(&b.swarm.tasks(Some(&spec.name)).await.unwrap()).is_empty()
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), woken).await.expect("an event tells that the task runs");
}

pub async fn a_build_makes_an_image_that_runs(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let text = "FROM busybox:latest\nRUN echo building\nCOPY page /www/index.html\nEXPOSE 8080/tcp\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n";
    let mut spec = b.build(dir.path(), &[("Dockerfile", text), ("page", "hello")]);
    spec.no_cache = true;
    let (said, end) = b.built(spec.clone()).await;
    let BuildEvent::Done(image) = end else { panic!("{end:?} after {said:#?}") };
    assert!(said.iter().any(|l| l == "building") && said.iter().any(|l| l.starts_with("Step 2/")), "{said:#?}");
    assert!(image.id.starts_with("sha256:") && image.tags.contains(&spec.tag) && image.ports == [8080] && image.size.0 > 0, "{image:?}");
    assert_eq!((image.labels.get(LABEL_APP), image.labels.contains_key(OURS)), (Some(&b.prefix), true));
    assert!(b.swarm.images().await.unwrap().contains(&image));
    assert_eq!(b.swarm.resolve(&image.id, None).await.unwrap(), image);
    let mut service = b.service("").await;
    (service.image, service.command) = (image.id.clone(), None);
    b.swarm.converge(&service).await.unwrap();
    b.running(&service.name, 1).await;
}

pub async fn a_failing_build_tells_its_step(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nRUN echo trying; exit 7\n")]);
    let (said, end) = b.built(spec.clone()).await;
    let BuildEvent::Failed(BuildFailure::Step { message, exit_code: Some(7) }) = end else { panic!("{end:?}") };
    assert!(message.contains("exit 7") && said.iter().any(|l| l == "trying"), "{message} {said:#?}");
    let spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nCOPY missing /\n")]);
    let (_, end) = b.built(spec.clone()).await;
    let BuildEvent::Failed(BuildFailure::Step { message, exit_code: None }) = end else { panic!("{end:?}") };
    assert!(message.contains("missing"), "{message}");
    let spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nFETCH everything\n")]);
    let (_, end) = b.built(spec.clone()).await;
    let BuildEvent::Failed(BuildFailure::Step { message, .. }) = end else { panic!("{end:?}") };
    assert!(message.contains("unknown instruction: FETCH"), "{message}");
}

pub async fn a_build_that_eats_memory_is_told_apart(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nRUN tail /dev/zero\n")]);
    spec.memory = Bytes::mib(16);
    let (said, end) = b.built(spec).await;
    assert_eq!(end, BuildEvent::Failed(BuildFailure::OutOfMemory), "{said:#?}");
}

pub async fn a_build_needs_a_dockerfile(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let spec = b.build(dir.path(), &[("README", "no Dockerfile")]);
    assert_eq!(b.built(spec.clone()).await.1, BuildEvent::Failed(BuildFailure::NoDockerfile));
    let deep = b.build(dir.path(), &[("docker/web/Dockerfile", "FROM busybox:latest\nCOPY README /\n")]);
    let (_, end) = b.built(BuildSpec { dockerfile: "docker/web/Dockerfile".into(), ..deep }).await;
    assert!(matches!(end, BuildEvent::Done(_)), "{end:?}");
}

pub async fn a_context_is_bounded(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let big = "x".repeat(64 * 1024);
    let mut spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\n"), ("big", &big)]);
    spec.max_context = Bytes(32 * 1024);
    assert_eq!(b.built(spec.clone()).await.1, BuildEvent::Failed(BuildFailure::ContextTooLarge));
    std::fs::write(dir.path().join(".dockerignore"), "big").unwrap();
    let (_, end) = b.built(spec).await;
    assert!(matches!(end, BuildEvent::Done(_)), "{end:?}");
}

pub async fn dockerignore_and_links_hold(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let files = [
        ("Dockerfile", "FROM busybox:latest\nCOPY . /in\nCOPY logs/keep /\n"),
        (".dockerignore", "# no noise\nlogs\n!logs/keep\n**/*.tmp\n"),
        ("logs/keep", "kept"),
        ("logs/noise", "noise"),
        ("deep/down/a.tmp", "temporary"),
    ];
    let spec = b.build(dir.path(), &files);
    std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
    let (said, end) = b.built(spec.clone()).await;
    let BuildEvent::Done(image) = end else { panic!("{end:?} after {said:#?}") };
    // What a link points to outside is not in the image, and what is ignored can't be copied.
    let refused = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nCOPY logs/noise /\n")]);
    assert!(matches!(b.built(refused).await.1, BuildEvent::Failed(BuildFailure::Step { .. })));
    let refused = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nCOPY deep/down/a.tmp /\n")]);
    assert!(matches!(b.built(refused).await.1, BuildEvent::Failed(BuildFailure::Step { .. })));
    b.swarm.remove_image(&image.id).await.unwrap();
}

pub async fn an_image_is_kept_while_in_use(b: &Bench) {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("FROM busybox:latest\nENV TEST={}\nCMD [\"sleep\", \"1000\"]\n", b.prefix);
    let (_, end) = b.built(b.build(dir.path(), &[("Dockerfile", &text)])).await;
    let BuildEvent::Done(image) = end else { panic!("{end:?}") };
    let mut spec = b.service("").await;
    (spec.image, spec.command) = (image.id.clone(), None);
    b.swarm.converge(&spec).await.unwrap();
    b.running(&spec.name, 1).await;
    assert!(matches!(b.swarm.remove_image(&image.id).await, Err(SwarmError::Conflict(_))));
    b.swarm.remove(&spec.name).await.unwrap();
    b.until(&spec.name, "all tasks gone", |tasks| tasks.is_empty()).await;
    let mut removed = b.swarm.remove_image(&image.id).await;
    for _ in 0..100 {
        if !matches!(removed, Err(SwarmError::Conflict(_))) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        removed = b.swarm.remove_image(&image.id).await;
    }
    removed.unwrap();
    b.swarm.remove_image(&image.id).await.unwrap();
    assert!(matches!(b.swarm.resolve(&image.id, None).await, Err(SwarmError::NotFound(_))));
    let foreign = b.swarm.resolve("busybox:latest", None).await.unwrap();
    assert!(matches!(b.swarm.remove_image(&foreign.id).await, Err(SwarmError::Refused(_))), "busybox is not ours");
}

pub async fn a_registry_that_refuses_is_quoted(b: &Bench) {
    let refused = b.swarm.resolve("127.0.0.1:1/acme/shop:v1", None).await;
    assert!(matches!(&refused, Err(SwarmError::Refused(words)) if words.contains("refused")), "{refused:?}");
}

fn program(b: &Bench, script: &str, timeout: Duration) -> RunSpec {
    RunSpec {
        image: "busybox:latest".into(),
        command: vec!["sh".into(), "-c".into(), script.into()],
        env: vec![],
        network: None,
        memory: Bytes::mib(32),
        labels: [(LABEL_APP.to_string(), b.prefix.clone())].into(),
        timeout,
    }
}

pub async fn a_program_runs_once(b: &Bench) {
    let outcome = b.swarm.run_once(program(b, "echo working; echo done >&2; exit 5", Duration::from_secs(20))).await.unwrap();
    assert_eq!(outcome.exit_code, Some(5));
    let mut output = outcome.output;
    output.sort();
    assert_eq!(output, ["done", "working"]);
    let missing = RunSpec { image: format!("sha256:{}", "ab".repeat(32)), ..program(b, "true", Duration::from_secs(20)) };
    assert!(matches!(b.swarm.run_once(missing).await, Err(SwarmError::NotFound(_))));
}

pub async fn a_program_that_takes_too_long_is_killed(b: &Bench) {
    let outcome = b.swarm.run_once(program(b, "echo begun; sleep 1000", Duration::from_secs(1))).await.unwrap();
    assert_eq!(outcome, RunOutcome { exit_code: None, output: vec!["begun".into()] });
}
