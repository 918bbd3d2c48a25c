//! Arrows point downwards only: between crates by what each may depend on, within one by what its modules name.
#![allow(clippy::unwrap_used)]

mod arrows;

use arrows::{Arrows, Crate, circle};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

/// The crates that are shipped, from the ground up, and which of the others each may depend on.
const CRATES: [(&str, &str, &[&str]); 5] = [
    ("protocol", "crates/protocol/src", &[]),
    ("client", "crates/client/src", &["protocol"]),
    ("app", "app/src", &["client", "protocol"]),
    ("frontend", "frontend/src", &["app"]),
    ("hubbub", "src", &["app"]),
];

/// The server's modules from the ground up: each may name those before it.
const FLOORS: [&str; 20] = [
    "digest",
    "http_get",
    "telemetry",
    "address",
    "authority",
    "store",
    "metrics",
    "engine",
    "config",
    "healthcheck",
    "audit",
    "hub",
    "limits",
    "chat",
    "connection",
    "socket",
    "http",
    "start",
    "notice",
    "doctor",
];

fn against(order: &[&str], arrows: &Arrows) -> Vec<String> {
    let floor = |module: &str| order.iter().position(|other| *other == module);
    let is_up = |(from, to): &(String, String)| match (floor(from), floor(to)) {
        (Some(from), Some(to)) => from < to,
        _ => false,
    };
    arrows.iter().filter(|(arrow, _)| is_up(arrow)).map(|((from, to), why)| format!("{from} -> {to}: {why}")).collect()
}

#[test]
fn no_two_folders_form_a_circle() {
    for (name, folder, _) in CRATES {
        let arrows = Crate::read(Path::new(folder)).arrows();
        assert_eq!(circle(&arrows), None, "in {name}: {arrows:#?}");
    }
}

#[test]
fn the_server_is_built_in_floors() {
    let server = Crate::read(Path::new("src"));
    assert_eq!(server.floors(), BTreeSet::from(FLOORS), "a floor for each module, and none without one");
    assert_eq!(against(&FLOORS, &server.arrows()), Vec::<String>::new());
}

/// The page's forms and the socket's frames reach the store through `chat` alone, where it is asked who may.
#[test]
fn no_transport_reaches_the_engine() {
    let arrows = Crate::read(Path::new("src")).arrows();
    let named_by = |to: &str| {
        arrows.keys().filter(|(_, other)| other == to).map(|(from, _)| from.as_str()).collect::<BTreeSet<_>>()
    };
    // `config` parses its settings, `start` opens it, `notice` writes on it and `doctor` looks at it; `limits` keeps its quotas there.
    assert_eq!(named_by("engine"), BTreeSet::from(["chat", "config", "doctor", "hub", "limits", "notice", "start"]));
    let hub = std::fs::read_to_string("src/hub/mod.rs").unwrap();
    assert!(hub.contains("\n    engine: Arc<dyn Engine>,"), "the hub's engine is its own");
}

/// Also of macros, of which some are read by nobody else.
#[test]
fn planted_arrows_and_circles_are_found() {
    let planted = |top: &str, ground: &str| {
        let source = format!("mod top {{ {top} }} mod ground {{ {ground} pub mod one {{}} }}");
        Crate::of(&source, Path::new("nowhere")).arrows()
    };
    let down = planted("use crate::ground::one;", "pub struct Item;");
    assert_eq!((against(&["ground", "top"], &down).len(), circle(&down)), (0, None));
    for up in [
        "use crate::top;",
        "use crate::{other, top::{self, Item}};",
        "use super::top::Item as Other;",
        "fn f() { crate::top::f(); }",
        "fn f() -> super::top::Item { todo!() }",
        "fn f() { view! { <p>{move || crate::top::f()}</p> } }",
        "mod deep { use super::super::top; }",
    ] {
        let arrows = planted("", up);
        assert_eq!(against(&["ground", "top"], &arrows).len(), 1, "{up}");
        assert!(circle(&planted("use crate::ground::one;", up)).is_some(), "{up}");
    }
    for nothing in [
        "#[cfg(test)] mod tests { use crate::top; }",
        "/* crate::top */",
        "fn f() { \"crate::top\"; }",
        "use top::Item;",
    ] {
        assert_eq!(planted("", nothing), Arrows::new(), "{nothing}");
    }
}

