//! The ways in which a deployment fails: a stable code and one sentence that tells the remedy. Pure, so that every sentence can
//! be read and tested here.
use crate::{
    edge::ProbeAnswer,
    swarm::{BuildFailure, Task, TaskState},
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
        TaskState::Failed if task.out_of_memory => Some(Reason::new(
            "out_of_memory",
            format!("The application needed more than its {memory} of memory and was stopped. Raise its memory limit, or let it use less."),
        )),
        TaskState::Failed if task.exit_code.is_none() => {
            Some(Reason::new("start_failed", format!("The container could not be started: {said}. Check the start command.")))
        }
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

/// The probes never went well.
pub fn probe(answer: Option<&ProbeAnswer>, port: u16, path: Option<&str>, listening: Option<&[u16]>) -> Reason {
    let elsewhere = listening.map(|ports| ports.iter().copied().filter(|other| *other != port).collect::<Vec<_>>()).unwrap_or_default();
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
        _ if !elsewhere.is_empty() => {
            let ports = elsewhere.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
            Reason::new(
                "port_not_answering",
                format!(
                    "Nothing answers on port {port}; the application listens on {ports}. Set that port, or let it listen on the one in $PORT."
                ),
            )
        }
        _ => Reason::new(
            "port_not_answering",
            format!(
                "Nothing answers on port {port}. Let the application listen on 0.0.0.0 and the port in $PORT, or set the port that it uses."
            ),
        ),
    }
}

/// The engine's words as a clause: one line, bounded, without a full stop.
pub fn sentence(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    let short: String = line.chars().filter(|c| !c.is_control()).take(300).collect();
    short.trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_port_names_the_right_one() {
        let reason = probe(Some(&ProbeAnswer::Closed), 8080, None, Some(&[3000]));
        assert_eq!(reason.code, "port_not_answering");
        assert!(reason.sentence.contains("8080") && reason.sentence.contains("listens on 3000"));
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
