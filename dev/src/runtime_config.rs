//! What the local host reads of Spin's runtime configuration: which key-value stores are kept in
//! memory, and which in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key_value_store: BTreeMap<String, KeyValueStore>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValueStore {
    r#type: String,
    /// Spin's SQLite file. This host has files of its own form, in its state folder: a store with a
    /// path is kept there, and the path is not written to.
    path: Option<PathBuf>,
}

/// The labels of the stores that the file puts into memory: those of type `spin` without a path.
///
/// # Errors
///
/// A file that can't be read, or that configures what only Spin does; the message names the file and
/// the key.
pub fn stores_in_memory(path: &Path) -> Result<BTreeSet<String>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{}: give a file that can be read with --runtime-config-file", path.display())
    })?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<BTreeSet<String>> {
    let file: File = toml::from_str(text).context(
        "this host knows key-value stores of type spin, with or without a path: `spin up` knows all",
    )?;
    for (label, store) in &file.key_value_store {
        ensure!(
            store.r#type == "spin",
            "key_value_store.{label}: this host has stores of type spin only, not {}: run it under `spin up`",
            store.r#type
        );
    }
    let in_memory = file.key_value_store.into_iter().filter(|(_, store)| store.path.is_none());
    Ok(in_memory.map(|(label, _)| label).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_own_file_puts_all_stores_into_memory() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample/runtime-config.toml");
        let both = BTreeSet::from(["default".to_string(), "records".to_string()]);
        assert_eq!(stores_in_memory(&path).unwrap(), both);
    }

    #[test]
    fn a_store_with_a_path_is_kept_in_a_file() {
        let text = "[key_value_store.records]\ntype = \"spin\"\npath = \"records.db\"";
        assert!(parse(text).unwrap().is_empty());
    }

    #[test]
    fn what_only_spin_does_is_an_error_with_its_key() {
        for (text, reason) in [
            ("[key_value_store.records]\ntype = \"redis\"", "key_value_store.records"),
            ("[key_value_store.default]\ntype = \"spin\"\nurl = \"redis://x\"", "url"),
            ("[sqlite_database.default]\ntype = \"spin\"", "sqlite_database"),
            ("[key_value_store.default]", "type"),
            ("nonsense", "nonsense"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(reason) && error.contains("spin up"), "{text}: {error}");
        }
        assert!(parse("").unwrap().is_empty());
    }
}
