//! Canaries of real containers: one that fails some requests is taken back by itself, one that is fine is promoted, and both numbers are
//! what the visitors counted.
use crate::{
    panel::{App, dockerfile, shared, text, until},
    support::git_server::{GitServer, Repo},
};
use reqwest::Method;
use serde_json::{Value, json};

/// Answers with the release's name; about one of twenty fails where the release is a bad one.
fn release(repo: &Repo, name: &str, fails: bool) {
    let chance = if fails { "$(( $(od -An -N1 -tu1 /dev/urandom) % 20 ))" } else { "1" };
    let script = format!(
        "#!/bin/sh\nif [ {chance} -eq 0 ]; then printf 'Status: 500 Broken\\r\\n'; fi\nprintf 'Content-Type: text/plain\\r\\n\\r\\n{name}'\n"
    );
    let file = format!("{}RUN chmod 755 /www/cgi-bin/buy\n", dockerfile(8080));
    repo.commit(&[("Dockerfile", &file), ("www/index.html", name), ("www/cgi-bin/buy", &script)], name);
}

/// Requests and failures of the new release and of the one before.
#[derive(Debug, Default, PartialEq)]
struct Crowd {
    new: (u64, u64),
    old: (u64, u64),
}

impl Crowd {
    fn of(step: &Value) -> Crowd {
        let got = |it: &Value| (it["requests"].as_u64().unwrap(), it["errors"].as_u64().unwrap());
        Crowd { new: got(&step["new"]), old: got(&step["old"]) }
    }

    async fn visit(&mut self, app: &App, requests: usize) {
        for _ in 0..requests / 8 {
            let visits = (0..8).map(|_| app.visit("/cgi-bin/buy"));
            for answer in futures::future::join_all(visits).await {
                let (status, body) = answer.unwrap();
                let got = if body == "old" { &mut self.old } else { &mut self.new };
                got.0 += 1;
                got.1 += u64::from(status >= 500);
            }
        }
    }
}

/// A canary that has half of the requests.
async fn begin(name: &str, fails: bool) -> (App, String, GitServer) {
    let git = GitServer::start().await;
    let repo = git.repo(name);
    release(&repo, "old", false);
    let app = shared().await.api.create(name, &git.url(name), json!({})).await;
    app.live().await;
    let canary = json!({ "steps": [{ "percent": 50, "seconds": 10 }], "min_requests": 100, "p95_factor_percent": 1000 });
    let put = Some(json!({ "strategy": "canary", "canary": canary }));
    let (status, answer) = app.api.send(Method::PUT, &format!("/api/paas/applications/{}/rollout", app.id), put).await;
    assert!(status.is_success(), "{answer:#}");
    release(&repo, "new", fails);
    let id = app.deploy().await;
    until("the canary has its share", 120, async || {
        let now = app.api.get(&format!("/api/paas/deployments/{id}")).await;
        assert_ne!(now["phase"], "failed", "{now:#}");
        now["canary"]["share"] == 50
    })
    .await;
    (app, id, git)
}

#[tokio::test]
async fn a_canary_that_fails_some_requests_is_taken_back_by_itself() {
    let (app, id, _git) = begin("bad-canary", true).await;
    let mut crowd = Crowd::default();
    crowd.visit(&app, 800).await;
    let end = app.api.done(&id).await;
    assert_eq!((text(&end["phase"]), text(&end["failure"]["code"])), ("failed", "canary_worse"), "{end:#}");
    println!("{}", text(&end["failure"]["sentence"]));
    let numbers = Crowd::of(&end["canary"]["steps"][0]);
    assert!(crowd.new.0 + crowd.old.0 == 800 && numbers.new.0 <= crowd.new.0 && numbers.new.1 <= crowd.new.1, "{numbers:?} of {crowd:?}");
    assert!(numbers.new.1 >= 5 && numbers.old.1 == 0, "{numbers:?}");
    assert_eq!(app.page().await, "old", "the release before serves everybody");
}

#[tokio::test]
async fn a_canary_that_is_fine_is_promoted() {
    let (app, id, _git) = begin("good-canary", false).await;
    let mut crowd = Crowd::default();
    crowd.visit(&app, 400).await;
    assert!(crowd.new.0 > 100 && crowd.new.1 == 0, "{crowd:?}");
    let end = app.api.done(&id).await;
    assert_eq!((text(&end["phase"]), text(&end["canary"]["outcome"])), ("live", "promoted"), "{end:#}");
    assert_eq!(Crowd::of(&end["canary"]["steps"][0]), crowd, "what is shown is what the visitors counted");
    assert_eq!(app.page().await, "new");
}
