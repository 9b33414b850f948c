//! Who sends messages, and when a message fails over from one provider to the next.
//!
//! What a provider is, [`Api`] says; there are four kinds: [Azure Communication Services](acs), [Infobip](infobip),
//! [Telesign](telesign) and [Twilio](twilio). [`candidates`] says which of those that are configured can send to a
//! recipient, and [`send`] has two of them do it. [`feedback`] tells one that a passcode was used.
//! What can go wrong with the first, and what then becomes of the message, is the table in `failover.rs`.

pub mod acs;
mod api;
mod connection;
mod failover;
mod feedback;
pub mod infobip;
pub mod repeatability;
pub mod telesign;
mod turn;
pub mod twilio;

use std::rc::Rc;
use std::time::Duration;

use time::OffsetDateTime;

use crate::message::{Announcement, Channel};
use crate::phone_number::PhoneNumber;
use crate::ports::Instant;
use crate::refusal::{Reason, Refusal};
use crate::sender::{Sender, SenderKind, Senders};
use numbering::Region;
use sha2::{Digest, Sha256};

use self::repeatability::Repeatability;

pub use self::api::{Api, Asked, Endpoint, ReportKeys};
pub use self::failover::send;
pub use self::feedback::feedback;

/// The least time that an attempt is worth starting with.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(100);

/// A provider, as it is configured.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What the settings, the log and telemetry call it. No two providers have the same.
    pub name: String,
    /// How it is asked.
    pub api: Rc<dyn Api>,
    /// Who its text messages are from.
    pub senders: Senders,
    /// Who its calls are from; `None`: it makes none.
    pub calls_from: Option<Sender>,
    /// The countries that it serves; all where there is no list.
    pub countries: Option<Vec<Region>>,
    /// The part of all numbers for which it is asked first, from 0 to 1.
    pub share: f64,
}

impl Provider {
    /// Whether it is asked for messages to a region, or to a number whose region is not known.
    pub fn serves(&self, region: Option<Region>) -> bool {
        match &self.countries {
            None => true,
            Some(countries) => region.is_some_and(|region| countries.contains(&region)),
        }
    }

    /// Whether a number is in its [share](Self::share): always the same ones, so that a person's messages come from one
    /// sender.
    fn is_first_for(&self, number: &str) -> bool {
        if self.share == 0.0 {
            return false;
        }
        let hash = Sha256::digest([&self.name, " ", number].concat());
        let place = u32::from_be_bytes(*hash.first_chunk().expect("a hash is longer"));
        f64::from(place) < self.share * 2_f64.powi(32)
    }

    /// Whether there is a country that both serve.
    pub fn shares_a_country_with(&self, other: &Self) -> bool {
        match (&self.countries, &other.countries) {
            (Some(own), Some(others)) => own.iter().any(|region| others.contains(region)),
            (Some(own), None) | (None, Some(own)) => !own.is_empty(),
            (None, None) => true,
        }
    }

    /// Whether both are one account, be it by another of its keys.
    pub fn is_same_account(&self, other: &Self) -> bool {
        let (own, others) = (&self.api, &other.api);
        own.kind() == others.kind()
            && own.endpoint() == others.endpoint()
            && own.account() == others.account()
    }

    /// Whether there is another connection to ask it over. Without TLS there is no HTTP/2, and each request has a
    /// connection of its own; and a message that may go over both must be one to the provider.
    fn has_other_connection(&self, channel: Channel) -> bool {
        self.api.endpoint().tls && self.api.knows_repeats(channel)
    }
}

/// A provider that can send to one recipient.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The provider.
    pub provider: &'a Provider,
    /// Who the message is from.
    pub sender: &'a Sender,
    /// The same account by another key, and who the message is from with that.
    pub other_key: Option<(&'a Provider, &'a Sender)>,
}

/// The providers that can send to a region, or to a number whose region is not known, in the order in which they are
/// asked: at least one.
///
/// The first that serves the region must have a sender for it. Another one may have none, and then can't send there; it
/// has the first one's where it is of the same kind and has none at all. A provider that is the account of one before
/// it is that one's other key. Of those that serve the region, calls go by those only that make calls.
///
/// `number` is the recipient's in its canonical form: by it a provider gets its [share](Provider::share).
///
/// # Errors
///
/// [`Reason::Misconfigured`] where no provider serves the region, or the first one has no sender for it;
/// [`Reason::UnsupportedChannel`] where none of them makes calls.
pub fn candidates<'a>(
    providers: &'a [Provider],
    channel: Channel,
    region: Option<Region>,
    number: &str,
) -> Result<Vec<Candidate<'a>>, Refusal> {
    let mut serving = providers.iter().filter(|provider| provider.serves(region)).peekable();
    if serving.peek().is_none() {
        return Err(nobody_serves(providers, region));
    }
    let mut candidates = match channel {
        Channel::Sms => can_text(serving, region)?,
        Channel::Call => can_call(serving),
    };
    if candidates.is_empty() {
        return Err(nobody_calls(region));
    }
    // A stable sort: those whose share this number is not in stay in their order.
    candidates.sort_by_key(|candidate| !candidate.provider.is_first_for(number));
    Ok(candidates)
}

