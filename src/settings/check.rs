//! The check of the configuration: what is wrong with it, and what is not wise. It asks neither a provider nor
//! the store, so that it can be asked often; and it reads no setting by itself.

use numbering::Region;

use super::findings::{Finding, each_once};
use super::hosts::{self, Hosts};
use super::providers::{Served, is_loopback};
use super::reading::Documents;
use super::{ResponseFormat, Settings};
use crate::callers::bearer::{OAuth, servers};
use crate::guard::Mode;
use crate::message::Channel;
use crate::policy::limits::Scope;
use crate::policy::{self, Countries};
use crate::ports::Variables;
use crate::providers::{Provider, acs, twilio};
use crate::refusal::Reason;
use crate::sender::Sender;

/// What a look at the whole configuration found.
#[derive(Debug)]
pub struct Check {
    /// What keeps messages from being sent, some or all.
    pub problems: Vec<Finding>,
    /// What works, and should be otherwise; and what is wrong without keeping any message from being sent, so
    /// that it must not take the hook out of service.
    pub warnings: Vec<Finding>,
}

impl Check {
    /// The verdict in a word.
    pub fn status(&self) -> &'static str {
        if self.problems.is_empty() { "ok" } else { "misconfigured" }
    }
}

/// Looks at the whole configuration.
pub(super) fn check(
    settings: &Settings,
    documents: Documents<'_>,
    variables: &dyn Variables,
) -> Check {
    let mut problems = settings.problems();
    let hosts = Hosts::read(variables, &mut problems);
    let warnings = hosts.too_wide().collect();
    let mut looking = Looking { documents, hosts, check: Check { problems, warnings } };

    looking.check.warnings.extend(settings.advice.iter().cloned());
    for section in [
        settings.public_url.as_ref().err(),
        settings.reporters.as_ref().err(),
        settings.events.as_ref().err(),
        settings.asks_acs.as_ref().err(),
        settings.operator.as_ref().err(),
        settings.records.as_ref().err(),
        settings.canary.as_ref().err(),
        settings.guard.as_ref().err(),
        settings.sink.as_ref().err(),
    ] {
        looking.check.warnings.extend(section.into_iter().flat_map(|it| it.findings().to_vec()));
    }
    looking.at_okta(settings);
    looking.at_reports(settings);
    looking.at_providers(settings);
    looking.at_policy(settings);
    looking.at_canaries(settings);
    looking.at_guard(settings);

    // A document that can't be read is told once, whoever needs it; and as a problem, if it is one.
    let Check { problems, warnings } = looking.check;
    let (problems, mut warnings) = (each_once(problems), each_once(warnings));
    warnings.retain(|warning| !problems.contains(warning));
    Check { problems, warnings }
}

/// A look at settings that are in order.
struct Looking<'a> {
    documents: Documents<'a>,
    hosts: Hosts,
    check: Check,
}

/// Messages of an attack in an hour that nothing bounds: ten a second.
const ATTACK: u64 = 36_000;

/// Prices of a message in cents of a US dollar, as examples: to a country where messages are cheap, and to one where
/// they are dear, which is where attacks have them sent.
const USUAL: u64 = 5;
const DEAR: u64 = 25;

/// What so many messages cost in an hour, in words that an owner understands.
fn cost(messages: u64, cents: u64) -> String {
    format!(
        "{} messages in an hour, about {} US dollars at {} cents each (an example: look up the prices of your countries)",
        grouped(messages),
        grouped(messages.saturating_mul(cents).div_ceil(100)),
        cents
    )
}

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

/// For how long Okta's passcodes hold, in milliseconds.
const PASSCODE_HOLDS: u64 = 300_000;

