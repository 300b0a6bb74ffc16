//! Why a repository could not be read, in the customer's words; and the reading of git's own words, which say the same thing in
//! many ways. Git's text itself never reaches the customer: it names the panel's folders.
use crate::{Branch, CommitHash};
use base::units::{Bytes, spoken};
use std::time::Duration;

/// Why a repository was not read. Each sentence says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The host answers that there is none, or answers something that is not git.
    #[error("There is no git repository at this URL. Check its spelling.")]
    RepositoryNotFound,
    /// The host redirects. Redirects are not followed: they could lead anywhere.
    #[error(
        "The host says that the repository has another URL. Enter the one that it shows for cloning; often it begins with https:// or ends in .git."
    )]
    RepositoryMoved,
    /// The host wants a user name. Many hosts say so of repositories that do not exist, too.
    #[error(
        "The host asks for a user name and password: the repository is private, or its name is misspelt. Check the URL, or make the repository public."
    )]
    RepositoryNeedsCredentials,
    /// What came was more than may be kept.
    #[error("The repository takes more than {max} on disk. Remove large files from its newest commit.")]
    RepositoryTooLarge {
        /// The limit that was passed.
        max: Bytes,
    },
    /// A file in it needs more memory than git is given here.
    #[error("The repository has a file that takes too much memory to unpack. Remove large files from its newest commit.")]
    FileTooLarge,
    /// The repository is there, the branch is not.
    #[error("The repository has no branch “{branch}”.{}", these(.have))]
    BranchNotFound {
        /// What was asked for.
        branch: Branch,
        /// Some branches that there are.
        have: Vec<String>,
    },
    /// Not one commit where one was looked for.
    #[error("The repository is empty or names no default branch. Push a commit, or enter a branch.")]
    RepositoryEmpty,
    /// The host does not have the commit, or it lies too far behind the branch's head.
    #[error("The repository has no commit {} any more. Deploy a branch's newest commit instead.", .commit.short())]
    CommitNotFound {
        /// What was asked for.
        commit: CommitHash,
    },
    /// The name has no address.
    #[error("The host in the repository's URL does not exist. Check its spelling.")]
    HostNotFound,
    /// The host's address is none that a customer's URL may lead to.
    #[error(
        "The repository's host has a private address, and this platform reads public ones only. Use a public host, or ask the operator to allow the address."
    )]
    AddressRefused,
    /// It took too long.
    #[error("The repository was not read within {}. Try again; if it is large, make it smaller.", spoken(*.after))]
    GitTimeout {
        /// The patience that ran out.
        after: Duration,
    },
    /// The host does not do its part; the text says what it does, and the remedy.
    #[error("The repository's host {0}.")]
    RepositoryUnreachable(&'static str),
    /// Anything else. The cause is in the log.
    #[error("Git could not read the repository. Check that you can clone it without signing in, then try again.")]
    GitFailed,
}

fn these(have: &[String]) -> String {
    match have {
        [] => " Check the name's spelling.".into(),
        [only] => format!(" It has {only}."),
        more => format!(
            " It has {}{}.",
            more.iter().take(5).cloned().collect::<Vec<_>>().join(", "),
            if more.len() > 5 { " and others" } else { "" }
        ),
    }
}

impl GitError {
    /// The stable code, as a failed deployment and the API name it.
    pub fn code(&self) -> &'static str {
        match self {
            GitError::RepositoryNotFound => "repository_not_found",
            GitError::RepositoryMoved => "repository_moved",
            GitError::RepositoryNeedsCredentials => "repository_needs_credentials",
            GitError::RepositoryTooLarge { .. } | GitError::FileTooLarge => "repository_too_large",
            GitError::BranchNotFound { .. } | GitError::RepositoryEmpty => "branch_not_found",
            GitError::CommitNotFound { .. } => "commit_not_found",
            GitError::HostNotFound => "host_not_found",
            GitError::AddressRefused => "address_refused",
            GitError::GitTimeout { .. } => "git_timeout",
            GitError::RepositoryUnreachable(_) => "repository_unreachable",
            GitError::GitFailed => "git_failed",
        }
    }

    /// Whether the sentence belongs beside the branch rather than beside the URL.
    pub fn is_about_the_branch(&self) -> bool {
        self.code() == "branch_not_found"
    }

    /// Whether the same attempt may well succeed later without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, GitError::GitTimeout { .. } | GitError::RepositoryUnreachable(_))
    }
}

/// What git was heard to say when it failed, as far as our callers tell it apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// The ref that was asked for is not there.
    NoSuchRef,
    /// The commit that was asked for is not there.
    NoSuchCommit,
    /// The server gives out heads of branches only.
    HeadsOnly,
    /// Anything that needs no more context.
    Other(GitError),
}

