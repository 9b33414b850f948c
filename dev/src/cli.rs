//! What was said on the command line. What it means is [`crate::plan`]'s.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Args, Parser, Subcommand, ValueEnum};
use okta_telephony_dev::acs_emulator::{EventSchema, EventSubscription, SECRET_HEADER};
use okta_telephony_dev::infobip_emulator::{self, Proof};
use okta_telephony_dev::telesign_emulator;
use okta_telephony_dev::twilio_emulator::Callbacks;

use crate::emulated::Provider;

/// Build the hook and serve it here, with an emulator of its provider beside it.
///
/// For development: production is Spin. Without arguments everything is set: post to the hook with
/// the curl line that is printed, and read the message on the phone page.
#[derive(Debug, Parser)]
#[command(
    name = "cargo run --",
    bin_name = "cargo run --",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the component and print what came out, with sizes in bytes
    Build(Application),
    /// Print all that is wrong or unwise in the configuration that is given; exit with 1 if anything is wrong
    Check(Check),
    /// Run only the emulator of a provider, and print what the hook needs to send to it
    Emulator(Emulator),
}

#[derive(Debug, Args)]
pub struct Emulator {
    /// The provider to emulate
    #[arg(long, value_name = "PROVIDER", value_enum, default_value = "acs")]
    pub provider: Provider,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3001", value_parser = address)]
    pub listen: SocketAddr,
    /// Write the certificate of the authority that has signed the emulator's to this file, and print what Spin's
    /// runtime configuration needs to speak TLS with it. Without it Spin speaks plain HTTP with the emulator
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Have every message meet the fault of this number; docs/contributing/development.md lists them
    #[arg(long, value_name = "NUMBER")]
    pub fault: Option<String>,
    /// Deliver reports to this webhook, those of ACS once it takes Event Grid's handshake:
    /// http://127.0.0.1:3000/api/delivery-reports. Twilio's need no flag: they go to public_url of the hook's settings
    #[arg(long, value_name = "URL")]
    pub reports_to: Option<String>,
    /// The webhook's `reports.secret`. Telesign signs its reports, and needs none
    #[arg(long, value_name = "SECRET", requires = "reports_to")]
    pub report_secret: Option<String>,
    #[command(flatten)]
    pub reports: Reports,
}

impl Emulator {
    /// The webhook to report to, and its secret, which only Telesign can do without.
    pub fn reported_to(&self) -> anyhow::Result<Option<(&str, &str)>> {
        ensure!(
            self.provider == Provider::Telesign
                || self.reports_to.is_some() == self.report_secret.is_some(),
            "--reports-to needs the webhook's reports.secret: give it with --report-secret"
        );
        let secret = self.report_secret.as_deref().unwrap_or_default();
        Ok(self.reports_to.as_deref().map(|url| (url, secret)))
    }
}

/// How delivery reports come.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reports {
    /// The form of delivery reports from ACS
    #[arg(long, value_name = "SCHEMA", value_enum, default_value = "event-grid")]
    pub report_schema: Schema,
    /// Milliseconds from a message to its delivery report
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    pub report_delay: u64,
    /// How often each delivery report is delivered: nobody promises that it comes once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub report_copies: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    EventGrid,
    CloudEvents,
}

impl Reports {
    /// A subscription of this webhook's.
    pub fn to(self, endpoint: String, secret: String) -> EventSubscription {
        EventSubscription {
            schema: match self.report_schema {
                Schema::EventGrid => EventSchema::EventGrid,
                Schema::CloudEvents => EventSchema::CloudEvents,
            },
            delay: Duration::from_millis(self.report_delay),
            copies: self.report_copies,
            ..EventSubscription::new(endpoint, secret)
        }
    }

    /// The same of Infobip, with the secret in the same header.
    pub fn of_infobip(
        self,
        endpoint: String,
        secret: String,
    ) -> infobip_emulator::ReportSubscription {
        let proof = Proof::Header { name: SECRET_HEADER.to_owned(), secret };
        infobip_emulator::ReportSubscription {
            delay: Duration::from_millis(self.report_delay),
            copies: self.report_copies,
            ..infobip_emulator::ReportSubscription::new(endpoint, proof)
        }
    }

    /// The same of Telesign, which signs its reports.
    pub fn of_telesign(self, endpoint: String) -> telesign_emulator::ReportSubscription {
        telesign_emulator::ReportSubscription {
            delay: Duration::from_millis(self.report_delay),
            copies: self.report_copies,
            ..telesign_emulator::ReportSubscription::new(endpoint)
        }
    }

