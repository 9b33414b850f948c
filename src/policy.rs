//! The owner's rules, in front of ACS: whether this passcode goes to this number now.
//!
//! The attack this stops is SMS pumping and toll fraud: whoever can make Okta ask for passcodes has
//! them sent to numbers that earn with each message. Touches nothing outside but the store of
//! [`limits`]; the clock is given.

pub mod limits;

use std::borrow::Cow;

use time::OffsetDateTime;

use self::limits::{Limit, Rate, Scope};
use crate::hook::request::{HookRequest, NotANumber};
use crate::numbering::{Plan, Region};
use crate::phone_number::{PhoneNumber, canonical_prefix};
use crate::refusal::{Reason, Refusal};

/// The rules that a request is held to.
#[derive(Debug)]
pub struct Rules {
    /// Messages are sent at all.
    pub sending: bool,
    /// Beginnings of numbers, `+` included, that get nothing.
    pub blocked_prefixes: Vec<String>,
    /// Regions that get nothing.
    pub blocked: Vec<Region>,
    /// Regions that get messages.
    pub allowed: Countries,
    /// Regions that get this request's message, if it enrols a phone.
    pub enrollment_allowed: Countries,
    /// How many messages in which time.
    pub rates: Vec<(Scope, Rate)>,
}

/// A set of countries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countries {
    /// Every number, of no known region too.
    All,
    /// Numbers of these regions.
    Only(Vec<Region>),
}

impl Countries {
    fn contain(&self, region: Option<Region>) -> bool {
        match self {
            Self::All => true,
            Self::Only(regions) => region.is_some_and(|region| regions.contains(&region)),
        }
    }
}

/// What becomes of a request that the policy refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnRefusal {
    /// It is refused; otherwise the log says that it would be, and the message is sent.
    pub enforce: bool,
    /// Okta is told `FAILED`; otherwise it is told that all is well, so that it does not send the
    /// passcode itself.
    pub as_failed: bool,
}

impl OnRefusal {
    /// Whether the message is sent all the same. Whoever has switched sending off wants nothing sent.
    pub fn lets_pass(self, reason: Reason) -> bool {
        !self.enforce && reason != Reason::Paused
    }
}

/// Holds a number to the rules, but for the rates.
pub fn check(rules: &Rules, number: &PhoneNumber, plan: Plan) -> Result<(), Refusal> {
    if !rules.sending {
        return Err(Refusal::new(Reason::Paused, "Sending is switched off: set sending to on."));
    }
    let canonical = number.canonical();
    // As it is written, too: by +549 one blocks Argentina's mobiles, where they are written with the 9.
    let blocked = |prefix: &String| {
        canonical.starts_with(&*canonical_prefix(prefix)) || number.as_str().starts_with(&**prefix)
    };
    if let Some(at) = rules.blocked_prefixes.iter().position(blocked) {
        // By its place: a prefix may be as long as a number, which no log is told.
        let fix = format!("The number begins with entry {} of blocked_prefixes.", at + 1);
        return Err(Refusal::new(Reason::PrefixBlocked, fix));
    }
    if !plan.takes_sms {
        let fix = "The number is of a kind that takes no SMS, such as freephone, premium-rate or \
                   personal numbers: enrol another one.";
        return Err(Refusal::new(Reason::NumberTypeBlocked, fix));
    }
    let name = || plan.region.map_or("no known country".into(), |r| Cow::Owned(r.to_string()));
    let not_in = |variable| {
        let fix = format!("The number is of {}, which is not in {variable}.", name());
        Err(Refusal::new(Reason::CountryNotAllowed, fix))
    };
    if plan.region.is_some_and(|region| rules.blocked.contains(&region)) {
        let fix = format!("The number is of {}, which is in blocked_countries.", name());
        return Err(Refusal::new(Reason::CountryNotAllowed, fix));
    }
    if !rules.allowed.contain(plan.region) {
        return not_in("allowed_countries");
    }
    if !rules.enrollment_allowed.contain(plan.region) {
        return not_in("enrollment_allowed_countries");
    }
    Ok(())
}

/// What a request is counted by.
pub fn limits_of<'a>(
    rules: &Rules,
    request: &'a HookRequest,
    canonical: &'a str,
) -> Vec<Limit<'a>> {
    let subject = |scope| match scope {
        Scope::Number => Some(Cow::Borrowed(canonical)),
        // A number has 7 digits at least.
        Scope::Prefix => Some(Cow::Borrowed(&canonical[..canonical.len() - 4])),
        Scope::User => request.user_id.as_deref().map(Cow::Borrowed),
        Scope::Ip => limits::address(request.ip_address.as_deref()?).map(Cow::Owned),
        Scope::Total => Some(Cow::Borrowed("")),
    };
    let limit = |&(scope, rate)| Some(Limit { scope, rate, subject: subject(scope)? });
    rules.rates.iter().filter_map(limit).collect()
}

