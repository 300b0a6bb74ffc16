//! `.dockerignore`, as Docker's newer builders understand it. BuildKit applies none to a context that comes as an archive, so this is the
//! only one that applies: too much left out is seen at once, too much sent along is not.
//!
//! The rules, in order, the last that matches deciding; a pattern for a folder is one for all that is in it; `!` takes back. `*` and `?`
//! match within a name, `**` across names, `[a-z]` one of a range, `\` takes the next character as it is.
use std::str::Chars;

/// Patterns of a file.
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    /// `!`: what matches goes along after all.
    exception: bool,
    text: String,
    matcher: Matcher,
}

/// How a pattern is compared. What has no wildcard but a `**` at an end is compared as text, as Docker does it; that differs from the
/// general rule: `**.env` is any path that *ends* in `.env`.
#[derive(Debug, Clone)]
enum Matcher {
    Exact(String),
    Prefix(String),
    Suffix(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    One(char),
    /// `?`: any character of a name.
    Any,
    /// `*`: any characters of a name.
    Star,
    /// `**` within a pattern: nothing, or whole folders.
    Folders,
    /// `**` at the end: everything.
    Rest,
    Range {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// What the folder of a path matched: a pattern that matches a folder matches all in it.
#[derive(Debug, Clone, Default)]
pub struct Above(Vec<bool>);

/// A file's longest line, and its patterns: each is asked for every path.
const LINE: usize = 64 << 10;
const PATTERNS: usize = 2000;

impl Ignore {
    /// Reads the file. The error names the pattern that can't be understood.
    pub fn parse(text: &str) -> Result<Ignore, String> {
        let mut patterns = Vec::new();
        for line in text.strip_prefix('\u{feff}').unwrap_or(text).split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.len() > LINE {
                return Err("a line of .dockerignore is longer than 64 KiB".into());
            }
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let (exception, rest) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let mut clean = if rest.is_empty() { String::new() } else { cleaned(rest) };
            if clean.len() > 1 && clean.starts_with('/') {
                clean.remove(0);
            }
            // With its `!`, the whole is cleaned once more, and `!/` is left as a bare `!`.
            if exception && (clean.is_empty() || clean == "/") {
                return Err("“!” alone is no pattern of .dockerignore".into());
            }
            if clean == "/" {
                // The root has no name that could match.
                continue;
            }
            if patterns.len() >= PATTERNS {
                return Err(format!(".dockerignore has more than {PATTERNS} patterns"));
            }
            let matcher = Matcher::of(&clean).ok_or_else(|| format!("“{line}” is no pattern of .dockerignore"))?;
            patterns.push(Pattern { exception, text: clean, matcher });
        }
        Ok(Ignore { patterns })
    }

    /// Whether a path (relative, `/` between names) stays behind; and what those in it need to know. `above` is its folder's, nothing for
    /// what lies at the top.
    pub fn hides(&self, path: &str, above: Option<&Above>) -> (bool, Above) {
        let mut hidden = false;
        let mut matched = vec![false; self.patterns.len()];
        for (i, pattern) in self.patterns.iter().enumerate() {
            let mut hit = above.is_some_and(|above| above.0.get(i).copied().unwrap_or(false));
            if !hit {
                // A pattern that would change nothing is not asked, and counts as not matched for what lies within, too.
                if pattern.exception != hidden {
                    continue;
                }
                hit = pattern.matcher.matches(path);
            }
            if let Some(slot) = matched.get_mut(i) {
                *slot = hit;
            }
            if hit {
                hidden = !pattern.exception;
            }
        }
        (hidden, Above(matched))
    }

    /// Whether something within a hidden folder may go along after all, so that the folder has to be looked through.
    pub fn may_show_within(&self, folder: &str) -> bool {
        let exceptions: Vec<&Pattern> = self.patterns.iter().filter(|pattern| pattern.exception).collect();
        let wild = exceptions.iter().any(|pattern| matches!(pattern.matcher, Matcher::Suffix(_) | Matcher::Parts(_)));
        let inside = format!("{folder}/");
        wild || exceptions
            .iter()
            .any(|pattern| format!("{}/", pattern.text.trim_end_matches("**").trim_end_matches('/')).starts_with(&inside))
    }
}

/// A path in its shortest form, as Go's `path.Clean` has it.
fn cleaned(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => drop(parts.pop()),
                _ if rooted => {}
                _ => parts.push(".."),
            },
            name => parts.push(name),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

impl Matcher {
    fn of(pattern: &str) -> Option<Matcher> {
        let parts = parts(pattern)?;
        let plain =
            |parts: &[Part]| parts.iter().map(|part| if let Part::One(c) = part { Some(*c) } else { None }).collect::<Option<String>>();
        // An escaped character makes a pattern general; the text of those that are not is the pattern itself.
        if pattern.contains('\\') {
            return Some(Matcher::Parts(parts));
        }
        let stars = pattern.matches('*').count();
        if let Some(text) = plain(&parts) {
            return Some(Matcher::Exact(text));
        }
        if stars == 2 {
            if let Some(rest) = pattern.strip_prefix("**")
                && plain(&self::parts(rest)?).is_some()
            {
                return Some(Matcher::Suffix(rest.to_string()));
            }
            if let Some(rest) = pattern.strip_suffix("**")
                && plain(&self::parts(rest)?).is_some()
            {
                return Some(Matcher::Prefix(rest.to_string()));
            }
        }
        Some(Matcher::Parts(parts))
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Matcher::Exact(text) => path == text,
            Matcher::Prefix(text) => path.starts_with(text.as_str()),
            Matcher::Suffix(text) => path.ends_with(text.as_str()) || text.strip_prefix('/').is_some_and(|rest| path == rest),
            Matcher::Parts(parts) => whole(parts, &path.chars().collect::<Vec<_>>()),
        }
    }
}

/// The parts of a pattern; nothing where it is none.
fn parts(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' if rest.as_str().starts_with('*') => {
                rest.next();
                if rest.as_str().starts_with('/') {
                    rest.next();
                }
                if rest.as_str().is_empty() { Part::Rest } else { Part::Folders }
            }
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::One(rest.next()?),
            '[' => range(&mut rest)?,
            c => Part::One(c),
        });
    }
    Some(parts)
}

