//! What a deployment that is under way is made of, and the ways in which it stops. Everything that moves it on ([`super::drive`]) or does a
//! part of it (steps, start, canary, dossier) takes these types from here.
use crate::{
    apps::{model::Settings, server::view::service_name},
    deployments::{
        model::{CanarySettings, Dossier, RELEASE},
        server::{
            failure::{self, Reason},
            redact::SecretValues,
            task::log::Log,
        },
    },
    error::{Error, Result},
    fault::Because,
    runtime::panel::Panel,
    store::tables::{application, cluster, deployment, release},
    swarm::{Swarm, SwarmError},
    units::Bytes,
};
use sea_orm::EntityTrait;
use std::sync::Arc;

/// Why a step did not bring the next phase.
#[derive(Debug)]
pub enum Stop {
    /// The deployment failed, and this is why.
    Failed(Reason, Box<Dossier>),
    /// It may pass: try the step again.
    Passing(String),
    /// The panel itself is in trouble.
    Error(Error),
    /// Another panel holds the lease now.
    Lost,
}

impl From<Error> for Stop {
    fn from(why: Error) -> Self {
        Stop::Error(why)
    }
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Stop::Failed(reason, Box::default())
    }
}

impl From<SwarmError> for Stop {
    fn from(why: SwarmError) -> Self {
        match why {
            SwarmError::Refused(said) => Reason::new("refused", format!("The swarm refused: {}.", failure::sentence(&said))).into(),
            other => Stop::Passing(other.to_string()),
        }
    }
}

/// A deployment under way.
pub struct Run {
    pub panel: Arc<Panel>,
    pub swarm: Arc<dyn Swarm>,
    pub row: deployment::Model,
    pub app: application::Model,
    pub cluster: cluster::Model,
    pub log: Log,
    /// How it shall be tried on a part of the visitors, where it shall.
    pub canary: Option<CanarySettings>,
    /// What no word of the engine's may tell.
    pub secrets: SecretValues,
}

impl Run {
    /// The name of the service that this deployment runs as.
    pub fn service(&self) -> String {
        service_name(&self.row.id)
    }

    /// Notes a line in the deployment's log.
    pub fn say(&self, text: &str) {
        self.log.line(self.row.phase, text);
    }

    /// The settings that this deployment was asked for with.
    pub fn settings(&self) -> Result<Settings> {
        self.row.settings.read()
    }

    /// Memory that one replica may use.
    pub fn memory(&self) -> Result<Bytes> {
        self.settings().map(|settings| settings.limits.memory_bytes)
    }

    /// The release of this deployment.
    pub async fn release(&self) -> Result<release::Model> {
        let id = self.row.release_id.clone().ok_or(Error::NotFound(RELEASE))?;
        let found = release::Entity::find_by_id(id).one(self.panel.db.read()).await.because("looking up a release")?;
        found.ok_or(Error::NotFound(RELEASE))
    }
}
