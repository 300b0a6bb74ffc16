//! A box's life: it starts, sleeps, stops and goes, and whoever is killed, nothing is left.
use super::{org, small, world::World};
use builder::seam::{BoxPhase, Warmth};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::time::{Duration, Instant};

#[test]
fn a_box_starts_sleeps_stops_and_goes() {
    let world = World::new();
    world.keeps(|boxes| async move {
        let (ada, began) = (org('a'), Instant::now());
        let (running, warmth) = boxes.warm(&ada, &small()).await.unwrap();
        println!("new: {:?}", began.elapsed());
        assert_eq!(warmth, Warmth::New);
        assert_eq!(boxes.warm(&ada, &small()).await.unwrap().1, Warmth::Warm);
        let usage = running.tree.usage();
        println!("idle: {usage:?}");
        assert!(usage.memory > 0 && usage.processes > 2);

        boxes.freeze(&ada).await.unwrap();
        assert_eq!(boxes.states().await[0].phase, BoxPhase::Frozen);
        assert!(!running.engine.answers(Duration::from_millis(200)).await, "a frozen box says nothing");
        let began = Instant::now();
        assert_eq!(boxes.warm(&ada, &small()).await.unwrap().1, Warmth::Thawed);
        println!("thawed: {:?}", began.elapsed());

        boxes.stop(&ada).await.unwrap();
        boxes.stop(&ada).await.unwrap();
        assert_eq!(boxes.states().await[0].phase, BoxPhase::Stopped);
        let began = Instant::now();
        assert_eq!(boxes.warm(&ada, &small()).await.unwrap().1, Warmth::Started);
        println!("started: {:?}", began.elapsed());
        boxes.discard(&ada).await.unwrap();
        boxes.discard(&ada).await.unwrap();
        assert!(boxes.states().await.is_empty());
    });
    world.assert_nothing_left();
}

#[test]
fn idle_boxes_go_to_sleep_by_themselves_and_busy_ones_do_not() {
    let world = World::new();
    let (freeze_after, stop_after) = (Duration::from_secs(30), Duration::from_secs(900));
    world.keeps(move |boxes| async move {
        let (ada, now) = (org('a'), Instant::now());
        let (running, _) = boxes.warm(&ada, &small()).await.unwrap();
        let building = running.busy.clone();
        drop(running);
        assert_eq!(boxes.idle_pass(now + freeze_after).await, 0, "a build goes on in it");
        drop(building);
        assert_eq!(boxes.idle_pass(now + freeze_after).await, 0, "it was busy until now");
        assert_eq!(boxes.idle_pass(now + freeze_after * 2).await, 1);
        assert_eq!(boxes.states().await[0].phase, BoxPhase::Frozen);
        assert_eq!(boxes.idle_pass(now + freeze_after * 2).await, 0);
        assert_eq!(boxes.idle_pass(now + stop_after * 2).await, 1);
        assert_eq!(boxes.states().await[0].phase, BoxPhase::Stopped);
    });
    world.assert_nothing_left();
}

/// The ids of a box's processes by name, as the machine counts.
fn process(running: &builder::boxes::Running, name: &str) -> Pid {
    let found = running
        .tree
        .processes()
        .into_iter()
        .find(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name));
    Pid::from_raw(found.unwrap_or_else(|| panic!("no {name} runs")))
}

#[test]
fn whatever_is_killed_nothing_is_left_and_the_next_box_works() {
    let world = World::new();
    let left = world.parent.clone();
    world.keeps(move |boxes| async move {
        let _ = left;
        let ada = org('a');
        for victim in ["dockerd", "containerd", "first process", "warden", "frozen first process", "frozen warden"] {
            let (running, _) = boxes.warm(&ada, &small()).await.unwrap();
            let pid = match victim {
                "first process" | "frozen first process" => Pid::from_raw(running.first),
                "warden" | "frozen warden" => Pid::from_raw(running.warden as i32),
                name => process(&running, name),
            };
            if victim.starts_with("frozen") {
                boxes.freeze(&ada).await.unwrap();
            }
            kill(pid, Signal::SIGKILL).unwrap();
            if victim == "containerd" {
                // The engine starts another one by itself, or ends; a box that does not answer is made anew.
                boxes.warm(&ada, &small()).await.unwrap_or_else(|why| panic!("after {victim}: {why}"));
                continue;
            }
            if victim == "frozen first process" {
                // A frozen process dies when it thaws.
                assert!(boxes.warm(&ada, &small()).await.is_ok());
            } else {
                tokio::time::timeout(Duration::from_secs(30), running.ends()).await.unwrap_or_else(|_| panic!("{victim}: the box goes on"));
                assert!(running.tree.processes().is_empty(), "{victim}");
            }
            boxes.warm(&ada, &small()).await.unwrap_or_else(|why| panic!("after {victim}: {why}"));
        }
    });
    world.assert_nothing_left();
}

