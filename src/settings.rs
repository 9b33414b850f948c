//! The configuration, read once: a handful of variables, two of them TOML documents, become [`Settings`].
//!
//! What was said (`said`) becomes what it means, section by section. Each section is a `Result` of its own,
//! so that a mistake stops only who needs that section; and each names everything that is wrong with it.
//! No other module knows whether a value came from a variable or from a document, and nothing reads a setting twice: what is unwise
//! is advice that [`Settings::read_and_check`] computes from the same types.

mod callers;
mod check;
mod document;
mod findings;
mod guard;
mod hosts;
mod keys;
mod lost;
mod policy;
mod providers;
mod reading;
mod said;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

pub use self::check::Check;
pub use self::findings::{Finding, Place, Problems};
pub use self::keys::{KEYS, Key};

use self::callers::{BASIC_SECRET, Doors};
use self::document::{Document, Said};
use self::findings::each_once;
use self::reading::{ANY_OTHER, Documents, Reading, in_white_space, is_no_secret};
use crate::callers::Callers;
use crate::canary::Canaries;
use crate::guard::ledger::Ledger;
use crate::guard::{Guard, Mode, Rules};
use crate::message::{
    Domain, InvalidEntry, InvalidSpoken, InvalidTemplate, MOST_SPOKEN_CHARACTERS, SpokenTemplates,
    Templates, Wording,
};
use crate::pasted::clean;
use crate::phone_number::PhoneNumber;
use crate::policy::Policy;
use crate::policy::limits::seconds;
use crate::ports::Variables;
use crate::providers::Provider;
use crate::public_url::PublicUrl;
use crate::records::shared::Shared;
use crate::records::store_key::StoreKey;
use crate::records::{Bounds, CanaryHashes};
use crate::refusal::{Reason, Refusal};
use crate::secret::Secret;
use crate::telemetry::application_insights::Sink;

/// A part of the configuration, or everything that is wrong with it.
pub type Section<T> = Result<T, Problems>;

/// The configuration of one request.
#[derive(Debug)]
pub struct Settings {
    /// Who may call the hook: at least one way is on.
    pub callers: Section<Callers>,
    /// How the hook answers.
    pub hook: Section<Hook>,
    /// The owner's rules.
    pub policy: Section<Policy>,
    /// How messages are worded.
    pub wording: Section<Wording>,
    /// How the world sees the hook; `None` where that is not said.
    pub public_url: Section<Option<PublicUrl>>,
    /// Who sends, in order: at least one. A message is tried with two of them at most.
    pub providers: Section<Vec<Provider>>,
    /// The place of each of them in the document's list, from 1.
    provider_places: Vec<usize>,
    /// The key of the store is made of it; `None`: of the first provider's access key.
    store_secret: Section<Option<Secret>>,
    /// Who may deliver reports; `None`: nobody.
    pub reporters: Section<Option<Callers>>,
    /// Who may deliver Okta's events; `None`: nobody.
    pub events: Section<Option<Callers>>,
    /// Whether ACS is asked for the report of a message that the operator looks at and that has none.
    pub asks_acs: Section<bool>,
    /// Who may see the operator's pages; `None`: there are none.
    pub operator: Section<Option<Callers>>,
    /// How much is remembered of what became of messages; `None`: nothing.
    pub records: Section<Option<Bounds>>,
    /// Which messages are canaries.
    pub canary: Section<Canaries>,
    /// The rules of the guard, which may be off.
    pub guard: Section<Rules>,
    /// Where telemetry goes; `None`: nowhere.
    pub sink: Section<Option<Sink>>,
    /// What is wrong or unwise, and stops nobody: a secret of before the last change that can't match, a secret
    /// that can be guessed.
    pub advice: Vec<Finding>,
}

/// How the hook answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The form of the answers.
    pub response_format: ResponseFormat,
    /// The time in which the whole hook answers.
    pub deadline: Duration,
}

impl Default for Hook {
    fn default() -> Self {
        Self {
            response_format: ResponseFormat::Auto,
            deadline: Duration::from_millis(DEFAULT_DEADLINE_MS),
        }
    }
}

