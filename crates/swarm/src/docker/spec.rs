//! A service of ours as Swarm wants it told, with everything that is never negotiable.
use super::*;
use crate::template::literal;
use bollard::models::{self, *};
use sha2::{Digest, Sha256};

/// Counts up when the same [`super::ServiceSpec`] is to become another service, so that `converge` updates what it finds.
const REVISION: u32 = 1;
/// The label that holds the fingerprint of the spec that a service was made from.
pub(super) const FINGERPRINT: &str = "skypanel.spec";
/// The label that holds the service's name, because a task of the API knows only its id.
pub(super) const NAME: &str = "skypanel.service";
/// What a container may not do. The rest of Docker's default set is what the usual images need to start and to drop root.
pub(super) const DROPPED: [&str; 5] = ["CAP_NET_RAW", "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP", "CAP_SETPCAP"];
/// CPU is a ceiling, not a claim: only this share of it is reserved on the node, in parts of a hundred. Memory is reserved whole,
/// because it can't be lent.
pub(crate) const CPU_RESERVED_PERCENT: u32 = 10;
/// The log that a container may keep on its node: three files of ten megabytes.
const LOG_OPTIONS: [(&str, &str); 2] = [("max-size", "10m"), ("max-file", "3")];
/// Swarm's delay before it starts an ended task again.
const RESTART_DELAY: Duration = Duration::from_secs(2);

/// Labels without those that are this adapter's own business.
pub(super) fn told(mut labels: Labels) -> Labels {
    labels.retain(|key, _| key != FINGERPRINT && key != NAME);
    labels
}

/// Tells two specs apart, the number of copies aside.
pub(super) fn fingerprint(spec: &super::ServiceSpec) -> String {
    // As they are sent: a service whose values were once sent to be evaluated is another than the one that is wanted, and no other is.
    let env = spec.env.iter().map(|(name, value)| (name.clone(), literal(value))).collect();
    let text = format!("{REVISION} {:?}", super::ServiceSpec { replicas: 0, env, ..spec.clone() });
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

/// The service as Swarm wants it told. `hardened`: the API knows `no-new-privileges` for services (1.46).
pub(super) fn service(spec: &super::ServiceSpec, hardened: bool) -> models::ServiceSpec {
    let mut labels = marked(&spec.labels);
    labels.insert(NAME.into(), spec.name.clone());
    let container_labels = labels.clone();
    labels.insert(FINGERPRINT.into(), fingerprint(spec));
    models::ServiceSpec {
        name: Some(spec.name.clone()),
        labels: Some(labels),
        mode: Some(mode(spec.replicas)),
        task_template: Some(TaskSpec {
            container_spec: Some(container(spec, container_labels, hardened)),
            resources: Some(resources(spec)),
            restart_policy: Some(TaskSpecRestartPolicy {
                condition: Some(TaskSpecRestartPolicyConditionEnum::ANY),
                delay: Some(RESTART_DELAY.as_nanos() as i64),
                ..Default::default()
            }),
            placement: Some(TaskSpecPlacement { constraints: Some(spec.constraints.clone()), ..Default::default() }),
            networks: spec.network.as_ref().map(|(name, alias)| {
                vec![NetworkAttachmentConfig { target: Some(name.clone()), aliases: Some(vec![alias.clone()]), ..Default::default() }]
            }),
            log_driver: Some(TaskSpecLogDriver { name: Some("json-file".into()), options: log().config }),
            ..Default::default()
        }),
        update_config: Some(update()),
        endpoint_spec: Some(endpoint(spec.port)),
        ..Default::default()
    }
}

/// A log that stays small.
pub(super) fn log() -> HostConfigLogConfig {
    let options = LOG_OPTIONS.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    HostConfigLogConfig { typ: Some("json-file".into()), config: Some(options) }
}

/// So many copies.
pub(super) fn mode(replicas: u32) -> ServiceSpecMode {
    ServiceSpecMode { replicated: Some(ServiceSpecModeReplicated { replicas: Some(replicas.into()) }), ..Default::default() }
}

fn container(spec: &super::ServiceSpec, labels: HashMap<String, String>, hardened: bool) -> TaskSpecContainerSpec {
    TaskSpecContainerSpec {
        image: Some(spec.image.clone()),
        labels: Some(labels),
        // Arguments, not Swarm's "command": that would replace the image's entry point.
        args: spec.command.clone(),
        // Swarm evaluates the values. Host name and mounts, which it evaluates too, are never set.
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={}", literal(v))).collect()),
        stop_grace_period: Some(i64::from(spec.stop_grace) * 1_000_000_000),
        init: Some(true),
        capability_drop: Some(DROPPED.map(String::from).to_vec()),
        privileges: hardened.then(|| TaskSpecContainerSpecPrivileges { no_new_privileges: Some(true), ..Default::default() }),
        ..Default::default()
    }
}

fn resources(spec: &super::ServiceSpec) -> TaskSpecResources {
    let memory = i64::try_from(spec.memory.0).unwrap_or(i64::MAX);
    let cpu = i64::from(spec.cpu.0) * 1_000_000;
    TaskSpecResources {
        limits: Some(Limit { nano_cpus: Some(cpu), memory_bytes: Some(memory), pids: Some(spec.pids.into()) }),
        reservations: Some(ResourceObject {
            nano_cpus: Some(cpu * i64::from(CPU_RESERVED_PERCENT) / 100),
            memory_bytes: Some(memory),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Releases have services of their own, so updates are rare: a label or a limit. Then the new copy comes before the old goes.
fn update() -> ServiceSpecUpdateConfig {
    ServiceSpecUpdateConfig {
        parallelism: Some(1),
        failure_action: Some(ServiceSpecUpdateConfigFailureActionEnum::PAUSE),
        monitor: Some(5_000_000_000),
        order: Some(ServiceSpecUpdateConfigOrderEnum::START_FIRST),
        ..Default::default()
    }
}

fn endpoint(port: Option<u16>) -> EndpointSpec {
    let published = |port: u16| EndpointPortConfig {
        protocol: Some(EndpointPortConfigProtocolEnum::TCP),
        target_port: Some(port.into()),
        publish_mode: Some(EndpointPortConfigPublishModeEnum::HOST),
        ..Default::default()
    };
    EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ports: Some(port.map(published).into_iter().collect()) }
}
