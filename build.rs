//! Makes the table that `src/numbering.rs` walks, out of libphonenumber's metadata as the crate
//! `phonenumber` carries it. Nothing of that crate gets into the component.
//!
//! All patterns of a calling code are one DFA. What it says of a whole number is the number's outcome:
//! a region, and whether numbers of its kind take SMS. Unfolded digit by digit, the DFA is a tree with
//! outcomes for leaves. A subtree with one outcome is a leaf, and equal subtrees are one node.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::{array, env, fs};

use phonenumber::metadata::{DATABASE, Descriptor, Metadata};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, MatchKind, util::syntax};

/// The most digits that a number has, its calling code included (ITU-T E.164, section 6.2.1).
const MOST_DIGITS: usize = 15;

/// How many calling codes and regions there are at least. With fewer, the metadata is not whole.
const AT_LEAST: (usize, usize) = (210, 240);

/// Beginnings of national numbers that take no SMS, whatever libphonenumber says, by calling code.
const NO_SMS: [(u16, &str); 8] = [
    // For personal communications and machines, with those reserved for it: "5XX codes", nanpa.com.
    // 555 must stay out: its fictional numbers stand for ordinary recipients.
    (1, "5(?:00|2[1-9]|3[2358]|4[2-79]|5[02-46]|6[69]|7[78]|8[89])"),
    // Canada's non-geographic services, within Canada only: "Canadian NPA 6YY", cnac.ca.
    (1, "600"),
    // Services of the caller's carrier, and the government of the United States: nanpa.com.
    (1, "7[01]0"),
    // Toll-free, with 822, 880 to 887 and 889, which are reserved for it: nanpa.com.
    (1, "8(?:00|22|33|44|55|66|77|8[0-9])"),
    // Premium rate: "900 codes", nanpa.com.
    (1, "900"),
    // Personal numbers: Ofcom, "The National Telephone Numbering Plan", part A.
    (44, "70"),
    // Pagers: the same. 7624 is mobile, on the Isle of Man.
    (44, "76[013-9]"),
    (44, "762[0-35-9]"),
];

/// Numbers whose region the crate's metadata does not know, or not that well, by calling code.
const REGION_OF: [(u16, &str, &[u8; 2]); 4] = [
    // Assigned since: as libphonenumber 9.0.43 has them. The build fails once the crate knows them too.
    (1, "273[2-9][0-9]{6}", b"CA"),
    (61, "496[0-4][0-9]{5}", b"AU"),
    (290, "9[0-9]{4}", b"SH"),
    // The Isle of Man's mobiles, by its own pattern in libphonenumber, which Great Britain's covers.
    (44, "7924[0-9]{6}", b"IM"),
];

/// The kinds of numbers that a region has, and what each says of a number. The first is all of them.
fn kinds(metadata: &Metadata) -> [(Option<&Descriptor>, Fact); 11] {
    let of = metadata.descriptors();
    [
        (Some(of.general()), Fact::General),
        (of.fixed_line(), Fact::Subscriber),
        (of.mobile(), Fact::Subscriber),
        (of.voip(), Fact::Voip),
        (of.premium_rate(), Fact::Special),
        (of.toll_free(), Fact::Special),
        (of.shared_cost(), Fact::Special),
        (of.personal_number(), Fact::Special),
        (of.pager(), Fact::Special),
        (of.uan(), Fact::Special),
        (of.voicemail(), Fact::Special),
    ]
}

/// The most digits after the calling code that a number of it has.
fn most_digits(all: &[&Metadata]) -> usize {
    let kinds = all.iter().flat_map(|metadata| kinds(metadata));
    let lengths = kinds.filter_map(|(kind, _)| kind).flat_map(Descriptor::possible_length).copied();
    usize::from(lengths.max().expect("the crate phonenumber has the lengths of each calling code"))
}

/// What a whole number is.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Outcome {
    /// One that the hook takes: of a region, if any.
    Number { region: Option<[u8; 2]>, takes_sms: bool },
    /// One with a 0 after the calling code that does not belong there.
    TrunkZero,
}

/// What a number is under a calling code that nobody has.
const UNKNOWN: Outcome = Outcome::Number { region: None, takes_sms: true };

/// Where a digit leads: to an outcome that no further digit changes, or on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Next {
    Leaf(Outcome),
    Node(usize),
}

/// Where the digits lead, and after them, at 10, the number's end.
type Node = [Next; 11];

/// All nodes, each of them once, and before those that lead to it.
#[derive(Default)]
struct Nodes {
    list: Vec<Node>,
    known: HashMap<Node, usize>,
}

impl Nodes {
    fn add(&mut self, digits: [Next; 10], end: Outcome) -> Next {
        let node: Node = array::from_fn(|at| *digits.get(at).unwrap_or(&Next::Leaf(end)));
        if node.iter().all(|next| *next == Next::Leaf(end)) {
            return Next::Leaf(end);
        }
        Next::Node(*self.known.entry(node).or_insert_with(|| {
            self.list.push(node);
            self.list.len() - 1
        }))
    }
}

