//! `spin up` of a component that is measured: its variables, its runtime configuration, its command line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use okta_telephony_dev::acs_emulator::DEVELOPMENT_ACCESS_KEY;
use okta_telephony_dev::local_host::Manifest;
use okta_telephony_dev::tls;

use crate::folders::{checkout, target};
use crate::load::SECRET;

/// The secret of delivery reports.
pub const REPORT_SECRET: &str = "bench-report-secret";

/// A value for every variable of the manifest, the empty ones too: Spin would look for each other one in its
/// environment at every request. Messages go to the first of one or two providers, each an origin such as
/// `https://127.0.0.1:3001`.
pub fn variables(manifest: &Manifest, providers: &[&str]) -> Result<BTreeMap<String, String>> {
    let connection_string =
        |origin: &str| format!("endpoint={origin}/;accesskey={DEVELOPMENT_ACCESS_KEY}");
    let mut settings = include_str!("../settings.toml").to_owned();
    let mut secrets = format!(
        "[operator]\nsecret = 'the secret of the operator'\n[reports]\nsecret = '{REPORT_SECRET}'\n"
    );
    let mut ours = BTreeMap::from([
        ("okta_basic_secret", SECRET.to_owned()),
        ("acs_connection_string", connection_string(providers[0])),
        ("acs_from_shortcode", "12345".into()),
        ("outbound_host1", providers[0].to_owned()),
    ]);
    if let Some(second) = providers.get(1) {
        settings.insert_str(
            0,
            "providers = [{ kind = 'acs' }, { kind = 'acs', name = 'second', senders = { default = '12345' } }]\n",
        );
        secrets +=
            &format!("[providers.second]\nconnection_string = '{}'\n", connection_string(second));
        ours.insert("outbound_host2", (*second).to_owned());
    }
    ours.extend([("settings", settings), ("secrets", secrets)]);
    let variables = manifest.variables.iter().map(|(name, variable)| {
        let value = ours.remove(name.as_str()).or(variable.default.clone()).unwrap_or_default();
        (name.clone(), value)
    });
    let variables: BTreeMap<_, _> = variables.collect();
    // The relay has no variables.
    let strangers = !variables.is_empty() && !ours.is_empty();
    ensure!(!strangers, "spin.toml does not have the variables {:?}", ours.keys());
    Ok(variables)
}

/// The sample's runtime configuration, by which the component trusts for these hosts the certificate authorities of a
/// file.
pub fn runtime_config(manifest: &Manifest, hosts: &[&str], authorities: &Path) -> Result<String> {
    let sample = std::fs::read_to_string(checkout().join("sample/runtime-config.toml"))?;
    Ok([sample, tls::spins_client_tls(&manifest.component.id, hosts, authorities)].concat())
}

/// `spin up` of a manifest with a runtime configuration, of which it makes a file.
pub fn up(manifest: &Path, runtime_config: &str, listen: SocketAddr) -> Result<Command> {
    let file = target().join("runtime-config.toml");
    std::fs::write(&file, runtime_config)?;
    let mut command = Command::new("spin");
    command.arg("up").arg("--from").arg(manifest).arg("--runtime-config-file").arg(file);
    command.args(["--listen", &listen.to_string(), "--truncate-logs"]);
    command.arg("--state-dir").arg(target().join("spin"));
    // With it Spin would trace the stack of each error of its own.
    command.env_remove("RUST_BACKTRACE");
    Ok(command)
}
