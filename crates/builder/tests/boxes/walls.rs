//! What a box reaches: from its root's own hands, with and without the gate, and after everything was flushed that can be.
use super::{
    org, small,
    world::{FORBIDDEN, Net, PUBLIC, World},
};

/// Which of the forbidden places answer there.
fn open(net: &Net) -> Vec<&'static str> {
    let tries: Vec<_> =
        FORBIDDEN.map(|at| (at, net.clone())).into_iter().map(|(at, net)| std::thread::spawn(move || net.probe(at).map(|_| at))).collect();
    tries.into_iter().filter_map(|one| one.join().unwrap()).collect()
}

#[test]
fn without_the_gate_forbidden_places_are_open_and_with_it_none_is() {
    let world = World::new();
    let host = world.host.clone();
    world.keeps(move |boxes| async move {
        let (a, _) = boxes.warm(&org('a'), &small()).await.unwrap();
        let (b, _) = boxes.warm(&org('b'), &small()).await.unwrap();
        let before = open(&host);
        println!("open from the machine's own network: {} of {}: {before:?}", before.len(), FORBIDDEN.len());
        assert!(before.len() >= 18, "{before:?}");
        for of in [&a, &b] {
            let net = Net::of(of.first as u32);
            assert_eq!(open(&net), Vec::<&str>::new(), "open from a box");
            for at in PUBLIC {
                assert!(net.probe(at).is_some_and(|said| said.contains("answer of")), "{at} is closed to the box");
            }
        }
    });
}

#[test]
fn flushing_opens_nothing_neither_in_the_box_nor_on_the_machine() {
    let world = World::new();
    let host = world.host.clone();
    world.keeps(move |boxes| async move {
        let (a, _) = boxes.warm(&org('a'), &small()).await.unwrap();
        let net = Net::of(a.first as u32);
        let flush = |net: &Net| {
            for tool in ["iptables", "ip6tables"] {
                for table in ["filter", "nat", "mangle", "raw"] {
                    net.run(tool, &["-w", "-t", table, "-F"], "");
                    net.run(tool, &["-w", "-t", table, "-X"], "");
                }
                for chain in ["INPUT", "FORWARD", "OUTPUT"] {
                    net.run(tool, &["-w", "-P", chain, "ACCEPT"], "");
                }
            }
            net.run("nft", &["flush", "ruleset"], "");
        };
        flush(&net);
        assert_eq!(open(&net), Vec::<&str>::new(), "after the box flushed its own rules");
        // Another address and another way, as the box's root can have them.
        net.run("ip", &["-batch", "-"], "addr add 10.0.0.77/24 dev eth0\nroute add 169.254.169.254/32 via 198.19.255.1 src 10.0.0.77\nlink set eth0 address 02:00:00:00:00:01\n");
        assert_eq!(open(&net), Vec::<&str>::new(), "with a spoofed source");
        flush(&host);
        assert_eq!(open(&net), Vec::<&str>::new(), "after the machine's rules were flushed");
        boxes.stand().await.unwrap();
        boxes.stand().await.unwrap();
        let fresh = boxes.warm(&org('c'), &small()).await.unwrap().0;
        assert!(Net::of(fresh.first as u32).probe(PUBLIC[0]).is_some(), "the keeper puts the way out back");
    });
}

#[test]
fn an_address_that_the_machine_gets_while_a_box_runs_is_closed_too() {
    let world = World::new();
    let host = world.host.clone();
    world.keeps(move |boxes| async move {
        let (a, _) = boxes.warm(&org('a'), &small()).await.unwrap();
        let (fine, said) = host.run("ip", &["addr", "add", "93.184.217.7/32", "dev", "lo"], "");
        assert!(fine, "{said}");
        assert!(host.probe("93.184.217.7:9999").is_some());
        assert_eq!(Net::of(a.first as u32).probe("93.184.217.7:9999"), None);
    });
}

#[test]
fn what_the_operator_opened_is_open_and_nothing_beside_it() {
    let world = World::new();
    let mut config = world.config();
    config.open = vec!["10.0.9.9/32".parse().unwrap()];
    world.keeps_as(config, |boxes| async move {
        let (a, _) = boxes.warm(&org('a'), &small()).await.unwrap();
        // A program that writes the address in IPv6's clothes sends the same packets.
        assert_eq!(open(&Net::of(a.first as u32)), ["[::ffff:10.0.9.9]:80", "10.0.9.9:80"]);
    });
}

#[test]
fn the_box_s_root_is_nobody_and_sees_nothing_of_the_machine() {
    let world = World::new();
    let folder = world.folder.display().to_string();
    world.keeps(move |boxes| async move {
        let (a, _) = boxes.warm(&org('a'), &small()).await.unwrap();
        let status = std::fs::read_to_string(format!("/proc/{}/status", a.first)).unwrap();
        assert!(status.contains("Uid:\t1879048192\t1879048192\t1879048192\t1879048192"), "{status}");
        let inside = |words: &str| {
            let pid = a.first.to_string();
            let out = std::process::Command::new("nsenter")
                .args(["-t", &pid, "-U", "-m", "-n", "-p", "-i", "-u", "-C", "--", "sh", "-c", words])
                .output()
                .unwrap();
            (out.status.success(), String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr))
        };
        for refused in [
            "echo x > /proc/sys/kernel/core_pattern",
            "echo b > /proc/sysrq-trigger",
            "mknod /run/disk b 7 0",
            "mount /dev/loop0 /run",
            "mount -o remount,rw /usr",
            "touch /usr/x",
            "dmesg",
            "echo 9999999999 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
            "echo 100000 > /sys/fs/cgroup/pids/steps/pids.max",
            "ls /work /home",
            &format!("ls {folder}"),
        ] {
            let (fine, said) = inside(refused);
            assert!(!fine, "{refused} works: {said}");
        }
        let (_, tops) = inside("echo /*");
        let known = "/bin /dev /etc /lib /lib32 /lib64 /libx32 /opt /proc /root /run /sbin /sys /tmp /usr /var";
        assert!(tops.split_whitespace().all(|top| known.split(' ').any(|one| one == top)), "{tops}");
        let (_, processes) = inside("ls -d /proc/[0-9]*");
        assert!(processes.lines().count() < 10, "{processes}");
        let (_, mounts) = inside("cat /proc/mounts");
        assert!(!mounts.contains("docker.sock") && !mounts.contains(&folder), "{mounts}");
        // The engine's descriptors are its own: the socket that it was given, and nothing of the keeper's.
        let fds: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", a.first))
            .unwrap()
            .flatten()
            .map(|fd| std::fs::read_link(fd.path()).unwrap_or_default().display().to_string())
            .collect();
        assert!(fds.iter().filter(|fd| fd.starts_with("socket:")).count() <= 1 && !fds.iter().any(|fd| fd.contains(&folder)), "{fds:?}");
    });
}
