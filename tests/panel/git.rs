//! Reading repositories, with the real git program on both ends.
use crate::support::git_server::{GitServer, git};
use skypanel::{
    git::{AddressPolicy, Branch, Checkout, CloneSpec, GitError, GitUrl, Remote, clone, ls_remote},
    units::Bytes,
};
use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(30);

/// A host, and a folder that clones go into.
struct Lab {
    host: GitServer,
    out: TempDir,
}

impl Lab {
    async fn start() -> Lab {
        Lab { host: GitServer::start().await, out: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.out.path().join("checkout")
    }

    fn url(&self, path: &str) -> GitUrl {
        self.host.url(path).parse().unwrap()
    }

    fn spec(&self, path: &str) -> CloneSpec {
        CloneSpec {
            url: self.url(path),
            branch: None,
            commit: None,
            into: self.folder(),
            max: Bytes::mib(50),
            timeout: SOON,
            on_line: None,
        }
    }

    async fn ask(&self, path: &str, branch: Option<&str>) -> Result<Remote, GitError> {
        let branch: Option<Branch> = branch.map(|b| b.parse().unwrap());
        ls_remote(&self.url(path), branch.as_ref(), &AddressPolicy::private(), SOON).await
    }

    async fn clone(&self, path: &str) -> Result<Checkout, GitError> {
        clone(self.spec(path), &AddressPolicy::private()).await
    }

    /// The code that a clone fails with; it must have left nothing.
    async fn refusal(&self, spec: CloneSpec) -> &'static str {
        let error = clone(spec, &AddressPolicy::private()).await.unwrap_err();
        assert!(self.is_empty(), "{error}");
        assert!(error.to_string().ends_with('.'), "{error}");
        error.code()
    }

    /// Whether no attempt left anything.
    fn is_empty(&self) -> bool {
        fs::read_dir(self.out.path()).unwrap().next().is_none()
    }

    /// Whether some attempt has got as far as to make a repository.
    fn has_begun(&self) -> bool {
        fs::read_dir(self.out.path()).unwrap().flatten().any(|attempt| attempt.path().join(".git").exists())
    }

    /// Whether a git process of the panel's still speaks to this host. (Processes carry the host's address as an argument.)
    fn is_spoken_to(&self) -> bool {
        let address = self.host.address().to_string();
        fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|p| fs::read(p.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&address)))
    }

    /// Waits until nothing speaks to this host any more.
    async fn falls_silent(&self) {
        within(|| !self.is_spoken_to()).await;
    }
}

