#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;

fn denied() -> Fault {
    Fault::new(Code::LimitMemory, "the skill asked for more")
}

#[test]
fn denied_memory_counts_only_where_it_ended_the_guest() {
    let denied = denied();
    let cases = [
        (Trap::Interrupt, true, Some(Code::DeadlineExceeded)),
        (Trap::StackOverflow, true, Some(Code::LimitStack)),
        (Trap::UnreachableCodeReached, true, Some(Code::LimitMemory)),
        (Trap::MemoryOutOfBounds, true, None),
        (Trap::IntegerDivisionByZero, true, None),
        // A start function that traps for want of memory.
        (Trap::MemoryOutOfBounds, false, Some(Code::LimitMemory)),
        (Trap::Interrupt, false, Some(Code::DeadlineExceeded)),
    ];
    for (trap, instantiated, expected) in cases {
        let found = limit(Some(&denied), &wasmtime::Error::from(trap), instantiated);
        assert_eq!(
            found.map(|fault| fault.code),
            expected,
            "{trap:?}, instantiated: {instantiated}"
        );
    }
}

#[test]
fn nothing_is_a_limit_where_nothing_was_denied() {
    let trap = wasmtime::Error::from(Trap::UnreachableCodeReached);
    assert_eq!(limit(None, &trap, true), None);
    assert_eq!(limit(None, &wasmtime::format_err!("anything"), false), None);
    let instantiating = limit(Some(&denied()), &wasmtime::format_err!("memory minimum size"), false);
    assert_eq!(instantiating.unwrap().code, Code::LimitMemory);
}

#[test]
fn a_full_pool_is_an_overload_and_says_when_to_come_back() {
    let mut pooling = wasmtime::PoolingAllocationConfig::new();
    pooling.total_core_instances(1).total_memories(1).max_memory_size(1 << 16);
    let mut config = wasmtime::Config::new();
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pooling));
    let engine = wasmtime::Engine::new(&config).unwrap();
    let module = wasmtime::Module::new(&engine, crate::engine::tests::module_with_memory()).unwrap();
    let (mut first, mut second) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let _held = wasmtime::Instance::new(&mut first, &module, &[]).unwrap();
    let error = wasmtime::Instance::new(&mut second, &module, &[]).unwrap_err();
    let fault = limit(None, &error, false).unwrap();
    assert_eq!((fault.code, fault.retry_after_ms), (Code::Overloaded, Some(1_000)));
}
