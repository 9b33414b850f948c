//! Bytes from outside, of any kind: an answer always, a trap never.

use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use proptest::{collection, prelude::any};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Form, HOOK_PATH, Hook, SECRET, basic, envelope};
use crate::host::is_spin;

/// Values of a strategy, the same in every run.
fn samples<S: Strategy>(strategy: S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test]
async fn any_body_gets_an_answer_in_oktas_shape() {
    let hook = Hook::start().await;
    let whole = envelope("+15550100123").to_string().into_bytes();
    let damage = (0..whole.len(), any::<u8>(), 0..whole.len());
    let damaged = samples(damage, 150).into_iter().flat_map(|(at, byte, cut)| {
        let mut body = whole.clone();
        body[at] = byte;
        [whole[..cut].to_vec(), body]
    });
    let bodies = samples(collection::vec(any::<u8>(), 0..200), 150).into_iter().chain(damaged);
    for body in bodies {
        let label = String::from_utf8_lossy(&body).into_owned();
        let answer = hook.post(body).await;
        assert!(matches!(answer.status, 200 | 400), "{label}: {answer:?}");
        assert!(answer.text.starts_with(r#"{"commands":["#), "{label}: {answer:?}");
    }
}

#[tokio::test]
async fn any_credentials_but_the_right_ones_are_401() {
    let hook = Hook::start().await;
    for value in samples(collection::vec(0x20u8..0x7f, 0..60), 100) {
        let mut request = hook.request().body(Full::new("{}".into())).unwrap();
        request.headers_mut().insert(AUTHORIZATION, value.as_slice().try_into().unwrap());
        hook.send(request).await.failed(Form::Documented, 401, "unauthorized");
    }
    let near_misses = [
        [b"Basic ", [0xff; 16].as_slice()].concat(),
        basic("okta", &SECRET[1..]).into_bytes(),
        basic("okta", &SECRET.to_uppercase()).into_bytes(),
        basic("okt", &format!("a{SECRET}")).into_bytes(),
        basic("okta", &format!("{SECRET}\n")).into_bytes(),
        basic("", SECRET).into_bytes(),
        basic("okta", "").into_bytes(),
    ];
    for value in near_misses {
        let mut request = hook.request().body(Full::new("{}".into())).unwrap();
        request.headers_mut().insert(AUTHORIZATION, value.as_slice().try_into().unwrap());
        let answer = hook.send(request).await;
        if is_spin() && std::str::from_utf8(&value).is_err() {
            // Spin's own answer: SECURITY.md.
            assert_eq!((answer.status, answer.text.as_str()), (500, ""));
            continue;
        }
        answer.failed(Form::Documented, 401, "unauthorized");
    }
}

#[tokio::test]
async fn nesting_to_the_size_limit_is_a_clear_400() {
    let hook = Hook::start().await;
    for body in ["[".repeat(65536), r#"{"data":"#.repeat(8192), r#"{"x":["#.repeat(10000)] {
        hook.post(body).await.failed(Form::Documented, 400, "invalid_json");
    }
}

/// A connection on which the head of a hook's request has been written, with one header more.
async fn connect(hook: &Hook, header: &str) -> TcpStream {
    let address = hook.host.address();
    let authorization = basic("okta", SECRET);
    let head = format!(
        "POST {HOOK_PATH} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\n\
         Content-Type: application/json\r\n{header}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Writes a body after such a head, and gives what comes back once the hook has had its say.
async fn raw(hook: &Hook, header: &str, body: &[u8]) -> String {
    let mut stream = connect(hook, header).await;
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&answer).contains("}]}") {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        let count = read.await.expect("an answer comes").unwrap();
        assert!(count > 0, "cut after {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
        if answer.ends_with(b"}}") {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_when_the_deadline_comes() {
    let hook = Hook::with("okta.deadline_ms = 500").await;
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let body: &[u8] = if head.starts_with('C') { b"{\"data\":" } else { b"2\r\n{\"\r\n" };
        let answer = raw(&hook, head, body).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_when_the_deadline_comes() {
    let hook = Hook::with("okta.deadline_ms = 500").await;
    let stream = connect(&hook, "Content-Length: 60000").await;
    let (mut reader, mut writer) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(10), reader.read_exact(&mut answer));
    read.await.expect("an answer comes although the body does not end").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    trickle.abort();
}

#[tokio::test]
async fn a_large_body_is_refused_by_its_promise_before_it_comes() {
    let hook = Hook::start().await;
    // The second has more bytes than the component can count memory in.
    for promise in ["Content-Length: 10000000", "Content-Length: 5000000000"] {
        let answer = raw(&hook, promise, b"").await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{promise}: {answer}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_read_like_any_other() {
    let hook = Hook::start().await;
    let body = envelope("+15550100123").to_string();
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let answer = raw(&hook, "Transfer-Encoding: chunked", chunked.as_bytes()).await;
    assert!(answer.contains("SUCCESSFUL"), "{answer}");
}

#[tokio::test]
async fn hooks_in_parallel_are_each_sent_once() {
    let hook = Hook::start().await;
    let answers = join_all((0..64).map(|n| {
        let hook = &hook;
        async move { hook.post(envelope(&format!("+1555020{n:04}")).to_string()).await }
    }));
    let mut ids: Vec<_> =
        answers.await.iter().map(|answer| answer.accepted(Form::Documented)).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), hook.acs.messages().len()), (64, 64));
}
