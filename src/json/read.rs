//! Reading JSON of any origin: looked through once, and then read where it lies, member by member.
//!
//! No tree is built. A hostile body costs no memory but a byte for each level that it is nested, and
//! no depth is too deep for the stack. What nobody asks for has to be JSON, and nothing more: half a
//! surrogate pair or `1e999` in a member that is not read refuses nothing.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// A value in a text that is JSON as a whole. Has no `Debug`: it may hold a passcode or a number.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    text: &'a [u8],
    start: usize,
    end: usize,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column in bytes, from 1; 0 at the beginning of a line.
    pub column: usize,
}

/// Why the members of a value can't be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not an object.
    NotAnObject,
    /// One of the members asked for is there twice: of the two, who wrote it may mean the other. The
    /// second ends at this byte, of which [`Json::place_of`] knows the line.
    Twice(usize),
}

impl<'a> Json<'a> {
    /// Takes a text that is one value and nothing else, or tells the place at which it is not JSON.
    /// Texts in it may still be no UTF-8.
    pub fn parse(text: &'a [u8]) -> Result<Self, Place> {
        Self::parse_and_measure(text).map(|(json, _)| json)
    }

    /// The same, with how many levels of lists and objects there are in each other.
    pub fn parse_and_measure(text: &'a [u8]) -> Result<(Self, usize), Place> {
        let start = end_of_space(text, 0);
        let (end, levels) = end_of_value(text, start).map_err(|at| Place::of(text, at))?;
        match end_of_space(text, end) {
            rest if rest == text.len() => Ok((Self { text, start, end }, levels)),
            rest => Err(Place::of(text, rest + 1)),
        }
    }

    fn bytes(self) -> &'a [u8] {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    fn first(self) -> u8 {
        byte(self.text, self.start)
    }

    /// The place to look at if the value is of the wrong type: its end, or where a list or an object begins.
    pub fn place(self) -> Place {
        let at = if matches!(self.first(), b'[' | b'{') { self.start } else { self.end };
        self.place_of(at)
    }

    /// The place of a byte of the whole text. Counts its lines: not for each of many errors.
    pub fn place_of(self, at: usize) -> Place {
        Place::of(self.text, at)
    }

    /// The value is `null`.
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// The value is an object.
    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// The value as it is, if it is `true` or `false`.
    pub fn bool(self) -> Option<bool> {
        match self.first() {
            b't' => Some(true),
            b'f' => Some(false),
            _ => None,
        }
    }

    /// The digits of a whole number that is not negative and has at most 64 bits.
    pub fn digits(self) -> Option<&'a str> {
        self.whole().and_then(|_| str::from_utf8(self.bytes()).ok())
    }

    /// A whole number that is not negative and has at most 64 bits.
    pub fn whole(self) -> Option<u64> {
        let mut number = 0u64;
        for byte in self.bytes() {
            let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
            number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
        }
        Some(number)
    }

    /// Any number, but one that is out of the range of its type.
    pub fn number(self) -> Option<f64> {
        let (negative, unsigned) = match self.bytes() {
            [b'-', unsigned @ ..] => (true, unsigned),
            [b'0'..=b'9', ..] => (false, self.bytes()),
            _ => return None,
        };
        // As many digits as count, and by how many places the point is off.
        let (mut digits, mut places, mut fraction) = (0u64, 0i32, false);
        for (at, byte) in unsigned.iter().enumerate() {
            match byte {
                b'0'..=b'9' if digits < u64::MAX / 100 => {
                    digits = digits * 10 + u64::from(byte - b'0');
                    places = places.saturating_sub(i32::from(fraction));
                }
                b'0'..=b'9' => places = places.saturating_add(i32::from(!fraction)),
                b'.' => fraction = true,
                _ => {
                    places = places.saturating_add(exponent(unsigned.get(at + 1..)?));
                    break;
                }
            }
        }
        let mut number = digits as f64;
        // Powers of ten up to this one are exact.
        const STEP: u32 = 22;
        let mut left = if digits == 0 { 0 } else { places.unsigned_abs().min(1000) };
        while left > 0 {
            let step = left.min(STEP);
            let power = (0..step).fold(1.0, |power, _| power * 10.0);
            number = if places < 0 { number / power } else { number * power };
            left -= step;
        }
        number.is_finite().then_some(if negative { -number } else { number })
    }

    /// The text, without escapes; `None` for a value of another type, for half a surrogate pair, and for
    /// what is not UTF-8.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let quoted = self.quoted()?;
        match memchr(b'\\', quoted) {
            Some(_) => unescaped(quoted).map(Cow::Owned),
            None => str::from_utf8(quoted).ok().map(Cow::Borrowed),
        }
    }

    fn quoted(self) -> Option<&'a [u8]> {
        match self.bytes() {
            [b'"', quoted @ .., b'"'] => Some(quoted),
            _ => None,
        }
    }

    /// Whether the value says something: neither a text that [`Json::text`] can't tell nor a number that
    /// [`Json::number`] can't.
    pub fn is_readable(self) -> bool {
        match self.first() {
            b'"' => self.text().is_some(),
            b'-' | b'0'..=b'9' => self.number().is_some(),
            _ => true,
        }
    }

    /// The elements of a list.
    pub fn elements(self) -> Option<Elements<'a>> {
        (self.first() == b'[').then_some(Elements { text: self.text, at: self.start + 1 })
    }

    /// The members of an object in their order, each with its name, a text.
    pub fn members(self) -> Option<Members<'a>> {
        self.is_object().then_some(Members(Elements { text: self.text, at: self.start + 1 }))
    }

    /// The members of an object that have these names, in the order of the names. One that is `null`
    /// is there.
    pub fn named<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Option<Self>; N], Unfit> {
        let mut found = [None; N];
        self.find(&names, &mut found)?;
        Ok(found)
    }

    /// As [`Json::named`], and one that is `null` is as if not there, but for being there twice.
    pub fn given<const N: usize>(
        self,
        names: [&'static str; N],
    ) -> Result<[Option<Self>; N], Unfit> {
        let mut found = [None; N];
        self.find(&names, &mut found)?;
        for value in &mut found {
            *value = value.filter(|value| !value.is_null());
        }
        Ok(found)
    }

    // Of slices, so that it is compiled once.
    fn find(self, names: &[&'static str], found: &mut [Option<Self>]) -> Result<(), Unfit> {
        let members = self.members().ok_or(Unfit::NotAnObject)?;
        for (name, value) in members {
            let quoted = name.quoted().unwrap_or_default();
            let mut place = names.iter().position(|known| quoted == known.as_bytes());
            if place.is_none() && quoted.contains(&b'\\') {
                let name = unescaped(quoted);
                place = names.iter().position(|known| name.as_deref() == Some(*known));
            }
            if let Some(place) = place.and_then(|place| found.get_mut(place))
                && place.replace(value).is_some()
            {
                return Err(Unfit::Twice(value.end));
            }
        }
        Ok(())
    }
}

/// The elements of a list.
pub struct Elements<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        // Each where it has to be: `Json::parse` has seen to it.
        while matches!(byte(self.text, self.at), b' ' | b'\n' | b'\t' | b'\r' | b',' | b':') {
            self.at += 1;
        }
        let start = self.at;
        // The bracket at the end begins no value.
        if matches!(byte(self.text, start), b']' | b'}' | 0) {
            return None;
        }
        self.at = behind_value(self.text, start);
        Some(Json { text: self.text, start, end: self.at })
    }
}

