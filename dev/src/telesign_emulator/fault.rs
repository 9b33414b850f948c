//! Faults that a developer asks for by sending to a number. Telesign itself has no such numbers.
//!
//! A fault that the other emulators have, too, has the same number there. None of the numbers can be anybody's: in the North
//! American Numbering Plan 555 is no area code and no exchange begins with 0.

use std::time::Duration;

use crate::fault_number::{self, number};
use crate::reply::{Spoilt, Times};

/// A number and what happens to a message to it.
pub type FaultNumber = fault_number::FaultNumber<Fault>;

/// What goes wrong. Faults come after the checks: a request with a wrong signature is a 401 whatever the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request gets this HTTP status and this code, and nothing is accepted.
    RefuseRequest {
        status: u16,
        /// Below 0 in the form of older operations.
        code: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
        form: ErrorForm,
        times: Times,
    },
    /// The request is answered with 200, and the message is refused in it, with this code.
    RefuseMessage { code: u16, times: Times },
    /// No answer, and the connection stays open until the sender closes it.
    NeverAnswer,
    /// The connection is closed without an answer, and nothing is accepted.
    Cut,
    /// The message is accepted, but the answer is not what it should be.
    Accept(OddAnswer),
    /// The message is accepted and the answer is right, but the delivery reports are not those of one that arrives.
    Report(OddReport),
}

