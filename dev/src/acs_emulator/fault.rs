//! Faults that a developer asks for by sending to a number.
//!
//! None of the numbers can be anybody's: in the North American Numbering Plan 555 is no area code and
//! no exchange begins with 0.

use std::time::Duration;

use crate::fault_number::{self, number};
use crate::reply::{Spoilt, Times};

/// A number and what happens to a message to it.
pub type FaultNumber = fault_number::FaultNumber<Fault>;

impl FaultNumber {
    pub(super) fn odd_answer(&self) -> Option<OddAnswer> {
        match self.fault {
            Fault::Accept(odd) => Some(odd),
            _ => None,
        }
    }

    pub(super) fn odd_report(&self) -> Option<OddReport> {
        match self.fault {
            Fault::Report(odd) => Some(odd),
            _ => None,
        }
    }
}

/// What goes wrong. Faults come after the checks: a request with a wrong signature is a 401 whatever
/// the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The whole request gets this HTTP status and nothing of it is accepted.
    RefuseRequest {
        status: u16,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
        body: RefusalBody,
        times: Times,
    },
    /// The request is answered with 202 but this recipient's item has another status.
    FailRecipient { status: u16, odd: Option<OddItem>, times: Times },
    /// No answer, and the connection stays open until the sender closes it.
    NeverAnswer,
    /// The connection is closed without an answer, and nothing is accepted.
    Cut,
    /// The message is accepted, but the answer is not what it should be.
    Accept(OddAnswer),
    /// The message is accepted and the answer is right, but no good delivery report follows.
    Report(OddReport),
}

/// The forms that the body of a refusal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalBody {
    /// `{"error":{"code":…,"message":…}}`, with this code and message.
    Error(&'static str, &'static str),
    /// The same with the name of the status as the code.
    NamedError,
    /// That of a validation error: `{"type":…,"title":…,"errors":{"SmsRecipients":[…]}}`.
    Validation,
    /// That of older versions: `{"SmsRecipients":[…]}`.
    BareValidation,
    Empty,
}

