//! Whatever is wrong with a customer's repository, image or limits: the deployment ends as `failed` with a code of its own and a
//! sentence that tells the remedy, what was made for it is removed, and the old release goes on serving.
use crate::{
    panel::{App, dockerfile, serving, shared, text, until},
    support::git_server::{GitServer, Repo},
};
use reqwest::Method;
use serde_json::{Value, json};

/// An application that serves `one`.
struct Case {
    app: App,
    repo: Repo,
    git: GitServer,
}

impl Case {
    async fn begin(name: &str) -> Case {
        let git = GitServer::start().await;
        let repo = serving(&git, name, "one");
        let app = shared().await.api.create(name, &git.url(name), json!({})).await;
        app.live().await;
        assert_eq!(app.page().await, "one");
        Case { app, repo, git }
    }

    /// Changes the application's settings.
    async fn set(&self, form: Value) {
        let (status, answer) = self.app.api.send(Method::PUT, &format!("/api/paas/applications/{}", self.app.id), Some(form)).await;
        assert!(status.is_success(), "{answer:#}");
    }

    async fn set_repository(&self, path: &str) {
        self.set(json!({ "source": { "git": { "repository_url": self.git.url(path) } } })).await;
    }

    /// The next commit's Dockerfile.
    fn dockerfile(&self, text: &str) {
        self.repo.commit(&[("Dockerfile", text)], "Change it");
    }

    /// Deploys and fails in this phase (or one of two), with this code and a sentence that has these words; nothing else changes.
    async fn fails(&self, phase: &str, code: &str, words: &[&str]) -> Value {
        let (services, images) = (self.app.services(), self.app.images());
        let end = self.app.deployed().await;
        assert_eq!((text(&end["phase"]), text(&end["failure"]["code"])), ("failed", code), "{end:#}");
        assert!(phase.split('|').any(|phase| end["failure"]["phase"] == phase), "{end:#}");
        let sentence = text(&end["failure"]["sentence"]);
        println!("{code}: {sentence}");
        assert!(words.iter().all(|word| sentence.contains(word)) && sentence.ends_with('.'), "{sentence}");
        assert_eq!(self.app.page().await, "one", "the old release serves");
        assert_eq!(self.app.services(), services);
        until("what was made for it is removed", 30, async || self.app.containers().len() == 1).await;
        // An image that had become a release is kept for rolling back as others are.
        if phase == "preparing" || phase == "building" {
            assert_eq!(self.app.images(), images);
        }
        end
    }
}

#[tokio::test]
async fn a_repository_that_does_not_exist() {
    let case = Case::begin("missing").await;
    case.set_repository("nowhere").await;
    case.fails("preparing", "repository_not_found", &["repository"]).await;
}

#[tokio::test]
async fn a_repository_that_needs_credentials() {
    let case = Case::begin("closed").await;
    case.git.repo("private/private").commit(&[("Dockerfile", &dockerfile(8080))], "Begin");
    case.set_repository("private/private").await;
    case.fails("preparing", "repository_needs_credentials", &[]).await;
}

#[tokio::test]
async fn a_repository_that_is_too_large() {
    let case = Case::begin("large").await;
    let mut noise = 1u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (noise >> 33) as u8
    })
    .take(6_000_000)
    .collect();
    case.repo.write("noise", &bytes);
    case.repo.commit(&[], "Add noise");
    case.fails("preparing", "repository_too_large", &[]).await;
}

#[tokio::test]
async fn no_dockerfile() {
    let case = Case::begin("nofile").await;
    std::fs::remove_file(case.repo.work().join("Dockerfile")).unwrap();
    case.repo.commit(&[], "Remove it");
    case.fails("building", "no_dockerfile", &["Dockerfile", "settings"]).await;
}

#[tokio::test]
async fn a_dockerfile_that_fails_to_build() {
    let case = Case::begin("unbuilt").await;
    case.dockerfile("FROM busybox:latest\nRUN echo the reason; exit 3\n");
    let end = case.fails("building", "build_failed", &["exit code 3"]).await;
    let log = case.app.api.get(&format!("/api/paas/deployments/{}/logs", text(&end["id"]))).await;
    assert!(log.as_array().unwrap().iter().any(|line| line["text"] == "the reason"), "{log:#}");
}

