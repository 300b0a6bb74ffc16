//! Builds of strangers, in boxes: what works, what is closed, what is bounded.
use super::{
    org, small,
    world::{FORBIDDEN, World},
};
use base::id::OrgId;
use builder::{
    Boxes, Builder,
    buildkit::masks::Masks,
    seam::{BuildEvent, BuildFailure, BuildJob, BuildLimits, Built, SecretValue, StepState},
};
use futures::StreamExt;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A source with this Dockerfile, in the world's folder.
pub fn source(dockerfile: &str) -> PathBuf {
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    let base = std::env::var("SKYPANEL_TEST_DIR").unwrap_or_else(|_| "/var/tmp".into());
    let dir = PathBuf::from(base).join(format!("source-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("Dockerfile"), dockerfile).unwrap();
    dir
}

pub fn job(org: OrgId, dockerfile: &str) -> BuildJob {
    let n = NEXT.fetch_add(1, Ordering::SeqCst);
    BuildJob {
        id: format!("b-{n}"),
        org,
        source: source(dockerfile),
        dockerfile: "Dockerfile".into(),
        target: None,
        args: Default::default(),
        secrets: Default::default(),
        credentials: vec![],
        masks: Masks::default(),
        labels: Default::default(),
        platform: None,
        no_cache: false,
        size: small(),
        limits: BuildLimits { time: Duration::from_secs(120), ..BuildLimits::default() },
    }
}

/// How a build ended, and all that it said.
pub async fn built(boxes: &Boxes, job: BuildJob) -> (Result<Built, BuildFailure>, String, Vec<BuildEvent>) {
    let source = job.source.clone();
    let events: Vec<BuildEvent> = boxes.build(job).await.unwrap().collect().await;
    std::fs::remove_dir_all(source).ok();
    let said: Vec<&str> =
        events.iter().filter_map(|e| if let BuildEvent::Line { text, .. } = e { Some(text.as_str()) } else { None }).collect();
    let said = said.join("\n");
    let end = match events.last() {
        Some(BuildEvent::Done(built)) => Ok(built.clone()),
        Some(BuildEvent::Failed(why)) => Err(why.clone()),
        other => panic!("no end: {other:?}, {said}"),
    };
    (end, said, events)
}

#[test]
fn what_buildkit_can_builds() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let mut job = job(
            org('a'),
            &[
                "FROM --platform=$BUILDPLATFORM busybox AS unused",
                "RUN exit 1",
                "FROM busybox AS build",
                "ARG TARGETOS TARGETARCH GREETING",
                "RUN --mount=type=cache,target=/cache sh -c 'echo hit >> /cache/n; echo cache $(wc -l < /cache/n)'",
                "RUN --mount=type=secret,id=token echo secret is $(cat /run/secrets/token)",
                "RUN echo platform $TARGETOS/$TARGETARCH $GREETING",
                "COPY --chmod=0751 Dockerfile /x",
                "RUN stat -c 'mode %a' /x",
                "FROM busybox",
                "COPY --from=build /x /x",
                "USER 12",
                "EXPOSE 8080",
                "ENTRYPOINT [\"/bin/sh\"]",
            ]
            .join("\n"),
        );
        job.secrets.insert("token".into(), SecretValue("s3cr3t-value".into()));
        job.args.insert("GREETING".into(), "hello".into());
        job.labels.insert("skypanel.test".into(), "yes".into());
        let (end, said, events) = built(&boxes, job.clone()).await;
        let built_image = end.unwrap_or_else(|why| panic!("{why}\n{said}"));
        for line in ["cache 1", "secret is ***", "platform linux/amd64 hello", "mode 751"] {
            assert!(said.contains(line), "{line} is not in\n{said}");
        }
        assert!(!said.contains("s3cr3t"));
        assert!(!events.iter().any(|e| matches!(e, BuildEvent::Step { name, .. } if name.contains("exit 1"))), "an unused stage was built");
        assert_eq!((built_image.ports, built_image.user.as_deref()), (vec![8080], Some("12")));
        assert!(built_image.bytes.0 > 500_000 && built_image.spent.wall > Duration::ZERO);

        // The image leaves by its archive and is forgotten.
        let mut archive = boxes.export(&org('a'), &built_image.image).await.unwrap();
        let mut bytes = 0;
        while let Some(piece) = archive.next().await {
            bytes += piece.unwrap().len();
        }
        assert!(bytes > 500_000);
        drop(archive);
        boxes.forget(&org('a'), &job.id).await.unwrap();
        boxes.forget(&org('a'), &job.id).await.unwrap();
    });
}

