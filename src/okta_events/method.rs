//! By which method a person has proven who they are, as an event tells it.
//!
//! Okta names the method in several places, which differ between its two engines, and promises none of them: "Both key
//! names and values may change from release to release" (Okta's Management API, `debugContext.debugData`). So they are
//! looked at in an order, and the first that says something that is known decides.

use serde_json::Value;

use super::event::{target, text};
use crate::message::Channel;

/// By which method a person has proven who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a passcode that came to the phone, on this channel where that is told.
    Phone(Option<Channel>),
    /// By what an attacker has to work for: a push, a passcode of an app, a security key.
    Strong,
    /// By what costs an attacker nothing for an account of their own: a password, a security question, an e-mail.
    Weak,
}

const SMS: Method = Method::Phone(Some(Channel::Sms));
const CALL: Method = Method::Phone(Some(Channel::Call));

/// The names of methods, as Okta writes them in any of the places, in upper case and with `_` for what separates words.
const NAMES: [(&str, Method); 32] = [
    ("SMS_FACTOR", SMS),
    ("SMS", SMS),
    ("CALL_FACTOR", CALL),
    ("CALL", CALL),
    ("VOICE", CALL),
    ("PHONE", Method::Phone(None)),
    ("EMAIL_FACTOR", Method::Weak),
    ("EMAIL", Method::Weak),
    ("PASSWORD_AS_FACTOR", Method::Weak),
    ("PASSWORD", Method::Weak),
    ("SECURITY_QUESTION", Method::Weak),
    ("QUESTION", Method::Weak),
    ("OKTA_VERIFY_PUSH", Method::Strong),
    ("PUSH", Method::Strong),
    ("GET_A_PUSH_NOTIFICATION", Method::Strong),
    ("OKTA_VERIFY", Method::Strong),
    ("SIGNED_NONCE", Method::Strong),
    ("USE_OKTA_FASTPASS", Method::Strong),
    ("OKTA_SOFT_TOKEN", Method::Strong),
    ("SOFT_TOKEN", Method::Strong),
    ("TOKEN:SOFTWARE:TOTP", Method::Strong),
    ("TOKEN:HARDWARE", Method::Strong),
    ("TOKEN:HOTP", Method::Strong),
    ("TOKEN", Method::Strong),
    ("GOOGLE_OTP", Method::Strong),
    ("GOOGLE_AUTHENTICATOR", Method::Strong),
    ("FIDO_WEBAUTHN", Method::Strong),
    ("FIDO_U2F", Method::Strong),
    ("WEBAUTHN", Method::Strong),
    ("SECURITY_KEY_OR_BIOMETRIC", Method::Strong),
    ("YUBIKEY_TOKEN", Method::Strong),
    ("SMART_CARD", Method::Strong),
];

/// What the `outcome.reason` of an enrolment contains, as in `User set up CALL_FACTOR factor`.
const IN_REASONS: [&str; 4] = ["SMS_FACTOR", "CALL_FACTOR", "OKTA_VERIFY_PUSH", "OKTA_SOFT_TOKEN"];

/// What the ids of enrolments begin with.
const ID_PREFIXES: [(&str, Method); 6] = [
    ("sms", SMS),
    ("clf", CALL),
    ("emf", Method::Weak),
    ("lae", Method::Weak),
    ("opf", Method::Strong),
    ("pfd", Method::Strong),
];

impl Method {
    /// The method of an event; `None` where nothing in it is known.
    pub(super) fn of(event: &Value) -> Option<Self> {
        let named = |at: &str| named(text(event, at)?);
        let enrolment = target(event, "AuthenticatorEnrollment");
        let of_enrolment = |at: &str| text(enrolment?, at);
        named("/debugContext/debugData/factor")
            .or_else(|| named("/debugContext/debugData/factorType"))
            // Of a passcode it says `OTP`, whether that came by a call or from an app: this is no name above.
            .or_else(|| named("/authenticationContext/credentialType"))
            .or_else(|| in_reason(text(event, "/outcome/reason")?))
            .or_else(|| self::named(of_enrolment("/detailEntry/methodTypeUsed")?))
            .or_else(|| by_id(of_enrolment("/id")?))
            .or_else(|| self::named(of_enrolment("/displayName")?))
    }
}