/// Reads git's standard error (LC_ALL=C). What the server wrote (`remote: …`) and URLs are left out: they could say anything.
pub(super) fn understand(said: &str) -> Complaint {
    let ours = said.lines().filter(|l| !l.starts_with("remote:")).flat_map(str::split_whitespace).filter(|word| !word.contains("://"));
    let said = ours.collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| said.contains(w));
    if has(&["couldn't find remote ref"]) {
        return Complaint::NoSuchRef;
    }
    if has(&["not our ref"]) {
        return Complaint::NoSuchCommit;
    }
    if has(&["does not allow request for unadvertised object"]) {
        return Complaint::HeadsOnly;
    }
    let status = said.split("returned error: ").nth(1).and_then(|rest| rest.get(..3)).and_then(|code| code.parse::<u16>().ok());
    Complaint::Other(match status {
        _ if has(&["could not read username", "could not read password", "authentication failed"]) => GitError::RepositoryNeedsCredentials,
        _ if has(&["repository not found", "is this a git repository"]) => GitError::RepositoryNotFound,
        Some(300..400) => GitError::RepositoryMoved,
        Some(401 | 403 | 407) => GitError::RepositoryNeedsCredentials,
        Some(404 | 410) => GitError::RepositoryNotFound,
        Some(429) => GitError::RepositoryUnreachable("gets too many requests at the moment; try again in some minutes"),
        Some(400..500) => GitError::RepositoryUnreachable("refuses the request; check the URL"),
        Some(_) => GitError::RepositoryUnreachable("has a fault at the moment; try again later"),
        None if has(&["could not resolve host"]) => GitError::HostNotFound,
        None if has(&["out of memory"]) => GitError::FileTooLarge,
        None if has(&["failed to connect", "couldn't connect", "connection refused"]) => {
            GitError::RepositoryUnreachable("does not answer; check the URL, or try again later")
        }
        None if has(&["too slow", "timed out"]) => GitError::RepositoryUnreachable("stopped answering; try again later"),
        None if has(&["dumb http transport"]) => {
            GitError::RepositoryUnreachable("serves plain files only; use one that speaks git's smart protocol")
        }
        None if has(&["certificate", "ssl", "tls"]) => GitError::RepositoryUnreachable(
            "has no certificate that can be trusted; its owner must renew it, or ask the operator to trust its issuer",
        ),
        None if has(&["unable to access", "empty reply", "hung up unexpectedly", "rpc failed", "early eof"]) => {
            GitError::RepositoryUnreachable("broke the connection off; try again later")
        }
        None => GitError::GitFailed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_words_are_understood() {
        for (said, meant) in [
            ("fatal: could not read Username for 'https://x': terminal prompts disabled", "repository_needs_credentials"),
            ("fatal: Authentication failed for 'https://x/'", "repository_needs_credentials"),
            ("fatal: unable to access 'http://x/': The requested URL returned error: 403", "repository_needs_credentials"),
            ("remote: Not Found\nfatal: repository 'https://x/y/' not found", "repository_not_found"),
            ("fatal: http://x/info/refs not valid: is this a git repository?", "repository_not_found"),
            ("fatal: unable to access 'http://x/': The requested URL returned error: 302", "repository_moved"),
            ("fatal: unable to access 'http://x/': The requested URL returned error: 502", "repository_unreachable"),
            ("fatal: unable to access 'http://x/': Failed to connect to x port 9", "repository_unreachable"),
            ("fatal: unable to access 'http://x/ssl-not-found/': Out of memory", "repository_too_large"),
            (
                "error: RPC failed; curl 28 Operation too slow. Less than 1 bytes/sec transferred the last 60 seconds",
                "repository_unreachable",
            ),
            ("fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate", "repository_unreachable"),
            ("fatal: unable to access 'https://x/': Could not resolve host: x", "host_not_found"),
            ("remote: repository '' not found\nfatal: something new in /srv/secret", "git_failed"),
        ] {
            let Complaint::Other(error) = understand(said) else { panic!("{said}") };
            assert_eq!(error.code(), meant, "{said}");
            assert!(error.to_string().ends_with('.') && !error.to_string().contains("/srv"), "{error}");
        }
        assert_eq!(understand("fatal: couldn't find remote ref refs/heads/x"), Complaint::NoSuchRef);
        assert_eq!(understand("fatal: remote error: upload-pack: not our ref 12"), Complaint::NoSuchCommit);
        assert_eq!(understand("error: Server does not allow request for unadvertised object 12"), Complaint::HeadsOnly);
    }

    #[test]
    fn a_missing_branch_names_those_that_there_are() {
        let missing = |have: &[&str]| {
            GitError::BranchNotFound { branch: "x".parse().unwrap(), have: have.iter().map(|b| (*b).into()).collect() }.to_string()
        };
        assert_eq!(missing(&[]), "The repository has no branch “x”. Check the name's spelling.");
        assert_eq!(missing(&["main"]), "The repository has no branch “x”. It has main.");
        assert_eq!(missing(&["a", "b", "c", "d", "e", "f"]), "The repository has no branch “x”. It has a, b, c, d, e and others.");
    }
}
