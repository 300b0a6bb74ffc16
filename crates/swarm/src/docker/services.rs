//! Services: brought to their spec, scaled, removed, listed.
use super::*;
use bollard::{
    auth::DockerCredentials,
    models,
    query_parameters::{InspectServiceOptions, ListServicesOptionsBuilder, UpdateServiceOptions, UpdateServiceOptionsBuilder},
};

/// How often a lost race is run again before it becomes the caller's.
const RACES: u32 = 5;

impl Engine {
    pub(super) async fn converge_service(&self, spec: &ServiceSpec) -> Result<Converged> {
        spec.check()?;
        let wanted = spec::service(spec, self.has_api(46).await?);
        self.race(|| self.converge_once(spec, &wanted)).await.map_err(|why| spec.without_values(why))
    }

    async fn converge_once(&self, spec: &ServiceSpec, wanted: &models::ServiceSpec) -> Result<Converged> {
        let credentials = spec.registry.as_ref().map(credentials);
        let Some(there) = self.find_service(&spec.name).await? else {
            let wanted = wanted.clone();
            self.call("creating a service", |d| async move { d.create_service(wanted, credentials).await }).await?;
            return Ok(Converged::Created);
        };
        let found = there.spec.as_ref();
        let fingerprint = |s: Option<&models::ServiceSpec>| s.and_then(|s| s.labels.as_ref()?.get(spec::FINGERPRINT).cloned());
        if fingerprint(found) == fingerprint(Some(wanted)) && replicas(found) == spec.replicas {
            return Ok(Converged::Unchanged);
        }
        self.update(&spec.name, &there, wanted.clone(), credentials).await?;
        Ok(Converged::Updated)
    }

    pub(super) async fn scale_service(&self, name: &str, to: u32) -> Result<()> {
        self.race(|| async move {
            let there = self.find_service(name).await?.ok_or_else(|| SwarmError::NotFound(format!("service {name}")))?;
            if replicas(there.spec.as_ref()) == to {
                return Ok(());
            }
            let mut wanted = there.spec.clone().unwrap_or_default();
            wanted.mode = Some(spec::mode(to));
            self.update(name, &there, wanted, None).await
        })
        .await
    }

    /// Runs again what lost a race for a service's version or a network's name.
    pub(super) async fn race<T, F: Future<Output = Result<T>>>(&self, run: impl Fn() -> F) -> Result<T> {
        let mut tries = 0;
        loop {
            match run().await {
                Err(SwarmError::Conflict(_)) if tries < RACES => tries += 1,
                done => return done,
            }
            tokio::time::sleep(Duration::from_millis(20 << tries)).await;
        }
    }

    async fn update(
        &self,
        name: &str,
        there: &models::Service,
        wanted: models::ServiceSpec,
        auth: Option<DockerCredentials>,
    ) -> Result<()> {
        let index = there.version.as_ref().and_then(|v| v.index).unwrap_or_default();
        let version =
            i32::try_from(index).map_err(|_| SwarmError::Refused(format!("version {index} of service {name} is out of range")))?;
        // Without a credential of its own an update keeps the one that the service has.
        let options: UpdateServiceOptions = UpdateServiceOptionsBuilder::default().version(version).registry_auth_from("spec").build();
        let id = there.id.clone().unwrap_or_else(|| name.to_string());
        self.call("updating a service", |d| async move { d.update_service(&id, wanted, options, auth).await }).await?;
        Ok(())
    }

    pub(super) async fn drop_service(&self, name: &str) -> Result<()> {
        let Some(there) = self.find_service(name).await? else { return Ok(()) };
        let id = there.id.unwrap_or_else(|| name.to_string());
        errors::gone_is_fine(self.call("removing a service", |d| async move { d.delete_service(&id).await }).await)
    }

    pub(super) async fn read_services(&self) -> Result<Vec<Service>> {
        let options = ListServicesOptionsBuilder::default().filters(&filters([("label", OURS)])).build();
        let listed = self.call("listing the services", |d| async move { d.list_services(Some(options)).await }).await?;
        let mut services: Vec<_> = listed.into_iter().map(service).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(services)
    }

    /// A service of ours by name. One that is not ours is refused.
    async fn find_service(&self, name: &str) -> Result<Option<models::Service>> {
        let found =
            self.call("looking at a service", |d| async move { d.inspect_service(name, None::<InspectServiceOptions>).await }).await;
        match found {
            Ok(there) if labels(&there).contains_key(OURS) => Ok(Some(there)),
            Ok(_) => Err(SwarmError::Refused(format!("a service {name} exists and is not ours"))),
            Err(SwarmError::NotFound(_)) => Ok(None),
            Err(why) => Err(why),
        }
    }
}

fn labels(service: &models::Service) -> Labels {
    service.spec.as_ref().and_then(|s| s.labels.clone()).unwrap_or_default().into_iter().collect()
}

fn replicas(spec: Option<&models::ServiceSpec>) -> u32 {
    let told = spec.and_then(|s| s.mode.as_ref()?.replicated.as_ref()?.replicas);
    told.unwrap_or_default().try_into().unwrap_or_default()
}

fn service(service: models::Service) -> Service {
    Service {
        labels: spec::told(labels(&service)),
        replicas: replicas(service.spec.as_ref()),
        created: moment(service.created_at.as_ref()),
        name: service.spec.and_then(|s| s.name).unwrap_or_default(),
        id: service.id.unwrap_or_default(),
    }
}

/// A registry's credential as the API takes it.
pub(super) fn credentials(auth: &RegistryAuth) -> DockerCredentials {
    DockerCredentials {
        username: Some(auth.username.clone()),
        password: Some(auth.password.clone()),
        serveraddress: Some(auth.server.clone()),
        ..Default::default()
    }
}
