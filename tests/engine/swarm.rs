//! The real engine keeps the promises of a swarm, and a few that only a real one can break.
use crate::conformance::{self, Bench};
use futures::StreamExt;
use skypanel::{
    swarm::{
        docker::{Began, Endpoint, Engine},
        *,
    },
    units::Bytes,
};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{process::Command, sync::Mutex};

/// The engine of the tests, as `unix:///…`.
fn socket() -> String {
    std::env::var("SKYPANEL_TEST_DOCKER").expect("these tests need an engine of their own and not yours: run `make test`")
}

async fn engine() -> Engine {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _turn = ONE_AT_A_TIME.lock().await;
    let engine = Engine::connect(socket().parse().unwrap()).await.unwrap();
    engine.ensure_swarm(Ipv4Addr::LOCALHOST.into()).await.unwrap();
    engine
}

async fn fresh() -> Bench {
    Bench::new(Arc::new(engine().await))
}

promises!(fresh);

/// Asks the engine by other means than ours.
async fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").arg("-H").arg(socket()).args(arguments).output().await.unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

async fn within(what: &str, seconds: u64, is_so: impl AsyncFn() -> bool) {
    for _ in 0..seconds * 20 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within {seconds} s");
}

#[tokio::test]
async fn a_swarm_that_is_there_is_left_alone_and_its_ports_are_on_loopback() {
    let engine = engine().await;
    let address = Ipv4Addr::LOCALHOST.into();
    assert_eq!(engine.ensure_swarm(address).await.unwrap(), Began::Already { binding: Some(address) });
    assert!(engine.nodes().await.unwrap().iter().all(|n| n.address == address));
}

#[tokio::test]
async fn a_build_that_is_dropped_stops_on_the_engine() {
    let b = fresh().await;
    let dir = tempfile::tempdir().unwrap();
    let mark = format!("sleep 98765.{}", b.prefix.len());
    let spec = b.build(dir.path(), &[("Dockerfile", &format!("FROM busybox:latest\nRUN echo {} && {mark}\n", b.prefix))]);
    let mut events = b.swarm.build(spec).await.unwrap();
    while let Some(event) = events.next().await {
        match event {
            BuildEvent::Line(line) if line == b.prefix => break,
            BuildEvent::Line(_) => {}
            end => panic!("{end:?}"),
        }
    }
    let containers = async || {
        docker(&["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Command}}"]).await.lines().filter(|l| l.contains(&mark)).count()
    };
    assert_eq!(containers().await, 1);
    drop(events);
    within("the container of the build is gone", 15, async || containers().await == 0).await;
    assert!(!docker(&["images", "-q", &format!("{}:one", b.prefix)]).await.contains(char::is_alphanumeric), "no image came of it");
}

#[tokio::test]
async fn a_build_that_is_dropped_while_it_is_sent_does_no_harm() {
    let b = fresh().await;
    let dir = tempfile::tempdir().unwrap();
    let mut spec = b.build(dir.path(), &[("Dockerfile", "FROM busybox:latest\nCOPY big /\n")]);
    std::fs::File::create(dir.path().join("big")).unwrap().set_len(512 * 1024 * 1024).unwrap();
    spec.max_context = Bytes::mib(1024);
    let mut events = b.swarm.build(spec).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), events.next()).await.is_err());
    drop(events);
    b.swarm.facts().await.unwrap();
}

#[tokio::test]
async fn a_build_may_have_more_memory_than_32_bits_can_say() {
    let b = fresh().await;
    let dir = tempfile::tempdir().unwrap();
    let text = "FROM busybox:latest\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; true\n";
    let mut spec = b.build(dir.path(), &[("Dockerfile", text)]);
    (spec.memory, spec.no_cache) = (Bytes::mib(5 * 1024), true);
    let (said, end) = b.built(spec).await;
    assert!(matches!(end, BuildEvent::Done(_)), "{end:?}");
    assert!(said.iter().any(|l| l == &Bytes::mib(5 * 1024).0.to_string()), "{said:#?}");
}

