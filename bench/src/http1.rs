//! As much of HTTP/1.1 as both ends of the bench need: where a message ends.

/// The length of the message that `bytes` begin with, head and body; `None` where it is not all there. A
/// message without a `Content-Length` has no body, which holds for what is measured here.
pub fn message_length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = bytes[..head]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| str::from_utf8(line).ok()?.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse::<usize>().ok())
        .unwrap_or(0);
    (bytes.len() >= head + body).then_some(head + body)
}

#[cfg(test)]
mod tests {
    use super::message_length;

    #[test]
    fn a_message_ends_where_its_head_says() {
        let message = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP";
        assert_eq!(message_length(message), Some(message.len() - 4));
        assert_eq!(message_length(&message[..message.len() - 5]), None);
        assert_eq!(message_length(b"GET / HTTP/1.1\r\n\r\n"), Some(18));
        assert_eq!(message_length(b"GET / HTTP/1.1\r\n"), None);
    }
}
