//! One instance of the component: what it may reach, and how it is compiled and started.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::error::Context;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

use self::bindings::fermyon::spin::{key_value, variables};
use super::allowed_hosts::AllowedHosts;
use super::key_value::{Store, Stores};
use super::manifest::check_name;
use super::meter::{Memory, Meter, MeterObserver, TANK};
use super::order::{Direction, HandOverObserver, observe};
use super::outbound::Outbound;
use super::output::{Lines, Output};

/// Instances that may exist at once, as many as Spin's default. A request beyond gets a 500.
pub(super) const MAX_INSTANCES: u32 = 1000;

/// How often a guest that computes without a pause lets others run, and may be stopped.
const TICK: Duration = Duration::from_millis(10);

/// Spin's interfaces, as the crate spin-sdk 5.2 has them; WASI's come with wasmtime.
#[allow(missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package okta-telephony:local-host;

            world spin {
                import fermyon:spin/variables@2.0.0;
                import fermyon:spin/key-value@2.0.0;
            }

            package fermyon:spin@2.0.0 {
                interface variables {
                    get: func(name: string) -> result<string, error>;
                    variant error {
                        invalid-name(string),
                        undefined(string),
                        provider(string),
                        other(string),
                    }
                }

                interface key-value {
                    resource store {
                        open: static func(label: string) -> result<store, error>;
                        get: func(key: string) -> result<option<list<u8>>, error>;
                        set: func(key: string, value: list<u8>) -> result<_, error>;
                        delete: func(key: string) -> result<_, error>;
                        exists: func(key: string) -> result<bool, error>;
                        get-keys: func() -> result<list<string>, error>;
                    }
                    variant error {
                        store-table-full,
                        no-such-store,
                        access-denied,
                        other(string)
                    }
                }
            }
        ",
        imports: { default: async | trappable },
        with: { "fermyon:spin/key-value.store": super::OpenStore },
    });
}

/// What all instances of one host share.
pub(super) struct Application {
    /// The component's id, for messages.
    pub id: String,
    pub variables: BTreeMap<String, String>,
    pub allowed_hosts: AllowedHosts,
    pub stores: Stores,
    pub outbound: Outbound,
    pub stdout: Lines,
    pub stderr: Lines,
    pub hand_over: Option<HandOverObserver>,
    pub meter: Option<MeterObserver>,
    /// Bytes.
    pub memory_limit: usize,
}

/// A component, compiled and linked: made once, which takes most of the time, and shared by any
/// number of hosts.
#[derive(Clone)]
pub struct Compiled {
    pub(super) proxy: ProxyPre<Guest>,
    /// Places in the pool of instances.
    pub(super) places: Arc<Semaphore>,
}

impl Compiled {
    /// Compiles a component (not a core module: see [`crate::component::encode`]).
    ///
    /// # Errors
    ///
    /// Bytes that are no component, or one that imports what this host doesn't offer.
    pub fn new(component: &[u8]) -> Result<Self> {
        Self::with(component, false)
    }

    /// The same with every instruction counted, which makes it slower: for [`super::Settings::meter`].
    ///
    /// # Errors
    ///
    /// Those of [`Compiled::new`].
    pub fn metered(component: &[u8]) -> Result<Self> {
        Self::with(component, true)
    }

    fn with(component: &[u8], metered: bool) -> Result<Self> {
        let engine = engine(metered)?;
        let component = Component::new(&engine, component).context(
            "this is no component that can be compiled: build it with `cargo run -- build`",
        )?;
        let mut linker = Linker::<Guest>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        bindings::Spin::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
        let proxy = linker.instantiate_pre(&component).and_then(ProxyPre::new).context(
            "the component doesn't fit this host, which offers WASI 0.2, wasi:http 0.2 and \
             fermyon:spin/{variables, key-value}@2.0.0 and needs wasi:http/incoming-handler@0.2",
        )?;
        Ok(Self { proxy, places: Arc::new(Semaphore::new(MAX_INSTANCES as usize)) })
    }
}

fn engine(metered: bool) -> Result<Engine> {
    let mut config = Config::new();
    config.consume_fuel(metered);
    config.epoch_interruption(true);
    // A release module is stripped: its functions have no names that a list of them could tell.
    config.wasm_backtrace_max_frames(None);
    // A component is several core instances: the module, the preview 1 adapter, and the shims between them and
    // the host. Only the module brings a memory.
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(8 * MAX_INSTANCES)
        .total_tables(4 * MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        // As Spin has both (crates/core/src/lib.rs, `Config::default`): what an instance leaves is set back for
        // the next one as a whole, instead of given to the kernel and asked for again page by page. So the size
        // of a component's memory is a cost.
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(1 << 19);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).or_else(|_| {
        // The pool reserves terabytes of address space (not of memory), which a limit may forbid:
        // then each instance gets its own, more slowly.
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Engine::new(&config)
    })?;
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".into()).spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(engine)
}

/// The state of one instance.
pub(super) struct Guest {
    application: Arc<Application>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    table: ResourceTable,
    pub memory: Memory,
    pub meter: Option<Meter>,
}

