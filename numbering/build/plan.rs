//! The numbers under one calling code, from libphonenumber's patterns to a tree.
//!
//! All patterns become one automaton (a DFA), which says at each digit which patterns the digits so far
//! fit. The tree follows the automaton digit by digit.

use std::array;
use std::collections::{BTreeSet, HashMap};

use phonenumber::metadata::{Descriptor, Metadata};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::exceptions::{NO_SMS, REGION_OF};
use crate::tree::{Next, Node, Outcome, RegionCode, Tree};

/// The most digits that a number has, its calling code included (ITU-T E.164, section 6.2.1).
pub const MOST_DIGITS: usize = 15;

/// What the numbers under a calling code are.
pub struct Plan {
    /// Where the first digit after the calling code begins.
    pub next: Next,
    /// What a person should look at, and what to do about it.
    pub findings: BTreeSet<String>,
}

impl Plan {
    /// Reads the plan of a calling code, whose regions are `all`, and adds its nodes to the tree.
    ///
    /// # Errors
    ///
    /// Patterns that can't become one automaton.
    pub fn new(code: u16, all: &[&Metadata], tree: &mut Tree) -> Result<Self, String> {
        let mut numbers = Numbers::new(code, all)?;
        let start = numbers.start;
        let begin = Position { state: start, length: 0, after_zero: false, after_special: false };
        let next = numbers.unfold(begin, tree).next;
        Ok(Self { next, findings: numbers.findings })
    }
}

/// The most digits of a number under a calling code, with the code itself.
pub fn most_digits(code: u16, all: &[&Metadata]) -> usize {
    let kinds = all.iter().flat_map(|metadata| kinds(metadata));
    let lengths = kinds.flat_map(|(kind, _)| kind.possible_length());
    match lengths.max() {
        Some(longest) => code_length(code) + usize::from(*longest),
        None => MOST_DIGITS,
    }
}

/// How many digits the mobile numbers under a calling code have, with the code itself: a bit for each count.
pub fn mobile_digits(code: u16, all: &[&Metadata]) -> u16 {
    let mobiles = all.iter().filter_map(|metadata| metadata.descriptors().mobile());
    let counts = mobiles.flat_map(Descriptor::possible_length);
    let counts = counts.map(|length| code_length(code) + usize::from(*length));
    counts.filter(|count| *count <= MOST_DIGITS).fold(0, |bits, count| bits | 1 << count)
}

fn code_length(code: u16) -> usize {
    code.to_string().len()
}

/// The kinds of numbers that a region has, and what each says of a number.
fn kinds(metadata: &Metadata) -> impl Iterator<Item = (&Descriptor, Fact)> {
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
    .into_iter()
    .filter_map(|(kind, fact)| Some((kind?, fact)))
}

/// One of the regions that share a calling code.
struct Region {
    /// `None` for a calling code of no country, which libphonenumber calls region 001.
    code: Option<RegionCode>,
    /// Whether the first digits alone tell its numbers from its neighbours'.
    has_leading_digits: bool,
}

impl Region {
    fn new(metadata: &Metadata) -> Self {
        Self {
            code: metadata.id().as_bytes().try_into().ok(),
            has_leading_digits: metadata.leading_digits().is_some(),
        }
    }
}

/// What it says of a number that it fits a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// It begins with digits that only this region has.
    LeadingDigits,
    /// It fits the region's pattern for numbers of any kind.
    General,
    /// It is fixed-line or mobile.
    Subscriber,
    Voip,
    /// It is premium-rate, toll-free or of another kind that takes no SMS.
    Special,
    /// [`NO_SMS`] has it.
    NoSms,
    /// [`REGION_OF`] gives it this region.
    RegionOf,
    /// It has an area code that belongs to this region as a whole.
    AreaCode,
}

struct Pattern {
    /// The regular expression for all digits after the calling code.
    regex: String,
    fact: Fact,
    /// The region that the fact is about, by its place in [`Numbers::regions`].
    region: usize,
    /// How many digits a number may have to which the fact applies. If there is none, any number.
    lengths: Vec<u16>,
}

impl Pattern {
    fn new(regex: impl Into<String>, fact: Fact, region: usize) -> Self {
        Self { regex: regex.into(), fact, region, lengths: Vec::new() }
    }

    /// A pattern for the first digits.
    fn beginning(regex: &str, fact: Fact, region: usize) -> Self {
        Self::new(format!("(?:{regex})[0-9]*"), fact, region)
    }
}

/// Some digits after the calling code, as far as it matters what they are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Position {
    /// The automaton's.
    state: StateID,
    /// How many digits they are.
    length: usize,
    /// Whether they are a 0, or a 0 and one more digit.
    after_zero: bool,
    /// Whether a number that takes no SMS has ended within them.
    after_special: bool,
}

