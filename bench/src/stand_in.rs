//! A stand-in for ACS that costs next to nothing: it takes any request, checks nothing, and gives the same
//! 202 each time, or never an answer. The emulator, which checks everything, would be what is measured.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Result;
use clap::ValueEnum;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use okta_telephony_dev::tls;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::folders::target;

const BODY: &str = r#"{"value":[{"to":"+14255550123","messageId":"Outgoing_20260131120000c0ffee5a-7f1e-4c0b-9d0a-0a8d0f6c1b2a_noam","httpStatusCode":202,"repeatabilityResult":"accepted","successful":true}]}"#;

/// How ACS is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// Over TLS 1.3, with HTTP/2 where the client knows it, and with a peer that acknowledges what comes at once, as
    /// nginx does when it answers the head of a request with a WINDOW_UPDATE
    Tls,
    /// The same with a peer that acknowledges it with its answer, or after 40 ms, as TCP usually does
    TlsDelayed,
    /// Over HTTP/1.1 without TLS
    Plain,
}

/// A running stand-in, which serves until the runtime ends.
#[derive(Debug, Clone)]
pub struct StandIn {
    address: SocketAddr,
    pub transport: Transport,
}

impl StandIn {
    /// Starts one.
    ///
    /// # Errors
    ///
    /// No port, or no place for the file of [`authorities`].
    pub async fn start(transport: Transport) -> Result<Self> {
        Self::start_one(transport, true).await
    }

    /// Starts one that takes requests and never answers.
    ///
    /// # Errors
    ///
    /// As [`StandIn::start`].
    pub async fn start_hung(transport: Transport) -> Result<Self> {
        Self::start_one(transport, false).await
    }

    async fn start_one(transport: Transport, answers: bool) -> Result<Self> {
        // A fresh checkout has no such folder.
        std::fs::create_dir_all(target())?;
        std::fs::write(authorities(), tls::certificate_authority())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tls = TlsAcceptor::from(tls::server(&[&address.ip().to_string()])?);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let tls = tls.clone();
                tokio::spawn(async move {
                    stream.set_nodelay(true)?;
                    match transport {
                        Transport::Tls => serve(tls.accept(Prompt(stream)).await?, answers).await,
                        Transport::TlsDelayed => serve(tls.accept(stream).await?, answers).await,
                        Transport::Plain => serve(stream, answers).await,
                    }
                    anyhow::Ok(())
                });
            }
        });
        Ok(Self { address, transport })
    }

    /// Its address as a URL without a path.
    pub fn origin(&self) -> String {
        let scheme = match self.transport {
            Transport::Tls | Transport::TlsDelayed => "https",
            Transport::Plain => "http",
        };
        format!("{scheme}://{}", self.address)
    }
}

/// The file with the certificate of the authority that every client of a stand-in trusts.
pub fn authorities() -> PathBuf {
    target().join("authorities.pem")
}

/// Answers, if it is to, until the client closes its connection.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answers: bool) {
    let service = service_fn(move |request: Request<Incoming>| async move {
        // The answer to what has not come whole would be that to another request.
        request.into_body().collect().await?;
        if !answers {
            std::future::pending::<()>().await;
        }
        let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
        *response.status_mut() = StatusCode::ACCEPTED;
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok::<_, hyper::Error>(response)
    });
    // A client that has gone is no error here.
    _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A connection that acknowledges what comes as soon as it is read.
struct Prompt(TcpStream);

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        // It holds until the next one (tcp(7), TCP_QUICKACK).
        #[cfg(target_os = "linux")]
        socket2::SockRef::from(&self.0).set_tcp_quickack(true)?;
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
