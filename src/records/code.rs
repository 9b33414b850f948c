//! The codes by which reports say why a message was not delivered: what each means, and what to do.
//!
//! Those of ACS are at the beginning of `deliveryStatusDetails` ("Troubleshooting in Azure Communication Services", SMS
//! error codes; the newest of three revisions). Those of Infobip are the `id` of its reports' `error` or, where there is
//! none, of their `status` ("Response status and error codes", Infobip). Those of Telesign are the `code` of its reports'
//! `status` ("All status and error codes", Telesign). Those of Twilio are the `ErrorCode` of its status callbacks ("Error and
//! warning dictionary", Twilio).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The carrier gives no delivery reports, so the message may have been delivered: this is no failure. (Older
/// revisions of the page call it "Message Delivery Timeout".)
pub const NO_REPORTS: Code = Code::Acs(5002);

/// A code, by who gives it. Postcard keeps the number of the variant in records: their order does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// ACS, in four digits.
    Acs(u16),
    /// Infobip.
    Infobip(u16),
    /// The status that a report of Infobip's has, where it has no error beside it.
    InfobipStatus(u16),
    /// Telesign.
    Telesign(u16),
    /// Twilio.
    Twilio(u16),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acs(number) => write!(f, "{number}"),
            Self::Infobip(number) => write!(f, "infobip-{number}"),
            Self::InfobipStatus(number) => write!(f, "infobip-status-{number}"),
            Self::Telesign(number) => write!(f, "telesign-{number}"),
            Self::Twilio(number) => write!(f, "twilio-{number}"),
        }
    }
}

impl Code {
    /// For the log and for JSON, which have had ACS's codes as numbers from the beginning.
    pub fn serialize<S: serde::Serializer>(code: &Option<Self>, to: S) -> Result<S::Ok, S::Error> {
        match code {
            Some(Self::Acs(number)) => to.serialize_u16(*number),
            Some(code) => to.collect_str(code),
            None => to.serialize_none(),
        }
    }
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The code.
    pub code: Code,
    /// What happened.
    pub meaning: &'static str,
    /// What the operator can do.
    pub fix: &'static str,
}

