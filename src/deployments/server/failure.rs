//! The ways in which a deployment fails: a stable code and one sentence that tells the remedy. Pure, so that every sentence can
//! be read and tested here.
use crate::{
    edge::ProbeAnswer,
    swarm::{BuildFailure, Listener, Task, TaskState},
    units::Bytes,
};

/// Why the walk stopped: the code and the sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub code: &'static str,
    pub sentence: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Reason { code, sentence: sentence.into() }
    }
}

/// The code of a failure that was written down before it was told.
pub fn known_code(code: &str) -> &'static str {
    const CODES: [&str; 11] = [
        "canary_worse",
        "canary_unproven",
        "canary_taken_back",
        "canary_undecided",
        "exited",
        "killed",
        "out_of_memory",
        "start_failed",
        "swarm_unreachable",
        "suspended",
        "internal",
    ];
    CODES.into_iter().find(|it| *it == code).unwrap_or("canary_failed")
}

/// A build that brought no image.
pub fn build(failure: &BuildFailure, dockerfile: &str, memory: Bytes) -> Reason {
    match failure {
        BuildFailure::NoDockerfile => Reason::new(
            "no_dockerfile",
            format!("The repository has no file {dockerfile}. Add one, or set the Dockerfile’s path in the application’s settings."),
        ),
        BuildFailure::ContextTooLarge => {
            Reason::new("context_too_large", "The build context is larger than the limit. Leave large files out with a .dockerignore.")
        }
        BuildFailure::OutOfMemory => {
            Reason::new("build_out_of_memory", format!("A build step needed more than {memory} of memory. Make the step smaller."))
        }
        BuildFailure::Step { message, exit_code: Some(code) } => Reason::new(
            "build_failed",
            format!("A build step ended with exit code {code}: {}. The log shows its output.", sentence(message)),
        ),
        BuildFailure::Step { message, exit_code: None } => Reason::new("build_failed", format!("The build failed: {}.", sentence(message))),
    }
}

/// A task that ended, was refused or lost, while it should have come up.
pub fn task(task: &Task, memory: Bytes) -> Option<Reason> {
    let said = sentence(&task.message);
    match task.state {
        TaskState::Failed | TaskState::Complete if task.unhealthy.is_some() => {
            Some(unhealthy(task.unhealthy.as_deref().unwrap_or_default()))
        }
        TaskState::Failed if task.out_of_memory => Some(Reason::new(
            "out_of_memory",
            format!("The application needed more than its {memory} of memory and was stopped. Raise its memory limit, or let it use less."),
        )),
        // Where the program never ran there is no log to look at; the swarm alone has the reason. (The engine gives such a container code 127 or 128.)
        TaskState::Failed if !task.message.contains("non-zero exit") => Some(unstartable(&said)),
        // Exit code 137 from afar: the node alone knows whether memory was the reason.
        TaskState::Failed if task.exit_code == Some(137) => Some(Reason::new(
            "killed",
            format!(
                "The application was killed (exit code 137), most often because it needs more than its {memory} of memory. Raise its memory limit."
            ),
        )),
        TaskState::Failed => Some(Reason::new(
            "exited",
            format!(
                "The application ended with exit code {} instead of serving. The last lines of its log tell why.",
                task.exit_code.unwrap_or(1)
            ),
        )),
        TaskState::Complete => Some(Reason::new(
            "exited",
            "The application ended by itself (exit code 0) instead of serving. Let its main process stay in the foreground.",
        )),
        TaskState::Rejected => Some(Reason::new("rejected", format!("The machine refused the container: {said}."))),
        TaskState::Orphaned => Some(Reason::new("node_lost", "The machine went away while the application was starting. Deploy again.")),
        TaskState::Pending | TaskState::Starting | TaskState::Running | TaskState::Shutdown => None,
    }
}

