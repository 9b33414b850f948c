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

use crate::exceptions::{NO_SMS, OPTIONAL_DIGITS, OptionalDigit, REGION_OF};
use crate::tree::{Next, Node, Outcome, RegionCode, Tree};

/// The fewest digits that a number in use has, its calling code included.
const FEWEST_DIGITS: usize = 7;

/// The most digits that a number has, its calling code included (ITU-T E.164, section 6.2.1).
const MOST_DIGITS: usize = 15;

/// What the numbers under a calling code are.
pub struct Plan {
    /// Where the first digit after the calling code begins.
    pub next: Next,
    /// The most digits of a number, with the code itself.
    pub most_digits: usize,
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
        let begin = Position { state: start, length: 0, after_zero: false };
        let next = numbers.unfold(begin, tree).next;
        let most_digits = code_length(code) + numbers.most_digits.max(most_digits(all));
        Ok(Self { next, most_digits, findings: numbers.findings })
    }
}

/// The most digits after a calling code that its regions say.
fn most_digits(all: &[&Metadata]) -> usize {
    let kinds = all.iter().flat_map(|metadata| kinds(metadata));
    let lengths = kinds.flat_map(|(kind, _)| kind.possible_length());
    lengths.max().map_or(MOST_DIGITS, |longest| usize::from(*longest))
}

/// How many digits the mobile numbers under a calling code have, with the code itself: a bit for each count.
pub fn mobile_digits(code: u16, all: &[&Metadata]) -> u16 {
    let mobiles = all.iter().filter_map(|metadata| metadata.descriptors().mobile());
    let counts = mobiles.flat_map(Descriptor::possible_length);
    let counts = counts.map(|length| code_length(code) + usize::from(*length));
    counts.filter(|count| *count <= MOST_DIGITS).fold(0, |bits, count| bits | 1 << count)
}

/// The first digits of the numbers under a calling code, where people of its only region leave them out and
/// libphonenumber adds them.
///
/// Regions that share a code are left out: the same digits would be a number of several. Argentina's 9 is one of
/// these digits, and never comes to be added, since it is one of [`OPTIONAL_DIGITS`] too.
pub fn omitted_digits(all: &[&Metadata]) -> Option<String> {
    let [only] = all else {
        return None;
    };
    let digits = only.national_prefix_transform_rule()?.strip_suffix("$1")?;
    (!digits.is_empty()).then(|| digits.to_owned())
}

fn code_length(code: u16) -> usize {
    code.to_string().len()
}