/// The members of an object.
pub struct Members<'a>(Elements<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Json<'a>, Json<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

impl Place {
    fn of(text: &[u8], at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        Self {
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: before.iter().rev().take_while(|byte| **byte != b'\n').count(),
        }
    }
}

/// The byte there, or 0 behind the end: no JSON has it.
fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Behind the byte that is wrong, or at the end of the text if what is missing is wrong.
fn wrong(text: &[u8], at: usize) -> usize {
    text.len().min(at + 1)
}

fn end_of_space(text: &[u8], mut at: usize) -> usize {
    while matches!(byte(text, at), b' ' | b'\n' | b'\t' | b'\r') {
        at += 1;
    }
    at
}

/// Where the value ends that begins there, and how many levels it has; or else where it is not JSON.
fn end_of_value(text: &[u8], mut at: usize) -> Result<(usize, usize), usize> {
    // The list or object that is open, 0 for none, and those around it.
    let (mut open, mut around, mut levels) = (0, Vec::new(), 0);
    loop {
        let mut empty = false;
        at = end_of_space(text, at);
        at = match byte(text, at) {
            b'"' => end_of_text(text, at + 1)?,
            b'-' | b'0'..=b'9' => end_of_number(text, at)?,
            b'n' => end_of_word(text, at, b"null")?,
            b't' => end_of_word(text, at, b"true")?,
            b'f' => end_of_word(text, at, b"false")?,
            bracket @ (b'[' | b'{') => {
                if open != 0 {
                    around.push(open);
                }
                (open, empty) = (bracket, true);
                levels = levels.max(around.len() + 1);
                at + 1
            }
            _ => return Err(wrong(text, at)),
        };
        // What follows a value, or an opening bracket.
        loop {
            if open == 0 {
                return Ok((at, levels));
            }
            at = end_of_space(text, at);
            match (open, byte(text, at)) {
                (b'[', b']') | (b'{', b'}') => {
                    (open, empty) = (around.pop().unwrap_or(0), false);
                    at += 1;
                }
                _ if empty => break,
                (_, b',') => {
                    at += 1;
                    break;
                }
                _ => return Err(wrong(text, at)),
            }
        }
        if open == b'{' {
            at = end_of_space(text, at);
            if byte(text, at) != b'"' {
                return Err(wrong(text, at));
            }
            at = end_of_space(text, end_of_text(text, at + 1)?);
            if byte(text, at) != b':' {
                return Err(wrong(text, at));
            }
            at += 1;
        }
    }
}

