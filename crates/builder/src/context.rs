//! The context: what of a source goes to the build. The source is a stranger's: links go along as links and are never followed, special
//! files stay behind, and the whole is bounded before a byte of it is sent.
use crate::{
    ignore::{Above, Ignore},
    seam::BuildFailure,
};
use base::units::Bytes;
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    time::{Duration, Instant},
};

/// What every entry costs beside its content.
const HEADER: u64 = 512;
/// The largest Dockerfile and `.dockerignore` that are read.
const LONGEST: u64 = 1 << 20;
/// Where Dockerfiles are looked for, for the sentence, and how many are named.
const SEARCHED: usize = 2000;
const NAMED: usize = 3;
/// A stranger's patterns and files may take this long together.
const LOOKED_WITHIN: Duration = Duration::from_secs(60);

/// What goes along, folders before what is in them, in an order that is always the same.
#[derive(Debug)]
pub struct Context {
    root: PathBuf,
    entries: Vec<PathBuf>,
    /// The Dockerfile's text.
    pub dockerfile: String,
    /// Its path within the source, in its shortest form.
    pub path: String,
}

fn broken(why: io::Error) -> BuildFailure {
    BuildFailure::Context(why.to_string())
}

/// A file's text, where it is a file and not too long. Links are not followed.
fn read(path: &Path) -> Result<Option<String>, BuildFailure> {
    let file = match fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(_) => return Ok(None),
    };
    let meta = file.metadata().map_err(broken)?;
    if !meta.is_file() {
        return Ok(None);
    }
    if meta.len() > LONGEST {
        return Err(BuildFailure::Context(format!("{} is larger than 1 MiB", path.file_name().unwrap_or_default().display())));
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, LONGEST), &mut bytes).map_err(broken)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

impl Context {
    /// Looks through a source. Blocks.
    pub fn gather(root: &Path, dockerfile: &str, most: Bytes) -> Result<Context, BuildFailure> {
        let path = clean(dockerfile);
        let missing = || BuildFailure::NoDockerfile { wanted: dockerfile.to_string(), found: dockerfiles(root) };
        let real = root.canonicalize().map_err(broken)?;
        // A link within the source is the author's right; the file itself is judged by where it really is.
        let there = real.join(&path).canonicalize().map_err(|_| missing())?;
        if path.is_empty() || !there.starts_with(&real) || !there.is_file() {
            return Err(missing());
        }
        let text = read(&there)?.ok_or_else(missing)?;
        let own = read(&real.join(format!("{path}.dockerignore")))?;
        let rules = match own {
            Some(rules) => rules,
            None => read(&real.join(".dockerignore"))?.unwrap_or_default(),
        };
        let ignore = Ignore::parse(&rules).map_err(BuildFailure::Context)?;
        let within = there.strip_prefix(&real).map(Path::to_path_buf).unwrap_or_default();
        let mut context = Context { root: real, entries: vec![], dockerfile: text, path: path.clone() };
        let mut walk =
            Walk { ignore: &ignore, always: [PathBuf::from(path), within], size: 0, most: most.0, until: Instant::now() + LOOKED_WITHIN };
        context.walk(Path::new(""), None, &mut walk, &mut vec![])?;
        Ok(context)
    }

    /// `pending` are folders that are hidden themselves and go along only when something in them does.
    fn walk(&mut self, dir: &Path, above: Option<&Above>, walk: &mut Walk<'_>, pending: &mut Vec<PathBuf>) -> Result<(), BuildFailure> {
        let mut inside: Vec<_> = fs::read_dir(self.root.join(dir)).map_err(broken)?.collect::<io::Result<_>>().map_err(broken)?;
        inside.sort_by_key(|entry| entry.file_name());
        for entry in inside {
            if Instant::now() > walk.until {
                return Err(BuildFailure::Context("looking through it with .dockerignore takes too long".into()));
            }
            let path = dir.join(entry.file_name());
            let kind = entry.file_type().map_err(broken)?;
            let (hidden, info) = walk.ignore.hides(&path.to_string_lossy(), above);
            // The engine needs the Dockerfile in any case.
            let hidden = hidden && !walk.always.contains(&path);
            if kind.is_dir() {
                let leads = walk.always.iter().any(|always| always.starts_with(&path));
                if hidden && !leads && !walk.ignore.may_show_within(&path.to_string_lossy()) {
                    continue;
                }
                if hidden {
                    pending.push(path.clone());
                } else {
                    self.take(path.clone(), 0, walk, pending)?;
                }
                self.walk(&path, Some(&info), walk, pending)?;
                pending.retain(|folder| *folder != path);
            } else if !hidden && (kind.is_file() || kind.is_symlink()) {
                let size = if kind.is_file() { entry.metadata().map_err(broken)?.len() } else { 0 };
                self.take(path, size, walk, pending)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, path: PathBuf, size: u64, walk: &mut Walk<'_>, pending: &mut Vec<PathBuf>) -> Result<(), BuildFailure> {
        let folders = std::mem::take(pending);
        walk.size += (1 + folders.len() as u64) * HEADER + size;
        if walk.size > walk.most {
            return Err(BuildFailure::ContextTooLarge(Bytes(walk.most)));
        }
        self.entries.extend(folders);
        self.entries.push(path);
        Ok(())
    }

    /// The paths that go along.
    pub fn entries(&self) -> &[PathBuf] {
        &self.entries
    }

    /// Writes it as a tar archive. Blocks. Owners and times of day are left out: a build must not depend on when somebody cloned.
    pub fn pack(&self, into: impl io::Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(into);
        for path in &self.entries {
            self.append(&mut archive, path)?;
        }
        archive.into_inner()?.flush()
    }

    fn append(&self, archive: &mut tar::Builder<impl io::Write>, path: &Path) -> io::Result<()> {
        let full = self.root.join(path);
        let meta = fs::symlink_metadata(&full)?;
        let mut header = tar::Header::new_gnu();
        header.set_mode(meta.permissions().mode() & 0o7777);
        header.set_mtime(u64::try_from(meta.mtime()).unwrap_or_default());
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        if meta.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            archive.append_link(&mut header, path, fs::read_link(&full)?)
        } else if meta.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, path, io::empty())
        } else {
            let file = fs::OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(&full)?;
            let size = file.metadata()?.len();
            header.set_size(size);
            // A file that grows meanwhile must not spoil the archive; one that shrinks is filled up.
            archive.append_data(&mut header, path, io::Read::take(io::Read::chain(file, io::repeat(0)), size))
        }
    }
}

