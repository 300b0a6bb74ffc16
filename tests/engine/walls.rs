//! What tenants' containers reach, tried from inside of them, on a Swarm of three machines; first without walls, so that it is known
//! that the prober finds open doors, then with them.
use crate::{
    panel::{Api, App, Panel, dockerfile, text, until},
    several::{self, NODES, OUTSIDE, agent, answer, ask, beside, container, containers, doctor},
    support::git_server::GitServer,
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    net::{TcpListener, UdpSocket},
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

/// The node's address that stands for its public one.
const PUBLIC: &str = "203.0.113.1";

/// What a target is, and where.
type Door = (String, String, String);

/// Tries to reach every door from inside a container, all at once. Answers with those that are open.
fn open(node: usize, container: &str, doors: &[Door]) -> BTreeSet<String> {
    let tries: Vec<String> = doors
        .iter()
        .map(|(name, host, port)| format!("(timeout 2 nc -w 2 {host} {port} -e true 2>/dev/null && echo '{name}') &"))
        .collect();
    let said = ask(node, &["exec", container, "sh", "-c", &format!("{}\nwait", tries.join("\n"))]);
    said.lines().map(String::from).collect()
}

/// The same from the machine outside.
fn open_outside(doors: &[Door]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, host, port) in doors {
        let status =
            beside("outside").args(["timeout", "2", "busybox", "nc", "-w", "2", host, port, "-e", "true"]).output().unwrap().status;
        if status.success() {
            found.insert(name.clone());
        }
    }
    found
}

fn names(doors: &[Door]) -> BTreeSet<String> {
    doors.iter().map(|(name, ..)| name.clone()).collect()
}

/// The doors of others, seen from a container on a node: another tenant's copies, by every way there is; the panel, the edge and the
/// engines on every machine, by every address of theirs.
fn doors_of_others(theirs: &[(usize, String)], panel: &str, edge: &str) -> Vec<Door> {
    let mut doors = Vec::new();
    let mut add = |name: String, host: &str, port: &str| doors.push((name, host.to_string(), port.to_string()));
    for (node, id) in theirs {
        let (overlay, port) = container(*node, id);
        let machine = several::address(*node);
        add(format!("the tenant on node{node} by its overlay"), &overlay, "8080");
        add(format!("the tenant on node{node} by the machine’s port"), &machine, &port);
        add(format!("the tenant on node{node} by the gateway’s port"), &gateway(*node), &port);
        if let Some(own) = on_gateway(*node, id) {
            add(format!("the tenant on node{node} by its gateway address"), &own, "8080");
        }
    }
    for node in 1..=NODES {
        add(format!("the swarm of node{node}"), &several::address(node), "7946");
    }
    for host in [several::address(1), gateway(1), PUBLIC.to_string()] {
        add(format!("the managers at {host}"), &host, "2377");
        add(format!("the engine at {host}"), &host, "2375");
        add(format!("the panel at {host}"), &host, panel);
    }
    for host in [several::address(1), gateway(1)] {
        add(format!("the edge at {host}"), &host, edge);
    }
    add("itself".into(), "127.0.0.1", "2375");
    doors
}

