//! Spin as it is served: by itself, or as the samples have it, with nginx before it and systemd's limits around it.

use std::fs::File;
use std::io::{PipeWriter, pipe};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use okta_telephony_dev::local_host::Manifest;
use okta_telephony_dev::{component, nginx, tls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::contender::version;
use crate::folders::{checkout, target};
use crate::load::Connection;
use crate::process::Running;
use crate::spin;
use crate::stand_in::authorities;

/// The descriptors that a shell, and a unit of systemd that says nothing of them, gives a process.
const USUAL_DESCRIPTORS: u64 = 1024;

/// How Spin is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetUp {
    /// Spin faces its callers itself, has 1,024 descriptors, and prints into a pipe
    Alone,
    /// As sample/nginx.conf and sample/okta-telephony.service have it
    Samples,
}

impl SetUp {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alone => "Spin alone",
            Self::Samples => "as the samples have it",
        }
    }

    /// Says whether what stands before Spin is missing.
    pub fn check(self) -> Result<()> {
        if self == Self::Samples {
            let nginx = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
            ensure!(
                nginx.is_ok_and(|status| status.success()),
                "there is no command `nginx` on the PATH (Debian: `apt install nginx-light`, in /usr/sbin): install it, or \
                 measure without it by `--set-ups alone`"
            );
        }
        Ok(())
    }
}

/// Builds the component, and returns the version of Spin.
///
/// # Errors
///
/// No Spin, or no Linux, or a build that fails.
pub fn prepare() -> Result<String> {
    ensure!(
        Path::new("/proc/self/smaps_rollup").exists(),
        "memory and descriptors are read in Linux's /proc: run it on Linux"
    );
    let spin = version(&mut Command::new("spin")).context(
        "there is no command `spin` on the PATH: install Spin (https://spinframework.dev/install) and put it there",
    )?;
    std::fs::create_dir_all(target())?;
    component::build(&Manifest::read(&checkout().join("spin.toml"))?)?;
    Ok(spin)
}

/// A byte stream, with or without TLS.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A Spin that is served. Dropping it ends it, and what is around it.
pub struct Deployment {
    /// Where callers connect to.
    pub address: SocketAddr,
    /// How they speak TLS, if they do.
    tls: Option<Arc<ClientConfig>>,
    /// What reads all that Spin prints, where that is a pipe. It ends first, so that Spin waits for it no longer.
    pub reader: Option<Reader>,
    _nginx: Option<Running>,
    pub spin: Running,
}

impl Deployment {
    /// Starts one that sends by these providers. Where TLS is asked for and there is no nginx that ends it, Spin does.
    ///
    /// # Errors
    ///
    /// What can't be run or does not start, and samples that can't be understood.
    pub async fn start(set_up: SetUp, providers: &[&str], ends_tls: bool) -> Result<Self> {
        match set_up {
            SetUp::Alone => Self::alone(providers, ends_tls).await,
            SetUp::Samples => Self::as_the_samples_have_it(providers).await,
        }
    }

    async fn alone(providers: &[&str], ends_tls: bool) -> Result<Self> {
        let address = free_address()?;
        let mut arguments = Vec::new();
        if ends_tls {
            let [certificate, key] = tls::pem(&[nginx::NAME])?;
            for (flag, name, text) in
                [("--tls-cert", "spin.crt", certificate), ("--tls-key", "spin.key", key)]
            {
                let file = target().join(name);
                std::fs::write(&file, text)?;
                arguments.extend([flag.to_owned(), file.display().to_string()]);
            }
        }
        let command = spin_up(address, &runtime_config()?, providers, &arguments)?;
        let mut command = limited(&command, USUAL_DESCRIPTORS);
        let (output, reader) = Reader::start()?;
        command.stdout(output.try_clone()?).stderr(output);
        let spin = Running::start_into(&mut command, address).await?;
        // The pipe's end is Spin's alone.
        drop(command);
        let tls = if ends_tls { Some(client()?) } else { None };
        Ok(Self { address, tls, reader: Some(reader), _nginx: None, spin })
    }