/// Every documented code of ACS, those of Infobip's 541 that a passcode meets, its statuses of failure, Telesign's codes
/// of messages that it has not delivered, or does not know whether it has, and those of Twilio's that a message meets.
#[rustfmt::skip]
pub const CODES: &[Known] = &[
    known(Code::Acs(2000), "delivered", "nothing to do"),
    known(Code::Acs(4000), "blocked as fraud", "look at what the message says, then ask Azure support"),
    known(Code::Acs(4001), "the sender is not valid", "look at providers.senders and acs_from_shortcode"),
    known(Code::Acs(4002), "the recipient's number is not valid", "have the person enrol the number again"),
    known(Code::Acs(4003), "the sender can't reach the recipient's country", "give the country another sender in providers.senders"),
    known(Code::Acs(4004), "the recipient's number does not exist", "have the person enrol another number"),
    known(Code::Acs(4005), "blocked by the carrier", "look at the text and at the sender's registration with the carrier"),
    known(Code::Acs(4006), "the phone could not be reached", "have the person try again: it is off or without network"),
    known(Code::Acs(4007), "the recipient has opted out", "have the person send START to the sender's number"),
    known(Code::Acs(4008), "over the limit of messages for the sender's profile", "spread messages over more senders, or ask for a higher limit"),
    known(Code::Acs(4009), "refused by Microsoft's entitlement system", "ask Azure support: the resource is suspected of fraud"),
    known(Code::Acs(4010), "the toll-free number is not verified", "finish the toll-free verification in the Azure portal"),
    known(Code::Acs(4020), "the carrier takes no more messages from this sender", "spread messages over more senders"),
    known(Code::Acs(5000), "ACS failed", "ask Azure support with the message id"),
    known(Code::Acs(5001), "ACS or the carrier is down for now", "look at Azure's status; Okta lets the person ask again"),
    known(NO_REPORTS, "the carrier gives no delivery reports", "nothing to do: it may have been delivered"),
    known(Code::Acs(9999), "the carrier gives no reason", "ask Azure support with the message id, if it happens often"),
    known(Code::Infobip(1), "nobody has the number", "have the person enrol another number"),
    known(Code::Infobip(5), "the network does not know the phone", "have the person try again, or enrol another number"),
    known(Code::Infobip(6), "the phone could not be reached", "have the person try again: it is off or without network"),
    known(Code::Infobip(8), "the phone is abroad, where it gets no messages", "have the person use another factor"),
    known(Code::Infobip(9), "the network does not serve the phone", "have the person ask their carrier, or enrol another number"),
    known(Code::Infobip(11), "the phone's contract has no SMS", "have the person enrol another number"),
    known(Code::Infobip(13), "the phone's contract bars messages", "have the person ask their carrier"),
    known(Code::Infobip(27), "the phone could not be reached", "have the person try again: it is off or without network"),
    known(Code::Infobip(31), "the phone was busy with another message", "have the person try again"),
    known(Code::Infobip(32), "the phone did not take the message", "have the person try again"),
    known(Code::Infobip(34), "the carrier failed", "have the person try again"),
    known(Code::Infobip(255), "the carrier gives no reason", "ask Infobip with the message id, if it happens often"),
    known(Code::Infobip(256), "the phone has no room for messages", "have the person delete some"),
    known(Code::Infobip(561), "blocked by the carrier for what it says", "look at the text and at the sender's registration with the carrier"),
    known(Code::Infobip(568), "the number takes no SMS", "have the person enrol another number"),
    known(Code::Infobip(569), "the number is suspended", "have the person ask their carrier"),
    known(Code::Infobip(2048), "the carrier did not answer in time", "have the person try again"),
    known(Code::Infobip(2050), "the number is on the carrier's list of those that want no messages", "have the person ask their carrier"),
    known(Code::Infobip(2052), "the number is on a blocklist", "take it off in Infobip's portal"),
    known(Code::Infobip(4097), "Infobip did not pass the message on", "ask Infobip with the message id, if it happens often"),
    known(Code::Infobip(4098), "the passcode expired before the phone could be reached", "have the person try again"),
    known(Code::Infobip(4100), "Infobip gave the message up", "ask Infobip with the message id, if it happens often"),
    known(Code::Infobip(5001), "a mailbox or another machine answered the call, and may have the passcode", "have the person answer, or enrol another number"),
    known(Code::Infobip(5002), "the line was busy", "have the person try again"),
    known(Code::Infobip(5003), "nobody answered the call", "have the person try again"),
    known(Code::Infobip(5492), "the carrier takes it for one that it has delivered", "have the person try again with a new passcode"),
    known(Code::Infobip(10002), "a mailbox or another machine answered the call, and may have the passcode", "have the person answer, or enrol another number"),
    known(Code::Infobip(10200), "nobody answered the call", "have the person try again"),
    known(Code::Infobip(10201), "the line was busy", "have the person try again"),
    known(Code::Infobip(10203), "the person declined the call", "have the person try again"),
    known(Code::Infobip(10300), "the account may not call this number", "ask Infobip for the destination, or give the country to another provider"),
    known(Code::Infobip(10301), "the account has no credit", "top it up in Infobip's portal"),
    known(Code::InfobipStatus(4), "refused by the carrier", "ask Infobip with the message id, if it happens often"),
    known(Code::InfobipStatus(6), "the account has no way to the recipient's network", "ask Infobip for the network, or give the country to another provider"),
    known(Code::InfobipStatus(8), "the recipient's number is not valid", "have the person enrol the number again"),
    known(Code::InfobipStatus(9), "the phone could not be reached, or nobody has the number", "have the person try again, or enrol another number"),
    known(Code::InfobipStatus(10), "the recipient is on a list of those that want no messages", "have the person ask their carrier"),
    known(Code::InfobipStatus(11), "the sender is not registered on the account", "register it in Infobip's portal, or look at providers.senders"),
    known(Code::InfobipStatus(12), "the account has no credit", "top it up in Infobip's portal"),
    known(Code::InfobipStatus(13), "the sender is on a blocklist", "take it off in Infobip's portal, or give the country another sender in providers.senders"),
    known(Code::InfobipStatus(14), "the recipient is on a blocklist", "take the number off in Infobip's portal"),
    known(Code::InfobipStatus(15), "the passcode expired before the phone could be reached", "have the person try again"),
    known(Code::InfobipStatus(17), "the account's prepaid package has ended", "renew it in Infobip's portal"),
    known(Code::InfobipStatus(18), "the account is a trial, which reaches registered numbers only", "have Infobip end the trial"),
    known(Code::InfobipStatus(19), "the account has no route to the recipient", "ask Infobip for the route, or give the country to another provider"),
    known(Code::InfobipStatus(20), "too many messages to this number", "have the person wait for an hour"),
    known(Code::InfobipStatus(21), "Infobip failed", "have the person try again"),
    known(Code::InfobipStatus(25), "the text is too long", "shorten the template, or lower message.max_segments"),
    known(Code::InfobipStatus(31), "Infobip did not send it", "ask Infobip with the message id, if it happens often"),
    known(Code::InfobipStatus(52), "the recipient's number is not valid", "have the person enrol the number again"),
    known(Code::InfobipStatus(54), "Infobip has no voice for the language", "ask Infobip with the message id"),
    known(Code::InfobipStatus(55), "the call had nothing to say", "look at voice.templates"),
    known(Code::InfobipStatus(87), "blocked as fraud", "look for pumping, then ask Infobip with the message id"),
    known(Code::InfobipStatus(91), "Infobip can't say the text", "look at voice.templates"),
    known(Code::InfobipStatus(96), "nobody answered the call", "have the person try again"),
    known(Code::InfobipStatus(97), "the line was busy", "have the person try again"),
    known(Code::InfobipStatus(98), "the call was cancelled", "have the person try again"),
    known(Code::InfobipStatus(99), "the person declined the call", "have the person try again"),
    known(Code::InfobipStatus(100), "Infobip refused the request, or can't send right now", "ask Infobip with the message id, if it happens often"),
    known(Code::Telesign(101), "nobody answered the call", "have the person try again"),
    known(Code::Telesign(104), "the number can't be called", "have the person enrol the number again"),
    known(Code::Telesign(106), "the call did not come about", "have the person try again"),
    known(Code::Telesign(107), "the line was busy", "have the person try again"),
    known(Code::Telesign(108), "Telesign gave the call up", "have the person try again"),
    known(Code::Telesign(129), "blocked by a rule of yours at Telesign", "take the number off in Telesign's portal"),
    known(Code::Telesign(130), "blocked by Telesign's own list", "have the person enrol another number, or ask Telesign"),
    known(Code::Telesign(201), "delivered, and Telesign suspects that the number is pumped", "look for pumping"),
    known(Code::Telesign(207), "the phone did not take the message", "have the person try again"),
    known(Code::Telesign(210), "the phone could not take the message for now", "have the person try again"),
    known(Code::Telesign(211), "the phone takes no messages", "have the person enrol another number"),
    known(Code::Telesign(220), "Telesign has no way to the recipient's network", "ask Telesign for the network, or give the country to another provider"),
    known(Code::Telesign(221), "it expired before the phone could be reached", "have the person try again: it is off or without network"),
    known(Code::Telesign(222), "the number takes no SMS", "have the person enrol another number"),
    known(Code::Telesign(229), "blocked by a rule of yours at Telesign", "take the number off in Telesign's portal"),
    known(Code::Telesign(230), "blocked by Telesign's own list", "have the person enrol another number, or ask Telesign"),
    known(Code::Telesign(231), "the carrier does not take what it says", "look at the text and at the sender's registration with the carrier"),
    known(Code::Telesign(233), "blocked for the number's risk", "look for pumping, then ask Telesign with the message id"),
    known(Code::Telesign(237), "the account sends nothing to the recipient's country", "ask Telesign for the country, or give it to another provider"),
    known(Code::Telesign(238), "the account sends nothing to numbers that begin like this one", "look for pumping, then ask Telesign with the message id"),
    known(Code::Telesign(250), "the carrier does not say whether it arrived", "nothing to do: it may have been delivered"),
    known(Code::Telesign(251), "the carrier gave no report within 12 hours", "nothing to do: it may have been delivered"),
    known(Code::Telesign(500), "Telesign did not try to send it", "ask Telesign with the message id, if it happens often"),
    known(Code::Telesign(501), "the account may not send it", "ask Telesign to enable SMS for the account"),
    known(Code::Telesign(502), "the sender's campaign is not registered with the carrier", "register it with Telesign"),
    known(Code::Telesign(503), "the carrier failed for now", "have the person try again"),
    known(Code::Telesign(504), "refused by the carrier", "ask Telesign with the message id, if it happens often"),
    known(Code::Telesign(505), "Telesign's gateway failed for now", "have the person try again"),
    known(Code::Telesign(506), "refused by Telesign's gateway", "ask Telesign with the message id, if it happens often"),
    known(Code::Telesign(507), "the recipient's number is not valid", "have the person enrol the number again"),
    known(Code::Telesign(508), "the sender is not valid", "look at providers.senders"),
    known(Code::Telesign(509), "Telesign or the carrier does not take the request", "ask Telesign with the message id"),
    known(Code::Telesign(510), "the recipient has opted out", "have the person opt in again with the sender's number"),
    known(Code::Telesign(511), "the phone's contract has no credit left", "have the person top it up"),
    known(Code::Telesign(512), "the phone is abroad, where it gets no messages", "have the person use another factor"),
    known(Code::Telesign(513), "the number was taken along to another carrier", "have the person try again later"),
    known(Code::Telesign(514), "the phone could not be reached", "have the person try again: it is off or without network"),
    known(Code::Telesign(515), "the carrier takes it for spam", "look at the text and at the sender's registration with the carrier"),
    known(Code::Telesign(517), "the ids of India's carriers are not registered", "look at india_dlt"),
    known(Code::Telesign(518), "the phone's SIM card was changed of late", "have the person use another factor"),
    known(Code::Telesign(519), "whether the SIM card was changed could not be checked", "have the person try again, or ask Telesign"),
    known(Code::Telesign(520), "what it says is not allowed", "look at message.templates"),
    known(Code::Telesign(521), "the account does not have the sender", "have Telesign register it, or look at providers.senders"),
    known(Code::Telesign(599), "Telesign does not know what became of it", "nothing to do: it may have been delivered"),
    known(Code::Telesign(10000), "Telesign failed", "have the person try again"),
    known(Code::Telesign(10030), "the account has no credit", "top it up"),
    known(Code::Telesign(10031), "blocked by a rule of yours at Telesign", "take the number off in Telesign's portal"),
    known(Code::Telesign(10032), "blocked by Telesign's own list", "have the person enrol another number, or ask Telesign"),
    known(Code::Telesign(11000), "the recipient's number is not valid", "have the person enrol the number again"),
    known(Code::Twilio(21408), "the account may not send to the recipient's country", "allow it in the Messaging Geo Permissions of Twilio's console"),
    known(Code::Twilio(21610), "the recipient has opted out", "have the person send START to the sender"),
    known(Code::Twilio(21614), "the recipient's number takes no SMS", "have the person enrol a mobile number"),
    known(Code::Twilio(30001), "too many messages waited at Twilio", "spread messages over more senders"),
    known(Code::Twilio(30002), "the account is suspended", "look at Twilio's console"),
    known(Code::Twilio(30003), "the phone could not be reached", "have the person try again: it is off or without network"),
    known(Code::Twilio(30004), "the phone or its carrier blocks the message", "have the person ask their carrier"),
    known(Code::Twilio(30005), "nobody has the number, or it is out of use", "have the person enrol another number"),
    known(Code::Twilio(30006), "a landline, or a carrier that can't be reached", "have the person enrol a mobile number"),
    known(Code::Twilio(30007), "filtered by the carrier or by Twilio", "look at the text and at the sender's registration with the carrier"),
    known(Code::Twilio(30008), "the carrier gives no reason", "ask Twilio with the message id, if it happens often"),
    known(Code::Twilio(30017), "the carrier has too much to do", "have the person try again"),
    known(Code::Twilio(30018), "the sender is not registered in that country", "register it in Twilio's console, or take another sender"),
    known(Code::Twilio(30022), "the carrier takes no more messages from this sender", "spread messages over more senders, or ask for a higher limit"),
    known(Code::Twilio(30023), "the sender has no more messages left today", "ask for a higher limit of its registration (A2P 10DLC)"),
    known(Code::Twilio(30024), "the sender is not registered in that country", "register it in Twilio's console, or take another sender"),
    known(Code::Twilio(30027), "the sender has no more messages left today at this carrier", "ask for a higher limit of its registration (A2P 10DLC)"),
    known(Code::Twilio(30032), "the toll-free number is not verified", "finish the toll-free verification in Twilio's console"),
    known(Code::Twilio(30033), "the sender's registration with the carriers is suspended", "look at its campaign in Twilio's console (A2P 10DLC)"),
    known(Code::Twilio(30034), "the sender is not registered with the carriers", "register it in Twilio's console (A2P 10DLC)"),
    known(Code::Twilio(30035), "the sender's registration is not finished", "look at its campaign in Twilio's console (A2P 10DLC)"),
    known(Code::Twilio(30036), "the passcode expired before the message left Twilio", "have the person try again"),
    known(Code::Twilio(30410), "the carrier did not answer in time", "have the person try again"),
    known(Code::Twilio(30450), "blocked as fraud", "look for pumping, and at SMS Pumping Protection in Twilio's console"),
];

const fn known(code: Code, meaning: &'static str, fix: &'static str) -> Known {
    Known { code, meaning, fix }
}

/// What a code means; `None` for one that is not documented.
pub fn look_up(code: Code) -> Option<&'static Known> {
    CODES.iter().find(|known| known.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_each_is_found() {
        assert!(CODES.is_sorted_by_key(|known| known.code));
        assert!(CODES.iter().all(|known| look_up(known.code) == Some(known)));
        assert_eq!(look_up(Code::Acs(4011)), None);
        assert_eq!(look_up(Code::Acs(27)), None, "Infobip's are others");
    }
}
