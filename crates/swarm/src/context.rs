//! The directory that a build is given: which of its files go along, and how they are packed.
//!
//! The tree comes from strangers. Links go along as links and are never followed, special files stay behind, and the whole is
//! bounded before a byte of it is sent. `.dockerignore` means what it means to Docker: the last pattern that matches decides,
//! a pattern for a directory is one for all that is in it, `!` takes things back.
use super::Bytes;
use globset::{GlobBuilder, GlobMatcher};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

/// What goes along, parents before children, in an order that is always the same.
#[derive(Debug)]
pub struct Context {
    root: PathBuf,
    entries: Vec<PathBuf>,
}

/// Why there is no context.
#[derive(Debug)]
pub enum Unfit {
    /// It is larger than the limit.
    TooLarge,
    /// The Dockerfile is not there, is no file, or lies outside.
    NoDockerfile,
    /// `.dockerignore` has a pattern that can't be understood, or the directory can't be read.
    Broken(String),
}

impl From<io::Error> for Unfit {
    fn from(why: io::Error) -> Self {
        Unfit::Broken(format!("reading the build context: {why}"))
    }
}

/// What every entry costs beside its content.
const HEADER: u64 = 512;
/// The largest `.dockerignore` that is read.
const IGNORE_LIMIT: u64 = 1024 * 1024;

impl Context {
    /// Looks through a directory. Blocks.
    pub fn gather(root: &Path, dockerfile: &str, limit: Bytes) -> Result<Context, Unfit> {
        find_dockerfile(root, dockerfile)?;
        let ignored = Ignore::read(root)?;
        // The engine needs both in any case, and takes them out of what `COPY` sees where they are ignored.
        let always = [clean(dockerfile), ".dockerignore".into()];
        let mut context = Context { root: root.to_path_buf(), entries: vec![] };
        let mut size = 0;
        context.walk(Path::new(""), &ignored, &always, &mut size, limit.0)?;
        Ok(context)
    }

    fn walk(&mut self, dir: &Path, ignored: &Ignore, always: &[String], size: &mut u64, limit: u64) -> Result<(), Unfit> {
        let mut inside: Vec<_> = fs::read_dir(self.root.join(dir))?.collect::<io::Result<_>>()?;
        inside.sort_by_key(|e| e.file_name());
        for entry in inside {
            let path = dir.join(entry.file_name());
            let kind = entry.file_type()?;
            let stays = ignored.matches(&path) && !always.iter().any(|a| Path::new(a) == path);
            if !stays && (kind.is_file() || kind.is_dir() || kind.is_symlink()) {
                *size += HEADER + if kind.is_file() { entry.metadata()?.len() } else { 0 };
                if *size > limit {
                    return Err(Unfit::TooLarge);
                }
                self.entries.push(path.clone());
            }
            let leads_to_one = || always.iter().any(|a| Path::new(a).starts_with(&path));
            if kind.is_dir() && (!stays || ignored.has_exceptions || leads_to_one()) {
                self.walk(&path, ignored, always, size, limit)?;
            }
        }
        Ok(())
    }

    /// The paths that go along, relative to the directory.
    pub fn entries(&self) -> &[PathBuf] {
        &self.entries
    }

    /// Writes it as a tar archive. Blocks.
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
            // A file that grows meanwhile must not spoil the archive, one that shrinks is filled up.
            archive.append_data(&mut header, path, io::Read::take(io::Read::chain(file, io::repeat(0)), size))
        }
    }
}

/// The Dockerfile has to be a file within the directory, links followed.
fn find_dockerfile(root: &Path, dockerfile: &str) -> Result<(), Unfit> {
    let root = root.canonicalize()?;
    let there = root.join(clean(dockerfile)).canonicalize().map_err(|_| Unfit::NoDockerfile)?;
    if there.starts_with(&root) && there.is_file() { Ok(()) } else { Err(Unfit::NoDockerfile) }
}

/// A relative path in its shortest form: no `.`, no leading or trailing slash, `..` taken back where it can be.
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

/// `.dockerignore`.
#[derive(Debug, Default)]
struct Ignore {
    patterns: Vec<(GlobMatcher, bool)>,
    has_exceptions: bool,
}

impl Ignore {
    fn read(root: &Path) -> Result<Ignore, Unfit> {
        let file = root.join(".dockerignore");
        match fs::symlink_metadata(&file) {
            Ok(meta) if meta.is_file() && meta.len() <= IGNORE_LIMIT => Ignore::parse(&String::from_utf8_lossy(&fs::read(file)?)),
            _ => Ok(Ignore::default()),
        }
    }

