//! `cargo run`: the hook, built and served here, with an ACS emulator beside it, and an authorization
//! server where it is asked for.

mod cli;
mod plan;
mod runtime_config;

use std::env;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use clap::Parser;
use okta_telephony_dev::acs_emulator::{self, AcsEmulator, EventSubscription};
use okta_telephony_dev::authorization_server::{
    self, AuthorizationServer, DEVELOPMENT_CLIENT_ID, DEVELOPMENT_CLIENT_SECRET, DEVELOPMENT_SCOPE,
};
use okta_telephony_dev::component::{self, Built};
use okta_telephony_dev::local_host::{self, Compiled, LocalHost, Manifest, Misspelt};
use uuid::Uuid;

use crate::cli::{Application, Cli, Command, Emulator, Reports, Serve};
use crate::plan::{Acs, Operator, Plan};

/// Where the hook takes delivery reports, and where it shows what became of each message.
const REPORTS_PATH: &str = "/api/delivery-reports";
const DELIVERIES_PATH: &str = "/api/deliveries";
/// Between two questions to a webhook that does not agree yet.
const HANDSHAKE_PAUSE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Some(Command::Build(application)) => {
            let built = component::build(&manifest(&application)?)?;
            print_sizes(&built);
            Ok(())
        }
        Some(Command::Emulator(emulator)) => runtime()?.block_on(emulate(emulator)),
        None => {
            let manifest = manifest(&cli.serve.application)?;
            // First what can be wrong at once, then what takes its time.
            let plan = plan(&cli.serve, &manifest)?;
            LocalHost::check(&settings(&plan, &manifest))?;
            let built = component::build(&manifest)?;
            print_sizes(&built);
            runtime()?.block_on(serve(plan, cli.serve.reports, &manifest, &built.component))
        }
    }
}

fn manifest(said: &Application) -> Result<Manifest> {
    let current = env::current_dir().context("the current folder is gone: change to another")?;
    // Set where cargo runs this program.
    let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let path = plan::manifest_path(said.from.as_deref(), &current, package.as_deref())?;
    // Below the current folder paths are shorter to read, in messages too.
    Manifest::read(path.strip_prefix(&current).unwrap_or(&path))
}

fn plan(said: &Serve, manifest: &Manifest) -> Result<Plan> {
    // Spin reads .env in the current folder; beside the manifest is where it is when that is another.
    let current = Path::new(".env");
    let dot_env =
        if current.exists() { current.to_path_buf() } else { manifest.folder().join(".env") };
    let in_file = local_host::read_dot_env(&dot_env)?;
    // Not `vars()`, which panics on a value that is no text; none of ours is that.
    let environment: Vec<_> = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    warn_of_misspelt(manifest, &dot_env.display().to_string(), &in_file);
    warn_of_misspelt(manifest, "the environment", &environment);
    let mut variables = local_host::from_environment(manifest, in_file);
    variables.extend(local_host::from_environment(manifest, environment));
    Plan::new(said, manifest, variables, random_secret)
}

/// Says which names in `place` were meant for the hook and don't reach it.
fn warn_of_misspelt(manifest: &Manifest, place: &str, pairs: &[(String, String)]) {
    let names = pairs.iter().map(|(name, _)| name.as_str());
    for Misspelt { name, meant } in local_host::misspelt(manifest, names) {
        let meant = meant.map_or(String::new(), |meant| format!(": did you mean {meant}?"));
        let file = manifest.path.display();
        eprintln!("warning: {place} has {name}, which is no variable of {file}{meant}");
    }
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
    let emulator = match plan.acs {
        Acs::Given { .. } => None,
        Acs::Emulator { listen } => {
            let emulator = start_emulator(listen, "--emulator-listen").await?;
            plan.send_to_emulator(
                &emulator_url(&emulator),
                emulator.connection_string(),
                emulator.application_insights_connection_string(),
            );
            Some(emulator)
        }
    };
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
    let reports = match (&emulator, &plan.report_secret) {
        (Some(emulator), Some(secret)) => {
            let endpoint = format!("{}{REPORTS_PATH}", host.url());
            let subscription = reports.to(endpoint.clone(), secret.clone());
            // The hook sends without reports, too.
            Some(match emulator.subscribe_reports(subscription).await {
                Ok(()) => format!("delivered to {endpoint}"),
                Err(error) => format!("none: {error:#}"),
            })
        }
        _ => None,
    };
    let name = &manifest.name;
    print(&format!("\n{name} is served, for development; production is Spin.\n\n"));
    print(&places(&plan, &host, emulator.as_ref(), oauth.as_ref(), reports.as_deref()));
    print(&match plan.acs {
        Acs::Given { .. } => try_with_real_acs(manifest, &plan, &host),
        Acs::Emulator { .. } => try_with_emulator(manifest, &plan, &host, oauth.as_ref()),
    });
    print("\nStop with Ctrl-C.\n");
    stop_requested().await;
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
        tls: plan.tls.clone(),
        variables: plan.variables.clone(),
        state_dir: Some(plan.state_dir.clone()),
        stores: plan.stores.clone(),
        ..local_host::Settings::new(&manifest.path)
    }
}

