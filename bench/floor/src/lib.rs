//! What the floors have in common: wasi:http's raw interfaces, from the component's own wit/.
//!
//! Nothing can panic, so that no formatting and no standard error are linked: what can't be done is left
//! undone, and the bench sees that there was no answer.

#[cfg(target_arch = "wasm32")]
#[allow(missing_docs)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "hook",
        generate_all,
        pub_export_macro: true,
    });
}

#[cfg(target_arch = "wasm32")]
pub mod http {
    use crate::bindings::wasi::http::types::{
        Fields, OutgoingBody, OutgoingResponse, ResponseOutparam,
    };

    /// The hook's answer, as it is for a message that was accepted.
    pub const ANSWER: &[u8] = br#"{"commands":[{"type":"com.okta.telephony.action","value":[{"status":"SUCCESSFUL","provider":"ACS","transactionId":"Outgoing_20260131120000c0ffee","transactionMetadata":"shortcode"}]}],"debugContext":{"segments":1,"encoding":"gsm7"}}"#;

    /// What the hook sends to ACS.
    pub const MESSAGE: &[u8] = br#"{"from":"12345","smsRecipients":[{"to":"+14255550123","repeatabilityRequestId":"0f3b0c5e-9d0a-5e0f-8d4e-0a8d0f6c1b2a","repeatabilityFirstSent":"Sat, 31 Jan 2026 12:00:00 GMT"}],"message":"Your verification code is 246810","smsSendOptions":{"enableDeliveryReport":true,"tag":"okta:uS5871kJThSsU8qlA1LTcg"}}"#;

    /// Its headers, but for the length.
    pub const MESSAGE_HEADERS: [(&str, &[u8]); 4] = [
        ("content-type", b"application/json"),
        ("x-ms-date", b"Sat, 31 Jan 2026 12:00:00 GMT"),
        ("x-ms-content-sha256", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        (
            "authorization",
            b"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ),
    ];

    /// Writes a whole body and finishes it, before its head is handed over.
    pub fn write_whole(body: OutgoingBody, bytes: &[u8]) -> Option<()> {
        let stream = body.write().ok()?;
        stream.check_write().ok()?;
        stream.write(bytes).ok()?;
        drop(stream);
        OutgoingBody::finish(body, None).ok()
    }

    /// Answers.
    pub fn answer(outparam: ResponseOutparam) -> Option<()> {
        let headers = Fields::new();
        headers.append("content-type", b"application/json").ok()?;
        headers.append("content-length", length(ANSWER.len()).as_bytes()).ok()?;
        let response = OutgoingResponse::new(headers);
        write_whole(response.body().ok()?, ANSWER)?;
        ResponseOutparam::set(outparam, Ok(response));
        Some(())
    }

    /// A length of three digits.
    pub fn length(bytes: usize) -> String {
        let digit = |at: usize| char::from(b'0' + (bytes / at % 10) as u8);
        [digit(100), digit(10), digit(1)].into_iter().collect()
    }
}