impl Looking<'_> {
    /// Warns of a key of the settings.
    fn warn(&mut self, key: &str, fix: impl Into<String>) {
        let finding = self.documents.settings.finding(key, fix);
        self.check.warnings.push(finding);
    }

    fn at_okta(&mut self, settings: &Settings) {
        if settings.hook.as_ref().is_ok_and(|hook| hook.response_format == ResponseFormat::Auto) {
            self.warn(
                "okta.response_format",
                "is \"auto\", which takes a bare payload, too: set it to \"documented\" where only Okta calls",
            );
        }
        if let Ok(callers) = &settings.callers
            && let Some(oauth) = &callers.oauth
        {
            if oauth.expected.scope.is_none() {
                self.warn(
                    "okta.oauth.scope",
                    "is not set: name a scope that only this hook asks for, or any token of the client opens the hook",
                );
            }
            self.at_issuer(oauth, "okta.oauth");
        }
    }

    fn at_reports(&mut self, settings: &Settings) {
        let is_of_acs = |it: &Provider| it.api.kind() == acs::KIND;
        if settings.asks_acs == Ok(true)
            && settings.providers.as_ref().is_ok_and(|all| !all.iter().any(is_of_acs))
        {
            self.warn("reports.ask_acs", "is true, and no provider is ACS: remove it");
        }
        self.at_twilios_reports(settings);
        self.at_feedback(settings);
        if let Ok(Some(reporters)) = &settings.reporters
            && let Some(oauth) = &reporters.oauth
        {
            self.at_issuer(oauth, "reports.oauth");
        }
        if let Ok(Some(sink)) = &settings.sink
            && let Some(fix) = self.not_covered(&sink.origin())
        {
            let key = "application_insights.connection_string";
            let fix = ["is of an IngestionEndpoint ", &fix].concat();
            let finding = self.documents.secrets.finding(key, fix);
            self.check.warnings.push(finding);
        }
    }

    /// An authorization server's host and its version.
    fn at_issuer(&mut self, oauth: &OAuth, section: &str) {
        let (of_jwks_uri, origin) = oauth.issuer.origin();
        let key = [section, if of_jwks_uri { ".jwks_uri" } else { ".issuer" }].concat();
        if let Some(fix) = self.not_covered(&origin) {
            self.warn(&key, ["is at a host ", &fix].concat());
        }
        if let Some(advice) = servers::advice(&oauth.issuer.url) {
            self.warn(&[section, ".issuer"].concat(), advice);
        }
        if servers::is_entra_v1(&oauth.issuer.url) {
            self.warn(
                &[section, ".issuer"].concat(),
                "is Entra's of version 1, whose tokens say less of who they are for: set requestedAccessTokenVersion: \
                 2 in the app registration, and the issuer to https://login.microsoftonline.com/TENANT/v2.0",
            );
        }
    }

    /// What is to be done for an origin that the component may not call.
    fn not_covered(&mut self, origin: &str) -> Option<String> {
        if self.hosts.cover(origin) {
            return None;
        }
        Some(match self.hosts.take_free() {
            Some(free) => {
                format!("that allowed_outbound_hosts does not cover: set {free} to {origin}")
            }
            None => format!(
                "that allowed_outbound_hosts does not cover, and none of the variables {} is free: have one of them \
                 cover several hosts, such as https://*.example.com, so that it covers {origin}, too",
                hosts::VARIABLES.join(", ")
            ),
        })
    }

    /// What feedback needs: without events nobody knows which passcodes were used, and Twilio takes all for unused.
    fn at_feedback(&mut self, settings: &Settings) {
        let (Ok(providers), Ok(None)) = (&settings.providers, &settings.events) else { return };
        for (provider, place) in providers.iter().zip(&settings.provider_places) {
            if provider.api.takes_feedback(Channel::Sms) {
                self.warn(
                    &format!("providers[{place}].feedback"),
                    "is true, and no event of Okta's says which passcodes were used: set events.secret in the secrets, \
                     and Okta's event hook up, or remove this",
                );
            }
        }
    }

    /// What Twilio needs to report deliveries.
    fn at_twilios_reports(&mut self, settings: &Settings) {
        let (Ok(providers), Ok(public_url)) = (&settings.providers, &settings.public_url) else {
            return;
        };
        for provider in providers.iter().filter(|it| it.api.kind() == twilio::KIND) {
            let name = &provider.name;
            match public_url {
                None => self.warn(
                    "public_url",
                    format!(
                        "is not set, so {name} is not told where to report deliveries: set it to the URL under which the \
                         internet reaches the hook"
                    ),
                ),
                Some(url) if !url.tls && !is_loopback(provider.api.endpoint().authority) => self.warn(
                    "public_url",
                    format!("is of this machine, where {name} can't report deliveries: set it to an https:// URL"),
                ),
                Some(_) => {}
            }
            if provider.api.report_keys().is_none() {
                let key = ["providers.", name, ".auth_token"].concat();
                let fix = "is not set, so that no delivery report can be proven and none is asked for: copy it from Twilio's \
                           console";
                let finding = self.documents.secrets.finding(&key, fix);
                self.check.warnings.push(finding);
            }
        }
    }

    fn at_providers(&mut self, settings: &Settings) {
        let Ok(providers) = &settings.providers else { return };
        let places = &settings.provider_places;
        let mut served = Served::default();
        for (provider, place) in providers.iter().zip(places) {
            let is_needed = served.grows_by(provider.countries.as_deref());
            let origin = provider.api.endpoint().origin();
            if let Some(fix) = self.not_covered(&origin) {
                let finding = self.endpoint_finding(provider, *place, &fix);
                // Without one that is not needed messages go by those before it still.
                match is_needed {
                    true => self.check.problems.push(finding),
                    false => self.check.warnings.push(finding),
                }
            }
        }
        for (index, place) in places.iter().enumerate().skip(1) {
            self.at_another(&providers[..index], &providers[index], *place);
        }
        let allowed = match &settings.policy {
            Ok(policy) => match &policy.allowed {
                Countries::Only(allowed) => Some(allowed),
                Countries::All => None,
            },
            Err(_) => None,
        };
        for region in allowed.into_iter().flatten() {
            self.at_region(providers, places, *region);
        }
        if allowed.is_none() {
            for (provider, place) in providers.iter().zip(places) {
                let is_served = |region| provider.serves(Some(region));
                let key = format!("providers[{place}].senders");
                for (region, sender) in provider.senders.by_region().filter(|it| is_served(it.0)) {
                    self.at_reach(&key, provider, sender, region);
                }
            }
            if providers.iter().all(|provider| provider.countries.is_some()) {
                self.warn(
                    "providers[1].countries",
                    "is set, as it is of every provider, so that messages to all other countries are misconfigured: \
                     leave it out of one, or set policy.allowed_countries",
                );
            }
        }
        for (provider, place) in providers.iter().zip(places) {
            self.at_share(providers, provider, *place, allowed.map(Vec::as_slice));
        }
    }

    /// A share that does not do what it says.
    fn at_share(
        &mut self,
        providers: &[Provider],
        provider: &Provider,
        place: usize,
        allowed: Option<&[Region]>,
    ) {
        if provider.share == 0.0 {
            return;
        }
        let key = format!("providers[{place}].share");
        // `None` is for all countries that no list has.
        let regions: Vec<_> = match allowed.or(provider.countries.as_deref()) {
            Some(regions) => regions.iter().copied().map(Some).collect(),
            None => vec![None],
        };
        let served: Vec<_> =
            regions.into_iter().filter(|region| provider.serves(*region)).collect();
        let before = |region| {
            let before = providers.iter().take_while(|it| !std::ptr::eq(*it, provider));
            before.filter(move |it| it.serves(region))
        };
        if let Some(region) = served.iter().find(|region| before(**region).next().is_none()) {
            let of = region.map_or("all countries".to_owned(), |region| region.to_string());
            self.warn(
                &key,
                format!(
                    "is of the provider that is first for {of} anyway, which sends everything there: put it below the \
                     one that is to send the rest, or remove it"
                ),
            );
            return;
        }
        let account = |region| before(region).find(|it| it.is_same_account(provider));
        if let Some(same) = served.first().and_then(|region| account(*region))
            && served.iter().all(|region| account(*region).is_some())
        {
            let fix = format!(
                "does nothing, since this is the other key of {}: set the share of that one",
                same.name
            );
            self.warn(&key, fix);
        }
    }

    fn endpoint_finding(&self, provider: &Provider, place: usize, fix: &str) -> Finding {
        let fix = ["is of an endpoint ", fix].concat();
        if let Some(key) = provider.api.endpoint_key() {
            let key = format!("providers[{place}].{key}");
            return self.documents.settings.finding(&key, fix);
        }
        let key = ["providers.", &provider.name, ".", provider.api.secret_key()].concat();
        let finding = self.documents.secrets.finding(&key, &*fix);
        match finding.line {
            Some(_) => finding,
            None => Finding::of_variable("acs_connection_string", fix),
        }
    }

    /// A provider that is not the first.
    fn at_another(&mut self, before: &[Provider], provider: &Provider, place: usize) {
        let same = before.iter().find(|it| it.is_same_account(provider));
        // Senders of two kinds, such as a partner's beside the resource's own, are two entries of one account.
        let same_for_some = same.filter(|it| it.shares_a_country_with(provider));
        if let Some(same) = same_for_some.filter(|it| it.api.secret() == provider.api.secret()) {
            let key = ["providers.", &provider.name, ".", provider.api.secret_key()].concat();
            let fix = format!(
                "is the same as that of the provider {}: give the account's other key, or another account",
                same.name
            );
            let finding = self.documents.secrets.finding(&key, fix);
            self.check.warnings.push(finding);
        }
        if same.is_none() && provider.senders.is_empty() {
            self.warn(
                &format!("providers[{place}].senders"),
                "is not set, and a sender belongs to one account: give those of this one",
            );
        }
    }

    /// The senders for a country that is allowed.
    fn at_region(&mut self, providers: &[Provider], places: &[usize], region: Region) {
        let mut serving = providers.iter().zip(places).filter(|(it, _)| it.serves(Some(region)));
        let Some((first, place)) = serving.next() else {
            let fix =
                format!("has {region}, which no provider serves: add it to the countries of one");
            let finding = self.documents.settings.finding("policy.allowed_countries", fix);
            self.check.problems.push(finding);
            return;
        };
        let key = format!("providers[{place}].senders");
        match first.senders.to(Some(region)) {
            Some(sender) => self.at_reach(&key, first, sender, region),
            None => {
                let fix = format!("has no sender for {region}: add one, or a default");
                let finding = self.documents.settings.finding(&key, fix);
                self.check.problems.push(finding);
            }
        }
        for (provider, place) in serving {
            let key = format!("providers[{place}].senders");
            match provider.senders.to(Some(region)) {
                Some(sender) => self.at_reach(&key, provider, sender, region),
                // It has those of the first.
                None if provider.senders.is_empty() || provider.is_same_account(first) => {}
                None => self.warn(
                    &key,
                    format!(
                        "has no sender for {region}: its messages can't fail over to {}",
                        provider.name
                    ),
                ),
            }
        }
    }

    fn at_reach(&mut self, key: &str, provider: &Provider, sender: &Sender, region: Region) {
        if provider.api.kind() == acs::KIND && !sender.kind.reaches(region) {
            self.warn(
                key,
                format!(
                    "has the sender type {} for {region}, which ACS is not known to deliver there: look at Microsoft's page SMS \
                     number types",
                    sender.kind.name()
                ),
            );
        }
    }

    /// A guard that can't do what it is for.
    fn at_guard(&mut self, settings: &Settings) {
        let Ok(rules) = &settings.guard else { return };
        if rules.mode == Mode::Off {
            return;
        }
        if settings.records == Ok(None) {
            let fix = "is 0, so the guard has no room for what it learns, and is off: give it some, or set guard.mode to \"off\"";
            self.warn("records.slots", fix);
        }
        if rules.matures_after < PASSCODE_HOLDS {
            self.warn(
                "guard.matures_after",
                "is less than the five minutes for which Okta's passcodes hold, so that some count as unused that are still \
                 to be typed in: set it to \"15m\"",
            );
        }
        let is_own_policy = settings.policy.as_ref().is_ok_and(|policy| policy.enforce);
        if rules.mode == Mode::Enforce && !is_own_policy && settings.policy.is_ok() {
            self.warn(
                "policy.mode",
                "is \"observe\", which does not hold for the guard: it refuses, as guard.mode is \"enforce\"",
            );
        }
    }

    fn at_policy(&mut self, settings: &Settings) {
        let Ok(policy) = &settings.policy else { return };
        let in_an_hour = |scope| {
            let limit = policy.limits.iter().find(|(it, _)| *it == scope);
            limit.map(|(_, rate)| rate.in_an_hour())
        };
        let sign_ins = in_an_hour(Scope::Total);
        let enrollments = in_an_hour(Scope::EnrollmentTotal);
        // Where only one is said, it holds for both.
        let of_enrollments =
            if enrollments == sign_ins { Scope::Total } else { Scope::EnrollmentTotal }.name();
        let (is_open, price) = match policy.allowed {
            Countries::All => (true, DEAR),
            Countries::Only(_) => (false, USUAL),
        };
        if is_open {
            let fix = "is not set, which lets messages go to every country, the dearest too: name those where your \
                       people are";
            let cost = enrollments.filter(|_| policy.enforce).map(|messages| {
                let cost = cost(messages, price);
                format!(". As {of_enrollments} is set, an attack by sign-up can have each replica send {cost}")
            });
            self.warn("policy.allowed_countries", [fix, &cost.unwrap_or_default()].concat());
        }
        match enrollments {
            None => self.warn(
                of_enrollments,
                format!(
                    "is not set, so no setting bounds what an attack by sign-up can cost: each of its messages goes to \
                     another number, which the other limits let pass. Ten a second are {}. Set it to what your busiest \
                     hour needs, such as \"2000/1h\"",
                    cost(ATTACK, price)
                ),
            ),
            Some(messages) if messages >= ATTACK => self.warn(
                of_enrollments,
                format!(
                    "lets an attack by sign-up have each replica send {}: set it to what your busiest hour needs, if \
                     that is less",
                    cost(messages, price)
                ),
            ),
            Some(_) => {}
        }
        if sign_ins.is_none() && enrollments.is_some() {
            self.warn(
                Scope::Total.name(),
                "is not set, so no setting bounds what messages to enrolled phones can cost, which whoever knows user \
                 names may ask for: set it to what your busiest hour needs, such as \"2000/1h\"",
            );
        }
        let makes_calls =
            |providers: &Vec<Provider>| providers.iter().any(|it| it.calls_from.is_some());
        let makes_calls = settings.providers.as_ref().is_ok_and(makes_calls);
        if makes_calls && in_an_hour(Scope::CallsTotal).is_none() {
            self.warn(
                Scope::CallsTotal.name(),
                "is \"\", so no setting bounds what calls can cost, each of which costs several times what a message \
                 does: set it to what your busiest hour needs, such as \"300/1h\"",
            );
        }
        if !makes_calls && settings.wording.as_ref().is_ok_and(|wording| !wording.spoken.is_empty())
        {
            let fix =
                "is for calls, and no provider makes any: set voice = true on one, or remove it";
            self.warn("voice.templates", fix);
        }
        let most = settings.wording.as_ref().map_or(0, |wording| wording.max_segments);
        for (scope, rate) in &policy.limits {
            let counts_segments = matches!(scope, Scope::Total | Scope::EnrollmentTotal);
            if counts_segments && rate.count() < most {
                self.warn(
                    scope.name(),
                    format!(
                        "is less than the {most} segments that message.max_segments lets a message have: a text as long \
                         as that is never sent"
                    ),
                );
            }
        }
        if !policy.enforce {
            self.warn(
                "policy.mode",
                "is \"observe\", in which no limit and no country keeps a message from being sent, and nothing bounds \
                 what an attack can cost: set it to \"enforce\" once the log shows that your rules are right",
            );
        }
    }

    /// Canaries that can't do what they are for, or cost without end.
    fn at_canaries(&mut self, settings: &Settings) {
        let (Ok(canaries), Ok(policy)) = (&settings.canary, &settings.policy) else { return };
        for (number, place) in canaries.numbers().iter().zip(1..) {
            // By a call, which takes each number that a text message does.
            let checked = policy::check(policy, number, number.plan(), Channel::Call, false);
            if let Err(refusal) = checked
                && refusal.reason != Reason::Paused
            {
                self.warn(
                    &format!("canary.numbers[{place}]"),
                    format!(
                        "is a number that the policy refuses as {}: give another one, or allow it. {}",
                        refusal.reason.code(),
                        refusal.fix
                    ),
                );
            }
        }
        let is_limited = |scope| policy.limits.iter().any(|(limit, _)| *limit == scope);
        for scope in [Scope::Number, Scope::CallsPerNumber] {
            if !canaries.numbers().is_empty() && !is_limited(scope) {
                self.warn(
                    scope.name(),
                    "is \"\", and no other limit counts what goes to canary.numbers, so that nothing bounds what canaries \
                     cost: set it",
                );
            }
        }
    }
}