async fn emulate(said: Emulator) -> Result<()> {
    let Emulator { listen, fault, reports_to, report_secret, reports } = said;
    let subscription = reports_to.zip(report_secret).map(|(url, secret)| reports.to(url, secret));
    subscription.as_ref().map_or(Ok(()), EventSubscription::check)?;
    let emulator = start_emulator(listen, "--listen").await?;
    emulator.set_fault(fault);
    if let Some(fault) = fault {
        print(&format!("Every message: {}.\n\n", fault.meaning));
    }
    let url = emulator_url(&emulator);
    print(&format!(
        "Emulator of Azure Communication Services SMS, for development. No message is sent.\n\n  \
         Phone page  {url}/\n  acs_connection_string  {}\n  extra_outbound_host    {url}\n  \
         applicationinsights_connection_string  {}\n  applicationinsights_host  {url}\n\nStop with \
         Ctrl-C.\n",
        emulator.connection_string(),
        emulator.application_insights_connection_string(),
    ));
    let subscribed = async {
        if let Some(subscription) = subscription {
            subscribe(&emulator, subscription).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = subscribed => {}
        () = stop_requested() => {}
    }
    Ok(())
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

async fn start_emulator(listen: SocketAddr, flag: &str) -> Result<AcsEmulator> {
    let settings = acs_emulator::Settings::new(listen, acs_emulator::DEVELOPMENT_ACCESS_KEY);
    AcsEmulator::start(settings).await.map_err(|error| with_flag(&error, flag))
}

/// An error that ends with what to give, and the flag to give it with.
fn with_flag(error: &Error, flag: &str) -> Error {
    anyhow!("{error:#} with {flag}")
}

fn emulator_url(emulator: &AcsEmulator) -> String {
    format!("http://{}", emulator.address())
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
    emulator: Option<&AcsEmulator>,
    oauth: Option<&AuthorizationServer>,
    reports: Option<&str>,
) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| text.push_str(&format!("  {label:<14} {value}\n"));
    line("Okta hook", &hook_url(host));
    for route in &host.routes()[1..] {
        line("Route", &format!("{}{route}", host.url()));
    }
    match (&plan.acs, emulator) {
        (Acs::Given { host }, _) => {
            line("ACS", &format!("{host} (real messages, if it is a real one)"))
        }
        (Acs::Emulator { .. }, None) => {}
        (Acs::Emulator { .. }, Some(emulator)) => {
            line("ACS", "the emulator: no message is sent");
            line("Phone page", &format!("{}/", emulator_url(emulator)));
        }
    }
    if let Some(reports) = reports {
        line("Reports", reports);
    }
    if plan.operator != Operator::Nobody {
        line("Deliveries", &format!("{}{DELIVERIES_PATH}", host.url()));
    }
    if let Operator::Known { user, secret } = &plan.operator {
        line("Operator", &format!("{user} / {secret}"));
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
    // The certificate is for another name than the address that this machine calls.
    let trust = if plan.tls.is_some() { " --insecure" } else { "" };
    let request = beside(manifest, "sample/request.json");
    let request = request.display();
    let mut text = format!(
        "\nTry it:\n\n  curl -i{trust} {hook} \\\n    -H 'authorization: {authorization}' \\\n    \
         -H 'content-type: application/json' \\\n    --data @{request}\n"
    );
    if let Some(server) = oauth {
        text.push_str(&format!(
            "\nOr with a token:\n\n  \
             token=$(curl -sS {} \\\n    \
             --user {DEVELOPMENT_CLIENT_ID}:{DEVELOPMENT_CLIENT_SECRET} \\\n    \
             -d grant_type=client_credentials -d scope={DEVELOPMENT_SCOPE} |\n    \
             sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/') &&\n  \
             curl -i{trust} {hook} \\\n    -H \"authorization: Bearer $token\" \\\n    \
             -H 'content-type: application/json' \\\n    --data @{request}\n",
            server.token_endpoint()
        ));
    }
    text
}

/// How to try what sends real messages: to a number of one's own, as the samples' belongs to nobody.
fn try_with_real_acs(manifest: &Manifest, plan: &Plan, host: &LocalHost) -> String {
    // One that was made here is in nobody's `.env`.
    let secret = match plan.authorization {
        Some(_) => plan.variables["okta_basic_secret"].as_str(),
        None => "…",
    };
    let url = match plan.tls {
        Some(_) => format!("https://YOUR-HOST:{}", host.address().port()),
        None => host.url(),
    };
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

/// Waits for Ctrl-C, or for the signal that service managers send.
async fn stop_requested() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return,
                _ = terminate.recv() => return,
            }
        }
    }
    _ = tokio::signal::ctrl_c().await;
}
