#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use wasm_encoder::{ComponentBuilder, ModuleArg};

use super::*;

/// A core module with one page of memory and one table.
pub(crate) fn module_with_memory() -> Vec<u8> {
    module().finish()
}

fn module() -> wasm_encoder::Module {
    let mut module = wasm_encoder::Module::new();
    let mut tables = wasm_encoder::TableSection::new();
    tables.table(wasm_encoder::TableType {
        element_type: wasm_encoder::RefType::FUNCREF,
        table64: false,
        minimum: 1,
        maximum: None,
        shared: false,
    });
    let mut memories = wasm_encoder::MemorySection::new();
    memories.memory(wasm_encoder::MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    module.section(&tables).section(&memories);
    module
}

/// A component with so many instances of [`module`].
fn component(instances: u32) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let index = component.core_module(None, &module());
    for _ in 0..instances {
        component.core_instantiate(None, index, std::iter::empty::<(&str, ModuleArg)>());
    }
    component.finish()
}

#[test]
fn the_pool_of_the_usual_size_can_be_had() {
    let settings = EngineSettings::default();
    let pooled = wasmtime::Engine::new(&config(Some(settings.places)));
    assert!(pooled.is_ok(), "{:?}", pooled.err());
}

#[tokio::test]
async fn every_place_holds_the_largest_component() {
    let places = 3;
    let engine = wasmtime::Engine::new(&config(Some(places))).unwrap();
    let largest = wasmtime::component::Component::new(&engine, component(MAX_MEMORIES)).unwrap();
    let linker: Linker<()> = Linker::new(&engine);
    let mut held = Vec::new();
    for place in 0..places {
        let mut store = wasmtime::Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let made = linker.instantiate_async(&mut store, &largest).await;
        assert!(made.is_ok(), "place {place}: {:?}", made.err());
        held.push(store);
    }
    let larger = wasmtime::component::Component::new(&engine, component(MAX_MEMORIES + 1));
    assert!(larger.is_err_and(|error| format!("{error:#}").contains("memories")));
}