    async fn as_the_samples_have_it(providers: &[&str]) -> Result<Self> {
        let spin = spin_of_the_samples(providers, None).await?;
        let address = free_address()?;
        let folder = target().join("nginx");
        let mut command = nginx::command(&folder, address, spin.address)?;
        let nginx = Running::start(&mut command, address, &folder.join("output.log")).await;
        let nginx = nginx.with_context(|| format!("nginx: {} says why", folder.display()))?;
        Ok(Self { address, tls: Some(client()?), reader: None, _nginx: Some(nginx), spin })
    }

    /// Connects from an address of this machine: 127.0.0.0/8 are all its own.
    pub async fn connect(&self, from: IpAddr) -> Result<Connection<Box<dyn Stream>>> {
        let stream = self.connect_in_clear(from).await?;
        stream.set_nodelay(true)?;
        Ok(Connection::over(match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let connector = TlsConnector::from(tls.clone());
                Box::new(connector.connect(ServerName::try_from(nginx::NAME)?, stream).await?)
            }
        }))
    }

    /// Connects and says nothing, not even of TLS.
    pub async fn connect_in_clear(&self, from: IpAddr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        Ok(socket.connect(self.address).await?)
    }
}

/// Starts Spin as the sample's unit does, without nginx. Records are in memory, or in this Redis.
///
/// # Errors
///
/// What can't be run or does not start, and samples that can't be understood.
pub async fn spin_of_the_samples(providers: &[&str], redis: Option<&str>) -> Result<Running> {
    let unit = Unit::read(&sample("okta-telephony.service")?);
    let unit = unit.context("sample/okta-telephony.service")?;
    let address = free_address()?;
    // The production sample's stores are elsewhere. What it says before its first table is of Spin itself.
    let production = sample("runtime-config.production.toml")?;
    let top = production.split("\n[").next().unwrap_or_default();
    let mut runtime_config = [top, "\n", &runtime_config()?].concat();
    if let Some(redis) = redis {
        let memory = "[key_value_store.records]\ntype = \"spin\"";
        ensure!(runtime_config.contains(memory), "sample/runtime-config.toml has no {memory:?}");
        let redis = format!("[key_value_store.records]\ntype = \"redis\"\nurl = {redis:?}");
        runtime_config = runtime_config.replace(memory, &redis);
    }
    let mut command = spin_up(address, &runtime_config, providers, &unit.flags)?;
    command.envs(unit.environment);
    let mut command = limited(&command, unit.descriptors);
    let spin = Running::start(&mut command, address, &log()).await;
    spin.with_context(|| {
        format!("Spin with {} descriptors: {} says why", unit.descriptors, log().display())
    })
}

/// The file with all that Spin prints.
fn log() -> PathBuf {
    target().join("neighbours.log")
}

