//! What the command line means, together with the environment and the manifest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use okta_telephony_dev::authorization_server::{
    DEVELOPMENT_AUDIENCE, DEVELOPMENT_CLIENT_ID, DEVELOPMENT_SCOPE,
};
use okta_telephony_dev::infobip_emulator::DEVELOPMENT_API_KEY;
use okta_telephony_dev::local_host::Manifest;
use okta_telephony_dev::telesign_emulator;
use okta_telephony_dev::twilio_emulator as twilio;
use toml::{Table, Value};

use crate::cli::Serve;
use crate::emulated::{Emulator, Provider};
use crate::{documents, runtime_config};

/// The secret that everybody knows. It is good enough while nobody else can reach the hook and no
/// message costs anything.
const BUILT_IN_SECRET: &str = "supersecret";
/// The user of the operator's pages.
pub const OPERATOR: &str = "operator";
/// The secret of the operator's pages, which can't send: as good as the other.
pub const BUILT_IN_OPERATOR_SECRET: &str = "look-only";
/// The user of Okta's event hook.
const EVENTS_USER: &str = "events";
/// Whom messages come from where nobody says: what an account has that is on trial.
const INFOBIP_SENDER: &str = "InfoSMS";
/// The same of Telesign: any name.
pub const TELESIGN_SENDER: &str = "CONTOSO";
/// The number that Infobip's calls come from: a fictional one.
const INFOBIP_NUMBER: &str = "+447700900123";
/// The same of Twilio: a number that is nobody's.
const TWILIO_SENDER: &str = "+15550100100";
/// Where Twilio's emulator reports to where the user says nothing: a name of this machine, since a port is known only
/// once the hook listens.
const PUBLIC_URL: &str = "http://localhost";
/// The variables with which the hook may call a host besides those of its providers.
const OUTBOUND_HOSTS: [&str; 3] = ["outbound_host1", "outbound_host2", "outbound_host3"];

/// What to serve, and with what.
#[derive(Debug)]
pub struct Plan {
    pub listen: SocketAddr,
    /// The Redis URLs of key-value stores, by label.
    pub redis: BTreeMap<String, String>,
    /// Values for the manifest's variables; what only a running stand-in knows is added when it runs.
    pub variables: BTreeMap<String, String>,
    pub sending: Sending,
    /// The number whose fault every message meets at the first emulator.
    pub fault: Option<String>,
    /// Where an authorization server listens, if one is to run.
    pub oauth: Option<SocketAddr>,
    /// The value of the Authorization header to call the hook with, where it is ours to show: a
    /// secret that the user chose is not printed.
    pub authorization: Option<String>,
    /// Whether the hook has the operator's pages, and how to sign in where that is ours to show.
    pub operator: Operator,
    /// What delivery reports come with, if there are any.
    pub report_secret: Option<String>,
    /// What the stand-in for Okta needs, where emulators take the messages.
    pub okta: Option<Okta>,
    /// Whether the hook's telemetry goes to the emulator, too.
    telemetry_to_emulator: bool,
}

/// The credentials of Okta, each as the value of an Authorization header.
#[derive(Debug)]
pub struct Okta {
    pub of_the_hook: String,
    pub of_events: String,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Operator {
    /// There are no pages.
    Nobody,
    /// Whoever knows the secret that the user chose.
    Unnamed,
    /// Everybody, with [`BUILT_IN_OPERATOR_SECRET`].
    Known,
}

/// Who sends the messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Sending {
    /// Nobody: the emulators of these providers take them, in this order of failover. With each is where it listens.
    Emulated(Vec<(Provider, SocketAddr)>),
    /// The user's providers, at these hosts.
    Given { hosts: String },
}