impl Position {
    fn then(self, digit: u8, state: StateID) -> Self {
        let after_zero = match self.length {
            0 => digit == 0,
            1 => self.after_zero,
            _ => false,
        };
        Self { state, length: self.length + 1, after_zero, ..self }
    }
}

/// Where the digits after a position lead.
#[derive(Clone, Copy)]
struct Subtree {
    next: Next,
    /// Whether any of them make a valid number.
    has_valid: bool,
}

/// What a number is that ends at a position.
struct Verdict {
    region: Option<RegionCode>,
    takes_sms: bool,
    is_valid: bool,
    finding: Option<String>,
}

struct Numbers {
    code: u16,
    regions: Vec<Region>,
    /// In the automaton's order.
    patterns: Vec<Pattern>,
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// The subtrees that have been made.
    subtrees: HashMap<Position, Subtree>,
    findings: BTreeSet<String>,
}

impl Numbers {
    fn new(code: u16, all: &[&Metadata]) -> Result<Self, String> {
        let regions: Vec<_> = all.iter().map(|metadata| Region::new(metadata)).collect();
        let mut findings = BTreeSet::new();
        let mut patterns = Vec::new();
        for (region, metadata) in all.iter().enumerate() {
            if let Some(digits) = metadata.leading_digits() {
                patterns.push(Pattern::beginning(digits.as_str(), Fact::LeadingDigits, region));
            }
            for (kind, fact) in kinds(metadata) {
                let regex = kind.national_number().as_str();
                // An empty one stands for a kind that the region does not have.
                if !regex.trim().is_empty() {
                    let lengths = kind.possible_length().to_vec();
                    patterns.push(Pattern { lengths, ..Pattern::new(regex, fact, region) });
                }
            }
        }
        for exception in NO_SMS.iter().filter(|exception| exception.code == code) {
            patterns.push(Pattern::beginning(exception.beginning, Fact::NoSms, 0));
        }
        for exception in REGION_OF.iter().filter(|exception| exception.code == code) {
            let region = exception.region.as_bytes();
            match regions.iter().position(|of| of.code.is_some_and(|code| code == region)) {
                Some(region) => {
                    patterns.push(Pattern::new(exception.number, Fact::RegionOf, region));
                }
                None => _ = findings.insert(format!(
                    "REGION_OF in numbering/build/exceptions.rs has +{code} {} for {}, which has no numbers \
                     under +{code}: correct the entry or remove it",
                    exception.number, exception.region
                )),
            }
        }
        let (dfa, start) = automaton(code, &patterns)?;
        let mut numbers =
            Self { code, regions, patterns, dfa, start, subtrees: HashMap::new(), findings };
        if code == 1 {
            // A region has an area code as a whole, but libphonenumber knows exchanges, and those of
            // a new one only as they open.
            let area_codes = numbers.area_codes();
            numbers.patterns.extend(area_codes.into_iter().map(|(area_code, region)| {
                Pattern::new(format!("{area_code}[0-9]{{7}}"), Fact::AreaCode, region)
            }));
            (numbers.dfa, numbers.start) = automaton(code, &numbers.patterns)?;
        }
        Ok(numbers)
    }

    /// The area codes of the North American Numbering Plan, each with the region that has subscribers there.
    fn area_codes(&self) -> Vec<(u32, usize)> {
        let region = |area_code: u32| {
            (200..1000).find_map(|exchange| {
                let number = format!("{area_code}{exchange}0000");
                let follow = |state, digit| self.dfa.next_state(state, digit);
                let end = number.bytes().fold(self.start, follow);
                let facts = self.facts(end, number.len());
                facts.iter().find(|of| of.fact == Fact::Subscriber).map(|of| of.region)
            })
        };
        (200..1000).filter_map(|area_code| Some((area_code, region(area_code)?))).collect()
    }

