//! Whether a request can be answered with a message at all, before the owner's policy is asked: by
//! its channel, its passcode's expiry and its number.

use time::OffsetDateTime;

use crate::hook::request::{HookRequest, NotANumber};
use crate::message::Channel;
use crate::phone_number::PhoneNumber;
use crate::refusal::{Reason, Refusal};

/// Admits a request, and gives how it is to reach which number, or refuses it.
pub fn admit(
    request: &HookRequest,
    now: OffsetDateTime,
) -> Result<(Channel, &PhoneNumber), Refusal> {
    let channel = request.channel.ok_or_else(|| {
        // What Okta does not know may hold anything.
        let fix = "data.messageProfile.deliveryChannel is neither SMS nor voice call: the hook has no other channels.";
        Refusal::new(Reason::UnsupportedChannel, fix)
    })?;
    // Okta's sample has dates of long ago, too: whoever sends it is told of the number first.
    if let Err(cause @ NotANumber::Placeholder) = &request.phone_number {
        return Err(not_a_number(cause));
    }
    if request.valid_until.is_some_and(|expires| expires <= now) {
        let fix = if request.preview {
            "The preview's dates are past: put a later one into data.messageProfile.otpExpires and eventTime, or \
             generate the request anew, and run the preview again."
        } else {
            "The passcode was past its expiry when it arrived: ask for a new one. If all are, the clock of the \
             hook's host is wrong."
        };
        return Err(Refusal::new(Reason::OtpExpired, fix));
    }
    let number = request.phone_number.as_ref().map_err(not_a_number)?;
    Ok((channel, number))
}

fn not_a_number(cause: &NotANumber) -> Refusal {
    match cause {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::request;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-31 12:00:00 UTC);

    /// Admits a bare payload whose message profile holds these fields besides the passcode.
    fn admitted(fields: &str) -> Result<(Channel, PhoneNumber), Reason> {
        let body = format!(r#"{{"data":{{"messageProfile":{{"otpCode":"123456",{fields}}}}}}}"#);
        let request = request::parse(body.as_bytes()).unwrap().into_request().unwrap();
        let admitted = admit(&request, NOW).map_err(|refusal| refusal.reason);
        admitted.map(|(channel, number)| (channel, number.clone()))
    }

    #[test]
    fn a_channel_is_known_in_any_case_and_sms_when_none_is_said() {
        for (channel, known) in [
            ("", Some(Channel::Sms)),
            (r#","deliveryChannel":"SMS""#, Some(Channel::Sms)),
            (r#","deliveryChannel":" sms ""#, Some(Channel::Sms)),
            (r#","deliveryChannel":null"#, Some(Channel::Sms)),
            (r#","deliveryChannel":" ""#, Some(Channel::Sms)),
            (r#","deliveryChannel":"voice call""#, Some(Channel::Call)),
            (r#","deliveryChannel":"VOICE_CALL""#, Some(Channel::Call)),
            (r#","deliveryChannel":" Voice ""#, Some(Channel::Call)),
            (r#","deliveryChannel":"CALL""#, Some(Channel::Call)),
            (r#","deliveryChannel":"pigeon""#, None),
            (r#","deliveryChannel":"sms voice""#, None),
            (r#","deliveryChannel":7"#, None),
        ] {
            let admitted = admitted(&format!(r#""phoneNumber":"+15550100123"{channel}"#));
            let expected = known.ok_or(Reason::UnsupportedChannel);
            assert_eq!(admitted.map(|(channel, _)| channel), expected, "{channel}");
        }
    }

    #[test]
    fn what_the_channel_is_that_nobody_knows_is_told_to_nobody() {
        let body = r#"{"data":{"messageProfile":{"otpCode":"1","phoneNumber":"+15550100123","deliveryChannel":"pigeon of +15550100123"}}}"#;
        let request = request::parse(body.as_bytes()).unwrap().into_request().unwrap();
        let refusal = admit(&request, NOW).unwrap_err();
        assert!(!refusal.fix.contains("pigeon") && refusal.log_fix.is_none(), "{}", refusal.fix);
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
    fn oktas_sample_as_it_stands_is_told_of_its_number_and_with_another_one_of_its_dates() {
        let sample = request::tests::PREVIEW;
        for (payload, reason, fix) in [
            (sample.to_owned(), Reason::PreviewNumber, "put your own number"),
            (
                sample.replace("9876543210", "+14255550123"),
                Reason::OtpExpired,
                "data.messageProfile.otpExpires",
            ),
            (
                sample.replace("9876543210", "+14255550123").replace("/generatePreview", "/x"),
                Reason::OtpExpired,
                "ask for a new one",
            ),
        ] {
            let request = request::parse(payload.as_bytes()).unwrap().into_request().unwrap();
            let refusal = admit(&request, NOW).unwrap_err();
            assert_eq!(refusal.reason, reason);
            assert!(refusal.fix.contains(fix), "{}", refusal.fix);
        }
    }

    #[test]
    fn what_is_wrong_with_a_number_is_told_and_the_number_is_not() {
        for (number, told) in [
            (r"+1555\u00000100123", "an invisible character at position 6,"),
            ("+1555010012\u{ff13}", "none of the plain 0 to 9 at position 12,"),
            ("tel:+15550100123", "a + that is not its first character at position 5,"),
            ("14255550123", "only the + is missing"),
        ] {
            let fields = format!(
                r#"{{"data":{{"messageProfile":{{"otpCode":"1","phoneNumber":"{number}"}}}}}}"#
            );
            let request = request::parse(fields.as_bytes()).unwrap().into_request().unwrap();
            let refusal = admit(&request, NOW).unwrap_err();
            assert!(refusal.fix.contains(told), "{}", refusal.fix);
            assert!(!refusal.fix.contains("555"), "{}", refusal.fix);
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
