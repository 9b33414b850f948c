//! Where the component does not follow libphonenumber: edit these three tables by hand.
//!
//! A newer version of the crate `phonenumber` can make an entry wrong or needless. The build goes on with
//! the entry as it is, and a test of this crate fails and says which entry to look at.

/// Numbers that take no passcode, by SMS or by a call, whatever libphonenumber says of them.
pub struct NoSms {
    /// The calling code.
    pub code: u16,
    /// A pattern for the first digits after the calling code.
    pub beginning: &'static str,
}

/// Numbers that libphonenumber does not know, or whose region it does not know as exactly as this.
pub struct RegionOf {
    /// The calling code.
    pub code: u16,
    /// A pattern for all digits after the calling code.
    pub number: &'static str,
    /// The region, which must be one of those that share the calling code.
    pub region: &'static str,
}

/// A digit that some people write after the calling code, and others leave out: either way it is one phone.
pub struct OptionalDigit {
    /// The calling code.
    pub code: u16,
    pub digit: u8,
    /// A pattern for the digits after it.
    pub number: &'static str,
}

pub const NO_SMS: [NoSms; 8] = [
    // For personal communications and machines, with those reserved for it: "5XX codes", nanpa.com.
    // 555 must stay out: its fictional numbers stand for ordinary recipients.
    NoSms { code: 1, beginning: "5(?:00|2[1-9]|3[2358]|4[2-79]|5[02-46]|6[69]|7[78]|8[89])" },
    // Canada's non-geographic services, within Canada only: "Canadian NPA 6YY", cnac.ca.
    NoSms { code: 1, beginning: "600" },
    // Services of the caller's carrier, and the government of the United States: nanpa.com.
    NoSms { code: 1, beginning: "7[01]0" },
    // Toll-free, with 822, 880 to 887 and 889, which are reserved for it: nanpa.com.
    NoSms { code: 1, beginning: "8(?:00|22|33|44|55|66|77|8[0-9])" },
    // Premium rate: "900 codes", nanpa.com.
    NoSms { code: 1, beginning: "900" },
    // Personal numbers: Ofcom, "The National Telephone Numbering Plan", part A.
    NoSms { code: 44, beginning: "70" },
    // Pagers: the same. 7624 is mobile, on the Isle of Man.
    NoSms { code: 44, beginning: "76[013-9]" },
    NoSms { code: 44, beginning: "762[0-35-9]" },
];

pub const REGION_OF: [RegionOf; 5] = [
    // Assigned since the crate's metadata was made: as libphonenumber 9.0.43 has them.
    RegionOf { code: 1, number: "273[2-9][0-9]{6}", region: "CA" },
    RegionOf { code: 61, number: "496[0-4][0-9]{5}", region: "AU" },
    RegionOf { code: 290, number: "9[0-9]{4}", region: "SH" },
    RegionOf {
        code: 220,
        number: "8(?:(?:3[35]|6[68]|7[27]|99)[0-9]|74[015])[0-9]{5}",
        region: "GM",
    },
    // The Isle of Man's mobiles: by its own pattern in libphonenumber, which Great Britain's covers.
    RegionOf { code: 44, number: "7924[0-9]{6}", region: "IM" },
];

pub const OPTIONAL_DIGITS: [OptionalDigit; 2] = [
    // Mexico dropped the 1 before mobile numbers in 2019, and both ways to write them are around. No area
    // code begins with 1.
    OptionalDigit { code: 52, digit: 1, number: "[2-9][0-9]{9}" },
    // Argentina's 9 says that the number after it, which is also written without, is a mobile. No area code
    // begins with 9.
    OptionalDigit { code: 54, digit: 9, number: "[1-8][0-9]{9}" },
];
