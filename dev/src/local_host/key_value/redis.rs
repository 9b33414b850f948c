//! A store behind Redis, as Spin's `type = "redis"` is one (its crate `key-value-redis`, 2026-08-21).
//!
//! - A key of the guest's is a key of the server's: Spin puts neither the store's label nor the
//!   application before it. Two stores with one URL are one store, and so are those of two applications.
//! - A process has one connection for each store, made when a guest first opens it, over which the calls
//!   of all guests go at once. Each opening is a `PING`, whose failure is nobody's.
//! - There is no limit of time: a server that takes the connection and says nothing hangs the guest for as
//!   long as it does so. One that is gone is asked for a connection seven times, 100 ms apart, then 200 ms
//!   and so on, which makes 13 seconds; who calls meanwhile waits for that. Those are the crate's defaults
//!   in this version, and Spin sets none.

use std::fmt;

use anyhow::{Context as _, Result};
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, Client};
use tokio::sync::OnceCell;

pub(in super::super) struct Redis {
    client: Client,
    connection: OnceCell<ConnectionManager>,
}

impl Redis {
    pub fn new(url: &str) -> Result<Self> {
        // The URL may have a password in it: it is not repeated.
        let client =
            Client::open(url).context("url is not Redis's: write redis://HOST:PORT or so")?;
        Ok(Self { client, connection: OnceCell::new() })
    }

    async fn connection(&self) -> Result<ConnectionManager> {
        let made = || self.client.get_connection_manager();
        Ok(self.connection.get_or_try_init(made).await?.clone())
    }

    pub async fn open(&self) -> Result<()> {
        // The connection repairs itself where this finds it broken.
        _ = self.connection().await?.ping::<()>().await;
        Ok(())
    }

    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.connection().await?.get(key).await?)
    }

    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.connection().await?.exists(key).await?)
    }

    pub async fn keys(&self) -> Result<Vec<String>> {
        Ok(self.connection().await?.keys("*").await?)
    }

    pub async fn set(&self, key: &str, value: &[u8]) -> Result<()> {
        Ok(self.connection().await?.set(key, value).await?)
    }

    pub async fn delete(&self, key: &str) -> Result<()> {
        Ok(self.connection().await?.del(key).await?)
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.client.get_connection_info().addr;
        f.debug_struct("Redis").field("address", &address.to_string()).finish_non_exhaustive()
    }
}
