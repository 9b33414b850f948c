//! The table in Rust, in the form that `src/lib.rs` describes and reads.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::exceptions::{OPTIONAL_DIGITS, OptionalDigit};
use crate::tree::{Next, Node, Outcome, RegionCode, Tree};

/// The symbol for the end of a number, which follows the digits 0 to 9.
const END: u8 = 10;

/// Writes the source text of the table.
///
/// `root` is the node that the first digit of a number leaves. `most_digits` has, by calling code, the
/// most digits of a number with its calling code, and 0 for a code that nobody has. `mobile_digits` has, likewise,
/// a bit for each count of digits that mobile numbers have. `omitted` has the calling codes whose numbers have
/// first digits that some people leave out, with these digits.
pub fn source(
    tree: &Tree,
    root: usize,
    most_digits: &[usize],
    mobile_digits: &[u16],
    omitted: &[(u16, String)],
    findings: &BTreeSet<String>,
) -> String {
    let runs: Vec<_> = tree.nodes.iter().map(edges).collect();
    let mut first_edges = Vec::new();
    let mut edge_count = 0;
    for run in &runs {
        first_edges.push(edge_count);
        edge_count += run.len();
    }
    let leaves = runs.iter().flatten().filter_map(|(_, next)| match next {
        Next::Leaf(outcome) => Some(*outcome),
        Next::Node(_) => None,
    });
    let outcomes: Vec<_> = leaves.collect::<BTreeSet<_>>().into_iter().collect();
    let regions: BTreeSet<_> = outcomes.iter().filter_map(region).collect();
    let up_to = runs.iter().flatten().map(|(up_to, _)| up_to);
    let next = runs.iter().flatten().map(|(_, next)| match next {
        Next::Node(node) => first_edges[*node],
        Next::Leaf(outcome) => {
            let place = outcomes.binary_search(outcome);
            edge_count + place.expect("each leaf's outcome is in the list made of all leaves")
        }
    });

    [
        format!("const ROOT: usize = {};\n", first_edges[root]),
        array("UP_TO", "u8", up_to),
        array("NEXT", if edge_count + outcomes.len() <= 1 << 16 { "u16" } else { "u32" }, next),
        array("OUTCOMES", "Outcome", outcomes.iter().map(outcome_in_rust)),
        array("REGIONS", "Region", regions.into_iter().map(region_in_rust)),
        array("MOST_DIGITS", "u8", most_digits),
        array("MOBILE_DIGITS", "u16", mobile_digits),
        array(
            "OPTIONAL_DIGITS",
            "(&str, &str)",
            OPTIONAL_DIGITS.iter().map(optional_digit_in_rust),
        ),
        array("OMITTED", "(&str, &str)", omitted.iter().map(omitted_in_rust)),
        "#[cfg(test)]\n".to_owned(),
        array("FINDINGS", "&str", findings.iter().map(|finding| format!("{finding:?}"))),
    ]
    .concat()
}

/// The edges of a node: where the symbols lead, up to and including the one given. Of neighbouring
/// symbols that lead to the same place, only the last has an edge.
fn edges(node: &Node) -> Vec<(u8, Next)> {
    let mut edges: Vec<(u8, Next)> = Vec::new();
    for (symbol, next) in (0..).zip(node.digits).chain([(END, Next::Leaf(node.end))]) {
        match edges.last_mut() {
            Some(last) if last.1 == next => last.0 = symbol,
            _ => edges.push((symbol, next)),
        }
    }
    edges
}

fn region(outcome: &Outcome) -> Option<RegionCode> {
    match outcome {
        Outcome::Number { region, .. } => *region,
        Outcome::TrunkZero => None,
    }
}

fn outcome_in_rust(outcome: &Outcome) -> String {
    match outcome {
        Outcome::TrunkZero => "Outcome::TrunkZero".to_owned(),
        Outcome::Number { region, takes_sms, takes_calls, is_valid, ends_national_prefix } => {
            let region = match region {
                Some(code) => format!("Some({})", region_in_rust(*code)),
                None => "None".to_owned(),
            };
            let plan = format!(
                "Plan {{ region: {region}, takes_sms: {takes_sms}, takes_calls: {takes_calls} }}"
            );
            format!(
                "Outcome::Number {{ plan: {plan}, is_valid: {is_valid}, \
                 ends_national_prefix: {ends_national_prefix} }}"
            )
        }
    }
}

fn region_in_rust(code: RegionCode) -> String {
    format!("Region(*b\"{}\")", code.escape_ascii())
}

fn optional_digit_in_rust(of: &OptionalDigit) -> String {
    format!(r#"("{code}{digit}", "{code}")"#, code = of.code, digit = of.digit)
}

fn omitted_in_rust((code, digits): &(u16, String)) -> String {
    format!(r#"("{code}", "{code}{digits}")"#)
}

fn array(name: &str, item_type: &str, items: impl IntoIterator<Item: Display>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| format!("    {item},\n")).collect();
    format!("static {name}: [{item_type}; {}] = [\n{}];\n", items.len(), items.concat())
}
