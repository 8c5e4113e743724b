//! The SDK, `wit/` and the template travel inside the program: a file that is new there has
//! to be packed again.

fn main() {
    for directory in ["../../sdk/rust/src", "../../sdk/rust/Cargo.toml", "../../wit", "templates"] {
        println!("cargo::rerun-if-changed={directory}");
    }
}
