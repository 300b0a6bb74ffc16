//! `.dockerignore`: what goes along is compared with what Docker's own client sends, on trees and patterns from a grammar. The client filters
//! on its own side, so that a socket which takes archives is all the engine that is needed.
use base::units::Bytes;
use builder::context::Context;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

/// Answers the client as far as it needs, and passes the names of an archive on.
fn serve(stream: UnixStream, names: Sender<BTreeSet<String>>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    loop {
        let mut first = String::new();
        if lines.read_line(&mut first)? == 0 {
            return Ok(());
        }
        let (mut chunked, mut length) = (false, 0usize);
        loop {
            let mut line = String::new();
            lines.read_line(&mut line)?;
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            chunked |= line == "transfer-encoding: chunked";
            length = line.strip_prefix("content-length: ").and_then(|n| n.parse().ok()).unwrap_or(length);
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body)?;
        while chunked {
            let mut size = String::new();
            lines.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(std::io::Error::other)?;
            let mut piece = vec![0; size + 2];
            lines.read_exact(&mut piece)?;
            body.extend(&piece[..size]);
            chunked = size > 0;
        }
        if first.contains("/build?") {
            let mut archive = tar::Archive::new(&body[..]);
            let all = archive.entries()?.map(|e| Ok(e?.path()?.to_string_lossy().trim_end_matches('/').to_string()));
            names.send(all.collect::<std::io::Result<_>>()?).ok();
            let said = "{\"stream\":\"Successfully built 000000000000\\n\"}\n";
            write!(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{said}", said.len())?;
        } else {
            write!(out, "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 0\r\n\r\n")?;
        }
    }
}

fn clients_way(socket: &Path, dir: &Path, names: &Receiver<BTreeSet<String>>) -> Option<BTreeSet<String>> {
    let out = Command::new("docker")
        .args(["build", "-q", "."])
        .current_dir(dir)
        .env("DOCKER_BUILDKIT", "0")
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .output()
        .unwrap();
    names.recv_timeout(Duration::from_millis(if out.status.success() { 5000 } else { 10 })).ok()
}

#[test]
fn dockerignore_means_what_it_means_to_docker_s_own_client() {
    let client = Command::new("docker").args(["--version"]).output();
    let version = client.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
    let major: u32 = version.split_whitespace().nth(2).and_then(|v| v.split('.').next()?.parse().ok()).unwrap_or(0);
    if major < 23 {
        println!("not compared: a client that knows the newer rules is needed, and this is “{}”", version.trim());
        return;
    }
    let base = std::env::var("SKYPANEL_TEST_DIR").unwrap_or_else(|_| "/var/tmp".into());
    let folder = tempfile::tempdir_in(base).unwrap();
    let (socket, (sender, names)) = (folder.path().join("sock"), channel());
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream, sender));
        }
    });
    let rounds: u32 = std::env::var("SKYPANEL_TEST_IGNORES").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let mut runner = TestRunner::new(Config::default());
    // A hidden folder is looked through by the client only for exceptions without wildcards, by newer builders for all: those are left out.
    let rule = "(\\*\\*/?)?[a-c?*]{1,2}(/[a-c*]{1,2}){0,2}(/\\*\\*)?|![a-c](/[a-c]){0,2}|\\[a-b\\]|/[a-c]/?| [a-c] |#x|";
    let cases = (prop::collection::vec(rule, 1..6), prop::collection::btree_set("[a-c]{1,2}(/[a-c]{1,2}){0,3}", 1..10));
    for _ in 0..rounds {
        let (rules, files) = cases.new_tree(&mut runner).unwrap().current();
        let dir = tempfile::tempdir_in(folder.path()).unwrap();
        std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        std::fs::write(dir.path().join(".dockerignore"), rules.join("\n")).unwrap();
        for file in &files {
            let path = dir.path().join(file);
            // A name that is a file already can't be a folder.
            if std::fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir() {
                std::fs::write(path, "x").ok();
            }
        }
        let only_files = |all: BTreeSet<String>| -> BTreeSet<String> {
            all.into_iter().filter(|name| name != "Dockerfile" && name != ".dockerignore" && dir.path().join(name).is_file()).collect()
        };
        let theirs = clients_way(&socket, dir.path(), &names).map(only_files);
        let ours = Context::gather(dir.path(), "Dockerfile", Bytes::mib(10)).ok();
        let ours = ours.map(|context| only_files(context.entries().iter().map(|p| p.display().to_string()).collect()));
        assert_eq!(ours, theirs, "rules {rules:?}, files {files:?}");
    }
}