#[test]
fn what_is_unchanged_comes_from_the_cache_and_another_organization_has_none_of_it() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let file = "FROM busybox\nRUN --mount=type=cache,id=shared,target=/c sh -c 'echo x >> /c/n; echo runs $(wc -l < /c/n)'\nCOPY Dockerfile /y\n";
        let cached = |events: &[BuildEvent]| events.iter().filter(|e| matches!(e, BuildEvent::Step { state: StepState::Cached, .. })).count();
        let (end, said, _) = built(&boxes, job(org('a'), file)).await;
        end.unwrap();
        assert!(said.contains("runs 1"));
        let began = Instant::now();
        let (end, _, events) = built(&boxes, job(org('a'), file)).await;
        end.unwrap();
        println!("unchanged: {:?}", began.elapsed());
        assert!(cached(&events) >= 2, "{events:?}");
        let (end, said, events) = built(&boxes, job(org('b'), file)).await;
        end.unwrap();
        assert!(said.contains("runs 1") && cached(&events) == 0, "a neighbour's cache was met: {said}");
    });
}

/// `ADD` of every forbidden place, of names and redirects that lead there; `FROM` of them; and realms.
#[test]
fn no_instruction_of_a_dockerfile_reaches_inside() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let mut tries: Vec<(String, String)> = Vec::new();
        let adds = FORBIDDEN.map(|at| format!("http://{at}/")).into_iter().chain(
            [
                "http://localhost:3000/",
                "http://2130706433:3000/",
                "http://rebind.example:3000/",
                "http://lan.example/",
                "http://mapped.example:3000/",
                "http://host.example:3000/",
                "http://good.example/302/169.254.169.254/",
                "http://good.example/302/127.0.0.1:3000/",
                "http://good.example/302/10.0.0.2:3000/",
            ]
            .map(String::from),
        );
        tries.extend(adds.map(|url| (url.clone(), format!("FROM busybox\nADD {url} /x\nRUN cat /x\n"))));
        for image in [
            "127.0.0.1:3000/x",
            "localhost:3000/x",
            "10.0.0.2:3000/x:1",
            "169.254.169.254/x",
            "lan.example/x",
            "93.184.216.34:5001/evil/169.254.169.254/x",
            "93.184.216.34:5001/evil/127.0.0.1_3000/x",
        ] {
            tries.push((format!("FROM {image}"), format!("FROM {image}\nRUN true\n")));
        }
        let mut open = Vec::new();
        for (what, file) in tries {
            let began = Instant::now();
            let (end, said, _) = built(&boxes, job(org('a'), &file)).await;
            if said.contains("answer of") || end.is_ok() {
                open.push(what.clone());
            }
            println!("{what:<55} {:>5} ms  {}", began.elapsed().as_millis(), end.err().map(|why| why.to_string()).unwrap_or_default());
        }
        assert_eq!(open, Vec::<String>::new(), "open from a box");
        for url in ["http://good.example/", "http://93.184.216.34/", "http://[2606:2800:220:1::34]/"] {
            let (end, said, _) = built(&boxes, job(org('a'), &format!("FROM busybox\nADD {url} /x\nRUN cat /x\n"))).await;
            assert!(said.contains("answer of"), "{url}: {end:?}");
        }
        let (end, _, _) = built(&boxes, job(org('a'), "FROM busybox\nADD http://lan.example/ /x\n")).await;
        assert_eq!(end.unwrap_err().to_string(), "lan.example is a private address. Builds reach public addresses only.");
        let (end, _, _) = built(&boxes, job(org('a'), "FROM busybox\nADD http://10.0.0.2:3000/ /x\n")).await;
        assert_eq!(end.unwrap_err().to_string(), "10.0.0.2 is a private address. Builds reach public addresses only.");
    });
}

