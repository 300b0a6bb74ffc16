//! The steps of a run, one a phase. Each is idempotent: begun again after a crash, it finds what it made and goes on.
use crate::{
    apps::{
        model::{Source, Wanted},
        server::view::running,
    },
    clusters::server::{observe, service as clusters},
    deployments::{
        model::{Kind, Phase},
        server::{
            canary_share,
            failure::{self, Reason},
            spec,
            task::{
                routes,
                run::{Run, Stop},
            },
        },
    },
    edges::server::service as edges,
    error::{Error, Result},
    fault::Because,
    git::{self, AddressPolicy, CloneSpec},
    id::{DeploymentId, Id, ReleaseId},
    orgs::server::hold::goes_on,
    runtime::panel::Panel,
    store::{
        random,
        tables::{application, deployment, release},
    },
    swarm::{BuildEvent, BuildSpec, Image, LABEL_APP, LABEL_DEPLOYMENT, LABEL_ORG, OURS, SwarmError},
};
use futures::StreamExt;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect,
};
use std::{path::PathBuf, time::Duration};

/// The port where neither the settings nor the image names one.
const DEFAULT_PORT: i64 = 8080;

/// How long a switch waits for tasks that are gone.
const UNSEEN: Duration = Duration::from_secs(15);

/// What a step that is not over at its deadline fails with.
pub fn timed_out(phase: Phase) -> Reason {
    let what = phase.word().to_lowercase();
    match phase {
        Phase::Building => {
            Reason::new("build_timeout", "The build took longer than 30 minutes. Make it smaller, or build an image elsewhere.")
        }
        Phase::Preparing => Reason::new("git_timeout", "Fetching the source took too long. Try again, or make the repository smaller."),
        Phase::Starting => {
            Reason::new("start_timeout", "The application did not start in time. Look at the image’s size and the start command.")
        }
        Phase::Canary => Reason::new(
            "canary_undecided",
            "There were never enough requests for a judgement, and nobody decided in time. Promote the next one by hand, or let fewer requests suffice.",
        ),
        _ => Reason::new("timeout", format!("The phase “{what}” took too long. Deploy again.")),
    }
}

fn checkout(run: &Run) -> PathBuf {
    run.panel.config.data_dir.join("builds").join(run.row.id.suffix())
}

/// Removes the checkout, if there is one.
async fn forget_checkout(run: &Run) {
    let path = checkout(run);
    tokio::fs::remove_dir_all(&path).await.ok();
}

/// Removes the image of a build that came to no release.
async fn forget_image(run: &Run) -> Result<(), SwarmError> {
    if run.row.release_id.is_some() || run.row.kind != Kind::Deploy {
        return Ok(());
    }
    let tag = tag(run);
    for image in run.swarm.images().await? {
        if image.tags.contains(&tag) || (image.tags.is_empty() && image.labels.get(LABEL_DEPLOYMENT) == Some(&run.row.id.to_string())) {
            match run.swarm.remove_image(&image.id).await {
                // Still held by a container that is stopping, or shared with a release: the garbage loop comes again.
                Err(SwarmError::Conflict(_)) | Ok(()) => {}
                Err(why) => return Err(why),
            }
        }
    }
    Ok(())
}

/// Removes what this deployment made and nobody sees. What can't be removed now is removed by the converge loop.
pub async fn clean_up(run: &Run) {
    forget_checkout(run).await;
    let work = async {
        run.swarm.remove(&run.service()).await?;
        forget_image(run).await
    };
    match tokio::time::timeout(Duration::from_secs(15), work).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!(deployment.id = %run.row.id, "cleaning up: {why}"),
        Err(_) => tracing::warn!(deployment.id = %run.row.id, "cleaning up took too long"),
    }
}