impl Plan {
    /// `variables` are those that the user gives: see [`variables`]. `random` makes a secret.
    ///
    /// # Errors
    ///
    /// Settings that contradict each other or that would be unsafe; the message says which and what
    /// to set instead.
    pub fn new(
        said: &Serve,
        manifest: &Manifest,
        variables: BTreeMap<String, String>,
        random: impl Fn() -> String,
    ) -> Result<Self> {
        let given = Given::new(manifest, &variables);
        let sending = given.sending(said)?;
        let emulated: &[_] = match &sending {
            Sending::Emulated(providers) => providers,
            Sending::Given { .. } => &[],
        };
        let harm = match sending {
            Sending::Given { .. } => Some("messages would be paid for by the provider that is set"),
            Sending::Emulated(_) if said.listen.ip().is_loopback() => None,
            Sending::Emulated(_) => Some("the hook would be reachable from other machines"),
        };
        // The emulators share one: see `send_to`.
        let stand_ins = usize::from(!emulated.is_empty()) + usize::from(said.oauth);
        ensure!(
            free_hosts(&variables).count() >= stand_ins,
            "of outbound_host1 to outbound_host3 too many are given: leave {stand_ins} of them to the \
             stand-ins that run here"
        );
        if said.oauth {
            given.check_oauth(harm)?;
        }
        let secret = given.basic_secret(harm)?.map(str::to_owned);
        let user = given.variable("okta_user").unwrap_or("okta").to_owned();
        let operator = given.operator(harm)?;
        let secret_of_stand_ins = |path: &str| {
            (!emulated.is_empty())
                .then(|| documents::text(&given.secrets, path).map_or_else(&random, str::to_owned))
        };
        let report_secret = secret_of_stand_ins("reports.secret");
        let events_secret = secret_of_stand_ins("events.secret");
        let acs_is_emulated = emulated.iter().any(|(provider, _)| *provider == Provider::Acs);
        let telemetry_to_emulator = acs_is_emulated
            && documents::text(&given.secrets, "application_insights.connection_string").is_none();
        let lacks_sender = acs_is_emulated && given.variable("acs_from_shortcode").is_none();

        let runtime_config = said.runtime_config_file.as_deref();
        let mut plan = Self {
            listen: said.listen,
            redis: runtime_config.map(runtime_config::redis).transpose()?.unwrap_or_default(),
            variables,
            sending,
            fault: said.fault.clone(),
            oauth: said.oauth.then_some(said.oauth_listen),
            authorization: None,
            operator,
            report_secret,
            okta: None,
            telemetry_to_emulator,
        };
        if lacks_sender {
            plan.set("acs_from_shortcode", "12345");
        }
        let ours = secret.is_none();
        let secret = secret.unwrap_or_else(|| match harm {
            Some(_) => random(),
            None => BUILT_IN_SECRET.to_owned(),
        });
        if ours {
            plan.set("okta_basic_secret", &secret);
        }
        let authorization = basic(&user, &secret);
        // Only a secret that is ours, or no secret, is shown again.
        if ours || secret == BUILT_IN_SECRET {
            plan.authorization = Some(authorization.clone());
        }
        if plan.operator == Operator::Known {
            plan.add("secrets", "operator", &[("secret", BUILT_IN_OPERATOR_SECRET)]);
        }
        if let Some(secret) = plan.report_secret.clone() {
            plan.add("secrets", "reports", &[("secret", &secret)]);
        }
        if let Some(secret) = events_secret {
            plan.add("secrets", "events", &[("secret", &secret)]);
            let of_events = basic(EVENTS_USER, &secret);
            plan.okta = Some(Okta { of_the_hook: authorization, of_events });
            // Nobody waits a quarter of an hour for the guard here, and all numbers of the stand-in are American.
            plan.merge_settings(toml::toml! {
                [guard]
                matures_after = "10s"
                home_countries = ["US"]
            });
        }
        Ok(plan)
    }

    fn set(&mut self, variable: &str, value: &str) {
        self.variables.insert(variable.into(), value.into());
    }

    /// Adds to a section of a document what the user's does not say.
    fn add(&mut self, document: &str, section: &str, entries: &[(&str, &str)]) {
        let user = self.variables.get(document).map(String::as_str).unwrap_or_default();
        let merged = documents::merge_section(user, section, entries);
        self.set(document, &merged);
    }

    /// Adds to the settings what the user's do not say.
    fn merge_settings(&mut self, more: Table) {
        let user = self.variables.get("settings").map(String::as_str).unwrap_or_default();
        let merged = documents::merge(user, more);
        self.set("settings", &merged);
    }

    /// Lets the hook call a host: an entry of `allowed_outbound_hosts`.
    fn allow(&mut self, entry: &str) {
        let free = free_hosts(&self.variables).next();
        self.set(free.expect("`new` has made sure that enough are free"), entry);
    }

