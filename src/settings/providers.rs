//! Who sends: the list of providers, which the variables fill in.

use std::collections::BTreeMap;
use std::mem::take;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::rc::Rc;

use http::uri::Authority;
use numbering::Region;

use super::document::{Named, Said};
use super::findings::Place;
use super::keys;
use super::policy::countries;
use super::reading::Reading;
use super::said;
use crate::identifier::is_twilio_sid;
use crate::pasted::clean;
use crate::phone_number::bare;
use crate::policy::limits::seconds;
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::{
    self, Acs, DEFAULT_API_VERSION, DEFAULT_NAME, MessagingConnect, NEWEST_API_VERSION,
};
use crate::providers::infobip::{self, Infobip};
use crate::providers::telesign::{self, Telesign, signature};
use crate::providers::twilio::{self, Twilio};
use crate::providers::{Api, IndiaDlt, Provider, ReportKeys};
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::sender::{NotASender, Sender, SenderKind, Senders};
use crate::url::Url;

/// The providers, which report to `public_url` where they are told with each message, in order, and the place of each in the list, from 1: one that waits for its secret is left out.
pub(super) fn providers(
    reading: &mut Reading<'_>,
    said: Said<Vec<Said<said::Provider>>>,
    secrets: Said<Named<said::ProviderSecrets>>,
    public_url: Option<&PublicUrl>,
) -> (Vec<Provider>, Vec<usize>) {
    let mut listed = reading.value("providers", said).unwrap_or_default();
    let mut secrets = reading.said(Place::Secrets, "providers", secrets).unwrap_or_default();
    // Without a list the variables make one.
    if listed.is_empty() {
        let kind = Said::This(acs::KIND.to_owned());
        listed.push(Said::This(said::Provider { kind, ..said::Provider::default() }));
    }
    let mut names = Vec::new();
    let mut all_named = true;
    let mut first_kind = None;
    let (mut providers, mut places) = (Vec::new(), Vec::new());
    let mut served = Served::default();
    for (entry, index) in listed.into_iter().zip(1..) {
        let at = format!("providers[{index}]");
        let Some(mut entry) = reading.value(&at, entry) else {
            all_named = false;
            continue;
        };
        let kind = kind(reading, &at, &mut entry);
        let Some(name) = name(reading, &at, take(&mut entry.name), kind, &names) else {
            all_named = false;
            continue;
        };
        names.push(name.clone());
        let secrets = secrets.remove(&name).and_then(|secrets| {
            reading.said(Place::Secrets, &["providers.", &name].concat(), secrets)
        });
        let secrets = secrets.unwrap_or_default();
        let is_first = first_kind.is_none();
        let is_like_the_first = *first_kind.get_or_insert(kind) == kind;
        let senders = senders(reading, &at, take(&mut entry.senders), kind, name == DEFAULT_NAME);
        if (is_first || !is_like_the_first) && senders.as_ref().is_some_and(Senders::is_empty) {
            let (place, key) = match name == DEFAULT_NAME {
                true => (Place::Variable, SENDER_VARIABLE.to_owned()),
                false => (Place::Settings, format!("{at}.senders")),
            };
            let fix = "is not set: name the short code, number or alphanumeric sender ID that messages come from";
            reading.problem(place, &key, fix);
        }
        let countries = countries(reading, &format!("{at}.countries"), take(&mut entry.countries));
        let share = share(reading, &at, take(&mut entry.share));
        let place = At { at: &at, name: &name, is_needed: served.grows_by(countries.as_deref()) };
        let calls_from =
            calls_from(reading, &at, kind, take(&mut entry.voice), take(&mut entry.voice_from));
        if let Some(kind) = kind {
            place.no_secret_of_another_kind(reading, kind, &secrets);
        }
        let api: Option<Rc<dyn Api>> = match kind {
            Some(Kind::Acs) => place.acs(reading, entry, secrets).map(|acs| Rc::new(acs) as _),
            Some(Kind::Infobip) => {
                place.infobip(reading, entry, secrets).map(|infobip| Rc::new(infobip) as _)
            }
            Some(Kind::Telesign) => {
                place.telesign(reading, entry, secrets).map(|telesign| Rc::new(telesign) as _)
            }
            Some(Kind::Twilio) => {
                let twilio = place.twilio(reading, entry, secrets, public_url);
                twilio.map(|twilio| Rc::new(twilio) as _)
            }
            None => None,
        };
        if let (Some(api), Some(senders), Some(calls_from)) = (api, senders, calls_from) {
            providers.push(Provider { name, api, senders, calls_from, countries, share });
            places.push(index);
        }
    }
    // It stops nobody: a provider that has left the settings may leave its secret behind for a while.
    if !secrets.is_empty() {
        let fix = format!(
            "has a table that is no provider's: remove it, or name it {}",
            names.join(" or ")
        );
        reading.advise(Place::Secrets, "providers", fix);
    }
    if all_named && !names.iter().any(|name| name == DEFAULT_NAME) {
        for variable in [CONNECTION_VARIABLE, SENDER_VARIABLE] {
            if reading.variable(variable).is_some() {
                let fix =
                    "is set, and no provider of the settings has the name acs, which it is for";
                reading.problem(Place::Variable, variable, fix);
            }
        }
    }
    (providers, places)
}