/// What is odd about the item of a recipient that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddItem {
    /// It is the pair by which a repeat is known that is wrong: `repeatabilityResult` is `rejected`.
    Rejected,
    /// It has a `messageId`, as in an example of the specification.
    WithId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddAnswer {
    /// Right but for this, which any provider's may have.
    Spoilt(Spoilt),
    /// `{"value":[]}`.
    NoItems,
    /// The item says `successful` but has no `messageId`.
    NoMessageId,
    /// The item has 202 and a `messageId`, and `successful` is false: a recording of azure-sdk-for-js from April 2022.
    NotSuccessful,
    /// The `messageId` lacks the `Outgoing_` that the report's has, as in the specification.
    BareId,
    /// The `messageId` has a region behind it, which the report's lacks.
    IdWithRegion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddReport {
    /// It says `Failed`, with this code.
    Failed(u16),
    /// It never comes.
    Never,
    /// There are two: `Failed` with 5001 and, received later, `Delivered`. The later one is delivered
    /// first, as Event Grid keeps no order.
    DeliveredOverFailed,
}

/// Of a wrong signature, as Microsoft's own nightly tests have met it (azure-sdk-for-js, issue 31523).
pub(super) const DENIED: RefusalBody =
    RefusalBody::Error("Denied", "Denied by the resource provider.");
/// Of a body that is not the one that was signed (REST specification 2026-01-23).
pub(super) const OTHER_CONTENT: RefusalBody = RefusalBody::Error(
    "Denied",
    "Request 'x-ms-content-sha256' differs from generated content hash.",
);
/// Of a sender that the resource does not own (recordings of azure-sdk-for-js and azure-sdk-for-python).
pub(super) const NOT_OWNED: RefusalBody = RefusalBody::Error("Unauthorized", "");
/// REST specification 2026-01-23.
pub(super) const NO_API_VERSION: RefusalBody = RefusalBody::Error(
    "ApiVersionUnspecified",
    "An API version is required, but was not specified.",
);

/// Every number that has a fault.
#[rustfmt::skip]
pub const FAULTS: &[FaultNumber] = &[
    number("+15550100400", refuse_with(400, RefusalBody::Validation), "400 for the whole request, in the form of a validation error"),
    number("+15550102400", refuse_with(400, RefusalBody::BareValidation), "400 for the whole request, in the form of a validation error of older versions"),
    number("+15550103400", refuse_with(400, NO_API_VERSION), "400, with the code ApiVersionUnspecified"),
    number("+15550100401", refuse_with(401, DENIED), "401 for the whole request with the code Denied, as for a wrong signature"),
    number("+15550101401", refuse_with(401, NOT_OWNED), "401 for the whole request with the code Unauthorized and an empty message, as for a sender that the resource does not own"),
    number("+15550100403", refuse(403), "403 for the whole request"),
    number("+15550100404", refuse(404), "404 for the whole request"),
    number("+15550101404", refuse_with(404, RefusalBody::Empty), "404 with an empty body, as older versions answer a sender that the resource does not own"),
    number("+15550100429", throttle(Some(1), Times::First), "429 with Retry-After: 1 the first time, then accepted"),
    number("+15550101429", throttle(Some(60), Times::Always), "429 with Retry-After: 60, always"),
    number("+15550102429", throttle(None, Times::Always), "429 without Retry-After, always"),
    number("+15550100500", refuse(500), "500, always"),
    number("+15550100502", refuse(502), "502, always"),
    number("+15550100503", refuse(503), "503, always"),
    number("+15550100504", refuse(504), "504, always"),
    number("+15550102500", Fault::RefuseRequest { status: 500, retry_after: None, body: RefusalBody::NamedError, times: Times::First }, "500 the first time, then accepted"),
    number("+15550101400", fail(400, None, Times::Always), "400 for this recipient inside a 202"),
    number("+15550104400", fail(400, Some(OddItem::Rejected), Times::Always), "400 for this recipient inside a 202, with repeatabilityResult rejected"),
    number("+15550101503", fail(503, None, Times::Always), "503 for this recipient inside a 202, always"),
    number("+15550102503", fail(503, None, Times::First), "503 for this recipient inside a 202 the first time, then accepted"),
    number("+15550103503", fail(503, Some(OddItem::WithId), Times::Always), "503 for this recipient inside a 202, always, with a messageId"),
    number("+15550103001", Fault::NeverAnswer, "never answered; the connection stays open"),
    number("+15550103002", spoilt(Spoilt::Late(Duration::from_secs(2))), "accepted, answered 2 seconds late"),
    number("+15550103003", Fault::Cut, "the connection is closed without an answer, nothing is accepted"),
    number("+15550103004", spoilt(Spoilt::CutFirstTime), "accepted, then the connection is closed without an answer; a repeat is answered"),
    number("+15550103005", spoilt(Spoilt::NotJson), "accepted, but the answer's body is not JSON"),
    number("+15550103006", spoilt(Spoilt::Huge), "accepted, with an answer of 10 MiB"),
    number("+15550103007", spoilt(Spoilt::Trickle), "accepted; the answer's body comes a byte every 100 ms and never ends"),
    number("+15550103008", Fault::Accept(OddAnswer::NoItems), "accepted, but the answer is {\"value\":[]}"),
    number("+15550103009", Fault::Accept(OddAnswer::NoMessageId), "accepted, but the answer has no messageId"),
    number("+15550103010", spoilt(Spoilt::Half), "accepted, but the answer breaks off in the middle"),
    number("+15550101202", Fault::Accept(OddAnswer::NotSuccessful), "accepted, but the answer says that this was not successful"),
    number("+15550102202", Fault::Accept(OddAnswer::BareId), "accepted; the messageId has no Outgoing_ before it"),
    number("+15550103202", Fault::Accept(OddAnswer::IdWithRegion), "accepted; the messageId has _noam behind it"),
    number("+15550104000", report(OddReport::Failed(4000)), "the report says Failed, 4000"),
    number("+15550104001", report(OddReport::Failed(4001)), "the report says Failed, 4001"),
    number("+15550104002", report(OddReport::Failed(4002)), "the report says Failed, 4002"),
    number("+15550104003", report(OddReport::Failed(4003)), "the report says Failed, 4003"),
    number("+15550104004", report(OddReport::Failed(4004)), "the report says Failed, 4004"),
    number("+15550104005", report(OddReport::Failed(4005)), "the report says Failed, 4005"),
    number("+15550104006", report(OddReport::Failed(4006)), "the report says Failed, 4006"),
    number("+15550104007", report(OddReport::Failed(4007)), "the report says Failed, 4007"),
    number("+15550104008", report(OddReport::Failed(4008)), "the report says Failed, 4008"),
    number("+15550104009", report(OddReport::Failed(4009)), "the report says Failed, 4009"),
    number("+15550104010", report(OddReport::Failed(4010)), "the report says Failed, 4010"),
    number("+15550104020", report(OddReport::Failed(4020)), "the report says Failed, 4020"),
    number("+15550105000", report(OddReport::Failed(5000)), "the report says Failed, 5000"),
    number("+15550105001", report(OddReport::Failed(5001)), "the report says Failed, 5001"),
    number("+15550105002", report(OddReport::Failed(5002)), "the report says Failed, 5002"),
    number("+15550109999", report(OddReport::Failed(9999)), "the report says Failed, 9999"),
    number("+15550106001", report(OddReport::Never), "the report never comes"),
    number("+15550106002", report(OddReport::DeliveredOverFailed), "a report says Delivered, then comes an older one: Failed, 5001"),
];

/// The fault of a number, if it has one.
pub fn lookup(number: &str) -> Option<&'static FaultNumber> {
    fault_number::find(FAULTS, number)
}

const fn refuse(status: u16) -> Fault {
    refuse_with(status, RefusalBody::NamedError)
}

const fn refuse_with(status: u16, body: RefusalBody) -> Fault {
    Fault::RefuseRequest { status, retry_after: None, body, times: Times::Always }
}

const fn throttle(retry_after: Option<u32>, times: Times) -> Fault {
    Fault::RefuseRequest { status: 429, retry_after, body: RefusalBody::NamedError, times }
}

const fn fail(status: u16, odd: Option<OddItem>, times: Times) -> Fault {
    Fault::FailRecipient { status, odd, times }
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

    #[test]
    fn a_number_is_listed_once_and_is_a_fictional_one() {
        fault_number::check(FAULTS);
    }
}
