//! Events of Okta's System Log, as its event hook delivers them.
//!
//! Sources: the schema `LogEvent` of Okta's Management API, its catalogue of event types, "Event hooks" (Okta's developer
//! documentation), and rows of a real System Log.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::call::{Channel, moment};
use super::people::Person;

/// How somebody proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Password,
    /// By a code that came to the phone.
    Phone(Channel),
    /// By a push to Okta Verify.
    Push,
}

/// Somebody has signed in, or typed a wrong code. Identity Engine tells each method: the password, too.
pub fn signed_in(person: &Person, method: Method, is_right: bool, at: OffsetDateTime) -> Value {
    let (factor, credential, enrolment, name, used) = match method {
        Method::Password => {
            ("PASSWORD_AS_FACTOR", Value::Null, "lae1fictionalfact1d7", "Password", "Password")
        }
        Method::Phone(Channel::Sms) => {
            ("SMS_FACTOR", "SMS".into(), "sms1fictionalfact1d7", "Phone", "SMS")
        }
        Method::Phone(Channel::Call) => {
            ("CALL_FACTOR", Value::Null, "clf1fictionalfact1d7", "Phone", "VOICE")
        }
        Method::Push => {
            let used = "Get a push notification";
            ("OKTA_VERIFY_PUSH", Value::Null, "opf1fictionalfact1d7", "Okta Verify", used)
        }
    };
    let outcome = match is_right {
        true => json!({ "result": "SUCCESS", "reason": null }),
        false => json!({ "result": "FAILURE", "reason": "INVALID_CREDENTIALS" }),
    };
    let mut event = of_person(
        ["user.authentication.auth_via_mfa", "Authentication of user via MFA"],
        person,
        outcome,
        at,
    );
    let authenticator = json!({
        "id": enrolment, "type": "AuthenticatorEnrollment", "alternateId": "unknown",
        "displayName": name, "detailEntry": { "methodTypeUsed": used },
    });
    event["target"] = json!([user(person), authenticator]);
    event["debugContext"]["debugData"]["factor"] = factor.into();
    event["debugContext"]["debugData"]["factorIntent"] = "LOGIN".into();
    event["debugContext"]["debugData"]["requestUri"] = "/idp/idx/challenge/answer".into();
    event["authenticationContext"]["credentialType"] = credential;
    event
}

/// A phone is enrolled. Okta tells it twice, for SMS and for calls, "typically … with the exact same timestamp",
/// whichever brought the passcode ("Duplicated user.mfa.factor.activate events", Okta's support).
pub fn enrolled(person: &Person, at: OffsetDateTime) -> [Value; 2] {
    ["SMS_FACTOR", "CALL_FACTOR"].map(|factor| {
        let reason = format!("User set up {factor} factor");
        let outcome = json!({ "result": "SUCCESS", "reason": reason });
        of_person(["user.mfa.factor.activate", "Activate factor for user"], person, outcome, at)
    })
}

/// A passcode to enrol a phone was sent: by the hook, or by Okta's own provider, since the hook failed. There is no such
/// event of a sign-in.
pub fn sent(person: &Person, channel: Channel, by_okta: bool, at: OffsetDateTime) -> Value {
    let (kinds, failover) = match channel {
        Channel::Sms => (
            ["system.sms.send_phone_verification_message", "Send phone verification SMS message"],
            "isSmsHookFailover",
        ),
        Channel::Call => (
            ["system.voice.send_phone_verification_call", "Send phone verification call"],
            "isCallHookFailover",
        ),
    };
    let mut event = of_person(kinds, person, json!({ "result": "SUCCESS", "reason": null }), at);
    let debug = &mut event["debugContext"]["debugData"];
    debug["phoneNumber"] = person.number.as_str().into();
    debug["countryCallingCode"] = "1".into();
    debug["countryCodeIso2"] = "US".into();
    debug[failover] = by_okta.to_string().into();
    event
}

/// Okta has given up on the hook.
pub fn hook_given_up(person: &Person, at: OffsetDateTime) -> Value {
    let outcome = json!({ "result": "FAILURE", "reason": "timeout" });
    let mut event =
        of_person(["inline_hook.executed", "Inline hook executed"], person, outcome, at);
    event["severity"] = "WARN".into();
    event["target"] = json!([{
        "id": "cal1fictionalhook1d7", "type": "Inline Hook", "alternateId": "OTP gateway",
        "displayName": "OTP gateway", "detailEntry": null,
    }]);
    event["debugContext"]["debugData"]["inlineHookType"] = "com.okta.telephony.provider".into();
    event["debugContext"]["debugData"]["errorMessage"] = "INTERNAL_ERROR".into();
    event
}

/// A delivery of these events.
pub fn envelope(events: &[Value], at: OffsetDateTime) -> String {
    json!({
        "eventType": "com.okta.event_hook",
        "eventTypeVersion": "1.0",
        "cloudEventsVersion": "0.1",
        "source": "https://example.okta.com/api/v1/eventHooks/who1fictional0000001d7",
        "eventId": Uuid::new_v4().to_string(),
        "eventTime": moment(at),
        "contentType": "application/json",
        "data": { "events": events },
    })
    .to_string()
}

/// What all events have; the type comes with what Okta shows for it.
fn of_person(
    [kind, display]: [&str; 2],
    person: &Person,
    outcome: Value,
    at: OffsetDateTime,
) -> Value {
    let request = Uuid::new_v4().simple().to_string();
    json!({
        "uuid": Uuid::new_v4().to_string(),
        "published": moment(at),
        "eventType": kind,
        "version": "0",
        "severity": "INFO",
        "displayMessage": display,
        "legacyEventType": null,
        "actor": user(person),
        "client": {
            "userAgent": { "rawUserAgent": "Mozilla/5.0", "os": "Mac OS X", "browser": "CHROME" },
            "zone": "null", "device": "Computer", "id": null, "ipAddress": person.ip_address,
            "geographicalContext": {
                "city": "Springfield", "state": "Oregon", "country": "United States",
                "postalCode": "97477", "geolocation": { "lat": 44.05, "lon": -123.02 },
            },
        },
        "device": null,
        "outcome": outcome,
        "target": [user(person)],
        "transaction": { "type": "WEB", "id": request, "detail": {} },
        "debugContext": { "debugData": { "requestId": request } },
        "authenticationContext": {
            "authenticationProvider": "FACTOR_PROVIDER",
            "credentialProvider": "OKTA_CREDENTIAL_PROVIDER",
            "credentialType": null, "issuer": null, "authenticationStep": 0,
            "externalSessionId": "idxFictionalSession000000", "interface": null,
        },
        "securityContext": {
            "asNumber": null, "asOrg": null, "isp": null, "domain": null, "isProxy": null,
        },
    })
}

fn user(person: &Person) -> Value {
    json!({
        "id": person.user_id, "type": "User", "alternateId": person.login,
        "displayName": person.name, "detailEntry": null,
    })
}