/// The form of an answer, `okta.response_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormat {
    /// In the caller's dialect; documented where the body was not read or could not be parsed.
    Auto,
    /// Always as Okta documents it; a bare payload is refused.
    Documented,
    /// Always as the Azure Function answered.
    Classic,
}

/// The deadline where none is said, in milliseconds. Okta waits 3 seconds, network included.
const DEFAULT_DEADLINE_MS: u64 = 2500;

/// The deadlines that make sense, in milliseconds: what is shorter leaves the provider no time, what is
/// longer leaves the network none.
const DEADLINE_RANGE_MS: std::ops::RangeInclusive<u64> = 500..=2800;

/// How many segments a message may be let have. Ten have at most 1,530 characters, and ACS takes 2,048 ("maxLength 2048",
/// ACS SMS REST API, `message`).
const SEGMENTS_RANGE: std::ops::RangeInclusive<u32> = 1..=10;

/// How many messages are remembered where nothing is said.
const DEFAULT_RECORD_SLOTS: u32 = 10_000;

/// The most that may be: the operator's list reads all of them.
const MOST_RECORD_SLOTS: u32 = 100_000;

/// For how long they are remembered where nothing is said, in seconds: 30 days.
const DEFAULT_RECORD_MAX_AGE: u32 = 30 * 86_400;

/// The longest time that may be, in seconds: a year.
const LONGEST_RECORD_MAX_AGE: u32 = 366 * 86_400;

impl Settings {
    /// Reads the configuration.
    pub fn read(variables: &dyn Variables) -> Self {
        Self::read_with_documents(variables).0
    }

    /// Reads the configuration, and looks for all that is wrong with it or unwise.
    pub fn read_and_check(variables: &dyn Variables) -> (Self, Check) {
        let (settings, documents) = Self::read_with_documents(variables);
        let check = check::check(&settings, documents, variables);
        (settings, check)
    }

    /// Reads the configuration, and gives the documents for what else is to be said of them.
    fn read_with_documents(variables: &dyn Variables) -> (Self, Documents<'_>) {
        let (settings, settings_document) =
            Document::read::<said::SettingsDocument>(Place::Settings, variables);
        let (secrets, secrets_document) =
            Document::read::<said::SecretsDocument>(Place::Secrets, variables);
        let documents = Documents {
            settings: settings_document,
            secrets: secrets_document,
            variables,
            advice: RefCell::default(),
        };
        let okta = settings.okta.get().unwrap_or_default();
        let basic_secret = variables.get(BASIC_SECRET);
        let doors = Doors::read(&secrets, &basic_secret);
        let okta_secrets = secrets.okta.get().unwrap_or_default();
        let reports = settings.reports.get().unwrap_or_default();
        let report_secrets = secrets.reports.get().unwrap_or_default();
        let event_secrets = secrets.events.get().unwrap_or_default();
        let operator_secrets = secrets.operator.get().unwrap_or_default();

        let public_url = documents.section(&[Place::Settings], &[PUBLIC_URL], |reading| {
            read_public_url(reading, settings.public_url)
        });
        // Messages can do without reports.
        let reachable_at = public_url.as_ref().ok().and_then(Option::as_ref);
        let listed =
            documents.section(&[Place::Settings, Place::Secrets], &["providers"], |reading| {
                providers::providers(reading, settings.providers, secrets.providers, reachable_at)
            });
        let (providers, provider_places) = match listed {
            Ok((providers, places)) => (Ok(providers), places),
            Err(problems) => (Err(problems), Vec::new()),
        };
        let events = documents.section(&[Place::Secrets], &["events"], |reading| {
            callers::events(reading, event_secrets, &doors)
        });
        let has_events = !matches!(events, Ok(None));
        let read = Self {
            // A misspelt key of [okta] counts against `hook`, so that it is told once and to who has proven itself.
            callers: documents.section(&[Place::Settings, Place::Secrets], &[], |reading| {
                callers::callers(reading, basic_secret, okta.header_name, okta.oauth, okta_secrets)
            }),
            hook: documents.section(
                &[Place::Settings, Place::Secrets],
                &["okta", ANY_OTHER],
                |reading| hook(reading, okta.response_format, okta.deadline_ms),
            ),
            policy: documents.section(&[Place::Settings], &["policy", "limits"], |reading| {
                let rules = settings.policy.get().unwrap_or_default();
                policy::policy(reading, rules, settings.limits.get().unwrap_or_default())
            }),
            wording: documents.section(&[Place::Settings], &["message", "voice"], |reading| {
                let voice = settings.voice.get().unwrap_or_default();
                wording(reading, settings.message.get().unwrap_or_default(), voice)
            }),
            public_url,
            providers,
            provider_places,
            store_secret: documents.section(&[Place::Secrets], &["store"], |reading| {
                store_secret(reading, secrets.store.get().unwrap_or_default())
            }),
            reporters: documents.section(
                &[Place::Settings, Place::Secrets],
                &["reports"],
                |reading| callers::reporters(reading, reports.oauth, report_secrets, &doors),
            ),
            events,
            // A misspelt key of [reports] counts against `reporters`.
            asks_acs: documents.section(&[Place::Settings], &[], |reading| {
                reading.value("reports.ask_acs", reports.ask_acs).unwrap_or(false)
            }),
            operator: documents.section(&[Place::Secrets], &["operator"], |reading| {
                callers::operator(reading, operator_secrets, &doors)
            }),
            records: documents.section(&[Place::Settings], &["records"], |reading| {
                records(reading, settings.records.get().unwrap_or_default())
            }),
            canary: documents.section(&[Place::Settings], &["canary"], |reading| {
                canaries(reading, settings.canary.get().unwrap_or_default())
            }),
            guard: documents.section(&[Place::Settings], &["guard"], |reading| {
                guard::guard(reading, settings.guard.get().unwrap_or_default(), has_events)
            }),
            sink: documents.section(&[Place::Secrets], &["application_insights"], |reading| {
                sink(reading, secrets.application_insights.get().unwrap_or_default())
            }),
            advice: Vec::new(),
        };
        let advice = documents.advice.take();
        (Self { advice, ..read }, documents)
    }

