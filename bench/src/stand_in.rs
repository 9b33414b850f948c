//! A stand-in for ACS that costs next to nothing: it takes any request, checks nothing, and gives the same
//! 202 each time. The emulator, which checks everything, would be what is measured.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::http1;

const BODY: &str = r#"{"value":[{"to":"+14255550123","messageId":"Outgoing_20260131120000c0ffee5a-7f1e-4c0b-9d0a-0a8d0f6c1b2a_noam","httpStatusCode":202,"repeatabilityResult":"accepted","successful":true}]}"#;

/// Starts the stand-in, which serves until the runtime ends, and returns its address.
pub async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    Ok(address)
}

/// Answers until the client closes its connection.
async fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let answer = format!(
        "HTTP/1.1 202 Accepted\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len(),
    );
    let mut bytes = Vec::new();
    loop {
        while let Some(length) = http1::message_length(&bytes) {
            bytes.drain(..length);
            stream.write_all(answer.as_bytes()).await?;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}
