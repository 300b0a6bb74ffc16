//! A real git host for tests: `git http-backend` behind a small HTTP server on a loopback port of its own. What a path begins
//! with decides how the host behaves:
//! - `/NAME`: a plain host
//! - `/private/NAME`: asks for a user name and password (`ada`, `secret`)
//! - `/v0/NAME`: an old host that speaks protocol version 0 and gives out heads only
//! - `/slow/NAME`: sends 3 MB a second
//! - `/stall/…`: takes the request and never answers; `/halt/NAME` lists the branches and never sends a pack
//! - `/redirect/TARGET`: redirects to `http://TARGET`
//! - `/moved/NAME`: redirects to `/moved/NAME.git`, as GitLab does
//! - `/broken/…`: answers 500; `/page/…`: answers a page of HTML
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_util::io::ReaderStream;

/// `ada:secret` for HTTP's basic scheme.
const CREDENTIAL: &str = "Basic YWRhOnNlY3JldA==";

/// A git host that lives as long as this value.
pub struct GitServer {
    dir: TempDir,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl GitServer {
    /// Starts a host without repositories.
    pub async fn start() -> GitServer {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(dir.path().to_owned());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        GitServer { dir, address, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on this host, as text.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Makes an empty repository; [`GitServer::url`] of the same name leads to it.
    pub fn repo(&self, name: &str) -> Repo {
        Repo::new(self.dir.path().join(name))
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A bare repository and a folder to write its commits in.
pub struct Repo {
    bare: PathBuf,
    work: TempDir,
}

impl Repo {
    /// Makes an empty bare repository at `bare`.
    pub fn new(bare: impl Into<PathBuf>) -> Repo {
        let (bare, work) = (bare.into(), tempfile::tempdir().unwrap());
        fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main"]);
        git(work.path(), &["init", "--quiet", "--initial-branch=main"]);
        git(work.path(), &["remote", "add", "origin", bare.to_str().unwrap()]);
        Repo { bare, work }
    }

    /// The bare repository's folder.
    pub fn bare(&self) -> &Path {
        &self.bare
    }

    /// The folder that the next commit is made of: for links, modes and removals.
    pub fn work(&self) -> &Path {
        self.work.path()
    }

    /// Goes to a branch, which begins where we are if it is new.
    pub fn branch(&self, name: &str) -> &Self {
        let known = !git(self.work(), &["branch", "--list", name]).is_empty();
        git(self.work(), &["checkout", "--quiet", if known { "--force" } else { "-B" }, name]);
        self
    }

    /// Writes the files beside those that are there, commits everything, pushes the branch, and returns the commit's hash.
    pub fn commit(&self, files: &[(&str, &str)], message: &str) -> String {
        for (path, content) in files {
            self.write(path, content.as_bytes());
        }
        git(self.work(), &["add", "--all"]);
        self.push(message)
    }

    /// Commits what is staged, pushes the branch, and returns the commit's hash.
    pub fn push(&self, message: &str) -> String {
        git(self.work(), &["commit", "--quiet", "--allow-empty", "--message", message]);
        git(self.work(), &["push", "--quiet", "--force", "origin", "HEAD"]);
        git(self.work(), &["rev-parse", "HEAD"])
    }

    /// Writes one file of the next commit.
    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Runs git as Ada, without this machine's configuration, and returns what it wrote.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", dir)
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.com");
    }
    let output = command.current_dir(dir).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn answer(State(root): State<PathBuf>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let (first, rest) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
    let known = request.headers().get(header::AUTHORIZATION).is_some_and(|sent| sent == CREDENTIAL);
    let query = request.uri().query().unwrap_or_default();
    match first {
        "private" if !known => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")]).into_response(),
        "stall" => std::future::pending().await,
        "halt" if path.ends_with("/git-upload-pack") => without_packs(&root, request).await,
        "slow" => backend(&root, request, Duration::from_millis(20)).await,
        "redirect" => Redirect::temporary(&format!("http://{rest}?{query}")).into_response(),
        "moved" if !rest.contains(".git/") => {
            let (name, service) = rest.split_once('/').unwrap_or((rest, ""));
            Redirect::permanent(&format!("/moved/{name}.git/{service}?{query}")).into_response()
        }
        "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "page" => axum::response::Html("<!doctype html>\n<h1>Hello</h1>\n").into_response(),
        _ => backend(&root, request, Duration::ZERO).await,
    }
}

/// Lists refs (a POST as well, in protocol version 2), but stalls where the client wants a pack.
async fn without_packs(root: &Path, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if !body.windows(15).any(|w| w == b"command=ls-refs") {
        std::future::pending::<()>().await;
    }
    backend(root, Request::from_parts(parts, Body::from(body)), Duration::ZERO).await
}

/// Runs `git http-backend` on a request, by the rules of CGI (RFC 3875), and rests between pieces of 64 KiB.
async fn backend(root: &Path, request: Request, rest: Duration) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let header = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let mut command = tokio::process::Command::new("git");
    command
        .args(["-c", "safe.directory=*", "http-backend"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header(header::CONTENT_TYPE))
        .env("HTTP_CONTENT_ENCODING", header(header::CONTENT_ENCODING))
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if !parts.uri.path().starts_with("/v0/") {
        command.env("GIT_PROTOCOL", header(HeaderName::from_static("git-protocol")));
    }
    let mut child = command.spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    tokio::spawn(async move { stdin.write_all(&body).await });
    let mut response = Response::new(Body::empty());
    loop {
        let mut line = String::new();
        if stdout.read_line(&mut line).await.unwrap() == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.trim().split_once(": ").unwrap();
        match name {
            "Status" => *response.status_mut() = value[..3].parse().unwrap(),
            name => {
                response.headers_mut().append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
            }
        }
    }
    let (mut to, from) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let mut buf = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = stdout.read(&mut buf).await {
            if to.write_all(&buf[..n]).await.is_err() {
                break; // the client is gone: dropping the child kills it
            }
            tokio::time::sleep(rest).await;
        }
        drop(child);
    });
    *response.body_mut() = Body::from_stream(ReaderStream::new(from));
    response
}
