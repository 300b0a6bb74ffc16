//! Asking a repository's host what there is, without fetching anything.
use super::{
    address::{AddressPolicy, Origin},
    command::{Git, Heard},
    error::GitError,
};
use crate::{Branch, CommitHash, GitUrl, Remote};
use std::time::Duration;
use tokio::time::Instant;

/// How many branches' names are kept.
const MOST: usize = 200;
/// The longest name that is kept; longer lines were cut.
const LONGEST: usize = 900;

/// Asks the host for the head of `branch` (or of the default branch) and the names of branches.
pub async fn ls_remote(url: &GitUrl, branch: Option<&Branch>, policy: &AddressPolicy, timeout: Duration) -> Result<Remote, GitError> {
    let deadline = Instant::now() + timeout;
    let origin = policy.resolve_by(url, deadline, timeout).await?;
    match ask(&origin, branch, deadline, timeout).await {
        Err(GitError::RepositoryMoved) => match origin.with_git_suffix() {
            Some(other) => ask(&other, branch, deadline, timeout).await,
            None => Err(GitError::RepositoryMoved),
        },
        answer => answer,
    }
}

async fn ask(origin: &Origin, branch: Option<&Branch>, deadline: Instant, patience: Duration) -> Result<Remote, GitError> {
    let git = Git::new(None, origin.pin.clone(), deadline, patience)?;
    let mut seen = Seen { wanted: branch.map(|b| format!("refs/heads/{b}")), ..Seen::default() };
    let args = ["ls-remote", "--quiet", "--symref", "--", origin.url.as_str(), "HEAD", "refs/heads/*"];
    let ended = git
        .run(&args, |heard| {
            if let Heard::Out(line) = heard {
                seen.line(line);
            }
        })
        .await?;
    ended.well()?;
    seen.answer(branch)
}

/// What the host's list has shown so far. The list may be of any length; this is not.
#[derive(Default)]
struct Seen {
    wanted: Option<String>,
    wanted_head: Option<CommitHash>,
    head: Option<CommitHash>,
    default_branch: Option<String>,
    branches: Vec<String>,
}

impl Seen {
    /// `<hash>TAB<ref>`, or `ref: <ref>TAB<name>` for what HEAD points to.
    fn line(&mut self, line: &str) {
        let Some((value, name)) = line.split_once('\t') else { return };
        if let Some(target) = value.strip_prefix("ref: ") {
            if name == "HEAD" {
                self.default_branch = target.strip_prefix("refs/heads/").map(str::to_owned);
            }
            return;
        }
        let Ok(hash) = value.parse::<CommitHash>() else { return };
        if self.wanted.as_deref() == Some(name) {
            self.wanted_head = Some(hash.clone());
        }
        match name.strip_prefix("refs/heads/") {
            Some(branch) if self.branches.len() < MOST && line.len() < LONGEST => self.branches.push(branch.to_owned()),
            None if name == "HEAD" => self.head = Some(hash),
            _ => {}
        }
    }

    fn answer(self, branch: Option<&Branch>) -> Result<Remote, GitError> {
        let head = match branch {
            Some(branch) if self.wanted_head.is_none() && !self.branches.is_empty() => {
                return Err(GitError::BranchNotFound { branch: branch.clone(), have: self.branches });
            }
            Some(_) => self.wanted_head,
            None => self.head,
        };
        let head = head.ok_or(GitError::RepositoryEmpty)?;
        Ok(Remote { head, branches: self.branches, default_branch: self.default_branch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "ref: refs/heads/main\tHEAD
1111111111111111111111111111111111111111\tHEAD
2222222222222222222222222222222222222222\trefs/heads/dev
1111111111111111111111111111111111111111\trefs/heads/main
3333333333333333333333333333333333333333\trefs/strange/refs/heads/dev";

    fn read(list: &str, branch: Option<&str>) -> Result<Remote, GitError> {
        let branch: Option<Branch> = branch.map(|b| b.parse().unwrap());
        let mut seen = Seen { wanted: branch.as_ref().map(|b| format!("refs/heads/{b}")), ..Seen::default() };
        list.lines().for_each(|line| seen.line(line));
        seen.answer(branch.as_ref())
    }

    #[test]
    fn the_hosts_list_is_read() {
        let plain = read(LIST, None).unwrap();
        assert_eq!((plain.head.short(), plain.default_branch.as_deref()), ("1111111", Some("main")));
        assert_eq!(plain.branches, ["dev", "main"]);
        assert_eq!(read(LIST, Some("dev")).unwrap().head.short(), "2222222");
        assert_eq!(read(LIST, Some("x")).unwrap_err().code(), "branch_not_found");
        assert_eq!(read("", None).unwrap_err(), GitError::RepositoryEmpty);
        assert_eq!(read("", Some("x")).unwrap_err(), GitError::RepositoryEmpty);
    }

    #[test]
    fn a_list_without_end_is_kept_short() {
        let mut long: String = (0..5000).map(|n| format!("{n:040x}\trefs/heads/b{n}\n")).collect();
        long += &format!("{}\trefs/heads/zz\n", "a".repeat(40));
        let read = read(&long, Some("zz")).unwrap();
        assert_eq!((read.branches.len(), read.head.short()), (MOST, "aaaaaaa"));
    }
}
