//! Makes the table that `src/lib.rs` reads, out of libphonenumber's metadata as the crate `phonenumber`
//! carries it. Nothing of that crate gets into what is built.
//!
//! - `plan.rs` makes a tree of all numbers under one calling code, and `exceptions.rs` says where it does
//!   not follow libphonenumber.
//! - `tree.rs` keeps the nodes of all trees, and shares those that are equal.
//! - `table.rs` writes them as Rust.
//!
//! `cargo update` may bring newer metadata. What a person should then look at does not break the build:
//! it is a finding, which the build prints as a warning and on which a test of the crate fails.

mod exceptions;
mod plan;
mod table;
mod tree;

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::{array, env, fs, process};

use phonenumber::metadata::DATABASE;

use crate::plan::Plan;
use crate::tree::{Next, Node, Outcome, Tree};

/// What a number is whose calling code nobody has.
const UNKNOWN: Outcome = Outcome::Number {
    region: None,
    takes_sms: true,
    takes_calls: true,
    is_valid: false,
    ends_national_prefix: false,
};

fn main() {
    println!("cargo::rerun-if-changed=build");
    let table = match table() {
        Ok(table) => table,
        Err(reason) => {
            println!(
                "cargo::error=The numbering plans can't be made from the metadata of the crate phonenumber: \
                 {reason}. Go back to the version of it that Cargo.lock had before: \
                 cargo update phonenumber --precise VERSION"
            );
            process::exit(1);
        }
    };
    let folder = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR for build scripts");
    let path = Path::new(&folder).join("table.rs");
    if let Err(error) = fs::write(&path, table) {
        println!("cargo::error={} can't be written: {error}", path.display());
        process::exit(1);
    }
}

/// The source text of the table.
fn table() -> Result<String, String> {
    let mut tree = Tree::default();
    let mut plans = HashMap::new();
    let mut most_digits = [0; 1000];
    let mut mobile_digits = [0; 1000];
    let mut omitted = Vec::new();
    let mut findings = BTreeSet::new();
    for code in 1..1000 {
        if let Some(all) = DATABASE.by_code(&code) {
            let plan = Plan::new(code, &all, &mut tree)?;
            plans.insert(code, plan.next);
            most_digits[usize::from(code)] = plan.most_digits;
            mobile_digits[usize::from(code)] = plan::mobile_digits(code, &all);
            omitted.extend(plan::omitted_digits(&all).map(|digits| (code, digits)));
            findings.extend(plan.findings);
        }
    }
    for finding in &findings {
        println!("cargo::warning={finding}");
    }
    match calling_codes(0, &plans, &mut tree) {
        Next::Node(root) => {
            Ok(table::source(&tree, root, &most_digits, &mobile_digits, &omitted, &findings))
        }
        Next::Leaf(_) => Err("it tells no number from any other".to_owned()),
    }
}

/// Where the digits after `prefix` lead, which begins a calling code or is one.
fn calling_codes(prefix: u16, plans: &HashMap<u16, Next>, tree: &mut Tree) -> Next {
    if let Some(plan) = plans.get(&prefix) {
        return *plan;
    }
    if prefix >= 100 {
        return Next::Leaf(UNKNOWN);
    }
    let digits = array::from_fn(|digit| match (prefix, digit as u16) {
        // No calling code begins with 0.
        (0, 0) => Next::Leaf(UNKNOWN),
        (prefix, digit) => calling_codes(prefix * 10 + digit, plans, tree),
    });
    tree.add(Node { digits, end: UNKNOWN })
}