pub async fn prepare(run: &mut Run) -> Result<Phase, Stop> {
    let network = clusters::network(&run.panel, &run.cluster).await?;
    run.swarm.ensure_network(&network).await?;
    if run.row.image.is_some() {
        return Ok(Phase::Releasing);
    }
    match run.settings()?.source {
        Source::Git { .. } => {
            fetch(run).await?;
            Ok(Phase::Building)
        }
        Source::Image { reference } => {
            run.say(&format!("Looking for the image {reference}."));
            let auth = spec::registry(&run.panel)?;
            let missing = |said: &str| {
                let said = failure::sentence(said);
                Reason::new("image_not_found", format!("The image {reference} can’t be had: {said}. Check its name and tag."))
            };
            let image = match run.swarm.resolve(reference.as_str(), auth.as_ref()).await {
                Err(SwarmError::Refused(said) | SwarmError::NotFound(said)) => return Err(missing(&said).into()),
                image => image?,
            };
            // Every organization’s builds lie on the same engines, and an id names any of them. What is not theirs looks like what is not there.
            if image.labels.get(LABEL_ORG).is_some_and(|org| *org != run.app.organization_id.to_string()) {
                return Err(missing("no such image").into());
            }
            run.say(&format!("Found {}, {}.", image.id, image.size));
            remember_image(run, &image).await?;
            Ok(Phase::Releasing)
        }
    }
}

/// Puts the source into the build folder and notes the commit.
async fn fetch(run: &mut Run) -> Result<(), Stop> {
    let Source::Git { repository_url, .. } = run.settings()?.source else { return Ok(()) };
    let (config, into) = (&run.panel.config.git, checkout(run));
    tokio::fs::remove_dir_all(&into).await.ok();
    let parent = into.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    tokio::fs::create_dir_all(&parent).await.because("making the folder of builds")?;
    let branch = run.row.branch.as_deref().map(str::parse).transpose().map_err(|why: String| Reason::new("branch_not_found", why))?;
    let commit = run.row.commit_hash.as_deref().map(str::parse).transpose().because("reading a commit")?;
    run.say(&format!("Fetching {repository_url}."));
    let (sender, mut lines) = tokio::sync::mpsc::channel(64);
    let spec = CloneSpec {
        url: repository_url,
        branch,
        commit,
        into,
        max: config.max_repository,
        timeout: Duration::from_secs(config.timeout_seconds),
        on_line: Some(sender),
    };
    let policy = policy(&run.panel);
    let listen = async {
        while let Some(line) = lines.recv().await {
            run.say(&line);
        }
    };
    let (cloned, ()) = tokio::join!(git::clone(spec, &policy), listen);
    let cloned = cloned.map_err(|why| Reason::new(why.code(), why.to_string()))?;
    run.say(&format!("Commit {} “{}” by {}.", cloned.commit.short(), cloned.subject, cloned.author));
    let (hash, subject) = (cloned.commit.to_string(), crate::deployments::server::task::log::plain(&cloned.subject));
    let change = deployment::ActiveModel {
        id: Set(run.row.id.clone()),
        commit_hash: Set(Some(hash.clone())),
        commit_subject: Set(Some(subject.clone())),
        ..Default::default()
    };
    run.panel.db.tx(async |tx| change.update(tx).await.because("noting the commit")).await?;
    run.row.commit_hash = Some(hash);
    run.row.commit_subject = Some(subject);
    Ok(())
}

/// Which hosts repositories may be read from.
pub fn policy(panel: &Panel) -> AddressPolicy {
    AddressPolicy { allow_private: false, allowed: panel.config.git.allowed_networks.clone() }
}

fn tag(run: &Run) -> String {
    format!("skypanel/{}:{}", run.app.id.suffix(), run.row.id.suffix())
}