/// Whoever reads a name has to know which of two things it is. Types that are private to a module are read beside what they are for.
#[test]
fn a_type_has_its_name_alone_or_the_glossary_says_why() {
    let glossary = std::fs::read_to_string("docs/glossary.md").unwrap();
    let (_, excused) = glossary.split_once("\n## One word for two things\n").unwrap();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, folder, _) in CRATES {
        for (declared, module) in Crate::read(Path::new(folder)).types() {
            places.entry(declared.to_owned()).or_default().push(format!("{name}::{module}"));
        }
    }
    assert!(places.len() > 200, "{} types were found", places.len());
    places.retain(|name, places| places.len() > 1 && !excused.contains(&format!("`{name}`")));
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn types_that_others_may_name_are_found() {
    let source = "pub struct A; struct B; pub(super) enum C {} mod m { pub trait D { type E; } #[cfg(test)] mod t { pub struct F; } } \
                  pub(crate) type G = u8; impl A { pub fn h() {} }";
    let found = Crate::of(source, Path::new("nowhere"));
    let found: BTreeSet<_> = found.types().map(|(name, module)| format!("{module}:{name}")).collect();
    assert_eq!(found, BTreeSet::from([":A", ":C", ":G", "m:D"].map(str::to_owned)));
}

/// Everything that a crate is built from, itself included, each as `format` says.
fn tree(name: &str, format: &str) -> BTreeSet<String> {
    let args = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", format, "--package", name];
    let output = Command::new(env!("CARGO")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// What tests, the chaos and the measurements share compiles no server, and brings no clock that can stand still.
#[test]
fn the_testkit_knows_no_server_and_is_never_shipped() {
    let found = tree("testkit", "{lib} {f}");
    let own = CRATES.map(|(name, ..)| format!("{name} "));
    assert!(found.iter().all(|one| !own.iter().any(|own| one.starts_with(own))), "{found:?}");
    let tokio = found.iter().find(|one| one.starts_with("tokio ")).unwrap();
    assert!(!tokio.contains("test-util"), "{tokio}");
    for (name, ..) in CRATES {
        assert!(!tree(name, "{lib}").contains("testkit"), "{name}");
    }
    assert!(!tree("bench", "{lib}").contains("hubbub"), "the chaos compiles the server");
}

#[test]
fn crates_depend_on_what_is_below_them() {
    let tree = |name: &str| tree(name, "{lib}");
    for (name, _, below) in CRATES {
        let (found, own) = (tree(name), CRATES.map(|(other, ..)| other));
        let above = own.iter().filter(|other| **other != name && found.contains(**other));
        let expected: BTreeSet<_> = below
            .iter()
            .flat_map(|one| {
                [*one].into_iter().chain(CRATES.iter().find(|(other, ..)| other == one).unwrap().2.iter().copied())
            })
            .collect();
        assert_eq!(above.copied().collect::<BTreeSet<_>>(), expected, "{name}");
    }
    let foreign = ["leptos", "web_sys", "js_sys", "wasm_bindgen", "axum", "tokio", "fred"];
    for name in ["protocol", "client"] {
        let found = tree(name);
        assert_eq!(foreign.iter().filter(|other| found.contains(**other)).count(), 0, "{name}: {found:?}");
    }
}

/// A crate that `cargo test` leaves out is one whose tests nobody runs. `frontend` has none: it would turn on the browser's features
/// for the server, and what it decides is in `client`.
#[test]
fn every_crate_is_tested_by_default() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ids = |key: &str| -> BTreeSet<String> {
        found[key].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let (all, tested) = (ids("workspace_members"), ids("workspace_default_members"));
    let left_out: Vec<_> = all.difference(&tested).collect();
    assert!(matches!(left_out[..], [frontend] if frontend.contains("/frontend#")), "{left_out:?}");
    let mut sources = vec![std::path::PathBuf::from("frontend/src")];
    while let Some(at) = sources.pop() {
        if at.is_dir() {
            sources.extend(at.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert!(!std::fs::read_to_string(&at).unwrap().contains("#[test]"), "{} is run by nobody", at.display());
        }
    }
}