fn named(name: &str) -> Option<Method> {
    let name = name.trim().replace([' ', '-'], "_");
    let found = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    found.map(|(_, method)| *method)
}

fn in_reason(reason: &str) -> Option<Method> {
    IN_REASONS.iter().find(|name| reason.contains(**name)).and_then(|name| named(name))
}

fn by_id(id: &str) -> Option<Method> {
    ID_PREFIXES.iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, method)| *method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// An event that says in each of the places what is given, from the first to the last.
    fn event(
        factor: &str,
        credential_type: &str,
        reason: &str,
        [method, id, name]: [&str; 3],
    ) -> Value {
        json!({
            "debugContext": {"debugData": {"factor": factor}},
            "authenticationContext": {"credentialType": credential_type},
            "outcome": {"result": "SUCCESS", "reason": reason},
            "target": [
                {"type": "User", "id": "sms1", "displayName": "Email"},
                {"type": "AuthenticatorEnrollment", "id": id, "displayName": name,
                    "detailEntry": {"methodTypeUsed": method}},
            ],
        })
    }

    #[test]
    fn the_first_place_that_says_something_known_decides() {
        const PHONE: Option<Method> = Some(Method::Phone(None));
        let (weak, strong) = (Some(Method::Weak), Some(Method::Strong));
        for (event, method) in [
            (event("SMS_FACTOR", "EMAIL", "CALL_FACTOR", ["Password", "lae1", "Email"]), Some(SMS)),
            (event("call", "SMS", "", ["SMS", "sms1", "Phone"]), Some(CALL)),
            (event("OKTA_VERIFY_PUSH", "SMS", "", ["SMS", "sms1", "Phone"]), strong),
            (event("SIGNED_NONCE", "", "", ["", "", ""]), strong),
            (event("PASSWORD_AS_FACTOR", "", "", ["", "", ""]), weak),
            (event("NEW_FACTOR", "SMS", "", ["Password", "lae1", "Email"]), Some(SMS)),
            (event("", "EMAIL", "SMS_FACTOR", ["SMS", "sms1", "Phone"]), weak),
            (event("", "OTP", "User set up CALL_FACTOR factor", ["SMS", "", ""]), Some(CALL)),
            (event("", "OTP", "User reset OKTA_SOFT_TOKEN factor", ["SMS", "", ""]), strong),
            (event("", "OTP", "User set up OKTA_VERIFY_PUSH factor", ["SMS", "", ""]), strong),
            (event("", "OTP", "INVALID_CREDENTIALS", ["VOICE", "sms1", "Phone"]), Some(CALL)),
            (event("", "", "", ["Get a push notification", "sms1", "Phone"]), strong),
            (event("", "", "", ["Use Okta FastPass", "sms1", "Phone"]), strong),
            (event("", "", "", ["Password", "sms1", "Phone"]), weak),
            (event("", "OTP", "", ["", "clf1", "Phone"]), Some(CALL)),
            (event("", "OTP", "", ["", "sms1", "Phone"]), Some(SMS)),
            (event("", "OTP", "", ["", "emf1", "Phone"]), weak),
            (event("", "OTP", "", ["", "opf1", "Phone"]), strong),
            (event("", "OTP", "", ["", "pfd1", "Phone"]), strong),
            (event("", "OTP", "", ["", "xyz1", "Phone"]), PHONE),
            (event("", "OTP", "", ["", "xyz1", "Okta Verify"]), strong),
            (event("", "OTP", "", ["", "xyz1", "Email"]), weak),
            (event("", "OTP", "", ["", "xyz1", "Phone of Ada"]), None),
            (json!({"debugContext": {"debugData": {"factorType": "sms"}}}), Some(SMS)),
            (
                json!({"debugContext": {"debugData": "SMS_FACTOR"}, "target": {"displayName": "Phone"}}),
                None,
            ),
            (json!({"target": [null, 1, {"type": "User", "displayName": "Phone"}]}), None),
            (json!({}), None),
        ] {
            assert_eq!(Method::of(&event), method, "{event}");
        }
    }
}
