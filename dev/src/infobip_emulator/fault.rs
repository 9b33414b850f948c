//! Faults that a developer asks for by sending to a number. Infobip itself has no such numbers.
//!
//! A fault that the ACS emulator has, too, has the same number there. None of the numbers can be anybody's: in the North
//! American Numbering Plan 555 is no area code and no exchange begins with 0.

use std::time::Duration;

use crate::fault_number::{self, number};
use crate::reply::{Spoilt, Times};

/// A number and what happens to a message to it.
pub type FaultNumber = fault_number::FaultNumber<Fault>;

/// What goes wrong. Faults come after the checks: a request with a wrong key is a 401 whatever the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The whole request gets this HTTP status and nothing of it is accepted.
    RefuseRequest {
        status: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
        form: ErrorForm,
        times: Times,
    },
    /// The request is answered with 200, and this message is refused in it, with the status of this id.
    RefuseMessage { status: u16, times: Times },
    /// No answer, and the connection stays open until the sender closes it.
    NeverAnswer,
    /// The connection is closed without an answer, and nothing is accepted.
    Cut,
    /// The message is accepted, but the answer is not what it should be.
    Accept(OddAnswer),
    /// The message is accepted and the answer is right, but no good delivery report follows.
    Report(OddReport),
}

/// The forms that the body of an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"errorCode":…,"description":…,"action":…,"violations":[],"resources":[]}`, that of SMS.
    ApiError,
    /// `{"requestError":{"serviceException":{"messageId":…,"text":…}}}`, that of older operations.
    RequestError,
    /// Nothing, as from a gateway in between.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddAnswer {
    /// Right but for this, which any provider's may have.
    Spoilt(Spoilt),
    /// `{"messages":[]}`.
    NoMessages,
    /// The message has no `messageId`.
    NoMessageId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddReport {
    /// It has the status of this id.
    Status(u16),
    /// It never comes.
    Never,
    /// There are two: the second one, done before the first, says that the message was not delivered. Infobip keeps no
    /// order.
    DeliveredOverFailed,
}

