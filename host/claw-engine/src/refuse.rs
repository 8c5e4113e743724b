//! Stand-ins for the parts of WASI that interpreters import and that no skill gets: the file
//! system and sockets. They are there to link against, open nothing on the host, and refuse
//! every call.

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker, Resource, ResourceType, Val};
use wasmtime::{Engine, Result, StoreContextMut, format_err};

use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, IoError};

use crate::context::Context;

/// The packages whose interfaces are refused.
const REFUSED: [&str; 2] = ["wasi:filesystem/", "wasi:sockets/"];

/// The error that each package's `error-code` has for "not allowed".
const NOT_ALLOWED: [&str; 2] = ["access", "access-denied"];

/// What every handle of a refused interface points at: nothing.
struct Nothing;

/// Adds a refusing stand-in for every interface of [`REFUSED`] that the component imports.
pub(crate) fn add_to_linker(linker: &mut Linker<Context>, engine: &Engine, component: &Component) -> Result<()> {
    for (name, item) in component.component_type().imports(engine) {
        if !REFUSED.iter().any(|package| name.starts_with(package)) {
            continue;
        }
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        let mut interface = linker.instance(name)?;
        for (member, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    interface.resource(member, resource(member), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => interface.func_new(member, refuse)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// What a resource of a refused interface is: one that it takes over from `wasi:io`, so that
/// the types agree, or its own, of which there is never one.
fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "pollable" => ResourceType::host::<DynPollable>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

fn refuse(mut store: StoreContextMut<'_, Context>, function: ComponentFunc, _: &[Val], results: &mut [Val]) -> Result<()> {
    store.data_mut().count_call()?;
    for (result, ty) in results.iter_mut().zip(function.results()) {
        *result = refusal(&mut store, &ty)?;
    }
    Ok(())
}

/// The value of this type that says no.
fn refusal(store: &mut StoreContextMut<'_, Context>, ty: &Type) -> Result<Val> {
    Ok(match ty {
        Type::Result(result) => match result.err() {
            Some(Type::Enum(codes)) => {
                let code = codes.names().find(|name| NOT_ALLOWED.contains(name));
                let code = code.ok_or_else(|| format_err!("this part of WASI is refused"))?;
                Val::Result(Err(Some(Box::new(Val::Enum(code.to_owned())))))
            }
            Some(_) => return Err(format_err!("this part of WASI is refused")),
            None => Val::Result(Err(None)),
        },
        Type::List(_) => Val::List(Vec::new()),
        Type::Option(_) => Val::Option(None),
        Type::Bool => Val::Bool(false),
        Type::Own(_) => {
            let nothing: Resource<Nothing> = Resource::new_own(0);
            Val::Resource(nothing.try_into_resource_any(store)?)
        }
        _ => return Err(format_err!("this part of WASI is refused")),
    })
}
