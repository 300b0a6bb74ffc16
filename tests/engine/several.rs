//! A Swarm of several engines, made by `scripts/swarm.sh` before these tests begin. They run in the network of the first, which the panel
//! manages; the others join as an operator would let them join.
use crate::panel::{docker, text, until};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

/// How many nodes there are.
pub const NODES: usize = 3;
/// The machine outside of the swarm.
pub const OUTSIDE: &str = "198.18.0.1";

/// The folder of `swarm.sh`.
pub fn folder() -> PathBuf {
    std::env::var("SKYPANEL_TEST_SWARM").expect("these tests need a swarm of several engines: run `make test`").into()
}

/// The address of a node, counted from 1.
pub fn address(node: usize) -> String {
    format!("198.18.0.{}", 10 + node)
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/swarm.sh"))
}

/// Pulls a node's cable, or plugs it in.
pub fn cable(verb: &str, node: usize) {
    assert!(script().arg(verb).arg(folder()).arg(format!("node{node}")).status().unwrap().success());
}

/// A command in the network of a node, or `outside`.
pub fn beside(who: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/swarm.sh"));
    command.arg("exec").arg(folder()).arg(who);
    command
}

/// What a node's engine says.
pub fn ask(node: usize, arguments: &[&str]) -> String {
    let socket = format!("unix://{}/node{node}/docker.sock", folder().display());
    let output = Command::new("docker").arg("-H").arg(socket).args(arguments).output().unwrap();
    assert!(output.status.success(), "node{node}: docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

/// Ends with the test.
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Our program on a node, beside its engine.
pub fn skypanel(node: usize, env: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = beside(&format!("node{node}"));
    command.arg(env!("CARGO_BIN_EXE_skypanel")).args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("SKYPANEL_SWARM__ENDPOINT", format!("unix://{}/node{node}/docker.sock", folder().display()));
    let nodes: Vec<String> = (1..=NODES).map(|node| format!("\"{}/32\"", address(node))).collect();
    command.env("SKYPANEL_WALLS__NODES", format!("[{}]", nodes.join(",")));
    command.envs(env.iter().map(|(key, value)| (format!("SKYPANEL_{key}"), value)));
    command.stdin(Stdio::null());
    command
}

/// Keeps the walls of a node from here on.
pub fn agent(node: usize, env: &[(&str, &str)], log: &Path) -> Ends {
    let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
    Ends(skypanel(node, env, &["agent"]).stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

/// What the doctor says on a node: whether it is content, and its checks.
pub fn doctor(node: usize, data: &Path, env: &[(&str, &str)]) -> (bool, Vec<Value>) {
    let data = data.display().to_string();
    let mut all = vec![("DATA_DIR", data.as_str())];
    all.extend(env);
    let Output { status, stdout, stderr } = skypanel(node, &all, &["admin", "doctor", "--json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&stdout).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&stderr)));
    assert_eq!(status.success(), said["verdict"] != "fail", "{said:#}");
    (status.success(), said["checks"].as_array().unwrap().clone())
}

/// One answer of the doctor's.
pub fn answer<'a>(checks: &'a [Value], name: &str) -> &'a Value {
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {checks:#?}"))
}

/// Lets every other node join the swarm that the panel has begun.
pub async fn join() {
    docker(&["swarm", "update", "--dispatcher-heartbeat", "2s"]);
    let token = docker(&["swarm", "join-token", "-q", "worker"]);
    for node in 2..=NODES {
        if ask(node, &["info", "-f", "{{.Swarm.LocalNodeState}}"]) == "active" {
            continue;
        }
        let prepared = skypanel(node, &[], &["agent", "prepare", &address(node)]).output().unwrap();
        assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
        ask(node, &["swarm", "join", "--advertise-addr", &address(node), "--token", &token, &format!("{}:2377", address(1))]);
    }
    until("all nodes are ready", 30, async || {
        docker(&["node", "ls", "--format", "{{.Status}}"]).lines().filter(|line| *line == "Ready").count() == NODES
    })
    .await;
}

/// A registry that every node reaches; the panel's builds go there.
pub async fn registry() -> (Ends, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}/data}}}}\nhttp: {{addr: '{}:5000'}}\n",
        dir.path().display(),
        address(1)
    );
    std::fs::write(dir.path().join("config.yml"), config).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", "docker-registry", "serve"]).arg(dir.path().join("config.yml"));
    let child = Ends(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("apt-get install docker-registry"));
    let address = format!("{}:5000", address(1));
    until("the registry answers", 10, async || tokio::net::TcpStream::connect(&address).await.is_ok()).await;
    (child, dir)
}

/// The settings of a panel that manages several nodes. Its networks are its own, for those of panels that are gone may still be there.
pub fn settings(subnets: &str) -> Vec<(&'static str, String)> {
    vec![("SWARM__ADVERTISE", address(1)), ("REGISTRY__SERVER", format!("{}:5000", address(1))), ("SWARM__SUBNETS", subnets.into())]
}

/// Containers of an application, as node and id.
pub fn containers(app: &str) -> Vec<(usize, String)> {
    let filter = format!("label=skypanel.app={app}");
    let of = |node: usize| {
        ask(node, &["ps", "-q", "--no-trunc", "--filter", &filter]).lines().map(|id| (node, id.to_string())).collect::<Vec<_>>()
    };
    (1..=NODES).flat_map(of).collect()
}

/// What a container is: its address in the overlay of its organization, and its published port.
pub fn container(node: usize, id: &str) -> (String, String) {
    let json: Value = serde_json::from_str(&ask(node, &["inspect", id])).unwrap();
    let networks = json[0]["NetworkSettings"]["Networks"].as_object().unwrap();
    let (_, overlay) = networks.iter().find(|(name, _)| name.starts_with("skypanel-")).expect("it is in an overlay");
    let ports = json[0]["NetworkSettings"]["Ports"].as_object().unwrap();
    let port = ports.values().find_map(|port| Some(port.as_array()?.first()?["HostPort"].as_str()?.to_string()));
    (text(&overlay["IPAddress"]).to_string(), port.expect("it has a published port"))
}
