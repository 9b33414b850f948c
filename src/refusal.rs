//! The one type of every "no" that Okta is told: made where something is refused, turned into HTTP and Okta's JSON
//! by `hook::answer`, and into the log line by `telemetry`.

use std::borrow::Cow;

/// A refusal or a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: Reason,
    /// How to mend it, as the caller is told: it goes into Okta's System Log (`debugContext`), so
    /// it holds nothing about a person and nothing about the configuration that a stranger may
    /// not know.
    pub fix: Cow<'static, str>,
    /// How to mend it, as the log is told, where that is more than the caller may know.
    pub log_fix: Option<Cow<'static, str>>,
}

impl Refusal {
    /// A refusal whose fix everybody may know.
    pub fn new(reason: Reason, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, fix: fix.into(), log_fix: None }
    }

    /// How to mend it, as the log is told.
    pub fn for_the_log(&self) -> &str {
        self.log_fix.as_ref().unwrap_or(&self.fix)
    }

    /// Adds what only the log may know.
    pub fn with_log_fix(self, fix: impl Into<Cow<'static, str>>) -> Self {
        Self { log_fix: Some(fix.into()), ..self }
    }
}

/// Whose move it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request was refused; a correct one would have passed.
    Request,
    /// The owner's policy refused what was asked correctly.
    Policy,
    /// The owner's configuration, or ACS, stood in the way.
    Service,
}

/// Declares [`Reason`] with its code and HTTP status in one table, which is the one that
/// docs/answers.md prints.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:literal, $fault:ident;)+) => {
        /// Why nothing was sent, or why it is not known to be sent.
        ///
        /// Okta skips the hook on any status but 200 and sends the passcode itself, so another
        /// status is for requests that are not Okta's, or not whole ("External service responds
        /// with any HTTP status code besides 200", Okta's telephony inline hook reference).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code in `transactionMetadata`, in `debugContext` and in the log.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The HTTP status of the answer.
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$name => $status,)+ }
            }

            /// Whose move it is.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$name => Fault::$fault,)+ }
            }
        }
    };
}

reasons! {
    /// Another method than POST.
    MethodNotAllowed = "method_not_allowed", 405, Request;
    /// No credentials, or wrong ones.
    Unauthorized = "unauthorized", 401, Request;
    /// The body is said to be something else than JSON.
    UnsupportedMediaType = "unsupported_media_type", 415, Request;
    /// The body has more bytes than the limit.
    BodyTooLarge = "body_too_large", 413, Request;
    /// The body had not arrived when the deadline came.
    RequestTimeout = "request_timeout", 408, Request;
    /// The connection broke before the body ended.
    IncompleteBody = "incomplete_body", 400, Request;
    /// The body is not JSON in UTF-8.
    InvalidJson = "invalid_json", 400, Request;
    /// A field that the hook reads is there twice.
    DuplicateField = "duplicate_field", 400, Request;
    /// An object that the hook reads is of another type.
    InvalidField = "invalid_field", 400, Request;
    /// A bare payload where only Okta's envelope is taken.
    NotAnEnvelope = "not_an_envelope", 400, Request;
    /// An envelope of another kind of hook.
    UnsupportedEventType = "unsupported_event_type", 400, Request;
    /// There is no `data.messageProfile`.
    MissingMessageProfile = "missing_message_profile", 400, Request;
    /// There is no `phoneNumber`.
    MissingPhoneNumber = "missing_phone_number", 400, Request;
    /// There is no `otpCode`.
    MissingOtpCode = "missing_otp_code", 400, Request;
    /// `otpCode` is neither text nor an integer, or is too long, or holds control characters.
    InvalidOtpCode = "invalid_otp_code", 400, Request;
    /// An envelope with neither `otpExpires` nor `eventTime`: nothing says until when it holds.
    MissingOtpExpires = "missing_otp_expires", 400, Request;
    /// Another channel than SMS.
    UnsupportedChannel = "unsupported_channel", 200, Request;
    /// The passcode is past its expiry.
    OtpExpired = "otp_expired", 200, Request;
    /// `phoneNumber` is not E.164.
    InvalidPhoneNumber = "invalid_phone_number", 200, Request;
    /// Okta's preview with its placeholder for a number.
    PreviewNumber = "preview_number", 200, Request;
    /// The owner has switched sending off.
    Paused = "paused", 200, Policy;
    /// The number begins with one of the blocked prefixes.
    PrefixBlocked = "prefix_blocked", 200, Policy;
    /// The number is of a kind that takes no SMS, or costs whoever sends to it.
    NumberTypeBlocked = "number_type_blocked", 200, Policy;
    /// The number's country is blocked, or is not among those that are allowed.
    CountryNotAllowed = "country_not_allowed", 200, Policy;
    /// One of the rate limits is reached.
    RateLimited = "rate_limited", 200, Policy;
    /// Passcodes to the number's block, or to its country, are hardly ever used.
    ConversionTooLow = "conversion_too_low", 200, Policy;
    /// A setting that messages need is missing or wrong.
    Misconfigured = "misconfigured", 200, Service;
    /// The keys of the authorization server whose token the caller presents are not to be had.
    IssuerUnavailable = "issuer_unavailable", 200, Service;
    /// ACS refused the signature, the sender or the right to send.
    ProviderUnauthorized = "provider_unauthorized", 200, Service;
    /// ACS refused the message.
    ProviderRejected = "provider_rejected", 200, Service;
    /// ACS takes no more messages for now.
    ProviderThrottled = "provider_throttled", 200, Service;
    /// ACS could not be reached, or is broken.
    ProviderUnavailable = "provider_unavailable", 200, Service;
    /// ACS answered something that its documentation does not know. The message may have been sent.
    ProviderUnexpectedAnswer = "provider_unexpected_answer", 200, Service;
    /// The deadline came first. The message may have been sent.
    DeadlineExceeded = "deadline_exceeded", 200, Service;
}

#[cfg(test)]
mod tests {
    use super::Reason;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_code_of_its_own() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|c| c.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
    }
}