/// Of the providers that serve a region, those that can send a text message there: at least one.
fn can_text<'a>(
    mut serving: impl Iterator<Item = &'a Provider>,
    region: Option<Region>,
) -> Result<Vec<Candidate<'a>>, Refusal> {
    let Some(first) = serving.next() else { return Ok(Vec::new()) };
    let sender = first.senders.to(region).ok_or_else(|| no_sender(first, region))?;
    let mut candidates = vec![Candidate { provider: first, sender, other_key: None }];
    for provider in serving {
        let own = provider.senders.to(region);
        if is_other_key(&mut candidates, provider, own) {
            continue;
        }
        let shares = provider.senders.is_empty() && provider.api.kind() == first.api.kind();
        if let Some(sender) = own.or(shares.then_some(sender)) {
            candidates.push(Candidate { provider, sender, other_key: None });
        }
    }
    Ok(candidates)
}

/// Of the providers that serve a region, those that make calls.
fn can_call<'a>(serving: impl Iterator<Item = &'a Provider>) -> Vec<Candidate<'a>> {
    let mut candidates = Vec::new();
    for provider in serving {
        let own = provider.calls_from.as_ref();
        if is_other_key(&mut candidates, provider, own) {
            continue;
        }
        if let Some(sender) = own {
            candidates.push(Candidate { provider, sender, other_key: None });
        }
    }
    candidates
}

/// Whether a provider is the other key of one of the candidates, which it is from then on.
fn is_other_key<'a>(
    candidates: &mut [Candidate<'a>],
    provider: &'a Provider,
    own_sender: Option<&'a Sender>,
) -> bool {
    let same = candidates.iter_mut().find(|it| it.provider.is_same_account(provider));
    let Some(one) = same else { return false };
    one.other_key = one.other_key.or(Some((provider, own_sender.unwrap_or(one.sender))));
    true
}

fn nobody_calls(region: Option<Region>) -> Refusal {
    let to = region.map_or("a number of no known country".to_owned(), |region| region.to_string());
    let fix = format!(
        "No provider calls {to}: set voice = true, in [[providers]], on one that can call and serves it, or disable \
         voice calls for the Phone authenticator in Okta."
    );
    Refusal::new(Reason::UnsupportedChannel, fix)
}

fn nobody_serves(providers: &[Provider], region: Option<Region>) -> Refusal {
    let fix = match (providers, region) {
        ([], _) => "There is no provider: set acs_connection_string, or add [[providers]] to the settings.".into(),
        (_, Some(region)) => {
            format!("No provider serves {region}: add it to the countries of one, in [[providers]].")
        }
        (_, None) => "No provider serves a number of no known country: leave the countries of one out, in [[providers]].".into(),
    };
    Refusal::new(Reason::Misconfigured, fix)
}

fn no_sender(provider: &Provider, region: Option<Region>) -> Refusal {
    let name = &provider.name;
    let to = region.map_or("a number of no known country".to_owned(), |region| region.to_string());
    let key = region.map_or("default".to_owned(), |region| format!("default or {region}"));
    let variable = if name == acs::DEFAULT_NAME { ", or acs_from_shortcode" } else { "" };
    let fix = format!(
        "The provider {name} has no sender for {to}: set {key} in its providers.senders{variable}."
    );
    Refusal::new(Reason::Misconfigured, fix)
}

/// A message to be sent. It has no `Debug`: the text has the passcode in it.
pub struct Message<'a> {
    /// The recipient.
    pub to: &'a PhoneNumber,
    /// What it says.
    pub content: Content<'a>,
    /// What makes all attempts one message.
    pub repeatability: Repeatability,
    /// What the message's delivery report will bring back: Okta's id of the hook call. Never anything
    /// about a person.
    pub tag: Option<&'a str>,
    /// When the passcode expires, where that is known: no use sending it later.
    pub expires: Option<OffsetDateTime>,
    /// The person enrols the number, rather than using one that is enrolled.
    pub is_enrollment: bool,
}