fn range(rest: &mut Chars<'_>) -> Option<Part> {
    let negated = rest.as_str().starts_with('^');
    if negated {
        rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        if rest.as_str().starts_with(']') && !ranges.is_empty() {
            rest.next();
            return Some(Part::Range { negated, ranges });
        }
        let low = end_of_range(rest)?;
        let high = if rest.as_str().starts_with('-') {
            rest.next();
            end_of_range(rest)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn end_of_range(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        '-' | ']' => None,
        '\\' => rest.next(),
        c => Some(c),
    }
}

/// Whether the parts match the whole path. By a table, so that no pattern of a stranger takes more than their product.
fn whole(parts: &[Part], path: &[char]) -> bool {
    // reached[j]: the parts so far match the first j characters.
    let mut reached = vec![false; path.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for part in parts {
        let mut next = vec![false; path.len() + 1];
        let at = |of: &[bool], j: usize| of.get(j).copied().unwrap_or(false);
        // Whether any place up to here was reached, for parts that take whole folders.
        let mut any = false;
        for j in 0..=path.len() {
            any |= at(&reached, j);
            let before = j.checked_sub(1).and_then(|i| path.get(i));
            let from_before = j > 0 && at(&reached, j - 1);
            let hit = match (part, before) {
                (Part::One(c), Some(b)) => from_before && b == c,
                (Part::Any, Some(b)) => from_before && *b != '/',
                (Part::Range { negated, ranges }, Some(b)) => {
                    from_before && ranges.iter().any(|(low, high)| low <= b && b <= high) != *negated
                }
                (Part::Star, b) => at(&reached, j) || (j > 0 && at(&next, j - 1) && b.is_some_and(|b| *b != '/')),
                (Part::Folders, b) => at(&reached, j) || (b == Some(&'/') && any_before(&reached, j)),
                (Part::Rest, _) => any,
                (_, None) => false,
            };
            if let Some(slot) = next.get_mut(j) {
                *slot = hit;
            }
        }
        // Most paths differ from most patterns at their first character.
        if next.iter().all(|at| !at) {
            return false;
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

fn any_before(reached: &[bool], j: usize) -> bool {
    reached.iter().take(j).any(|at| *at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether a path stays behind, asked as a walk asks: folder by folder.
    fn hides(rules: &str, path: &str) -> bool {
        let ignore = Ignore::parse(rules).unwrap();
        let mut above: Option<Above> = None;
        let mut hidden = false;
        let mut at = String::new();
        for name in path.split('/') {
            if !at.is_empty() {
                at.push('/');
            }
            at.push_str(name);
            let (now, info) = ignore.hides(&at, above.as_ref());
            (hidden, above) = (now, Some(info));
        }
        hidden
    }

    #[test]
    fn the_grammar_is_docker_s() {
        for (rules, path, hidden) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/deep/README.md", true),
            ("**/*.md", "README.md", true),
            ("**/foo", "foo", true),
            ("**/foo", "a/b/foo/c", true),
            ("**/foo", "xfoo", false),
            ("**foo", "xfoo", true),
            ("**.env", "a/prod.env", true),
            ("**.env", ".env", true),
            ("docs", "docs/a/b", true),
            ("/docs/", "docs/a", true),
            ("/docs", "a/docs", false),
            ("*/temp*", "a/temporary.txt", true),
            ("*/temp*", "a/b/temporary.txt", false),
            ("temp?", "tempa", true),
            ("temp?", "temp", false),
            ("docs\n!docs/keep.md", "docs/keep.md", false),
            ("docs\n!docs/keep.md", "docs/other.md", true),
            ("docs\n!**/keep.md", "docs/deep/keep.md", false),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
            ("# a comment\n\n  spaced  ", "spaced", true),
            (" # no comment", "# no comment", true),
            ("*\n!src", "src/main.rs", false),
            ("*\n!src", "Cargo.toml", true),
            ("a{b,c}", "ab", false),
            ("a{b,c}", "a{b,c}", true),
            ("a.c", "abc", false),
            ("[a-c].txt", "b.txt", true),
            ("[^a].txt", "a.txt", false),
            ("[^a].txt", "b.txt", true),
            ("a[*]b", "a*b", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("**", "anything/at/all", true),
            ("**\n!keep", "keep", false),
            ("foo/**", "foo/x/y", true),
            ("foo/**", "foobar", false),
            ("foo/**/bar", "foo/bar", true),
            ("foo/**/bar", "foo/a/b/bar", true),
            ("foo/**/bar", "foo/abar", false),
            ("./x/../y", "y", true),
            ("\u{feff}secret", "secret", true),
            ("secret\r\nother", "secret", true),
            ("! keep\n*\n!  keep  ", "keep", false),
            ("node_modules", "node_modules/a/b.js", true),
            ("node_modules", "src/node_modules", false),
            (".git", ".github/x", false),
            ("ä?", "äö", true),
            ("/", "a", false),
            (".", "a", false),
            ("..", "a", false),
            ("../x", "x", false),
        ] {
            assert_eq!(hides(rules, path), hidden, "{rules:?} on {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        for rules in ["[a", "a\\", "[]a]", "[-a]", "!", "! ", "!/", "[a-"] {
            assert!(Ignore::parse(rules).is_err(), "{rules:?}");
        }
        assert!(Ignore::parse(&"x".repeat(70_000)).is_err());
    }

    #[test]
    fn a_hidden_folder_is_looked_through_only_where_something_in_it_may_show() {
        let ignore = |rules: &str| Ignore::parse(rules).unwrap();
        assert!(ignore("a\n!a/b/c").may_show_within("a/b"));
        assert!(!ignore("a\n!a/b/c").may_show_within("a/x"));
        assert!(ignore("a\n!**/keep").may_show_within("a/x"));
        assert!(!ignore("a").may_show_within("a"));
        assert!(ignore("a\n!a/b/**").may_show_within("a/b"));
    }

    proptest! {
        #[test]
        fn no_pattern_is_fatal_or_slow(rules in "[a-c/*?!.\\[\\]\\\\ ^-]{0,60}", path in "[a-c/.]{1,60}") {
            if let Ok(ignore) = Ignore::parse(&rules) {
                let began = std::time::Instant::now();
                ignore.hides(&path, None);
                prop_assert!(began.elapsed().as_secs() < 2);
            }
        }

        #[test]
        fn skipping_what_can_not_show_changes_nothing(rules in prop::collection::vec("!?(\\*\\*/)?[ab*]{1,2}(/[ab*]{1,2})?(/\\*\\*)?", 1..5)) {
            let Ok(ignore) = Ignore::parse(&rules.join("\n")) else { return Ok(()) };
            for path in ["a/b", "b/a", "a/a", "a/b/a", "b/b/b", "a/bb/a"] {
                let mut above = None;
                let mut at = String::new();
                let mut skipped = false;
                for name in path.split('/') {
                    if !at.is_empty() { at.push('/'); }
                    at.push_str(name);
                    let (hidden, info) = ignore.hides(&at, above.as_ref());
                    prop_assert!(!skipped || hidden, "{path} of {rules:?} was skipped at a folder of it");
                    skipped |= hidden && !ignore.may_show_within(&at);
                    above = Some(info);
                }
            }
        }
    }
}
