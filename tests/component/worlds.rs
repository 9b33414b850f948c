//! What the component imports, against what the hosts that it is deployed to are documented to offer.
//!
//! contract.rs holds the component to its own wit/; this holds it to theirs. A host that lacks an import
//! refuses the component when it is deployed, or instantiates it for nobody.

use std::collections::BTreeSet;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use crate::harness::{Form, Hook, component, envelope, manifest};

/// What Spin 3.0 offers a component of the HTTP trigger, by interface and track: hosts match a version by
/// its track. From Spin's wit/world.wit, whose world `platform` includes wasi:cli's world `imports` and
/// fermyon:spin's `platform`. Left out is what nothing here may use: sockets, and Spin's other stores.
///
/// Akamai Functions (Fermyon Wasm Functions) offers the same: its file in spinframework/spin-environments has
/// Spin's own `http-trigger` world, and modules of preview 1 are what Spin's templates build.
const SPIN: [&str; 22] = [
    "fermyon:spin/key-value@2.0",
    "fermyon:spin/variables@2.0",
    "wasi:cli/environment@0.2",
    "wasi:cli/exit@0.2",
    "wasi:cli/stderr@0.2",
    "wasi:cli/stdin@0.2",
    "wasi:cli/stdout@0.2",
    "wasi:cli/terminal-input@0.2",
    "wasi:cli/terminal-output@0.2",
    "wasi:cli/terminal-stderr@0.2",
    "wasi:cli/terminal-stdin@0.2",
    "wasi:cli/terminal-stdout@0.2",
    "wasi:clocks/monotonic-clock@0.2",
    "wasi:clocks/wall-clock@0.2",
    "wasi:filesystem/preopens@0.2",
    "wasi:filesystem/types@0.2",
    "wasi:http/outgoing-handler@0.2",
    "wasi:http/types@0.2",
    "wasi:io/error@0.2",
    "wasi:io/poll@0.2",
    "wasi:io/streams@0.2",
    "wasi:random/random@0.2",
];

fn decoded() -> (Resolve, WorldId) {
    let DecodedWasm::Component(resolve, world) = decode(component()).unwrap() else {
        panic!("not a component");
    };
    (resolve, world)
}

/// The name without the version's last number: `wasi:http/types@0.2`.
fn track(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(track, _)| track)
}

fn imports(resolve: &Resolve, world: WorldId) -> Vec<String> {
    let imports = resolve.worlds[world].imports.keys();
    imports.map(|key| resolve.name_world_key(key)).collect()
}

#[test]
fn every_import_is_in_the_documented_world_of_the_hosts() {
    let (resolve, world) = decoded();
    let imports = imports(&resolve, world);
    assert!(imports.len() > 10, "{imports:?}");
    for import in &imports {
        assert!(SPIN.contains(&track(import)), "Spin 3.0 is not documented to offer {import}");
    }
}

/// Versions that are drafts or release candidates match exactly or not at all, so one of them ties the
/// component to one release of one host.
#[test]
fn no_import_or_export_is_a_draft_and_none_is_of_a_newer_generation() {
    let (resolve, world) = decoded();
    let exports = resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key));
    for name in imports(&resolve, world).into_iter().chain(exports) {
        let (_, version) = name.split_once('@').unwrap_or_else(|| panic!("{name}: no version"));
        assert!(!version.contains('-'), "{name}");
        assert!(version.starts_with("0.2.") || version == "2.0.0", "{name}");
    }
}

/// Tracks match by name, functions don't: one that came with 0.2.1 is not in Spin 3.0. wit/ is at 0.2.0,
/// so what the component calls must be in it, whatever version is written beside it. What only the preview 1
/// adapter imports is left out: each Spin adds an adapter that fits it.
#[test]
fn every_function_it_calls_was_there_in_the_first_version_of_its_track() {
    let (resolve, world) = decoded();
    let mut stated = Resolve::default();
    let (package, _) = stated.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/wit")).unwrap();
    let stated_world = stated.select_world(&[package], Some("hook")).unwrap();
    let known = functions(&stated, stated.worlds[stated_world].imports.iter());
    let interfaces = imports(&stated, stated_world);
    let is_stated = |key: &WorldKey| {
        let name = resolve.name_world_key(key);
        interfaces.iter().any(|stated| track(stated) == track(&name))
    };
    let all = resolve.worlds[world].imports.iter();
    let called = functions(&resolve, all.filter(|(key, _)| is_stated(key)));
    assert!(called.len() > 40, "{called:?}");
    let newer: Vec<_> = called.difference(&known).collect();
    assert!(newer.is_empty(), "{newer:?}");
}

/// Akamai Functions has the store `default` and no other: docs/alternatives/akamai.md makes a manifest without
/// `records` by this replacement, and sets `records.slots` to 0.
#[tokio::test]
async fn without_the_store_records_messages_are_sent_and_nothing_is_missed() {
    let (from, to) =
        (r#"key_value_stores = ["default", "records"]"#, r#"key_value_stores = ["default"]"#);
    let page = include_str!("../../docs/alternatives/akamai.md");
    let quoted = |text: &str| text.replace('[', r"\[").replace(']', r"\]");
    assert!(page.contains(&format!("s/{}/{to}/", quoted(from))), "the page has the replacement");
    let text = std::fs::read_to_string(manifest()).unwrap();
    assert_eq!(text.matches(from).count(), 1);
    let folder = std::env::temp_dir().join(format!("without-records-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("spin.akamai.toml");
    std::fs::write(&path, text.replace(from, to)).unwrap();

    let hook = Hook::with_host("records.slots = 0", |mut host| {
        host.manifest = path;
        host
    })
    .await;
    hook.post(envelope("+15550100123").to_string()).await.accepted(Form::Documented);
    let line = &hook.log.hooks(1).await[0];
    assert_eq!((&line["outcome"], line.get("warnings")), (&"accepted".into(), None), "{line}");
    assert!(hook.log.lines().iter().all(|line| !line.contains(r#""event":"records""#)));
    std::fs::remove_dir_all(folder).unwrap();
}

/// `wasi:io/poll@0.2 [method]pollable.block`, of all interfaces.
fn functions<'a>(
    resolve: &'a Resolve,
    items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)> + 'a,
) -> BTreeSet<String> {
    items
        .flat_map(|(key, item)| {
            let WorldItem::Interface { id, .. } = item else { panic!("only interfaces") };
            let name = resolve.name_world_key(key);
            let functions = resolve.interfaces[*id].functions.keys();
            functions.map(move |function| format!("{} {function}", track(&name)))
        })
        .collect()
}
