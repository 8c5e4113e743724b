//! The floor: wasmtime alone, with the same limits on and nothing of ours around it.

use std::time::Instant;

use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, ResourceLimiter, Result, Store,
    UpdateDeadline,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

mod wit {
    wasmtime::component::bindgen!({ path: "../../wit", world: "skill", exports: { default: async } });
}

use wit::SkillPre;
use wit::claw::skill::types::Payload;
use wit::exports::claw::skill::handler::Request;

struct Context {
    wasi: WasiCtx,
    table: ResourceTable,
    memory: Memory,
    deadline: Instant,
}

struct Memory {
    used: usize,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        self.used += desired - current;
        Ok(self.used <= 64 << 20)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= 20_000)
    }
}

impl WasiView for Context {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A component linked to WASI and to nothing else.
pub(crate) struct Bare {
    engine: Engine,
    linked: SkillPre<Context>,
}

impl Bare {
    /// Compiles and links it, and starts the epochs.
    pub(crate) fn new(component: &[u8]) -> Self {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .concurrency_support(false)
            .memory_init_cow(true)
            .shared_memory(false);
        config
            .cranelift_opt_level(OptLevel::Speed)
            .max_wasm_stack(512 << 10)
            .async_stack_size(1 << 20)
            .async_stack_zeroing(true);
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(200)
            .total_core_instances(1_600)
            .total_memories(300)
            .total_tables(800)
            .total_stacks(200)
            .max_memory_size(1 << 30)
            .linear_memory_keep_resident(128 << 10)
            .table_keep_resident(16 << 10)
            .decommit_batch_size(1)
            .pagemap_scan(Enabled::Auto);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).unwrap();
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        let component = Component::from_binary(&engine, component).unwrap();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        linker.define_unknown_imports_as_traps(&component).unwrap();
        let linked = SkillPre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
        Bare { engine, linked }
    }

    /// One call in an instance of its own.
    pub(crate) async fn call(&self, input: &str) -> String {
        let context = Context {
            wasi: WasiCtx::builder().build(),
            table: ResourceTable::new(),
            memory: Memory { used: 0 },
            deadline: Instant::now() + std::time::Duration::from_secs(60),
        };
        let mut store = Store::new(&self.engine, context);
        store.limiter(|context| &mut context.memory);
        store.set_hostcall_fuel(8 << 20);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            Ok(if Instant::now() >= store.data().deadline {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Yield(1)
            })
        });
        let instance = self.linked.instantiate_async(&mut store).await.unwrap();
        let request = Request {
            input: Payload::Json(input.to_owned()),
            idempotency_key: None,
        };
        match instance.claw_skill_handler().call_invoke(&mut store, &request).await.unwrap() {
            Ok(Payload::Json(text)) => text,
            other => panic!("{other:?}"),
        }
    }
}
