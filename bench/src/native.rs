//! The hook as a native server, as one would write it with axum and reqwest: who calls, what is asked, the
//! signature, the request to ACS over kept connections, the answer. No policy, no limits, no records.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::load::SECRET;

const TARGET: &str = "/sms?api-version=2021-03-07";

struct Hook {
    acs: SocketAddr,
    access_key: Vec<u8>,
    authorization: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    event_id: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    message_profile: MessageProfile,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageProfile {
    phone_number: String,
    otp_code: String,
}

/// Serves until the process ends.
pub async fn serve(listen: SocketAddr, acs: SocketAddr, access_key: &str) -> Result<()> {
    let hook = Hook {
        acs,
        access_key: BASE64_STANDARD.decode(access_key)?,
        authorization: format!("Basic {}", BASE64_STANDARD.encode(format!("okta:{SECRET}"))),
        client: reqwest::Client::builder().no_proxy().build()?,
    };
    let app = Router::new().route("/api/okta-telephony", post(handle)).with_state(Arc::new(hook));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, app).await?;
    Ok(())
}

async fn handle(
    State(hook): State<Arc<Hook>>,
    headers: HeaderMap,
    Json(envelope): Json<Envelope>,
) -> Response {
    let authorization = headers.get("authorization").map_or(&b""[..], |value| value.as_bytes());
    if !bool::from(authorization.ct_eq(hook.authorization.as_bytes())) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let (status, id) = match hook.send(&envelope).await {
        Ok(id) => ("SUCCESSFUL", id),
        Err(error) => ("FAILED", format!("{error:#}")),
    };
    let value = json!([{ "status": status, "provider": "ACS", "transactionId": id, "transactionMetadata": "shortcode" }]);
    Json(json!({ "commands": [{ "type": "com.okta.telephony.action", "value": value }] }))
        .into_response()
}

impl Hook {
    async fn send(&self, envelope: &Envelope) -> Result<String> {
        let MessageProfile { phone_number, otp_code } = &envelope.data.message_profile;
        let now = OffsetDateTime::now_utc();
        let date = now.format(&Rfc2822)?.replace("+0000", "GMT");
        let body = json!({
            "from": "12345",
            "smsRecipients": [{
                "to": phone_number,
                "repeatabilityRequestId": repeatability_id(&envelope.event_id),
                "repeatabilityFirstSent": date,
            }],
            "message": format!("Your verification code is {otp_code}"),
            "smsSendOptions": { "enableDeliveryReport": true, "tag": envelope.event_id },
        })
        .to_string();
        let hash = BASE64_STANDARD.encode(Sha256::digest(&body));
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.access_key)?;
        mac.update(format!("POST\n{TARGET}\n{date};{};{hash}", self.acs).as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let request = self
            .client
            .post(format!("http://{}{TARGET}", self.acs))
            .header("content-type", "application/json")
            .header("x-ms-date", date)
            .header("x-ms-content-sha256", hash)
            .header(
                "authorization",
                format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"),
            )
            .body(body);
        let answer = request.send().await?.error_for_status()?.bytes().await?;
        let answer: Value = serde_json::from_slice(&answer)?;
        let id = answer["value"][0]["messageId"].as_str().context("ACS told no message id")?;
        Ok(id.to_owned())
    }
}

/// The same for the same event, so that ACS sends it once.
fn repeatability_id(event_id: &str) -> String {
    let hash = Sha256::digest(event_id);
    hash[..16].iter().fold(String::new(), |mut id, byte| {
        if [8, 13, 18, 23].contains(&id.len()) {
            id.push('-');
        }
        _ = write!(id, "{byte:02x}");
        id
    })
}