pub async fn build(run: &mut Run) -> Result<Phase, Stop> {
    let next = if run.panel.config.registry.is_some() { Phase::Pushing } else { Phase::Releasing };
    if run.row.image.is_some() {
        return Ok(next);
    }
    let Source::Git { dockerfile_path, build_context_path, .. } = run.settings()?.source else { return Ok(next) };
    let root = checkout(run);
    if tokio::fs::metadata(&root).await.is_err() {
        // The panel that had fetched it is gone, with its disk perhaps.
        fetch(run).await?;
    }
    let context = inside(&root, build_context_path.as_str()).await?;
    let request = run.row.request.read()?;
    let config = &run.panel.config;
    let labels = [
        (OURS, "image".to_string()),
        (LABEL_ORG, run.app.organization_id.to_string()),
        (LABEL_APP, run.app.id.to_string()),
        (LABEL_DEPLOYMENT, run.row.id.to_string()),
    ];
    let spec = BuildSpec {
        tag: tag(run),
        context,
        dockerfile: relative(dockerfile_path.as_str(), build_context_path.as_str()),
        build_args: Vec::new(),
        labels: labels.into_iter().map(|(key, value)| (key.to_string(), value)).collect(),
        memory: config.deploy.build_memory,
        cpu: config.deploy.build_cpu,
        max_context: config.git.max_repository,
        no_cache: request.force_rebuild,
    };
    let mut events = run.swarm.build(spec).await?;
    let image = loop {
        match events.next().await {
            Some(BuildEvent::Line(line)) => run.say(&line),
            Some(BuildEvent::Done(image)) => break image,
            Some(BuildEvent::Failed(why)) => return Err(failure::build(&why, dockerfile_path.as_str(), config.deploy.build_memory).into()),
            None => return Err(Stop::Passing("the build’s connection broke".into())),
        }
    };
    run.say(&format!("Built {}, {}.", image.id, image.size));
    remember_image(run, &image).await?;
    forget_checkout(run).await;
    Ok(next)
}

/// A folder of the checkout. Links are resolved and must not lead out of it.
async fn inside(root: &std::path::Path, path: &str) -> Result<PathBuf, Stop> {
    let missing =
        || Reason::new("no_build_context", format!("The repository has no folder {path}. Set the build context’s path in the settings."));
    let root = tokio::fs::canonicalize(root).await.map_err(|_| missing())?;
    let full = tokio::fs::canonicalize(root.join(path)).await.map_err(|_| missing())?;
    let is_folder = tokio::fs::metadata(&full).await.is_ok_and(|meta| meta.is_dir());
    if full.starts_with(&root) && is_folder { Ok(full) } else { Err(missing().into()) }
}

/// The Dockerfile's path as seen from the context. A path is given from the repository's root; one outside the context can't be sent.
fn relative(dockerfile: &str, context: &str) -> String {
    let context = context.trim_start_matches("./").trim_end_matches('/');
    match dockerfile.strip_prefix(context).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if context != "." && !context.is_empty() => rest.to_string(),
        _ => dockerfile.to_string(),
    }
}

async fn remember_image(run: &mut Run, image: &Image) -> Result<(), Stop> {
    let own = run.settings()?.port.map(|port| i64::from(port.get()));
    let port = own.or_else(|| image.ports.first().map(|port| i64::from(*port))).unwrap_or(DEFAULT_PORT);
    set_image(run, image.id.clone(), port).await
}

async fn set_image(run: &mut Run, image: String, port: i64) -> Result<(), Stop> {
    let change = deployment::ActiveModel {
        id: Set(run.row.id.clone()),
        image: Set(Some(image.clone())),
        image_port: Set(Some(port)),
        ..Default::default()
    };
    run.panel.db.tx(async |tx| change.update(tx).await.because("noting the image")).await?;
    run.row.image = Some(image);
    run.row.image_port = Some(port);
    Ok(())
}

pub async fn push(run: &mut Run) -> Result<Phase, Stop> {
    let (Some(registry), Some(image)) = (run.panel.config.registry.clone(), run.row.image.clone()) else { return Ok(Phase::Releasing) };
    if !image.contains('@') {
        let target = format!("{}/{}", registry.server, tag(run));
        run.say(&format!("Pushing to {}.", registry.server));
        let auth = spec::registry(&run.panel)?;
        let pushed = match run.swarm.push(&image, &target, auth.as_ref()).await {
            Err(SwarmError::Refused(said)) => {
                let said = failure::sentence(&said);
                return Err(Reason::new("push_refused", format!("The registry refused the image: {said}. Tell the operator.")).into());
            }
            pushed => pushed?,
        };
        let port = run.row.image_port.unwrap_or(DEFAULT_PORT);
        set_image(run, pushed, port).await?;
    }
    Ok(Phase::Releasing)
}