    /// The status callbacks of Twilio, of which all go to this host.
    pub fn of_twilio(self, to: Option<String>) -> Callbacks {
        Callbacks {
            to,
            delay: Duration::from_millis(self.report_delay),
            copies: self.report_copies,
            ..Callbacks::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct Application {
    /// The spin.toml, or the folder it is in [default: the nearest one, from the current folder
    /// upwards]
    #[arg(short, long, value_name = "PATH")]
    pub from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Variables {
    /// Give an application variable a value; `NAME=@FILE` takes it from a file, to the letter. What is
    /// given here counts before SPIN_VARIABLE_NAME in the environment, that before .env, and that before
    /// spin.toml
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub variable: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub application: Application,
    #[command(flatten)]
    pub variables: Variables,
}

/// The names are `spin up`'s where it has the same.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub application: Application,
    #[command(flatten)]
    pub variables: Variables,
    /// Where the hook listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000", value_parser = address)]
    pub listen: SocketAddr,
    /// Spin's runtime configuration, of which this host knows key-value stores in memory, as in
    /// sample/runtime-config.toml, and behind Redis. Without the file all are in memory
    #[arg(long, value_name = "FILE")]
    pub runtime_config_file: Option<PathBuf>,
    /// Emulate this provider [default: acs]. Given twice, the hook sends by the first and fails over to the second
    #[arg(long, value_name = "PROVIDER", value_enum)]
    pub provider: Vec<Provider>,
    /// Have every message meet the fault of this number at the first provider; docs/contributing/development.md lists them
    #[arg(long, value_name = "NUMBER")]
    pub fault: Option<String>,
    /// Where the emulator listens; that of a second provider is at the next port. Emulators run unless a provider is
    /// given: acs_connection_string, or providers in the settings or the secrets
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3001", value_parser = address)]
    pub emulator_listen: SocketAddr,
    /// Run an OAuth 2.0 authorization server too, and have the hook take its tokens
    #[arg(long)]
    pub oauth: bool,
    /// Where the authorization server listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3003", value_parser = address, requires = "oauth")]
    pub oauth_listen: SocketAddr,
    #[command(flatten)]
    pub reports: Reports,
}

fn address(said: &str) -> Result<SocketAddr, String> {
    said.parse().map_err(|_| "write it as an address and a port, such as 127.0.0.1:3000".to_owned())
}

fn variable(said: &str) -> Result<(String, String), String> {
    let (name, value) = said.split_once('=').ok_or("write it as NAME=VALUE or NAME=@FILE")?;
    Ok((name.to_string(), value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_variables_value_may_contain_equals_signs() {
        let cli = Cli::parse_from(["cargo run --", "--variable", "a=b=c", "--variable", "d="]);
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        assert_eq!(cli.serve.variables.variable, [pair("a", "b=c"), pair("d", "")]);
    }

    #[test]
    fn half_a_setting_is_refused() {
        for said in [
            &["--variable", "a"][..],
            &["check", "--variable", "a"],
            &["--oauth-listen", "127.0.0.1:0"],
            &["--report-copies", "0"],
            &["--report-schema", "other"],
            &["--provider", "other"],
            &["emulator", "--provider", "other"],
            &["emulator", "--report-secret", "secret"],
        ] {
            assert!(Cli::try_parse_from([&["cargo run --"], said].concat()).is_err(), "{said:?}");
        }
    }

    #[test]
    fn only_telesign_reports_without_a_secret() {
        for (provider, is_right) in [("acs", false), ("infobip", false), ("telesign", true)] {
            let said = ["emulator", "--provider", provider, "--reports-to", "http://127.0.0.1:1/"];
            let cli = Cli::parse_from([&["cargo run --"], &said[..]].concat());
            let Some(Command::Emulator(emulator)) = cli.command else { panic!("{provider}") };
            assert_eq!(emulator.reported_to().is_ok(), is_right, "{provider}");
        }
    }

    #[test]
    fn a_name_in_place_of_an_address_is_told_what_to_write() {
        for said in [
            &["--listen", "localhost:3000"][..],
            &["--emulator-listen", "3001"],
            &["--oauth", "--oauth-listen", "localhost"],
            &["emulator", "--listen", "localhost:3001"],
        ] {
            let error = Cli::try_parse_from([&["cargo run --"], said].concat()).unwrap_err();
            assert!(error.to_string().contains("such as 127.0.0.1:3000"), "{said:?}: {error}");
        }
    }

    #[test]
    fn what_is_said_of_reports_goes_into_their_subscription() {
        for (said, schema, delay, copies) in [
            (&[][..], EventSchema::EventGrid, 2000, 1),
            (
                &["--report-schema", "cloud-events", "--report-delay", "0", "--report-copies", "3"],
                EventSchema::CloudEvents,
                0,
                3,
            ),
        ] {
            let cli = Cli::parse_from([&["cargo run --"], said].concat());
            let subscription = cli.serve.reports.to("endpoint".into(), "secret".into());
            assert_eq!(subscription.schema, schema);
            assert_eq!(subscription.delay, Duration::from_millis(delay));
            assert_eq!(subscription.copies, copies);
            assert_eq!((&*subscription.endpoint, &*subscription.secret), ("endpoint", "secret"));
            let subscription = cli.serve.reports.of_infobip("endpoint".into(), "secret".into());
            assert_eq!(subscription.delay, Duration::from_millis(delay));
            assert_eq!(subscription.copies, copies);
            let callbacks = cli.serve.reports.of_twilio(None);
            assert_eq!(callbacks.delay, Duration::from_millis(delay));
            assert_eq!(callbacks.copies, copies);
        }
    }
}
