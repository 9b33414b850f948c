//! The two documents as serde reads them: nothing is checked yet but the types. The fields are the keys of
//! [`super::keys`].

use serde::Deserialize;

use super::document::{Named, Said};

/// The document `settings`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SettingsDocument {
    pub(super) public_url: Said<String>,
    pub(super) okta: Said<Okta>,
    pub(super) policy: Said<Policy>,
    pub(super) limits: Said<Limits>,
    pub(super) message: Said<Message>,
    pub(super) voice: Said<Voice>,
    pub(super) providers: Said<Vec<Said<Provider>>>,
    pub(super) reports: Said<Reports>,
    pub(super) records: Said<Records>,
    pub(super) canary: Said<Canary>,
    pub(super) guard: Said<Guard>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Okta {
    pub(super) response_format: Said<String>,
    pub(super) deadline_ms: Said<u64>,
    pub(super) header_name: Said<String>,
    pub(super) oauth: Said<OAuth>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OAuth {
    pub(super) issuer: Said<String>,
    pub(super) audience: Said<String>,
    pub(super) client_id: Said<String>,
    pub(super) scope: Said<String>,
    pub(super) jwks_uri: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    pub(super) sending: Said<bool>,
    pub(super) mode: Said<String>,
    pub(super) refusal_status: Said<String>,
    pub(super) allowed_countries: Said<Vec<Said<String>>>,
    pub(super) blocked_countries: Said<Vec<Said<String>>>,
    pub(super) enrollment_allowed_countries: Said<Vec<Said<String>>>,
    pub(super) blocked_prefixes: Said<Vec<Said<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Limits {
    pub(super) per_number: Said<String>,
    pub(super) per_user: Said<String>,
    pub(super) per_ip: Said<String>,
    pub(super) per_prefix: Said<String>,
    pub(super) total: Said<String>,
    pub(super) enrollment_total: Said<String>,
    pub(super) calls_per_number: Said<String>,
    pub(super) calls_total: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) org_name: Said<String>,
    pub(super) web_otp_domain: Said<String>,
    pub(super) max_segments: Said<u32>,
    pub(super) templates: Said<Named<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Voice {
    pub(super) templates: Said<Named<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Provider {
    pub(super) kind: Said<String>,
    pub(super) name: Said<String>,
    pub(super) api_version: Said<String>,
    pub(super) messaging_connect: Said<MessagingConnect>,
    pub(super) delivery_report_timeout: Said<String>,
    pub(super) base_url: Said<String>,
    pub(super) customer_id: Said<String>,
    pub(super) idempotent: Said<bool>,
    pub(super) india_dlt: Said<IndiaDlt>,
    pub(super) account_sid: Said<String>,
    pub(super) countries: Said<Vec<Said<String>>>,
    pub(super) share: Said<f64>,
    pub(super) senders: Said<Named<String>>,
    pub(super) voice: Said<bool>,
    pub(super) voice_from: Said<String>,
    pub(super) feedback: Said<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MessagingConnect {
    pub(super) partner: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct IndiaDlt {
    pub(super) principal_entity_id: Said<String>,
    pub(super) content_template_id: Said<String>,
    pub(super) telemarketer_id: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Reports {
    pub(super) ask_acs: Said<bool>,
    pub(super) oauth: Said<OAuth>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Records {
    pub(super) slots: Said<u32>,
    pub(super) max_age: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Canary {
    pub(super) numbers: Said<Vec<Said<String>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Guard {
    pub(super) mode: Said<String>,
    pub(super) home_countries: Said<Vec<Said<String>>>,
    pub(super) exempt_prefixes: Said<Vec<Said<String>>>,
    pub(super) lifted: Said<Vec<Said<String>>>,
    pub(super) matures_after: Said<String>,
    pub(super) slots: Said<u32>,
    pub(super) block: Said<GuardRule>,
    pub(super) country: Said<GuardRule>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GuardRule {
    pub(super) sends: Said<u32>,
    pub(super) numbers: Said<u32>,
    pub(super) used: Said<f64>,
}

/// The document `secrets`. It has no `Debug`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SecretsDocument {
    pub(super) okta: Said<OktaSecrets>,
    pub(super) operator: Said<SecretPair>,
    pub(super) reports: Said<SecretPair>,
    pub(super) events: Said<SecretPair>,
    pub(super) providers: Said<Named<ProviderSecrets>>,
    pub(super) store: Said<StoreSecrets>,
    pub(super) application_insights: Said<ConnectionSecret>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OktaSecrets {
    pub(super) basic_secret: Said<String>,
    pub(super) basic_secret_previous: Said<String>,
    pub(super) header_secret: Said<String>,
    pub(super) header_secret_previous: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SecretPair {
    pub(super) secret: Said<String>,
    pub(super) secret_previous: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ProviderSecrets {
    pub(super) connection_string: Said<String>,
    pub(super) messaging_connect: Said<Named<String>>,
    pub(super) api_key: Said<String>,
    pub(super) api_key_sid: Said<String>,
    pub(super) api_key_secret: Said<String>,
    pub(super) auth_token: Said<String>,
    pub(super) auth_token_previous: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct StoreSecrets {
    pub(super) secret: Said<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConnectionSecret {
    pub(super) connection_string: Said<String>,
}
