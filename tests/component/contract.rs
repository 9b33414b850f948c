//! What the component may reach and what it offers, against wit/ and docs/contributing/development.md.

use std::collections::BTreeSet;

use okta_telephony_dev::local_host::{Direction, HandOver};
use std::sync::{Arc, Mutex};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use crate::harness::{Form, Hook, Setup, component, envelope, manifest};
use crate::host::needs_the_local_host;

/// Interfaces by name and track: `wasi:http/types@0.2`. Hosts match versions by track, too.
fn interfaces<'a>(
    resolve: &'a Resolve,
    items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)> + 'a,
) -> BTreeSet<String> {
    items
        .map(|(key, item)| {
            assert!(
                matches!(item, WorldItem::Interface { .. }),
                "only interfaces cross the border"
            );
            let name = resolve.name_world_key(key);
            match name.rsplit_once('.') {
                Some((track, _)) if name.contains('@') => track.to_owned(),
                _ => name,
            }
        })
        .collect()
}

fn border(resolve: &Resolve, world: WorldId) -> (BTreeSet<String>, BTreeSet<String>) {
    let world = &resolve.worlds[world];
    (interfaces(resolve, world.imports.iter()), interfaces(resolve, world.exports.iter()))
}

/// The interfaces that docs/contributing/development.md says the preview 1 adapter adds.
fn adapter_imports() -> BTreeSet<String> {
    let page = include_str!("../../docs/contributing/development.md");
    let (_, section) = page.split_once("\n## What the component imports\n").expect("the section");
    let lines = section.lines().take_while(|line| !line.starts_with("## "));
    lines.filter_map(|line| Some(line.strip_prefix("- `")?.strip_suffix('`')?.to_owned())).collect()
}

#[test]
fn the_component_is_small_and_imports_and_exports_what_is_documented_and_nothing_more() {
    assert!(component().len() < 2_500_000, "{} bytes", component().len());
    let DecodedWasm::Component(actual, actual_world) = decode(component()).unwrap() else {
        panic!("not a component");
    };
    let mut stated = Resolve::default();
    let (package, _) = stated.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wit")).unwrap();
    let stated_world = stated.select_world(&[package], Some("hook")).unwrap();
    let (mut imports, exports) = border(&stated, stated_world);
    imports.extend(adapter_imports());
    assert_eq!(border(&actual, actual_world), (imports, exports));
}

#[test]
fn the_manifest_gives_the_component_neither_files_nor_an_environment() {
    let manifest: toml::Table = std::fs::read_to_string(manifest()).unwrap().parse().unwrap();
    for (id, component) in manifest["component"].as_table().unwrap() {
        for key in ["files", "environment"] {
            assert!(component.get(key).is_none(), "component.{id}.{key}");
        }
    }
}

#[test]
fn the_export_is_of_the_version_that_the_oldest_spin_takes() {
    let DecodedWasm::Component(resolve, world) = decode(component()).unwrap() else {
        panic!("not a component");
    };
    let exports = resolve.worlds[world].exports.keys();
    let names: Vec<_> = exports.map(|key| resolve.name_world_key(key)).collect();
    assert_eq!(names, ["wasi:http/incoming-handler@0.2.0"]);
}

/// The other order costs 44 ms a hook: see `write_whole` in src/ports/wasi.rs.
#[tokio::test]
async fn bodies_are_finished_before_their_heads_are_handed_over() {
    if needs_the_local_host("looking at bodies as their heads are handed over") {
        return;
    }
    let seen = Arc::new(Mutex::new(Vec::new()));
    let observed = seen.clone();
    let hook = Hook::with_host(Setup::new(), |mut host| {
        host.hand_over = Some(Arc::new(move |hand_over| {
            observed.lock().unwrap().push(hand_over);
        }));
        host
    })
    .await;
    hook.post(envelope("+15550100123").to_string()).await.accepted(Form::Documented);
    hook.post("no json").await.failed(Form::Documented, 400, "invalid_json");
    let finished = |direction| HandOver { direction, body_finished: true };
    assert_eq!(
        *seen.lock().unwrap(),
        [finished(Direction::Outbound), finished(Direction::Answer), finished(Direction::Answer)]
    );
}

#[tokio::test]
async fn the_request_to_acs_has_a_length_and_is_not_chunked() {
    let hook = Hook::start().await;
    hook.post(envelope("+15550100123").to_string()).await.accepted(Form::Documented);
    let request = &hook.acs.requests()[0].request;
    let header = |name: &str| {
        let headers = request.headers.iter();
        headers.filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).next()
    };
    assert_eq!(header("content-length"), Some(request.body.len().to_string().as_str()));
    assert_eq!(header("transfer-encoding"), None);
    assert_eq!(header("host"), Some(hook.acs.address().to_string().as_str()));
}