/// The forms that the body of an error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorForm {
    /// `{"reference_id":…,"status":{"code":…}}`, that of `/v1/messaging`.
    Envelope,
    /// The same with `"errors":[{"code":-…}]`, and a status that says no more than that nothing was done.
    Older,
    /// Nothing, as from a gateway in between.
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddAnswer {
    /// Right but for this, which any provider's may have.
    Spoilt(Spoilt),
    /// `{}`.
    Nothing,
    /// It has no `reference_id`.
    NoReferenceId,
    /// Its HTTP status is 503.
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddReport {
    /// The last has this code.
    Code(u16),
    /// None comes.
    Never,
    /// That of the handset comes before that of the gateway: Telesign keeps no order.
    GatewayLast,
}

/// Every number that has a fault.
#[rustfmt::skip]
pub const FAULTS: &[FaultNumber] = &[
    number("+15550100400", refuse(400, 11000), "400 for the whole request, with the code of the recipient's number, 11000"),
    number("+15550102400", refuse_with(400, 10001, ErrorForm::Older), "400 for the whole request, in the form of older operations: -10001"),
    number("+15550100401", refuse(401, 10022), "401 for the whole request, as for a wrong key: 10022"),
    number("+15550102401", refuse_with(401, 30006, ErrorForm::Older), "401, in the form of older operations"),
    number("+15550100403", refuse_with(403, 0, ErrorForm::Empty), "403 for the whole request with an empty body"),
    number("+15550100404", refuse_with(404, 0, ErrorForm::Empty), "404 for the whole request with an empty body"),
    number("+15550100429", throttle(Some(1), Times::First), "429 with Retry-After: 1 the first time, then accepted"),
    number("+15550101429", throttle(Some(60), Times::Always), "429 with Retry-After: 60, always"),
    number("+15550102429", throttle(None, Times::Always), "429 without Retry-After, always"),
    number("+15550100500", refuse(500, 10000), "500 with the code 10000, always"),
    number("+15550100502", refuse_with(502, 0, ErrorForm::Empty), "502 with an empty body, always"),
    number("+15550100503", refuse(503, 10000), "503 with the code 10000, always"),
    number("+15550100504", refuse_with(504, 0, ErrorForm::Empty), "504 with an empty body, always"),
    number("+15550102500", Fault::RefuseRequest { status: 500, code: 10000, retry_after: None, form: ErrorForm::Envelope, times: Times::First }, "500 with the code 10000 the first time, then accepted"),
    number("+15550101401", refuse_message(521), "200 with the code 521, Sender ID not allowed"),
    number("+15550101400", refuse_message(507), "200 with the code 507, Invalid destination address"),
    number("+15550101503", refuse_message(505), "200 with the code 505, Gateway error - temporary, always"),
    number("+15550102503", Fault::RefuseMessage { code: 505, times: Times::First }, "200 with the code 505, Gateway error - temporary, the first time; then accepted"),
    number("+15550103001", Fault::NeverAnswer, "never answered; the connection stays open"),
    number("+15550103002", spoilt(Spoilt::Late(Duration::from_secs(2))), "accepted, answered 2 seconds late"),
    number("+15550103003", Fault::Cut, "the connection is closed without an answer, nothing is accepted"),
    number("+15550103004", spoilt(Spoilt::CutFirstTime), "accepted, then the connection is closed without an answer; a repeat is answered"),
    number("+15550103005", spoilt(Spoilt::NotJson), "accepted, but the answer's body is not JSON"),
    number("+15550103006", spoilt(Spoilt::Huge), "accepted, with an answer of 10 MiB"),
    number("+15550103007", spoilt(Spoilt::Trickle), "accepted; the answer's body comes a byte every 100 ms and never ends"),
    number("+15550103008", Fault::Accept(OddAnswer::Nothing), "accepted, but the answer is {}"),
    number("+15550103009", Fault::Accept(OddAnswer::NoReferenceId), "accepted, but the answer has no reference_id"),
    number("+15550103010", spoilt(Spoilt::Half), "accepted, but the answer breaks off in the middle"),
    number("+15550108290", Fault::Accept(OddAnswer::Unavailable), "503 with the code 290, which says that it was accepted"),
    number("+15550108002", refuse(401, 10002), "401 with the code 10002, as for a request that has come before"),
    number("+15550108004", refuse(401, 10004), "401 with the code 10004, as for a date that is far off"),
    number("+15550108020", refuse(429, 10020), "429 with the code 10020, as for an account over its hard cap"),
    number("+15550108030", refuse(402, 10030), "402 with the code 10030, as for an account without credit"),
    number("+15550108031", refuse(401, 10031), "401 with the code 10031, as for another account's host"),
    number("+15550108033", refuse(401, 10033), "401 with the code 10033, as for a trial account's number that is not verified"),
    number("+15550108131", refuse_message(10031), "200 with the code 10031, Message blocked by customer request"),
    number("+15550108233", refuse_message(233), "200 with the code 233, Message blocked due to risk score"),
    number("+15550108517", refuse_message(517), "200 with the code 517, India DLT ids not found"),
    number("+15550108599", refuse_message(599), "200 with the code 599, Status not available, which says that it may have arrived"),
    number("+15550107131", report(OddReport::Code(10031)), "the report says 10031, Message blocked by customer request"),
    number("+15550107201", report(OddReport::Code(201)), "the report says 201, Completed, suspicious activity detected"),
    number("+15550107207", report(OddReport::Code(207)), "the report says 207, Error delivering SMS to handset (reason unknown)"),
    number("+15550107221", report(OddReport::Code(221)), "the report says 221, Message expired before delivery"),
    number("+15550107251", report(OddReport::Code(251)), "the report says 251, Message delivery status not received"),
    number("+15550106001", report(OddReport::Never), "the reports never come"),
    number("+15550106002", report(OddReport::GatewayLast), "a report says 200, Delivered to handset, then comes an older one: 203, Delivered to gateway"),
];

/// The fault of a number, if it has one.
pub fn lookup(number: &str) -> Option<&'static FaultNumber> {
    fault_number::find(FAULTS, number)
}

const fn refuse(status: u16, code: u16) -> Fault {
    refuse_with(status, code, ErrorForm::Envelope)
}

const fn refuse_with(status: u16, code: u16, form: ErrorForm) -> Fault {
    Fault::RefuseRequest { status, code, retry_after: None, form, times: Times::Always }
}

const fn throttle(retry_after: Option<u32>, times: Times) -> Fault {
    Fault::RefuseRequest { status: 429, code: 10019, retry_after, form: ErrorForm::Envelope, times }
}

const fn refuse_message(code: u16) -> Fault {
    Fault::RefuseMessage { code, times: Times::Always }
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
    use crate::telesign_emulator::status::description;

    #[test]
    fn a_number_is_listed_once_and_is_a_fictional_one() {
        fault_number::check(FAULTS);
    }

    #[test]
    fn a_number_names_the_code_that_it_brings() {
        for fault in FAULTS {
            let (Fault::RefuseMessage { code, .. } | Fault::Report(OddReport::Code(code))) =
                fault.fault
            else {
                continue;
            };
            let words = format!("{code}, {}", description(code, false));
            assert!(fault.meaning.contains(&words), "{}: {}", fault.meaning, words);
        }
    }
}
