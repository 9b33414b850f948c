//! The key-value stores: in memory, in files where a state folder is given, and behind Redis.
//!
//! A store's file is a log of JSON lines, `{"key":"k","value":"base64"}` for a set and
//! `{"key":"k"}` for a delete. A write appends one line with one system call, so that a process
//! killed in the middle leaves at most a torn last line, which the next start drops. The log is
//! rewritten to one line a key, and renamed into place, at the start, whenever most of it is
//! history, and before the next line where a write has failed.

mod redis;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use self::redis::Redis;

/// Where a store is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backing {
    /// In the state folder; in memory where there is none.
    Folder,
    /// In this process, for as long as it runs.
    Memory,
    /// Behind the Redis server at this URL.
    Redis(String),
}

/// Lines that a log may have beyond twice its keys before it is rewritten.
const HISTORY: usize = 1000;

/// The stores that a component may open, by label.
#[derive(Debug)]
pub(super) struct Stores {
    by_label: BTreeMap<String, Arc<Store>>,
    /// Held for as long as the files are in use.
    _lock: Option<File>,
}

/// One store.
#[derive(Debug)]
pub(super) enum Store {
    Local(Local),
    Redis(Redis),
}

/// A store in this process, and in its file where it has one.
#[derive(Debug)]
pub(super) struct Local(Mutex<Contents>);

#[derive(Debug)]
struct Contents {
    entries: BTreeMap<String, Vec<u8>>,
    log: Option<Log>,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    lines: usize,
    /// A write failed, and may have left part of its line.
    torn: bool,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    key: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl Stores {
    /// # Errors
    ///
    /// A folder that can't be written, that another host is using, or a file in it that isn't a log;
    /// a URL that is not Redis's. Whether a Redis server is there is not looked at, as in Spin.
    pub fn open(
        labels: &BTreeSet<String>,
        backings: &BTreeMap<String, Backing>,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let backing = |label| backings.get(label).unwrap_or(&Backing::Folder);
        let folder =
            folder.filter(|_| labels.iter().any(|label| *backing(label) == Backing::Folder));
        let lock = folder.map(lock).transpose()?;
        let mut by_label = BTreeMap::new();
        for label in labels {
            let store = match (backing(label), folder) {
                (Backing::Redis(url), _) => {
                    let redis =
                        Redis::new(url).with_context(|| format!("key_value_store.{label}"))?;
                    Store::Redis(redis)
                }
                (Backing::Folder, Some(folder)) => {
                    let path = folder.join(format!("local-host-{label}.jsonl"));
                    Store::Local(Local(Mutex::new(Contents::load(path)?)))
                }
                (Backing::Memory, _) | (Backing::Folder, None) => {
                    let contents = Contents { entries: BTreeMap::new(), log: None };
                    Store::Local(Local(Mutex::new(contents)))
                }
            };
            by_label.insert(label.clone(), Arc::new(store));
        }
        Ok(Self { by_label, _lock: lock })
    }

    pub fn get(&self, label: &str) -> Option<&Arc<Store>> {
        self.by_label.get(label)
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("local-host.lock");
    let other = "give another folder with --state-dir";
    fs::create_dir_all(folder)
        .with_context(|| format!("{}: can't be made: {other}", folder.display()))?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("{}: can't be written: {other}", path.display()))?;
    file.try_lock().with_context(|| {
        format!(
            "{}: another local host keeps its state there: stop it, or {other}",
            folder.display()
        )
    })?;
    Ok(file)
}

/// One that hangs hangs the guest's call, for good: as in Spin, a guest of WASI 0.2 can't abandon it.
impl Store {
    /// What a guest's opening does.
    pub async fn open(&self) -> Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Redis(redis) => redis.open().await,
        }
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Local(local) => Ok(local.get(key)),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self {
            Self::Local(local) => Ok(local.exists(key)),
            Self::Redis(redis) => redis.exists(key).await,
        }
    }

    pub async fn keys(&self) -> Result<Vec<String>> {
        match self {
            Self::Local(local) => Ok(local.keys()),
            Self::Redis(redis) => redis.keys().await,
        }
    }

    pub async fn set(&self, key: String, value: Vec<u8>) -> Result<()> {
        match self {
            Self::Local(local) => local.set(key, value),
            Self::Redis(redis) => redis.set(&key, &value).await,
        }
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        match self {
            Self::Local(local) => local.delete(key),
            Self::Redis(redis) => redis.delete(key).await,
        }
    }
}