/// How a sender and its texts are registered with the carriers of India ("Distributed Ledger Technology").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndiaDlt {
    /// The registered organisation.
    pub principal_entity_id: String,
    /// The registered text.
    pub content_template_id: Option<String>,
    /// Who sends in the organisation's name, where somebody does.
    pub telemarketer_id: Option<String>,
}

impl IndiaDlt {
    /// The calling code of India, whose carriers want more of a message than others.
    const CALLING_CODE: &str = "+91";

    /// What a message to this number must say, if its carriers want to know it.
    fn of_message<'a>(registered: &'a Option<Self>, to: &PhoneNumber) -> Option<&'a Self> {
        registered.as_ref().filter(|_| to.as_str().starts_with(Self::CALLING_CODE))
    }
}

/// What a message says, and so how it reaches the person. It has no `Debug`: the passcode is in it.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// This text, as a text message.
    Text(&'a str),
    /// This, by a call.
    Call(&'a Announcement),
}

impl<'a> Content<'a> {
    /// How it reaches the person.
    pub fn channel(self) -> Channel {
        match self {
            Self::Text(_) => Channel::Sms,
            Self::Call(_) => Channel::Call,
        }
    }

    /// The text, for a provider that can't call.
    ///
    /// # Panics
    ///
    /// On a call: [`candidates`] has none for such a provider.
    pub fn text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Call(_) => unreachable!("a provider that can't call is no candidate for a call"),
        }
    }
}

/// What became of a message. Nothing in it says who it was for.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The name of the provider whose outcome this is: the one that was asked last.
    pub provider: String,
    /// What it is, as people call it, such as `ACS`.
    pub service: &'static str,
    /// The kind of its sender.
    pub sender: SenderKind,
    /// The attempts with all providers, in order.
    pub attempts: Vec<Attempt>,
    /// The status of this provider's answer that counts: the recipient's own where there is one.
    pub status: Option<u16>,
    /// This provider's error code, letters only, where it gave one.
    pub error_code: Option<String>,
    /// The time from the first attempt to the end of the last, with all providers.
    pub elapsed: Duration,
    /// The message id, which the provider may leave out, or why the message is not known to be sent.
    pub result: Result<Option<String>, Refusal>,
    /// Why the message failed over to this provider, where it did.
    pub failed_over: Option<Reason>,
    /// How many segments the provider says that it sends, where it does.
    pub segments: Option<u32>,
    /// Both providers may have sent the message, be the outcome what it is.
    pub may_be_double: bool,
    /// A connection was silent for half of the time, and the message went over the other one, which those after it use.
    pub silent_connection: bool,
    /// The store could not be read or written, so that providers that are down may not be known.
    pub store_failed: bool,
}