    /// Has the hook send to emulators, in this order of failover: its messages, and its telemetry unless that was to go
    /// elsewhere.
    pub fn send_to(&mut self, emulators: &[Emulator]) {
        if let Some(first) = emulators.first() {
            // They differ in their ports only, so one variable is enough for all of them.
            let origin = first.origin();
            let (host, _port) = origin.rsplit_once(':').expect("an origin has its port");
            self.allow(&format!("{host}:*"));
        }
        let mut providers = Vec::new();
        for emulator in emulators {
            let entry = match emulator {
                Emulator::Acs(acs) => {
                    self.set("acs_connection_string", &acs.connection_string());
                    if self.telemetry_to_emulator {
                        let connection = acs.application_insights_connection_string();
                        let entry = ("connection_string", &*connection);
                        self.add("secrets", "application_insights", &[entry]);
                    }
                    toml::toml! { kind = "acs" }
                }
                Emulator::Infobip(infobip) => {
                    let key = ("api_key", DEVELOPMENT_API_KEY);
                    self.add("secrets", "providers.infobip", &[key]);
                    let mut entry = toml::toml! { kind = "infobip" };
                    entry.insert("base_url".into(), infobip.origin().into());
                    let senders = Table::from_iter([("default".to_owned(), INFOBIP_SENDER.into())]);
                    entry.insert("senders".into(), Value::Table(senders));
                    entry.insert("voice".into(), true.into());
                    entry.insert("voice_from".into(), INFOBIP_NUMBER.into());
                    entry.insert("feedback".into(), true.into());
                    entry
                }
                Emulator::Telesign(telesign) => {
                    let key = ("api_key", telesign_emulator::DEVELOPMENT_API_KEY);
                    self.add("secrets", "providers.telesign", &[key]);
                    let mut entry = toml::toml! { kind = "telesign" };
                    entry.insert("base_url".into(), telesign.origin().into());
                    let customer_id = telesign_emulator::DEVELOPMENT_CUSTOMER_ID;
                    entry.insert("customer_id".into(), customer_id.into());
                    let senders =
                        Table::from_iter([("default".to_owned(), TELESIGN_SENDER.into())]);
                    entry.insert("senders".into(), Value::Table(senders));
                    entry.insert("voice".into(), true.into());
                    entry.insert("feedback".into(), true.into());
                    entry
                }
                Emulator::Twilio(twilio) => {
                    let secrets = [
                        ("api_key_sid", twilio::DEVELOPMENT_KEY_SID),
                        ("api_key_secret", twilio::DEVELOPMENT_KEY_SECRET),
                        ("auth_token", twilio::DEVELOPMENT_AUTH_TOKEN),
                    ];
                    self.add("secrets", "providers.twilio", &secrets);
                    // Whatever it is, the emulator knows where the hook listens.
                    let url = Table::from_iter([("public_url".to_owned(), PUBLIC_URL.into())]);
                    self.merge_settings(url);
                    let mut entry = toml::toml! { kind = "twilio" };
                    entry.insert("base_url".into(), twilio.origin().into());
                    entry.insert("account_sid".into(), twilio::DEVELOPMENT_ACCOUNT_SID.into());
                    let senders = Table::from_iter([("default".to_owned(), TWILIO_SENDER.into())]);
                    entry.insert("senders".into(), Value::Table(senders));
                    entry.insert("voice".into(), true.into());
                    entry.insert("voice_from".into(), TWILIO_SENDER.into());
                    entry.insert("feedback".into(), true.into());
                    entry
                }
            };
            providers.push(Value::Table(entry));
        }
        // Without a list there is ACS.
        if !matches!(emulators, [Emulator::Acs(_)]) {
            let list = Table::from_iter([("providers".to_owned(), Value::Array(providers))]);
            self.merge_settings(list);
        }
    }

    /// Has the hook take the tokens of an authorization server that listens at `url`.
    pub fn trust_authorization_server(&mut self, url: &str, issuer: &str) {
        self.allow(url);
        let oauth = [
            ("issuer", issuer),
            ("audience", DEVELOPMENT_AUDIENCE),
            ("client_id", DEVELOPMENT_CLIENT_ID),
            ("scope", DEVELOPMENT_SCOPE),
        ];
        self.add("settings", "okta.oauth", &oauth);
    }
}

/// Credentials as an Authorization header has them.
fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{secret}")))
}

/// The variables for one more host that nobody has given.
fn free_hosts(variables: &BTreeMap<String, String>) -> impl Iterator<Item = &'static str> {
    let is_free = |name: &&str| variables.get(*name).is_none_or(String::is_empty);
    OUTBOUND_HOSTS.into_iter().filter(is_free)
}

/// The providers to emulate. The first one listens where it is said, and each other one at the port after that.
fn emulated(said: &Serve) -> Result<Sending> {
    let providers = if said.provider.is_empty() { &[Provider::Acs][..] } else { &said.provider };
    let first = said.emulator_listen;
    let mut emulated: Vec<(Provider, SocketAddr)> = Vec::new();
    for (provider, place) in providers.iter().zip(0..) {
        ensure!(
            emulated.iter().all(|(other, _)| other != provider),
            "--provider names {} twice: name each provider once",
            provider.name()
        );
        // Port 0 is any free one.
        let port = if first.port() == 0 { Some(0) } else { first.port().checked_add(place) };
        let port =
            port.context("there is no port after that of --emulator-listen: give a lower one")?;
        emulated.push((*provider, SocketAddr::new(first.ip(), port)));
    }
    if let Some(number) = &said.fault {
        providers[0].fault(number)?;
    }
    Ok(Sending::Emulated(emulated))
}

/// What the user gives, wherever it stands.
struct Given<'a> {
    manifest: &'a Manifest,
    variables: &'a BTreeMap<String, String>,
    settings: Table,
    secrets: Table,
}

impl<'a> Given<'a> {
    fn new(manifest: &'a Manifest, variables: &'a BTreeMap<String, String>) -> Self {
        let document = |name: &str| variables.get(name).map(|text| documents::read(text));
        Self {
            manifest,
            variables,
            settings: document("settings").unwrap_or_default(),
            secrets: document("secrets").unwrap_or_default(),
        }
    }

