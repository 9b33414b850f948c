//! Canary messages: passcodes for nobody, asked for on a schedule, which show that the whole way works. They are known
//! by the numbers that they go to, which are the owner's own.

use crate::phone_number::PhoneNumber;
use crate::records::store_key::StoreKey;
use crate::records::{CanaryHashes, number_hash};

/// The numbers that canary messages go to.
#[derive(Debug, Default)]
pub struct Canaries(Vec<PhoneNumber>);

impl Canaries {
    /// Those of these numbers.
    pub fn new(numbers: Vec<PhoneNumber>) -> Self {
        Self(numbers)
    }

    /// Each number, in the order of the settings.
    pub fn numbers(&self) -> &[PhoneNumber] {
        &self.0
    }

    /// Whether a message to this number is a canary's, however the number is written.
    ///
    /// ```
    /// use okta_telephony_acs::canary::Canaries;
    /// use okta_telephony_acs::phone_number::PhoneNumber;
    ///
    /// let number = |text| PhoneNumber::parse(text).unwrap();
    /// let canaries = Canaries::new(vec![number("+52 1 55 1234 5678")]);
    /// assert!(canaries.contain(&number("+525512345678")));
    /// assert!(!canaries.contain(&number("+525512345679")));
    /// ```
    pub fn contain(&self, number: &PhoneNumber) -> bool {
        self.0.iter().any(|canary| canary.canonical() == number.canonical())
    }

    /// The numbers as records have them under this key.
    pub fn recorded(&self, key: &StoreKey) -> CanaryHashes {
        let hash = |number: &PhoneNumber| number_hash(key, number.canonical().as_bytes());
        CanaryHashes(self.0.iter().map(hash).collect())
    }
}