/// Every number that has a fault.
#[rustfmt::skip]
pub const FAULTS: &[FaultNumber] = &[
    number("+15550100400", refuse(400), "400 for the whole request, with a violation of the recipient's number"),
    number("+15550102400", refuse_with(400, ErrorForm::RequestError), "400 for the whole request, in the form of older operations"),
    number("+15550100401", refuse(401), "401 for the whole request, as for a wrong key"),
    number("+15550102401", refuse_with(401, ErrorForm::RequestError), "401, in the form of older operations"),
    number("+15550100403", refuse(403), "403 for the whole request, as for a key without the scope"),
    number("+15550100404", refuse_with(404, ErrorForm::RequestError), "404 for the whole request"),
    number("+15550100429", throttle(Some(1), Times::First), "429 with Retry-After: 1 the first time, then accepted"),
    number("+15550101429", throttle(Some(60), Times::Always), "429 with Retry-After: 60, always"),
    number("+15550102429", throttle(None, Times::Always), "429 without Retry-After, always"),
    number("+15550100500", refuse(500), "500, always"),
    number("+15550100502", refuse_with(502, ErrorForm::Empty), "502, always"),
    number("+15550100503", refuse_with(503, ErrorForm::Empty), "503, always"),
    number("+15550100504", refuse_with(504, ErrorForm::Empty), "504, always"),
    number("+15550102500", Fault::RefuseRequest { status: 500, retry_after: None, form: ErrorForm::ApiError, times: Times::First }, "500 the first time, then accepted"),
    number("+15550101401", refuse_message(11), "200 with status 11, REJECTED_SOURCE, as for a sender that the account does not have"),
    number("+15550101400", refuse_message(52), "200 with status 52, REJECTED_DESTINATION, as for a number that there is not"),
    number("+15550101503", refuse_message(21), "200 with status 21, REJECTED_SYSTEM_ERROR, always"),
    number("+15550102503", Fault::RefuseMessage { status: 21, times: Times::First }, "200 with status 21, REJECTED_SYSTEM_ERROR, the first time; then accepted"),
    number("+15550103001", Fault::NeverAnswer, "never answered; the connection stays open"),
    number("+15550103002", spoilt(Spoilt::Late(Duration::from_secs(2))), "accepted, answered 2 seconds late"),
    number("+15550103003", Fault::Cut, "the connection is closed without an answer, nothing is accepted"),
    number("+15550103004", spoilt(Spoilt::CutFirstTime), "accepted, then the connection is closed without an answer; a repeat is answered"),
    number("+15550103005", spoilt(Spoilt::NotJson), "accepted, but the answer's body is not JSON"),
    number("+15550103006", spoilt(Spoilt::Huge), "accepted, with an answer of 10 MiB"),
    number("+15550103007", spoilt(Spoilt::Trickle), "accepted; the answer's body comes a byte every 100 ms and never ends"),
    number("+15550103008", Fault::Accept(OddAnswer::NoMessages), "accepted, but the answer is {\"messages\":[]}"),
    number("+15550103009", Fault::Accept(OddAnswer::NoMessageId), "accepted, but the answer has no messageId"),
    number("+15550103010", spoilt(Spoilt::Half), "accepted, but the answer breaks off in the middle"),
    number("+15550108004", refuse_message(4), "200 with status 4, UNDELIVERABLE_REJECTED_OPERATOR"),
    number("+15550108006", refuse_message(6), "200 with status 6, REJECTED_NETWORK"),
    number("+15550108008", refuse_message(8), "200 with status 8, REJECTED_PREFIX_MISSING"),
    number("+15550108009", refuse_message(9), "200 with status 9, UNDELIVERABLE_NOT_DELIVERED"),
    number("+15550108010", refuse_message(10), "200 with status 10, REJECTED_DND"),
    number("+15550108012", refuse_message(12), "200 with status 12, REJECTED_NOT_ENOUGH_CREDITS"),
    number("+15550108013", refuse_message(13), "200 with status 13, REJECTED_SENDER"),
    number("+15550108014", refuse_message(14), "200 with status 14, REJECTED_DESTINATION_BLOCKLISTED"),
    number("+15550108017", refuse_message(17), "200 with status 17, REJECTED_PREPAID_PACKAGE_EXPIRED"),
    number("+15550108018", refuse_message(18), "200 with status 18, REJECTED_DESTINATION_NOT_REGISTERED"),
    number("+15550108019", refuse_message(19), "200 with status 19, REJECTED_ROUTE_NOT_AVAILABLE"),
    number("+15550108020", refuse_message(20), "200 with status 20, REJECTED_FLOODING_FILTER"),
    number("+15550108025", refuse_message(25), "200 with status 25, REJECTED_MESSAGE_TOO_LONG"),
    number("+15550108029", refuse_message(29), "200 with status 29, EXPIRED_DLR_UNKNOWN, which says that it may have arrived"),
    number("+15550108031", refuse_message(31), "200 with status 31, UNDELIVERABLE_NOT_SENT"),
    number("+15550108051", refuse_message(51), "200 with status 51, MISSING_TO"),
    number("+15550108087", refuse_message(87), "200 with status 87, SIGNALS_BLOCKED"),
    number("+15550108100", refuse_message(100), "200 with status 100, UNDELIVERABLE_REJECTED_PLATFORM"),
    number("+15550107004", report(OddReport::Status(4)), "the report says 4, UNDELIVERABLE_REJECTED_OPERATOR"),
    number("+15550107009", report(OddReport::Status(9)), "the report says 9, UNDELIVERABLE_NOT_DELIVERED"),
    number("+15550107015", report(OddReport::Status(15)), "the report says 15, EXPIRED_EXPIRED"),
    number("+15550107029", report(OddReport::Status(29)), "the report says 29, EXPIRED_DLR_UNKNOWN"),
    number("+15550107031", report(OddReport::Status(31)), "the report says 31, UNDELIVERABLE_NOT_SENT"),
    number("+15550107087", report(OddReport::Status(87)), "the report says 87, SIGNALS_BLOCKED"),
    number("+15550106001", report(OddReport::Never), "the report never comes"),
    number("+15550106002", report(OddReport::DeliveredOverFailed), "a report says 5, DELIVERED_TO_HANDSET, then comes an older one: 9, UNDELIVERABLE_NOT_DELIVERED"),
];

/// The fault of a number, if it has one.
pub fn lookup(number: &str) -> Option<&'static FaultNumber> {
    fault_number::find(FAULTS, number)
}

const fn refuse(status: u16) -> Fault {
    refuse_with(status, ErrorForm::ApiError)
}

const fn refuse_with(status: u16, form: ErrorForm) -> Fault {
    Fault::RefuseRequest { status, retry_after: None, form, times: Times::Always }
}

const fn throttle(retry_after: Option<u32>, times: Times) -> Fault {
    Fault::RefuseRequest { status: 429, retry_after, form: ErrorForm::ApiError, times }
}

const fn refuse_message(status: u16) -> Fault {
    Fault::RefuseMessage { status, times: Times::Always }
}

const fn spoilt(how: Spoilt) -> Fault {
    Fault::Accept(OddAnswer::Spoilt(how))
}

const fn report(odd: OddReport) -> Fault {
    Fault::Report(odd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infobip_emulator::status::Status;

    #[test]
    fn a_number_is_listed_once_and_is_a_fictional_one() {
        fault_number::check(FAULTS);
    }

    #[test]
    fn a_number_names_the_status_that_it_brings() {
        for fault in FAULTS {
            let (Fault::RefuseMessage { status, .. } | Fault::Report(OddReport::Status(status))) =
                fault.fault
            else {
                continue;
            };
            let name = Status::of(status).name;
            let words = format!("{status}, {name}");
            assert!(fault.meaning.contains(&words), "{}: {}", fault.meaning, words);
        }
    }
}
