//! The key-value stores: in memory, and behind Redis where the settings say so.

mod redis;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};

use self::redis::Redis;

/// The stores that a component may open, by label.
#[derive(Debug, Clone)]
pub(super) struct Stores(BTreeMap<String, Arc<Store>>);

/// One store.
#[derive(Debug)]
pub(super) enum Store {
    /// In this process, for as long as it runs.
    Memory(Memory),
    Redis(Redis),
}

#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        // A panic while the lock was held leaves a map that is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stores {
    /// `redis` has the URLs of the stores that are not in memory, by label.
    ///
    /// # Errors
    ///
    /// A URL that is not Redis's. Whether a server is there is not looked at, as in Spin.
    pub fn open(labels: &BTreeSet<String>, redis: &BTreeMap<String, String>) -> Result<Self> {
        let store = |label: &String| {
            let store = match redis.get(label) {
                Some(url) => Store::Redis(
                    Redis::new(url).with_context(|| format!("key_value_store.{label}"))?,
                ),
                None => Store::Memory(Memory::default()),
            };
            Ok((label.clone(), Arc::new(store)))
        };
        labels.iter().map(store).collect::<Result<_>>().map(Self)
    }

    pub fn get(&self, label: &str) -> Option<&Arc<Store>> {
        self.0.get(label)
    }

    /// What the store of this label has in memory; nothing if it has none there.
    pub fn in_memory(&self, label: &str) -> BTreeMap<String, Vec<u8>> {
        match self.get(label).map(|store| &**store) {
            Some(Store::Memory(memory)) => memory.entries().clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// A store that hangs hangs the guest's call, for good: as in Spin, a guest of WASI 0.2 can't abandon it.
impl Store {
    /// What a guest's opening does.
    pub async fn open(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.open().await,
        }
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Memory(memory) => Ok(memory.entries().get(key).cloned()),
            Self::Redis(redis) => redis.get(key).await,
        }
    }

    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.entries().contains_key(key)),
            Self::Redis(redis) => redis.exists(key).await,
        }
    }

    pub async fn keys(&self) -> Result<Vec<String>> {
        match self {
            Self::Memory(memory) => Ok(memory.entries().keys().cloned().collect()),
            Self::Redis(redis) => redis.keys().await,
        }
    }

    pub async fn set(&self, key: String, value: Vec<u8>) -> Result<()> {
        match self {
            Self::Memory(memory) => _ = memory.entries().insert(key, value),
            Self::Redis(redis) => redis.set(&key, &value).await?,
        }
        Ok(())
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        match self {
            Self::Memory(memory) => _ = memory.entries().remove(key),
            Self::Redis(redis) => redis.delete(key).await?,
        }
        Ok(())
    }
}
