//! One engine for the whole process: its configuration, the thread that ticks its epochs
//! while something runs, and the places of its pool. Refuses more runs than places.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use claw_core::errors::{Code, Fault};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails};

use crate::context::Context;
use crate::imports;
use crate::limits::{MAX_CORE_INSTANCES, MAX_MEMORIES, MAX_TABLES};

/// How often running guests are made to look at their deadlines.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// How long a call waits for a place before it is told to come back.
const PLACE_WAIT: Duration = Duration::from_secs(2);
/// The most memory that one linear memory can grow to; each run's own limit is below it.
const MAX_MEMORY: usize = 1 << 30;

/// What an operator can choose about the engine.
#[derive(Clone, Debug)]
pub struct EngineSettings {
    /// How many guests run at once.
    pub places: u32,
    /// Place instances in a pool that is reserved once. `false`: allocate each when it is made.
    pub pooling: bool,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            places: 200,
            pooling: true,
        }
    }
}

/// The engine cannot be made on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the engine cannot start: {0}")]
pub struct EngineError(String);

/// The engine, shared by everything that loads or runs components.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<Context>,
    places: Arc<Semaphore>,
    ticker: Ticker,
}

impl Engine {
    /// An engine with a pool, or without one where the address space for it cannot be had.
    ///
    /// # Errors
    /// [`EngineError`] where this machine cannot run compiled wasm.
    pub fn new(settings: &EngineSettings) -> Result<Self, EngineError> {
        let failed = |error: wasmtime::Error| EngineError(format!("{error:#}"));
        let wasmtime = match settings
            .pooling
            .then(|| wasmtime::Engine::new(&config(Some(settings.places))))
        {
            Some(Ok(engine)) => engine,
            Some(Err(error)) => {
                tracing::warn!(%error, "no address space for a pool, instances are allocated one by one");
                wasmtime::Engine::new(&config(None)).map_err(failed)?
            }
            None => wasmtime::Engine::new(&config(None)).map_err(failed)?,
        };
        let mut linker = Linker::new(&wasmtime);
        imports::add_to_linker(&mut linker).map_err(failed)?;
        let ticker = Ticker::start(wasmtime.weak()).map_err(|error| EngineError(error.to_string()))?;
        let places = Arc::new(Semaphore::new(settings.places as usize));
        Ok(Engine {
            inner: Arc::new(Inner {
                wasmtime,
                linker,
                places,
                ticker,
            }),
        })
    }

    /// The engine that compiles and deserializes.
    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.wasmtime
    }

    /// Everything that a component can be linked to.
    pub(crate) fn linker(&self) -> &Linker<Context> {
        &self.inner.linker
    }

    /// A place to run in, held until it is dropped.
    ///
    /// # Errors
    /// [`Code::Overloaded`] where none is free in time.
    pub(crate) async fn place(&self, deadline: Instant) -> Result<Place, Fault> {
        let until = deadline.min(Instant::now() + PLACE_WAIT);
        let permit = match self.inner.places.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout_at(until.into(), self.inner.places.clone().acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => {
                    return Err(no_place());
                }
            },
        };
        self.inner.ticker.begin();
        Ok(Place {
            engine: self.clone(),
            _permit: permit,
        })
    }
}

pub(crate) fn no_place() -> Fault {
    Fault::new(Code::Overloaded, "every place to run a skill is taken").retry_after_ms(1_000)
}

/// A place in the pool; while one is held, epochs tick.
pub(crate) struct Place {
    engine: Engine,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.engine.inner.ticker.end();
    }
}

/// The part of the configuration that compiled code depends on, the same for the process
/// that compiles and the one that runs.
pub(crate) fn config(pool: Option<u32>) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.concurrency_support(false);
    config.memory_init_cow(true);
    config.shared_memory(false);
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config.cranelift_opt_level(OptLevel::Speed);
    config.max_wasm_stack(512 << 10);
    config.async_stack_size(1 << 20);
    config.async_stack_zeroing(true);
    if let Some(places) = pool {
        let mut pooling = PoolingAllocationConfig::new();
        pooling
            .total_component_instances(places)
            // Every place can hold the largest component, so that none takes what is a neighbour's.
            .total_core_instances(places.saturating_mul(MAX_CORE_INSTANCES))
            .total_memories(places.saturating_mul(MAX_MEMORIES))
            .total_tables(places.saturating_mul(MAX_TABLES))
            .total_stacks(places)
            .max_component_instance_size(1 << 20)
            .max_core_instance_size(1 << 20)
            .max_core_instances_per_component(MAX_CORE_INSTANCES)
            .max_memories_per_component(MAX_MEMORIES)
            .max_tables_per_component(MAX_TABLES)
            .max_memories_per_module(1)
            .max_tables_per_module(2)
            .table_elements(crate::limits::MAX_TABLE_ELEMENTS)
            .max_memory_size(MAX_MEMORY)
            .linear_memory_keep_resident(128 << 10)
            .table_keep_resident(16 << 10)
            .decommit_batch_size(1)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling));
    }
    config
}

/// Counts epochs up while something runs, and sleeps otherwise.
struct Ticker {
    running: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(engine: wasmtime::EngineWeak) -> std::io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let counted = Arc::downgrade(&running);
        let thread = std::thread::Builder::new().name("epochs".to_owned()).spawn(move || {
            while let (Some(engine), Some(running)) = (engine.upgrade(), counted.upgrade()) {
                let idle = running.load(Ordering::SeqCst) == 0;
                engine.increment_epoch();
                drop((engine, running));
                if idle {
                    std::thread::park();
                } else {
                    std::thread::sleep(TICK);
                }
            }
        })?;
        Ok(Ticker { running, thread })
    }

    fn begin(&self) {
        if self.running.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.thread().unpark();
        }
    }

    fn end(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // The thread holds weak references only: woken, it sees that the engine is gone.
        self.thread.thread().unpark();
    }
}

#[cfg(test)]
pub(crate) mod tests;
