//! The edge stands by itself: it builds and is tested without the panel.
use std::process::Command;

#[test]
fn the_edge_builds_without_the_web_framework_and_the_database() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "skypanel-edge", "--edges", "normal,build,dev", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8_lossy(&tree.stdout);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"pingora-core"), "the list is the edge's");
    for name in ["skypanel", "leptos", "sea-orm", "sea-query", "migration"] {
        assert!(!names.contains(&name), "{name} is not to be needed here");
    }
}