/// One region's part in a calling code.
struct Region {
    /// `None` for libphonenumber's 001, which is a code without a region.
    id: Option<[u8; 2]>,
    /// Whether its leading digits alone tell its numbers from its neighbours'.
    has_leading_digits: bool,
}

/// What it says of a number that it fits a pattern.
#[derive(Clone, PartialEq, Eq)]
enum Fact {
    LeadingDigits,
    General,
    /// Fixed-line or mobile.
    Subscriber,
    Voip,
    /// Premium-rate, toll-free and so on.
    Special,
    NoSms,
    /// The region that `REGION_OF` gives.
    Region,
    /// The region that has the area code.
    AreaCode,
}

/// A pattern's meaning: what it says, of which region, at which lengths (at all, if none is given).
struct Meaning {
    fact: Fact,
    region: usize,
    lengths: Vec<u16>,
}

/// The numbers under one calling code.
struct Plan {
    code: u16,
    regions: Vec<Region>,
    dfa: dense::DFA<Vec<u32>>,
    /// By the DFA's pattern.
    meanings: Vec<Meaning>,
    /// What each state led to, with what else `next` is told, and whether to any valid number.
    seen: HashMap<(StateID, usize, bool, bool), (Next, bool)>,
}

impl Plan {
    fn new(code: u16, all: &[&Metadata]) -> Self {
        if all.len() > 1 && !all[0].is_main_country_for_code() {
            panic!("the crate phonenumber names no main region for +{code}");
        }
        let (mut patterns, mut meanings) = (Vec::new(), Vec::new());
        let mut add = |pattern: String, fact, region, lengths: &[u16]| {
            patterns.push(pattern);
            meanings.push(Meaning { fact, region, lengths: lengths.to_vec() });
        };
        let beginning = |pattern: &str| format!("(?:{pattern})[0-9]*");
        let mut regions = Vec::new();
        for (region, metadata) in all.iter().enumerate() {
            let leading_digits = metadata.leading_digits();
            regions.push(Region { id: id(metadata), has_leading_digits: leading_digits.is_some() });
            if let Some(pattern) = leading_digits {
                add(beginning(pattern.as_str()), Fact::LeadingDigits, region, &[]);
            }
            let kinds = kinds(metadata);
            if kinds[1..].iter().all(|(kind, _)| kind.is_none()) {
                panic!("the crate phonenumber has no pattern for {} (+{code})", metadata.id());
            }
            for (kind, fact) in kinds {
                if let Some(kind) = kind {
                    add(pattern(kind), fact, region, kind.possible_length());
                }
            }
        }
        for (_, pattern) in NO_SMS.iter().filter(|(of, _)| *of == code) {
            add(beginning(pattern), Fact::NoSms, 0, &[]);
        }
        for (_, pattern, region) in REGION_OF.iter().filter(|(of, ..)| *of == code) {
            let region = regions.iter().position(|known| known.id.as_ref() == Some(*region));
            let region = region.unwrap_or_else(|| panic!("REGION_OF has no region of +{code}"));
            add((*pattern).into(), Fact::Region, region, &[]);
        }
        let mut plan =
            Self { code, regions, dfa: dfa(code, &patterns), meanings, seen: HashMap::new() };
        if code == 1 {
            // A region has an area code as a whole, but libphonenumber knows exchanges, and those of
            // a new one only as they open.
            for (area_code, region) in plan.area_codes() {
                patterns.push(format!("{area_code}[0-9]{{7}}"));
                plan.meanings.push(Meaning { fact: Fact::AreaCode, region, lengths: Vec::new() });
            }
            plan.dfa = dfa(code, &patterns);
        }
        plan
    }

    /// The area codes of the North American Numbering Plan, with the region that has subscribers there.
    fn area_codes(&self) -> Vec<(u32, usize)> {
        let start = self.start();
        let region = |area_code: u32| {
            (200..1000).find_map(|exchange| {
                let state = format!("{area_code}{exchange}0000")
                    .bytes()
                    .fold(start, |state, digit| self.dfa.next_state(state, digit));
                let facts = self.facts(state, 10);
                let subscriber = facts.iter().find(|of| of.fact == Fact::Subscriber)?;
                Some((area_code, subscriber.region))
            })
        };
        (200..1000).filter_map(region).collect()
    }

    /// Adds the plan's nodes, and gives the first.
    fn unfold(&mut self, nodes: &mut Nodes) -> Next {
        self.next(self.start(), 0, false, false, nodes).0
    }

    fn start(&self) -> StateID {
        let start = self.dfa.universal_start_state(Anchored::Yes);
        start.unwrap_or_else(|| panic!("+{} has a pattern with look-around", self.code))
    }