/// The swarm stopped a task because the health check of its image failed.
fn unhealthy(output: &str) -> Reason {
    let remedy = "Mend that check in the image (it may need a program such as curl), or remove the HEALTHCHECK: SkyPanel asks the application itself";
    let said = match sentence(output) {
        said if said == NO_REASON => "it printed nothing".to_string(),
        said => format!("it printed “{said}”"),
    };
    Reason::new(
        "health_check_failed",
        format!(
            "The image’s own health check (HEALTHCHECK in its Dockerfile) failed, so the swarm stopped the application; {said}. {remedy}."
        ),
    )
}

/// The engine could not start the container, and said why.
fn unstartable(said: &str) -> Reason {
    // Swarm says it twice before it says what.
    let said = said.rsplit("starting container failed: ").next().unwrap_or(said);
    let remedy = match said.contains("unable to find user") || said.contains("unable to find group") {
        true => "Create the user of the image’s USER line in its Dockerfile, or name one that is there.",
        false => "Check the start command.",
    };
    Reason::new("start_failed", format!("The container could not be started: {said}. {remedy}"))
}

/// No machine has room.
pub fn no_room(message: &str, memory: Bytes) -> Reason {
    let why = sentence(message);
    Reason::new(
        "no_capacity",
        format!(
            "No machine has {memory} of memory and the CPU free that a replica needs ({why}). Lower the limits or the replicas, or add a machine."
        ),
    )
}

/// What keeps visitors from an application that runs, seen by where it listens; none where it listens as it should, or where nothing listens yet.
pub fn observed(listeners: &[Listener], port: u16) -> Option<String> {
    let here: Vec<&Listener> = listeners.iter().filter(|it| it.port == port).collect();
    if here.iter().any(|it| it.is_open()) {
        return None;
    }
    if let Some(it) = here.first() {
        let remedy = match it.address.is_loopback() {
            true => "Let it listen on 0.0.0.0",
            false => {
                "Let it listen on 0.0.0.0; a program that takes its address from $HOSTNAME, as Next.js does, needs the variable HOSTNAME=0.0.0.0"
            }
        };
        let whom = if it.address.is_loopback() { "which only its own container reaches" } else { "where visitors can’t be led to" };
        return Some(format!("The application listens on port {port} of {} only, {whom}. {remedy}.", it.address));
    }
    let mut elsewhere: Vec<u16> = listeners.iter().map(|it| it.port).collect();
    elsewhere.dedup();
    (!elsewhere.is_empty()).then(|| {
        let ports = elsewhere.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        format!("Nothing answers on port {port}; the application listens on {ports}. Set that port, or let it listen on the one in $PORT.")
    })
}

/// The probes never went well.
pub fn probe(answer: Option<&ProbeAnswer>, port: u16, path: Option<&str>, listeners: Option<&[Listener]>) -> Reason {
    match (answer, path) {
        (Some(ProbeAnswer::Answered { status, .. }), Some(path)) => Reason::new(
            "unhealthy",
            format!(
                "The health check GET {path} answered {status} instead of 200 to 399. Mend the application, or change the health check’s path."
            ),
        ),
        (Some(ProbeAnswer::Timeout { .. }), _) => {
            Reason::new("probe_timeout", format!("The application takes connections on port {port} but doesn’t answer in time."))
        }
        (Some(ProbeAnswer::NotHttp), _) => {
            Reason::new("not_http", format!("What answers on port {port} is not HTTP. Set the port on which the application serves HTTP."))
        }
        (Some(ProbeAnswer::OtherHttp { http2: true }), _) => Reason::new(
            "only_http2",
            format!(
                "The application speaks HTTP/2 alone on port {port}, as servers of gRPC do. Set the protocol to HTTP/2 on its Routing page."
            ),
        ),
        (Some(ProbeAnswer::OtherHttp { http2: false }), _) => Reason::new(
            "only_http1",
            format!("The application speaks HTTP/1.1 alone on port {port}. Set the protocol to HTTP/1.1 on its Routing page."),
        ),
        (Some(ProbeAnswer::NotServing), _) => Reason::new(
            "unhealthy",
            "The application’s gRPC health check does not say SERVING. Mend it, or change the health check’s path in the settings.",
        ),
        _ => {
            let observed = listeners.and_then(|listeners| observed(listeners, port));
            Reason::new("port_not_answering", observed.unwrap_or_else(|| nothing_answers(port)))
        }
    }
}