#[tokio::test]
async fn an_image_of_links_holds_nothing_from_outside() {
    let b = fresh().await;
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let text = "FROM busybox:latest\nCOPY . /in\nRUN ls -l /in; cat /in/link; cat /in/dir/secret; echo looked\n";
    let mut spec = b.build(dir.path(), &[("Dockerfile", text)]);
    spec.no_cache = true;
    std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("dir")).unwrap();
    let (said, end) = b.built(spec).await;
    assert!(matches!(end, BuildEvent::Done(_)), "{end:?}");
    let links: Vec<_> = said.iter().filter(|l| l.contains(" -> /")).collect();
    assert_eq!((links.len(), said.iter().any(|l| l == "secret")), (2, false), "{said:#?}");
}

#[tokio::test]
async fn a_container_has_its_limits_and_few_rights() {
    let b = fresh().await;
    let spec = b.service("grep -E '^(CapBnd|NoNewPrivs)' /proc/1/status; sleep 1000").await;
    b.swarm.converge(&spec).await.unwrap();
    let container = b.running(&spec.name, 1).await.remove(0).container.unwrap();
    let template = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.Init}} {{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config \"max-size\"}} {{.HostConfig.Privileged}}";
    assert_eq!(docker(&["inspect", "-f", template, &container]).await, format!("{} 200000000 64 true json-file 10m false", spec.memory.0));
    let status = docker(&["logs", &container]).await;
    let rights = status.lines().find_map(|l| l.strip_prefix("CapBnd:")).unwrap().trim();
    let rights = u64::from_str_radix(rights, 16).unwrap();
    // NET_RAW 13, MKNOD 27, AUDIT_WRITE 29, SETFCAP 31, SETPCAP 8; CHOWN 0, SETUID 7 and NET_BIND_SERVICE 10 stay.
    for (bit, has) in [(13, false), (27, false), (29, false), (31, false), (8, false), (0, true), (7, true), (10, true)] {
        assert_eq!(rights >> bit & 1 == 1, has, "capability {bit}");
    }
    b.tidy().await;
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let b = fresh().await;
    let name = format!("{}-web", b.prefix);
    docker(&["service", "create", "-d", "--name", &name, "--no-resolve-image", "--endpoint-mode", "dnsrr", "busybox", "sleep", "1000"])
        .await;
    let spec = b.service("sleep 1000").await;
    assert!(matches!(b.swarm.converge(&spec).await, Err(SwarmError::Refused(_))));
    assert!(matches!(b.swarm.scale(&name, 2).await, Err(SwarmError::Refused(_))));
    assert!(matches!(b.swarm.remove(&name).await, Err(SwarmError::Refused(_))));
    assert!(b.swarm.services().await.unwrap().iter().all(|s| s.name != name));
    assert!(b.swarm.tasks(Some(&name)).await.unwrap().is_empty());
    docker(&["service", "rm", &name]).await;
    let network = format!("{}-theirs", b.prefix);
    docker(&["network", "create", "-d", "overlay", "--subnet", "10.249.1.0/24", &network]).await;
    assert!(matches!(b.swarm.remove_network(&network).await, Err(SwarmError::Refused(_))));
    docker(&["network", "rm", &network]).await;
}

#[tokio::test]
async fn a_race_for_a_service_is_run_again() {
    let b = fresh().await;
    let spec = b.service("sleep 1000").await;
    b.swarm.converge(&spec).await.unwrap();
    let scaled = (0..6u32).map(|n| {
        let (swarm, name) = (b.swarm.clone(), spec.name.clone());
        async move { swarm.scale(&name, n % 3).await }
    });
    for done in futures::future::join_all(scaled).await {
        done.unwrap();
    }
    let both = futures::future::join(b.swarm.converge(&spec), b.swarm.converge(&spec)).await;
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    b.tidy().await;
}

#[tokio::test]
async fn the_broom_takes_what_a_crash_left() {
    let (b, engine) = (fresh().await, engine().await);
    let program = async |labels: &[&str]| {
        let mut arguments = vec!["create"];
        arguments.extend(labels);
        arguments.extend(["busybox", "true"]);
        docker(&arguments).await
    };
    let of_a_build = program(&["--add-host", "build.skypanel.internal:127.0.0.1"]).await;
    let of_a_run = program(&["--label", "skypanel.once=true"]).await;
    let foreign = program(&["--label", &b.prefix]).await;
    engine.sweep(Duration::from_secs(3600)).await.unwrap();
    let left = async || docker(&["ps", "-aq", "--no-trunc"]).await;
    assert!(left().await.contains(&of_a_build), "it is too young to be a leftover");
    engine.sweep(Duration::from_millis(1)).await.unwrap();
    let left = left().await;
    assert!(!left.contains(&of_a_build) && !left.contains(&of_a_run) && left.contains(&foreign));
    docker(&["rm", &foreign]).await;
}

#[tokio::test]
async fn a_program_leaves_nothing_behind() {
    let b = fresh().await;
    let mine = async || docker(&["ps", "-aq", "--filter", &format!("label={LABEL_APP}={}", b.prefix)]).await;
    let spec = |timeout| RunSpec {
        image: "busybox:latest".into(),
        command: vec!["sleep".into(), "1000".into()],
        env: vec![],
        network: None,
        memory: Bytes::mib(16),
        labels: [(LABEL_APP.to_string(), b.prefix.clone())].into(),
        timeout,
    };
    b.swarm.run_once(spec(Duration::from_millis(300))).await.unwrap();
    assert_eq!(mine().await, "");
    let forgotten = tokio::time::timeout(Duration::from_secs(2), b.swarm.run_once(spec(Duration::from_secs(600)))).await;
    assert!(forgotten.is_err());
    within("nobody waits for it any more, so it is gone", 10, async || mine().await.is_empty()).await;
}

#[tokio::test]
async fn an_engine_that_is_away_is_unreachable_and_one_that_comes_later_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("docker.sock");
    let endpoint: Endpoint = format!("unix://{}", path.display()).parse().unwrap();
    let engine = Engine::new(endpoint);
    assert!(matches!(engine.facts().await, Err(SwarmError::Unreachable(_))));
    std::os::unix::fs::symlink(socket().strip_prefix("unix://").unwrap(), &path).unwrap();
    assert!(engine.facts().await.is_ok());
}