    /// Where `length` digits lead that brought the DFA into the state, and whether to any valid number.
    /// `zero` says that they began with a 0, and is kept to the second of them only: a 0 that no valid
    /// number continues so is a trunk 0. (The first digit alone would not do. Japan has toll-free
    /// numbers with 00, and mobiles that people write with 090.) `special` says that they are a number
    /// that takes no SMS and more, which a network may drop.
    fn next(
        &mut self,
        state: StateID,
        length: usize,
        zero: bool,
        special: bool,
        nodes: &mut Nodes,
    ) -> (Next, bool) {
        let key = (state, length, zero, special);
        if let Some(known) = self.seen.get(&key) {
            return *known;
        }
        let full = length + self.code.to_string().len() == MOST_DIGITS;
        let (mut end, mut valid) = self.end(state, length);
        if let Outcome::Number { takes_sms, .. } = &mut end {
            *takes_sms &= valid || !special;
        }
        let special = special || valid && matches!(end, Outcome::Number { takes_sms: false, .. });
        let mut next = Next::Leaf(end);
        if !full && !self.dfa.is_dead_state(state) {
            let digits = array::from_fn(|digit| {
                let state = self.dfa.next_state(state, b'0' + digit as u8);
                let zero = if length == 0 { digit == 0 } else { zero && length == 1 };
                let (next, leads_to_valid) = self.next(state, length + 1, zero, special, nodes);
                valid |= leads_to_valid;
                next
            });
            next = nodes.add(digits, end);
        }
        if zero && !valid {
            next = Next::Leaf(Outcome::TrunkZero);
        }
        self.seen.insert(key, (next, valid));
        (next, valid)
    }

    /// What holds of a number that ends here, after `length` digits.
    fn facts(&self, state: StateID, length: usize) -> Vec<&Meaning> {
        let end = self.dfa.next_eoi_state(state);
        let matches = if self.dfa.is_match_state(end) { self.dfa.match_len(end) } else { 0 };
        (0..matches)
            .map(|at| &self.meanings[self.dfa.match_pattern(end, at).as_usize()])
            .filter(|of| of.lengths.is_empty() || of.lengths.contains(&(length as u16)))
            .collect()
    }

    /// What a number is that ends here, after `length` digits, and whether it is valid. Goes as
    /// libphonenumber goes: through the code's regions in their order, by leading digits where a region
    /// has them, by its patterns where not. An only region has all numbers.
    fn end(&self, state: StateID, length: usize) -> (Outcome, bool) {
        let facts = self.facts(state, length);
        let is = |region, fact| facts.iter().any(|of| of.region == region && of.fact == fact);
        let is_valid = |region| {
            is(region, Fact::General)
                && [Fact::Subscriber, Fact::Voip, Fact::Special]
                    .into_iter()
                    .any(|fact| is(region, fact))
        };
        let found = match &self.regions[..] {
            [_] => Some(0),
            several => (0..several.len()).find(|&region| {
                if several[region].has_leading_digits {
                    is(region, Fact::LeadingDigits)
                } else {
                    is_valid(region)
                }
            }),
        };
        let by = |fact| facts.iter().find(|of| of.fact == fact).map(|of| of.region);
        let ours = by(Fact::Region);
        if ours.is_some() && ours == found {
            panic!(
                "the crate phonenumber knows a region of REGION_OF's under +{} by now",
                self.code
            );
        }
        let found = ours.or(found).or(by(Fact::AreaCode));
        let no_sms = facts.iter().any(|of| of.fact == Fact::NoSms);
        let Some(region) = found else {
            return (Outcome::Number { region: None, takes_sms: !no_sms }, false);
        };
        let valid = is_valid(region) || ours.is_some();
        if no_sms && valid && is(region, Fact::Subscriber) {
            panic!("NO_SMS has what is mobile or fixed-line under +{} by now", self.code);
        }
        let special =
            valid && ours.is_none() && !is(region, Fact::Subscriber) && !is(region, Fact::Voip);
        let id = self.regions[region].id;
        (Outcome::Number { region: id, takes_sms: !no_sms && !special }, valid)
    }
}

fn dfa(code: u16, patterns: &[String]) -> dense::DFA<Vec<u32>> {
    dense::Builder::new()
        .configure(dense::Config::new().start_kind(StartKind::Anchored).match_kind(MatchKind::All))
        .syntax(syntax::Config::new().unicode(false).utf8(false).ignore_whitespace(true))
        .build_many(patterns)
        .unwrap_or_else(|e| panic!("no DFA of the crate phonenumber's +{code}: {e}"))
}

fn id(metadata: &Metadata) -> Option<[u8; 2]> {
    match metadata.id().as_bytes() {
        b"001" => None,
        &[first, second] => Some([first, second]),
        _ => panic!("the crate phonenumber has a region of another form: {}", metadata.id()),
    }
}