impl Local {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.contents().entries.get(key).cloned()
    }

    fn exists(&self, key: &str) -> bool {
        self.contents().entries.contains_key(key)
    }

    fn keys(&self) -> Vec<String> {
        self.contents().entries.keys().cloned().collect()
    }

    fn set(&self, key: String, value: Vec<u8>) -> Result<()> {
        let mut contents = self.contents();
        contents.record(&key, Some(&value))?;
        contents.entries.insert(key, value);
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<()> {
        let mut contents = self.contents();
        if contents.entries.contains_key(key) {
            contents.record(key, None)?;
            contents.entries.remove(key);
        }
        Ok(())
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // A panic while the lock was held leaves a map and a log that are each whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    fn load(path: PathBuf) -> Result<Self> {
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        let mut entries = BTreeMap::new();
        for (i, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            match parse(line) {
                Ok((key, Some(value))) => drop(entries.insert(key, value)),
                Ok((key, None)) => drop(entries.remove(&key)),
                Err(error) => {
                    return Err(error.context(format!(
                        "{}:{}: not a line of a key-value store: delete the file to start with an empty one",
                        path.display(),
                        i + 1
                    )));
                }
            }
        }
        let log = Log::rewrite(path, &entries)?;
        Ok(Self { entries, log: Some(log) })
    }

    fn record(&mut self, key: &str, value: Option<&[u8]>) -> Result<()> {
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        if log.torn || log.lines > 2 * self.entries.len() + HISTORY {
            *log = Log::rewrite(log.path.clone(), &self.entries)?;
        }
        let written = log.file.write_all(&line(key, value));
        log.torn = written.is_err();
        log.lines += 1;
        written.with_context(|| log.path.display().to_string())
    }
}

impl Log {
    /// Replaces the file at `path` by one that holds `entries`, and keeps it open for more.
    fn rewrite(path: PathBuf, entries: &BTreeMap<String, Vec<u8>>) -> Result<Self> {
        let new = path.with_extension("new");
        let text: Vec<u8> =
            entries.iter().flat_map(|(key, value)| line(key, Some(value))).collect();
        let file = File::create(&new)
            .and_then(|mut file| file.write_all(&text).map(|()| file))
            .and_then(|file| fs::rename(&new, &path).map(|()| file))
            .with_context(|| path.display().to_string())?;
        Ok(Self { path, file, lines: entries.len(), torn: false })
    }
}

fn line(key: &str, value: Option<&[u8]>) -> Vec<u8> {
    let line = Line { key: key.into(), value: value.map(|value| BASE64.encode(value)) };
    // Two strings always serialise.
    let mut bytes = serde_json::to_vec(&line).expect("a line is two strings");
    bytes.push(b'\n');
    bytes
}

