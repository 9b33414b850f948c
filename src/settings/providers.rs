//! Who sends: the list of providers, which the variables fill in.

use std::rc::Rc;

use numbering::Region;

use super::document::{Named, Said};
use super::findings::Place;
use super::keys;
use super::reading::Reading;
use super::said;
use crate::pasted::clean;
use crate::phone_number::bare;
use crate::providers::Provider;
use crate::providers::acs::connection_string::ConnectionString;
use crate::providers::acs::{self, Acs, DEFAULT_API_VERSION, DEFAULT_NAME};
use crate::sender::{NotASender, Sender, Senders};

/// The providers, in order: one or two.
pub(super) fn providers(
    reading: &mut Reading<'_>,
    said: Said<Vec<Said<said::Provider>>>,
    secrets: Said<Named<said::ProviderSecrets>>,
) -> Vec<Provider> {
    let mut listed = reading.value("providers", said).unwrap_or_default();
    let mut secrets = reading.said(Place::Secrets, "providers", secrets).unwrap_or_default();
    if listed.len() > 2 {
        reading.problem(Place::Settings, "providers", "must be one or two");
    }
    // Without a list the variables make one.
    if listed.is_empty() {
        let kind = Said::This("acs".to_owned());
        listed.push(Said::This(said::Provider { kind, ..said::Provider::default() }));
    }
    let mut names = Vec::new();
    let mut all_named = true;
    let mut providers = Vec::new();
    for (entry, index) in listed.into_iter().zip(1..) {
        let at = format!("providers[{index}]");
        let Some(entry) = reading.value(&at, entry) else {
            all_named = false;
            continue;
        };
        let kind = format!("{at}.kind");
        if reading.text(&kind, entry.kind).as_deref() != Some("acs") {
            reading.unexpected(Place::Settings, &kind);
        }
        let Some(name) = name(reading, &at, entry.name, &names) else {
            all_named = false;
            continue;
        };
        let secret = secrets.remove(&name);
        let resource = resource(reading, &name, secret, index == 1);
        let senders = senders(reading, &at, entry.senders, name == DEFAULT_NAME);
        if index == 1 && senders.as_ref().is_some_and(Senders::is_empty) {
            let (place, key) = match name == DEFAULT_NAME {
                true => (Place::Variable, SENDER_VARIABLE.to_owned()),
                false => (Place::Settings, format!("{at}.senders")),
            };
            let fix = "is not set: name the short code, number or alphanumeric sender ID that messages come from";
            reading.problem(place, &key, fix);
        }
        let version = format!("{at}.api_version");
        let api_version =
            reading.text(&version, entry.api_version).unwrap_or(DEFAULT_API_VERSION.to_owned());
        if !acs::is_api_version(&api_version) {
            reading.unexpected(Place::Settings, &version);
        }
        names.push(name.clone());
        if let (Some(resource), Some(senders)) = (resource, senders) {
            let api = Rc::new(Acs { resource, api_version });
            providers.push(Provider { name, api, senders, countries: None, share: 0.0 });
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
    providers
}

/// The variables that fill in the provider named "acs".
const CONNECTION_VARIABLE: &str = "acs_connection_string";
const SENDER_VARIABLE: &str = "acs_from_shortcode";

/// The name of a provider, which none of the others may have.
fn name(
    reading: &mut Reading<'_>,
    at: &str,
    said: Said<String>,
    taken: &[String],
) -> Option<String> {
    let key = format!("{at}.name");
    let name = reading.text(&key, said).unwrap_or(DEFAULT_NAME.to_owned());
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if name.len() > 32 || !name.bytes().all(fits) || taken.contains(&name) {
        reading.unexpected(Place::Settings, &key);
        return None;
    }
    Some(name)
}

/// The resource of a provider, by its secret or by the variable. Where it is `None`, that is told.
fn resource(
    reading: &mut Reading<'_>,
    name: &str,
    secret: Option<Said<said::ProviderSecrets>>,
    is_first: bool,
) -> Option<ConnectionString> {
    let key = &*["providers.", name, ".connection_string"].concat();
    let from_variables = name == DEFAULT_NAME;
    let secret = secret.and_then(|secret| reading.said(Place::Secrets, key, secret));
    let secret = secret.and_then(|it| reading.said(Place::Secrets, key, it.connection_string));
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
            // Without the second one messages go by the first still, and the secrets may come after the settings.
            match is_first {
                true => reading.problem(place, key, fix),
                false => reading.advise(place, key, fix),
            }
            return None;
        }
    };
    ConnectionString::parse(&said)
        .map_err(|error| reading.problem(place, key, error.to_string()))
        .ok()
}

fn senders(
    reading: &mut Reading<'_>,
    at: &str,
    said: Said<Named<String>>,
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
            Ok(sender) => default = Some(sender),
            Err(_) => {
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