/// The countries that the entries so far serve.
#[derive(Default)]
pub(super) struct Served {
    all: bool,
    countries: Vec<Region>,
}

impl Served {
    /// Adds those of the next entry, and says whether it serves any that none before it does: without it messages to
    /// them stay, or go by a provider that is not meant to be the first for them.
    pub(super) fn grows_by(&mut self, countries: Option<&[Region]>) -> bool {
        let is_new = |region: &&Region| !self.countries.contains(region);
        let new: Vec<Region> =
            countries.unwrap_or_default().iter().filter(is_new).copied().collect();
        let grows = !self.all && (countries.is_none() || !new.is_empty());
        self.all |= countries.is_none();
        self.countries.extend(new);
        grows
    }
}

/// The variables that fill in the provider named "acs".
const CONNECTION_VARIABLE: &str = "acs_connection_string";
const SENDER_VARIABLE: &str = "acs_from_shortcode";

/// The kind of a provider. What is said that another kind has is a mistake.
fn kind(reading: &mut Reading<'_>, at: &str, entry: &mut said::Provider) -> Option<Kind> {
    let key = format!("{at}.kind");
    let said = reading.text(&key, take(&mut entry.kind));
    let Some(kind) = Kind::ALL.into_iter().find(|kind| said.as_deref() == Some(kind.name())) else {
        reading.unexpected(Place::Settings, &key);
        return None;
    };
    const ACS: &[Kind] = &[Kind::Acs];
    const INFOBIP: &[Kind] = &[Kind::Infobip];
    const TELESIGN: &[Kind] = &[Kind::Telesign];
    const ALL_BUT_ACS: &[Kind] = &[Kind::Infobip, Kind::Telesign, Kind::Twilio];
    for (of, name, is_there) in [
        (ACS, "api_version", entry.api_version.is_there()),
        (ACS, "messaging_connect", entry.messaging_connect.is_there()),
        (ACS, "delivery_report_timeout", entry.delivery_report_timeout.is_there()),
        (ALL_BUT_ACS, "base_url", entry.base_url.is_there()),
        (ALL_BUT_ACS, "feedback", entry.feedback.is_there()),
        (TELESIGN, "customer_id", entry.customer_id.is_there()),
        (INFOBIP, "idempotent", entry.idempotent.is_there()),
        (&[Kind::Infobip, Kind::Telesign], "india_dlt", entry.india_dlt.is_there()),
        (&[Kind::Twilio], "account_sid", entry.account_sid.is_there()),
    ] {
        if is_there && !of.contains(&kind) {
            reading.problem(Place::Settings, &format!("{at}.{name}"), is_for(of));
        }
    }
    Some(kind)
}

/// The kinds of provider that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Acs,
    Infobip,
    Telesign,
    Twilio,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Acs, Self::Infobip, Self::Telesign, Self::Twilio];

    fn name(self) -> &'static str {
        match self {
            Self::Acs => acs::KIND,
            Self::Infobip => infobip::KIND,
            Self::Telesign => telesign::KIND,
            Self::Twilio => twilio::KIND,
        }
    }

    fn makes_calls(self) -> bool {
        match self {
            Self::Acs => false,
            Self::Infobip | Self::Telesign | Self::Twilio => true,
        }
    }

    /// Whether its calls come from a number of the provider's where the owner names none.
    fn has_numbers_for_calls(self) -> bool {
        match self {
            Self::Acs | Self::Infobip | Self::Twilio => false,
            Self::Telesign => true,
        }
    }
}