#[test]
fn when_the_keeper_is_killed_its_boxes_go_with_it_frozen_ones_too() {
    let world = World::new();
    let (folder, parent) = (world.folder.clone(), world.parent.clone());
    for frozen in [false, true] {
        // A keeper that is a process of its own: this program again, with one test.
        let (host, folder, parent) = (world.host.clone(), folder.clone(), parent.clone());
        let mut child = host.within(move || {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["life::keeper_of_its_own", "--exact", "--ignored", "--nocapture"])
                .env("KEEPER_FOLDER", folder)
                .env("KEEPER_PARENT", parent)
                .env("KEEPER_FREEZES", if frozen { "1" } else { "0" })
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap()
        });
        use std::io::BufRead;
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        let up = out.lines().map_while(Result::ok).any(|line| line.contains("the box is up"));
        assert!(up, "the keeper made no box");
        assert!(!world.left().is_empty());
        child.kill().unwrap();
        child.wait().unwrap();
        world.assert_nothing_left();
    }
}

#[test]
#[ignore = "a part of another test"]
fn keeper_of_its_own() {
    let Ok(folder) = std::env::var("KEEPER_FOLDER") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = builder::boxes::BoxConfig::new(folder.into()).unwrap();
        config.low_water = builder::boxes::disk::LowWater { percent: 1, bytes: 1 << 30 };
        config.parent = std::env::var("KEEPER_PARENT").unwrap();
        config.warden = (env!("CARGO_BIN_EXE_skypanel-box").into(), vec!["box-warden".into()]);
        let boxes = builder::boxes::Boxes::open(config).await.unwrap();
        boxes.warm(&org('a'), &small()).await.unwrap();
        if std::env::var("KEEPER_FREEZES").unwrap() == "1" {
            boxes.freeze(&org('a')).await.unwrap();
        }
        println!("the box is up");
        std::future::pending::<()>().await;
    });
}

#[test]
fn a_keeper_that_starts_ends_what_a_crash_left() {
    let world = World::new();
    let parent = world.parent.clone();
    // Cgroups with a process in them, as after a power cut of keeper and warden in one moment.
    let tree = builder::boxes::cgroup::Tree {
        root: "/sys/fs/cgroup".into(),
        hierarchy: builder::boxes::cgroup::Hierarchy::of("/sys/fs/cgroup".as_ref()).unwrap(),
        parent,
        id: "left".into(),
    };
    builder::boxes::cgroup::perform(&tree.made(&small(), 0)).unwrap();
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    for door in tree.doors() {
        std::fs::write(door, child.id().to_string()).unwrap();
    }
    tree.freeze(true).unwrap();
    world.keeps(|boxes| async move {
        assert_eq!(boxes.sweep().await.unwrap().boxes, Vec::<String>::new(), "opening it swept already");
    });
    assert!(!child.wait().unwrap().success());
    world.assert_nothing_left();
}

#[test]
fn who_is_not_root_is_told_what_is_missing() {
    let out = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_skypanel-box"), "lacks"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(!out.status.success());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("need root with CAP_SYS_ADMIN"), "{said}{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn a_killed_box_whose_disk_is_broken_gets_a_new_one() {
    let world = World::new();
    let folder = world.folder.clone();
    world.keeps(move |boxes| async move {
        use base::id::Id;
        let ada = org('a');
        let (running, _) = boxes.warm(&ada, &small()).await.unwrap();
        kill(Pid::from_raw(running.first), Signal::SIGKILL).unwrap();
        running.ends().await;
        // Nothing of a file system is left.
        let disk = std::fs::OpenOptions::new().write(true).open(folder.join(ada.suffix()).join("disk.img")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&disk, &[0xff; 8 << 20], 0).unwrap();
        boxes.warm(&ada, &small()).await.unwrap();
    });
    world.assert_nothing_left();
}
