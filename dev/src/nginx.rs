//! sample/nginx.conf, run as it is but for what belongs to a machine: ports, the certificate, paths and the user.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::tls;

/// The name by which the sample's nginx is called. Who comes by another one gets no certificate.
pub const NAME: &str = "hook.sms.example.com";

/// The directories that nginx would otherwise make where its package has them, which takes root's rights.
const TEMPORARY: &str = "  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
";

/// Writes the sample, with a certificate of this process's authority, into a folder, and returns the command that runs
/// it there, in the foreground, in front of Spin. Its logs are `access.log` and `error.log` in that folder.
///
/// # Errors
///
/// A sample without a line that is to be replaced, and files that can't be read or written.
pub fn command(folder: &Path, listen: SocketAddr, spin: SocketAddr) -> Result<Command> {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample/nginx.conf");
    let text = fs::read_to_string(sample).context(sample)?;
    fs::create_dir_all(folder)?;
    fs::write(folder.join("nginx.conf"), here(&text, listen, spin)?)?;
    let [certificate, key] = tls::pem(&[NAME])?;
    fs::write(folder.join("fullchain.pem"), certificate)?;
    fs::write(folder.join("privkey.pem"), key)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    command.args(["-e", "error.log", "-g", "daemon off;"]);
    Ok(command)
}

/// The sample's text for this machine. Paths are relative to the folder.
fn here(sample: &str, listen: SocketAddr, spin: SocketAddr) -> Result<String> {
    let mut text = sample.to_owned();
    for (theirs, ours) in [
        // Without root's rights nginx ignores the line; with them its workers read the folder, whosever it is.
        ("user www-data;", "user root;"),
        ("/run/nginx.pid", "nginx.pid"),
        ("/var/log/nginx/", ""),
        ("/etc/nginx/", ""),
        ("server_name hook.sms.example.com;", &format!("server_name {NAME};")),
        ("listen 443 ", &format!("listen {listen} ")),
        ("server 127.0.0.1:3000 ", &format!("server {spin} ")),
        ("http {\n", &format!("http {{\n{TEMPORARY}")),
    ] {
        ensure!(text.contains(theirs), "sample/nginx.conf has no {theirs:?}");
        text = text.replace(theirs, ours);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_line_that_is_another_one_here() {
        let sample = include_str!("../../sample/nginx.conf");
        let (listen, spin) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let text = here(sample, listen, spin).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().starts_with('#')).collect();
        assert!(lines.contains(&"    listen 127.0.0.1:1 ssl;"), "{text}");
        assert!(lines.iter().any(|line| line.contains("server 127.0.0.1:2 max_conns=")), "{text}");
        for of_the_machine in ["/etc", "/run", "/var", ":3000", " 443"] {
            assert!(!lines.iter().any(|line| line.contains(of_the_machine)), "{text}");
        }
    }
}
