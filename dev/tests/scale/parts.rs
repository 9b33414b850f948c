//! The parts that can fail, each a process of its own.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::load::until;

/// A host may have to build the component first.
const START: Duration = Duration::from_secs(400);
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spin.toml");

/// What the parts write, empty at first. It stays when the test has ended: the hosts' logs are there.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The length of a file in bytes.
    pub fn length(&self, name: &str) -> u64 {
        fs::metadata(self.0.join(name)).map_or(0, |metadata| metadata.len())
    }

    fn append_to(&self, name: &str) -> File {
        File::options().create(true).append(true).open(self.0.join(name)).unwrap()
    }
}

/// A process, which ends with this.
pub struct Process {
    child: Option<Child>,
}

impl Process {
    const NONE: Self = Self { child: None };

    /// Its output goes to a file.
    fn start(mut command: Command, folder: &Folder, log: &str) -> Self {
        let log = folder.append_to(log);
        command.current_dir(&folder.0).stdin(Stdio::null()).kill_on_drop(true);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        Self { child: Some(command.spawn().unwrap()) }
    }

    fn id(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }

    /// Sends a signal by its name.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await;
        assert!(status.unwrap().success());
    }

    pub async fn ended(&mut self) {
        if let Some(child) = &mut self.child {
            child.wait().await.unwrap();
        }
    }

    /// What Linux says of it under this name, in kB; 0 where it does not.
    fn memory(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    pub fn kilobytes(&self) -> u64 {
        self.memory("VmRSS")
    }

    pub fn peak_kilobytes(&self) -> u64 {
        self.memory("VmHWM")
    }

    /// The time that it has computed for, in the kernel too; Linux counts it in hundredths of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        // The name before the last bracket may be anything; user time is the 14th field, system time the 15th.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
        let ticks: u64 = fields.take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// A local host.
pub struct Host {
    pub name: &'static str,
    pub address: SocketAddr,
    pub process: Process,
    variables: Vec<(&'static str, String)>,
}

impl Host {
    /// One that does not run yet.
    pub fn new(name: &'static str, variables: &[(&'static str, String)]) -> Self {
        Self {
            name,
            address: free_address(),
            process: Process::NONE,
            variables: variables.to_vec(),
        }
    }

    pub fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, value.into()));
    }

    /// Appends to a variable's value.
    pub fn append(&mut self, name: &str, text: &str) {
        let variable = self.variables.iter_mut().find(|(other, _)| *other == name);
        variable.expect("the variable has a value").1.push_str(text);
    }

    /// The file of its log.
    pub fn log(&self) -> String {
        format!("host-{}.log", self.name)
    }

    pub fn start(&mut self, folder: &Folder) {
        // What the repository's .env holds is not meant here, nor what the environment does.
        folder.write(".env", "");
        let mut command = Command::new(env!("CARGO_BIN_EXE_okta-telephony-dev"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SPIN_VARIABLE_") {
                command.env_remove(name);
            }
        }
        command.args(["--from", MANIFEST, "--listen", &self.address.to_string()]);
        command.args(["--runtime-config-file", "runtime-config.toml"]);
        for (name, value) in &self.variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        self.process = Process::start(command, folder, &self.log());
    }

    pub async fn is_up(&self) {
        is_up(self.address, "/.well-known/spin/health").await;
    }
}

/// What stands in front of the hosts.
pub struct Nginx {
    pub address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// One that gives a hook that a host has not answered to the other, or one that does not.
    pub fn start(folder: &Folder, hosts: &[Host], repeats: bool) -> Self {
        let address = free_address();
        // Of two, a host that was slow to connect once must not be left out while the other one is gone.
        let servers: String = hosts
            .iter()
            .map(|host| format!("    server {} max_fails=0;\n", host.address))
            .collect();
        let config = include_str!("nginx.conf")
            .replace("    # HOSTS\n", &servers)
            .replace("ADDRESS", &address.to_string());
        let config = match repeats {
            true => config,
            false => config.replace("error timeout non_idempotent", "off"),
        };
        let config = folder.write("nginx.conf", &config);
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder.0).arg("-c").arg(config).args(["-e", "nginx.log"]);
        Self { address, _process: Process::start(command, folder, "nginx-output.log") }
    }

    pub async fn is_up(&self) {
        is_up(self.address, "/.well-known/spin/health").await;
    }
}

/// Where the hosts keep records.
pub struct Redis {
    pub address: SocketAddr,
    pub process: Process,
}

impl Redis {
    /// One that keeps nothing on disk.
    pub async fn start(folder: &Folder) -> Self {
        let address = free_address();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no"]);
        let redis = Self { address, process: Process::start(command, folder, "redis.log") };
        until("Redis", START, async || TcpStream::connect(address).await.ok()).await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The numbers that it has about itself, and `keys`.
    pub async fn info(&self) -> HashMap<String, u64> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(b"INFO\r\nDBSIZE\r\nQUIT\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let number = |line: &str| {
            let (name, value) = line.trim().split_once(':')?;
            Some((if name.is_empty() { "keys" } else { name }.to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(number).collect()
    }
}

/// Takes connections at an address, and says nothing.
pub struct Sink;

impl Sink {
    pub async fn listen(address: SocketAddr) {
        let listener = until("the sink", Duration::from_secs(2), async || {
            TcpListener::bind(address).await.ok()
        });
        let listener = listener.await;
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
    }
}

async fn is_up(address: SocketAddr, path: &str) {
    let ask = async || {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    };
    until("an answer", START, async || timeout(Duration::from_secs(2), ask()).await.ok()?).await;
}

/// A port that is free now. Another process can take it first, and the part then says so in its log.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