/// What is said of a key that belongs to other kinds.
fn is_for(kinds: &[Kind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    format!("is for providers of the kind {}: remove it", names.join(" or "))
}

/// The name of a provider, which none of the others may have: that of its kind where none is said.
fn name(
    reading: &mut Reading<'_>,
    at: &str,
    said: Said<String>,
    kind: Option<Kind>,
    taken: &[String],
) -> Option<String> {
    let key = format!("{at}.name");
    let name = reading.text(&key, said);
    let name = name.unwrap_or(kind.map_or(DEFAULT_NAME, Kind::name).to_owned());
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    // The variables are of ACS, and fill in the provider of this name.
    let is_anothers = name == DEFAULT_NAME && kind.is_some_and(|kind| kind != Kind::Acs);
    if name.len() > 32 || !name.bytes().all(fits) || taken.contains(&name) || is_anothers {
        reading.unexpected(Place::Settings, &key);
        return None;
    }
    Some(name)
}

fn share(reading: &mut Reading<'_>, at: &str, said: Said<f64>) -> f64 {
    let key = format!("{at}.share");
    match reading.value(&key, said) {
        None => 0.0,
        Some(share) if (0.0..=1.0).contains(&share) => share,
        Some(_) => {
            reading.unexpected(Place::Settings, &key);
            0.0
        }
    }
}

/// For how long ACS may be told to wait for a report, in seconds (`deliveryReportTimeoutInSeconds`).
const REPORT_TIMEOUT_RANGE: RangeInclusive<u32> = 60..=43_200;

/// Who a provider's calls are from, if it makes any. Where that can't be used as it is, that is told, and this is
/// `None`.
fn calls_from(
    reading: &mut Reading<'_>,
    at: &str,
    kind: Option<Kind>,
    voice: Said<bool>,
    voice_from: Said<String>,
) -> Option<Option<Sender>> {
    let key = format!("{at}.voice");
    let key_from = format!("{at}.voice_from");
    let is_on = reading.value(&key, voice).unwrap_or(false);
    let said = reading.text(&key_from, voice_from);
    let from = match said.map(|said| bare(&clean(&said))) {
        Some(said) if said.starts_with('+') => Some(Sender::parse(&said)),
        Some(_) => Some(Err(NotASender)),
        None => None,
    };
    let from = match from.transpose() {
        Ok(from) => from,
        Err(NotASender) => {
            reading.unexpected(Place::Settings, &key_from);
            return None;
        }
    };
    let kind = kind?;
    if !is_on {
        if from.is_some() {
            let fix = "is for calls: set voice = true beside it, or remove it";
            reading.advise(Place::Settings, &key_from, fix);
        }
        return Some(None);
    }
    if !kind.makes_calls() {
        let fix = format!("can't be true, since {} makes no calls: remove it", kind.name());
        reading.problem(Place::Settings, &key, fix);
        return None;
    }
    match from {
        Some(from) => Some(Some(from)),
        None if kind.has_numbers_for_calls() => Some(Some(Sender::of_provider())),
        None => {
            let fix = "is not set: name a number of the account, with + and the country code, that calls come from";
            reading.problem(Place::Settings, &key_from, fix);
            None
        }
    }
}

/// Where a provider is in the settings.
struct At<'a> {
    /// Its entry.
    at: &'a str,
    name: &'a str,
    /// It serves a country that none before it does.
    is_needed: bool,
}

