//! The scanner: reads as much of a Dockerfile as good sentences need, before a box is woken. Directives, continuations, heredocs, flags,
//! `FROM` and `--from`, with their lines. Nothing relies on it: what it overlooks meets the box.
use crate::seam::{BuildFailure, Refusal};

/// An instruction, its flags and the rest, with the line that it begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    pub line: u32,
    /// In capitals.
    pub name: String,
    pub flags: Vec<String>,
    pub rest: String,
    pub heredoc: bool,
}

/// A Dockerfile, as far as it was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// The frontend that `# syntax=` names, and its line.
    pub syntax: Option<(u32, String)>,
    pub instructions: Vec<Instruction>,
}

/// Which frontends builds may name.
#[derive(Debug, Clone)]
pub struct Frontends(pub Vec<String>);

impl Default for Frontends {
    fn default() -> Self {
        Frontends(vec!["docker/dockerfile".into(), "docker/dockerfile-upstream".into()])
    }
}

impl Frontends {
    fn allow(&self, reference: &str) -> bool {
        let name = reference.split('@').next().unwrap_or_default();
        // A colon after the last slash is a tag's; one before it is a port's.
        let name = match name.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => name,
            _ => name,
        };
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        self.0.iter().any(|allowed| allowed == name)
    }
}

/// What a frontend must be new enough for: the words of the sentence, and the engine that brings it.
struct Newer {
    what: &'static str,
    from: &'static str,
}

impl Dockerfile {
    pub fn scan(text: &str) -> Dockerfile {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut file = Dockerfile::default();
        let (mut escape, mut directives) = ('\\', true);
        let mut lines = (1u32..).zip(text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line))).peekable();
        while let Some((number, line)) = lines.next() {
            let plain = line.trim();
            if directives {
                match directive(plain) {
                    Some((name, value)) if name == "syntax" => {
                        file.syntax = Some((number, value.split_whitespace().next().unwrap_or_default().to_string()));
                        continue;
                    }
                    Some((name, value)) if name == "escape" && value == "`" => {
                        escape = '`';
                        continue;
                    }
                    Some(_) => continue,
                    None => directives = plain.starts_with('#') && plain.contains('=') && !plain.contains(' '),
                }
            }
            if plain.is_empty() || plain.starts_with('#') {
                continue;
            }
            let mut whole = String::new();
            let mut part = plain.to_string();
            // Continued lines, between which comments and empty ones do not count.
            while let Some(open) = part.strip_suffix(escape) {
                whole.push_str(open);
                whole.push(' ');
                part = loop {
                    match lines.next() {
                        None => break String::new(),
                        Some((_, next)) if next.trim().is_empty() || next.trim_start().starts_with('#') => {}
                        Some((_, next)) => break next.trim_end().to_string(),
                    }
                };
            }
            whole.push_str(&part);
            let mut instruction = instruction(number, &whole);
            if let Some(ends) = heredocs(&instruction) {
                instruction.heredoc = true;
                for (end, tabs) in ends {
                    for (_, body) in lines.by_ref() {
                        if (if tabs { body.trim_start_matches('\t') } else { body }) == end {
                            break;
                        }
                    }
                }
            }
            file.instructions.push(instruction);
        }
        file
    }

    /// What is refused on purpose, with its line.
    pub fn refused(&self, frontends: &Frontends) -> Option<BuildFailure> {
        if let Some((line, name)) = &self.syntax
            && !frontends.allow(name)
        {
            return Some(BuildFailure::Refused { line: *line, what: Refusal::Frontend(name.clone()) });
        }
        let stages: Vec<String> = self.stages();
        self.instructions.iter().find_map(|of| {
            let refuse = |what| Some(BuildFailure::Refused { line: of.line, what });
            for flag in &of.flags {
                let mount = flag.strip_prefix("--mount=").unwrap_or_default();
                if mount.split(',').any(|field| field == "type=ssh") {
                    return refuse(Refusal::SshMount);
                }
                if flag == "--network=host" {
                    return refuse(Refusal::HostNetwork);
                }
                if flag == "--security=insecure" {
                    return refuse(Refusal::Insecure);
                }
                let from = flag.strip_prefix("--from=").or_else(|| mount.split(',').find_map(|field| field.strip_prefix("from=")));
                if let Some(image) = from.filter(|image| is_id(image) && !stages.iter().any(|stage| stage == image)) {
                    return refuse(Refusal::ImageById(image.to_string()));
                }
            }
            let image = of.rest.split_whitespace().next().filter(|_| of.name == "FROM")?;
            if is_id(image) && !stages.iter().any(|stage| stage == image) { refuse(Refusal::ImageById(image.to_string())) } else { None }
        })
    }

    /// What this engine's frontend does not know; nothing where the file brings its own.
    pub fn needs_newer(&self, engine: (u32, u32)) -> Option<BuildFailure> {
        if self.syntax.is_some() {
            return None;
        }
        self.instructions.iter().find_map(|of| {
            let newer = newer(of)?;
            let mut parts = newer.from.split('.').map(|n| n.parse().unwrap_or(0));
            let from = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
            (engine < from).then_some(BuildFailure::NeedsNewer { line: of.line, what: newer.what, from: newer.from })
        })
    }

    fn stages(&self) -> Vec<String> {
        let froms = self.instructions.iter().filter(|of| of.name == "FROM");
        let named = froms.filter_map(|of| {
            let words: Vec<&str> = of.rest.split_whitespace().collect();
            match words.as_slice() {
                [_, word, name] if word.eq_ignore_ascii_case("as") => Some(name.to_string()),
                _ => None,
            }
        });
        named.collect()
    }
}

