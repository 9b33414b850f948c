//! The codes at the beginning of `deliveryStatusDetails`: what each means, and what to do ("Troubleshooting
//! in Azure Communication Services", SMS error codes; the newest of three revisions).

/// The carrier gives no delivery reports, so the message may have been delivered: this is no failure. (Older
/// revisions of the page call it "Message Delivery Timeout".)
pub const NO_REPORTS: u16 = 5002;

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The four digits.
    pub number: u16,
    /// What happened.
    pub meaning: &'static str,
    /// What the operator can do.
    pub fix: &'static str,
}

/// Every documented code.
#[rustfmt::skip]
pub const CODES: &[Code] = &[
    code(2000, "delivered", "nothing to do"),
    code(4000, "blocked as fraud", "look at what the message says, then ask Azure support"),
    code(4001, "the sender is not valid", "look at providers.senders and acs_from_shortcode"),
    code(4002, "the recipient's number is not valid", "have the person enrol the number again"),
    code(4003, "the sender can't reach the recipient's country", "give the country another sender in providers.senders"),
    code(4004, "the recipient's number does not exist", "have the person enrol another number"),
    code(4005, "blocked by the carrier", "look at the text and at the sender's registration with the carrier"),
    code(4006, "the phone could not be reached", "have the person try again: it is off or without network"),
    code(4007, "the recipient has opted out", "have the person send START to the sender's number"),
    code(4008, "over the limit of messages for the sender's profile", "spread messages over more senders, or ask for a higher limit"),
    code(4009, "refused by Microsoft's entitlement system", "ask Azure support: the resource is suspected of fraud"),
    code(4010, "the toll-free number is not verified", "finish the toll-free verification in the Azure portal"),
    code(4020, "the carrier takes no more messages from this sender", "spread messages over more senders"),
    code(5000, "ACS failed", "ask Azure support with the message id"),
    code(5001, "ACS or the carrier is down for now", "look at Azure's status; Okta lets the person ask again"),
    code(NO_REPORTS, "the carrier gives no delivery reports", "nothing to do: it may have been delivered"),
    code(9999, "the carrier gives no reason", "ask Azure support with the message id, if it happens often"),
];

const fn code(number: u16, meaning: &'static str, fix: &'static str) -> Code {
    Code { number, meaning, fix }
}

/// What a code means; `None` for one that is not documented.
pub fn look_up(number: u16) -> Option<&'static Code> {
    CODES.iter().find(|code| code.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_each_is_found() {
        assert!(CODES.is_sorted_by_key(|code| code.number));
        assert!(CODES.iter().all(|code| look_up(code.number) == Some(code)));
        assert_eq!(look_up(4011), None);
    }
}
