//! Who signs in: people of an organization, and an attacker's accounts.
//!
//! Their numbers are fictional: 555-0100 to 555-0199 of an area code are "reserved for use in movies and television"
//! (North American Numbering Plan Administrator). None of them is one of the emulators' faults, which are of area code
//! 555.

/// The area codes of the organization's people. A hundred have numbers in each.
const AREAS: [u16; 10] = [202, 212, 213, 305, 312, 404, 415, 512, 617, 702];

/// The area code whose hundred numbers an attacker has hired: one block, since only their last two digits differ.
const ATTACKED_AREA: u16 = 646;

/// How many numbers an area code has.
pub const AREA_SIZE: usize = 100;

/// Somebody with an account at Okta, and a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Okta's id of them: 20 characters.
    pub user_id: String,
    pub login: String,
    pub name: String,
    /// In E.164 form.
    pub number: String,
    /// Where they sign in from.
    pub ip_address: String,
    /// Whether they type codes in; an attacker has none to type.
    pub is_attacker: bool,
}

impl Person {
    /// One of the organization. After a thousand they begin anew.
    pub fn member(place: usize) -> Self {
        let place = place % (AREAS.len() * AREA_SIZE);
        Self {
            user_id: format!("00u1person{place:010}"),
            login: format!("person.{place}@example.com"),
            name: format!("Person {place}"),
            number: number(AREAS[place % AREAS.len()], place / AREAS.len()),
            // Documentation addresses (RFC 5737).
            ip_address: format!("198.51.100.{}", place % 200 + 1),
            is_attacker: false,
        }
    }

    /// An account that an attacker has made for this attack. The numbers are the same each time.
    pub fn attacker(attack: usize, place: usize) -> Self {
        Self {
            user_id: format!("00u1attack{:04}{:06}", attack % 10_000, place % 1_000_000),
            login: format!("attacker.{attack}.{place}@example.com"),
            name: format!("Attacker {place}"),
            number: number(ATTACKED_AREA, place % AREA_SIZE),
            ip_address: format!("203.0.113.{}", place % 200 + 1),
            is_attacker: true,
        }
    }
}

/// One of the hundred fictional numbers of an area code.
fn number(area: u16, place: usize) -> String {
    format!("+1{area}55501{place:02}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everybody_has_an_account_and_a_number_of_their_own() {
        let people: Vec<_> = (0..1000).map(Person::member).collect();
        let users: BTreeSet<_> = people.iter().map(|person| &person.user_id).collect();
        let numbers: BTreeSet<_> = people.iter().map(|person| &person.number).collect();
        assert_eq!((users.len(), numbers.len()), (1000, 1000));
        assert_eq!(Person::member(1000), people[0]);
    }

    #[test]
    fn an_attack_has_new_accounts_each_time_and_a_hundred_numbers_of_one_block() {
        let attack = |number| (0..100).map(move |place| Person::attacker(number, place));
        let people: Vec<_> = attack(1).chain(attack(2)).collect();
        let users: BTreeSet<_> = people.iter().map(|person| &person.user_id).collect();
        let numbers: BTreeSet<_> = people.iter().map(|person| &person.number).collect();
        let blocks: BTreeSet<_> =
            numbers.iter().map(|number| &number[..number.len() - 4]).collect();
        assert_eq!((users.len(), numbers.len(), blocks.len()), (200, 100, 1));
        assert!(people.iter().all(|person| person.user_id.len() == 20));
    }
}
