//! From the manifest to the component: its own build command, then the encoding that Spin does
//! when it loads a core module.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use wasi_preview1_component_adapter_provider as adapter;
use wit_component::ComponentEncoder;

use crate::local_host::Manifest;

/// The target that the module is built for.
const TARGET: &str = "wasm32-wasip1";

/// What [`build`] made.
#[derive(Debug)]
pub struct Built {
    /// The module that cargo made: the manifest's `source`.
    pub core_path: PathBuf,
    /// Its size in bytes.
    pub core_bytes: usize,
    /// The component.
    pub component: Vec<u8>,
    /// The file it is also in: `NAME.component.wasm`, NAME being the application's.
    pub component_path: PathBuf,
}

/// Builds the application's component with the manifest's `build.command`, whose progress goes to
/// standard error.
///
/// # Errors
///
/// A build that fails or leaves no module, a file that can't be written. Each names the fix.
pub fn build(manifest: &Manifest) -> Result<Built> {
    let file = manifest.path.display();
    let key = format!("component.{}.build", manifest.component.id);
    let step = manifest
        .component
        .build
        .as_ref()
        .with_context(|| format!("{file}: {key}: there is no `command`: add one"))?;
    let words = shlex::split(&step.command).filter(|words| !words.is_empty());
    let words = words.with_context(|| {
        format!(
            "{file}: {key}.command: `{}` isn't a line of words with closed quotes",
            step.command
        )
    })?;
    let folder = match &step.workdir {
        Some(workdir) => manifest.folder().join(workdir),
        None => manifest.folder().to_path_buf(),
    };
    let core_path = manifest.source();
    let target_folder = target_folder(&core_path);

    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(&folder).stdin(Stdio::null());
    // Standard output is for what is asked for; cargo's progress is on standard error already.
    command.stdout(std::io::stderr());
    if let Some(folder) = &target_folder {
        // The manifest says where the module will be. A target folder that the user has set for
        // other builds would have cargo leave it elsewhere, and an old module be served.
        command.env("CARGO_TARGET_DIR", std::path::absolute(folder)?);
    }
    let status = command.status().with_context(|| {
        format!("`{}` (from {file}) can't be run: install {}", step.command, words[0])
    })?;
    ensure!(
        status.success(),
        "`{}` (from {file}) failed with {status}: mend what it says above",
        step.command
    );

    let core = fs::read(&core_path).with_context(|| {
        format!(
            "{}: the build left no module there: make {file}'s source and build.command agree",
            core_path.display()
        )
    })?;
    let component = encode(&core).with_context(|| core_path.display().to_string())?;
    let component_path = target_folder
        .as_deref()
        .unwrap_or(manifest.folder())
        .join(format!("{}.component.wasm", manifest.name));
    write_whole(&component_path, &component)?;
    Ok(Built { core_path, core_bytes: core.len(), component, component_path })
}

/// The component of a core module; a component comes back as it is.
///
/// What the module imports of WASI preview 1 goes through the adapter that Spin takes: the one for reactors.
///
/// # Errors
///
/// Bytes that are neither, or a module without the interface descriptions that wit-bindgen leaves
/// in it.
pub fn encode(wasm: &[u8]) -> Result<Vec<u8>> {
    // The eight bytes that a file of either kind starts with: the last four tell which.
    match wasm.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => return Ok(wasm.to_vec()),
        Some(b"\0asm\x01\0\0\0") => {}
        _ => bail!("this is no WebAssembly: give the .wasm file that cargo makes for {TARGET}"),
    }
    ComponentEncoder::default()
        .validate(true)
        .module(wasm)
        .and_then(|encoder| {
            encoder.adapter(adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        })
        .and_then(|encoder| encoder.encode())
        .context("the module can't be made a component: build it as a cdylib that exports wasi:http/incoming-handler")
}

/// The cargo target folder that `module` is in, from its path `TARGET_FOLDER/wasm32-wasip1/…`.
fn target_folder(module: &Path) -> Option<PathBuf> {
    module
        .ancestors()
        .find(|folder| folder.ends_with(TARGET))
        .and_then(Path::parent)
        .map(Path::to_path_buf)
}

/// Writes beside the file and renames, so that nobody reads half of it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path)).with_context(|| {
        format!("{} can't be written: free the place or its rights", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_passes_through_and_other_bytes_are_refused() {
        let component = b"\0asm\x0d\0\x01\0";
        assert_eq!(encode(component).unwrap(), component);
        for other in [&b""[..], b"\0asm", b"#!/bin/sh\n"] {
            assert!(encode(other).unwrap_err().to_string().contains("no WebAssembly"));
        }
    }

    #[test]
    fn a_bare_module_becomes_a_component() {
        let component = encode(b"\0asm\x01\0\0\0").unwrap();
        assert_eq!(&component[..8], b"\0asm\x0d\0\x01\0");
    }

    #[test]
    fn the_target_folder_is_read_off_the_modules_path() {
        let folder = |path: &str| target_folder(Path::new(path));
        assert_eq!(folder("app/target/wasm32-wasip1/release/a.wasm"), Some("app/target".into()));
        assert_eq!(folder("app/a.wasm"), None);
    }
}