/// The same of a value of which it is known that it is JSON: most of a text is passed over more than once.
fn behind_value(text: &[u8], mut at: usize) -> usize {
    let mut open = 0usize;
    loop {
        match byte(text, at) {
            b'"' => at = behind_text(text, at + 1),
            b'[' | b'{' => (open, at) = (open + 1, at + 1),
            b']' | b'}' => (open, at) = (open.saturating_sub(1), at + 1),
            _ if open == 0 => at = behind_word(text, at),
            _ => at += 1,
        }
        if open == 0 || at >= text.len() {
            return at;
        }
    }
}

/// Behind a number or a word that stands alone: it ends where another value could follow it.
fn behind_word(text: &[u8], mut at: usize) -> usize {
    while !matches!(byte(text, at), 0..=b' ' | b',' | b'"' | b'[' | b'{' | b']' | b'}') {
        at += 1;
    }
    at
}

/// From behind the quotation mark at the beginning of such a text to behind the one at its end.
fn behind_text(text: &[u8], mut at: usize) -> usize {
    loop {
        let rest = text.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', rest) {
            Some(found) if byte(rest, found) == b'"' => return at + found + 1,
            Some(found) => at += found + 2,
            None => return text.len(),
        }
    }
}

fn end_of_word(text: &[u8], mut at: usize, word: &[u8]) -> Result<usize, usize> {
    for letter in word {
        if byte(text, at) != *letter {
            return Err(wrong(text, at));
        }
        at += 1;
    }
    Ok(at)
}

fn end_of_number(text: &[u8], mut at: usize) -> Result<usize, usize> {
    if byte(text, at) == b'-' {
        at += 1;
    }
    let digits = at;
    at = end_of_digits(text, at)?;
    // No zero stands in front of other digits.
    if byte(text, digits) == b'0' && at > digits + 1 {
        return Err(digits + 2);
    }
    if byte(text, at) == b'.' {
        at = end_of_digits(text, at + 1)?;
    }
    if matches!(byte(text, at), b'e' | b'E') {
        at += 1;
        if matches!(byte(text, at), b'+' | b'-') {
            at += 1;
        }
        at = end_of_digits(text, at)?;
    }
    Ok(at)
}

/// One digit at least.
fn end_of_digits(text: &[u8], mut at: usize) -> Result<usize, usize> {
    if !byte(text, at).is_ascii_digit() {
        return Err(wrong(text, at));
    }
    while byte(text, at).is_ascii_digit() {
        at += 1;
    }
    Ok(at)
}

/// From behind the quotation mark at its beginning to behind the one at its end.
fn end_of_text(text: &[u8], mut at: usize) -> Result<usize, usize> {
    loop {
        // Most bytes stand for themselves: a loop of its own takes a third of the time for them.
        let rest = text.get(at..).unwrap_or_default();
        at += rest.iter().take_while(|byte| !matches!(byte, 0..b' ' | b'"' | b'\\')).count();
        match byte(text, at) {
            b'"' => return Ok(at + 1),
            b'\\' => {
                at = match byte(text, at + 1) {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at + 2,
                    b'u' => match text.get(at + 2..at + 6) {
                        Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => at + 6,
                        Some(_) => return Err(at + 6),
                        None => return Err(text.len()),
                    },
                    _ => return Err(wrong(text, at + 1)),
                }
            }
            // A control character, or the end.
            _ => return Err(at),
        }
    }
}

/// The exponent of a number, as far as one matters.
fn exponent(digits: &[u8]) -> i32 {
    let (negative, digits) = match digits {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let exponent = digits.iter().fold(0i32, |exponent, digit| {
        exponent.saturating_mul(10).saturating_add(i32::from(digit.wrapping_sub(b'0')))
    });
    if negative { -exponent } else { exponent }
}

/// What a text with escapes says.
fn unescaped(mut quoted: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(quoted.len());
    while let [first, rest @ ..] = quoted {
        let [b'\\', escape, rest @ ..] = quoted else {
            bytes.push(*first);
            quoted = rest;
            continue;
        };
        quoted = rest;
        let escaped = match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let mut code = four_digits(&mut quoted)?;
                if let 0xd800..0xdc00 = code {
                    quoted = quoted.strip_prefix(b"\\u")?;
                    let low = four_digits(&mut quoted)?.checked_sub(0xdc00)?;
                    if low >= 0x400 {
                        return None;
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + low;
                }
                char::from_u32(code)?
            }
            itself => char::from(*itself),
        };
        bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(bytes).ok()
}

fn four_digits(quoted: &mut &[u8]) -> Option<u32> {
    let (digits, rest) = quoted.split_at_checked(4)?;
    *quoted = rest;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests;
