//! Whether a body was finished when its head was handed over.
//!
//! A guest that hands the head over first and writes the body afterwards has them leave in two
//! segments; with Nagle's algorithm and delayed acknowledgements that costs 44 ms a keep-alive
//! answer on a real Spin. A test watches for it with [`HandOver`].

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, WasiBody};

/// A head that the guest handed to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandOver {
    /// Which way it goes.
    pub direction: Direction,
    /// Whether the whole body, trailers included, was written and finished by then.
    pub body_finished: bool,
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The answer to the client.
    Answer,
    /// A request of the guest's own.
    Outbound,
}

/// Who is told of each [`HandOver`], while the guest waits.
pub type HandOverObserver = Arc<dyn Fn(HandOver) + Send + Sync>;

/// Takes what is there of `body`, tells the observer whether it was all, and returns the same body.
pub(super) fn observe(
    observer: &HandOverObserver,
    direction: Direction,
    mut body: WasiBody,
) -> WasiBody {
    let mut frames = VecDeque::new();
    let body_finished = loop {
        match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => frames.push_back(Ok(frame)),
            Poll::Ready(Some(Err(error))) => {
                frames.push_back(Err(error));
                break false;
            }
            Poll::Ready(None) => break true,
            Poll::Pending => break false,
        }
    };
    observer(HandOver { direction, body_finished });
    Replay { frames, rest: body }.boxed_unsync()
}

/// The frames already taken, then the rest.
struct Replay {
    frames: VecDeque<Result<Frame<Bytes>, Error>>,
    rest: WasiBody,
}

impl Body for Replay {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.frames.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // A written body never knows its size, taken or not; only an absent one (exactly 0) does.
        if self.frames.is_empty() { self.rest.size_hint() } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Full, StreamBody};
    use std::sync::Mutex;

    fn observed(body: WasiBody) -> (bool, WasiBody) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let observer: HandOverObserver =
            Arc::new(move |hand_over| log.lock().unwrap().push(hand_over));
        let body = observe(&observer, Direction::Answer, body);
        let seen = seen.lock().unwrap();
        assert_eq!((seen.len(), seen[0].direction), (1, Direction::Answer));
        (seen[0].body_finished, body)
    }

    #[tokio::test]
    async fn a_finished_body_is_seen_as_such_and_arrives_whole() {
        let body = Full::new(Bytes::from("whole")).map_err(|never| match never {}).boxed_unsync();
        let (finished, body) = observed(body);
        assert!(finished);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
    }

    #[tokio::test]
    async fn a_body_still_being_written_is_seen_as_such_and_arrives_whole() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<&str>(4);
        sender.send("first ").await.unwrap();
        let stream = futures_util::stream::poll_fn(move |cx| {
            receiver
                .poll_recv(cx)
                .map(|piece| piece.map(|piece| Ok(Frame::data(Bytes::from(piece)))))
        });
        let (finished, body) = observed(StreamBody::new(stream).boxed_unsync());
        assert!(!finished);
        sender.send("second").await.unwrap();
        drop(sender);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "first second");
    }
}
