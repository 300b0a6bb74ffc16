//! How a release becomes a Swarm service. The service is named after the deployment, so that the same release can run twice, the new
//! replica beside the old one.
use crate::{
    apps::{
        model::Settings,
        server::{env, view::service_name},
    },
    clusters::server::service::network_name,
    error::Result,
    id::DeploymentId,
    runtime::panel::Panel,
    store::tables::{application, release},
    swarm::{LABEL_APP, LABEL_DEPLOYMENT, LABEL_ORG, LABEL_RELEASE, Labels, OURS, RegistryAuth, ServiceSpec},
};

/// Processes and threads that a replica may have.
const PIDS: u32 = 512;
/// Seconds that a container has to end its requests once it is told to stop.
pub const STOP_GRACE: u32 = 15;

/// The service of a deployment.
pub async fn service(
    panel: &Panel,
    app: &application::Model,
    release: &release::Model,
    id: &DeploymentId,
    replicas: u32,
) -> Result<ServiceSpec> {
    let settings: Settings = release.settings.read()?;
    let port = release.port as u16;
    let mut env = env::opened(panel, &app.id, release.env_version).await?;
    env.push(("PORT".into(), port.to_string()));
    Ok(ServiceSpec {
        name: service_name(id),
        image: release.image.clone(),
        command: settings.start_command.map(|command| command.words().to_vec()),
        env,
        port: Some(port),
        replicas,
        cpu: settings.limits.cpu_millis,
        memory: settings.limits.memory_bytes,
        pids: PIDS,
        network: Some((network_name(&app.cluster_id), app.name.clone())),
        constraints: Vec::new(),
        labels: labels(app, release, id),
        stop_grace: STOP_GRACE,
        registry: registry(panel)?,
    })
}

fn labels(app: &application::Model, release: &release::Model, id: &DeploymentId) -> Labels {
    let pairs = [
        (OURS, "application".to_string()),
        (LABEL_ORG, app.organization_id.to_string()),
        (LABEL_APP, app.id.to_string()),
        (LABEL_RELEASE, release.id.to_string()),
        (LABEL_DEPLOYMENT, id.to_string()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect()
}

/// The credential of the registry, where one is configured.
pub fn registry(panel: &Panel) -> Result<Option<RegistryAuth>> {
    use crate::fault::Because;
    let Some(registry) = &panel.config.registry else { return Ok(None) };
    let Some(username) = registry.username.clone() else { return Ok(None) };
    let password = match &registry.password_file {
        Some(path) => std::fs::read_to_string(path).because("reading the registry's password")?.trim_end().to_string(),
        None => String::new(),
    };
    Ok(Some(RegistryAuth { server: registry.server.clone(), username, password }))
}