    /// A variable's value. An empty one means "not set", as everywhere in this application.
    fn variable(&self, name: &str) -> Option<&'a str> {
        let default = self.manifest.variables.get(name).and_then(|it| it.default.as_ref());
        let value = self.variables.get(name).or(default)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// Who sends. With any provider of the user's there is no emulator beside it: what one of them can't
    /// send would fail over to the other.
    fn sending(&self, said: &Serve) -> Result<Sending> {
        let variable = self.variable("acs_connection_string");
        let secrets = self.secrets.get("providers").and_then(Value::as_table);
        if variable.is_none() && secrets.is_none() && !self.settings.contains_key("providers") {
            return emulated(said);
        }
        ensure!(
            said.provider.is_empty() && said.fault.is_none(),
            "--provider and --fault are for emulators, and none runs beside a provider that is given: leave these flags \
             out, or acs_connection_string and providers"
        );
        let secrets = secrets.into_iter().flat_map(Table::values);
        let secrets = secrets.filter_map(|it| it.get("connection_string")?.as_str());
        let of_acs = variable.into_iter().chain(secrets).map(endpoint_host);
        let providers = self.settings.get("providers").and_then(Value::as_array);
        let urls = providers.into_iter().flatten().filter_map(|it| match it.get("base_url") {
            Some(url) => url.as_str(),
            None => (it.get("kind")?.as_str()? == "twilio").then_some("https://api.twilio.com"),
        });
        let hosts: Vec<_> = of_acs.chain(urls.map(url_host)).collect();
        let hosts = if hosts.is_empty() { "no endpoint".into() } else { hosts.join(", ") };
        Ok(Sending::Given { hosts })
    }

    /// The secret of the Basic credentials. `harm` is what a secret that everybody knows would do, if it
    /// would.
    fn basic_secret(&self, harm: Option<&str>) -> Result<Option<&str>> {
        let in_document = documents::text(&self.secrets, "okta.basic_secret");
        let secret = self.variable("okta_basic_secret").or(in_document);
        match (secret, harm) {
            (Some(BUILT_IN_SECRET), Some(harm)) => bail!(
                "okta_basic_secret is `{BUILT_IN_SECRET}`, which everybody knows, and {harm}: set another, or none \
                 to have a random one made"
            ),
            _ => Ok(secret),
        }
    }

    /// The operator's pages. `harm` is as for [`Self::basic_secret`].
    fn operator(&self, harm: Option<&str>) -> Result<Operator> {
        match (documents::text(&self.secrets, "operator.secret"), harm) {
            (Some(BUILT_IN_OPERATOR_SECRET), Some(harm)) => bail!(
                "operator.secret is `{BUILT_IN_OPERATOR_SECRET}`, which everybody knows, and {harm}: set another, or \
                 none to have no operator's pages"
            ),
            (Some(BUILT_IN_OPERATOR_SECRET) | None, None) => Ok(Operator::Known),
            (Some(_), _) => Ok(Operator::Unnamed),
            (None, Some(_)) => Ok(Operator::Nobody),
        }
    }

    /// Whether the hook can take the tokens of the authorization server that `--oauth` runs.
    fn check_oauth(&self, harm: Option<&str>) -> Result<()> {
        if let Some(harm) = harm {
            bail!(
                "--oauth runs an authorization server whose keys everybody has, and {harm}: leave \
                 --oauth out, or serve the emulator's messages on a loopback address"
            );
        }
        // The others may be the user's: that is how to see a token refused.
        ensure!(
            documents::text(&self.settings, "okta.oauth.issuer").is_none(),
            "the settings have okta.oauth.issuer, and --oauth is given, which sets it to the authorization \
             server that it runs: give one of them"
        );
        Ok(())
    }
}

/// The variables that the user gives: on the command line, or else in `environment`, by their names in the
/// manifest.
///
/// # Errors
///
/// A `NAME=@FILE` whose file can't be read.
pub fn variables(
    said: &[(String, String)],
    environment: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut variables = environment;
    for (name, value) in said {
        let value = match value.strip_prefix('@') {
            None => value.clone(),
            // To the letter, as Spin takes it: a line break at the end of a secret is found here, too.
            Some(path) => std::fs::read_to_string(path).with_context(|| {
                format!("--variable {name}=@{path}: give the path of a text file after the @")
            })?,
        };
        variables.insert(name.clone(), value);
    }
    Ok(variables)
}

/// The manifest that `from` names, or the nearest one from `current` upwards, or the one of the
/// package that cargo runs.
pub fn manifest_path(
    from: Option<&Path>,
    current: &Path,
    package: Option<&Path>,
) -> Result<PathBuf> {
    const NAME: &str = "spin.toml";
    if let Some(from) = from {
        return Ok(if from.is_dir() { from.join(NAME) } else { from.to_path_buf() });
    }
    let folders = current.ancestors().chain(package.into_iter().flat_map(Path::ancestors));
    let mut paths = folders.map(|folder| folder.join(NAME));
    paths.find(|path| path.is_file()).with_context(|| {
        format!(
            "there is no {NAME} in {} nor above it: give its path with --from",
            current.display()
        )
    })
}

/// The host in a connection string's endpoint: all of it that may be printed.
fn url_host(base_url: &str) -> String {
    let url = base_url.trim().parse::<http::Uri>().ok();
    match url.as_ref().and_then(http::Uri::host) {
        Some(host) => host.to_owned(),
        None => "a base_url that can't be read: write it as https://…".into(),
    }
}