fn parse(line: &[u8]) -> Result<(String, Option<Vec<u8>>)> {
    let line: Line = serde_json::from_slice(line)?;
    let value =
        line.value.map(|value| BASE64.decode(value)).transpose().map_err(|error| anyhow!(error))?;
    Ok((line.key.into_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> BTreeSet<String> {
        BTreeSet::from(["default".to_string()])
    }

    /// The one store of those in this process.
    fn local(stores: &Stores) -> &Local {
        match &**stores.get("default").unwrap() {
            Store::Local(local) => local,
            Store::Redis(redis) => panic!("{redis:?}"),
        }
    }

    /// A folder of its own for each test, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(test: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("local-host-{test}-{}", std::process::id()));
            _ = fs::remove_dir_all(&path);
            Self(path)
        }

        fn open(&self) -> Result<Stores> {
            Stores::open(&default(), &BTreeMap::new(), Some(&self.0))
        }

        fn log(&self) -> PathBuf {
            self.0.join("local-host-default.jsonl")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn entries_outlive_the_host() {
        let folder = Folder::new("outlive");
        {
            let stores = folder.open().unwrap();
            let store = local(&stores);
            store.set("a".into(), b"1".to_vec()).unwrap();
            store.set("a".into(), vec![0, 255]).unwrap();
            store.set("line\nbreak \"é\"".into(), Vec::new()).unwrap();
            store.set("gone".into(), b"x".to_vec()).unwrap();
            store.delete("gone").unwrap();
            store.delete("never there").unwrap();
        }
        let stores = folder.open().unwrap();
        let store = local(&stores);
        assert_eq!(store.keys(), ["a", "line\nbreak \"é\""]);
        assert_eq!(store.get("a"), Some(vec![0, 255]));
        assert!(store.exists("a") && !store.exists("gone"));
        assert!(stores.get("other").is_none());
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_a_bad_line_is_an_error() {
        let folder = Folder::new("torn");
        local(&folder.open().unwrap()).set("a".into(), b"1".to_vec()).unwrap();
        let good = fs::read_to_string(folder.log()).unwrap();

        fs::write(folder.log(), format!("{good}{{\"key\":\"b\",\"va")).unwrap();
        assert_eq!(local(&folder.open().unwrap()).keys(), ["a"]);
        assert_eq!(fs::read_to_string(folder.log()).unwrap(), good);

        fs::write(folder.log(), format!("{good}nonsense\n")).unwrap();
        let error = format!("{:#}", folder.open().unwrap_err());
        assert!(error.contains("jsonl:2") && error.contains("delete the file"), "{error}");
    }

    #[test]
    fn what_a_failed_write_left_does_not_spoil_the_next_one() {
        let folder = Folder::new("failed");
        {
            let stores = folder.open().unwrap();
            let store = local(&stores);
            store.set("a".into(), b"1".to_vec()).unwrap();
            // As where the disk is full: part of the line is written, then the write fails.
            let mut log = OpenOptions::new().append(true).open(folder.log()).unwrap();
            log.write_all(b"{\"key\":\"b\",\"va").unwrap();
            store.contents().log.as_mut().unwrap().file = File::open(folder.log()).unwrap();
            store.set("b".into(), b"2".to_vec()).unwrap_err();
            assert!(!store.exists("b"));
            store.set("c".into(), b"3".to_vec()).unwrap();
        }
        assert_eq!(local(&folder.open().unwrap()).keys(), ["a", "c"]);
    }

    #[test]
    fn the_log_stays_in_proportion_to_its_entries() {
        let folder = Folder::new("proportion");
        let stores = folder.open().unwrap();
        for i in 0..5 * HISTORY {
            local(&stores).set("counter".into(), i.to_string().into_bytes()).unwrap();
        }
        let lines = fs::read_to_string(folder.log()).unwrap().lines().count();
        assert!(lines <= HISTORY + 4, "{lines}");
    }

    #[test]
    fn two_hosts_do_not_share_a_folder() {
        let folder = Folder::new("shared");
        let _first = folder.open().unwrap();
        let error = format!("{:#}", folder.open().unwrap_err());
        assert!(error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn without_a_folder_or_where_it_is_asked_for_everything_is_in_memory() {
        let folder = Folder::new("memory");
        let in_memory = BTreeMap::from([("default".to_string(), Backing::Memory)]);
        for (backings, folder) in [(BTreeMap::new(), None), (in_memory, Some(&*folder.0))] {
            let stores = Stores::open(&default(), &backings, folder).unwrap();
            let store = local(&stores);
            store.set("a".into(), b"1".to_vec()).unwrap();
            assert_eq!(store.get("a"), Some(b"1".to_vec()));
        }
        assert!(!folder.0.exists());
    }
}
