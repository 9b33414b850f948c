//! The guest's standard output and error, line by line.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Who gets each line, without its line break. Bytes that are no UTF-8 come as replacement
/// characters.
pub type Lines = Arc<dyn Fn(&str) + Send + Sync>;

/// One of a guest's two outputs: whole lines go to the sink, so that those of instances that run
/// at once don't mix. What is left without a line break goes when the guest ends.
#[derive(Clone)]
pub(super) struct Output(Arc<Buffer>);

struct Buffer {
    lines: Lines,
    partial: Mutex<Vec<u8>>,
}

impl Output {
    pub fn new(lines: Lines) -> Self {
        Self(Arc::new(Buffer { lines, partial: Mutex::default() }))
    }

    fn push(&self, bytes: &[u8]) {
        // A sink that panicked leaves bytes that are still only bytes.
        let mut partial = self.0.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            partial.extend_from_slice(piece);
            if partial.ends_with(b"\n") {
                // Taken first: a sink that panics must not get the same line again.
                let line = std::mem::take(&mut *partial);
                (self.0.lines)(&String::from_utf8_lossy(&line[..line.len() - 1]));
            }
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let partial = self.partial.get_mut().unwrap_or_else(PoisonError::into_inner);
        if !partial.is_empty() {
            (self.lines)(&String::from_utf8_lossy(partial));
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_the_last_one_comes_at_the_end() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let output = Output::new(Arc::new(move |line| log.lock().unwrap().push(line.to_string())));
        output.push(b"on");
        output.push(b"e\ntwo\n\nthr");
        assert_eq!(*seen.lock().unwrap(), ["one", "two", ""]);
        output.push(b"e\xff");
        drop(output);
        assert_eq!(*seen.lock().unwrap(), ["one", "two", "", "thre\u{fffd}"]);
    }
}
