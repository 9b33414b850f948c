//! Where the bytes of the component are, by what they are for.
//!
//! The module is built once more with its line tables. Each instruction belongs to the innermost of the
//! project's own functions that it was inlined into, so that a `Vec::push` of the policy counts as the policy;
//! what is in none of them, to the crate that it comes from.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use addr2line::Context;
use anyhow::{Context as _, Result, ensure};
use gimli::{Dwarf, EndianSlice, LittleEndian, SectionId};
use wasmparser::{Parser, Payload};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Bytes by source file, and by crate where the file is not the project's.
pub fn by_source(module: &[u8]) -> Result<BTreeMap<String, u64>> {
    let mut sections = BTreeMap::new();
    let mut functions = Vec::new();
    let mut code_start = 0;
    let mut bytes = BTreeMap::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CustomSection(section) => {
                sections.insert(section.name(), section.data());
            }
            Payload::CodeSectionStart { unchecked_range, .. } => code_start = unchecked_range.start,
            Payload::CodeSectionEntry(body) => functions.push(body.range()),
            Payload::DataSection(section) => {
                bytes.insert("(data)".to_owned(), section.range().end - section.range().start);
            }
            _ => {}
        }
    }
    let load = |id: SectionId| -> Result<Slice<'_>, gimli::Error> {
        Ok(EndianSlice::new(sections.get(id.name()).copied().unwrap_or_default(), LittleEndian))
    };
    let context = Context::from_dwarf(Dwarf::load(load)?)?;

    for function in functions {
        // DWARF's addresses are offsets into the code section ("DWARF for WebAssembly").
        let (low, high) = (function.start - code_start, function.end - code_start);
        let mut covered = 0;
        let ranges: Vec<_> = context.find_location_range(low, high)?.collect();
        for (address, length, _) in ranges {
            let length = length.min(high - address);
            covered += length;
            *bytes.entry(owner(&context, address)?).or_default() += length;
        }
        *bytes.entry("(without lines)".to_owned()).or_default() +=
            (high - low).saturating_sub(covered);
    }
    Ok(bytes)
}

fn owner(context: &Context<Slice<'_>>, address: u64) -> Result<String> {
    let mut innermost = None;
    let mut frames = context.find_frames(address).skip_all_loads()?;
    while let Some(frame) = frames.next()? {
        let Some(file) = frame.location.and_then(|location| location.file) else { continue };
        if let Some(ours) = own_file(file) {
            return Ok(ours.to_owned());
        }
        innermost.get_or_insert_with(|| crate_of(file));
    }
    Ok(innermost.unwrap_or_else(|| "(without lines)".into()))
}

/// The path below src/, of the project's own files.
fn own_file(file: &str) -> Option<&str> {
    if file.contains("/registry/") || file.contains("/rustc/") || file.contains("/library/") {
        return None;
    }
    let (_, path) = file.rsplit_once("src/")?;
    Some(path)
}

/// The name of the crate whose source file this is.
fn crate_of(file: &str) -> String {
    if let Some((_, path)) = file.split_once("/registry/src/") {
        let package = path.split('/').nth(1).unwrap_or(path);
        let name = package.rsplit_once('-').map_or(package, |(name, _)| name);
        return format!("crate {name}");
    }
    if let Some((_, path)) = file.split_once("/library/") {
        let name = path.split('/').next().unwrap_or(path);
        return format!("crate {name}");
    }
    "wasi-libc".to_owned()
}

/// What the project's own files and the crates are for, by the beginning of what [`by_source`] calls them.
const FEATURES: [(&str, &[&str]); 9] = [
    ("data: numbering plans, texts, the page", &["(data)"]),
    (
        "OAuth 2.0, RSA and ECDSA",
        &[
            "oauth",
            "crate rsa",
            "crate num-",
            "crate smallvec",
            "crate p256",
            "crate primeorder",
            "crate crypto-bigint",
            "crate der",
            "crate const-oid",
            "crate sec1",
            "crate elliptic-curve",
            "crate ff",
            "crate pkcs1",
            "crate ecdsa",
        ],
    ),
    ("the operator's pages", &["operator", "config/check"]),
    ("delivery reports and records", &["reports", "records", "crate postcard", "breaker"]),
    ("Application Insights", &["telemetry/", "after"]),
    ("policy and numbering", &["policy", "numbering", "phone_number", "store_key"]),
    (
        "signature, ids and dates",
        &[
            "acs/signature",
            "crate sha",
            "crate hmac",
            "crate digest",
            "crate base64",
            "crate time",
            "crate httpdate",
            "crate block-buffer",
            "crate uuid",
            "crate subtle",
            "crate generic-array",
            "crate deranged",
        ],
    ),
    (
        "the standard library",
        &[
            "crate core",
            "crate alloc",
            "crate std",
            "crate compiler-builtins",
            "crate panic_abort",
            "crate memchr",
            "wasi-libc",
            "crate itoa",
            "crate serde",
        ],
    ),
    ("the hook itself: configuration, Okta's request and answer, text, ACS, ports", &[""]),
];

/// Builds the module with its line tables and prints where its bytes are.
pub fn print(root: &Path) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["rustc", "-p", "okta-telephony-acs", "--lib", "--crate-type", "cdylib", "--release"])
        .args(["--target", "wasm32-wasip1", "--target-dir", "target/bench/sizes"])
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "the module does not build: see above");
    let path = root.join("target/bench/sizes/wasm32-wasip1/release/okta_telephony_acs.wasm");
    let module = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let mut sources: Vec<_> = by_source(&module)?.into_iter().collect();
    sources.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let feature = |source: &str| {
        FEATURES.iter().position(|(_, begin)| begin.iter().any(|it| source.starts_with(it)))
    };
    println!("| bytes | for | most of it |\n|---|---|---|");
    for (at, (name, _)) in FEATURES.iter().enumerate() {
        let of: Vec<_> = sources.iter().filter(|(source, _)| feature(source) == Some(at)).collect();
        let bytes: u64 = of.iter().map(|(_, bytes)| bytes).sum();
        let largest: Vec<_> =
            of.iter().take(4).map(|(source, bytes)| format!("{source} {bytes}")).collect();
        println!("| {bytes} | {name} | {} |", largest.join(", "));
    }
    Ok(())
}