#[test]
fn no_step_reaches_inside_and_two_boxes_do_not_find_each_other() {
    let world = World::new();
    world.keeps(|boxes| async move {
        boxes.warm(&org('b'), &small()).await.map(drop).unwrap();
        let four: Vec<&str> = FORBIDDEN.into_iter().filter(|at| !at.starts_with('[')).collect();
        let mut file = String::from("FROM busybox\nRUN ");
        for at in four.iter().chain(&["198.19.0.1:2375", "198.19.255.2:2375", "198.18.0.3:53", "93.184.216.34:80"]) {
            let (ip, port) = at.rsplit_once(':').unwrap();
            file += &format!("(printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 3 nc -w 2 {ip} {port} | sed 's/^/{ip}_{port} /') & ");
        }
        file += "wait; true\n";
        let (end, said, _) = built(&boxes, job(org('a'), &file)).await;
        end.unwrap();
        let open: Vec<&str> = said.lines().filter(|line| line.contains("answer of")).collect();
        assert!(open.len() == 1 && open[0].starts_with("93.184.216.34_80"), "{said}");
    });
}

#[test]
fn bombs_hogs_fillers_and_endless_output_end_themselves_and_the_box_works_on() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let ada = org('a');
        // Everything is there before, so that the times are those of the attacks.
        built(&boxes, job(ada.clone(), "FROM busybox\nRUN true\n")).await.0.unwrap();
        let running = boxes.running(&ada).await.unwrap();
        for (what, run) in [
            ("fork bomb", "i=0; while [ $i -lt 2000 ]; do sleep 20 & i=$((i+1)); done; wait"),
            ("memory hog", "tail -c 2000000000 /dev/zero > /dev/null"),
            ("disk filler", "dd if=/dev/zero of=/fill bs=1M"),
            ("endless output", "yes"),
        ] {
            let (began, mut job) = (Instant::now(), job(ada.clone(), &format!("FROM busybox\nRUN {run}\n")));
            job.no_cache = true;
            if what == "endless output" {
                job.limits.time = Duration::from_secs(8);
            }
            let attack = built(&boxes, job);
            let watch = async {
                let mut slowest = Duration::ZERO;
                loop {
                    let asked = Instant::now();
                    assert!(running.engine.answers(Duration::from_secs(20)).await, "{what}: the engine is gone");
                    slowest = slowest.max(asked.elapsed());
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    if began.elapsed() > Duration::from_secs(110) {
                        return slowest;
                    }
                }
            };
            let (end, said, events) = tokio::select! {
                ended = attack => ended,
                slowest = watch => panic!("{what} does not end; the engine answered within {slowest:?}"),
            };
            let clipped = events.iter().any(|e| matches!(e, BuildEvent::Clipped { .. })) || said.contains("output clipped");
            println!(
                "{what}: {:?}, {} bytes of log, {}",
                began.elapsed(),
                said.len(),
                end.as_ref().map_or_else(|why| why.to_string(), |_| "built".into())
            );
            match what {
                "memory hog" => assert!(matches!(end, Err(BuildFailure::OutOfMemory(_))), "{end:?}"),
                "disk filler" => assert!(matches!(end, Err(BuildFailure::DiskFull(_))), "{end:?}"),
                "endless output" => assert!(said.len() <= 1 << 20 && clipped, "{} bytes, {end:?}", said.len()),
                _ => assert!(end.is_err(), "{end:?}"),
            }
            built(&boxes, self::job(ada.clone(), "FROM busybox\nRUN echo after\n"))
                .await
                .0
                .unwrap_or_else(|why| panic!("after {what}: {why}"));
        }
    });
    world.assert_nothing_left();
}

#[test]
fn who_hangs_up_ends_the_build() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let mut events = boxes.build(job(org('a'), "FROM busybox\nRUN echo begun; sleep 300\n")).await.unwrap();
        while let Some(event) = events.next().await {
            if matches!(&event, BuildEvent::Line { text, .. } if text == "begun") {
                break;
            }
            assert!(!matches!(event, BuildEvent::Failed(_)), "{event:?}");
        }
        let running = boxes.running(&org('a')).await.unwrap();
        let sleeps = || {
            running
                .tree
                .processes()
                .into_iter()
                .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.contains("sleep\x00300")))
                .count()
        };
        assert!(sleeps() > 0);
        let began = Instant::now();
        drop(events);
        while sleeps() > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "the step goes on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("cancelled in {:?}", began.elapsed());
    });
}