/// One request to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The name of the provider.
    pub provider: String,
    /// Its host, and its port where it is not the scheme's own.
    pub authority: String,
    /// The path that was asked for.
    pub path: &'static str,
    /// When it began.
    pub started: Instant,
    /// How long it took.
    pub elapsed: Duration,
    /// The status that it brought: the recipient's own where there is one.
    pub status: Option<u16>,
    /// The provider took the message.
    pub accepted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::acs::Acs;
    use crate::providers::acs::connection_string::ConnectionString;

    const TO: &str = "+15550100123";

    /// The senders are by region, or `default`.
    pub fn provider(name: &str, authority: &str, key: &str, senders: &[(&str, &str)]) -> Provider {
        let resource = format!("endpoint=https://{authority}/;accesskey={key}");
        let (default, by_region): (Vec<_>, Vec<_>) = senders
            .iter()
            .map(|(to, value)| (Region::parse(to), Sender::parse(value).unwrap()))
            .partition(|(region, _)| region.is_none());
        let by_region = by_region.into_iter().map(|(region, sender)| (region.unwrap(), sender));
        Provider {
            name: name.into(),
            api: Rc::new(Acs {
                resource: ConnectionString::parse(&resource).unwrap(),
                api_version: "2021-03-07".into(),
                messaging_connect: None,
                report_timeout: None,
            }),
            senders: Senders::new(by_region, default.into_iter().next().map(|(_, sender)| sender)),
            calls_from: None,
            countries: None,
            share: 0.0,
        }
    }

    #[test]
    fn the_second_provider_sends_where_it_has_a_sender_or_may_use_that_of_the_first() {
        const ALL: &[(&str, &str)] = &[("default", "CONTOSO")];
        const BRITAIN: &[(&str, &str)] = &[("GB", "CONTOSO")];
        for (host, senders, region, expected) in [
            ("b.example", ALL, "US", Some("CONTOSO")),
            ("b.example", BRITAIN, "GB", Some("CONTOSO")),
            ("b.example", BRITAIN, "US", None),
            ("b.example", &[], "US", Some("12345")),
            ("a.example", BRITAIN, "GB", Some("CONTOSO")),
            ("a.example", BRITAIN, "US", Some("12345")),
        ] {
            let label = format!("{host} {senders:?} {region}");
            let first = provider("a", "a.example", "pw==", &[("default", "12345")]);
            let providers = [first, provider("b", host, "b3RoZXI=", senders)];
            let candidates =
                candidates(&providers, Channel::Sms, Region::parse(region), TO).unwrap();
            let [first, others @ ..] = &candidates[..] else { panic!("no candidate") };
            assert_eq!((&*first.provider.name, &*first.sender.value), ("a", "12345"), "{label}");
            let second = others.first().map(|second| second.sender);
            let second = second.or(first.other_key.map(|(_, sender)| sender));
            assert_eq!(second.map(|sender| &*sender.value), expected, "{label}");
        }
    }

    #[test]
    fn a_call_goes_by_the_providers_that_make_calls_and_by_no_other() {
        const ALL: &[(&str, &str)] = &[("default", "12345")];
        let calling = |name, host, key, from: &str| {
            let calls_from = Sender::parse(from).ok();
            Provider { calls_from, ..provider(name, host, key, ALL) }
        };
        let providers = [
            calling("a", "a.example", "pw==", ""),
            calling("b", "b.example", "pw==", "+15550100199"),
            calling("b-other", "b.example", "b3RoZXI=", ""),
            calling("c", "c.example", "pw==", "+15550100198"),
        ];
        let found = candidates(&providers, Channel::Call, None, TO).unwrap();
        let names = |it: &Candidate<'_>| {
            let other_key = it.other_key.map(|(other, from)| (other.name.clone(), from.clone()));
            (it.provider.name.clone(), it.sender.value.clone(), other_key)
        };
        let from = Sender::parse("+15550100199").unwrap();
        let expected = [
            ("b".into(), "+15550100199".into(), Some(("b-other".into(), from))),
            ("c".into(), "+15550100198".into(), None),
        ];
        assert_eq!(found.iter().map(names).collect::<Vec<_>>(), expected);

        let britain = [Region::parse("GB").unwrap()].to_vec();
        let elsewhere = Provider { countries: Some(britain), ..providers[1].clone() };
        for (providers, region) in
            [(&providers[..1], ""), (&[providers[0].clone(), elsewhere], "US")]
        {
            let refusal =
                candidates(providers, Channel::Call, Region::parse(region), TO).unwrap_err();
            assert_eq!(refusal.reason, Reason::UnsupportedChannel);
            assert!(refusal.fix.contains("set voice = true"), "{}", refusal.fix);
        }
    }

    #[test]
    fn of_an_accounts_two_keys_calls_go_by_the_one_that_may_call_and_by_the_other_if_that_is_refused()
     {
        const ALL: &[(&str, &str)] = &[("default", "12345")];
        let entry = |name, key, makes_calls: bool| {
            let calls_from = makes_calls.then(|| Sender::parse("+15550100199").unwrap());
            Provider { calls_from, ..provider(name, "a.example", key, ALL) }
        };
        for (first, second, expected) in [
            (true, true, ("a", Some("a-2"))),
            (true, false, ("a", Some("a-2"))),
            (false, true, ("a-2", None)),
        ] {
            let providers = [entry("a", "pw==", first), entry("a-2", "b3RoZXI=", second)];
            let found = candidates(&providers, Channel::Call, None, TO).unwrap();
            let [found] = &found[..] else { panic!("{found:?}") };
            let other = found.other_key.map(|(other, _)| &*other.name);
            assert_eq!((&*found.provider.name, other), expected, "{first} {second}");
        }
    }

    #[test]
    fn without_a_provider_or_a_sender_of_the_first_one_nothing_can_be_sent() {
        let providers = [
            provider("a", "a.example", "pw==", &[("US", "12345")]),
            provider("b", "b.example", "pw==", &[("default", "CONTOSO")]),
        ];
        let of_the_variables = [provider("acs", "a.example", "pw==", &[("US", "12345")])];
        for (providers, region, fix) in [
            (&of_the_variables[..], "GB", "in its providers.senders, or acs_from_shortcode."),
            (&providers[..], "GB", "a has no sender for GB: set default or GB in its"),
            (
                &providers,
                "",
                "a has no sender for a number of no known country: set default in its",
            ),
            (&[], "US", "There is no provider: set acs_connection_string"),
        ] {
            let refusal =
                candidates(providers, Channel::Sms, Region::parse(region), TO).unwrap_err();
            assert_eq!(refusal.reason, Reason::Misconfigured);
            assert!(refusal.fix.contains(fix), "{}", refusal.fix);
        }
    }
}