struct Walk<'a> {
    ignore: &'a Ignore,
    always: [PathBuf; 2],
    size: u64,
    most: u64,
    until: Instant,
}

/// A relative path in its shortest form: no `.`, no slash at either end, `..` taken back where it can be.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = vec![];
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => parts.extend(name.to_str()),
            Component::ParentDir => drop(parts.pop()),
            _ => {}
        }
    }
    parts.join("/")
}

/// Dockerfiles that a repository has somewhere, for who named another.
fn dockerfiles(root: &Path) -> Vec<String> {
    let (mut found, mut folders, mut seen) = (Vec::new(), vec![PathBuf::new()], 0);
    while let Some(dir) = folders.pop() {
        for entry in fs::read_dir(root.join(&dir)).into_iter().flatten().flatten() {
            seen += 1;
            let (path, kind) = (dir.join(entry.file_name()), entry.file_type());
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if seen > SEARCHED || name == ".git" || name == "node_modules" {
                continue;
            }
            if kind.as_ref().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if kind.is_ok_and(|kind| kind.is_file())
                && (name == "containerfile" || name.starts_with("dockerfile") || name.ends_with(".dockerfile"))
            {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found.truncate(NAMED);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn source(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    fn goes(dir: &tempfile::TempDir, dockerfile: &str) -> Vec<String> {
        let context = Context::gather(dir.path(), dockerfile, Bytes::mib(1)).unwrap();
        context.entries().iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn links_go_along_as_links_and_nothing_from_outside() {
        let outside = source(&[("secret", "s")]);
        let dir = source(&[("Dockerfile", "FROM scratch")]);
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), dir.path().join("file")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(goes(&dir, "Dockerfile"), ["Dockerfile", "file", "out"]);
        let mut archive = Vec::new();
        Context::gather(dir.path(), "Dockerfile", Bytes::mib(1)).unwrap().pack(&mut archive).unwrap();
        assert!(!String::from_utf8_lossy(&archive).contains("\0s\0"));
        let mut read = tar::Archive::new(&archive[..]);
        let kinds: Vec<_> = read.entries().unwrap().map(|e| e.unwrap().header().entry_type()).collect();
        assert_eq!(kinds, [tar::EntryType::Regular, tar::EntryType::Symlink, tar::EntryType::Symlink]);
    }

    #[test]
    fn a_dockerfile_that_leads_outside_is_none() {
        let outside = source(&[("Dockerfile", "FROM scratch")]);
        let dir = source(&[("deploy/Dockerfile.prod", ""), ("app.py", "")]);
        symlink(outside.path().join("Dockerfile"), dir.path().join("Dockerfile")).unwrap();
        for path in ["Dockerfile", "../Dockerfile", "nope", "", "deploy"] {
            let why = Context::gather(dir.path(), path, Bytes::mib(1)).unwrap_err();
            assert!(matches!(&why, BuildFailure::NoDockerfile { found, .. } if found == &["deploy/Dockerfile.prod"]), "{path}: {why}");
        }
    }

    #[test]
    fn what_is_ignored_stays_behind_but_the_dockerfile_does_not() {
        let dir = source(&[
            (".dockerignore", "*\n!src\n!docs/**/keep"),
            ("deploy/Dockerfile", "FROM scratch"),
            ("secret", ""),
            ("src/a", ""),
            ("docs/deep/keep", ""),
            ("docs/deep/other", ""),
            ("docs/else/other", ""),
        ]);
        assert_eq!(goes(&dir, "deploy/Dockerfile"), ["deploy", "deploy/Dockerfile", "docs", "docs/deep", "docs/deep/keep", "src", "src/a"]);
        fs::write(dir.path().join("deploy/Dockerfile.dockerignore"), "src").unwrap();
        assert!(!goes(&dir, "deploy/Dockerfile").contains(&"src/a".to_string()), "its own rules come first");
        fs::write(dir.path().join("deploy/Dockerfile.dockerignore"), "[a").unwrap();
        assert!(Context::gather(dir.path(), "deploy/Dockerfile", Bytes::mib(1)).unwrap_err().to_string().contains("[a"));
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_sent() {
        let dir = source(&[("Dockerfile", "FROM scratch"), ("big", &"x".repeat(2 << 20))]);
        let why = Context::gather(dir.path(), "Dockerfile", Bytes::mib(1)).unwrap_err();
        assert_eq!(why, BuildFailure::ContextTooLarge(Bytes::mib(1)));
        fs::write(dir.path().join("Dockerfile"), "x".repeat((1 << 20) + 1)).unwrap();
        assert!(matches!(Context::gather(dir.path(), "Dockerfile", Bytes::mib(9)), Err(BuildFailure::Context(_))));
    }
}