    fn parse(text: &str) -> Result<Ignore, Unfit> {
        let mut ignore = Ignore::default();
        for line in text.trim_start_matches('\u{feff}').lines().filter(|l| !l.starts_with('#')) {
            let line = line.trim();
            let (pattern, excepted) = line.strip_prefix('!').map_or((line, false), |rest| (rest.trim(), true));
            let pattern = clean(pattern);
            if pattern.is_empty() {
                continue;
            }
            let glob = GlobBuilder::new(&as_glob(&pattern)).literal_separator(true).backslash_escape(true).build();
            let glob = glob.map_err(|why| Unfit::Broken(format!(".dockerignore: {why}")))?;
            ignore.patterns.push((glob.compile_matcher(), excepted));
            ignore.has_exceptions |= excepted;
        }
        Ok(ignore)
    }

    /// Whether a path stays behind.
    fn matches(&self, path: &Path) -> bool {
        let mut stays = false;
        for (glob, excepted) in &self.patterns {
            if stays == *excepted && path.ancestors().filter(|p| !p.as_os_str().is_empty()).any(|p| glob.is_match(p)) {
                stays = !excepted;
            }
        }
        stays
    }
}

/// Docker's patterns know no `{a,b}`.
fn as_glob(pattern: &str) -> String {
    pattern.replace('{', "\\{").replace('}', "\\}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn ignored(rules: &str, path: &str) -> bool {
        Ignore::parse(rules).unwrap().matches(Path::new(path))
    }

    #[test]
    fn dockerignore_means_what_it_means_to_docker() {
        for (rules, path, stays) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/deep/README.md", true),
            ("**/*.md", "README.md", true),
            ("docs", "docs/a/b", true),
            ("/docs/", "docs/a", true),
            ("*/temp*", "a/temporary.txt", true),
            ("*/temp*", "a/b/temporary.txt", false),
            ("temp?", "tempa", true),
            ("docs\n!docs/keep.md", "docs/keep.md", false),
            ("docs\n!docs/keep.md", "docs/other.md", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
            ("# a comment\n\n  spaced  ", "spaced", true),
            ("*\n!src", "src/main.rs", false),
            ("*\n!src", "Cargo.toml", true),
            ("a{b,c}", "ab", false),
            ("a{b,c}", "a{b,c}", true),
            ("[a-c].txt", "b.txt", true),
            ("[^a].txt", "a.txt", false),
            ("**", "anything/at/all", true),
            ("foo/**", "foo/x/y", true),
            ("./x/../y", "y", true),
        ] {
            assert_eq!(ignored(rules, path), stays, "{rules:?} on {path}");
        }
    }

    #[test]
    fn links_go_along_as_links_and_nothing_from_outside() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        fs::write(dir.path().join("Dockerfile"), "FROM scratch").unwrap();
        symlink(outside.path(), dir.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), dir.path().join("file")).unwrap();
        let context = Context::gather(dir.path(), "Dockerfile", Bytes::mib(1)).unwrap();
        let mut packed = vec![];
        context.pack(&mut packed).unwrap();
        assert!(!packed.windows(6).any(|w| w == b"secret") || context.entries().len() == 3);
        let mut archive = tar::Archive::new(&packed[..]);
        let kinds: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| (e.path().unwrap().display().to_string(), e.header().entry_type()))
            .collect();
        use tar::EntryType::{Regular, Symlink};
        assert_eq!(kinds, [("Dockerfile".to_string(), Regular), ("file".to_string(), Symlink), ("out".to_string(), Symlink)]);
    }

    #[test]
    fn a_context_is_bounded_and_needs_its_dockerfile() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Context::gather(dir.path(), "Dockerfile", Bytes::mib(1)), Err(Unfit::NoDockerfile)));
        symlink("/etc/passwd", dir.path().join("Dockerfile")).unwrap();
        assert!(matches!(Context::gather(dir.path(), "Dockerfile", Bytes::mib(1)), Err(Unfit::NoDockerfile)));
        fs::remove_file(dir.path().join("Dockerfile")).unwrap();
        fs::create_dir(dir.path().join("docker")).unwrap();
        fs::write(dir.path().join("docker/Dockerfile"), "FROM scratch").unwrap();
        fs::write(dir.path().join("big"), vec![0; 4096]).unwrap();
        fs::write(dir.path().join(".dockerignore"), "docker").unwrap();
        assert!(matches!(Context::gather(dir.path(), "docker/Dockerfile", Bytes(4096)), Err(Unfit::TooLarge)));
        let context = Context::gather(dir.path(), "docker/Dockerfile", Bytes::mib(1)).unwrap();
        let names: Vec<_> = context.entries().iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(names, [".dockerignore", "big", "docker/Dockerfile"]);
    }
}