    /// Adds the nodes that the digits after a position lead through.
    fn unfold(&mut self, at: Position, tree: &mut Tree) -> Subtree {
        if let Some(known) = self.subtrees.get(&at) {
            return *known;
        }
        let verdict = self.verdict(at);
        self.findings.extend(verdict.finding);
        // More digits than a special number has may be dropped by a network, which then reaches it.
        let takes_sms = verdict.takes_sms && (verdict.is_valid || !at.after_special);
        let end = Outcome::Number { region: verdict.region, takes_sms };
        let after_special = at.after_special || verdict.is_valid && !takes_sms;
        let mut subtree = Subtree { next: Next::Leaf(end), has_valid: verdict.is_valid };

        let is_full = code_length(self.code) + at.length == MOST_DIGITS;
        if !is_full && !self.dfa.is_dead_state(at.state) {
            let digits = array::from_fn(|digit| {
                let digit = digit as u8;
                let state = self.dfa.next_state(at.state, b'0' + digit);
                let position = Position { after_special, ..at.then(digit, state) };
                let below = self.unfold(position, tree);
                subtree.has_valid |= below.has_valid;
                below.next
            });
            subtree.next = tree.add(Node { digits, end });
        }
        // A 0 is a trunk 0 if no valid number begins with it and the digit after it. The 0 alone would not
        // do: Japan has toll-free numbers that begin with 00, and mobiles that people write with 090.
        if at.after_zero && !subtree.has_valid {
            subtree.next = Next::Leaf(Outcome::TrunkZero);
        }
        self.subtrees.insert(at, subtree);
        subtree
    }

    /// The patterns that a number fits which ends in this state, after `length` digits.
    fn facts(&self, state: StateID, length: usize) -> Vec<&Pattern> {
        let end = self.dfa.next_eoi_state(state);
        let matches = if self.dfa.is_match_state(end) { self.dfa.match_len(end) } else { 0 };
        (0..matches)
            .map(|at| &self.patterns[self.dfa.match_pattern(end, at).as_usize()])
            .filter(|of| of.lengths.is_empty() || of.lengths.contains(&(length as u16)))
            .collect()
    }

    /// What a number is that ends here.
    fn verdict(&self, at: Position) -> Verdict {
        let facts = self.facts(at.state, at.length);
        let is = |region, fact| facts.iter().any(|of| of.region == region && of.fact == fact);
        let by = |fact| facts.iter().find(|of| of.fact == fact);
        let is_valid = |region| {
            is(region, Fact::General)
                && (is(region, Fact::Subscriber)
                    || is(region, Fact::Voip)
                    || is(region, Fact::Special))
        };
        // As libphonenumber finds the region: it goes through those of the code in their order, by leading
        // digits where a region has them, by its patterns where not. An only region has all numbers.
        let known = match &self.regions[..] {
            [_] => Some(0),
            several => (0..several.len()).find(|&region| {
                if several[region].has_leading_digits {
                    is(region, Fact::LeadingDigits)
                } else {
                    is_valid(region)
                }
            }),
        };
        let mut finding = None;
        let exception = by(Fact::RegionOf).filter(|of| {
            let is_needed = known != Some(of.region);
            if !is_needed {
                finding = Some(format!(
                    "libphonenumber knows the region of +{} {} by now: shorten or remove that entry of \
                     REGION_OF in numbering/build/exceptions.rs",
                    self.code, of.regex
                ));
            }
            is_needed
        });
        let no_sms = by(Fact::NoSms);
        let region = exception.map(|of| of.region).or(known);
        let Some(region) = region.or_else(|| by(Fact::AreaCode).map(|of| of.region)) else {
            return Verdict { region: None, takes_sms: no_sms.is_none(), is_valid: false, finding };
        };
        let is_valid = exception.is_some() || is_valid(region);
        let is_subscriber = exception.is_some() || is(region, Fact::Subscriber);
        if let Some(no_sms) = no_sms.filter(|_| is_valid && is(region, Fact::Subscriber)) {
            finding = Some(format!(
                "libphonenumber has fixed-line or mobile numbers among +{} {} by now: see whether they take SMS, \
                 and if so take them out of that entry of NO_SMS in numbering/build/exceptions.rs",
                self.code, no_sms.regex
            ));
        }
        let is_special = is_valid && !is_subscriber && !is(region, Fact::Voip);
        Verdict {
            region: self.regions[region].code,
            takes_sms: no_sms.is_none() && !is_special,
            is_valid,
            finding,
        }
    }
}

/// The automaton that tells which of the patterns a number fits, and the state that it begins in.
fn automaton(code: u16, patterns: &[Pattern]) -> Result<(dense::DFA<Vec<u32>>, StateID), String> {
    let regexes: Vec<_> = patterns.iter().map(|pattern| &pattern.regex).collect();
    let dfa = dense::Builder::new()
        .configure(dense::Config::new().start_kind(StartKind::Anchored).match_kind(MatchKind::All))
        .syntax(syntax::Config::new().unicode(false).utf8(false).ignore_whitespace(true))
        .build_many(&regexes)
        .map_err(|error| format!("the patterns of +{code} make no automaton: {error}"))?;
    let start = dfa
        .universal_start_state(Anchored::Yes)
        .ok_or_else(|| format!("a pattern of +{code} looks around (^, $, \\b or the like)"))?;
    Ok((dfa, start))
}
