//! The rules of the layout, held by reading `src/`. This list is the authoritative one; `docs/architecture.md` tells the why.
//!
//! 1. *Grounds* (the crates of `crates/`, and `kit`, `fault`, `feature`, `store`, `runtime`, `auth`, `web`, `outbox`) import no feature; only
//!    the tables of `store` name the models whose words stand in their columns. *Roofs* (`site`, `features`, `router`, `serve`, `main`)
//!    import anything, and nothing imports them.
//! 2. A `model` imports `error`, `id`, `units`, `rights`, the models of `git`, and models. It compiles for wasm.
//! 3. A `ui` never says `server`.
//! 4. `fns` and `api` are doors: they name neither the database nor Docker.
//! 5. Only `service` and `task`, files or folders, open a transaction. Others write with the transaction that they are handed.
//! 6. Features have an order, that of `src/features.rs`, and lower never imports higher.
//! 7. `cfg(feature` stands only in `lib.rs` and a module's `mod.rs`; `sea_orm` only in a feature's
//!    `server/` and in the grounds that stand on the database.
//! 8. `Leptos.toml`, which ships with the program, says what `Cargo.toml` says.
//! 9. Files import each other in no circle, but for the few of [`CIRCLES`]. Whoever reads one file of a circle has to read them all.
//! 10. A file has at most 700 lines. (Clippy keeps the length of functions, `unwrap` and what else a tool can: `Cargo.toml`, `clippy.toml`.)
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::disallowed_methods,
    reason = "a test may fail where it stands, tells a whole story, and runs what it waits for"
)]
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// From the lowest to the highest.
static FEATURES: LazyLock<Vec<&str>> = LazyLock::new(|| skypanel::features::FEATURES.iter().map(|feature| feature.name).collect());
const GROUNDS: [&str; 16] = [
    "error", "id", "units", "rights", "git", "kit", "swarm", "edge", "agent", "fault", "feature", "store", "runtime", "auth", "web",
    "outbox",
];
/// The grounds that stand on the database.
const STORES: [&str; 5] = ["store", "runtime", "auth", "web", "outbox"];
const ROOFS: [&str; 6] = ["lib", "main", "site", "features", "router", "serve"];
const LONGEST: usize = 700;
/// The largest circle of imports that may be, in files.
const LARGEST_CIRCLE: usize = 3;
/// The circles that there are: each names its files, and why they are one thing in several files.
const CIRCLES: [(&[&str], &str); 3] = [
    (&["runtime/panel", "runtime/swarms"], "the panel holds its swarms, which are opened by what the panel knows"),
    (&["metrics/ui/access", "metrics/ui/live"], "a list of requests and the same list alive"),
    (
        &["accounts/server/service/password", "accounts/server/service/profile"],
        "a new address asks for the password, a new password for the person",
    ),
];

/// A source file.
struct File {
    /// Its place under `src/`, without `.rs` and `/mod`.
    place: String,
    /// As it is.
    text: String,
    /// Without comments, the contents of strings, and test modules.
    code: String,
    is_mod: bool,
    is_test: bool,
}

