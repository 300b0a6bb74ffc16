//! The document of the API is committed as `docs/openapi.json`, so that a change of what customers' scripts rely on is seen in review.
//! `make openapi` writes it.
use crate::support::panel::TestPanel;
use serde_json::Value;
use std::{collections::BTreeMap, env, fs, path::Path};

/// With the members of every object in the order of their names, whatever order the code declares them in.
fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, Value> = members.iter().map(|(name, member)| (name, in_order(member))).collect();
            Value::Object(sorted.into_iter().map(|(name, member)| (name.clone(), member)).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(in_order).collect()),
        leaf => leaf.clone(),
    }
}

/// Every leaf of the document by the way that leads to it.
fn leaves(way: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(name, member)| leaves(&format!("{way} › {name}"), member, into))
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(at, item)| leaves(&format!("{way} › {at}"), item, into));
        }
        leaf => {
            into.insert(way.to_string(), leaf.to_string());
        }
    }
}

/// What is different, a line for each leaf: `+` is said by the code alone, `-` by the committed document alone.
fn difference(committed: &Value, said: &Value) -> Vec<String> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves("", committed, &mut old);
    leaves("", said, &mut new);
    let gone = old.iter().filter(|(way, leaf)| new.get(*way) != Some(*leaf)).map(|(way, leaf)| format!("-{way}: {leaf}"));
    let come = new.iter().filter(|(way, leaf)| old.get(*way) != Some(*leaf)).map(|(way, leaf)| format!("+{way}: {leaf}"));
    let mut lines: Vec<String> = gone.chain(come).collect();
    lines.sort_by(|one, other| one[1..].cmp(&other[1..]));
    lines
}

#[tokio::test]
async fn a_reviewer_sees_what_changes_in_the_api() {
    let panel = TestPanel::start().await;
    let said = in_order(panel.stranger().get("/api/openapi.json").await.json());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if env::var_os("SKY_WRITE_OPENAPI").is_some() {
        let text = serde_json::to_string_pretty(&said).expect("a document is JSON");
        fs::write(&path, text + "\n").expect("docs/ can be written to");
    }
    let committed = fs::read_to_string(&path).expect("docs/openapi.json is there; `make openapi` writes it");
    let committed: Value = serde_json::from_str(&committed).expect("docs/openapi.json is JSON");
    let lines = difference(&committed, &said);
    let shown = lines.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(lines.is_empty(), "docs/openapi.json is not what the code says ({} places); `make openapi` writes it:\n{shown}", lines.len());
}

#[test]
fn a_difference_names_the_place() {
    let (committed, said) = (
        serde_json::json!({ "paths": { "/a": { "get": 1 }, "/b": [] } }),
        serde_json::json!({ "paths": { "/a": { "get": 2 }, "/b": [] } }),
    );
    assert_eq!(difference(&committed, &said), ["- › paths › /a › get: 1", "+ › paths › /a › get: 2"]);
    assert!(difference(&said, &said).is_empty());
}