/// The address of a machine on its gateway bridge.
fn gateway(node: usize) -> String {
    ask(node, &["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "docker_gwbridge"])
}

/// The address of a container there.
fn on_gateway(node: usize, id: &str) -> Option<String> {
    let template = format!("{{{{range $id, $c := .Containers}}}}{{{{if eq $id \"{id}\"}}}}{{{{$c.IPv4Address}}}}{{{{end}}}}{{{{end}}}}");
    let found = ask(node, &["network", "inspect", "-f", &template, "docker_gwbridge"]);
    // Containers of services stand there by the id of their sandbox on some engines.
    found.split('/').next().filter(|address| !address.is_empty()).map(String::from)
}

async fn three(api: &Api, git: &GitServer, name: &str) -> App {
    let app = api.create(name, &git.url("hello"), json!({ "replicas": NODES })).await;
    app.live().await;
    until("it runs on every machine", 30, async || {
        containers(&app.id).iter().map(|(node, _)| *node).collect::<BTreeSet<_>>().len() == NODES
    })
    .await;
    app
}

async fn of_another(api: &Api) -> Api {
    let form = json!({ "name": "Eve", "email": "eve@example.com", "password": "correct horse battery" });
    let made = api.send(reqwest::Method::POST, "/api/auth/register", Some(form)).await;
    let token = made.1["data"]["access_token"].as_str().unwrap_or_else(|| panic!("{made:?}"));
    Api { token: token.into(), ..api.clone() }
}

fn rules(node: usize) -> String {
    let output = beside(&format!("node{node}")).args(["iptables", "-t", "mangle", "-S"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_reach_neither_each_other_nor_the_machines() {
    let _registry = several::registry().await;
    // Another address of the first machine: the one that the world knows.
    beside("node1").args(["ip", "addr", "replace", &format!("{PUBLIC}/32"), "dev", "lo"]).status().unwrap();
    let settings = several::settings("10.240.0.0/16");
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let (panel_port, edge_port) = ("21900", "21901");
    let public = format!("[\"{PUBLIC}\"]");
    let edge_listen = format!("[\"0.0.0.0:{edge_port}\"]");
    env.extend([("WALLS__KEEP", "false"), ("EDGE__PUBLIC_ADDRESSES", &public), ("EDGE__LISTEN", &edge_listen)]);
    let panel = Panel::start(&env).await;
    // The panel itself listens on loopback; whoever puts it on every address must be as safe.
    let _panel_everywhere = TcpListener::bind(("0.0.0.0", panel_port.parse::<u16>().unwrap())).unwrap();
    let _engine_everywhere = TcpListener::bind("0.0.0.0:2375").unwrap();
    several::join().await;
    let git = GitServer::start().await;
    let repo = git.repo("hello");
    repo.commit(&[("Dockerfile", &dockerfile(8080)), ("www/index.html", "hello")], "Say hello");
    let mut acme = panel.api();
    acme.edge = format!("http://127.0.0.1:{edge_port}");
    let rival = of_another(&acme).await;
    let shop = three(&acme, &git, "shop").await;
    let stock = three(&acme, &git, "stock").await;
    let spy = three(&rival, &git, "spy").await;
    let (theirs, spies) = (containers(&shop.id), containers(&spy.id));
    let doors = doors_of_others(&theirs, panel_port, edge_port);
    let outside: Vec<Door> =
        theirs.iter().map(|(node, id)| (format!("a task on node{node}"), several::address(*node), container(*node, id).1)).collect();

    // Those that an earlier test left.
    for node in 1..=NODES {
        assert!(several::skypanel(node, &[], &["agent", "remove"]).stdout(std::process::Stdio::null()).status().unwrap().success());
        assert!(!rules(node).contains("SKYPANEL"), "node{node}: {}", rules(node));
    }
    // Without walls the prober finds doors, on every machine.
    let before: Vec<BTreeSet<String>> = spies.iter().map(|(node, id)| open(*node, id, &doors)).collect();
    for ((node, _), found) in spies.iter().zip(&before) {
        assert!(found.iter().any(|name| name.contains("the machine’s port")), "node{node}: {found:?}");
        assert!(found.contains(&format!("the panel at {}", several::address(1))), "node{node}: {found:?}");
        assert!(found.contains(&format!("the edge at {}", several::address(1))), "node{node}: {found:?}");
    }
    println!("{} of {} doors were open without walls", before.iter().map(BTreeSet::len).sum::<usize>(), doors.len() * spies.len());
    assert_eq!(open_outside(&outside).len(), NODES, "from outside every task is open without walls");
    let (content, checks) = doctor(1, &panel.data(), &env);
    assert!(!content && answer(&checks, "walls")["verdict"] == "fail", "{checks:#?}");

    let logs = tempfile::tempdir().unwrap();
    let _agents: Vec<_> = (1..=NODES).map(|node| agent(node, &env, &logs.path().join(format!("{node}")))).collect();
    let walls_of = |node: usize| answer(&doctor(node, &panel.data(), &env).1, "walls").clone();
    until("the walls stand", 20, async || (1..=NODES).all(|node| rules(node).contains("-A FORWARD -j SKYPANEL-FWD"))).await;
    for node in 1..=NODES {
        assert_eq!(walls_of(node)["verdict"], "ok", "{:#}", walls_of(node));
    }
    let closed = || {
        for (node, id) in &spies {
            let found = open(*node, id, &doors);
            assert!(found.is_empty(), "from node{node}: {found:?} is open");
        }
        let found = open_outside(&outside);
        assert!(found.is_empty(), "from outside: {found:?}");
    };
    closed();
    // Nor a packet without a connection: a question to a name server that the machine is not.
    let questions = UdpSocket::bind("0.0.0.0:53").unwrap();
    questions.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    ask(spies[0].0, &["exec", &spies[0].1, "sh", "-c", &format!("timeout 1 nslookup x {} || true", several::address(1))]);
    assert!(questions.recv(&mut [0; 512]).is_err(), "a datagram reached the machine");
    // Past the address translation: whoever shares the wire leads packets to the bridge itself.
    let bridge = ask(2, &["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", "docker_gwbridge"]);
    let inside = gateway(2)
        .rsplit_once('.')
        .map(|(net, _)| (2..=9).map(|n| (format!("{net}.{n}"), format!("{net}.{n}"), "8080".to_string())).collect::<Vec<Door>>());
    beside("outside").args(["ip", "route", "replace", &bridge, "via", &several::address(2)]).status().unwrap();
    assert!(open_outside(&inside.unwrap()).is_empty(), "a bridge is open from outside");

    // What shall be open is.
    for (node, id) in &spies {
        let mut wanted: Vec<Door> = vec![("the world".into(), OUTSIDE.into(), "7000".into())];
        if *node == 1 {
            wanted.push(("the edge as the world knows it".into(), PUBLIC.into(), edge_port.into()));
        }
        let _world = several::Ends(beside("outside").args(["busybox", "nc", "-ll", "-p", "7000", "-e", "true"]).spawn().unwrap());
        until("the world is open", 10, async || open(*node, id, &wanted) == names(&wanted)).await;
    }
    for (node, id) in &theirs {
        let siblings: Vec<Door> = vec![("its sibling".into(), "stock".into(), "8080".into())];
        assert_eq!(open(*node, id, &siblings), names(&siblings), "on node{node}");
    }
    for (node, id) in containers(&stock.id) {
        let stranger: Vec<Door> = vec![("another tenant’s name".into(), "spy".into(), "8080".into())];
        assert!(open(node, &id, &stranger).is_empty(), "on node{node}");
    }
    for app in [&shop, &stock, &spy] {
        for _ in 0..12 {
            assert_eq!(app.page().await, "hello", "the edge reaches tasks on every machine");
        }
    }

    // Somebody takes them down, and they come back; an engine that starts again changes nothing.
    let flushed = Instant::now();
    beside("node2").args(["iptables", "-t", "mangle", "-F"]).status().unwrap();
    assert_eq!(walls_of(2)["verdict"], "fail");
    let engine = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/engine.sh");
    assert!(std::process::Command::new(engine).arg("restart").arg(several::folder().join("node3")).status().unwrap().success());
    assert_eq!(walls_of(3)["verdict"], "ok", "{:#}", walls_of(3));
    until("the walls of node2 are put up again", 35, async || rules(2).contains("-A FORWARD -j SKYPANEL-FWD")).await;
    println!("walls that were taken down were up again after {:.1} s", flushed.elapsed().as_secs_f64());
    assert_eq!(walls_of(2)["verdict"], "ok");
    let log = std::fs::read_to_string(logs.path().join("2")).unwrap();
    assert!(log.contains("somebody changed the walls"), "{log}");
    for app in [&shop, &stock, &spy] {
        app.delete().await;
    }
    until("nothing is left", 60, async || [&shop, &stock, &spy].iter().all(|app| containers(&app.id).is_empty())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_whose_walls_are_down_takes_no_new_tasks() {
    let settings = several::settings("10.241.0.0/16");
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    env.push(("WALLS__KEEP", "false"));
    let panel = Panel::start(&env).await;
    let availability = || crate::panel::docker(&["node", "inspect", "self", "-f", "{{.Spec.Availability}}"]);
    // A machine whose packet filter does not work.
    let broken = tempfile::tempdir().unwrap();
    let program = broken.path().join("iptables");
    std::fs::write(&program, "#!/bin/sh\necho 'Permission denied (you must be root)' >&2\nexit 4\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", broken.path().display(), std::env::var("PATH").unwrap());
    let log = broken.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let bad = several::Ends(several::skypanel(1, &env, &["agent"]).env("PATH", path).stderr(file).spawn().unwrap());
    until("the node is paused", 20, async || availability() == "pause").await;
    assert!(std::fs::read_to_string(&log).unwrap().contains("WALLS OF THIS MACHINE ARE DOWN"));
    let (content, checks) = doctor(1, &panel.data(), &env);
    assert!(!content && text(&answer(&checks, "swarm")["found"]).contains("walls are down"), "{checks:#?}");
    drop(bad);
    let _good = agent(1, &env, &log);
    until("the node takes tasks again", 20, async || availability() == "active").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_is_broken() {
    let settings = several::settings("10.244.0.0/16");
    let port = "[\"127.0.0.1:21890\"]";
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    env.push(("EDGE__LISTEN", port));
    let mut panel = Panel::start(&env).await;
    let panel_port = panel.api().base.rsplit_once(':').unwrap().1.to_string();
    let listen = format!("127.0.0.1:{panel_port}");
    env.push(("PANEL__LISTEN", &listen));
    let data = panel.data();
    until("the walls stand", 20, async || rules(1).contains("SKYPANEL-FWD")).await;
    let verdicts = |env: &[(&str, &str)]| {
        let (content, checks) = doctor(1, &data, env);
        let of = |verdict: &str| {
            checks.iter().filter(|check| check["verdict"] == verdict).map(|check| text(&check["name"]).to_string()).collect::<Vec<_>>()
        };
        assert!(checks.iter().all(|check| (check["verdict"] == "ok") == check["remedy"].is_null()), "{checks:#?}");
        (content, of("fail"))
    };
    assert_eq!(verdicts(&env), (true, vec![]), "{:#?}", doctor(1, &data, &env).1);
    let key = data.join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(verdicts(&env), (false, vec!["data".into()]));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    panel.kill();
    let _squatter = TcpListener::bind("127.0.0.1:21890").unwrap();
    assert_eq!(verdicts(&env), (false, vec!["edge".into()]));
    let away = [("SWARM__ENDPOINT", "unix:///nowhere/docker.sock")];
    let (content, failed) = verdicts(&[&env[..], &away[..]].concat());
    assert!(!content && failed.contains(&"engine".into()) && !failed.contains(&"walls".into()), "{failed:?}");
}
