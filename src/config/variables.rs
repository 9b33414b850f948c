//! The variables. Several of the application's are one of the component's, a group, since each read is a call
//! to the host of 3 microseconds or more, and a hook needs 25.
//!
//! The attack: to have one variable's value taken for another's. So a group's text must have the names
//! themselves, all of them and in order: `NAME=VALUE` between separators. A value that holds the separator
//! makes the whole group unreadable, and nothing is sent that would need it.

use std::ops::Range;

/// What stands between two variables of a group: INFORMATION SEPARATOR TWO, "record separator" (ECMA-48),
/// which nobody types.
const SEPARATOR: u8 = 0x1e;

/// Variables that are read at once.
pub struct Group {
    /// The component's variable.
    pub name: &'static str,
    /// The application's variables in it, in order.
    pub variables: &'static [&'static str],
}

/// The group of what is read for every caller.
const CALLER: usize = 0;
/// The group of other ways of proof: of what a header or tokens need, and of secrets that were valid until the
/// last change.
const PROOF: usize = 1;
/// The group of what every message needs.
const MESSAGE: usize = 2;
/// The group of what an enrolment needs besides.
const ENROLLMENT: usize = 3;
/// The group of what only a refusal of the policy, a second resource or a text with `${org}` needs.
const CONDITIONAL: usize = 4;
/// The group of what only the operator's pages and delivery reports need.
const OTHER: usize = 5;

/// Each variable, and the group in which it is read.
const TABLE: [(&str, usize); 54] = [
    ("okta_user", CALLER),
    ("okta_basic_secret", CALLER),
    ("okta_basic_secret_previous", PROOF),
    ("okta_header_name", PROOF),
    ("okta_header_secret", CALLER),
    ("okta_header_secret_previous", PROOF),
    ("okta_oauth_issuer", CALLER),
    ("okta_oauth_audience", PROOF),
    ("okta_oauth_scope", PROOF),
    ("okta_oauth_client_id", PROOF),
    ("okta_oauth_jwks_uri", PROOF),
    ("okta_oauth_host", OTHER),
    ("okta_response_format", CALLER),
    ("hook_deadline_ms", CALLER),
    ("acs_connection_string", MESSAGE),
    ("acs_from_shortcode", MESSAGE),
    ("acs_senders", MESSAGE),
    ("acs_secondary_connection_string", MESSAGE),
    ("acs_secondary_senders", CONDITIONAL),
    ("acs_api_version", MESSAGE),
    ("extra_outbound_host", OTHER),
    ("sending", MESSAGE),
    ("policy_mode", CONDITIONAL),
    ("policy_refusal_status", CONDITIONAL),
    ("allowed_countries", MESSAGE),
    ("blocked_countries", MESSAGE),
    ("blocked_prefixes", MESSAGE),
    ("enrollment_allowed_countries", ENROLLMENT),
    ("rate_limit_per_number", MESSAGE),
    ("rate_limit_per_user", MESSAGE),
    ("rate_limit_per_ip", MESSAGE),
    ("rate_limit_per_prefix", ENROLLMENT),
    ("rate_limit_total", MESSAGE),
    ("store_secret", MESSAGE),
    ("message_template", MESSAGE),
    ("message_templates", MESSAGE),
    ("org_name", CONDITIONAL),
    ("web_otp_domain", MESSAGE),
    ("operator_user", OTHER),
    ("operator_secret", OTHER),
    ("operator_secret_previous", OTHER),
    ("report_secret", OTHER),
    ("report_secret_previous", OTHER),
    ("report_oauth_issuer", OTHER),
    ("report_oauth_audience", OTHER),
    ("report_oauth_scope", OTHER),
    ("report_oauth_client_id", OTHER),
    ("report_oauth_jwks_uri", OTHER),
    ("report_oauth_host", OTHER),
    ("report_origin", OTHER),
    ("record_slots", MESSAGE),
    ("record_max_age", MESSAGE),
    ("applicationinsights_connection_string", MESSAGE),
    ("applicationinsights_host", OTHER),
];