fn nothing_answers(port: u16) -> String {
    format!("Nothing answers on port {port}. Let the application listen on 0.0.0.0 and the port in $PORT, or set the port that it uses.")
}

/// What stands where the engine gave no words.
const NO_REASON: &str = "no reason given";

/// The engine's words as a clause: one line, bounded, without a full stop.
pub fn sentence(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(NO_REASON);
    let short: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
    short.trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, port: u16) -> Listener {
        Listener { address: address.parse().unwrap(), port }
    }

    #[test]
    fn a_wrong_port_names_the_right_one() {
        let reason = probe(Some(&ProbeAnswer::Closed), 8080, None, Some(&[listener("0.0.0.0", 3000)]));
        assert_eq!(reason.code, "port_not_answering");
        assert!(reason.sentence.contains("8080") && reason.sentence.contains("listens on 3000"));
    }

    #[test]
    fn a_wrong_address_is_told_with_what_to_do() {
        let local = observed(&[listener("127.0.0.1", 8080)], 8080).unwrap();
        assert!(local.contains("port 8080 of 127.0.0.1 only") && local.contains("0.0.0.0"), "{local}");
        let named = observed(&[listener("10.201.4.7", 3000)], 3000).unwrap();
        assert!(named.contains("10.201.4.7") && named.contains("HOSTNAME=0.0.0.0"), "{named}");
        assert_eq!(observed(&[listener("::", 8080), listener("127.0.0.1", 9229)], 8080), None);
        assert_eq!(observed(&[], 8080), None, "it may be starting");
    }

    fn failed(message: &str, exit_code: Option<i64>) -> Task {
        Task {
            id: "t".into(),
            service: "s".into(),
            slot: 1,
            node: None,
            state: TaskState::Failed,
            wanted: false,
            message: message.into(),
            exit_code,
            out_of_memory: false,
            unhealthy: None,
            container: None,
            address: None,
            labels: Default::default(),
            since: crate::units::Timestamp(0),
        }
    }

    #[test]
    fn a_health_check_that_cannot_run_is_named_with_what_it_printed() {
        let stopped = failed("starting: task: non-zero exit (143): dockerexec: unhealthy container", Some(143));
        let told = task(&Task { unhealthy: Some("/bin/sh: curl: not found\n".into()), ..stopped.clone() }, Bytes::mib(32)).unwrap();
        assert_eq!(told.code, "health_check_failed");
        for words in ["own health check", "“/bin/sh: curl: not found”", "remove the HEALTHCHECK"] {
            assert!(told.sentence.contains(words), "{}", told.sentence);
        }
        let silent = task(&Task { unhealthy: Some(String::new()), ..stopped }, Bytes::mib(32)).unwrap();
        assert!(silent.sentence.contains("printed nothing"), "{}", silent.sentence);
    }

    #[test]
    fn a_user_that_is_not_there_is_the_swarms_own_reason() {
        let words = "starting: starting container failed: unable to find user app: no matching entries in passwd file";
        let told = task(&failed(words, Some(128)), Bytes::mib(32)).unwrap();
        assert_eq!(told.code, "start_failed");
        assert!(told.sentence.contains("unable to find user app") && told.sentence.contains("USER line"), "{}", told.sentence);
        let ended = task(&failed("started: task: non-zero exit (3)", Some(3)), Bytes::mib(32)).unwrap();
        assert_eq!(ended.code, "exited");
    }

    #[test]
    fn an_unhealthy_answer_is_told_with_its_status() {
        let answer = ProbeAnswer::Answered { status: 500, millis: 3 };
        let reason = probe(Some(&answer), 80, Some("/healthz"), None);
        assert_eq!(reason.code, "unhealthy");
        assert!(reason.sentence.contains("500") && reason.sentence.contains("/healthz"));
    }

    #[test]
    fn the_engines_words_are_one_clean_line() {
        assert_eq!(sentence("\n  no such image.\nmore\u{7}"), "no such image");
        assert_eq!(sentence(""), "no reason given");
    }
}