/// Writes the release: image and configuration, frozen. A rollback or restart has one already.
pub async fn release(run: &mut Run) -> Result<Phase, Stop> {
    if run.row.release_id.is_some() {
        return Ok(Phase::Starting);
    }
    let image = run.row.image.clone().ok_or("there is no image").because("making a release")?;
    let (row, app) = (&run.row, &run.app);
    // A configured port goes before the one that the image was released with.
    let port = run.settings()?.port.map(|port| i64::from(port.get())).or(row.image_port).unwrap_or(DEFAULT_PORT);
    let id: ReleaseId = random::id();
    let now = run.panel.now();
    run.panel
        .db
        .tx(async |tx| {
            let count = release::Entity::find().filter(release::Column::ApplicationId.eq(app.id.clone())).count(tx).await;
            let made = release::ActiveModel {
                id: Set(id.clone()),
                application_id: Set(app.id.clone()),
                number: Set(count.because("counting releases")? as i64 + 1),
                image: Set(image),
                port: Set(port),
                settings: Set(row.settings.clone()),
                env_version: Set(row.env_version),
                commit_hash: Set(row.commit_hash.clone()),
                commit_subject: Set(row.commit_subject.clone()),
                branch: Set(row.branch.clone()),
                image_kept: Set(true),
                created_at: Set(now),
            };
            release::Entity::insert(made).exec_without_returning(tx).await.because("making a release")?;
            let change = deployment::ActiveModel { id: Set(row.id.clone()), release_id: Set(Some(id.clone())), ..Default::default() };
            change.update(tx).await.because("noting the release").map(|_| ())
        })
        .await?;
    run.row.release_id = Some(id);
    Ok(Phase::Starting)
}

/// Looks at the swarm: the edge must know the new tasks before it is sent to them.
pub async fn see(run: &Run) -> Result<(), Stop> {
    observe::pass(&run.panel).await?;
    let (observed, provider) = (run.panel.observed.load(), &run.cluster.provider_id);
    let tasks = observed.tasks(provider, &run.service());
    if running(tasks).any(|task| task.address.is_some()) {
        return Ok(());
    }
    if observed.reachable(provider) && run.panel.now().since(run.row.phase_at) > UNSEEN {
        let why = "The replicas ended before visitors could be led to them. The last lines of their log tell why.";
        return Err(Reason::new("exited", why).into());
    }
    Err(Stop::Passing("the new tasks are not seen".into()))
}

/// Puts the release in front of visitors: one row, then the edge. Once the row is written there is no way back but a rollback.
pub async fn switch(run: &mut Run) -> Result<Phase, Stop> {
    let is_seen = see(run).await;
    if run.app.live_deployment_id.as_ref() != Some(&run.row.id) {
        is_seen?;
    }
    let previous = match put_live(run).await {
        Ok(Some(previous)) => previous,
        // Deleted meanwhile: nobody sees it, and the converge loop removes what was made.
        Ok(None) => return Ok(Phase::Draining),
        Err(Error::Suspended) => {
            let why = "The organization was suspended before visitors saw this release. Deploy again once it goes on.";
            return Err(Reason::new("suspended", why).into());
        }
        Err(why) => return Err(why.into()),
    };
    run.row.previous_deployment_id = previous;
    run.app.live_deployment_id = Some(run.row.id.clone());
    routes::pass(&run.panel).await?;
    run.say("Visitors see this release now.");
    Ok(Phase::Draining)
}