/// A key-value store that a guest has open.
pub struct OpenStore(Arc<Store>);

/// What is done with the guest's own requests.
struct Hooks {
    application: Arc<Application>,
    meter: Option<Meter>,
}

impl Guest {
    /// A store for one instance.
    pub fn store(engine: &Engine, application: Arc<Application>) -> Result<wasmtime::Store<Self>> {
        let meter = application.meter.as_ref().map(|_| Meter::new());
        let mut stdout = application.stdout.clone();
        if let Some(meter) = meter.clone() {
            let print = stdout;
            stdout = Arc::new(move |line| {
                meter.mark("stdout.write");
                print(line);
            });
        }
        // Neither environment, arguments, files nor sockets: wasi:http is the one way out.
        let wasi = WasiCtx::builder()
            .stdout(Output::new(stdout))
            .stderr(Output::new(application.stderr.clone()))
            .build();
        let guest = Self {
            wasi,
            http: WasiHttpCtx::new(),
            hooks: Hooks { application: application.clone(), meter: meter.clone() },
            table: ResourceTable::new(),
            memory: Memory { limit: application.memory_limit, size: 0 },
            meter: meter.clone(),
            application,
        };
        let mut store = wasmtime::Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory);
        if let Some(meter) = meter {
            store.set_fuel(TANK).context("the component is not compiled as a metered one")?;
            store.call_hook(move |store, change| meter.count(store, change));
        }
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        Ok(store)
    }

    /// Marks a call on the meter, if there is one.
    fn mark(&self, call: &str) {
        if let Some(meter) = &self.meter {
            meter.mark(call);
        }
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

type Sent =
    Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        mut request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Self { application, meter } = self;
        if let Some(meter) = meter {
            meter.mark("outgoing-handler.handle");
        }
        let uri = request.uri();
        if !application.allowed_hosts.allow(uri) {
            let origin = format!(
                "{}://{}",
                uri.scheme_str().unwrap_or_default(),
                uri.authority().map_or("", |authority| authority.as_str()),
            );
            (application.stderr)(&format!(
                "The component `{id}` tried to call {origin}, which it isn't allowed to. To allow it, add \
                 \"{origin}\" to allowed_outbound_hosts under [component.{id}] in spin.toml.",
                id = application.id,
            ));
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        if let Some(observer) = &application.hand_over {
            request = request.map(|body| observe(observer, Direction::Outbound, body));
        }
        let outbound = application.outbound.clone();
        Box::new(async move {
            let response = outbound.send(request, options).await?;
            // The client drives the connection, and what goes wrong with it the body tells.
            Ok((response, Box::new(std::future::ready(Ok(()))) as _))
        })
    }
}

impl variables::Host for Guest {
    async fn get(&mut self, name: String) -> wasmtime::Result<Result<String, variables::Error>> {
        if let Some(meter) = &self.meter {
            meter.mark(format!("variables.get {name}"));
        }
        Ok(match self.application.variables.get(&name) {
            Some(value) => Ok(value.clone()),
            None => Err(match check_name(&name) {
                Err(reason) => variables::Error::InvalidName(format!("{name:?}: {reason}")),
                Ok(()) => variables::Error::Undefined(format!(
                    "no variable for {:?}.{name:?}: add it under [component.{}.variables]",
                    self.application.id, self.application.id,
                )),
            }),
        })
    }
}

impl key_value::Host for Guest {}

impl Guest {
    fn opened(&self, store: &Resource<OpenStore>) -> wasmtime::Result<&Store> {
        Ok(&self.table.get(store)?.0)
    }
}

/// What a store fails with, as the guest sees it.
fn other(error: anyhow::Error) -> key_value::Error {
    key_value::Error::Other(format!("{error:#}"))
}

impl key_value::HostStore for Guest {
    async fn open(
        &mut self,
        label: String,
    ) -> wasmtime::Result<Result<Resource<OpenStore>, key_value::Error>> {
        Ok(match self.application.stores.get(&label) {
            Some(store) => match store.open().await {
                Ok(()) => Ok(self.table.push(OpenStore(store.clone()))?),
                Err(error) => Err(other(error)),
            },
            None => Err(key_value::Error::AccessDenied),
        })
    }

    async fn get(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, key_value::Error>> {
        self.mark("key-value.get");
        Ok(self.opened(&store)?.get(&key).await.map_err(other))
    }

    async fn set(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), key_value::Error>> {
        self.mark("key-value.set");
        Ok(self.opened(&store)?.set(key, value).await.map_err(other))
    }

    async fn delete(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<(), key_value::Error>> {
        Ok(self.opened(&store)?.delete(&key).await.map_err(other))
    }

    async fn exists(
        &mut self,
        store: Resource<OpenStore>,
        key: String,
    ) -> wasmtime::Result<Result<bool, key_value::Error>> {
        Ok(self.opened(&store)?.exists(&key).await.map_err(other))
    }

    async fn get_keys(
        &mut self,
        store: Resource<OpenStore>,
    ) -> wasmtime::Result<Result<Vec<String>, key_value::Error>> {
        Ok(self.opened(&store)?.keys().await.map_err(other))
    }

    async fn drop(&mut self, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}
