//! The question what became of a message, per the REST API's `Delivery Reports - Get`, which version 2026-01-23 has.

use super::fix::{self, ClockOff};
use super::signature::sign;
use super::{Acs, NEWEST_API_VERSION};
use crate::ports::{Answer, BodyError, Instant, OutboundMethod, OutboundRequest, Ports, SendError};
use crate::providers::api::{ANSWER_LIMIT, Asked, without};
use crate::records::canonical_id;

/// Asks the resource, which `name` has in the settings, for the report of a message.
pub(super) fn ask(
    acs: &Acs,
    name: &str,
    message_id: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Asked {
    let failed = |error| {
        let refusal = without(error, name, acs);
        Asked::Failed(refusal.log_fix.unwrap_or(refusal.fix).into_owned())
    };
    for id in forms(message_id) {
        let mut answer = match get(acs, &id, ports, until) {
            Ok(answer) => answer,
            Err(error) => return failed(error),
        };
        let status = answer.status();
        // Headers are to be had until the body is read.
        let clock_off = answer.header("date").and_then(|it| ClockOff::by(&it, ports.clock.now()));
        match status {
            404 => {}
            200 => {
                return match answer.read(ANSWER_LIMIT, until) {
                    Ok(body) => Asked::Report(body),
                    Err(BodyError::Late) => failed(SendError::Late),
                    Err(BodyError::Broken) => failed(SendError::Broken),
                    Err(BodyError::TooLarge) => Asked::Failed(fix::of_question(status, name, None)),
                };
            }
            status => return Asked::Failed(fix::of_question(status, name, clock_off)),
        }
    }
    Asked::Nothing
}

fn get(
    acs: &Acs,
    message_id: &str,
    ports: Ports<'_>,
    until: Instant,
) -> Result<Box<dyn Answer>, SendError> {
    let path_and_query = format!("/deliveryReports/{message_id}?api-version={NEWEST_API_VERSION}");
    let authority = &acs.resource.authority;
    let now = ports.clock.now();
    let signature = sign(&acs.resource.access_key, "GET", authority, &path_and_query, now, b"");
    let request = OutboundRequest {
        method: OutboundMethod::Get,
        tls: acs.resource.tls,
        authority,
        path_and_query: &path_and_query,
        headers: &[
            ("x-ms-date", &signature.date),
            ("x-ms-content-sha256", &signature.content_sha256),
            ("authorization", &signature.authorization),
        ],
    };
    ports.http.send(&request, until)
}

/// How the id may have to be written. The specification does not say whether it wants the `Outgoing_` that some ids
/// have, and the records keep them without it; so as it was given, then with it, then without.
fn forms(message_id: &str) -> Vec<String> {
    let bare = canonical_id(message_id);
    let mut forms = vec![message_id.to_owned()];
    for form in [["Outgoing_", bare].concat(), bare.to_owned()] {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::super::connection_string::ConnectionString;
    use super::*;
    use crate::ports::fake::{FakeAnswer, FakeHost};
    use std::time::Duration;

    const ID: &str = "20200610203725bfd4ba70-70bf-4f77-925d-c0bdb5161bb3";

    fn acs() -> Acs {
        let resource = "endpoint=https://contoso.communication.azure.com/;accesskey=pw==";
        Acs {
            resource: ConnectionString::parse(resource).unwrap(),
            api_version: "2021-03-07".into(),
            messaging_connect: None,
            report_timeout: None,
        }
    }

    fn ask_with(host: &FakeHost, message_id: &str) -> Asked {
        let until = host.instant.get().plus(Duration::from_secs(5));
        ask(&acs(), "acs", message_id, host.ports(), until)
    }

    #[test]
    fn the_question_is_the_one_of_the_rest_api_whatever_version_sends() {
        let host = FakeHost::default().answering([FakeAnswer::of(200, "{}")]);
        assert_eq!(ask_with(&host, ID), Asked::Report(b"{}".to_vec()));
        let sent = host.sent.borrow();
        assert_eq!((sent[0].method, &*sent[0].body), ("GET", ""));
        let target = format!("/deliveryReports/{ID}?api-version=2026-01-23");
        assert_eq!(sent[0].path_and_query, target);
        let header = |name: &str| {
            let found = sent[0].headers.iter().find(|(it, _)| it == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        // Of nothing.
        let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(header("x-ms-content-sha256"), hash);
        let key = acs().resource.access_key;
        let signed = sign(&key, "GET", "contoso.communication.azure.com", &target, host.now, b"");
        assert_eq!(header("authorization"), signed.authorization);
    }

    #[test]
    fn an_id_is_asked_for_in_each_form_until_one_is_known() {
        let outgoing = ["Outgoing_", ID].concat();
        let with_region = [&outgoing, "_noam"].concat();
        for (given, asked) in [
            (ID, vec![ID, &outgoing]),
            (&outgoing, vec![&outgoing, ID]),
            (&with_region, vec![&with_region, &outgoing, ID]),
        ] {
            let nothing = vec![FakeAnswer::of(404, ""); 3];
            let host = FakeHost::default().answering(nothing);
            assert_eq!(ask_with(&host, given), Asked::Nothing);
            let id = |target: &str| {
                let id = target.strip_prefix("/deliveryReports/").unwrap();
                id.split('?').next().unwrap().to_owned()
            };
            let sent = host.sent.borrow();
            let sent: Vec<_> = sent.iter().map(|it| id(&it.path_and_query)).collect();
            assert_eq!(sent, asked);
        }
        let host =
            FakeHost::default().answering([FakeAnswer::of(404, ""), FakeAnswer::of(200, "second")]);
        assert_eq!(ask_with(&host, ID), Asked::Report(b"second".to_vec()));
    }

    #[test]
    fn a_question_that_is_not_answered_is_told_in_a_line_with_its_fix() {
        const KEY: &str = "acs_connection_string";
        let off = |(takes, answer): (Duration, Result<FakeAnswer, SendError>)| {
            let date = ("date", "Sat, 31 Jan 2026 12:17:10 GMT");
            (takes, answer.map(|it| FakeAnswer { headers: vec![date], ..it }))
        };
        for (answer, told) in [
            (FakeAnswer::of(401, ""), &["(401)", KEY, "clock"][..]),
            (off(FakeAnswer::of(401, "")), &["17 minutes behind", "(401)"]),
            (FakeAnswer::of(403, ""), &["(403)", KEY]),
            (FakeAnswer::of(400, ""), &["(400)", "2026-01-23", "reports.ask_acs"]),
            (FakeAnswer::of(302, ""), &["(302)", "reports.ask_acs"]),
            (FakeAnswer::of(429, ""), &["(429)", "minute"]),
            (FakeAnswer::of(503, ""), &["(503)", "Azure's status"]),
            ((Duration::ZERO, Err(SendError::NotConnected)), &["No connection", KEY]),
            ((Duration::ZERO, Err(SendError::NotAllowed)), &["set outbound_host1"]),
            ((Duration::from_secs(6), Err(SendError::Late)), &["had not answered"]),
            (FakeAnswer::of(200, &"x".repeat(ANSWER_LIMIT + 1)), &["(200)"]),
        ] {
            let host = FakeHost::default().answering([answer]);
            let Asked::Failed(fix) = ask_with(&host, ID) else { panic!("{told:?}") };
            assert!(told.iter().all(|it| fix.contains(it)), "{told:?}: {fix}");
            assert!(!fix.contains('\n'), "{fix}");
        }
    }
}