    /// What a message needs, or everything that keeps messages from being sent.
    pub fn ready(&self) -> Result<Ready<'_>, Refusal> {
        match (&self.policy, &self.wording, &self.providers, self.store_key()) {
            (Ok(policy), Ok(wording), Ok(providers), Ok(store_key))
                if self.hook.is_ok() && self.callers.is_ok() =>
            {
                Ok(Ready { policy, wording, providers, store_key })
            }
            _ => Err(self.misconfigured()),
        }
    }

    /// The refusal that names everything that keeps messages from being sent.
    pub fn misconfigured(&self) -> Refusal {
        Refusal::new(Reason::Misconfigured, Problems(self.problems()).to_string())
    }

    /// The key under which the store keeps what may not be read or written by others.
    pub fn store_key(&self) -> Result<StoreKey, Problems> {
        if let Some(secret) = self.store_secret.as_ref().map_err(Problems::clone)? {
            return Ok(StoreKey::derive(secret.reveal()));
        }
        let providers = self.providers.as_ref().map_err(Problems::clone)?;
        let first = providers.first().map(|first| first.api.secret().reveal());
        Ok(StoreKey::derive(first.unwrap_or_default()))
    }

    /// The canaries' numbers as records have them; none where the list or the store's key is not in order.
    pub fn recorded_canaries(&self) -> CanaryHashes {
        match (&self.canary, self.store_key()) {
            (Ok(canaries), Ok(key)) => canaries.recorded(&key),
            _ => CanaryHashes::default(),
        }
    }

    /// The guard, if it is on and what it needs is in order: its rules, and a place for what it learns.
    pub fn guard(&self) -> Option<Guard<'_>> {
        let rules = self.guard.as_ref().ok().filter(|rules| rules.mode != Mode::Off)?;
        let key = self.store_key().ok().filter(|_| matches!(self.records, Ok(Some(_))))?;
        Some(Guard { rules, key })
    }

    /// What the guard learns from, with as much room as it is given. It is there while the guard is off, too: events are
    /// told of once.
    pub fn ledger<'a>(&self, shared: &Rc<Shared<'a>>) -> Ledger<'a> {
        let slots = self.guard.as_ref().map_or(Rules::default().slots, |rules| rules.slots);
        Ledger::new(slots, Rc::clone(shared))
    }

    /// Everything that keeps messages from being sent, each once.
    pub fn problems(&self) -> Vec<Finding> {
        let sections = [
            self.hook.as_ref().err(),
            self.callers.as_ref().err(),
            self.policy.as_ref().err(),
            self.wording.as_ref().err(),
            self.providers.as_ref().err(),
            self.store_secret.as_ref().err(),
        ];
        each_once(sections.into_iter().flatten().flat_map(Problems::findings).cloned())
    }
}

