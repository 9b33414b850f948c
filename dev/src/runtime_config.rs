//! What the local host reads of Spin's runtime configuration: where key-value stores are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use okta_telephony_dev::local_host::Backing;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    key_value_store: BTreeMap<String, toml::Table>,
    /// Whether connections are kept from hook to hook: this host keeps none, whatever it says.
    #[serde(rename = "outbound_http")]
    _outbound_http: Option<toml::Table>,
}

/// The keys are Spin's, all of them. Spin lets unknown ones pass in here; a typing error is none.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum KeyValueStore {
    Spin {
        /// Spin's SQLite file. This host has files of its own form, in its state folder: a store with a
        /// path is kept there, and the path is not written to.
        path: Option<PathBuf>,
    },
    Redis {
        url: String,
    },
}

/// Where the file has stores kept, by label.
///
/// # Errors
///
/// A file that can't be read, or that configures what only Spin does; the message names the file and
/// the key.
pub fn stores(path: &Path) -> Result<BTreeMap<String, Backing>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{}: give a file that can be read with --runtime-config-file", path.display())
    })?;
    parse(&text).with_context(|| path.display().to_string())
}

const KNOWN: &str = "this host knows key-value stores of type spin, with or without a path, and of type \
                     redis, with a url: `spin up` knows all";

fn parse(text: &str) -> Result<BTreeMap<String, Backing>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(before).filter(|&byte| byte == b'\n').count();
        anyhow!("line {line}: {}: {KNOWN}", without_values(&error))
    })?;
    let backing = |(label, store): (String, toml::Table)| {
        let store = store.try_into().map_err(|error| {
            anyhow!("key_value_store.{label}: {}: {KNOWN}", without_values(&error))
        })?;
        let backing = match store {
            KeyValueStore::Spin { path: None } => Backing::Memory,
            KeyValueStore::Spin { path: Some(_) } => Backing::Folder,
            KeyValueStore::Redis { url } => Backing::Redis(url),
        };
        Ok((label, backing))
    };
    file.key_value_store.into_iter().map(backing).collect()
}

/// What is wrong. Not the error's whole text, which quotes the line, nor the value that a message may
/// begin with: it may be a URL with Redis's password.
fn without_values(error: &toml::de::Error) -> String {
    let message = error.message();
    let quotes = ["invalid type", "invalid value", "unknown variant"];
    if !quotes.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    let expected = message.rsplit_once(", expected ").map_or("another", |(_, expected)| expected);
    format!("a value is wrong, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_own_file_puts_all_stores_into_memory() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample/runtime-config.toml");
        let both = ["default", "records"].map(|label| (label.to_string(), Backing::Memory));
        assert_eq!(stores(&path).unwrap(), BTreeMap::from(both));
    }

    #[test]
    fn a_store_with_a_path_is_kept_in_a_file_and_one_with_a_url_behind_redis() {
        for (text, backing) in [
            ("type = \"spin\"\npath = \"records.db\"", Backing::Folder),
            ("type = \"redis\"\nurl = \"redis://cache\"", Backing::Redis("redis://cache".into())),
        ] {
            let stores = parse(&format!("[key_value_store.records]\n{text}")).unwrap();
            assert_eq!(stores, BTreeMap::from([("records".to_string(), backing)]));
        }
    }

    #[test]
    fn what_only_spin_does_is_an_error_with_its_key() {
        for (text, reason) in [
            ("[key_value_store.records]\ntype = \"azure_cosmos\"", "key_value_store.records"),
            ("[key_value_store.default]\ntype = \"spin\"\nurl = \"redis://x\"", "url"),
            ("[key_value_store.default]\ntype = \"redis\"", "url"),
            (
                "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://x\"\npath = \"x\"",
                "path",
            ),
            (
                "[key_value_store.default]\ntype = \"redis\"\nurl = \"redis://x\"\nconnection_pooling = true",
                "connection_pooling",
            ),
            ("[sqlite_database.default]\ntype = \"spin\"", "sqlite_database"),
            ("[key_value_store.default]", "type"),
            ("\nnonsense", "line 2: "),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(reason) && error.contains("spin up"), "{text}: {error}");
        }
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_mistake_does_not_print_the_password() {
        let store = "[key_value_store.default]\ntype = \"redis\"\n";
        for (text, place) in [
            (format!("{store}url = rediss://:hunter2=@host:6380\n"), "line 3: "),
            (format!("{store}url = \"rediss://:hunter2@host:6380\n"), "line 3: "),
            (format!("{store}url = [\"rediss://:hunter2@host\"]\n"), "key_value_store.default: "),
            (
                "[key_value_store.default]\ntype = \"rediss://:hunter2@host\"\n".into(),
                "key_value_store.default: a value is wrong, expected `spin` or `redis`",
            ),
            (
                "\nkey_value_store = \"rediss://:hunter2, expected a@host\"\n".into(),
                "line 2: a value is wrong, expected a map",
            ),
            (
                "[key_value_store]\ndefault = \"rediss://:hunter2@host\"\n".into(),
                "line 2: a value is wrong",
            ),
        ] {
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.starts_with(place) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
