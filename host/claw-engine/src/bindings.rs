//! The host side of `wit/`, generated once for the whole crate.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "skill",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "claw:skill/model.event-stream": crate::imports::model::EventStream },
});