/// All groups. spin.toml's `[component.okta-telephony.variables]` has the same ones.
pub static GROUPS: [Group; 6] = [
    Group { name: "caller_settings", variables: &of_group::<{ size(CALLER) }>(CALLER) },
    Group { name: "proof_settings", variables: &of_group::<{ size(PROOF) }>(PROOF) },
    Group { name: "message_settings", variables: &of_group::<{ size(MESSAGE) }>(MESSAGE) },
    Group { name: "enrollment_settings", variables: &of_group::<{ size(ENROLLMENT) }>(ENROLLMENT) },
    Group {
        name: "conditional_settings",
        variables: &of_group::<{ size(CONDITIONAL) }>(CONDITIONAL),
    },
    Group { name: "other_settings", variables: &of_group::<{ size(OTHER) }>(OTHER) },
];

/// Every variable that the hook reads, in the order of spin.toml.
pub static VARIABLES: [&str; TABLE.len()] = {
    let mut names = [""; TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        names[at] = TABLE[at].0;
        at += 1;
    }
    names
};

const fn size(group: usize) -> usize {
    let (mut size, mut at) = (0, 0);
    while at < TABLE.len() {
        size += (TABLE[at].1 == group) as usize;
        at += 1;
    }
    size
}

const fn of_group<const SIZE: usize>(group: usize) -> [&'static str; SIZE] {
    let mut names = [""; SIZE];
    let (mut size, mut at) = (0, 0);
    while at < TABLE.len() {
        if TABLE[at].1 == group {
            names[size] = TABLE[at].0;
            size += 1;
        }
        at += 1;
    }
    names
}

/// Where a variable is: the place of its group, and its own within that. It is looked for at `place` first,
/// since what is read one after the other is mostly in one group, in that order.
pub fn find(variable: &str, place: (usize, usize)) -> Option<(usize, usize)> {
    // One text in the source is mostly one in the module, so that its address tells it without its letters.
    let is_it = |name: &&str| std::ptr::eq(*name, variable) || *name == variable;
    let (group, at) = place;
    if GROUPS.get(group).and_then(|it| it.variables.get(at)).is_some_and(is_it) {
        return Some(place);
    }
    let mut groups = GROUPS.iter().enumerate();
    groups.find_map(|(group, it)| Some((group, it.variables.iter().position(is_it)?)))
}

impl Group {
    /// Where in the group's text each value is, in order; `None` if the text is not of this group.
    ///
    /// ```
    /// use okta_telephony_acs::config::Group;
    ///
    /// let group = Group { name: "both", variables: &["one", "other"] };
    /// assert_eq!(group.values("one=1\u{1e}other="), Some(vec![4..5, 12..12]));
    /// assert_eq!(group.values("other=\u{1e}one=1"), None);
    /// ```
    pub fn values(&self, text: &str) -> Option<Vec<Range<usize>>> {
        // By bytes: no part of a longer character is below 0x80.
        let text = text.as_bytes();
        let mut values = Vec::with_capacity(self.variables.len());
        let mut start = 0;
        for name in self.variables {
            let rest = text.get(start..)?.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            let length = rest.iter().take_while(|byte| **byte != SEPARATOR).count();
            let end = text.len() - rest.len() + length;
            values.push(end - length..end);
            start = end + 1;
        }
        (start > text.len()).then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Group = Group { name: "both", variables: &["a", "b"] };

    #[test]
    fn a_text_that_is_not_of_the_group_has_no_values() {
        for text in [
            "",
            "a=1",
            "a=1\u{1e}b",
            "a1\u{1e}b2",
            "a=1\u{1e}b=2\u{1e}",
            "a=1\u{1e}\u{1e}b=2",
            "a=\u{1e}b=\u{1e}b=",
        ] {
            assert_eq!(BOTH.values(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_value_may_hold_anything_but_the_separator() {
        let text = "a==\u{1f}é\u{1e}b= ,{}\n";
        let values = BOTH.values(text).unwrap();
        assert_eq!(
            values.into_iter().map(|value| &text[value]).collect::<Vec<_>>(),
            ["=\u{1f}é", " ,{}\n"]
        );
    }

    #[test]
    fn a_variable_is_found_from_anywhere() {
        for place in [(0, 0), (2, 2), (2, 15), (5, 99), (6, 0)] {
            assert_eq!(find("acs_senders", place), Some((2, 2)), "{place:?}");
            assert_eq!(find("okta_user", place), Some((0, 0)), "{place:?}");
            assert_eq!(find("acs", place), None);
        }
    }
}