fn endpoint_host(connection_string: &str) -> String {
    let endpoint = connection_string.split(';').find_map(|field| {
        let (key, value) = field.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("endpoint")
            .then(|| value.trim().parse::<http::Uri>().ok())?
    });
    match endpoint.as_ref().and_then(http::Uri::host) {
        Some(host) => host.to_string(),
        None => "an endpoint that can't be read: write the connection string as endpoint=https://…/;accesskey=…".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{Parser, ValueEnum};
    use okta_telephony_dev::phone::Phone;

    const REAL: &str =
        "acs_connection_string=endpoint=https://name.communication.azure.com/;accesskey=c2VjcmV0";
    const REAL_SECRETS: &str = "secrets=[providers.acs]\nconnection_string = \
                                'endpoint=https://other.communication.azure.com/;accesskey=c2VjcmV0'";

    /// What lets the hook call the emulators.
    const EMULATORS: &str = "https://127.0.0.1:*";

    /// A manifest with the hook's variables.
    fn manifest() -> Manifest {
        let mut text = "spin_manifest_version = 2\n[application]\nname = \"t\"\n\
                        [[trigger.http]]\nroute = \"/\"\ncomponent = \"c\"\n\
                        [component.c]\nsource = \"c.wasm\"\n[variables]\n"
            .to_owned();
        for (name, default) in [
            ("okta_user", "okta"),
            ("okta_basic_secret", ""),
            ("acs_connection_string", ""),
            ("acs_from_shortcode", ""),
            ("settings", ""),
            ("secrets", ""),
            ("outbound_host1", "https://*.communication.azure.com"),
            ("outbound_host2", "https://*.communication.azure.com"),
            ("outbound_host3", "https://*.communication.azure.com"),
        ] {
            text += &format!("{name} = {{ default = \"{default}\" }}\n");
        }
        Manifest::parse("spin.toml".into(), &text).unwrap()
    }

    fn plan_in(environment: &[(&str, &str)], said: &[&str]) -> Result<Plan> {
        let cli = Cli::parse_from([&["cargo run --"], said].concat());
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let variables = variables(&cli.serve.variables.variable, environment)?;
        Plan::new(&cli.serve, &manifest(), variables, || "random".into())
    }

    fn plan(said: &[&str]) -> Result<Plan> {
        plan_in(&[], said)
    }

    fn basic(credentials: &str) -> Option<String> {
        Some(format!("Basic {}", BASE64.encode(credentials)))
    }

    /// A text of one of the plan's documents.
    fn said(plan: &Plan, document: &str, path: &str) -> Option<String> {
        let document = documents::read(plan.variables.get(document)?);
        documents::text(&document, path).map(str::to_owned)
    }

    /// What the settings have where the user says nothing.
    fn guard_of_stand_ins() -> Table {
        toml::toml! { guard = { matures_after = "10s", home_countries = ["US"] } }
    }

    /// With emulators that run.
    async fn running(said: &[&str]) -> (Plan, Vec<Emulator>) {
        let mut plan = plan(said).unwrap();
        let Sending::Emulated(providers) = &plan.sending else { panic!("{said:?}") };
        let emulators = providers.iter().map(async |(provider, _)| {
            let listen = "127.0.0.1:0".parse().unwrap();
            Emulator::start(*provider, listen, Phone::default()).await.unwrap()
        });
        let mut started = Vec::new();
        for emulator in emulators {
            started.push(emulator.await);
        }
        plan.send_to(&started);
        (plan, started)
    }

    #[tokio::test]
    async fn without_arguments_the_emulator_and_the_built_in_secret_serve() {
        let (plan, emulators) = running(&[]).await;
        let [Emulator::Acs(acs)] = &emulators[..] else { panic!("another one") };
        let listen = "127.0.0.1:3001".parse().unwrap();
        assert_eq!(plan.sending, Sending::Emulated(vec![(Provider::Acs, listen)]));
        assert_eq!(plan.authorization, basic("okta:supersecret"));
        for (name, value) in [
            ("okta_basic_secret", "supersecret"),
            ("acs_from_shortcode", "12345"),
            ("acs_connection_string", &acs.connection_string()),
            ("outbound_host1", EMULATORS),
        ] {
            assert_eq!(plan.variables[name], value, "{name}");
        }
        assert_eq!(plan.variables["settings"].parse::<Table>().unwrap(), guard_of_stand_ins());
        assert!(plan.redis.is_empty());
        assert!(plan.oauth.is_none() && !plan.variables.contains_key("outbound_host2"));
    }

    #[tokio::test]
    async fn what_the_user_gives_stays_as_it_is() {
        let (plan, _) = running(&[
            "--variable",
            "acs_from_shortcode=CONTOSO",
            "--variable",
            "outbound_host1=https://mine.example",
            "--variable",
            "settings=[policy]\nsending = false",
            "--variable",
            "secrets=not TOML",
        ])
        .await;
        for (name, value) in [
            ("acs_from_shortcode", "CONTOSO"),
            ("outbound_host1", "https://mine.example"),
            ("outbound_host2", EMULATORS),
            ("secrets", "not TOML"),
        ] {
            assert_eq!(plan.variables[name], value, "{name}");
        }
        // Added to, and what is there stays.
        let settings = &plan.variables["settings"];
        assert!(settings.starts_with("[policy]\nsending = false\n"), "{settings}");
        let all = ["1", "2", "3"].map(|number| format!("outbound_host{number}=https://a.example"));
        let all = all.iter().flat_map(|it| ["--variable", it]).collect::<Vec<_>>();
        let error = self::plan(&all).unwrap_err().to_string();
        assert!(error.contains("leave 1 of them"), "{error}");
        assert!(self::plan(&[&all[..], &["--variable", REAL]].concat()).is_ok());
    }

    #[tokio::test]
    async fn the_emulator_takes_the_telemetry_too_unless_that_goes_elsewhere() {
        let path = "application_insights.connection_string";
        let (plan_of_acs, emulators) = running(&[]).await;
        let [Emulator::Acs(acs)] = &emulators[..] else { panic!("another one") };
        let connection = acs.application_insights_connection_string();
        assert_eq!(said(&plan_of_acs, "secrets", path), Some(connection));
        let mine = "secrets=[application_insights]\nconnection_string = 'mine'";
        let (mine, _) = running(&["--variable", mine]).await;
        assert_eq!(said(&mine, "secrets", path).as_deref(), Some("mine"));
        assert_eq!(said(&plan(&["--variable", REAL]).unwrap(), "secrets", path), None);
    }

    #[tokio::test]
    async fn providers_are_emulated_in_the_order_in_which_they_are_named() {
        let both = ["--provider", "infobip", "--provider", "acs", "--fault", "+15550108013"];
        let (plan, emulators) = running(&both).await;
        let listen = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let providers = vec![(Provider::Infobip, listen(3001)), (Provider::Acs, listen(3002))];
        assert_eq!(plan.sending, Sending::Emulated(providers));
        let settings = documents::read(&plan.variables["settings"]);
        let listed = settings["providers"].as_array().unwrap();
        let kinds: Vec<_> = listed.iter().map(|it| it["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["infobip", "acs"]);
        assert_eq!(listed[0]["base_url"].as_str(), Some(&*emulators[0].origin()));
        let key = said(&plan, "secrets", "providers.infobip.api_key");
        assert_eq!(key.as_deref(), Some(DEVELOPMENT_API_KEY));

        // Without ACS its variables would be nobody's.
        let (plan, _) = running(&["--provider", "infobip"]).await;
        for name in ["acs_connection_string", "acs_from_shortcode"] {
            assert!(!plan.variables.contains_key(name), "{name}");
        }
        assert_eq!(said(&plan, "secrets", "application_insights.connection_string"), None);
    }

    #[tokio::test]
    async fn all_providers_are_emulated_at_once_beside_the_authorization_server() {
        let all: Vec<_> =
            Provider::value_variants().iter().map(|it| it.to_possible_value()).collect();
        let all: Vec<_> = all.iter().flatten().map(|it| it.get_name()).collect();
        let said: Vec<_> = all.iter().flat_map(|name| ["--provider", name]).collect();
        let (mut plan, emulators) = running(&[&said[..], &["--oauth"]].concat()).await;
        plan.trust_authorization_server("http://127.0.0.1:5000", "http://127.0.0.1:5000/issuer");
        assert_eq!(emulators.len(), all.len());
        // All but ACS make calls, and are told of passcodes that were used.
        let settings = documents::read(&plan.variables["settings"]);
        for entry in settings["providers"].as_array().unwrap() {
            let is_acs = entry["kind"].as_str() == Some("acs");
            for key in ["voice", "feedback"] {
                assert_eq!(entry.get(key).is_some(), !is_acs, "{key} of {entry}");
            }
        }
        assert_eq!(plan.variables["outbound_host1"], EMULATORS);
        assert_eq!(plan.variables["outbound_host2"], "http://127.0.0.1:5000");
        // The user has one left.
        assert!(!plan.variables.contains_key("outbound_host3"));
    }

    #[test]
    fn what_is_said_of_emulators_must_be_of_use() {
        for (said, fix) in [
            (&["--provider", "acs", "--provider", "acs"][..], "name each provider once"),
            // Of Infobip's only.
            (&["--fault", "+15550108013"], "give --fault one of +15550100400"),
            (&["--provider", "infobip", "--variable", REAL], "leave these flags out"),
            (&["--fault", "+15550103001", "--variable", REAL], "leave these flags out"),
            (
                &["--provider", "acs", "--provider", "infobip", "--emulator-listen", "[::1]:65535"],
                "give a lower one",
            ),
        ] {
            let error = plan(said).unwrap_err().to_string();
            assert!(error.contains(fix), "{said:?}: {error}");
        }
    }

    #[test]
    fn okta_has_the_credentials_that_the_hook_and_its_events_want() {
        let mine = "secrets=okta.basic_secret = 'of okta'\nevents.secret = 'of events'";
        for (arguments, of_the_hook, of_events) in [
            (&[][..], "okta:supersecret", "events:random"),
            (&["--variable", mine, "--variable", "okta_user=me"], "me:of okta", "events:of events"),
        ] {
            let plan = plan(arguments).unwrap();
            let okta = plan.okta.as_ref().unwrap();
            assert_eq!(Some(&okta.of_the_hook), basic(of_the_hook).as_ref());
            assert_eq!(Some(&okta.of_events), basic(of_events).as_ref());
            let secret = of_events.strip_prefix("events:");
            assert_eq!(said(&plan, "secrets", "events.secret").as_deref(), secret);
        }
        let real = plan(&["--variable", REAL]).unwrap();
        assert!(real.okta.is_none() && !real.variables.contains_key("settings"));
        let mine = "settings=guard.mode = 'enforce'\nguard.matures_after = '1m'";
        let mine = plan(&["--variable", mine]).unwrap();
        assert_eq!(said(&mine, "settings", "guard.matures_after").as_deref(), Some("1m"));
    }

    #[test]
    fn reports_come_with_a_secret_that_the_hook_has() {
        let mine = "secrets=[reports]\nsecret = 'mine'";
        for (arguments, secret) in [
            (&[][..], Some("random")),
            (&["--variable", mine], Some("mine")),
            (&["--variable", REAL], None),
        ] {
            let plan = plan(arguments).unwrap();
            assert_eq!(plan.report_secret.as_deref(), secret, "{arguments:?}");
            assert_eq!(said(&plan, "secrets", "reports.secret").as_deref(), secret);
        }
    }

    #[test]
    fn the_operators_pages_are_open_only_where_that_is_harmless() {
        let secret = |plan: &Plan| said(plan, "secrets", "operator.secret");
        let open = plan(&[]).unwrap();
        assert_eq!((secret(&open).as_deref(), open.operator), (Some("look-only"), Operator::Known));
        let mine = ["--variable", "secrets=[operator]\nsecret = 'mine'"];
        let plan_of_mine = plan(&mine).unwrap();
        assert_eq!(secret(&plan_of_mine).as_deref(), Some("mine"));
        assert_eq!(plan_of_mine.operator, Operator::Unnamed);
        for said in [&["--variable", REAL][..], &["--listen", "[::]:3000"]] {
            let closed = plan(said).unwrap();
            assert_eq!((secret(&closed), closed.operator), (None, Operator::Nobody), "{said:?}");
            assert_eq!(plan(&[said, &mine].concat()).unwrap().operator, Operator::Unnamed);
            let known = ["--variable", "secrets=[operator]\nsecret = 'look-only'"];
            let error = plan(&[said, &known].concat()).unwrap_err().to_string();
            assert!(error.contains("everybody knows") && error.contains("set another"), "{error}");
        }
    }

    #[test]
    fn a_provider_from_any_source_switches_the_emulator_off() {
        let (name, value) = REAL.split_once('=').unwrap();
        let in_settings = "settings=[[providers]]\nkind = 'acs'\nname = 'acs'";
        let infobip =
            "settings=[[providers]]\nkind = 'infobip'\nbase_url = 'https://abc12.api.infobip.com'";
        for (plan, hosts) in [
            (plan(&["--variable", REAL]), "name.communication.azure.com"),
            (plan_in(&[(name, value)], &[]), "name.communication.azure.com"),
            (plan(&["--variable", REAL_SECRETS]), "other.communication.azure.com"),
            (
                plan(&["--variable", REAL, "--variable", REAL_SECRETS]),
                "name.communication.azure.com, other.communication.azure.com",
            ),
            (plan(&["--variable", in_settings]), "no endpoint"),
            (plan(&["--variable", infobip]), "abc12.api.infobip.com"),
            (
                plan(&["--variable", REAL, "--variable", infobip]),
                "name.communication.azure.com, abc12.api.infobip.com",
            ),
        ] {
            let plan = plan.unwrap();
            assert_eq!(plan.sending, Sending::Given { hosts: hosts.into() });
            assert!(!plan.variables.contains_key("acs_from_shortcode"));
            assert!(OUTBOUND_HOSTS.iter().all(|name| !plan.variables.contains_key(*name)));
        }
        let emptied = plan_in(&[(name, value)], &["--variable", "acs_connection_string="]).unwrap();
        assert!(matches!(emptied.sending, Sending::Emulated(_)));
    }

    #[test]
    fn where_it_matters_the_secret_is_random_unless_set() {
        for said in
            [&["--variable", REAL][..], &["--listen", "0.0.0.0:3000"], &["--listen", "[::]:3000"]]
        {
            let made = plan(said).unwrap();
            assert_eq!(made.variables["okta_basic_secret"], "random", "{said:?}");
            assert_eq!(made.authorization, basic("okta:random"), "{said:?}");

            for place in ["okta_basic_secret=", "secrets=okta.basic_secret = "] {
                let with = |secret: &str| {
                    let quote = if place.starts_with("secrets") { "'" } else { "" };
                    let variable = format!("{place}{quote}{secret}{quote}");
                    plan(&[said, &["--variable", &variable]].concat())
                };
                let mine = with("mine").unwrap();
                let variable = mine.variables.get("okta_basic_secret");
                assert_ne!(variable.map(String::as_str), Some("random"), "{said:?}");
                assert_eq!(mine.authorization, None, "{said:?}");
                let error = with("supersecret").unwrap_err().to_string();
                assert!(error.contains("everybody knows"), "{error}");
                assert!(error.contains("set another"), "{error}");
            }
        }
    }

    #[test]
    fn a_secret_of_ones_own_is_not_shown_and_the_built_in_one_may_be_said_aloud() {
        assert_eq!(plan(&["--variable", "okta_basic_secret=mine"]).unwrap().authorization, None);
        let said =
            plan(&["--variable", "okta_basic_secret=supersecret", "--variable", "okta_user=me"])
                .unwrap();
        assert_eq!(said.authorization, basic("me:supersecret"));
    }

    #[test]
    fn the_command_line_counts_before_the_environment() {
        let environment = [("okta_user", "environment")];
        let plan = plan_in(&environment, &["--variable", "okta_user=said"]).unwrap();
        assert_eq!(plan.variables["okta_user"], "said");
        assert_eq!(plan_in(&environment, &[]).unwrap().variables["okta_user"], "environment");
    }

    #[tokio::test]
    async fn with_oauth_the_hook_takes_the_tokens_of_the_server_that_runs() {
        let (mut plan, _) =
            running(&["--oauth", "--variable", "settings=okta.oauth.scope = 'other'"]).await;
        assert_eq!(plan.oauth, Some("127.0.0.1:3003".parse().unwrap()));
        plan.trust_authorization_server("http://127.0.0.1:5000", "http://127.0.0.1:5000/issuer");
        for (key, value) in [
            ("issuer", "http://127.0.0.1:5000/issuer"),
            ("audience", "api://default"),
            ("client_id", "0oadevelopment"),
            // That is how to see a token refused.
            ("scope", "other"),
        ] {
            let is = said(&plan, "settings", &format!("okta.oauth.{key}"));
            assert_eq!(is.as_deref(), Some(value), "{key}");
        }
        assert_eq!(plan.variables["outbound_host1"], EMULATORS);
        assert_eq!(plan.variables["outbound_host2"], "http://127.0.0.1:5000");
        // Basic credentials stay as they are.
        assert_eq!(plan.authorization, basic("okta:supersecret"));
    }

    #[test]
    fn with_oauth_the_issuer_is_not_the_users_and_nothing_can_be_harmed() {
        for (said, fix) in [
            (&["--variable", REAL][..], "leave --oauth out"),
            (&["--listen", "0.0.0.0:3000"], "leave --oauth out"),
            (&["--variable", "settings=okta.oauth.issuer = 'https://a'"], "give one of them"),
        ] {
            let error = plan(&[&["--oauth"], said].concat()).unwrap_err().to_string();
            assert!(error.contains(fix), "{said:?}: {error}");
        }
    }

    #[test]
    fn a_file_gives_a_value_to_the_letter() {
        let path = std::env::temp_dir().join(format!("variable-{}", std::process::id()));
        let read = |path: &str| {
            let said = [("n".to_owned(), format!("@{path}"))];
            variables(&said, BTreeMap::new()).map(|mut read| read.remove("n").unwrap())
        };
        for text in ["a\n", "a\r\n", "a", ""] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(path.to_str().unwrap()).unwrap(), text);
        }
        std::fs::remove_file(&path).unwrap();
        let error = read("/no/such/file").unwrap_err().to_string();
        assert!(error.contains("--variable n=@/no/such/file"), "{error}");
    }

    #[test]
    fn an_endpoint_is_named_without_its_key() {
        for (connection_string, host) in [
            ("endpoint=https://a.b/;accesskey=k", "a.b"),
            ("accesskey=k;Endpoint=https://a.b:8443", "a.b"),
        ] {
            assert_eq!(endpoint_host(connection_string), host);
        }
        assert!(endpoint_host("accesskey=k").contains("can't be read"));
    }

    #[test]
    fn the_nearest_manifest_is_taken() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let expected = package.parent().unwrap().join("spin.toml");
        let nowhere = std::env::temp_dir();
        assert_eq!(manifest_path(None, &package.join("src"), None).unwrap(), expected);
        assert_eq!(manifest_path(None, &nowhere, Some(package)).unwrap(), expected);
        assert_eq!(
            manifest_path(Some(package.parent().unwrap()), &nowhere, None).unwrap(),
            expected
        );
        assert_eq!(
            manifest_path(Some(Path::new("x.toml")), &nowhere, None).unwrap(),
            Path::new("x.toml")
        );
        let error = manifest_path(None, &nowhere, None).unwrap_err().to_string();
        assert!(error.contains("--from"), "{error}");
    }
}
