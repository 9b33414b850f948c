//! What the local host reads of Spin's runtime configuration: which key-value stores are behind Redis.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

const KNOWN: &str = "this host knows key-value stores of type spin without a path, which are in memory, and of \
                     type redis with a url: `spin up` knows all";

/// The Redis URLs of the file's stores, by label; its other stores are in memory.
///
/// # Errors
///
/// A file that can't be read, or that configures what only Spin does. The message names the file and the
/// key, and no value: it may be a URL with Redis's password.
pub fn redis(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("{}: give a file that can be read with --runtime-config-file", path.display())
    })?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    // The error's own text would quote the line.
    let Ok(file) = text.parse::<Table>() else { bail!("the file is not TOML") };
    let mut redis = BTreeMap::new();
    for (section, value) in file {
        match (section.as_str(), value) {
            ("key_value_store", Value::Table(stores)) => {
                for (label, store) in stores {
                    let url =
                        url(&store).with_context(|| format!("key_value_store.{label}: {KNOWN}"))?;
                    redis.extend(url.map(|url| (label, url.to_owned())));
                }
            }
            // Whether connections are kept from hook to hook: this host keeps them, whatever it says.
            ("outbound_http", _) => {}
            _ => bail!("{section}: {KNOWN}"),
        }
    }
    Ok(redis)
}

/// The URL of a store behind Redis, no URL of one in memory, nothing of one that this host does not know.
fn url(store: &Value) -> Option<Option<&str>> {
    let store = store.as_table()?;
    let text = |key: &str| store.get(key)?.as_str();
    match (text("type")?, store.len()) {
        ("spin", 1) => Some(None),
        ("redis", 2) => Some(Some(text("url")?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repositorys_own_file_puts_all_stores_into_memory() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample/runtime-config.toml");
        assert_eq!(redis(&path).unwrap(), BTreeMap::new());
    }

    #[test]
    fn a_store_with_a_url_is_behind_redis() {
        let text = "[key_value_store.records]\ntype = \"redis\"\nurl = \"redis://cache\"\n\
                    [key_value_store.default]\ntype = \"spin\"\n";
        let expected = BTreeMap::from([("records".to_owned(), "redis://cache".to_owned())]);
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_only_spin_does_is_an_error_that_names_its_key_and_not_its_value() {
        for (text, place) in [
            (
                "[key_value_store.a]\ntype = \"azure_cosmos\"\nkey = \"hunter2\"",
                "key_value_store.a: ",
            ),
            ("[key_value_store.a]\ntype = \"spin\"\npath = \"hunter2\"", "key_value_store.a: "),
            ("[key_value_store.a]\ntype = \"redis\"", "key_value_store.a: "),
            ("[key_value_store.a]\ntype = \"redis\"\nurl = [\"hunter2\"]", "key_value_store.a: "),
            ("[key_value_store]\na = \"hunter2\"", "key_value_store.a: "),
            ("key_value_store = \"hunter2\"", "key_value_store: "),
            ("[sqlite_database.default]\ntype = \"hunter2\"", "sqlite_database: "),
            ("[key_value_store.a]\nurl = redis://:hunter2=@host", "the file is not TOML"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.starts_with(place) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