/// What a message needs, all of it in order.
pub struct Ready<'a> {
    /// The owner's rules.
    pub policy: &'a Policy,
    /// How it is worded.
    pub wording: &'a Wording,
    /// Who sends it.
    pub providers: &'a [Provider],
    /// The key under which it is counted.
    pub store_key: StoreKey,
}

/// The key of the public URL.
const PUBLIC_URL: &str = "public_url";

fn read_public_url(reading: &mut Reading<'_>, said: Said<String>) -> Option<PublicUrl> {
    let said = reading.text(PUBLIC_URL, said)?;
    let url = PublicUrl::parse(&said);
    if url.is_none() {
        reading.unexpected(Place::Settings, PUBLIC_URL);
    }
    url
}

fn hook(reading: &mut Reading<'_>, format: Said<String>, deadline: Said<u64>) -> Hook {
    let mut hook = Hook::default();
    const FORMAT: &str = "okta.response_format";
    match reading.text(FORMAT, format).as_deref() {
        None | Some("auto") => {}
        Some("documented") => hook.response_format = ResponseFormat::Documented,
        Some("classic") => hook.response_format = ResponseFormat::Classic,
        Some(_) => reading.unexpected(Place::Settings, FORMAT),
    }
    const DEADLINE: &str = "okta.deadline_ms";
    match reading.value(DEADLINE, deadline) {
        None => {}
        Some(ms) if DEADLINE_RANGE_MS.contains(&ms) => hook.deadline = Duration::from_millis(ms),
        Some(_) => reading.unexpected(Place::Settings, DEADLINE),
    }
    hook
}

fn wording(reading: &mut Reading<'_>, said: said::Message, voice: said::Voice) -> Wording {
    const TEMPLATES: &str = "message.templates";
    let mut templates = Templates::default();
    let mut taken = Vec::new();
    for (language, text) in reading.value(TEMPLATES, said.templates).unwrap_or_default() {
        let key = [TEMPLATES, ".", &language].concat();
        // What is lost shows at the ends, too.
        let lost = text.as_ref().and_then(|text| lost::code(text));
        let Some(text) = reading.prose(&key, text) else { continue };
        match templates.add(&language, &text) {
            Ok(()) => taken.push((language, key)),
            Err(error) => {
                let is_without = error == InvalidEntry::Template(InvalidTemplate::NoCode);
                let fix = lost.filter(|_| is_without).unwrap_or_else(|| error.to_string());
                reading.problem(Place::Settings, &key, fix);
            }
        }
    }
    let org_name = reading.prose("message.org_name", said.org_name).unwrap_or_default();
    let spoken = spoken(reading, voice, &org_name);
    if (templates.uses_org() || spoken.uses_org()) && org_name.is_empty() {
        reading.problem(
            Place::Settings,
            "message.org_name",
            "is not set, and a template has ${org}",
        );
    }
    const DOMAIN: &str = "message.web_otp_domain";
    let web_otp_domain = reading.text(DOMAIN, said.web_otp_domain).and_then(|said| {
        Domain::parse(&said)
            .map_err(|error| reading.problem(Place::Settings, DOMAIN, error.to_string()))
            .ok()
    });
    const MAX_SEGMENTS: &str = "message.max_segments";
    let max_segments = match reading.value(MAX_SEGMENTS, said.max_segments) {
        None => Wording::default().max_segments,
        Some(most) if SEGMENTS_RANGE.contains(&most) => most,
        Some(_) => {
            reading.unexpected(Place::Settings, MAX_SEGMENTS);
            *SEGMENTS_RANGE.end()
        }
    };
    for (language, key) in taken {
        let count = templates.get(&language).and_then(|template| template.segments(&org_name));
        if let Some(count) = count.filter(|count| *count > max_segments) {
            let fix = format!(
                "has {count} segments with a passcode of six digits, and {MAX_SEGMENTS} is {max_segments}: shorten it, or \
                 raise that"
            );
            reading.problem(Place::Settings, &key, fix);
        }
    }
    Wording { templates, spoken, org_name, web_otp_domain, max_segments }
}

