//! What every builder does, the real and the fake alike: one suite, so that nobody's tests rest on what only the fake does.
use base::{
    id::{Id, OrgId},
    units::{Bytes, MilliCpu},
};
use builder::{
    Builder,
    buildkit::masks::Masks,
    seam::{BoxPhase, BoxSize, BuildEvent, BuildFailure, BuildJob, BuildLimits, SecretValue, StepState, Warmth},
};
use futures::StreamExt;
use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

static NEXT: AtomicU32 = AtomicU32::new(0);

fn org(letter: char) -> OrgId {
    OrgId::from_suffix(&format!("01j1000000000000000000000{letter}"))
}

fn size() -> BoxSize {
    BoxSize { memory: Bytes::mib(1024), cpu: MilliCpu(1500), pids: 256, disk: Bytes::mib(1024), egress: Bytes(0), io_weight: 50 }
}

fn job(folder: &Path, org: OrgId, dockerfile: &str) -> BuildJob {
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    let source = folder.join(format!("s{n}"));
    std::fs::create_dir_all(&source).unwrap();
    std::fs::write(source.join("Dockerfile"), dockerfile).unwrap();
    BuildJob {
        id: format!("c-{n}"),
        org,
        source,
        dockerfile: "Dockerfile".into(),
        target: None,
        args: Default::default(),
        secrets: Default::default(),
        credentials: vec![],
        masks: Masks::default(),
        labels: Default::default(),
        platform: None,
        no_cache: false,
        size: size(),
        limits: BuildLimits { time: Duration::from_secs(120), ..BuildLimits::default() },
    }
}

async fn ended(builder: &dyn Builder, job: BuildJob) -> Vec<BuildEvent> {
    builder.build(job).await.unwrap().collect().await
}

fn said(events: &[BuildEvent]) -> Vec<&str> {
    events.iter().filter_map(|e| if let BuildEvent::Line { text, .. } = e { Some(text.as_str()) } else { None }).collect()
}

fn failure(events: &[BuildEvent]) -> BuildFailure {
    match events.last() {
        Some(BuildEvent::Failed(why)) => why.clone(),
        other => panic!("it did not fail: {other:?}"),
    }
}

/// Runs the suite; `folder` is for sources.
pub async fn suite(builder: &dyn Builder, folder: &Path) {
    life(builder).await;
    builds(builder, folder).await;
    failures(builder, folder).await;
    hanging_up(builder, folder).await;
    builder.discard(&org('a')).await.unwrap();
    builder.discard(&org('b')).await.unwrap();
    assert!(builder.boxes().await.unwrap().is_empty());
}

async fn life(builder: &dyn Builder) {
    let ada = org('a');
    builder.admits(&ada, &size()).await.unwrap();
    assert_eq!(builder.warm(&ada, &size()).await.unwrap(), Warmth::New);
    assert_eq!(builder.warm(&ada, &size()).await.unwrap(), Warmth::Warm);
    builder.stop(&ada).await.unwrap();
    builder.stop(&ada).await.unwrap();
    assert_eq!(builder.boxes().await.unwrap()[0].phase, BoxPhase::Stopped);
    assert_eq!(builder.warm(&ada, &size()).await.unwrap(), Warmth::Started);
    builder.discard(&ada).await.unwrap();
    builder.discard(&ada).await.unwrap();
    builder.stop(&org('z')).await.unwrap();
    assert_eq!(builder.warm(&ada, &size()).await.unwrap(), Warmth::New);
}