#[test]
fn a_build_that_takes_too_long_or_says_nothing_is_ended_with_its_sentence() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let slow = |time: u64, silence: u64, run: &str| {
            let mut job = job(org('a'), &format!("FROM busybox\nRUN {run}\n"));
            job.limits.time = Duration::from_secs(time);
            job.limits.silence = Duration::from_secs(silence);
            job
        };
        built(&boxes, job(org('a'), "FROM busybox\nRUN true\n")).await.0.unwrap();
        let (end, _, _) = built(&boxes, slow(6, 60, "while true; do echo x; sleep 1; done")).await;
        assert_eq!(end.unwrap_err(), BuildFailure::TimedOut(Duration::from_secs(6)));
        let (end, _, _) = built(&boxes, slow(60, 5, "sleep 300")).await;
        assert_eq!(end.unwrap_err(), BuildFailure::Silent(Duration::from_secs(5)));
        let (end, _, _) = built(&boxes, slow(8, 60, "true\nADD http://93.184.216.34/never /x")).await;
        assert_eq!(end.unwrap_err(), BuildFailure::TimedOut(Duration::from_secs(8)));
    });
}

#[test]
fn what_is_refused_or_too_new_or_wrong_has_its_sentence() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let id = format!("sha256:{}", "ab".repeat(32));
        for (file, sentence) in [
            ("FROM busybox\nRUN --mount=type=ssh true\n".to_string(), "Line 2 of the Dockerfile: --mount=type=ssh"),
            (format!("FROM {id}\n"), "an id is no name"),
            ("# syntax=evil.example/x\nFROM busybox\n".into(), "the frontend evil.example/x is not allowed"),
            ("FROM busybox\nFRM x\n".into(), "unknown instruction: FRM"),
            ("FROM busybox\nRUN exit 3\n".into(), "exit code 3"),
            ("FROM busybox\nCOPY nope /\n".into(), "The repository has no"),
            ("FROM busybox\nRUN --mount=type=secret,id=npm,required true\n".into(), "the secret npm"),
            ("FROM busybox\nUSER nobodyknows\nRUN true\n".into(), "nobodyknows"),
            ("FROM 93.184.216.50:5000/nope:1\n".into(), "base image"),
            ("FROM nope.example/x:1\n".into(), "no host is called nope.example"),
            ("\u{feff}from busybox\r\nrun true\r\n".into(), ""),
        ] {
            let (end, said, _) = built(&boxes, job(org('a'), &file)).await;
            let told = end.err().map(|why| why.to_string()).unwrap_or_default();
            println!("{:<60} {told}", file.lines().last().unwrap_or_default());
            assert!(told.contains(sentence) && told.is_empty() == sentence.is_empty(), "{file}\n{told}\n{said}");
        }
        let (end, _, _) = built(&boxes, job(org('a'), "FROM busybox\nCOPY <<EOT /x\nhi\nEOT\n")).await;
        let newer = builder::Builder::facts(&boxes).await.unwrap().engine;
        match end {
            Err(why) => assert!(why.to_string().contains("needs Docker 23.0"), "{newer}: {why}"),
            Ok(_) => assert!(!newer.starts_with("20."), "{newer} knows heredocs"),
        }
    });
}

#[test]
fn a_neighbour_s_image_is_not_there_by_any_name() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let theirs = job(org('a'), "FROM busybox\nRUN echo the-neighbour > /secret\n");
        let tag = format!("job/{}", theirs.id);
        let id = built(&boxes, theirs).await.0.unwrap().image.to_string();
        let hex = id.trim_start_matches("sha256:");
        for name in [&id, hex, &hex[..12], &hex[..4], &tag, &format!("{tag}:latest")] {
            let file = format!("FROM {name} AS t\nFROM busybox\nCOPY --from=t /secret /x\nRUN cat /x\n");
            let (end, said, _) = built(&boxes, job(org('b'), &file)).await;
            assert!(!said.contains("the-neighbour") && end.is_err(), "{name}: {said}");
            let (end, said, _) = built(&boxes, job(org('b'), &format!("FROM busybox\nCOPY --from={name} /secret /x\nRUN cat /x\n"))).await;
            assert!(!said.contains("the-neighbour") && end.is_err(), "{name}: {said}");
        }
    });
}