/// Runs our own script for private engines.
async fn script(command: &str, dir: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
    let status = Command::new(script).arg(command).arg(dir).status().await.unwrap();
    assert!(status.success(), "engine.sh {command}");
}

/// An engine that may be killed, removed at the end of the test, whichever end that is.
struct Victim(tempfile::TempDir);

impl Drop for Victim {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
        let _ = std::process::Command::new(script).arg("down").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_crash_of_the_engine_is_survived() {
    let victim = Victim(tempfile::tempdir().unwrap());
    let dir = victim.0.path();
    script("up", dir).await;
    let url = format!("unix://{}", dir.join("docker.sock").display());
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/base-images.sh");
    assert!(Command::new(images).env("DOCKER_HOST", &url).status().await.unwrap().success());
    let engine = Engine::connect(url.parse().unwrap()).await.unwrap();
    assert_eq!(engine.ensure_swarm(Ipv4Addr::LOCALHOST.into()).await.unwrap(), Began::Now);
    let b = Bench::new(Arc::new(engine.clone()));
    let spec = b.service("trap 'exit 0' TERM; while true; do sleep 1; done").await;
    b.swarm.converge(&spec).await.unwrap();
    let before = b.running(&spec.name, 1).await.remove(0);
    let context = tempfile::tempdir().unwrap();
    let build = b.build(
        context.path(),
        &[("Dockerfile", "FROM busybox:latest\nRUN echo begun; trap 'exit 0' TERM; while true; do sleep 1; done\n")],
    );
    let mut building = b.swarm.build(build).await.unwrap();
    while building.next().await.expect("it builds") != BuildEvent::Line("begun".into()) {}
    let events = b.swarm.events().await.unwrap();

    script("kill", dir).await;
    let rest: Vec<_> = tokio::time::timeout(Duration::from_secs(5), building.collect()).await.expect("the build ends");
    assert!(rest.iter().all(|event| matches!(event, BuildEvent::Line(_))), "a crash is no verdict: {rest:?}");
    tokio::time::timeout(Duration::from_secs(10), events.count()).await.expect("the events end");
    assert!(matches!(b.swarm.tasks(None).await, Err(SwarmError::Unreachable(_))));

    script("restart", dir).await;
    let is_new = |tasks: &[Task]| conformance::running(tasks).iter().any(|t| t.id != before.id);
    b.until(&spec.name, "runs again after the crash", is_new).await;
    assert_eq!(b.swarm.converge(&spec).await.unwrap(), Converged::Unchanged);
    within("the container of the build that died is removed", 20, async || {
        let all = Command::new("docker").args(["-H", &url, "ps", "-a", "--format", "{{.Label \"skypanel\"}}|"]).output().await.unwrap();
        String::from_utf8_lossy(&all.stdout).lines().all(|label| label == "true|")
    })
    .await;
}

#[tokio::test]
async fn an_image_goes_through_a_registry_that_wants_a_password() {
    const PORT: u16 = 5917;
    let dir = tempfile::tempdir().unwrap();
    // ada:lovelace
    std::fs::write(dir.path().join("users"), "ada:$2b$05$abcdefghijklmnopqrstuuugyJgZetmHGvxwCJ1rpgM8bgT8KJ8.i\n").unwrap();
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}}}\nhttp: {{addr: '127.0.0.1:{PORT}'}}\nauth: {{htpasswd: {{realm: test, path: {root}/users}}}}\n",
        root = dir.path().display()
    );
    std::fs::write(dir.path().join("config.yml"), config).unwrap();
    let _registry = Command::new("docker-registry")
        .arg("serve")
        .arg(dir.path().join("config.yml"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("apt-get install docker-registry");
    within("the registry answers", 10, async || tokio::net::TcpStream::connect(("127.0.0.1", PORT)).await.is_ok()).await;

    let b = fresh().await;
    let files = tempfile::tempdir().unwrap();
    let (_, end) = b.built(b.build(files.path(), &[("Dockerfile", &format!("FROM busybox:latest\nENV TEST={}\n", b.prefix))])).await;
    let BuildEvent::Done(image) = end else { panic!("{end:?}") };
    let target = format!("127.0.0.1:{PORT}/acme/shop:{}", b.prefix);
    let ada = RegistryAuth { server: format!("127.0.0.1:{PORT}"), username: "ada".into(), password: "lovelace".into() };
    let stranger = RegistryAuth { password: "guess".into(), ..ada.clone() };
    for auth in [None, Some(&stranger)] {
        let refused = b.swarm.push(&image.id, &target, auth).await;
        assert!(
            matches!(&refused, Err(SwarmError::Refused(words)) if words.contains("no basic auth") || words.contains("unauthorized")),
            "{refused:?}"
        );
    }
    let reference = b.swarm.push(&image.id, &target, Some(&ada)).await.unwrap();
    assert!(reference.starts_with(&format!("127.0.0.1:{PORT}/acme/shop@sha256:")), "{reference}");
    b.swarm.remove_image(&image.id).await.unwrap();
    for auth in [None, Some(&stranger)] {
        let refused = b.swarm.resolve(&target, auth).await;
        assert!(matches!(refused, Err(SwarmError::Refused(_))), "{refused:?}");
    }
    assert_eq!(b.swarm.resolve(&reference, Some(&ada)).await.unwrap().id, image.id);
    // What lies on the engine by now is still not for who lacks the credential.
    assert!(matches!(b.swarm.resolve(&target, None).await, Err(SwarmError::Refused(_))));
    let mut spec = b.service("sleep 1000").await;
    (spec.image, spec.registry) = (reference, Some(ada));
    b.swarm.converge(&spec).await.unwrap();
    b.running(&spec.name, 1).await;
    b.tidy().await;
}
