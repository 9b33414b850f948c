//! The report of one message, for which its provider is asked: for who has no Event Grid, when the operator looks at
//! a message that has none.

use std::fmt;
use std::time::Duration;

use super::event_grid;
use super::taken;
use crate::outcome::TakenReport;
use crate::ports::Ports;
use crate::providers::{Asked, Provider};
use crate::records::canonical_id;
use crate::records::store::Records;
use crate::settings::Settings;

/// The time in which all who may know are asked. The operator waits for it.
const TIME: Duration = Duration::from_secs(5);

const NOT_UNDERSTOOD: &str = "ACS answered with what is no report of this message: look at the proxies on the way to it, \
     and tell Azure's support the message id.";

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoReport {
    /// ACS has none: whether it will, it does not say.
    NotYetOrNever,
    /// It could not be asked, or what it said not be kept: what to do.
    Failed(String),
}

impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotYetOrNever => {
                "ACS has no report of this message (404): it has not come yet, or never will. Look again in a minute."
            }
            Self::Failed(fix) => fix,
        })
    }
}

/// Asks for the report of a message, and writes it down as if Event Grid had brought it. `taken_by` is the provider that
/// took the message, where a record says so: then nobody but its account is asked. `None` where nobody is asked:
/// `reports.ask_acs` is off, or no provider can be asked, or no message has such an id.
pub fn ask(
    settings: &Settings,
    message_id: &str,
    taken_by: Option<&str>,
    ports: Ports<'_>,
) -> Option<Result<TakenReport, NoReport>> {
    let (Ok(true), Ok(providers), Ok(Some(bounds))) =
        (&settings.asks_acs, &settings.providers, &settings.records)
    else {
        return None;
    };
    if !event_grid::is_message_id(message_id) {
        return None;
    }
    let until = ports.clock.instant().plus(TIME);
    let mut without: Vec<&Provider> = Vec::new();
    let mut failed = None;
    // Without a record, or where the provider has left the settings, any of them may have taken it.
    let taker = taken_by.and_then(|name| providers.iter().find(|it| it.name == name));
    for provider in providers {
        if taker.is_some_and(|taker| !taker.is_same_account(provider)) {
            continue;
        }
        if without.iter().any(|it| it.is_same_account(provider)) {
            continue;
        }
        let Some(asked) = provider.api.ask_for_report(&provider.name, message_id, ports, until)
        else {
            continue;
        };
        let fix = match asked {
            Asked::Nothing => {
                without.push(provider);
                continue;
            }
            Asked::Failed(fix) => fix,
            Asked::Report(body) => match event_grid::answer(&body, ports.clock.milliseconds()) {
                Ok(report) if report.message_id.as_str() == canonical_id(message_id) => {
                    let records = Records::new(*bounds, ports);
                    let by_id = [(report.message_id.as_str(), report.reported.clone())];
                    let told = records.report(&by_id).pop().flatten();
                    let told = told.ok_or_else(|| NoReport::Failed(records.fix().into_owned()));
                    let canaries = settings.recorded_canaries();
                    return Some(told.map(|told| taken(report, told, &canaries)));
                }
                _ => NOT_UNDERSTOOD.to_owned(),
            },
        };
        failed = failed.or(Some(fix));
    }
    match failed {
        Some(fix) => Some(Err(NoReport::Failed(fix))),
        None => (!without.is_empty()).then_some(Err(NoReport::NotYetOrNever)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SendError;
    use crate::ports::fake::{FakeAnswer, FakeHost, FakeRequest};
    use crate::records::{Accepted, Status};
    use crate::sender::SenderKind;
    use crate::{After, Handled};
    use serde_json::{Value, json};

    /// `operator:look-only`.
    const OPERATOR: &str = "Basic b3BlcmF0b3I6bG9vay1vbmx5";

    const ID: &str = "20200610203725bfd4ba70-70bf-4f77-925d-c0bdb5161bb3";

    const PATH: &str =
        "/api/deliveries/Outgoing_20200610203725bfd4ba70-70bf-4f77-925d-c0bdb5161bb3";

    /// A provider that can't be asked.
    const INFOBIP: &str = "[[providers]]\nkind = \"infobip\"\nsenders.default = \"CONTOSO\"\n\
                           base_url = \"https://a.api.infobip.com\"\n";

    /// The authorities of two resources.
    const FIRST: &str = "contoso.communication.azure.com";
    const SECOND: &str = "second.communication.azure.com";

    const NOTHING: (Duration, Result<FakeAnswer, SendError>) =
        (Duration::from_millis(20), Err(SendError::NotConnected));

    /// A report as the specification's example has it.
    fn report(status: &str) -> (Duration, Result<FakeAnswer, SendError>) {
        let body = json!({
            "deliveryStatus": status,
            "deliveryStatusDetails": "2000: No Error",
            "deliveryAttempts":
                [{ "timestamp": "2026-01-31T12:00:01Z", "segmentsSucceeded": 1, "segmentsFailed": 0 }],
            "receivedTimestamp": "2026-01-31T12:00:02Z",
            "tag": "okta:uS58",
            "messageId": ID,
            "from": "+15550100100",
            "to": "+15550100123",
        });
        FakeAnswer::of(200, &body.to_string())
    }

    fn host(settings: &str) -> FakeHost {
        FakeHost::default().with_settings(settings).with_secrets("operator.secret = \"look-only\"")
    }

    /// A host with a message that has no report.
    fn with_message(settings: &str) -> FakeHost {
        with_message_by("acs", host(settings))
    }

    /// The same, of a message that this provider took.
    fn with_message_by(provider: &str, host: FakeHost) -> FakeHost {
        let accepted = Accepted {
            at: crate::ports::milliseconds(host.now),
            event_id: Some("uS58".into()),
            request_type: None,
            region: None,
            provider: provider.into(),
            sender_type: SenderKind::Shortcode,
            attempts: 1,
            segments: 1,
            number: [7; 16],
            trace: None,
        };
        let Ok(Some(bounds)) = Settings::read(&host).records else { panic!() };
        Records::new(bounds, host.ports()).accept(ID, &accepted).unwrap();
        host
    }

    fn look(host: &FakeHost) -> (u16, Value, Handled) {
        let mut request = FakeRequest::hook("");
        request.method = "GET";
        request.path = PATH;
        request.headers = vec![("authorization", OPERATOR.into())];
        let handled = crate::handle(&mut request, host.ports());
        let body = serde_json::from_slice(&handled.response.body).unwrap();
        (handled.response.status, body, handled)
    }

    const ASKS: &str = "reports.ask_acs = true";

    #[test]
    fn a_report_that_is_asked_for_is_kept_and_told_as_one_of_event_grid() {
        let host = with_message(ASKS).answering([report("Delivered")]);
        let (status, body, handled) = look(&host);
        assert_eq!((status, &body["status"]), (200, &"delivered".into()), "{body}");
        assert_eq!((&body["timeToReportMs"], body.get("noReport")), (&2000.into(), None));
        assert!(handled.log.contains(r#""event":"delivery_report""#), "{}", handled.log);
        assert!(!handled.log.contains("5550100"), "{}", handled.log);
        let After::Reports(answered) = handled.after else { panic!() };
        assert!(answered.reports[0].is_news);
        assert_eq!(answered.reports[0].reported.status(), Status::Delivered);
        // It is known now, and nobody is asked again.
        let (_, body, handled) = look(&host);
        assert_eq!((&body["status"], host.sent.borrow().len()), (&"delivered".into(), 1));
        assert!(matches!(handled.after, After::Nothing));
    }

    #[test]
    fn a_message_that_is_not_remembered_is_asked_for_too() {
        let host = host(ASKS).answering([report("Failed")]);
        let (status, body, _) = look(&host);
        assert_eq!((status, &body["status"]), (200, &"failed".into()), "{body}");
        let nobodys = self::host(ASKS).answering(vec![FakeAnswer::of(404, ""); 2]);
        let (status, body, _) = look(&nobodys);
        let told = body["error"].as_str().unwrap();
        assert!(status == 404 && told.contains("not come yet, or never will"), "{told}");
    }

    #[test]
    fn nobody_is_asked_unless_the_owner_says_so_and_a_provider_can_be() {
        let infobip = [INFOBIP, "[reports]\nask_acs = true"].concat();
        for (host, status) in [
            (with_message(""), 200),
            (with_message("reports.ask_acs = false"), 200),
            (with_message("reports.ask_acs = 1"), 200),
            (
                with_message(&infobip)
                    .with("acs_connection_string", "")
                    .with("acs_from_shortcode", "")
                    .with_secrets(
                        "operator.secret = \"look-only\"\nproviders.infobip.api_key = \"k\"",
                    ),
                200,
            ),
            (host("reports.ask_acs = true\nrecords.slots = 0"), 404),
        ] {
            let (answered, body, _) = look(&host);
            assert_eq!((answered, body.get("noReport")), (status, None), "{body}");
            assert!(host.sent.borrow().is_empty());
        }
    }

    /// Two resources, of which the first is there with both of its keys, and a provider that can't be asked.
    fn two_resources() -> FakeHost {
        let settings = ["acs", "acs-2", "b"]
            .map(|name| format!("[[providers]]\nkind = \"acs\"\nname = \"{name}\"\n"));
        let settings = [&settings.concat(), INFOBIP, "[reports]\nask_acs = true"].concat();
        let secret = |name: &str, host: &str| {
            format!(
                "\nproviders.{name}.connection_string = \"endpoint=https://{host}/;accesskey=b3RoZXI=\""
            )
        };
        let secrets = [
            "operator.secret = \"look-only\"",
            &secret("acs-2", FIRST),
            &secret("b", SECOND),
            "\nproviders.infobip.api_key = \"k\"",
        ];
        host(&settings).with_secrets(&secrets.concat())
    }

    #[test]
    fn nobody_but_the_account_that_took_the_message_is_asked() {
        let none = || vec![FakeAnswer::of(404, ""); 2];
        for (provider, of_first, of_second) in
            [("acs-2", 2, 0), ("b", 0, 2), ("gone", 2, 2), ("infobip", 0, 0)]
        {
            let host = with_message_by(provider, two_resources())
                .answering_at(FIRST, none())
                .answering_at(SECOND, none());
            let (_, body, _) = look(&host);
            let sent = host.sent.borrow();
            let to = |authority| sent.iter().filter(|it| it.authority == authority).count();
            assert_eq!((to(FIRST), to(SECOND)), (of_first, of_second), "{provider} {body}");
            assert_eq!(body.get("noReport").is_some(), provider != "infobip", "{body}");
        }
    }

    #[test]
    fn each_resource_is_asked_until_one_has_the_report() {
        let none = || FakeAnswer::of(404, "");
        let broken = || FakeAnswer::of(503, "");
        for (first, second, status, no_report) in [
            (vec![none(), none()], vec![report("Delivered")], "delivered", None),
            (vec![none(), none()], vec![none(), none()], "accepted", Some("never will")),
            // Its other key may be taken.
            (vec![FakeAnswer::of(401, ""), report("Delivered")], vec![], "delivered", None),
            (vec![broken(), none(), none()], vec![none(), none()], "accepted", Some("(503)")),
            (vec![NOTHING, broken()], vec![report("Failed")], "failed", None),
        ] {
            let host = with_message_by("gone", two_resources())
                .answering_at(FIRST, first)
                .answering_at(SECOND, second);
            let (_, body, handled) = look(&host);
            assert_eq!(body["status"], status, "{body}");
            let told = body["noReport"].as_str();
            assert_eq!(told.is_some(), no_report.is_some(), "{body}");
            assert!(told.unwrap_or_default().contains(no_report.unwrap_or_default()), "{body}");
            let is_fault = no_report == Some("(503)");
            assert_eq!(handled.log.contains("Azure's status"), is_fault, "{}", handled.log);
        }
    }

    #[test]
    fn all_of_them_together_have_five_seconds() {
        let hangs = || vec![(Duration::from_secs(60), Err(SendError::Late)); 2];
        let host = with_message_by("gone", two_resources())
            .answering_at(FIRST, hangs())
            .answering_at(SECOND, hangs());
        let before = host.instant.get();
        let (_, body, _) = look(&host);
        assert!(body["noReport"].as_str().unwrap().contains("had not answered"), "{body}");
        assert_eq!(host.instant.get().since(before), Duration::from_secs(5));
    }

    #[test]
    fn what_is_no_report_of_the_message_is_not_kept_and_not_shown() {
        let other = ID.replace("2020", "2021");
        for body in [
            "",
            "[]",
            r#"{"deliveryStatus":"Delivered","to":"+15550100123"}"#,
            &format!(
                r#"{{"deliveryStatus":"Delivered","messageId":"{other}","to":"+15550100123"}}"#
            ),
        ] {
            let host = with_message(ASKS).answering([FakeAnswer::of(200, body)]);
            let (_, shown, handled) = look(&host);
            assert_eq!(shown["status"], "accepted", "{shown}");
            assert!(shown["noReport"].as_str().unwrap().contains("no report of this message"));
            assert!(!format!("{shown}{}", handled.log).contains("5550100"), "{shown}");
        }
    }
}
