//! A stand-in for ACS that costs next to nothing: it takes any request, checks nothing, and gives the same
//! 202 each time. The emulator, which checks everything, would be what is measured.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::http1;

const BODY: &str = r#"{"value":[{"to":"+14255550123","messageId":"Outgoing_20260131120000c0ffee5a-7f1e-4c0b-9d0a-0a8d0f6c1b2a_noam","httpStatusCode":202,"repeatabilityResult":"accepted","successful":true}]}"#;

fn answer() -> Arc<str> {
    format!(
        "HTTP/1.1 202 Accepted\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len(),
    )
    .into()
}

/// The stand-in, at its address until the runtime ends.
pub struct StandIn {
    pub address: SocketAddr,
    /// Requests that wait for their answers, while they are held.
    waiting: Arc<AtomicUsize>,
    held: watch::Sender<bool>,
}

impl StandIn {
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let waiting = Arc::new(AtomicUsize::new(0));
        let (held, receiver) = watch::channel(false);
        let count = waiting.clone();
        let answer = answer();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer.clone(), count.clone(), receiver.clone()));
            }
        });
        Ok(Self { address, waiting, held })
    }

    /// Lets no request have its answer until [`StandIn::release`].
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// How many requests have no answer yet.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A client that goes away ends its connection; there is nobody to tell.
async fn serve(
    mut stream: TcpStream,
    answer: Arc<str>,
    waiting: Arc<AtomicUsize>,
    mut held: watch::Receiver<bool>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut bytes = Vec::new();
    loop {
        let length = loop {
            if let Some(length) = http1::message_length(&bytes) {
                break length;
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        };
        bytes.drain(..length);
        if *held.borrow() {
            waiting.fetch_add(1, Ordering::Relaxed);
            let released = held.wait_for(|held| !held).await.map(drop);
            waiting.fetch_sub(1, Ordering::Relaxed);
            released.ok()?;
        }
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}