impl File {
    /// The first part of its place: the ground, feature or roof.
    fn home(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    fn has(&self, part: &str) -> bool {
        self.place.split('/').skip(1).any(|it| it == part)
    }

    /// Paths that start at the crate's root, without `crate::`: those of `use` statements spread out, and those in between.
    fn imports(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (start, word) in [("use ", ""), ("crate::", "crate::"), ("super::", "super::")] {
            for (at, _) in self.code.match_indices(start) {
                let before = self.code[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let rest = &self.code[at + start.len()..];
                let tree: String = match word {
                    "" => rest.split(';').next().unwrap_or_default().split_whitespace().collect(),
                    word => {
                        format!("{word}{}", rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap_or_default())
                    }
                };
                spread("", &tree, &mut found);
            }
        }
        found.into_iter().filter_map(|path| self.rooted(&path)).collect()
    }

    fn rooted(&self, path: &str) -> Option<String> {
        if let Some(rest) = path.strip_prefix("crate::") {
            return (!rest.is_empty()).then(|| rest.to_string());
        }
        let mut here: Vec<&str> = self.place.split('/').collect();
        let mut rest = path.strip_prefix("super::")?;
        here.pop();
        while let Some(further) = rest.strip_prefix("super::") {
            here.pop();
            rest = further;
        }
        Some(here.into_iter().chain([rest]).collect::<Vec<_>>().join("::"))
    }
}

/// Spreads `a::{b, c::d}` out into `a::b` and `a::c::d`.
fn spread(before: &str, tree: &str, into: &mut Vec<String>) {
    let Some(open) = tree.find('{') else {
        into.push(format!("{before}{}", tree.split(" as ").next().unwrap_or(tree)));
        return;
    };
    let (head, inner) = (&tree[..open], &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())]);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[from..at].is_empty() {
                    spread(&format!("{before}{head}"), &inner[from..at], into);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// Blanks out comments and the contents of strings.
fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").map_or(rest.len(), |end| end + 5)
        } else if let Some(string) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = string.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'\"'") || rest.starts_with("'{'") || rest.starts_with("'}'") {
            3
        } else if let Some(escaped) = rest.strip_prefix("'\\") {
            escaped.find('\'').map_or(2, |end| end + 3)
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push(' ');
        rest = &rest[skip..];
    }
    out
}

/// Takes out `#[cfg(test)] mod … { … }`.
fn without_tests(code: &str) -> String {
    let Some(start) = code.find("#[cfg(test)]\nmod ") else { return code.to_string() };
    let Some(open) = code[start..].find(['{', ';']).map(|at| start + at) else { return code.to_string() };
    let mut depth = 0;
    let end = code[open..].char_indices().find_map(|(at, c)| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        (depth == 0).then_some(open + at + 1)
    });
    format!("{}{}", &code[..start], without_tests(&code[end.unwrap_or(code.len())..]))
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let files: Vec<File> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let place = path.strip_prefix(&root).unwrap().with_extension("").display().to_string();
            let is_mod = place.ends_with("/mod");
            let is_test = place.split('/').any(|part| part == "tests");
            let place = place.strip_suffix("/mod").unwrap_or(&place).to_string();
            File { place, code: without_tests(&bare(&text)), text, is_mod, is_test }
        })
        .collect();
    assert!(files.len() > 100, "the source is there to be read");
    files
}

/// Fails with every place that breaks a rule.
fn none(broken: Vec<String>) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

fn first(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

#[test]
fn everything_has_its_place() {
    let known = |home: &str| GROUNDS.contains(&home) || FEATURES.contains(&home) || ROOFS.contains(&home);
    none(files().iter().filter(|file| !known(file.home())).map(|file| format!("{} is no ground, feature or roof", file.place)).collect());
}

#[test]
fn grounds_import_no_feature_and_nothing_imports_a_roof() {
    let mut broken = Vec::new();
    for file in files() {
        for path in file.imports() {
            let (home, to) = (file.home(), first(&path));
            let is_word = file.place.starts_with("store/") && path.split("::").nth(1) == Some("model");
            if GROUNDS.contains(&home) && FEATURES.contains(&to) && !is_word || !ROOFS.contains(&home) && ROOFS.contains(&to) {
                broken.push(format!("{} imports {path}", file.place));
            }
        }
    }
    none(broken);
}

#[test]
fn lower_features_never_import_higher_ones() {
    let rank = |name: &str| FEATURES.iter().position(|feature| *feature == name);
    let mut broken = Vec::new();
    for file in files() {
        for path in file.imports() {
            if let (Some(from), Some(to)) = (rank(file.home()), rank(first(&path)))
                && to > from
            {
                broken.push(format!("{} imports {path}", file.place));
            }
        }
    }
    none(broken);
}

#[test]
fn a_model_imports_models_only() {
    let fine = |path: &str| {
        let parts: Vec<&str> = path.split("::").collect();
        ["error", "id", "units", "rights"].contains(&parts[0])
            || parts[0] == "git" && parts.get(1) != Some(&"server")
            || FEATURES.contains(&parts[0]) && parts.get(1) == Some(&"model")
    };
    let mut broken = Vec::new();
    let files = files();
    let models: Vec<&File> = files.iter().filter(|file| FEATURES.contains(&file.home()) && file.has("model")).collect();
    assert!(models.len() > 3);
    for file in models {
        broken.extend(file.imports().iter().filter(|path| !fine(path)).map(|path| format!("{} imports {path}", file.place)));
    }
    none(broken);
}

#[test]
fn pages_know_no_server() {
    let words = |code: &str| code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "server");
    let files = files();
    let pages: Vec<&File> = files.iter().filter(|file| FEATURES.contains(&file.home()) && file.has("ui")).collect();
    assert!(!pages.is_empty());
    none(pages.iter().filter(|file| words(&file.code)).map(|file| format!("{} says server", file.place)).collect());
}

