//! A component carries its SKILL.md and packaged files inside itself, in custom sections, so
//! that one `.wasm` is whole. Reading refuses what is too large, doubled, or named like a
//! path out of the package.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmparser::{Encoding, Parser, Payload};

/// The custom section that holds one packaged file: the length of its path as LEB128, the
/// path in UTF-8, and the bytes.
pub const SECTION: &str = "claw:file";
/// The path of the manifest inside a package.
pub const SKILL_MD: &str = "SKILL.md";
/// The most bytes of a component file.
pub const MAX_COMPONENT_BYTES: usize = 64 << 20;
/// The most bytes of all packaged files together.
pub const MAX_PACKAGED_BYTES: usize = 16 << 20;
/// The most packaged files.
pub const MAX_PACKAGED_FILES: usize = 1_000;

/// The files inside a component, by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packaged {
    /// Path with `/` → bytes. Always holds [`SKILL_MD`].
    pub files: BTreeMap<String, Bytes>,
}

impl Packaged {
    /// The bytes of SKILL.md.
    pub fn skill_md(&self) -> Bytes {
        self.files.get(SKILL_MD).cloned().unwrap_or_default()
    }
}

/// What was found in the bytes of a component without compiling it.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The packaged files.
    pub packaged: Packaged,
    /// The names of its imports, with versions.
    pub imports: Vec<String>,
    /// The names of its exports, with versions.
    pub exports: Vec<String>,
}

/// The bytes are no skill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// Too many bytes.
    #[error("the file has {0} bytes, more than {MAX_COMPONENT_BYTES}")]
    TooLarge(usize),
    /// Native code, which is never run.
    #[error("the file is native code, not WebAssembly: only components are loaded, and compiled here")]
    Native,
    /// A core module.
    #[error("the file is a core WebAssembly module, not a component: build it for `wasm32-wasip2`")]
    CoreModule,
    /// Not WebAssembly, or broken.
    #[error("the file is not a WebAssembly component: {0}")]
    NotWasm(String),
    /// No manifest inside.
    #[error("there is no SKILL.md inside the component: build it with `claw skill build`")]
    NoManifest,
    /// A packaged file that cannot be.
    #[error("the packaged file `{path}` {why}")]
    BadFile {
        /// Its path.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Too many or too large packaged files.
    #[error("the packaged files are more than {MAX_PACKAGED_FILES} or larger than {MAX_PACKAGED_BYTES} bytes together")]
    TooMuchPackaged,
}

/// The component with these files inside it. Packaged files that it had are replaced.
///
/// # Errors
/// See [`PackageError`].
pub fn embed(component: &[u8], files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, PackageError> {
    outline_of(component, false)?;
    let mut bytes = without_package(component)?;
    for (path, data) in files {
        check_path(path)?;
        let mut body = Vec::with_capacity(data.len() + path.len() + 5);
        path.as_str().encode(&mut body);
        body.extend_from_slice(data);
        let section = CustomSection {
            name: Cow::Borrowed(SECTION),
            data: Cow::Owned(body),
        };
        section.append_to(&mut bytes);
    }
    outline_of(&bytes, true)?;
    Ok(bytes)
}

/// Reads a component's outline: its packaged files, imports and exports.
///
/// # Errors
/// See [`PackageError`].
pub fn read(component: &[u8]) -> Result<Outline, PackageError> {
    outline_of(component, true)
}

fn outline_of(component: &[u8], whole: bool) -> Result<Outline, PackageError> {
    if component.len() > MAX_COMPONENT_BYTES {
        return Err(PackageError::TooLarge(component.len()));
    }
    if component.starts_with(b"\x7fELF") || component.starts_with(b"MZ") || component.starts_with(b"\xcf\xfa\xed\xfe") {
        return Err(PackageError::Native);
    }
    if !component.is_empty() && !component.starts_with(b"\0asm") {
        return Err(PackageError::NotWasm("it does not begin as WebAssembly does".to_owned()));
    }
    let broken = |error: wasmparser::BinaryReaderError| PackageError::NotWasm(error.to_string());
    let mut outline = Outline {
        packaged: Packaged::default(),
        imports: Vec::new(),
        exports: Vec::new(),
    };
    let (mut depth, mut total) = (0usize, 0usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } if depth == 0 => return Err(PackageError::CoreModule),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                let (path, data) = file(section.data())?;
                total = total.saturating_add(data.len());
                if total > MAX_PACKAGED_BYTES || outline.packaged.files.len() >= MAX_PACKAGED_FILES {
                    return Err(PackageError::TooMuchPackaged);
                }
                if outline.packaged.files.insert(path.clone(), data).is_some() {
                    return Err(PackageError::BadFile {
                        path,
                        why: "is there twice",
                    });
                }
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    outline.imports.push(import.map_err(broken)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    outline.exports.push(export.map_err(broken)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    if whole && !outline.packaged.files.contains_key(SKILL_MD) {
        return Err(PackageError::NoManifest);
    }
    Ok(outline)
}

fn file(data: &[u8]) -> Result<(String, Bytes), PackageError> {
    let torn = || PackageError::NotWasm(format!("a torn `{SECTION}` section"));
    let mut reader = wasmparser::BinaryReader::new(data, 0);
    let path = reader.read_string().map_err(|_| torn())?.to_owned();
    check_path(&path)?;
    let rest = data.get(reader.original_position()..).ok_or_else(torn)?;
    Ok((path, Bytes::copy_from_slice(rest)))
}

fn check_path(path: &str) -> Result<(), PackageError> {
    let bad = |why| {
        Err(PackageError::BadFile {
            path: path.chars().take(160).collect(),
            why,
        })
    };
    if path.len() > 512 {
        return bad("has a path of more than 512 bytes");
    }
    if path.contains(['\\', '\0']) || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return bad("has a path that does not stay inside the package");
    }
    Ok(())
}

/// The component's bytes without its own packaged files.
fn without_package(component: &[u8]) -> Result<Vec<u8>, PackageError> {
    let broken = |error: wasmparser::BinaryReaderError| PackageError::NotWasm(error.to_string());
    let mut kept = Vec::with_capacity(component.len());
    let (mut depth, mut from) = (0usize, 0usize);
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(broken)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                let range = section.range();
                // The range is the section's body; before it stand its id and its length.
                let start = range.start.saturating_sub(1 + leb_length(range.len()));
                kept.extend_from_slice(component.get(from..start).unwrap_or_default());
                from = range.end;
            }
            _ => {}
        }
    }
    kept.extend_from_slice(component.get(from..).unwrap_or_default());
    Ok(kept)
}

fn leb_length(value: usize) -> usize {
    (usize::BITS - value.max(1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests;