fn sample(name: &str) -> Result<String> {
    let path = checkout().join("sample").join(name);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn spin_up(
    address: SocketAddr,
    runtime_config: &str,
    providers: &[&str],
    flags: &[String],
) -> Result<Command> {
    let manifest = checkout().join("spin.toml");
    let mut command = spin::up(&manifest, runtime_config, address)?;
    command.args(flags);
    for (name, value) in spin::variables(&Manifest::read(&manifest)?, providers)? {
        command.arg("--variable").arg(format!("{name}={value}"));
    }
    Ok(command)
}

fn runtime_config() -> Result<String> {
    let manifest = Manifest::read(&checkout().join("spin.toml"))?;
    spin::runtime_config(&manifest, &["127.0.0.1"], &authorities())
}

/// The same command with so many descriptors, and no right to more.
fn limited(command: &Command, descriptors: u64) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &descriptors.to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// Who trusts the certificates of this process.
fn client() -> Result<Arc<ClientConfig>> {
    Ok(Arc::new(tls::client(&[tls::certificate_authority()])?))
}

/// A port that is free now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A process that reads what another one prints, and writes it into a file.
pub struct Reader(Child);

impl Reader {
    /// Starts one, and returns the end of the pipe that is written to.
    fn start() -> Result<(PipeWriter, Self)> {
        let (output, input) = pipe()?;
        let child = Command::new("cat").stdin(output).stdout(File::create(log())?).spawn();
        Ok((input, Self(child.context("`cat` can't be run")?)))
    }

    /// It reads no more, and does not end either.
    pub fn stop(&self) {
        _ = Command::new("kill").args(["-STOP", &self.0.id().to_string()]).status();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// What the sample's unit of systemd says of the process.
#[derive(Debug, PartialEq)]
struct Unit {
    /// `LimitNOFILE`.
    descriptors: u64,
    /// `Environment`.
    environment: Vec<(String, String)>,
    /// What `spin up` is told besides the names of this machine's own files, addresses and variables.
    flags: Vec<String>,
}

impl Unit {
    fn read(text: &str) -> Result<Self> {
        let text = text.replace("\\\n", " ");
        let lines: Vec<_> = text.lines().filter_map(|line| line.trim().split_once('=')).collect();
        let values =
            |key| lines.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value);
        let value = |key| values(key).next().with_context(|| format!("it has no {key}"));
        let output = value("StandardOutput")?;
        let into_a_file = output.starts_with("append:") || output == "null";
        ensure!(into_a_file, "StandardOutput={output} is no file: a reader could stop");
        let environment = values("Environment").flat_map(str::split_whitespace).filter_map(|it| {
            let (name, value) = it.trim_matches('"').split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        Ok(Self {
            descriptors: value("LimitNOFILE")?.parse().context("LimitNOFILE is no number")?,
            environment: environment.collect(),
            flags: flags(value("ExecStart")?)?,
        })
    }
}

/// The flags of `spin up` without those that have a value of this machine's own.
fn flags(command: &str) -> Result<Vec<String>> {
    let mut words = command.split_whitespace().skip_while(|word| *word != "up").skip(1);
    let mut flags = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-f"
            | "--from"
            | "--listen"
            | "--runtime-config-file"
            | "--state-dir"
            | "--variable"
            | "--log-dir" => {
                words.next().with_context(|| format!("{word} has no value"))?;
            }
            "--quiet" => flags.push(word.to_owned()),
            _ => bail!("ExecStart has {word}, of which the bench does not know whose it is"),
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: &str = "[Service]
ExecStart=/usr/bin/spin up --from IMAGE --listen 127.0.0.1:3000 \\
  --quiet --variable settings=@settings.toml
Environment=SPIN_A=1 \"SPIN_B=2\"
LimitNOFILE=8192
StandardOutput=append:/var/log/hook.log
";

    #[test]
    fn a_unit_is_taken_but_for_what_belongs_to_a_machine() {
        let unit = Unit::read(UNIT).unwrap();
        let environment = [("SPIN_A".into(), "1".into()), ("SPIN_B".into(), "2".into())].into();
        let flags = vec!["--quiet".to_owned()];
        assert_eq!(unit, Unit { descriptors: 8192, environment, flags });
    }

    #[test]
    fn the_unit_that_is_shipped_is_understood() {
        let unit = Unit::read(&sample("okta-telephony.service").unwrap()).unwrap();
        assert!(unit.descriptors > USUAL_DESCRIPTORS, "{unit:?}");
        assert!(unit.flags.contains(&"--quiet".to_owned()), "{unit:?}");
    }

    #[test]
    fn a_unit_whose_output_can_wait_for_a_reader_is_refused() {
        let unit = UNIT.replace("append:/var/log/hook.log", "journal");
        assert!(Unit::read(&unit).unwrap_err().to_string().contains("StandardOutput"));
    }

    #[test]
    fn a_flag_that_nobody_has_thought_of_is_refused() {
        let unit = UNIT.replace("--quiet", "--tls-cert cert.pem");
        assert!(Unit::read(&unit).unwrap_err().to_string().contains("--tls-cert"));
    }
}