#[test]
fn doors_name_neither_the_database_nor_docker() {
    let files = files();
    let doors: Vec<&File> = files.iter().filter(|file| FEATURES.contains(&file.home()) && (file.has("fns") || file.has("api"))).collect();
    assert!(doors.len() > 5);
    let mut broken = Vec::new();
    for file in doors {
        for word in ["sea_orm", "bollard", "store::", ".db", "swarm::", ".swarms"] {
            if file.code.contains(word) {
                broken.push(format!("{} says {word}", file.place));
            }
        }
    }
    none(broken);
}

#[test]
fn only_services_and_tasks_open_transactions() {
    let may = |file: &File| file.has("server") && (file.has("service") || file.has("task"));
    let mut broken = Vec::new();
    for file in files().iter().filter(|file| FEATURES.contains(&file.home())) {
        if file.code.contains(".tx(") && !may(file) {
            broken.push(format!("{} opens a transaction", file.place));
        }
        for verb in
            [".exec(", ".exec_without_returning(", ".exec_with_returning(", ".update(", ".save("].into_iter().filter(|_| file.has("server"))
        {
            for (at, _) in file.code.match_indices(verb) {
                // A message authentication code is updated, too, and writes nothing.
                if file.code[..at].ends_with("mac") {
                    continue;
                }
                let to = file.code[at + verb.len()..].split(')').next().unwrap_or_default();
                if to != "tx" {
                    broken.push(format!("{} writes outside a transaction: {verb}{to})", file.place));
                }
            }
        }
    }
    none(broken);
}

#[test]
fn libraries_stay_in_their_places() {
    let mut broken = Vec::new();
    for file in files() {
        let home = file.home();
        if file.code.contains("cfg(feature") && !file.is_mod && file.place != "lib" {
            broken.push(format!("{} says cfg(feature", file.place));
        }
        let stores = STORES.contains(&home) || FEATURES.contains(&home) && file.has("server");
        if file.code.contains("sea_orm") && !stores {
            broken.push(format!("{} says sea_orm", file.place));
        }
    }
    none(broken);
}

#[test]
fn files_fit_a_sitting() {
    let length = |file: &File| file.text.lines().count();
    none(files().iter().filter(|file| length(file) > LONGEST).map(|file| format!("{} has {} lines", file.place, length(file))).collect());
}

#[test]
fn every_file_says_what_it_is() {
    none(
        files().iter().filter(|file| !file.text.starts_with("//!")).map(|file| format!("{} does not say what it is", file.place)).collect(),
    );
}

/// The `key = value` lines of the section that Leptos reads.
fn leptos(file: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let section = text.lines().skip_while(|line| *line != "[package.metadata.leptos]").skip(1);
    let lines = section.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split_once(" = ")).map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

#[test]
fn the_shipped_site_is_the_built_one() {
    let (built, shipped) = (leptos("Cargo.toml"), leptos("Leptos.toml"));
    for key in ["output-name", "site-root", "site-pkg-dir", "site-addr", "hash-files"] {
        assert!(built.contains_key(key), "{key} is not in Cargo.toml");
        assert_eq!(shipped.get(key), built.get(key), "{key}");
    }
    assert!(shipped.keys().all(|key| built.contains_key(key)), "Leptos.toml says more than Cargo.toml");
}