/// The kinds of numbers that a region has, and what each says of a number.
fn kinds(metadata: &Metadata) -> impl Iterator<Item = (&Descriptor, Fact)> {
    let of = metadata.descriptors();
    [
        (Some(of.general()), Fact::General),
        (of.fixed_line(), Fact::FixedLine),
        (of.mobile(), Fact::Mobile),
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

/// The patterns of what people of a region dial before its numbers.
///
/// Those that put digits in their place are left out. They are for numbers without their first digits, which
/// [`omitted_digits`] has, or for Argentina's 15 after the area code, with which a number has too many digits.
fn national_prefixes(metadata: &Metadata) -> impl Iterator<Item = &str> {
    let for_parsing = match metadata.national_prefix_transform_rule() {
        Some(rule) if !rule.starts_with('$') => None,
        _ => metadata.national_prefix_for_parsing().map(|regex| regex.as_str()),
    };
    metadata.national_prefix().into_iter().chain(for_parsing)
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
    FixedLine,
    Mobile,
    Voip,
    /// It is premium-rate, toll-free or of another kind that takes neither SMS nor calls with passcodes.
    Special,
    /// [`NO_SMS`] has it.
    NoSms,
    /// [`REGION_OF`] gives it this region.
    RegionOf,
    /// It has an area code that belongs to this region as a whole.
    AreaCode,
    /// It is a number of [`OPTIONAL_DIGITS`] without the digit.
    WithoutOptionalDigit,
    /// It is a number of [`OPTIONAL_DIGITS`] with the digit.
    WithOptionalDigit,
    /// It is what people dial before a number within the region.
    NationalPrefix,
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
}

impl Position {
    fn then(self, digit: u8, state: StateID) -> Self {
        let after_zero = match self.length {
            0 => digit == 0,
            1 => self.after_zero,
            _ => false,
        };
        Self { state, length: self.length + 1, after_zero }
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
    takes_calls: bool,
    is_valid: bool,
    ends_national_prefix: bool,
    finding: Option<String>,
}

struct Numbers {
    code: u16,
    regions: Vec<Region>,
    /// In the automaton's order.
    patterns: Vec<Pattern>,
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// The most digits of the valid numbers that have been found, without the code.
    most_digits: usize,
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
            patterns.extend(
                national_prefixes(metadata)
                    .map(|prefix| Pattern::new(prefix, Fact::NationalPrefix, region)),
            );
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
        for exception in OPTIONAL_DIGITS.iter().filter(|exception| exception.code == code) {
            let OptionalDigit { digit, number, .. } = exception;
            let with = format!("{digit}{number}");
            patterns.push(Pattern::new(digit.to_string(), Fact::NationalPrefix, 0));
            patterns.push(Pattern::new(with, Fact::WithOptionalDigit, 0));
            patterns.push(Pattern::new(*number, Fact::WithoutOptionalDigit, 0));
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
        let mut numbers = Self {
            code,
            regions,
            patterns,
            dfa,
            start,
            most_digits: 0,
            subtrees: HashMap::new(),
            findings,
        };
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
                facts
                    .iter()
                    .find(|of| matches!(of.fact, Fact::FixedLine | Fact::Mobile))
                    .map(|of| of.region)
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
        if verdict.is_valid {
            self.most_digits = self.most_digits.max(at.length);
        }
        let digits = code_length(self.code) + at.length;
        let number = |is_valid| Outcome::Number {
            region: verdict.region,
            takes_sms: verdict.takes_sms,
            takes_calls: verdict.takes_calls,
            is_valid,
            ends_national_prefix: verdict.ends_national_prefix,
        };
        let end = number(verdict.is_valid && digits >= FEWEST_DIGITS);
        let mut subtree = Subtree { next: Next::Leaf(end), has_valid: verdict.is_valid };

        if digits == MOST_DIGITS {
            // What follows makes no number.
            subtree.next = tree.add(Node { digits: [Next::Leaf(number(false)); 10], end });
        } else if !self.dfa.is_dead_state(at.state) {
            let digits = array::from_fn(|digit| {
                let digit = digit as u8;
                let state = self.dfa.next_state(at.state, b'0' + digit);
                let below = self.unfold(at.then(digit, state), tree);
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
        let has_subscriber = |region| is(region, Fact::FixedLine) || is(region, Fact::Mobile);
        let is_valid = |region| {
            is(region, Fact::General)
                && (has_subscriber(region) || is(region, Fact::Voip) || is(region, Fact::Special))
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
        let ends_national_prefix = by(Fact::NationalPrefix).is_some();
        let mut finding = None;
        let exception = by(Fact::RegionOf).filter(|of| {
            let is_needed = known != Some(of.region) || !is_valid(of.region);
            if !is_needed {
                finding = Some(format!(
                    "libphonenumber knows the numbers +{} {} by now: shorten or remove that entry of \
                     REGION_OF in numbering/build/exceptions.rs",
                    self.code, of.regex
                ));
            }
            is_needed
        });
        let no_sms = by(Fact::NoSms);
        let region = exception.map(|of| of.region).or(known);
        let Some(region) = region.or_else(|| by(Fact::AreaCode).map(|of| of.region)) else {
            return Verdict {
                region: None,
                takes_sms: no_sms.is_none(),
                takes_calls: no_sms.is_none(),
                is_valid: false,
                ends_national_prefix,
                finding,
            };
        };
        let is_valid = exception.is_some() || is_valid(region);
        let is_subscriber = exception.is_some() || has_subscriber(region);
        if let Some(no_sms) = no_sms.filter(|_| is_valid && has_subscriber(region)) {
            finding = Some(format!(
                "libphonenumber has fixed-line or mobile numbers among +{} {} by now: see whether they take SMS, \
                 and if so take them out of that entry of NO_SMS in numbering/build/exceptions.rs",
                self.code, no_sms.regex
            ));
        }
        let is_special = is_valid && !is_subscriber && !is(region, Fact::Voip);
        let takes_calls = no_sms.is_none() && !is_special;
        // Of a number that is also written with a digit that mobile numbers have nobody knows it.
        let may_be_mobile = exception.is_some()
            || is(region, Fact::Mobile)
            || is(region, Fact::Voip)
            || by(Fact::WithoutOptionalDigit).is_some();
        let is_landline = is_valid && is(region, Fact::FixedLine) && !may_be_mobile;
        // With the digit it is no number of its own: the one without it is, known to libphonenumber or not.
        let is_number = is_valid || by(Fact::WithoutOptionalDigit).is_some();
        Verdict {
            region: self.regions[region].code,
            takes_sms: takes_calls && !is_landline,
            takes_calls,
            is_valid: is_number && by(Fact::WithOptionalDigit).is_none(),
            ends_national_prefix,
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