/// The owner's texts for calls.
fn spoken(reading: &mut Reading<'_>, said: said::Voice, org_name: &str) -> SpokenTemplates {
    const TEMPLATES: &str = "voice.templates";
    let mut templates = SpokenTemplates::default();
    for (tag, text) in reading.value(TEMPLATES, said.templates).unwrap_or_default() {
        let key = [TEMPLATES, ".", &tag].concat();
        let lost = text.as_ref().and_then(|text| lost::code(text));
        let Some(text) = reading.prose(&key, text) else { continue };
        match templates.add(&tag, &text) {
            Ok(language) => {
                let characters = templates.characters(language, org_name);
                if let Some(count) = characters.filter(|count| *count > MOST_SPOKEN_CHARACTERS) {
                    let fix = format!(
                        "has {count} characters, and {MOST_SPOKEN_CHARACTERS} at most are said: shorten it"
                    );
                    reading.problem(Place::Settings, &key, fix);
                }
            }
            Err(error) => {
                let is_without = error == InvalidSpoken::Template(InvalidTemplate::NoCode);
                let fix = lost.filter(|_| is_without).unwrap_or_else(|| error.to_string());
                reading.problem(Place::Settings, &key, fix);
            }
        }
    }
    templates
}

fn store_secret(reading: &mut Reading<'_>, said: said::StoreSecrets) -> Option<Secret> {
    const KEY: &str = "store.secret";
    let secret = reading.said(Place::Secrets, KEY, said.secret)?;
    if is_no_secret(&secret) {
        return None;
    }
    if secret.trim().is_empty() {
        reading.problem(
            Place::Secrets,
            KEY,
            "is nothing but white space: make one, or leave it out",
        );
    }
    if let Some(fix) = in_white_space(&secret) {
        reading.advise(Place::Secrets, KEY, fix);
    }
    reading.advise_of_secret(Place::Secrets, KEY, &secret);
    Some(Secret::from(&*secret))
}

fn records(reading: &mut Reading<'_>, said: said::Records) -> Option<Bounds> {
    const SLOTS: &str = "records.slots";
    let slots = reading.value(SLOTS, said.slots).unwrap_or(DEFAULT_RECORD_SLOTS);
    if slots > MOST_RECORD_SLOTS {
        reading.unexpected(Place::Settings, SLOTS);
    }
    const MAX_AGE: &str = "records.max_age";
    // A time in seconds would be none for records.
    let max_age = reading.text(MAX_AGE, said.max_age);
    let max_age = match max_age.map(|said| seconds(&said).filter(|_| !said.ends_with('s'))) {
        None => DEFAULT_RECORD_MAX_AGE,
        Some(Some(max_age)) if (60..=LONGEST_RECORD_MAX_AGE).contains(&max_age) => max_age,
        Some(_) => {
            reading.unexpected(Place::Settings, MAX_AGE);
            DEFAULT_RECORD_MAX_AGE
        }
    };
    (slots > 0).then_some(Bounds { slots, max_age })
}

fn canaries(reading: &mut Reading<'_>, said: said::Canary) -> Canaries {
    let texts = reading.texts("canary.numbers", said.numbers).unwrap_or_default();
    let number = |(key, text): (String, String)| {
        PhoneNumber::parse(&clean(&text))
            .map_err(|error| {
                reading.problem(Place::Settings, &key, format!("is no phone number: {error}"));
            })
            .ok()
    };
    Canaries::new(texts.into_iter().filter_map(number).collect())
}

fn sink(reading: &mut Reading<'_>, said: said::ConnectionSecret) -> Option<Sink> {
    const KEY: &str = "application_insights.connection_string";
    let said = clean(&reading.said(Place::Secrets, KEY, said.connection_string)?);
    let said = Some(said).filter(|said| !said.is_empty())?;
    Sink::parse(&said)
        .map_err(|invalid| reading.problem(Place::Secrets, KEY, invalid.to_string()))
        .ok()
}

#[cfg(test)]
mod tests;
