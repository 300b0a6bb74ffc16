//! What the engine answers, in our four kinds. Docker's status codes are not to be trusted alone: a lost race is a 500, a
//! network in use a 403, a swarm without a leader a 500 again; the words decide.
use super::SwarmError;
use bollard::errors::Error;

/// Translates an error of the client or of the engine.
pub(super) fn translate(error: Error) -> SwarmError {
    match error {
        Error::DockerResponseServerError { status_code, message } => by_words(status_code, tidy(&message)),
        Error::DockerStreamError { error } => SwarmError::Refused(tidy(&error)),
        Error::DockerContainerWaitError { error, code } => SwarmError::Refused(format!("ended with code {code} {error}")),
        Error::RequestTimeoutError => SwarmError::Unreachable("the engine did not answer in time".into()),
        Error::SocketNotFoundError(path) => SwarmError::Unreachable(format!("there is no socket at {path}")),
        Error::IOError { .. } | Error::HyperResponseError { .. } | Error::HyperLegacyError { .. } => {
            SwarmError::Unreachable(causes(&error))
        }
        other => SwarmError::Refused(causes(&other)),
    }
}

fn by_words(status: u16, message: String) -> SwarmError {
    let says = |words: &[&str]| words.iter().any(|w| message.contains(w));
    if says(&["does not have a leader", "code = Unavailable", "code = DeadlineExceeded", "context deadline exceeded"]) {
        SwarmError::Unreachable(message)
    } else if status == 404 || says(&["code = NotFound"]) || (message.starts_with("network ") && message.ends_with(" not found")) {
        SwarmError::NotFound(message)
    } else if status == 409 || says(&["update out of sequence", "is in use by", "has active endpoints", "code = AlreadyExists"]) {
        SwarmError::Conflict(message)
    } else {
        SwarmError::Refused(message)
    }
}

/// The message without the wrapping of the swarm's inner protocol.
fn tidy(message: &str) -> String {
    let bare = match message.split_once(" desc = ") {
        // The code decides in `by_words`; only where it tells nothing is it left out.
        Some((code, words)) if code.ends_with("Unknown") || code.ends_with("InvalidArgument") => words,
        _ => message,
    };
    bare.trim().to_string()
}

/// An error with all its causes: the outermost alone says "client error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

/// Whether the engine speaks another version than was negotiated.
pub(super) fn is_version_mismatch(error: &SwarmError) -> bool {
    matches!(error, SwarmError::Refused(words) if words.contains("client version") && (words.contains("too old") || words.contains("too new")))
}

/// "Already gone" is success.
pub(super) fn gone_is_fine<T: Default>(result: super::Result<T>) -> super::Result<T> {
    match result {
        Err(SwarmError::NotFound(_)) => Ok(T::default()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> SwarmError {
        translate(Error::DockerResponseServerError { status_code, message: message.into() })
    }

    #[test]
    fn words_decide_where_the_status_misleads() {
        assert_eq!(
            answer(500, "rpc error: code = Unknown desc = update out of sequence"),
            SwarmError::Conflict("update out of sequence".into())
        );
        assert!(matches!(
            answer(500, "rpc error: code = FailedPrecondition desc = network n is in use by service s"),
            SwarmError::Conflict(_)
        ));
        assert!(matches!(answer(500, "rpc error: code = Unknown desc = The swarm does not have a leader."), SwarmError::Unreachable(_)));
        assert!(matches!(answer(404, "no such service"), SwarmError::NotFound(_)));
        assert!(matches!(answer(403, "network 8vsb0 not found"), SwarmError::NotFound(_)));
        assert!(matches!(answer(400, "invalid mount"), SwarmError::Refused(_)));
        assert!(is_version_mismatch(&answer(400, "client version 1.41 is too old. Minimum supported API version is 1.44")));
    }
}
