//! What an instance costs, counted and not timed: the same request costs the same on any machine.
//!
//! The unit is wasmtime's fuel: one for each WebAssembly instruction, none for blocks and the like. What
//! the host does for the guest is not in it; the number of calls to the host is counted beside it.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::{CallHook, ResourceLimiter, StoreContextMut};

/// What one instance has cost by the end of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    /// Instructions in all, those of starting the instance too.
    pub instructions: u64,
    /// Calls to the host in all, those that drop a resource or ask for the time too.
    pub host_calls: u64,
    /// The most bytes that its linear memory had. A memory never shrinks, and no page beyond it is touched.
    pub memory: usize,
    /// What had been spent when the guest called for one of the host's services, in the order of the calls.
    pub marks: Vec<Mark>,
}

/// A call of the guest's, and what had been spent by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The call: `variables.get NAME`, `key-value.get`, `key-value.set`, `outgoing-handler.handle`,
    /// `response-outparam.set` or `stdout.write`.
    pub call: String,
    /// Instructions by then.
    pub instructions: u64,
    /// Calls to the host by then, this one included.
    pub host_calls: u64,
}

/// Gets what each instance has cost, once it has ended.
pub type MeterObserver = Arc<dyn Fn(Metered) + Send + Sync>;

/// Fuel that no guest comes to the end of.
pub(super) const TANK: u64 = u64::MAX;

/// The meter of one instance. Without an observer it is `None` everywhere, and nothing is counted.
#[derive(Clone)]
pub(super) struct Meter(Arc<Mutex<Counted>>);

#[derive(Default)]
struct Counted {
    instructions: u64,
    host_calls: u64,
    marks: Vec<Mark>,
}

impl Meter {
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// To be called at each change between guest and host.
    pub fn count<T>(
        &self,
        store: StoreContextMut<'_, T>,
        change: CallHook,
    ) -> wasmtime::Result<()> {
        if matches!(change, CallHook::CallingHost) {
            let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            counted.instructions = TANK - store.get_fuel()?;
            counted.host_calls += 1;
        }
        Ok(())
    }

    pub fn mark(&self, call: impl Into<String>) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (instructions, host_calls) = (counted.instructions, counted.host_calls);
        counted.marks.push(Mark { call: call.into(), instructions, host_calls });
    }

    /// What it has come to in an instance that has `fuel` left and had `memory` bytes.
    pub fn read(&self, fuel: u64, memory: usize) -> Metered {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Metered {
            instructions: TANK - fuel,
            host_calls: counted.host_calls,
            memory,
            marks: std::mem::take(&mut counted.marks),
        }
    }
}

/// Holds a linear memory to a limit, and knows how large it is.
pub(super) struct Memory {
    /// Bytes.
    pub limit: usize,
    /// Bytes.
    pub size: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= self.limit;
        if allowed {
            self.size = self.size.max(desired);
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
