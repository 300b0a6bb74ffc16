//! A shop in a git repository that was deployed once and serves: what a second deployment must not break.
use super::{
    git_server::{GitServer, Repo},
    panel::{App, TestPanel},
};
use serde_json::json;
use skypanel::{
    deployments::model::{Deployment, Phase},
    id::DeploymentId,
    runtime::config::Config,
};

/// A Dockerfile whose image serves.
pub const GOOD: &str = "FROM scratch\nEXPOSE 8080\nCMD [\"httpd\", \"-p\", \"8080\"]\n";

/// The shop.
pub struct Shop {
    pub t: TestPanel,
    pub host: GitServer,
    pub repo: Repo,
    pub app: App,
    /// The first deployment, which is live.
    pub first: DeploymentId,
}

impl Shop {
    /// The shop on a panel of its own.
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// The shop on a panel that is configured a little differently.
    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let t = TestPanel::with(change).await;
        let host = GitServer::start().await;
        let repo = host.repo("shop");
        repo.commit(&[("Dockerfile", GOOD)], "Open the shop");
        let app = t.app_from("acme", &host.url("shop")).await;
        let first = t.deploy_well(&app).await.id;
        t.is_live_alone(&app, &first).await;
        Shop { t, host, repo, app, first }
    }

    /// Commits another Dockerfile.
    pub fn change(&self, dockerfile: &str) {
        self.repo.commit(&[("Dockerfile", dockerfile)], "Change the shop");
    }

    /// Deploys what fails with this code, and insists that visitors notice nothing and that nothing is left over.
    pub async fn fails(&self, code: &str) -> Deployment {
        let id = self.t.ask_to_deploy(&self.app).await;
        self.fails_as(&id, code).await
    }

    /// As [`Shop::fails`], of a deployment that was asked for.
    pub async fn fails_as(&self, id: &DeploymentId, code: &str) -> Deployment {
        self.t.settle().await;
        let done = self.t.deployment(&self.app, id).await;
        let failure = done.failure.clone().unwrap_or_else(|| panic!("it is {} and not failed with {code}", done.phase));
        assert_eq!((done.phase, failure.code.as_str()), (Phase::Failed, code), "{}", failure.sentence);
        assert!(failure.sentence.ends_with('.'), "{}", failure.sentence);
        self.t.is_live_alone(&self.app, &self.first).await;
        let there = self.t.fake.look();
        assert_eq!(there.builds, 0);
        let left = there.images.iter().filter(|image| image.labels.get(skypanel::swarm::LABEL_DEPLOYMENT) == Some(&id.to_string()));
        let released = done.release_id.is_some();
        assert!(released || left.count() == 0, "its image is left over");
        assert!(
            !self.t.panel.config.data_dir.join("builds").join(id.to_string().trim_start_matches("dep_")).exists(),
            "its checkout is left over"
        );
        let last = self.t.deployment(&self.app, id).await.phases.last().unwrap().phase;
        assert_eq!(last, Phase::Failed);
        done
    }

    /// Deploys a branch.
    pub async fn ask_for_branch(&self, branch: &str) -> DeploymentId {
        let reply = self.app.owner.post(&self.app.url("deploy"), json!({ "branch": branch })).await;
        assert_eq!(reply.status(), 202, "{}", reply.text());
        reply.data()["id"].as_str().unwrap().parse().unwrap()
    }
}
