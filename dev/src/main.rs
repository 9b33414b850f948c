//! `cargo run`: the hook, built and served here, with emulators of its providers beside it, and an authorization
//! server where it is asked for.

mod check;
mod cli;
mod documents;
mod emulated;
mod plan;
mod runtime_config;

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};
use clap::Parser;
use okta_telephony_dev::acs_emulator::{AcsEmulator, EventSubscription};
use okta_telephony_dev::authorization_server::{
    self, AuthorizationServer, DEVELOPMENT_CLIENT_ID, DEVELOPMENT_CLIENT_SECRET, DEVELOPMENT_SCOPE,
};
use okta_telephony_dev::component::{self, Built};
use okta_telephony_dev::infobip_emulator::DEVELOPMENT_API_KEY;
use okta_telephony_dev::local_host::{self, Compiled, LocalHost, Manifest};
use okta_telephony_dev::okta::{self, Okta};
use okta_telephony_dev::phone::Phone;
use okta_telephony_dev::telesign_emulator;
use okta_telephony_dev::tls;
use okta_telephony_dev::twilio_emulator as twilio;
use uuid::Uuid;

use crate::check::print_findings;
use crate::cli::{Application, Check, Cli, Command, Reports, Variables};
use crate::emulated::{Emulator, Provider};
use crate::plan::{BUILT_IN_OPERATOR_SECRET, OPERATOR, Operator, Plan, Sending, TELESIGN_SENDER};