async fn builds(builder: &dyn Builder, folder: &Path) {
    let file = "FROM busybox\nRUN echo one\nRUN echo s3cr3t-value\nUSER 12\nEXPOSE 8080\n";
    let mut first = job(folder, org('a'), file);
    first.secrets.insert("token".into(), SecretValue("s3cr3t-value".into()));
    let events = ended(builder, first.clone()).await;
    let Some(BuildEvent::Done(built)) = events.last() else { panic!("{events:?}") };
    assert!(matches!(events.first(), Some(BuildEvent::Placed { warmth: Warmth::Warm })));
    assert_eq!(said(&events), ["one", "***"]);
    assert_eq!((built.ports.as_slice(), built.user.as_deref()), (&[8080][..], Some("12")));
    let cached = |events: &[BuildEvent]| events.iter().any(|e| matches!(e, BuildEvent::Step { state: StepState::Cached, .. }));
    assert!(cached(&ended(builder, job(folder, org('a'), file)).await), "nothing came from the cache");
    assert!(!cached(&ended(builder, job(folder, org('b'), file)).await), "a neighbour's cache was met");
    // A neighbour does not have the image either.
    assert!(builder.export(&org('a'), &built.image).await.is_ok());
    let nobodys = format!("sha256:{}", "1".repeat(64)).parse().unwrap();
    assert!(builder.export(&org('b'), &nobodys).await.is_err());
    builder.forget(&org('a'), &first.id).await.unwrap();
    builder.forget(&org('a'), &first.id).await.unwrap();
}

async fn failures(builder: &dyn Builder, folder: &Path) {
    let sentence = async |file: &str| failure(&ended(builder, job(folder, org('a'), file)).await).to_string();
    assert!(sentence("FROM busybox\nRUN echo why; exit 3\n").await.contains("exit code 3"));
    assert!(sentence("FROM busybox\nFRM x\n").await.contains("unknown instruction: FRM"));
    assert!(sentence("FROM busybox\nCOPY nope /\n").await.contains("has no"));
    assert!(sentence("FROM busybox\nRUN --mount=type=secret,id=npm,required true\n").await.contains("the secret npm"));
    assert!(sentence("FROM busybox\nRUN --mount=type=ssh true\n").await.contains("Line 2"));
    assert_eq!(
        sentence("FROM busybox\nADD http://10.0.0.2:3000/ /x\n").await,
        "10.0.0.2 is a private address. Builds reach public addresses only."
    );
    let mut other = job(folder, org('a'), "FROM busybox\n");
    other.dockerfile = "deploy/Dockerfile".into();
    assert_eq!(
        failure(&ended(builder, other).await),
        BuildFailure::NoDockerfile { wanted: "deploy/Dockerfile".into(), found: vec!["Dockerfile".into()] }
    );
    let mut slow = job(folder, org('a'), "FROM busybox\nRUN sleep 100\n");
    slow.limits.time = Duration::from_secs(4);
    assert_eq!(failure(&ended(builder, slow).await), BuildFailure::TimedOut(Duration::from_secs(4)));
    let mut large = job(folder, org('a'), "FROM busybox\n");
    std::fs::write(large.source.join("big"), vec![7; 2 << 20]).unwrap();
    large.limits.context = Bytes::mib(1);
    assert_eq!(failure(&ended(builder, large).await), BuildFailure::ContextTooLarge(Bytes::mib(1)));
    let mut odd = job(folder, org('a'), "FROM busybox\n");
    odd.id = "../x".into();
    assert!(builder.build(odd).await.is_err());
}

async fn hanging_up(builder: &dyn Builder, folder: &Path) {
    let mut events = builder.build(job(folder, org('a'), "FROM busybox\nRUN echo begun; sleep 1000\n")).await.unwrap();
    while let Some(event) = events.next().await {
        if matches!(&event, BuildEvent::Line { text, .. } if text == "begun") {
            break;
        }
    }
    drop(events);
    let again = ended(builder, job(folder, org('a'), "FROM busybox\nRUN echo next\n")).await;
    assert!(matches!(again.last(), Some(BuildEvent::Done(_))), "{again:?}");
    // A box that is stopped under a build ends it without a verdict: who built tries again.
    let mut lost = builder.build(job(folder, org('a'), "FROM busybox\nRUN echo begun; sleep 3\nRUN echo then\n")).await.unwrap();
    while let Some(event) = lost.next().await {
        if matches!(&event, BuildEvent::Line { text, .. } if text == "begun") {
            break;
        }
    }
    builder.stop(&org('a')).await.unwrap();
    while let Some(event) = lost.next().await {
        assert!(!matches!(event, BuildEvent::Done(_) | BuildEvent::Failed(_)), "{event:?}");
    }
}