async fn within(mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it did not come to pass");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(next).unwrap().flatten() {
            let name = entry.path().strip_prefix(dir).unwrap().display().to_string();
            let meta = entry.metadata().unwrap();
            if meta.is_dir() {
                dirs.push(entry.path());
            } else if meta.is_symlink() {
                found.insert(name, format!("-> {}", fs::read_link(entry.path()).unwrap().display()));
            } else {
                found.insert(name, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_host_says_what_there_is() {
    let lab = Lab::start().await;
    let repo = lab.host.repo("shop");
    let first = repo.commit(&[("Dockerfile", "FROM scratch\n")], "Begin");
    let second = repo.branch("dev").commit(&[("a", "b")], "Go on");

    let plain = lab.ask("shop", None).await.unwrap();
    assert_eq!((plain.head.as_str(), plain.default_branch.as_deref()), (first.as_str(), Some("main")));
    assert_eq!(plain.branches, ["dev", "main"]);
    assert_eq!(lab.ask("shop", Some("dev")).await.unwrap().head.as_str(), second);
    assert_eq!(lab.ask("v0/shop", None).await.unwrap_err().code(), "repository_not_found");

    let missing = lab.ask("shop", Some("prod")).await.unwrap_err();
    assert_eq!(missing.code(), "branch_not_found");
    assert_eq!(missing.to_string(), "The repository has no branch “prod”. It has dev, main.");
    lab.host.repo("empty");
    assert_eq!(lab.ask("empty", None).await.unwrap_err(), GitError::RepositoryEmpty);
}

#[tokio::test]
async fn a_wrong_url_is_told_apart_from_a_private_one_and_a_broken_host() {
    let lab = Lab::start().await;
    lab.host.repo("private/shop").commit(&[], "Begin");
    for (path, code) in [
        ("nothing", "repository_not_found"),
        ("private/shop", "repository_needs_credentials"),
        ("private/nothing", "repository_needs_credentials"),
        ("page/x", "repository_not_found"),
        ("broken/x", "repository_unreachable"),
    ] {
        assert_eq!(lab.ask(path, None).await.unwrap_err().code(), code, "{path}");
        assert_eq!(lab.refusal(lab.spec(path)).await, code, "{path}");
    }
    let nobody: GitUrl = "http://127.0.0.1:9/x".parse().unwrap();
    assert_eq!(ls_remote(&nobody, None, &AddressPolicy::private(), SOON).await.unwrap_err().code(), "repository_unreachable");
    let nowhere: GitUrl = "http://nowhere.invalid/x".parse().unwrap();
    assert_eq!(ls_remote(&nowhere, None, &AddressPolicy::default(), SOON).await.unwrap_err().code(), "host_not_found");
}

#[tokio::test]
async fn a_clone_is_exactly_the_commit() {
    let lab = Lab::start().await;
    let repo = lab.host.repo("shop");
    repo.commit(&[("old", "gone later"), ("text", "x\r\ny\n")], "Begin");
    fs::remove_file(repo.work().join("old")).unwrap();
    repo.write("run.sh", b"#!/bin/sh\n");
    fs::set_permissions(repo.work().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("run.sh", repo.work().join("start")).unwrap();
    symlink("/etc/passwd", repo.work().join("far")).unwrap();
    let head = repo.commit(&[("Dockerfile", "FROM scratch\n"), ("dir/ä b", "ü\n")], "Sell things\n\nAt last.");

    let (to, mut from) = mpsc::channel(100);
    let checkout = clone(CloneSpec { on_line: Some(to), ..lab.spec("shop") }, &AddressPolicy::private()).await.unwrap();
    assert_eq!((checkout.commit.as_str(), checkout.subject.as_str(), checkout.author.as_str()), (head.as_str(), "Sell things", "Ada"));
    let expected = [
        ("Dockerfile", "FROM scratch\n"),
        ("dir/ä b", "ü\n"),
        ("far", "-> /etc/passwd"),
        ("run.sh", "#!/bin/sh\n"),
        ("start", "-> run.sh"),
        ("text", "x\r\ny\n"),
    ];
    assert_eq!(files(&lab.folder()), expected.into_iter().map(|(a, b)| (a.into(), b.into())).collect());
    let mode = |name: &str| fs::metadata(lab.folder().join(name)).unwrap().permissions().mode() & 0o111;
    assert!(mode("run.sh") != 0 && mode("text") == 0);
    let mut told = Vec::new();
    while let Some(line) = from.recv().await {
        told.push(line);
    }
    assert!(told.iter().any(|l| l.starts_with("remote: ")), "{told:?}");
    assert!(!told.iter().any(|l| l.contains(lab.out.path().to_str().unwrap())), "{told:?}");
}

#[tokio::test]
async fn a_branch_is_cloned_by_name() {
    let lab = Lab::start().await;
    let repo = lab.host.repo("shop");
    repo.commit(&[("a", "main")], "Begin");
    let dev = repo.branch("feature/dev").commit(&[("a", "dev")], "Go on");
    let branch = Some("feature/dev".parse().unwrap());
    assert_eq!(clone(CloneSpec { branch, ..lab.spec("shop") }, &AddressPolicy::private()).await.unwrap().commit.as_str(), dev);
    assert_eq!(fs::read_to_string(lab.folder().join("a")).unwrap(), "dev");

    fs::remove_dir_all(lab.folder()).unwrap();
    assert_eq!(lab.refusal(CloneSpec { branch: Some("prod".parse().unwrap()), ..lab.spec("shop") }).await, "branch_not_found");
    lab.host.repo("empty");
    assert_eq!(lab.refusal(lab.spec("empty")).await, "branch_not_found");
}

#[tokio::test]
async fn a_commit_is_cloned_by_its_hash_also_from_an_old_host() {
    let lab = Lab::start().await;
    for path in ["shop", "v0/shop"] {
        let repo = lab.host.repo(path);
        let first = repo.commit(&[("a", "1")], "First");
        for _ in 0..55 {
            git(repo.work(), &["commit", "--quiet", "--allow-empty", "--message", "Between"]);
        }
        repo.commit(&[("a", "2")], "Last");
        let checkout =
            clone(CloneSpec { commit: Some(first.parse().unwrap()), ..lab.spec(path) }, &AddressPolicy::private()).await.unwrap();
        assert_eq!((checkout.commit.as_str(), checkout.subject.as_str()), (first.as_str(), "First"), "{path}");
        assert_eq!(files(&lab.folder()), [("a".into(), "1".into())].into(), "{path}");
        fs::remove_dir_all(lab.folder()).unwrap();

        let unknown = Some("1".repeat(40).parse().unwrap());
        assert_eq!(lab.refusal(CloneSpec { commit: unknown, ..lab.spec(path) }).await, "commit_not_found", "{path}");
    }
}

#[tokio::test]
async fn a_repository_that_is_too_large_is_stopped_while_it_comes() {
    let lab = Lab::start().await;
    let repo = lab.host.repo("slow/huge");
    let mut noise = vec![0; 40_000_000];
    fs::File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut noise)).unwrap();
    repo.write("noise", &noise);
    repo.commit(&[], "Too much");
    let begun = Instant::now();
    assert_eq!(lab.refusal(CloneSpec { max: Bytes::mib(2), ..lab.spec("slow/huge") }).await, "repository_too_large");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    lab.falls_silent().await;
}

#[tokio::test]
async fn a_small_pack_that_unpacks_into_much_is_stopped_too() {
    let lab = Lab::start().await;
    let repo = lab.host.repo("bomb");
    repo.write("zeros", &vec![0; 60_000_000]);
    repo.commit(&[], "Small on the wire");
    let spec = CloneSpec { max: Bytes::mib(20), ..lab.spec("bomb") };
    assert_eq!(lab.refusal(spec).await, "repository_too_large");
}

#[tokio::test]
async fn a_host_that_stalls_is_given_up() {
    let lab = Lab::start().await;
    lab.host.repo("halt/shop").commit(&[("a", "b")], "Begin");
    let short = Duration::from_millis(700);
    let error = ls_remote(&lab.url("stall/shop"), None, &AddressPolicy::private(), short).await.unwrap_err();
    assert_eq!(error, GitError::GitTimeout { after: short });
    for path in ["stall/shop", "halt/shop"] {
        let begun = Instant::now();
        assert_eq!(lab.refusal(CloneSpec { timeout: short, ..lab.spec(path) }).await, "git_timeout", "{path}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{path}: {:?}", begun.elapsed());
    }
    lab.falls_silent().await;
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_nothing() {
    let lab = Lab::start().await;
    lab.host.repo("halt/shop").commit(&[("a", "b")], "Begin");
    let url = lab.url("stall/shop");
    let asking = tokio::spawn(async move { ls_remote(&url, None, &AddressPolicy::private(), SOON).await });
    let spec = lab.spec("halt/shop");
    let cloning = tokio::spawn(async move { clone(spec, &AddressPolicy::private()).await });
    within(|| lab.is_spoken_to() && lab.has_begun()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    asking.abort();
    cloning.abort();
    lab.falls_silent().await;
    within(|| lab.is_empty()).await;
}

#[tokio::test]
async fn private_addresses_are_refused_without_the_permission() {
    let lab = Lab::start().await;
    lab.host.repo("shop").commit(&[("a", "b")], "Begin");
    let strict = AddressPolicy::default();
    let port = lab.host.address().port();
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"] {
        let url: GitUrl = format!("http://{host}:{port}/shop").parse().unwrap();
        assert_eq!(ls_remote(&url, None, &strict, SOON).await.unwrap_err(), GitError::AddressRefused, "{host}");
        assert_eq!(clone(CloneSpec { url, ..lab.spec("shop") }, &strict).await.unwrap_err(), GitError::AddressRefused, "{host}");
        assert!(!lab.folder().exists());
    }
    let loopback = AddressPolicy { allow_private: false, allowed: vec!["127.0.0.0/8".parse().unwrap()] };
    assert!(ls_remote(&lab.url("shop"), None, &loopback, SOON).await.is_ok());
}

#[tokio::test]
async fn a_name_is_pinned_to_the_address_that_was_judged() {
    let lab = Lab::start().await;
    let head = lab.host.repo("shop").commit(&[("a", "b")], "Begin");
    let url: GitUrl = format!("http://LOCALHOST:{}/shop", lab.host.address().port()).parse().unwrap();
    let only_v4 = AddressPolicy { allow_private: false, allowed: vec!["127.0.0.1/32".parse().unwrap()] };
    assert_eq!(ls_remote(&url, None, &only_v4, SOON).await.unwrap().head.as_str(), head);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (lab, inner) = (Lab::start().await, Lab::start().await);
    inner.host.repo("shop").commit(&[("a", "b")], "Begin");
    let path = format!("redirect/{}/shop", inner.host.address());
    assert_eq!(lab.ask(&path, None).await.unwrap_err().code(), "repository_moved");
    assert_eq!(lab.refusal(lab.spec(&path)).await, "repository_moved");
}

#[tokio::test]
async fn a_repository_that_is_served_with_git_at_its_end_is_found_without_it() {
    let lab = Lab::start().await;
    let head = lab.host.repo("moved/shop.git").commit(&[("a", "b")], "Begin");
    assert_eq!(lab.ask("moved/shop", None).await.unwrap().head.as_str(), head);
    assert_eq!(lab.clone("moved/shop").await.unwrap().commit.as_str(), head);
}

#[tokio::test]
async fn nothing_in_a_repository_is_run() {
    let lab = Lab::start().await;
    let (repo, other) = (lab.host.repo("trap"), lab.host.repo("other"));
    other.commit(&[("inner", "x")], "Begin");
    let mark = lab.out.path().join("ran");
    let touch = format!("touch {}", mark.display());
    repo.write(".gitattributes", b"* filter=evil diff=evil merge=evil\n*.bin filter=lfs diff=lfs merge=lfs -text\n");
    repo.write(".gitconfig", format!("[filter \"evil\"]\n smudge = {touch}\n[core]\n fsmonitor = {touch}\n").as_bytes());
    repo.write("hooks/post-checkout", format!("#!/bin/sh\n{touch}\n").as_bytes());
    fs::set_permissions(repo.work().join("hooks/post-checkout"), fs::Permissions::from_mode(0o755)).unwrap();
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n", "a".repeat(64));
    repo.write("model.bin", pointer.as_bytes());
    repo.write(".gitmodules", format!("[submodule \"sub\"]\n path = sub\n url = {}\n", lab.host.url("other")).as_bytes());
    git(repo.work(), &["add", "--all"]);
    let inner = other.push("More");
    git(repo.work(), &["update-index", "--add", "--cacheinfo", &format!("160000,{inner},sub")]);
    repo.push("A trap");

    lab.clone("trap").await.unwrap();
    assert!(!mark.exists(), "something ran");
    assert_eq!(fs::read_to_string(lab.folder().join("model.bin")).unwrap(), pointer);
    assert_eq!(fs::read_dir(lab.folder().join("sub")).unwrap().count(), 0, "submodules stay empty");
    assert!(!lab.folder().join(".git").exists());
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_left_alone() {
    let lab = Lab::start().await;
    lab.host.repo("shop").commit(&[("a", "b")], "Begin");
    fs::create_dir(lab.folder()).unwrap();
    fs::write(lab.folder().join("mine"), "x").unwrap();
    assert_eq!(lab.clone("shop").await.unwrap_err(), GitError::GitFailed);
    assert_eq!(files(&lab.folder()), [("mine".into(), "x".into())].into());
}
