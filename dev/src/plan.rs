//! What the command line means, together with the environment and the manifest.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use okta_telephony_dev::authorization_server::{
    DEVELOPMENT_AUDIENCE, DEVELOPMENT_CLIENT_ID, DEVELOPMENT_SCOPE,
};
use okta_telephony_dev::local_host::{Backing, Manifest, Tls};

use crate::cli::Serve;
use crate::runtime_config;

/// The secret that everybody knows. It is good enough while nobody else can reach the hook and no
/// message costs anything.
const BUILT_IN_SECRET: &str = "supersecret";
/// The same for the operator's pages, which can't send.
const BUILT_IN_OPERATOR_SECRET: &str = "look-only";

/// What to serve, and with what.
#[derive(Debug)]
pub struct Plan {
    pub listen: SocketAddr,
    pub tls: Option<Tls>,
    pub state_dir: PathBuf,
    /// Where key-value stores are kept, by label; the others are there.
    pub stores: BTreeMap<String, Backing>,
    /// Values for the manifest's variables; what only a running stand-in knows is added when it runs.
    pub variables: BTreeMap<String, String>,
    pub acs: Acs,
    /// Where an authorization server listens, if one is to run.
    pub oauth: Option<SocketAddr>,
    /// The value of the Authorization header to call the hook with, where it is ours to show: a
    /// secret that the user chose is not printed.
    pub authorization: Option<String>,
    /// Whether the hook has the operator's pages, and how to sign in where that is ours to show.
    pub operator: Operator,
    /// What delivery reports come with, if there are any.
    pub report_secret: Option<String>,
    /// Whether the hook's telemetry goes to the emulator, too.
    telemetry_to_emulator: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Operator {
    /// There are no pages.
    Nobody,
    /// Whoever knows the secret that the user chose.
    Unnamed,
    /// Everybody.
    Known { user: String, secret: &'static str },
}

/// Who sends the messages.
#[derive(Debug, PartialEq, Eq)]
pub enum Acs {
    /// Nobody: the emulator takes them.
    Emulator { listen: SocketAddr },
    /// The resource in `acs_connection_string`, at this host.
    Given { host: String },
}

impl Plan {
    /// `environment` holds variables given there and in `.env`, by their names in the manifest.
    /// `random` makes a secret.
    ///
    /// # Errors
    ///
    /// Settings that contradict each other or that would be unsafe; the message says which and what
    /// to set instead.
    pub fn new(
        said: &Serve,
        manifest: &Manifest,
        environment: BTreeMap<String, String>,
        random: impl Fn() -> String,
    ) -> Result<Self> {
        let mut variables = environment;
        for (name, value) in &said.variable {
            variables.insert(name.clone(), contents(name, value)?);
        }
        let acs = acs(said, manifest, &mut variables)?;
        let emulated = matches!(acs, Acs::Emulator { .. });
        let harm = match acs {
            Acs::Given { .. } => Some("messages would be paid for by the ACS resource that is set"),
            Acs::Emulator { .. } if said.listen.ip().is_loopback() => None,
            Acs::Emulator { .. } => Some("the hook would be reachable from other machines"),
        };
        let authorization = authorization(manifest, &mut variables, harm, &random)?;
        let operator = operator(manifest, &mut variables, harm)?;
        let report_secret =
            emulated.then(|| given_or_set(manifest, &mut variables, "report_secret", &random));
        let telemetry_to_emulator = emulated && telemetry_to_emulator(said, manifest, &variables)?;
        if said.oauth {
            take_development_tokens(said, &mut variables, harm)?;
        }

        let tls = said.tls_cert.clone().zip(said.tls_key.clone());
        let runtime_config = said.runtime_config_file.as_deref();
        let stores = runtime_config.map(runtime_config::stores).transpose()?.unwrap_or_default();
        Ok(Self {
            listen: said.listen,
            tls: tls.map(|(certificate, key)| Tls { certificate, key }),
            state_dir: said.state_dir.clone().unwrap_or_else(|| manifest.folder().join(".spin")),
            stores,
            variables,
            acs,
            oauth: said.oauth.then_some(said.oauth_listen),
            authorization,
            operator,
            report_secret,
            telemetry_to_emulator,
        })
    }

    /// Has the hook send to an emulator that listens at `url`: its messages, and its telemetry unless
    /// that was to go elsewhere.
    pub fn send_to_emulator(&mut self, url: &str, acs: String, application_insights: String) {
        self.variables.insert("acs_connection_string".into(), acs);
        self.variables.insert("extra_outbound_host".into(), url.into());
        if self.telemetry_to_emulator {
            let name = "applicationinsights_connection_string";
            self.variables.insert(name.into(), application_insights);
            self.variables.insert("applicationinsights_host".into(), url.into());
        }
    }

    /// Has the hook take the tokens of an authorization server that listens at `url`.
    pub fn trust_authorization_server(&mut self, url: &str, issuer: &str) {
        self.variables.insert("okta_oauth_issuer".into(), issuer.into());
        self.variables.insert("okta_oauth_host".into(), url.into());
    }
}

/// A variable's value. An empty one means "not set", as everywhere in this application.
fn given(manifest: &Manifest, variables: &BTreeMap<String, String>, name: &str) -> Option<String> {
    let default = manifest.variables.get(name).and_then(|variable| variable.default.as_ref());
    variables.get(name).or(default).filter(|value| !value.is_empty()).cloned()
}

/// A variable's value, after it was set to this one where it has none.
fn given_or_set(
    manifest: &Manifest,
    variables: &mut BTreeMap<String, String>,
    name: &str,
    value: impl FnOnce() -> String,
) -> String {
    given(manifest, variables, name).unwrap_or_else(|| {
        let value = value();
        variables.insert(name.into(), value.clone());
        value
    })
}

/// Whether the command line gives a variable: what .env has gives way, what is asked for now must not.
fn asked(said: &Serve, name: &str) -> bool {
    said.variable.iter().any(|(asked, _)| asked == name)
}

/// Who sends, with what the emulator needs.
fn acs(said: &Serve, manifest: &Manifest, variables: &mut BTreeMap<String, String>) -> Result<Acs> {
    if let Some(connection_string) = given(manifest, variables, "acs_connection_string") {
        return Ok(Acs::Given { host: endpoint_host(&connection_string) });
    }
    if asked(said, "extra_outbound_host") {
        bail!(
            "extra_outbound_host is given and acs_connection_string is not: the emulator that then runs \
             needs the former for itself, so give both or neither"
        );
    }
    // What the emulator refuses would go over to it, be sent, and be paid for.
    let secondary = "acs_secondary_connection_string";
    if given(manifest, variables, secondary).is_some() {
        if asked(said, secondary) {
            bail!(
                "{secondary} is given and acs_connection_string is not: the emulator that then runs is to \
                 take all messages, so give both or neither"
            );
        }
        variables.insert(secondary.into(), String::new());
    }
    given_or_set(manifest, variables, "acs_from_shortcode", || "12345".into());
    Ok(Acs::Emulator { listen: said.emulator_listen })
}

/// The Authorization header to call the hook with, where it may be shown. `harm` is what a secret that
/// everybody knows would do, if it would.
fn authorization(
    manifest: &Manifest,
    variables: &mut BTreeMap<String, String>,
    harm: Option<&str>,
    random: impl Fn() -> String,
) -> Result<Option<String>> {
    let secret = match (given(manifest, variables, "okta_basic_secret"), harm) {
        (Some(secret), Some(harm)) if secret == BUILT_IN_SECRET => bail!(
            "okta_basic_secret is `{BUILT_IN_SECRET}`, which everybody knows, and {harm}: set another, or none to \
             have a random one made"
        ),
        // Only the secret that is no secret is shown again.
        (Some(secret), _) if secret != BUILT_IN_SECRET => return Ok(None),
        (Some(secret), _) => secret,
        (None, harm) => {
            let secret = if harm.is_some() { random() } else { BUILT_IN_SECRET.to_string() };
            variables.insert("okta_basic_secret".into(), secret.clone());
            secret
        }
    };
    let user = given_or_set(manifest, variables, "okta_user", || "okta".into());
    Ok(Some(format!("Basic {}", BASE64.encode(format!("{user}:{secret}")))))
}

/// The operator's pages. `harm` is as for [`authorization`].
fn operator(
    manifest: &Manifest,
    variables: &mut BTreeMap<String, String>,
    harm: Option<&str>,
) -> Result<Operator> {
    match (given(manifest, variables, "operator_secret"), harm) {
        (Some(secret), Some(harm)) if secret == BUILT_IN_OPERATOR_SECRET => bail!(
            "operator_secret is `{BUILT_IN_OPERATOR_SECRET}`, which everybody knows, and {harm}: set another, or \
             none to have no operator's pages"
        ),
        (Some(secret), _) if secret != BUILT_IN_OPERATOR_SECRET => return Ok(Operator::Unnamed),
        (None, Some(_)) => return Ok(Operator::Nobody),
        _ => variables.insert("operator_secret".into(), BUILT_IN_OPERATOR_SECRET.into()),
    };
    let user = given_or_set(manifest, variables, "operator_user", || "operator".into());
    Ok(Operator::Known { user, secret: BUILT_IN_OPERATOR_SECRET })
}

/// Whether the emulator takes the telemetry, which goes elsewhere where that is set.
fn telemetry_to_emulator(
    said: &Serve,
    manifest: &Manifest,
    variables: &BTreeMap<String, String>,
) -> Result<bool> {
    if given(manifest, variables, "applicationinsights_connection_string").is_some() {
        return Ok(false);
    }
    if asked(said, "applicationinsights_host") {
        bail!(
            "applicationinsights_host is given and applicationinsights_connection_string is not: the emulator \
             that then takes the telemetry needs the former for itself, so give both or neither"
        );
    }
    Ok(true)
}

/// Has the hook want the tokens of the authorization server that `--oauth` runs.
fn take_development_tokens(
    said: &Serve,
    variables: &mut BTreeMap<String, String>,
    harm: Option<&str>,
) -> Result<()> {
    if let Some(harm) = harm {
        bail!(
            "--oauth runs an authorization server whose keys everybody has, and {harm}: leave \
             --oauth out, or serve the emulator's messages on a loopback address"
        );
    }
    let ours = ["okta_oauth_issuer", "okta_oauth_host"];
    if let Some(name) = ours.into_iter().find(|name| asked(said, name)) {
        bail!(
            "{name} is given and so is --oauth, which sets it to the authorization server \
             that it runs: give one of them"
        );
    }
    // What is asked for now stays: that is how to see a token refused.
    for (name, value) in [
        ("okta_oauth_audience", DEVELOPMENT_AUDIENCE),
        ("okta_oauth_scope", DEVELOPMENT_SCOPE),
        ("okta_oauth_client_id", DEVELOPMENT_CLIENT_ID),
    ] {
        if !asked(said, name) {
            variables.insert(name.into(), value.into());
        }
    }
    Ok(())
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

/// The value of `NAME=VALUE`, or of `NAME=@FILE`.
fn contents(name: &str, value: &str) -> Result<String> {
    let Some(path) = value.strip_prefix('@') else {
        return Ok(value.to_string());
    };
    // To the letter, as Spin takes it: a line break at the end of a secret is found here, too.
    std::fs::read_to_string(path).with_context(|| {
        format!("--variable {name}=@{path}: give the path of a text file after the @")
    })
}

/// The host in a connection string's endpoint: all of it that may be printed.
fn endpoint_host(connection_string: &str) -> String {
    let endpoint = connection_string.split(';').find_map(|field| {
        let (key, value) = field.split_once('=')?;
        key.trim()
            .eq_ignore_ascii_case("endpoint")
            .then(|| value.trim().parse::<http::Uri>().ok())?
    });
    match endpoint.as_ref().and_then(http::Uri::host) {
        Some(host) => host.to_string(),
        None => "an endpoint that can't be read: write acs_connection_string as endpoint=https://…/;accesskey=…".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    const REAL: &str =
        "acs_connection_string=endpoint=https://name.communication.azure.com/;accesskey=c2VjcmV0";

    fn plan_in(environment: &[(&str, &str)], said: &[&str]) -> Result<Plan> {
        let manifest = Manifest::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml"))?;
        let cli = Cli::parse_from([&["cargo run --"], said].concat());
        let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        Plan::new(&cli.serve, &manifest, environment, || "random".into())
    }

    fn plan(said: &[&str]) -> Result<Plan> {
        plan_in(&[], said)
    }

    fn basic(credentials: &str) -> Option<String> {
        Some(format!("Basic {}", BASE64.encode(credentials)))
    }

    #[test]
    fn without_arguments_the_emulator_and_the_built_in_secret_serve() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.acs, Acs::Emulator { listen: "127.0.0.1:3001".parse().unwrap() });
        assert_eq!(plan.variables["okta_basic_secret"], "supersecret");
        assert_eq!(plan.variables["acs_from_shortcode"], "12345");
        assert_eq!(plan.authorization, basic("okta:supersecret"));
        assert!(plan.state_dir.ends_with(".spin"));
    }

    #[test]
    fn the_emulators_address_is_the_one_more_host_that_may_be_called() {
        let mut plan = plan(&["--variable", "acs_from_shortcode=CONTOSO"]).unwrap();
        plan.send_to_emulator("http://127.0.0.1:4000", "endpoint=…".into(), "Instr…".into());
        assert_eq!(plan.variables["extra_outbound_host"], "http://127.0.0.1:4000");
        assert_eq!(plan.variables["acs_connection_string"], "endpoint=…");
        assert_eq!(plan.variables["acs_from_shortcode"], "CONTOSO");
    }

    #[test]
    fn the_emulator_takes_the_telemetry_too_unless_that_goes_elsewhere() {
        const MINE: &str = "applicationinsights_connection_string";
        let sent = |mut plan: Plan| {
            plan.send_to_emulator("http://127.0.0.1:4000", "endpoint=…".into(), "Instr…".into());
            let value = |name: &str| plan.variables.get(name).cloned().unwrap_or_default();
            (value(MINE), value("applicationinsights_host"))
        };
        let to_emulator = ("Instr…".to_owned(), "http://127.0.0.1:4000".to_owned());
        assert_eq!(sent(plan(&[]).unwrap()), to_emulator);
        let host_of_mine = [("applicationinsights_host", "https://mine.example")];
        assert_eq!(sent(plan_in(&host_of_mine, &[]).unwrap()), to_emulator);
        let mine = [(MINE, "mine"), host_of_mine[0]];
        let expected = ("mine".to_owned(), "https://mine.example".to_owned());
        assert_eq!(sent(plan_in(&mine, &[]).unwrap()), expected);

        let error = plan(&["--variable", "applicationinsights_host=https://mine.example"]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(MINE) && error.contains("give both or neither"), "{error}");
        assert!(!plan(&["--variable", REAL]).unwrap().variables.contains_key(MINE));
    }

    #[test]
    fn reports_come_with_a_secret_that_the_hook_has() {
        let made = plan(&[]).unwrap();
        assert_eq!(made.report_secret.as_deref(), Some("random"));
        assert_eq!(made.variables["report_secret"], "random");
        let mine = plan(&["--variable", "report_secret=mine"]).unwrap();
        assert_eq!(mine.report_secret.as_deref(), Some("mine"));
        let real = plan(&["--variable", REAL]).unwrap();
        assert_eq!(real.report_secret, None);
        assert!(!real.variables.contains_key("report_secret"));
    }

    #[test]
    fn the_operators_pages_are_open_only_where_that_is_harmless() {
        let known = |user: &str| Operator::Known { user: user.into(), secret: "look-only" };
        let open = plan(&[]).unwrap();
        assert_eq!(open.operator, known("operator"));
        assert_eq!(open.variables["operator_secret"], "look-only");
        let named = plan(&["--variable", "operator_user=me"]).unwrap();
        assert_eq!(named.operator, known("me"));
        let mine = ["--variable", "operator_secret=mine"];
        let plan_of_mine = plan(&mine).unwrap();
        assert_eq!(plan_of_mine.operator, Operator::Unnamed);
        assert_eq!(plan_of_mine.variables["operator_secret"], "mine");
        for said in [&["--variable", REAL][..], &["--listen", "[::]:3000"]] {
            let closed = plan(said).unwrap();
            assert_eq!(closed.operator, Operator::Nobody, "{said:?}");
            assert!(!closed.variables.contains_key("operator_secret"), "{said:?}");
            assert_eq!(plan(&[said, &mine].concat()).unwrap().operator, Operator::Unnamed);
            let known = plan(&[said, &["--variable", "operator_secret=look-only"]].concat());
            let error = known.unwrap_err().to_string();
            assert!(error.contains("everybody knows") && error.contains("set another"), "{error}");
        }
    }

    #[test]
    fn a_connection_string_from_any_source_switches_the_emulator_off() {
        let (name, value) = REAL.split_once('=').unwrap();
        for plan in [plan(&["--variable", REAL]), plan_in(&[(name, value)], &[])] {
            let plan = plan.unwrap();
            assert_eq!(plan.acs, Acs::Given { host: "name.communication.azure.com".into() });
            assert!(!plan.variables.contains_key("acs_from_shortcode"));
            assert!(!plan.variables.contains_key("extra_outbound_host"));
        }
        let emptied = plan_in(&[(name, value)], &["--variable", "acs_connection_string="]).unwrap();
        assert!(matches!(emptied.acs, Acs::Emulator { .. }));
    }

    #[test]
    fn another_stand_in_can_take_the_emulators_place() {
        let plan = plan(&[
            "--variable",
            "extra_outbound_host=http://127.0.0.1:9000",
            "--variable",
            "acs_connection_string=endpoint=http://127.0.0.1:9000/;accesskey=c2VjcmV0",
        ])
        .unwrap();
        assert_eq!(plan.acs, Acs::Given { host: "127.0.0.1".into() });
        assert_eq!(plan.variables["extra_outbound_host"], "http://127.0.0.1:9000");
    }

    #[test]
    fn where_it_matters_the_secret_is_random_unless_set() {
        for said in
            [&["--variable", REAL][..], &["--listen", "0.0.0.0:3000"], &["--listen", "[::]:3000"]]
        {
            let made = plan(said).unwrap();
            assert_eq!(made.variables["okta_basic_secret"], "random", "{said:?}");
            assert_eq!(made.authorization, basic("okta:random"), "{said:?}");

            let mine = plan(&[said, &["--variable", "okta_basic_secret=mine"]].concat()).unwrap();
            assert_eq!(mine.variables["okta_basic_secret"], "mine", "{said:?}");
            assert_eq!(mine.authorization, None, "{said:?}");

            let known = plan(&[said, &["--variable", "okta_basic_secret=supersecret"]].concat());
            let error = known.unwrap_err().to_string();
            assert!(error.contains("everybody knows") && error.contains("set another"), "{error}");
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
    fn the_command_line_goes_over_the_environment() {
        let plan =
            plan_in(&[("okta_user", "environment")], &["--variable", "okta_user=said"]).unwrap();
        assert_eq!(plan.variables["okta_user"], "said");
        assert_eq!(
            plan_in(&[("okta_user", "environment")], &[]).unwrap().variables["okta_user"],
            "environment"
        );
    }

    #[test]
    fn an_extra_host_without_a_connection_string_is_refused_where_it_was_asked_for() {
        let error = plan(&["--variable", "extra_outbound_host=http://127.0.0.1:9"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("give both or neither"), "{error}");
        let error = plan(&["--variable", "acs_secondary_connection_string=endpoint=https://a.b/"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("give both or neither"), "{error}");
        let for_a_real_acs = [("acs_secondary_connection_string", "endpoint=https://a.b/")];
        let plan_of_env = plan_in(&for_a_real_acs, &[]).unwrap();
        assert_eq!(plan_of_env.variables["acs_secondary_connection_string"], "");
        let for_a_real_acs = [("extra_outbound_host", "https://*.communication.azure.us")];
        let mut plan = plan_in(&for_a_real_acs, &[]).unwrap();
        plan.send_to_emulator("http://127.0.0.1:4000", String::new(), String::new());
        assert_eq!(plan.variables["extra_outbound_host"], "http://127.0.0.1:4000");
    }

    #[test]
    fn without_oauth_no_variable_of_its_is_set() {
        let plan = plan(&[]).unwrap();
        assert_eq!(plan.oauth, None);
        assert!(!plan.variables.keys().any(|name| name.starts_with("okta_oauth")));
    }

    #[test]
    fn with_oauth_the_hook_takes_the_tokens_of_the_server_that_runs() {
        let env_file = [("okta_oauth_audience", "real"), ("okta_oauth_issuer", "https://real")];
        let mut plan = plan_in(&env_file, &["--oauth"]).unwrap();
        assert_eq!(plan.oauth, Some("127.0.0.1:3003".parse().unwrap()));
        plan.trust_authorization_server("http://127.0.0.1:4000", "http://127.0.0.1:4000/issuer");
        for (name, value) in [
            ("okta_oauth_issuer", "http://127.0.0.1:4000/issuer"),
            ("okta_oauth_host", "http://127.0.0.1:4000"),
            ("okta_oauth_audience", "api://default"),
            ("okta_oauth_scope", "telephony"),
            ("okta_oauth_client_id", "0oadevelopment"),
        ] {
            assert_eq!(plan.variables[name], value, "{name}");
        }
        // Basic credentials stay as they are.
        assert_eq!(plan.authorization, basic("okta:supersecret"));
    }

    #[test]
    fn what_a_token_needs_can_be_said_and_whose_it_is_can_not() {
        let said = plan(&["--oauth", "--variable", "okta_oauth_scope=other"]).unwrap();
        assert_eq!(said.variables["okta_oauth_scope"], "other");
        for name in ["okta_oauth_issuer", "okta_oauth_host"] {
            let variable = format!("{name}=https://real.example");
            let error = plan(&["--oauth", "--variable", &variable]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("give one of them"), "{error}");
        }
    }

    #[test]
    fn keys_that_everybody_has_open_nothing_that_matters() {
        for said in [&["--oauth", "--variable", REAL][..], &["--oauth", "--listen", "[::]:3000"]] {
            let error = plan(said).unwrap_err().to_string();
            assert!(error.contains("leave --oauth out"), "{said:?}: {error}");
        }
    }

    #[test]
    fn a_file_gives_a_value_to_the_letter() {
        let path = std::env::temp_dir().join(format!("variable-{}", std::process::id()));
        for text in ["a\n", "a\r\n", "a", ""] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(contents("n", &format!("@{}", path.display())).unwrap(), text);
        }
        std::fs::remove_file(&path).unwrap();
        let error = contents("n", "@/no/such/file").unwrap_err().to_string();
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
