//! The registry of swarms: a provider's row leads to a connection, opened when it is first needed. Tests put fakes in; a row with
//! the endpoint `fake:` gets one, too.
use crate::{
    error::{Error, Result},
    fault::Because,
    id::ProviderId,
    runtime::{
        config::{Config, TlsFiles},
        panel::Panel,
    },
    store::tables::provider,
    swarm::{
        Swarm,
        docker::{Endpoint, Engine, Tls},
        fake::Fake,
    },
};
use sea_orm::EntityTrait;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// Connections by provider.
#[derive(Default)]
pub struct Swarms {
    known: RwLock<HashMap<ProviderId, Arc<dyn Swarm>>>,
}

impl Swarms {
    /// The connection of a provider.
    pub async fn of(&self, panel: &Panel, id: &ProviderId) -> Result<Arc<dyn Swarm>> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return Ok(known.clone());
        }
        let row = provider::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a provider")?;
        let row = row.ok_or_else(|| Error::Unavailable("The provider of this cluster is gone.".into()))?;
        let swarm = connect(&row)?;
        Ok(self.known.write().unwrap_or_else(PoisonError::into_inner).entry(id.clone()).or_insert(swarm).clone())
    }

    /// Puts a connection in the place of whatever there was.
    pub fn put(&self, id: ProviderId, swarm: Arc<dyn Swarm>) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, swarm);
    }

    /// All that are open.
    pub fn known(&self) -> Vec<(ProviderId, Arc<dyn Swarm>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(id, swarm)| (id.clone(), swarm.clone())).collect()
    }
}

fn connect(row: &provider::Model) -> Result<Arc<dyn Swarm>> {
    if row.endpoint.starts_with("fake:") {
        let fake = Fake::new();
        fake.serve();
        return Ok(Arc::new(fake));
    }
    let mut endpoint: Endpoint = row.endpoint.parse().map_err(Error::Unavailable)?;
    if let Some(files) = &row.tls {
        let files: TlsFiles = serde_json::from_str(files).because("reading a provider's TLS files")?;
        endpoint = endpoint.with_tls(Tls { ca: files.ca, cert: files.cert, key: files.key });
    }
    Ok(Arc::new(Engine::new(endpoint)))
}

/// The engine that the configuration names.
pub fn engine(config: &Config) -> Result<Engine> {
    let mut endpoint: Endpoint = config.swarm.endpoint.parse().map_err(Error::Unavailable)?;
    if let Some(tls) = config.swarm.tls.clone() {
        endpoint = endpoint.with_tls(Tls { ca: tls.ca, cert: tls.cert, key: tls.key });
    }
    Ok(Engine::new(endpoint))
}
