//! What would become of a message: the hook's own decision, without the sending.

use std::iter;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use time::format_description::well_known::Rfc3339;

use crate::guard::blocks::Verdict;
use crate::hook::decide::{Body, Planned, decide};
use crate::hook::request::{ENROLLMENT, HookRequest, NotANumber, channel, is_step};
use crate::message::Channel;
use crate::outcome::Warning;
use crate::phone_number::PhoneNumber;
use crate::ports::{Ports, date};
use crate::providers::{Candidate, Provider};
use crate::refusal::{Reason, Refusal};
use crate::sender;
use crate::settings::Settings;

/// A message that is not to be sent. No member but these is taken: one that is misspelt would be answered as if
/// it were not there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    phone_number: String,
    delivery_channel: Option<String>,
    locale: Option<String>,
    request_type: Option<String>,
    user_id: Option<String>,
    ip_address: Option<String>,
    msg_template: Option<String>,
}

/// What would become of a message. What is not known is left out.
#[skip_serializing_none]
#[derive(Default, Serialize)]
pub(super) struct Explanation {
    verdict: &'static str,
    reason: &'static str,
    fix: Option<String>,
    would_refuse: Option<&'static str>,
    guard: Option<&'static str>,
    block: Option<String>,
    block_until: Option<String>,
    okta_status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
    channel: Option<&'static str>,
    number: Option<String>,
    canary: Option<bool>,
    country: Option<String>,
    takes_sms: Option<bool>,
    takes_calls: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    providers: Vec<Sender>,
    text: Option<String>,
    language: Option<&'static str>,
    segments: Option<u32>,
    encoding: Option<&'static str>,
    limits: Vec<LimitUsed>,
}

/// A provider that can send the message, in the order in which they are asked.
#[derive(Serialize)]
struct Sender {
    provider: String,
    sender: String,
    sender_type: &'static str,
}

#[derive(Serialize)]
struct LimitUsed {
    limit: &'static str,
    rate: String,
    used: u32,
}

/// The passcode of the text, which is nobody's.
const SAMPLE_CODE: &str = "123456";

/// Okta's text, which only Okta knows.
const SAMPLE_TEMPLATE: &str = "Your verification code is ${code}.";

/// How long the passcode of the text holds: as long as Okta's.
const SAMPLE_LIFETIME: Duration = Duration::from_secs(300);

/// What would become of this message now.
pub(super) fn explain(question: Question, settings: &Settings, ports: Ports<'_>) -> Explanation {
    let now = ports.clock.now();
    let request = HookRequest {
        event_id: None,
        event_time: None,
        channel: channel(&question.delivery_channel.unwrap_or_default()),
        phone_number: PhoneNumber::parse(&question.phone_number).map_err(NotANumber::Invalid),
        otp_code: SAMPLE_CODE.into(),
        otp_expires: Some(now + SAMPLE_LIFETIME),
        valid_until: None,
        msg_template: Some(question.msg_template.unwrap_or_else(|| SAMPLE_TEMPLATE.into())),
        locale: question.locale,
        enrollment: question.request_type.is_some_and(|said| is_step(&said, ENROLLMENT)),
        user_id: question.user_id,
        ip_address: question.ip_address,
        preview: false,
        ignored: Vec::new(),
    };
    let channel = request.channel.map(Channel::name);
    let mut explanation = Explanation { channel, ..Explanation::default() };
    if let Ok(number) = &request.phone_number {
        let plan = number.plan();
        explanation.number = Some(number.masked());
        explanation.country = plan.region.map(|region| region.to_string());
        explanation.takes_sms = Some(plan.takes_sms);
        explanation.takes_calls = Some(plan.takes_calls);
    }
    let guard = settings.guard();
    let mut decision = match decide(settings, &request, guard.as_ref(), ports.store, now) {
        Ok(decision) => decision,
        Err(refusal) => return explanation.refused(&refusal, false),
    };
    explanation.canary = decision.recipient.is_canary.then_some(true);
    explanation.would_refuse = decision.would_refuse().map(Reason::code);
    if let Some(look) = &decision.guard {
        explanation.guard = Some(look.verdict.name());
        if look.feed_is_stale() {
            explanation.warnings.push(Warning::FeedStale.name());
        }
        if let Verdict::Blocked { key, until } = look.verdict {
            explanation.block = Some(key.to_string());
            explanation.block_until = date(until).format(&Rfc3339).ok();
        }
    }
    if let Ok(message) = &mut decision.message {
        explanation.fill_in(message);
    }
    match decision.verdict() {
        Ok(()) => Explanation {
            verdict: "sent",
            reason: "accepted",
            okta_status: "SUCCESSFUL",
            ..explanation
        },
        Err(refusal) => explanation.refused(refusal, decision.told_as_successful),
    }
}

impl Explanation {
    fn fill_in<'a>(&mut self, message: &mut Planned<'a>) {
        match &message.body {
            Body::Text(text, segments) => {
                self.text = Some(text.clone());
                self.segments = Some(segments.count);
                self.encoding = Some(segments.encoding.name());
            }
            Body::Call(announcement) => {
                // A provider without a voice for the language says it in English.
                let speech = announcement.for_voices(|_| true);
                self.text = Some(speech.to_read());
                self.language = Some(speech.language.tag());
            }
        }
        let by_each_key =
            |it: &Candidate<'a>| iter::once((it.provider, it.sender)).chain(it.other_key);
        let sender = |(provider, sender): (&Provider, &sender::Sender)| Sender {
            provider: provider.name.clone(),
            sender: sender.value.clone(),
            sender_type: sender.kind.name(),
        };
        self.providers = message.candidates.iter().flat_map(by_each_key).map(sender).collect();
        for limit in &message.limits {
            let Ok(used) = message.counters.used(limit) else {
                self.warnings.push(Warning::StoreUnavailable.name());
                return;
            };
            let (limit, rate) = (limit.scope.name(), limit.rate.to_string());
            self.limits.push(LimitUsed { limit, rate, used });
        }
    }

    fn refused(self, refusal: &Refusal, told_as_successful: bool) -> Self {
        Self {
            verdict: "refused",
            reason: refusal.reason.code(),
            fix: Some(refusal.for_the_log().to_owned()),
            okta_status: if told_as_successful { "SUCCESSFUL" } else { "FAILED" },
            ..self
        }
    }
}