impl At<'_> {
    fn acs(
        &self,
        reading: &mut Reading<'_>,
        said: said::Provider,
        secrets: said::ProviderSecrets,
    ) -> Option<Acs> {
        let version = format!("{}.api_version", self.at);
        let api_version =
            reading.text(&version, said.api_version).unwrap_or(DEFAULT_API_VERSION.to_owned());
        if !acs::is_api_version(&api_version) {
            reading.unexpected(Place::Settings, &version);
        }
        if api_version != NEWEST_API_VERSION {
            for (name, is_said) in [
                ("messaging_connect", said.messaging_connect.is_there()),
                ("delivery_report_timeout", said.delivery_report_timeout.is_there()),
            ] {
                if is_said {
                    let key = format!("{}.{name}", self.at);
                    let fix = format!(
                        "is of another version of ACS: set api_version = \"{NEWEST_API_VERSION}\" beside it, or remove it"
                    );
                    reading.problem(Place::Settings, &key, fix);
                }
            }
        }
        let report_timeout = self.report_timeout(reading, said.delivery_report_timeout);
        let messaging_connect =
            self.messaging_connect(reading, said.messaging_connect, secrets.messaging_connect);
        let resource = self.resource(reading, secrets.connection_string)?;
        let messaging_connect = messaging_connect?;
        Some(Acs { resource, api_version, messaging_connect, report_timeout })
    }

    fn report_timeout(&self, reading: &mut Reading<'_>, said: Said<String>) -> Option<u32> {
        let key = format!("{}.delivery_report_timeout", self.at);
        let timeout = seconds(&reading.text(&key, said)?);
        if !timeout.is_some_and(|timeout| REPORT_TIMEOUT_RANGE.contains(&timeout)) {
            reading.unexpected(Place::Settings, &key);
        }
        timeout
    }

    /// The partner of Messaging Connect, if there is one. Where it can't be used as it is, that is told, and this is
    /// `None`.
    fn messaging_connect(
        &self,
        reading: &mut Reading<'_>,
        said: Said<said::MessagingConnect>,
        secrets: Said<Named<String>>,
    ) -> Option<Option<MessagingConnect>> {
        let at = format!("{}.messaging_connect", self.at);
        let secrets_at = self.key_of_secret("messaging_connect");
        let is_said = said.is_there();
        let said = reading.value(&at, said).unwrap_or_default();
        let partner = reading.text(&format!("{at}.partner"), said.partner);
        let secrets = reading.said(Place::Secrets, &secrets_at, secrets).unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for (name, value) in secrets {
            let key = [&secrets_at, ".", &name].concat();
            let Some(value) = reading.said(Place::Secrets, &key, value) else { continue };
            let value = clean(&value);
            if !value.is_empty() {
                parameters.insert(name, Secret::from(&*value));
            }
        }
        let Some(partner) = partner else {
            if is_said {
                let fix = "is not set: name the partner that the senders are leased from";
                reading.problem(Place::Settings, &format!("{at}.partner"), fix);
            } else if !parameters.is_empty() {
                let fix = format!(
                    "is for a partner that is not named: set {at}.partner of the settings, or remove it"
                );
                reading.problem(Place::Secrets, &secrets_at, fix);
            }
            return Some(None);
        };
        if parameters.is_empty() {
            let fix =
                format!("is not set: put into it what {partner} wants to know, such as apiKey");
            self.not_set(reading, Place::Secrets, &secrets_at, &fix);
            return None;
        }
        Some(Some(MessagingConnect { partner, parameters }))
    }

    /// The resource of ACS, by its secret or by the variable. Where it is `None`, that is told.
    fn resource(
        &self,
        reading: &mut Reading<'_>,
        secret: Said<String>,
    ) -> Option<ConnectionString> {
        let key = &*self.key_of_secret("connection_string");
        let from_variables = self.name == DEFAULT_NAME;
        let secret = reading.said(Place::Secrets, key, secret);
        let secret = secret.map(|it| clean(&it)).filter(|it| !it.is_empty());
        let variable = if from_variables { reading.variable(CONNECTION_VARIABLE) } else { None };
        let (place, key, said) = match (secret, variable) {
            (Some(_), Some(_)) => {
                reading.problem(
                    Place::Secrets,
                    key,
                    "is there twice: the variable acs_connection_string has it, too",
                );
                return None;
            }
            (Some(said), None) => (Place::Secrets, key, said),
            (None, Some(said)) => (Place::Variable, CONNECTION_VARIABLE, said),
            (None, None) => {
                let (place, key) = match from_variables {
                    true => (Place::Variable, CONNECTION_VARIABLE),
                    false => (Place::Secrets, key),
                };
                let fix = "is not set: copy it from the resource's page Keys in the Azure portal";
                self.not_set(reading, place, key, fix);
                return None;
            }
        };
        ConnectionString::parse(&said)
            .map_err(|error| reading.problem(place, key, error.to_string()))
            .ok()
    }

    fn infobip(
        &self,
        reading: &mut Reading<'_>,
        said: said::Provider,
        secrets: said::ProviderSecrets,
    ) -> Option<Infobip> {
        let base_url = self.account_url(reading, said.base_url, ".api.infobip.com");
        let idempotent = reading.value(&format!("{}.idempotent", self.at), said.idempotent);
        let india_dlt = self.india_dlt(reading, said.india_dlt);
        let feedback = self.feedback(reading, said.feedback);
        let key = &*self.key_of_secret("api_key");
        let fix = "is not set: make one in Infobip's portal, with the scope sms:message:send";
        let api_key = self.api_key(reading, key, secrets.api_key, fix)?;
        if !api_key.bytes().all(|b| b.is_ascii_graphic()) {
            let fix = "has a character that no API key has: copy it anew from Infobip's portal, without App before it";
            reading.problem(Place::Secrets, key, fix);
        }
        let (tls, authority) = base_url?;
        let idempotent = idempotent.unwrap_or(false);
        let api_key = Secret::from(&*api_key);
        Some(Infobip { tls, authority, api_key, idempotent, feedback, india_dlt })
    }

    fn telesign(
        &self,
        reading: &mut Reading<'_>,
        said: said::Provider,
        secrets: said::ProviderSecrets,
    ) -> Option<Telesign> {
        let base_url = self.account_url(reading, said.base_url, ".telesign.com");
        let customer_id = format!("{}.customer_id", self.at);
        let fits = |id: &String| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let customer_id = match reading.text(&customer_id, said.customer_id) {
            Some(id) if fits(&id) => Some(id),
            None | Some(_) => {
                reading.unexpected(Place::Settings, &customer_id);
                None
            }
        };
        let india_dlt = self.india_dlt(reading, said.india_dlt);
        if india_dlt.as_ref().is_some_and(|dlt| dlt.telemarketer_id.is_some()) {
            let key = format!("{}.india_dlt.telemarketer_id", self.at);
            reading.problem(Place::Settings, &key, is_for(&[Kind::Infobip]));
        }
        let feedback = self.feedback(reading, said.feedback);
        let key = &*self.key_of_secret("api_key");
        let fix = "is not set: copy it from Telesign's portal";
        let api_key = self.api_key(reading, key, secrets.api_key, fix)?;
        let decoded =
            signature::key(&api_key).filter(|_| api_key.bytes().all(|b| b.is_ascii_graphic()));
        if decoded.is_none() {
            let fix = "is no base64, as Telesign's keys are: copy it anew from Telesign's portal";
            reading.problem(Place::Secrets, key, fix);
        }
        let (tls, authority) = base_url?;
        let (customer_id, api_key) = (customer_id?, decoded?);
        Some(Telesign { tls, authority, customer_id, api_key, feedback, india_dlt })
    }

    /// Where an account is asked: at a host of its own, whose name ends with this. It must be said.
    fn account_url(
        &self,
        reading: &mut Reading<'_>,
        said: Said<String>,
        domain: &str,
    ) -> Option<(bool, String)> {
        let is_accounts = |host: &str| host.strip_suffix(domain).is_some_and(|it| !it.is_empty());
        match reading.text(&self.base_url(), said) {
            Some(said) => self.endpoint(reading, &said, is_accounts),
            None => {
                reading.unexpected(Place::Settings, &self.base_url());
                None
            }
        }
    }

    /// The API key as it is said. Where there is none, that is told, with what to do.
    fn api_key(
        &self,
        reading: &mut Reading<'_>,
        key: &str,
        secret: Said<String>,
        fix: &str,
    ) -> Option<String> {
        let api_key = reading.said(Place::Secrets, key, secret).map(|said| clean(&said));
        let api_key = api_key.filter(|said| !said.is_empty());
        if api_key.is_none() {
            self.not_set(reading, Place::Secrets, key, fix);
        }
        api_key
    }

    fn india_dlt(&self, reading: &mut Reading<'_>, said: Said<said::IndiaDlt>) -> Option<IndiaDlt> {
        let at = format!("{}.india_dlt", self.at);
        let said = reading.value(&at, said)?;
        let mut id = |name: &str, said| {
            let key = format!("{at}.{name}");
            let id = reading.text(&key, said)?;
            if !id.bytes().all(|b| b.is_ascii_digit()) || id.len() > 30 {
                reading.unexpected(Place::Settings, &key);
            }
            Some(id)
        };
        let principal_entity_id = id("principal_entity_id", said.principal_entity_id);
        let content_template_id = id("content_template_id", said.content_template_id);
        let telemarketer_id = id("telemarketer_id", said.telemarketer_id);
        let Some(principal_entity_id) = principal_entity_id else {
            let fix = "is not set, and India's carriers know the others by it";
            reading.problem(Place::Settings, &format!("{at}.principal_entity_id"), fix);
            return None;
        };
        Some(IndiaDlt { principal_entity_id, content_template_id, telemarketer_id })
    }

    fn twilio(
        &self,
        reading: &mut Reading<'_>,
        said: said::Provider,
        secrets: said::ProviderSecrets,
        public_url: Option<&PublicUrl>,
    ) -> Option<Twilio> {
        // A region's host is `api.EDGE.REGION.twilio.com`.
        let is_twilios = |host: &str| {
            let of_region = host.strip_prefix("api.").and_then(|it| it.strip_suffix(".twilio.com"));
            host == twilio::DEFAULT_AUTHORITY || of_region.is_some_and(|it| it.contains('.'))
        };
        let base_url = match reading.text(&self.base_url(), said.base_url) {
            Some(said) => self.endpoint(reading, &said, is_twilios),
            None => Some((true, twilio::DEFAULT_AUTHORITY.to_owned())),
        };
        let key = format!("{}.account_sid", self.at);
        let account_sid = reading.text(&key, said.account_sid);
        let account_sid = account_sid.filter(|sid| is_twilio_sid("AC", sid));
        if account_sid.is_none() {
            reading.unexpected(Place::Settings, &key);
        }
        let feedback = self.feedback(reading, said.feedback);
        let mut secret = |name: &str, said| {
            let said = reading.said(Place::Secrets, &self.key_of_secret(name), said);
            said.map(|said: String| clean(&said)).filter(|said| !said.is_empty())
        };
        let key_sid = secret("api_key_sid", secrets.api_key_sid);
        let key_secret = secret("api_key_secret", secrets.api_key_secret);
        let auth_token = secret("auth_token", secrets.auth_token);
        let previous = secret("auth_token_previous", secrets.auth_token_previous);
        for (name, secret) in [("api_key_sid", &key_sid), ("api_key_secret", &key_secret)] {
            if secret.is_none() {
                let fix =
                    "is not set: make an API key in Twilio's console, which shows its secret once";
                self.not_set(reading, Place::Secrets, &self.key_of_secret(name), fix);
            }
        }
        if let Some(sid) = &key_sid {
            let key = &*self.key_of_secret("api_key_sid");
            if is_twilio_sid("AC", sid) {
                let fix = "is an account's own SID, which works with its auth token only: make an API key, unless these are \
                           test credentials";
                reading.advise(Place::Secrets, key, fix);
            } else if !is_twilio_sid("SK", sid) {
                reading.unexpected(Place::Secrets, key);
            }
        }
        if auth_token.is_none() && previous.is_some() {
            let fix = "is of no use without auth_token: set that, too, or remove it";
            reading.advise(Place::Secrets, &self.key_of_secret("auth_token_previous"), fix);
        }
        let auth_tokens = auth_token.map(|current| ReportKeys {
            current: Secret::from(&*current),
            previous: previous.as_deref().map(Secret::from),
        });
        let (tls, authority) = base_url?;
        // Twilio refuses a message whose callback it can't reach: only its emulator reaches this machine. Nor are reports
        // of use that can't be checked.
        let callback_url =
            public_url.filter(|url| auth_tokens.is_some() && (url.tls || is_loopback(&authority)));
        Some(Twilio {
            tls,
            authority,
            account_sid: account_sid?,
            key_sid: key_sid?,
            key_secret: Secret::from(&*key_secret?),
            auth_tokens,
            feedback,
            status_callback: callback_url.map(|url| url.of(twilio::REPORTS_PATH)),
        })
    }

    /// Whether it is told of passcodes that were used.
    fn feedback(&self, reading: &mut Reading<'_>, said: Said<bool>) -> bool {
        reading.value(&format!("{}.feedback", self.at), said).unwrap_or(false)
    }

    fn base_url(&self) -> String {
        format!("{}.base_url", self.at)
    }

    /// Whether the URL of a provider is `https`, and its host: one of its own, or an emulator's on this machine. Where it
    /// is neither, that is told.
    fn endpoint(
        &self,
        reading: &mut Reading<'_>,
        said: &str,
        is_own: impl Fn(&str) -> bool,
    ) -> Option<(bool, String)> {
        let url = Url::parse(said).ok().filter(|url| {
            let is_own = url.tls && is_own(&url.authority);
            url.path_and_query == "/" && (is_own || is_loopback(&url.authority))
        });
        if url.is_none() {
            reading.unexpected(Place::Settings, &self.base_url());
        }
        url.map(|Url { tls, authority, .. }| (tls, authority))
    }

    fn key_of_secret(&self, name: &str) -> String {
        ["providers.", self.name, ".", name].concat()
    }

    /// A secret that another kind of provider has is a mistake.
    fn no_secret_of_another_kind(
        &self,
        reading: &mut Reading<'_>,
        kind: Kind,
        secrets: &said::ProviderSecrets,
    ) {
        const ACS: &[Kind] = &[Kind::Acs];
        const TWILIO: &[Kind] = &[Kind::Twilio];
        for (of, name, is_there) in [
            (ACS, "connection_string", secrets.connection_string.is_there()),
            (ACS, "messaging_connect", secrets.messaging_connect.is_there()),
            (&[Kind::Infobip, Kind::Telesign], "api_key", secrets.api_key.is_there()),
            (TWILIO, "api_key_sid", secrets.api_key_sid.is_there()),
            (TWILIO, "api_key_secret", secrets.api_key_secret.is_there()),
            (TWILIO, "auth_token", secrets.auth_token.is_there()),
            (TWILIO, "auth_token_previous", secrets.auth_token_previous.is_there()),
        ] {
            if is_there && !of.contains(&kind) {
                reading.problem(Place::Secrets, &self.key_of_secret(name), is_for(of));
            }
        }
    }

    /// Without one that is not needed messages go by those before it still, and the secrets may come after the settings.
    fn not_set(&self, reading: &mut Reading<'_>, place: Place, key: &str, fix: &str) {
        match self.is_needed {
            true => reading.problem(place, key, fix),
            false => reading.advise(place, key, fix),
        }
    }
}