#[tokio::test]
async fn an_image_that_exits_at_once() {
    let case = Case::begin("exits").await;
    case.dockerfile("FROM busybox:latest\nEXPOSE 8080\nCMD echo the last words; exit 7\n");
    let end = case.fails("starting|probing", "exited", &["exit code 7"]).await;
    assert_eq!(end["dossier"]["logs"][0]["text"], "the last words", "{end:#}");
    assert!(end["dossier"]["tasks"].as_array().unwrap().iter().any(|task| task["exit_code"] == 7), "{end:#}");
}

#[tokio::test]
async fn an_image_that_listens_on_another_port() {
    let case = Case::begin("elsewhere").await;
    case.dockerfile(&dockerfile(3000).replace("EXPOSE 3000", "EXPOSE 8080"));
    case.fails("probing", "port_not_answering", &["port 8080", "listens on 3000"]).await;
}

#[tokio::test]
async fn an_image_that_listens_where_nobody_reaches_it() {
    let case = Case::begin("loopback").await;
    case.dockerfile(&dockerfile(8080).replace("\"-p\", \"8080\"", "\"-p\", \"127.0.0.1:8080\""));
    let end = case.fails("probing", "port_not_answering", &["port 8080 of 127.0.0.1 only", "0.0.0.0"]).await;
    let log = case.app.api.get(&format!("/api/paas/deployments/{}/logs", text(&end["id"]))).await;
    let is_warning = |line: &Value| text(&line["text"]).starts_with("Warning: ") && text(&line["text"]).contains("127.0.0.1");
    assert!(log.as_array().unwrap().iter().any(is_warning), "{log:#}");
}

#[tokio::test]
async fn an_image_whose_own_health_check_cannot_run() {
    let case = Case::begin("nocurl").await;
    let check = "HEALTHCHECK --interval=1s --timeout=1s --retries=2 CMD curl -f http://127.0.0.1:8080/\n";
    case.dockerfile(&format!("{}{check}", dockerfile(8080)));
    case.fails("starting|probing", "health_check_failed", &["own health check", "curl: not found", "remove the HEALTHCHECK"]).await;
}

#[tokio::test]
async fn an_image_whose_user_is_not_there() {
    let case = Case::begin("nouser").await;
    case.dockerfile(&format!("{}USER app\n", dockerfile(8080)));
    case.fails("starting|probing", "start_failed", &["unable to find user app", "USER line"]).await;
}

#[tokio::test]
async fn an_image_that_never_becomes_healthy() {
    let case = Case::begin("unhealthy").await;
    let answer = "#!/bin/sh\nprintf 'Status: 500 Sick\\r\\nContent-Type: text/plain\\r\\n\\r\\nsick\\n'\n";
    let file = format!("{}RUN chmod 755 /www/cgi-bin/health\n", dockerfile(8080));
    case.repo.commit(&[("Dockerfile", &file), ("www/cgi-bin/health", answer)], "Be sick");
    case.set(json!({ "health_check": { "path": "/cgi-bin/health" } })).await;
    let end = case.fails("probing", "unhealthy", &["/cgi-bin/health", "500"]).await;
    assert!(!end["dossier"]["probes"].as_array().unwrap().is_empty(), "{end:#}");
}

#[tokio::test]
async fn more_memory_than_there_is() {
    let case = Case::begin("huge").await;
    // The operator's plan allows it, the machine does not have it.
    let file = shared().await.data.join("skypanel.db");
    let db = sea_orm::Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
    let raise = "UPDATE plans SET limits = json_set(limits, '$.memory_bytes', 1 << 40)";
    sea_orm::ConnectionTrait::execute_unprepared(&db, raise).await.unwrap();
    case.set(json!({ "resource_limits": { "memory_bytes": 64u64 << 30 } })).await;
    case.repo.commit(&[("www/index.html", "two")], "Two");
    case.fails("starting", "no_capacity", &["memory", "add a machine"]).await;
}

#[tokio::test]
async fn an_image_that_needs_more_memory_than_it_may_have() {
    let case = Case::begin("hungry").await;
    case.dockerfile("FROM busybox:latest\nEXPOSE 8080\nCMD [\"tail\", \"/dev/zero\"]\n");
    case.set(json!({ "resource_limits": { "memory_bytes": 32 << 20 } })).await;
    case.fails("starting|probing", "out_of_memory", &["32 MiB", "memory limit"]).await;
}

#[tokio::test]
async fn an_image_that_cannot_be_had() {
    let case = Case::begin("nowhere").await;
    case.set(json!({ "source": { "image": { "reference": "registry.invalid/nobody/nothing:1" } } })).await;
    case.fails("preparing", "image_not_found", &["registry.invalid/nobody/nothing:1"]).await;
}