/// The files that each file imports. A path leads to the file that is the longest part of it.
fn arrows(files: &[File]) -> BTreeMap<&str, Vec<&str>> {
    let places: BTreeMap<&str, ()> = files.iter().filter(|file| !file.is_test).map(|file| (file.place.as_str(), ())).collect();
    let file_of = |path: &str| {
        let parts: Vec<&str> = path.split("::").collect();
        (1..=parts.len()).rev().find_map(|n| places.get_key_value(parts[..n].join("/").as_str()).map(|(place, ())| *place))
    };
    let to = |file: &File| {
        let mut to: Vec<&str> = file.imports().iter().filter_map(|path| file_of(path)).filter(|to| *to != file.place).collect();
        to.sort_unstable();
        to.dedup();
        to
    };
    files.iter().filter(|file| !file.is_test).map(|file| (file.place.as_str(), to(file))).collect()
}

/// Everything that can be reached from a file.
fn reached<'a>(arrows: &BTreeMap<&'a str, Vec<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let (mut seen, mut next) = (BTreeSet::new(), arrows.get(from).cloned().unwrap_or_default());
    while let Some(place) = next.pop() {
        if seen.insert(place) {
            next.extend(arrows.get(place).into_iter().flatten());
        }
    }
    seen
}

/// The circles: files that reach each other (strongly connected components), each in its order.
fn circles<'a>(arrows: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<Vec<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = arrows.keys().map(|place| (*place, reached(arrows, place))).collect();
    let in_circles: Vec<&str> = arrows.keys().copied().filter(|place| reached[place].contains(place)).collect();
    let mut circles: Vec<Vec<&str>> = in_circles
        .iter()
        .map(|place| in_circles.iter().copied().filter(|other| reached[place].contains(other) && reached[other].contains(place)).collect())
        .collect();
    circles.sort();
    circles.dedup();
    circles
}

#[test]
fn files_import_each_other_in_no_circle() {
    let files = files();
    let found = circles(&arrows(&files));
    let is_known = |circle: &[&str]| CIRCLES.iter().any(|(known, _)| circle.iter().all(|place| known.contains(place)));
    let mut broken: Vec<String> = Vec::new();
    for circle in &found {
        if circle.len() > LARGEST_CIRCLE || !is_known(circle) {
            broken.push(format!("these {} files import each other: {}", circle.len(), circle.join(", ")));
        }
    }
    for (known, _) in CIRCLES.iter().filter(|(known, _)| !found.iter().any(|circle| circle.iter().all(|place| known.contains(place)))) {
        broken.push(format!("{} are no circle any more: take them from the list", known.join(", ")));
    }
    none(broken);
}

#[test]
fn a_circle_is_found_however_long_it_is() {
    let arrows =
        BTreeMap::from([("a", vec!["b"]), ("b", vec!["c", "x"]), ("c", vec!["d"]), ("d", vec!["a"]), ("x", vec!["y"]), ("y", vec![])]);
    assert_eq!(circles(&arrows), [["a", "b", "c", "d"]]);
}

#[test]
fn the_reader_of_these_rules_can_read() {
    let file = |place: &str, text: &str| File {
        place: place.into(),
        code: without_tests(&bare(text)),
        text: text.into(),
        is_mod: false,
        is_test: false,
    };
    let service = file(
        "apps/server/service",
        "// crate::billing\nuse crate::{\n    clusters::server::{self, service as places},\n    id::AppId,\n};\nfn a() { let _ = \"crate::site\"; crate::deployments::x(); super::view::y(); }\n#[cfg(test)]\nmod tests { use crate::serve; }\n",
    );
    let mut imports = service.imports();
    imports.sort();
    imports.dedup();
    for path in ["clusters::server::self", "deployments::x", "id::AppId", "apps::server::view::y"] {
        assert!(imports.iter().any(|it| it.starts_with(path)), "{path} in {imports:?}");
    }
    assert!(!imports.iter().any(|it| ["billing", "site", "serve"].contains(&first(it))), "{imports:?}");
}