fn pattern(kind: &Descriptor) -> String {
    let pattern = kind.national_number().as_str();
    // An empty one would be a kind that only a number without digits is of.
    if pattern.trim().is_empty() {
        panic!("the crate phonenumber has an empty pattern: {kind:?}");
    }
    pattern.to_owned()
}

/// The nodes that the digits of the calling codes lead through, from those under a prefix.
fn codes(prefix: u16, plans: &HashMap<u16, Next>, nodes: &mut Nodes) -> Next {
    if let Some(plan) = plans.get(&prefix) {
        return *plan;
    }
    if prefix >= 100 {
        return Next::Leaf(UNKNOWN);
    }
    let digits = array::from_fn(|digit| match (prefix, digit as u16) {
        (0, 0) => Next::Leaf(UNKNOWN),
        (prefix, digit) => codes(prefix * 10 + digit, plans, nodes),
    });
    nodes.add(digits, UNKNOWN)
}

/// The table in Rust, as `src/numbering.rs` says how it is read.
fn table(nodes: &Nodes, root: usize, regions: &[[u8; 2]], longest: &[usize]) -> String {
    // Of neighbours that lead to the same, only the last is there.
    let last = |node: &Node| {
        let node = *node;
        (0..node.len()).filter(move |&at| node.get(at + 1) != Some(&node[at]))
    };
    let mut first = Vec::new();
    let mut length = 0;
    for node in &nodes.list {
        first.push(length);
        length += last(node).count();
    }
    let number = |next| match next {
        Next::Node(at) => first[at],
        Next::Leaf(Outcome::TrunkZero) => length,
        Next::Leaf(Outcome::Number { region, takes_sms }) => {
            let region = region.map_or(0, |id| 1 + regions.binary_search(&id).expect("listed"));
            length + 1 + 2 * region + usize::from(takes_sms)
        }
    };
    let (mut upto, mut next) = (Vec::new(), Vec::new());
    for node in &nodes.list {
        for at in last(node) {
            upto.push(at as u8);
            next.push(u16::try_from(number(node[at])).expect("the table has outgrown u16"));
        }
    }
    format!(
        "const ROOT: usize = {};\n\
         static REGIONS: [[u8; 2]; {}] = {regions:?};\n\
         static LONGEST: [u8; 1000] = {longest:?};\n\
         static UP_TO: [u8; {length}] = {upto:?};\n\
         static NEXT: [u16; {length}] = {next:?};\n",
        first[root],
        regions.len(),
    )
}

/// What Cargo tells build scripts; empty where it does not.
fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env("CARGO_CFG_TARGET_ARCH") == "wasm32" {
        // Spin sets an instance's memory back as a whole, and rustc's own stack has 1 MiB. What takes
        // most is ES256, with 12 KB. Below the stack lies nothing that could be overwritten: its end traps.
        println!("cargo:rustc-link-arg=-zstack-size={}", 32_768);
        // That, the data, and what a hook allocates: src/memory.rs.
        println!("cargo:rustc-link-arg=--initial-memory={}", 3 * 65_536);
        // A linker that strips leaves each address at its widest, 29,319 bytes in all, if it is not told
        // to. One that does not strip can't.
        if env("PROFILE") == "release" && ["false", "0"].contains(&env("DEBUG").as_str()) {
            println!("cargo:rustc-link-arg=--compress-relocations");
        }
    }
    let mut nodes = Nodes::default();
    let mut plans = HashMap::new();
    let mut longest = [0; 1000];
    for code in 1..1000 {
        if let Some(all) = DATABASE.by_code(&code) {
            plans.insert(code, Plan::new(code, &all).unfold(&mut nodes));
            longest[usize::from(code)] = code.to_string().len() + most_digits(&all);
        }
    }
    // Those that a number can be of: libphonenumber gives all numbers of Western Sahara to Morocco.
    let leaves = nodes.list.iter().flatten().chain(plans.values());
    let regions: BTreeSet<_> = leaves
        .filter_map(|next| match next {
            Next::Leaf(Outcome::Number { region, .. }) => *region,
            _ => None,
        })
        .collect();
    if plans.len() < AT_LEAST.0 || regions.len() < AT_LEAST.1 {
        panic!(
            "the crate phonenumber has only {} calling codes and {} regions",
            plans.len(),
            regions.len()
        );
    }
    let Next::Node(root) = codes(0, &plans, &mut nodes) else {
        panic!("the crate phonenumber tells no number from any other");
    };
    let regions: Vec<[u8; 2]> = regions.into_iter().collect();
    let out = env::var_os("OUT_DIR").expect("Cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("numbering.rs"), table(&nodes, root, &regions, &longest))
        .expect("OUT_DIR can be written");
}
