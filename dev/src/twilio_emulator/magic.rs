//! Twilio's own magic numbers, which test credentials know and no others ("Test credentials", Twilio). Nothing is sent with
//! them, no callback comes, and a Messaging Service can't be used.

use super::Resource;

/// The only sender that works.
const SENDER: &str = "+15005550006";

/// The code that a sender and a recipient bring together, if one of them does not work.
pub(super) fn code(resource: Resource, from: &str, to: &str) -> Option<u32> {
    match resource {
        Resource::Messages => of_sender(from).or(of_recipient(to)),
        Resource::Calls => of_caller(from).or(of_called(to)),
    }
}

fn of_caller(number: &str) -> Option<u32> {
    Some(match number {
        SENDER => return None,
        "+15005550001" => 21_212,
        _ => 21_210,
    })
}

fn of_called(number: &str) -> Option<u32> {
    Some(match number {
        "+15005550001" => 21_217,
        "+15005550002" => 21_214,
        "+15005550003" => 21_215,
        "+15005550004" => 21_216,
        _ => return None,
    })
}

fn of_sender(number: &str) -> Option<u32> {
    Some(match number {
        SENDER => return None,
        "+15005550001" => 21_212,
        "+15005550008" => 21_611,
        _ => 21_606,
    })
}

fn of_recipient(number: &str) -> Option<u32> {
    Some(match number {
        "+15005550001" => 21_211,
        "+15005550002" => 21_612,
        "+15005550003" => 21_408,
        "+15005550004" => 21_610,
        "+15005550009" => 21_614,
        _ => return None,
    })
}