/// Where the hook takes delivery reports, and where it shows what became of each message.
const REPORTS_PATH: &str = "/api/delivery-reports";
const INFOBIP_REPORTS_PATH: &str = "/api/delivery-reports/infobip";
const TELESIGN_REPORTS_PATH: &str = "/api/delivery-reports/telesign";
const TWILIO_REPORTS_PATH: &str = "/api/delivery-reports/twilio";
const DELIVERIES_PATH: &str = "/api/deliveries";
/// Where it takes Okta's events.
const EVENTS_PATH: &str = "/api/okta-events";
/// Between two questions to a webhook that does not agree yet.
const HANDSHAKE_PAUSE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Some(Command::Build(application)) => {
            let built = component::build(&manifest(&application)?)?;
            print_sizes(&built);
        }
        Some(Command::Check(said)) => return check(&said),
        Some(Command::Emulator(emulator)) => runtime()?.block_on(emulate(emulator))?,
        None => {
            let manifest = manifest(&cli.serve.application)?;
            // First what can be wrong at once, then what takes its time.
            let variables = variables(&cli.serve.variables, &manifest)?;
            let plan = Plan::new(&cli.serve, &manifest, variables, random_secret)?;
            LocalHost::check(&settings(&plan, &manifest))?;
            let built = component::build(&manifest)?;
            print_sizes(&built);
            runtime()?.block_on(serve(plan, cli.serve.reports, &manifest, &built.component))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what the component finds in its configuration.
fn check(said: &Check) -> Result<ExitCode> {
    let manifest = manifest(&said.application)?;
    let variables = variables(&said.variables, &manifest)?;
    let settings = local_host::Settings { variables, ..local_host::Settings::new(&manifest.path) };
    let findings = check::findings(&settings.guest_variables()?);
    _ = print_findings(&findings, std::io::stdout());
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn manifest(said: &Application) -> Result<Manifest> {
    let current = env::current_dir().context("the current folder is gone: change to another")?;
    // Set where cargo runs this program.
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let path = plan::manifest_path(said.from.as_deref(), &current, package.as_deref())?;
    // Below the current folder paths are shorter to read, in messages too.
    Manifest::read(path.strip_prefix(&current).unwrap_or(&path))
}

/// The variables that the user gives, from all places where Spin looks.
fn variables(said: &Variables, manifest: &Manifest) -> Result<BTreeMap<String, String>> {
    // Spin reads .env in the current folder; beside the manifest is where it is when that is another.
    let current = Path::new(".env");
    let dot_env =
        if current.exists() { current.to_path_buf() } else { manifest.folder().join(".env") };
    let mut environment = local_host::read_dot_env(&dot_env)?;
    for name in local_host::expanded_in_dot_env(&dot_env) {
        eprintln!(
            "warning: {} has a $ in {name} that is taken for the name of a variable, under Spin, too: put single quotes \
             around the value",
            dot_env.display()
        );
    }
    // The process's own come later, and so count. Not `vars()`, which panics on a value that is no text;
    // none of ours is that.
    environment.extend(
        env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
    );
    plan::variables(&said.variable, local_host::from_environment(manifest, environment))
}

/// 122 random bits from the operating system, as 32 hexadecimal digits.
fn random_secret() -> String {
    Uuid::new_v4().simple().to_string()
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("no runtime could be started")
}

async fn serve(
    mut plan: Plan,
    reports: Reports,
    manifest: &Manifest,
    component: &[u8],
) -> Result<()> {
    let compiled = Compiled::new(component)?;
    let phone = Phone::default();
    let mut emulators = Vec::new();
    if let Sending::Emulated(providers) = &plan.sending {
        for (provider, listen) in providers {
            let emulator = Emulator::start(*provider, *listen, phone.clone()).await;
            emulators.push(emulator.map_err(|error| with_flag(&error, "--emulator-listen"))?);
        }
    }
    if let (Some(first), Some(fault)) = (emulators.first(), &plan.fault) {
        first.set_fault(fault);
    }
    plan.send_to(&emulators);
    let oauth = match plan.oauth {
        None => None,
        Some(listen) => {
            let settings = authorization_server::Settings::new(listen);
            let server = AuthorizationServer::start(settings)
                .await
                .map_err(|error| with_flag(&error, "--oauth-listen"))?;
            plan.trust_authorization_server(server.url(), server.issuer());
            Some(server)
        }
    };
    let host = LocalHost::start(&compiled, settings(&plan, manifest)).await?;
    let mut told = Vec::new();
    if let Some(secret) = &plan.report_secret {
        for emulator in &emulators {
            told.push(report_to(&host, emulator, reports, secret).await);
        }
    }
    // It goes on until all is over.
    let (_okta, events) = match &plan.okta {
        None => (None, None),
        Some(credentials) => {
            let endpoint = format!("{}{EVENTS_PATH}", host.url());
            match stand_in_for_okta(&host, &endpoint, credentials, phone).await {
                Ok((okta, events)) => (Some(okta), Some(events)),
                Err(error) => (None, Some(format!("none: {error:#}"))),
            }
        }
    };
    let name = &manifest.name;
    print(&format!("\n{name} is served, for development; production is Spin.\n\n"));
    print(&places(&plan, &host, &emulators, oauth.as_ref(), &told, events.as_deref()));
    print(&match plan.sending {
        Sending::Given { .. } => try_with_real_provider(manifest, &plan, &host),
        Sending::Emulated(_) => try_with_emulator(manifest, &plan, &host, oauth.as_ref()),
    });
    let stopped = stop_requested();
    print("\nStop with Ctrl-C.\n");
    stopped.await;
    eprintln!("Stopping; once more to stop at once");
    tokio::select! {
        () = host.shutdown() => {}
        () = stop_requested() => {}
    }
    Ok(())
}

fn settings(plan: &Plan, manifest: &Manifest) -> local_host::Settings {
    local_host::Settings {
        listen: plan.listen,
        variables: plan.variables.clone(),
        redis: plan.redis.clone(),
        // The emulator's.
        certificate_authorities: vec![tls::certificate_authority()],
        ..local_host::Settings::new(&manifest.path)
    }
}

/// Has an emulator report the delivery of its messages to the hook, and says so. The hook sends without reports, too.
async fn report_to(host: &LocalHost, emulator: &Emulator, said: Reports, secret: &str) -> String {
    let endpoint = |path: &str| format!("{}{path}", host.url());
    let (endpoint, subscribed) = match emulator {
        Emulator::Acs(acs) => {
            let endpoint = endpoint(REPORTS_PATH);
            let subscription = said.to(endpoint.clone(), secret.to_owned());
            (endpoint, acs.subscribe_reports(subscription).await)
        }
        Emulator::Infobip(infobip) => {
            let endpoint = endpoint(INFOBIP_REPORTS_PATH);
            let subscription = said.of_infobip(endpoint.clone(), secret.to_owned());
            (endpoint, infobip.subscribe_reports(subscription))
        }
        Emulator::Telesign(telesign) => {
            let endpoint = endpoint(TELESIGN_REPORTS_PATH);
            let subscription = said.of_telesign(endpoint.clone());
            (endpoint, telesign.subscribe_reports(subscription))
        }
        // Each message says where to, by a name of the hook's that leads here.
        Emulator::Twilio(twilio) => {
            let callbacks = said.of_twilio(Some(host.url()));
            (endpoint(TWILIO_REPORTS_PATH), twilio.set_callbacks(callbacks))
        }
    };
    match subscribed {
        Ok(()) => format!("delivered to {endpoint}"),
        Err(error) => format!("none: {error:#}"),
    }
}

/// Stands in for Okta on the page of the phone, and says where events go.
async fn stand_in_for_okta(
    host: &LocalHost,
    endpoint: &str,
    credentials: &plan::Okta,
    phone: Phone,
) -> Result<(Okta, String)> {
    let settings = okta::Settings::new(hook_url(host), &credentials.of_the_hook, phone);
    let event_hook = okta::EventHook::new(endpoint, &credentials.of_events);
    let settings = okta::Settings { event_hook: Some(event_hook), ..settings };
    let okta = Okta::start(settings).await?;
    let events = match okta.not_verified() {
        None => format!("delivered to {endpoint}"),
        Some(why) => format!("none: {why}"),
    };
    Ok((okta, events))
}

async fn emulate(said: cli::Emulator) -> Result<()> {
    let reports_to = said.reported_to()?;
    let reports_to = reports_to.map(|(url, secret)| (url.to_owned(), secret.to_owned()));
    let cli::Emulator { provider, listen, ca_file, fault, reports, .. } = said;
    ensure!(
        provider != Provider::Twilio || reports_to.is_none(),
        "Twilio reports to where each message says: leave --reports-to and --report-secret out, and set public_url in the \
         settings of the hook"
    );
    let meaning = fault.as_deref().map(|number| provider.fault(number)).transpose()?;
    if let (Provider::Acs, Some((url, secret))) = (provider, &reports_to) {
        reports.to(url.clone(), secret.clone()).check()?;
    }
    let emulator = Emulator::start(provider, listen, Phone::default()).await;
    let emulator = emulator.map_err(|error| with_flag(&error, "--listen"))?;
    if let (Some(fault), Some(meaning)) = (&fault, meaning) {
        emulator.set_fault(fault);
        print(&format!("Every message: {meaning}.\n\n"));
    }
    // Its port speaks both. The one without a certificate needs nothing of Spin.
    let with_scheme = |text: String| match ca_file {
        Some(_) => text,
        None => text.replace("https://", "http://"),
    };
    let origin = with_scheme(emulator.origin());
    print(&format!(
        "Emulator of {}'s SMS API, for development. No message is sent.\n\n  \
         Phone page             {}\n",
        provider.name(),
        emulator.phone_page()
    ));
    print(&match &emulator {
        Emulator::Acs(acs) => format!(
            "  acs_connection_string  {}\n  outbound_host1         {origin}\n\n\
             For the secrets, to see telemetry:\n\n  [application_insights]\n  connection_string = {:?}\n\n",
            with_scheme(acs.connection_string()),
            with_scheme(acs.application_insights_connection_string())
        ),
        Emulator::Infobip(_) => format!(
            "  outbound_host1         {origin}\n\n\
             For the settings:\n\n  [[providers]]\n  kind = \"infobip\"\n  base_url = {origin:?}\n  \
             senders = {{ default = \"InfoSMS\" }}\n\n\
             For the secrets:\n\n  [providers.infobip]\n  api_key = {DEVELOPMENT_API_KEY:?}\n\n"
        ),
        Emulator::Telesign(_) => format!(
            "  outbound_host1         {origin}\n\n\
             For the settings:\n\n  [[providers]]\n  kind = \"telesign\"\n  base_url = {origin:?}\n  \
             customer_id = {:?}\n  senders = {{ default = \"{TELESIGN_SENDER}\" }}\n\n\
             For the secrets:\n\n  [providers.telesign]\n  api_key = {:?}\n\n",
            telesign_emulator::DEVELOPMENT_CUSTOMER_ID,
            telesign_emulator::DEVELOPMENT_API_KEY
        ),
        Emulator::Twilio(_) => format!(
            "  outbound_host1         {origin}\n\n\
             For the settings, with the URL of the hook on this machine for delivery reports:\n\n  \
             public_url = \"http://127.0.0.1:3000\"\n\n  \
             [[providers]]\n  kind = \"twilio\"\n  base_url = {origin:?}\n  account_sid = {:?}\n  \
             senders = {{ default = \"+15550100100\" }}\n\n\
             For the secrets:\n\n  [providers.twilio]\n  api_key_sid = {:?}\n  api_key_secret = {:?}\n  \
             auth_token = {:?}\n\n",
            twilio::DEVELOPMENT_ACCOUNT_SID,
            twilio::DEVELOPMENT_KEY_SID,
            twilio::DEVELOPMENT_KEY_SECRET,
            twilio::DEVELOPMENT_AUTH_TOKEN
        ),
    });
    if let Some(file) = ca_file {
        print(&client_tls(&file, emulator.address())?);
    }
    let stopped = stop_requested();
    print("Stop with Ctrl-C.\n");
    let subscribed = async {
        match (&emulator, reports_to) {
            (Emulator::Twilio(twilio), _) => twilio.set_callbacks(reports.of_twilio(None))?,
            (_, None) => {}
            (Emulator::Acs(acs), Some((url, secret))) => {
                subscribe(acs, reports.to(url, secret)).await;
            }
            (Emulator::Infobip(infobip), Some((url, secret))) => {
                infobip.subscribe_reports(reports.of_infobip(url.clone(), secret))?;
                print(&format!("Delivery reports go to {url}\n"));
            }
            (Emulator::Telesign(telesign), Some((url, _))) => {
                telesign.subscribe_reports(reports.of_telesign(url.clone()))?;
                print(&format!("Delivery reports go to {url}\n"));
            }
        }
        std::future::pending().await
    };
    tokio::select! {
        ended = subscribed => ended,
        () = stopped => Ok(()),
    }
}

/// Asks the webhook until it agrees: it may have to be started yet.
async fn subscribe(emulator: &AcsEmulator, subscription: EventSubscription) {
    let mut told = String::new();
    while let Err(error) = emulator.subscribe_reports(subscription.clone()).await {
        let error = format!("{error:#}");
        if error != told {
            print(&format!("No delivery reports yet, trying again: {error}\n"));
            told = error;
        }
        tokio::time::sleep(HANDSHAKE_PAUSE).await;
    }
    print(&format!("Delivery reports go to {}\n", subscription.endpoint));
}

/// An error that ends with what to give, and the flag to give it with.
fn with_flag(error: &Error, flag: &str) -> Error {
    anyhow!("{error:#} with {flag}")
}

/// Writes the certificate of the emulator's authority, and says what Spin needs to trust it.
fn client_tls(file: &Path, emulator: SocketAddr) -> Result<String> {
    std::fs::write(file, tls::certificate_authority()).with_context(|| {
        format!("{}: give a file that can be written with --ca-file", file.display())
    })?;
    let host = emulator.ip().to_string();
    let section = tls::spins_client_tls("okta-telephony", &[&host], &std::path::absolute(file)?);
    let section = section.replace('\n', "\n  ");
    Ok(format!("For Spin's runtime configuration:\n\n  {}\n\n", section.trim_end()))
}

fn print_sizes(built: &Built) {
    print(&format!(
        "{:>9} bytes  {}  (module)\n{:>9} bytes  {}  (component)\n",
        built.core_bytes,
        built.core_path.display(),
        built.component.len(),
        built.component_path.display()
    ));
}

/// Prints to whoever still reads.
fn print(text: &str) {
    _ = std::io::stdout().write_all(text.as_bytes());
}

/// What there is, and where.
fn places(
    plan: &Plan,
    host: &LocalHost,
    emulators: &[Emulator],
    oauth: Option<&AuthorizationServer>,
    reports: &[String],
    events: Option<&str>,
) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| text.push_str(&format!("  {label:<14} {value}\n"));
    line("Okta hook", &hook_url(host));
    for route in &host.routes()[1..] {
        line("Route", &format!("{}{route}", host.url()));
    }
    if let Sending::Given { hosts } = &plan.sending {
        line("Provider", &format!("{hosts} (real messages, if it is a real one)"));
    }
    for emulator in emulators {
        line(emulator.provider().name(), "the emulator: no message is sent");
    }
    if let Some(first) = emulators.first() {
        let fault = plan.fault.as_deref().and_then(|it| first.provider().fault(it).ok());
        if let Some(meaning) = fault {
            line("Fault", &format!("of every message to {}: {meaning}", first.provider().name()));
        }
        line("Phone page", &first.phone_page());
    }
    reports.iter().for_each(|reports| line("Reports", reports));
    if let Some(events) = events {
        line("Okta events", events);
    }
    if plan.operator != Operator::Nobody {
        line("Deliveries", &format!("{}{DELIVERIES_PATH}", host.url()));
    }
    if plan.operator == Operator::Known {
        line("Operator", &format!("{OPERATOR} / {BUILT_IN_OPERATOR_SECRET}"));
    }
    let yours = "Basic, with your okta_user and okta_basic_secret";
    line("Authorization", plan.authorization.as_deref().unwrap_or(yours));
    if let Some(server) = oauth {
        line("Token URL", &server.token_endpoint());
        line("Client ID", DEVELOPMENT_CLIENT_ID);
        line("Client secret", DEVELOPMENT_CLIENT_SECRET);
    }
    text
}

/// The manifest's first route is the hook.
fn hook_url(host: &LocalHost) -> String {
    format!("{}{}", host.url(), host.routes()[0])
}

/// How to try what sends no messages.
fn try_with_emulator(
    manifest: &Manifest,
    plan: &Plan,
    host: &LocalHost,
    oauth: Option<&AuthorizationServer>,
) -> String {
    let hook = hook_url(host);
    let authorization = plan.authorization.as_deref().unwrap_or("Basic …");
    let request = beside(manifest, "sample/request.json");
    let request = request.display();
    let mut text = format!(
        "\nTry it:\n\n  curl -i {hook} \\\n    -H 'authorization: {authorization}' \\\n    \
         -H 'content-type: application/json' \\\n    --data @{request}\n"
    );
    if let Some(server) = oauth {
        text.push_str(&format!(
            "\nOr with a token:\n\n  \
             token=$(curl -sS {} \\\n    \
             -d client_id={DEVELOPMENT_CLIENT_ID} -d client_secret={DEVELOPMENT_CLIENT_SECRET} \\\n    \
             -d grant_type=client_credentials -d scope={DEVELOPMENT_SCOPE} |\n    \
             sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/') &&\n  \
             curl -i {hook} \\\n    -H \"authorization: Bearer $token\" \\\n    \
             -H 'content-type: application/json' \\\n    --data @{request}\n",
            server.token_endpoint()
        ));
    }
    text
}

/// How to try what sends real messages: to a number of one's own, as the samples' belongs to nobody.
fn try_with_real_provider(manifest: &Manifest, plan: &Plan, host: &LocalHost) -> String {
    // One that was made here is in nobody's `.env`.
    let secret = match plan.authorization {
        Some(_) => plan.variables["okta_basic_secret"].as_str(),
        None => "…",
    };
    let url = host.url();
    let script = beside(manifest, "scripts/curl-test.sh");
    format!(
        "\nTry it, with a number of yours:\n\n  OKTA_BASIC_SECRET='{secret}' TO=+… {} {url}\n",
        script.display()
    )
}

/// A file of the repository's, as short as it can be written here.
fn beside(manifest: &Manifest, file: &str) -> PathBuf {
    let path = manifest.folder().join(file);
    path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path)
}

/// Listens from now on for Ctrl-C, and for the signal that service managers send; what comes back waits for one of them.
#[cfg(unix)]
fn stop_requested() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn received(signal: Option<Signal>) {
        match signal {
            Some(mut signal) => _ = signal.recv().await,
            // It can't be listened for, and ends the process.
            None => std::future::pending().await,
        }
    }
    let interrupt = received(signal(SignalKind::interrupt()).ok());
    let terminate = received(signal(SignalKind::terminate()).ok());
    async {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
        }
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn stop_requested() {
    _ = tokio::signal::ctrl_c().await;
}
