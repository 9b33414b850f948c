//! A stub until the emulator is there.

use std::net::SocketAddr;

pub struct Settings {
    pub listen: SocketAddr,
    /// Base64.
    pub access_key: String,
}

pub struct AcsEmulator {
    address: SocketAddr,
    access_key: String,
}

impl AcsEmulator {
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let app = axum::Router::new();
            axum::serve(listener, app).await
        });
        Ok(Self {
            address,
            access_key: settings.access_key,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connection_string(&self) -> String {
        format!(
            "endpoint=http://{}/;accesskey={}",
            self.address, self.access_key
        )
    }
}
