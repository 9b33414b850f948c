//! Numbers that a developer sends to so that an emulator misbehaves.

/// A number and what happens to a message to it.
#[derive(Debug)]
pub struct FaultNumber<Fault> {
    /// In E.164 form.
    pub number: &'static str,
    pub fault: Fault,
    /// For people, in one line.
    pub meaning: &'static str,
}

/// A row of an emulator's table.
pub(crate) const fn number<Fault: Copy>(
    number: &'static str,
    fault: Fault,
    meaning: &'static str,
) -> FaultNumber<Fault> {
    FaultNumber { number, fault, meaning }
}

/// The fault of a number, if it has one.
pub(crate) fn find<Fault>(
    faults: &'static [FaultNumber<Fault>],
    number: &str,
) -> Option<&'static FaultNumber<Fault>> {
    faults.iter().find(|fault| fault.number == number)
}

/// Fails where a number is listed twice, or may be somebody's.
#[cfg(test)]
pub(crate) fn check<Fault>(faults: &[FaultNumber<Fault>]) {
    for (index, fault) in faults.iter().enumerate() {
        assert!(fault.number.starts_with("+1555010"), "{}", fault.number);
        assert_eq!(fault.number.len(), 12, "{}", fault.number);
        let first = faults.iter().position(|other| other.number == fault.number);
        assert_eq!(first, Some(index), "{}", fault.number);
    }
}
