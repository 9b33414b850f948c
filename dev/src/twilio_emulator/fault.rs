//! Faults that a developer asks for by sending to a number. Twilio's own numbers are in `magic`, and work with test
//! credentials only.
//!
//! A fault that the other emulators have, too, has the same number there. None of the numbers can be anybody's: in the North
//! American Numbering Plan 555 is no area code and no exchange begins with 0.

use std::time::Duration;

use super::send::ErrorForm;
use crate::fault_number::{self, number};
use crate::reply::{Spoilt, Times};

/// A number and what happens to a message to it.
pub type FaultNumber = fault_number::FaultNumber<Fault>;

/// What goes wrong. Faults come after the checks: a request with a wrong key is a 401 whatever the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request gets this HTTP status, and nothing is accepted.
    Refuse {
        status: u16,
        /// Twilio's error code; 0 is an empty body, as from a gateway in between.
        code: u32,
        /// The `Retry-After` header, in seconds.
        retry_after: Option<u32>,
        form: ErrorForm,
        times: Times,
    },
    /// No answer, and the connection stays open until the sender closes it.
    NeverAnswer,
    /// The connection is closed without an answer, and nothing is accepted.
    Cut,
    /// The message is accepted, but the answer is not what it should be.
    Accept(OddAnswer),
    /// The message is accepted and the answer is right, but no good callback follows.
    Report(OddReport),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddAnswer {
    /// Right but for this, which any provider's may have.
    Spoilt(Spoilt),
    /// `{}`.
    Nothing,
    /// The message has no `sid`.
    NoSid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddReport {
    /// The carrier does not deliver it, with this code: `undelivered`.
    Undelivered(u16),
    /// Twilio can't send it, with this code: `failed`, without `sent` before it.
    Failed(u16),
    /// `sent`, and nothing after that.
    SentOnly,
    /// `delivered`, and `sent` after that. Twilio keeps no order.
    SentAfterDelivered,
}

/// Every number that has a fault.
#[rustfmt::skip]
pub const FAULTS: &[FaultNumber] = &[
    number("+15550100400", refuse(400, 21211), "400 with 21211, Invalid 'To' Phone Number"),
    number("+15550102400", refuse_in(ErrorForm::Newer, 400, 21614), "400 with 21614, 'To' number is not a valid mobile number, in the newer form of errors"),
    number("+15550100401", refuse(401, 20003), "401 with 20003, as for a wrong key"),
    number("+15550102401", refuse_in(ErrorForm::Newer, 401, 20003), "401 with 20003, in the newer form of errors"),
    number("+15550100403", refuse(403, 20003), "403 with 20003, as for a key that may not send"),
    number("+15550100404", refuse(404, 20404), "404 with 20404, as for another account"),
    number("+15550100429", throttle(Some(1), Times::First), "429 with Retry-After: 1 the first time, then accepted"),
    number("+15550101429", throttle(Some(60), Times::Always), "429 with Retry-After: 60, always"),
    number("+15550102429", throttle(None, Times::Always), "429 without Retry-After, always"),
    number("+15550100500", refuse(500, 20500), "500 with 20500, always"),
    number("+15550100502", refuse(502, 0), "502, always"),
    number("+15550100503", refuse(503, 20503), "503 with 20503, always"),
    number("+15550100504", refuse(504, 0), "504, always"),
    number("+15550102500", refuse_first(500, 20500), "500 the first time, then accepted"),
    number("+15550101401", refuse(400, 21606), "400 with 21606, as for a sender that the account does not have"),
    number("+15550101400", refuse(400, 21610), "400 with 21610, since the recipient has opted out"),
    number("+15550101503", refuse(400, 21611), "400 with 21611, since the sender's queue is full, always"),
    number("+15550102503", refuse_first(400, 21611), "400 with 21611 the first time, then accepted"),
    number("+15550103001", Fault::NeverAnswer, "never answered; the connection stays open"),
    number("+15550103002", spoilt(Spoilt::Late(Duration::from_secs(2))), "accepted, answered 2 seconds late"),
    number("+15550103003", Fault::Cut, "the connection is closed without an answer, nothing is accepted"),
    number("+15550103004", spoilt(Spoilt::CutFirstTime), "accepted, then the connection is closed without an answer; a repeat is answered"),
    number("+15550103005", spoilt(Spoilt::NotJson), "accepted, but the answer's body is not JSON"),
    number("+15550103006", spoilt(Spoilt::Huge), "accepted, with an answer of 10 MiB"),
    number("+15550103007", spoilt(Spoilt::Trickle), "accepted, with an answer that comes a byte at a time, without end"),
    number("+15550103008", Fault::Accept(OddAnswer::Nothing), "accepted, with an answer that is empty: {}"),
    number("+15550103009", Fault::Accept(OddAnswer::NoSid), "accepted, with an answer without sid"),
    number("+15550103010", spoilt(Spoilt::Half), "accepted, but the answer breaks off in the middle"),
    number("+15550108408", refuse(400, 21408), "400 with 21408, as for a country that Geo Permissions forbid"),
    number("+15550108450", refuse(400, 30450), "400 with 30450, blocked as pumping"),
    number("+15550108608", refuse(400, 21608), "400 with 21608, as for a trial"),
    number("+15550108609", refuse(400, 21609), "400 with 21609, as for a StatusCallback that is not on the internet"),
    number("+15550108612", refuse(400, 21612), "400 with 21612, since the sender can't reach the recipient"),
    number("+15550108617", refuse(400, 21617), "400 with 21617, as for a text that is too long"),
    number("+15550108703", refuse(400, 21703), "400 with 21703, as for a Messaging Service without a sender"),
    number("+15550108999", refuse(400, 21999), "400 with a code that is not documented"),
    number("+15550107003", report(OddReport::Undelivered(30003)), "the report says undelivered, 30003"),
    number("+15550107005", report(OddReport::Undelivered(30005)), "the report says undelivered, 30005"),
    number("+15550107006", report(OddReport::Undelivered(30006)), "the report says undelivered, 30006"),
    number("+15550107007", report(OddReport::Undelivered(30007)), "the report says undelivered, 30007"),
    number("+15550107008", report(OddReport::Undelivered(30008)), "the report says undelivered, 30008"),
    number("+15550107034", report(OddReport::Undelivered(30034)), "the report says undelivered, 30034"),
    number("+15550107036", report(OddReport::Failed(30036)), "the report says failed, 30036"),
    number("+15550107610", report(OddReport::Failed(21610)), "the report says failed, 21610"),
    number("+15550106001", report(OddReport::SentOnly), "the report says sent, and none follows"),
    number("+15550106002", report(OddReport::SentAfterDelivered), "a report says delivered, then comes one that says sent"),
];

/// The fault of a number, if it has one.
pub fn lookup(number: &str) -> Option<&'static FaultNumber> {
    fault_number::find(FAULTS, number)
}

const fn refuse(status: u16, code: u32) -> Fault {
    refuse_in(ErrorForm::Older, status, code)
}

const fn refuse_in(form: ErrorForm, status: u16, code: u32) -> Fault {
    Fault::Refuse { status, code, retry_after: None, form, times: Times::Always }
}

const fn refuse_first(status: u16, code: u32) -> Fault {
    Fault::Refuse { status, code, retry_after: None, form: ErrorForm::Older, times: Times::First }
}

const fn throttle(retry_after: Option<u32>, times: Times) -> Fault {
    Fault::Refuse { status: 429, code: 20429, retry_after, form: ErrorForm::Older, times }
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

    #[test]
    fn a_number_names_the_code_that_it_brings() {
        for fault in FAULTS {
            let code = match fault.fault {
                Fault::Refuse { code, .. } if !matches!(code, 0 | 20_429 | 20_500 | 21_999) => code,
                Fault::Report(OddReport::Undelivered(code) | OddReport::Failed(code)) => {
                    code.into()
                }
                _ => continue,
            };
            assert!(fault.meaning.contains(&code.to_string()), "{}: {code}", fault.meaning);
        }
    }
}