/// Writes that this deployment is live, and which one was before it. Nothing where the application is gone; refuses where the
/// organization is suspended. The rows are held from the top down, as whoever stops or suspends takes them: of two at once, the later one
/// sees what the other did.
async fn put_live(run: &Run) -> Result<Option<Option<DeploymentId>>> {
    let (id, app_id, now) = (run.row.id.clone(), run.app.id.clone(), run.panel.now());
    run.panel
        .db
        .tx(async |tx| {
            // Whoever comes late, after another panel took over, must not undo what has followed since.
            let may_go_live = goes_on(tx, &run.app.organization_id).await;
            let own = deployment::Entity::find_by_id(id.clone()).lock_exclusive().one(tx).await.because("looking up a deployment")?;
            let own = own.filter(|own| own.lease_owner.as_ref() == Some(&run.panel.owner));
            let own = own.ok_or_else(|| Error::Conflict("Another panel goes on with this deployment.".into()))?;
            let app = application::Entity::find_by_id(app_id.clone()).lock_exclusive();
            let app = app.one(tx).await.because("looking up an application")?;
            let Some(app) = app.filter(|app| app.deleted_at.is_none()) else { return Ok(None) };
            if app.live_deployment_id.as_ref() == Some(&id) {
                return Ok(Some(own.previous_deployment_id));
            }
            match may_go_live {
                Err(Error::NotFound(_)) => return Ok(None),
                may => may?,
            }
            let change = deployment::ActiveModel {
                id: Set(id.clone()),
                previous_deployment_id: Set(app.live_deployment_id.clone()),
                ..Default::default()
            };
            change.update(tx).await.because("noting the deployment before")?;
            let change = application::ActiveModel {
                id: Set(app.id.clone()),
                live_deployment_id: Set(Some(id.clone())),
                // Stopped meanwhile, too late to cancel: it is live and stays stopped.
                wanted: if own.cancel_requested { NotSet } else { Set(Wanted::Running) },
                updated_at: Set(now),
                ..Default::default()
            };
            change.update(tx).await.because("switching an application")?;
            canary_share::landed(tx, &id).await?;
            Ok(Some(app.live_deployment_id))
        })
        .await
}

/// Lets the requests at the old release end, then removes it.
pub async fn drain(run: &mut Run) -> Result<Phase, Stop> {
    let Some(previous) = run.row.previous_deployment_id.clone() else { return Ok(Phase::Live) };
    let service = crate::apps::server::view::service_name(&previous);
    let_end(run, &previous, "the old release").await?;
    match run.swarm.remove(&service).await {
        // A refusal to remove must not make a release that visitors see look dead; the converge loop comes again.
        Err(SwarmError::Refused(why)) => tracing::warn!(deployment.id = %run.row.id, "removing the old release: {why}"),
        done => done?,
    }
    run.say("The old release is removed.");
    Ok(Phase::Live)
}

/// Waits until a release that gets no requests any more has answered those that it has, at every edge; as long as the drain may take.
pub async fn let_end(run: &Run, release: &DeploymentId, called: &str) -> Result<()> {
    let most = Duration::from_secs(run.panel.config.deploy.drain_seconds);
    let since = tokio::time::Instant::now();
    loop {
        let here = run.panel.edge.as_ref().map_or(0, |edge| edge.in_flight_of_release(release.as_str()));
        let (elsewhere, uninformed) = edges::draining(&run.panel, release.as_str()).await?;
        let open = here as u64 + elsewhere;
        if open == 0 && uninformed == 0 {
            return Ok(());
        }
        if since.elapsed() >= most {
            let late = if uninformed > 0 { format!(" {uninformed} edges did not get the new routes.") } else { String::new() };
            run.say(&format!("{open} requests at {called} did not end in time and are cut off.{late}"));
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whether the phase of a deployment is one in which its service may exist.
pub fn may_run(row: &deployment::Model) -> bool {
    row.phase >= Phase::Starting && !row.phase.is_final()
}

#[cfg(test)]
mod tests {
    use super::relative;

    #[test]
    fn a_dockerfile_is_named_from_its_context() {
        assert_eq!(relative("Dockerfile", "."), "Dockerfile");
        assert_eq!(relative("web/Dockerfile", "web"), "Dockerfile");
        assert_eq!(relative("web/Dockerfile", "./web/"), "Dockerfile");
        assert_eq!(relative("Dockerfile", "web"), "Dockerfile");
        assert_eq!(relative("website/Dockerfile", "web"), "website/Dockerfile");
    }
}