/// Whether this is of this machine.
pub(super) fn is_loopback(authority: &str) -> bool {
    authority.parse::<Authority>().is_ok_and(|authority| {
        let host = authority.host();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

fn senders(
    reading: &mut Reading<'_>,
    at: &str,
    said: Said<Named<String>>,
    kind: Option<Kind>,
    from_variables: bool,
) -> Option<Senders> {
    let before = reading.problems.len();
    let key = format!("{at}.senders");
    let mut by_region = Vec::new();
    let mut default = None;
    for (country, sender) in reading.value(&key, said).unwrap_or_default() {
        let key = [&key, ".", &country].concat();
        let Some(sender) = reading.value(&key, sender) else { continue };
        let Ok(sender) = parse_sender(&sender) else {
            reading.unexpected(Place::Settings, &key);
            continue;
        };
        if sender.kind == SenderKind::Provider && kind != Some(Kind::Twilio) {
            let fix = "is a Messaging Service, which only providers of the kind twilio have: give a number or a name";
            reading.problem(Place::Settings, &key, fix);
        }
        match Region::parse(&country) {
            Some(region) if by_region.iter().any(|(other, _)| *other == region) => {
                reading.problem(Place::Settings, &key, "is there twice, in upper and lower case");
            }
            Some(region) => by_region.push((region, sender)),
            None if country == "default" => default = Some(sender),
            None => reading.problem(
                Place::Settings,
                &key,
                "is no country: its name must have two letters, such as US (Great Britain is GB), or be default",
            ),
        }
    }
    let variable = if from_variables { reading.variable(SENDER_VARIABLE) } else { None };
    if let Some(said) = variable {
        if default.is_some() {
            let key = format!("{key}.default");
            reading.problem(
                Place::Settings,
                &key,
                "is there twice: the variable acs_from_shortcode has it, too",
            );
        }
        match parse_sender(&said) {
            Ok(sender) if sender.kind != SenderKind::Provider => default = Some(sender),
            _ => {
                let fix = keys::must_be(Place::Settings, &format!("{key}.default"));
                reading.problem(Place::Variable, SENDER_VARIABLE, fix);
            }
        }
    }
    (reading.problems.len() == before).then(|| Senders::new(by_region, default))
}

/// Reads a sender as people paste it: a number may have blanks, dashes and brackets in it, and the blanks of a name
/// may be no-break spaces.
fn parse_sender(said: &str) -> Result<Sender, NotASender> {
    let said = clean(said);
    let number = bare(&said);
    let is_number = number.starts_with('+') && !said.contains(char::is_alphabetic);
    Sender::parse(&if is_number { number } else { said.replace(char::is_whitespace, " ") })
}