fn newer(of: &Instruction) -> Option<Newer> {
    let has = |name: &str| of.flags.iter().any(|flag| flag == name || flag.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
    let copies = matches!(of.name.as_str(), "COPY" | "ADD");
    let newer = |what, from| Some(Newer { what, from });
    match of {
        _ if of.heredoc => newer("a heredoc (<<)", "23.0"),
        _ if copies && has("--link") => newer("--link", "23.0"),
        _ if of.name == "RUN" && has("--network") => newer("--network", "23.0"),
        _ if of.name == "RUN" && has("--security") => newer("--security", "23.0"),
        _ if of.name == "ADD" && has("--checksum") => newer("--checksum", "25.0"),
        _ if copies && has("--parents") => newer("--parents", "28.0"),
        _ if copies && has("--exclude") => newer("--exclude", "28.0"),
        _ => None,
    }
}

/// `# name=value`, which counts only before everything else.
fn directive(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix('#')?.split_once('=')?;
    let (name, value) = (name.trim().to_lowercase(), value.trim());
    (!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')).then(|| (name, value.to_string()))
}

fn instruction(line: u32, whole: &str) -> Instruction {
    let (name, rest) = whole.split_once(char::is_whitespace).unwrap_or((whole, ""));
    let mut of = Instruction { line, name: name.to_uppercase(), flags: vec![], rest: rest.trim().to_string(), heredoc: false };
    if of.name == "ONBUILD" {
        let inner = instruction(line, &of.rest);
        return Instruction { name: inner.name, flags: inner.flags, rest: inner.rest, ..of };
    }
    loop {
        let (word, rest) = of.rest.split_once(char::is_whitespace).unwrap_or((&of.rest, ""));
        if !word.starts_with("--") || word == "--" {
            return of;
        }
        of.flags.push(word.to_string());
        of.rest = rest.trim().to_string();
    }
}

/// The words that end an instruction's heredocs, and whether tabs before them do not count.
fn heredocs(of: &Instruction) -> Option<Vec<(String, bool)>> {
    if !matches!(of.name.as_str(), "RUN" | "COPY" | "ADD") {
        return None;
    }
    let mut ends = Vec::new();
    for (at, _) in of.rest.match_indices("<<") {
        let before = of.rest.get(..at).and_then(|head| head.chars().next_back());
        // `<<<` is a shell's own, and within a word or a sum it is a shift.
        if before.is_some_and(|c| c == '<' || !(c.is_whitespace() || c.is_ascii_digit())) {
            continue;
        }
        let rest = of.rest.get(at + 2..).unwrap_or_default();
        let (tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        let word: String = rest.trim_start_matches(['"', '\'']).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_') {
            ends.push((word, tabs));
        }
    }
    (!ends.is_empty()).then_some(ends)
}

/// Whether a reference is an image's id, whole or shortened, and no name: hexadecimal digits, with at least one of `0` to `9`.
fn is_id(reference: &str) -> bool {
    let hex = reference.strip_prefix("sha256:").unwrap_or(reference);
    let all = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (reference.starts_with("sha256:") && all && !hex.is_empty()) || (hex.len() == 64 && all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> Option<(u32, Refusal)> {
        match Dockerfile::scan(text).refused(&Frontends::default()) {
            Some(BuildFailure::Refused { line, what }) => Some((line, what)),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_refused_is_found_with_its_line() {
        for (text, found) in [
            ("FROM a\nRUN --mount=type=ssh,required git clone x", Some((2, Refusal::SshMount))),
            ("FROM a\nRUN --mount=type=cache,target=/x \\\n  --mount=type=ssh true", Some((2, Refusal::SshMount))),
            ("FROM a\nrun --network=host true", Some((2, Refusal::HostNetwork))),
            ("FROM a\nONBUILD RUN --security=insecure true", Some((2, Refusal::Insecure))),
            ("\u{feff}# syntax=evil.example:5000/x:1\r\nFROM a", Some((1, Refusal::Frontend("evil.example:5000/x:1".into())))),
            ("#syntax = docker/dockerfile:1.7-labs\nFROM a", None),
            ("# syntax=docker.io/docker/dockerfile:1@sha256:aa\nFROM a", None),
            ("FROM a\n# syntax=evil/x\nRUN true", None),
            ("FROM a\nCOPY --from=sha256:aa11 / /", Some((2, Refusal::ImageById("sha256:aa11".into())))),
            ("FROM a AS deadbeef\nFROM deadbeef\nCOPY --from=deadbeef / /", None),
            ("FROM a\nRUN echo --network=host", None),
            ("FROM a\nRUN cat <<EOT\n--mount\nRUN --network=host x\nEOT\nRUN true", None),
        ] {
            assert_eq!(refused(text), found, "{text:?}");
        }
    }

    #[test]
    fn what_needs_a_newer_engine_names_it() {
        let needs = |text: &str, engine| Dockerfile::scan(text).needs_newer(engine).map(|why| why.to_string());
        let old = needs("FROM a\n\nCOPY --link x y", (20, 10)).unwrap();
        assert!(old.contains("Line 3") && old.contains("--link") && old.contains("Docker 23.0"), "{old}");
        assert_eq!(needs("FROM a\nCOPY --link x y", (23, 0)), None);
        assert!(needs("FROM a\nRUN <<EOT\necho\nEOT", (20, 10)).is_some());
        assert_eq!(needs("# syntax=docker/dockerfile:1\nFROM a\nRUN <<EOT\necho\nEOT", (20, 10)), None, "it brings its own");
        assert_eq!(
            needs("FROM a\nRUN --mount=type=cache,target=/c true\nCOPY --chmod=700 a b\nRUN cat <<< x; echo $((1<<2))", (20, 10)),
            None
        );
        assert!(needs("FROM a\nADD --checksum=sha256:aa http://x /", (24, 0)).is_some_and(|why| why.contains("25.0")));
    }

    proptest! {
        #[test]
        fn no_text_is_fatal(text in "(?s)(FROM|RUN|COPY|#|<<|-|\\\\|\n|=|--from=|[a-z ]){0,80}") {
            let file = Dockerfile::scan(&text);
            let _ = (file.refused(&Frontends::default()), file.needs_newer((20, 10)));
        }
    }
}