/// The refusal of a message beyond a limit.
pub fn limit_reached(scope: Scope, rate: Rate) -> Refusal {
    let fix =
        format!("{} ({rate}) is reached: wait, and then ask for a new passcode.", scope.name());
    Refusal::new(Reason::RateLimited, fix)
}

/// Admits a request, and gives the number that it may go to, or refuses it.
pub fn admit(request: &HookRequest, now: OffsetDateTime) -> Result<&PhoneNumber, Refusal> {
    if let Some(channel) = &request.delivery_channel
        && !channel.eq_ignore_ascii_case("SMS")
    {
        return Err(unsupported_channel(channel));
    }
    if request.valid_until.is_some_and(|expires| expires <= now) {
        return Err(Refusal::new(
            Reason::OtpExpired,
            "The passcode was past its expiry when it arrived: ask for a new one. If all are, the clock of the \
             hook's host is wrong.",
        ));
    }
    request.phone_number.as_ref().map_err(|cause| match cause {
        NotANumber::Placeholder => Refusal::new(
            Reason::PreviewNumber,
            "This is the preview's placeholder: put your own number, with + and the country code, into \
             data.messageProfile.phoneNumber and run the preview again.",
        ),
        NotANumber::JsonNumber => Refusal::new(
            Reason::InvalidPhoneNumber,
            "phoneNumber is a number in JSON and so lacks its +: it must be text, with + and the country code.",
        ),
        NotANumber::Invalid(cause) => Refusal::new(
            Reason::InvalidPhoneNumber,
            format!("phoneNumber is not E.164 (+, country code, number): {cause}."),
        ),
    })
}

/// Names the channel in the log, and to Okta only where it is one that Okta knows.
fn unsupported_channel(channel: &str) -> Refusal {
    let known = ["voice call", "voice", "call"]
        .into_iter()
        .find(|known| channel.replace('_', " ").eq_ignore_ascii_case(known))
        .unwrap_or("this channel");
    Refusal::new(
        Reason::UnsupportedChannel,
        format!(
            "The hook sends SMS only, not {known}: disable it for the Phone authenticator in Okta."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::request;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00 UTC);

    /// Admits a bare payload whose message profile holds these fields besides the passcode.
    fn admitted(fields: &str) -> Result<PhoneNumber, Reason> {
        let body = format!(r#"{{"data":{{"messageProfile":{{"otpCode":"123456",{fields}}}}}}}"#);
        let request = request::parse(body.as_bytes()).unwrap().into_request().unwrap();
        admit(&request, NOW).cloned().map_err(|refusal| refusal.reason)
    }

    #[test]
    fn sms_is_admitted_in_any_case_and_when_it_is_not_said() {
        for channel in [
            "",
            r#","deliveryChannel":"SMS""#,
            r#","deliveryChannel":" sms ""#,
            r#","deliveryChannel":null"#,
            r#","deliveryChannel":" ""#,
        ] {
            let number = admitted(&format!(r#""phoneNumber":"+15550100123"{channel}"#));
            assert_eq!(number.unwrap().as_str(), "+15550100123", "{channel}");
        }
    }

    #[test]
    fn other_channels_are_refused_and_okta_is_told_which_one_if_it_knows_it() {
        for (channel, named) in [
            (r#""voice call""#, "not voice call:"),
            (r#""VOICE_CALL""#, "not voice call:"),
            (r#""Voice""#, "not voice:"),
            (r#""pigeon of +15550100123""#, "not this channel:"),
            ("7", "not this channel:"),
        ] {
            let body = format!(
                r#"{{"data":{{"messageProfile":{{"otpCode":"1","phoneNumber":"+15550100123","deliveryChannel":{channel}}}}}}}"#
            );
            let request = request::parse(body.as_bytes()).unwrap().into_request().unwrap();
            let refusal = admit(&request, NOW).unwrap_err();
            assert_eq!(refusal.reason, Reason::UnsupportedChannel);
            assert!(refusal.fix.contains(named), "{channel}: {}", refusal.fix);
        }
    }

    #[test]
    fn a_passcode_is_refused_from_the_moment_of_its_expiry() {
        for (expires, result) in [
            ("2026-01-31T12:00:00.001Z", Ok(())),
            ("2026-01-31T13:00:00.001+01:00", Ok(())),
            ("2026-01-31T12:00:00.000Z", Err(Reason::OtpExpired)),
            ("2026-01-31T12:59:00.000+01:00", Err(Reason::OtpExpired)),
        ] {
            let fields = format!(r#""phoneNumber":"+15550100123","otpExpires":"{expires}""#);
            assert_eq!(admitted(&fields).map(drop), result, "{expires}");
        }
    }

    #[test]
    fn a_number_that_is_not_e164_is_refused() {
        for number in [r#""9876543210""#, r#""+0123456789""#, "15550100123", r#""""#] {
            let result = admitted(&format!(r#""phoneNumber":{number}"#));
            assert_eq!(result, Err(Reason::InvalidPhoneNumber), "{number}");
        }
    }
}
