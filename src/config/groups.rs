//! Several variables of the application in one of the component, since each read of one is a call to the
//! host of 3 microseconds or more, and a hook reads 25.
//!
//! The attack: to have one variable's value taken for another's. So a group's text must have the names
//! themselves, all of them and in order: `NAME=VALUE` between separators. A value that holds the separator
//! makes the whole group unreadable, and nothing is sent.

use std::ops::Range;

use memchr::memchr_iter;

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

/// All of them. spin.toml's `[component.okta-telephony.variables]` has the same ones.
pub const GROUPS: [Group; 3] = [
    // What tells who calls: all that is read for a stranger.
    Group {
        name: "caller_settings",
        variables: &[
            "okta_response_format",
            "hook_deadline_ms",
            "okta_user",
            "okta_basic_secret",
            "okta_basic_secret_previous",
            "okta_header_name",
            "okta_header_secret",
            "okta_header_secret_previous",
            "okta_oauth_issuer",
            "okta_oauth_audience",
            "okta_oauth_scope",
            "okta_oauth_client_id",
            "okta_oauth_jwks_uri",
        ],
    },
    // What tells whether a message leaves, how, and what is remembered of it.
    Group {
        name: "message_settings",
        variables: &[
            "sending",
            "policy_mode",
            "policy_refusal_status",
            "allowed_countries",
            "blocked_countries",
            "blocked_prefixes",
            "enrollment_allowed_countries",
            "rate_limit_per_number",
            "rate_limit_per_user",
            "rate_limit_per_ip",
            "rate_limit_per_prefix",
            "rate_limit_total",
            "store_secret",
            "acs_connection_string",
            "acs_from_shortcode",
            "acs_senders",
            "acs_secondary_connection_string",
            "acs_secondary_senders",
            "acs_api_version",
            "message_template",
            "message_templates",
            "org_name",
            "web_otp_domain",
            "record_slots",
            "record_max_age",
            "applicationinsights_connection_string",
        ],
    },
    // What only the operator's pages and delivery reports need.
    Group {
        name: "other_settings",
        variables: &[
            "operator_user",
            "operator_secret",
            "operator_secret_previous",
            "report_secret",
            "report_secret_previous",
            "report_oauth_issuer",
            "report_oauth_audience",
            "report_oauth_scope",
            "report_oauth_client_id",
            "report_oauth_jwks_uri",
            "report_origin",
            "okta_oauth_host",
            "report_oauth_host",
            "extra_outbound_host",
            "applicationinsights_host",
        ],
    },
];

/// Where a variable is: the place of its group, and its own within that. It is looked for from `place` on,
/// since what is read one after the other is mostly in one group, in that order.
pub fn find(variable: &str, place: (usize, usize)) -> Option<(usize, usize)> {
    let (first_group, first) = place;
    for turn in 0..GROUPS.len() {
        let group = (first_group + turn) % GROUPS.len();
        let names = GROUPS[group].variables;
        let first = if turn == 0 { first.min(names.len()) } else { 0 };
        let mut places = (first..names.len()).chain(0..first);
        if let Some(at) = places.find(|at| names[*at] == variable) {
            return Some((group, at));
        }
    }
    None
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
        let mut values = Vec::with_capacity(self.variables.len());
        let mut start = 0;
        // By bytes: no part of a longer character is below 0x80.
        let mut ends = memchr_iter(SEPARATOR, text.as_bytes()).chain([text.len()]);
        for name in self.variables {
            let end = ends.next()?;
            let value = text[start..end].strip_prefix(name)?.strip_prefix('=')?;
            values.push(end - value.len()..end);
            start = end + 1;
        }
        ends.next().is_none().then_some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VARIABLES;

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
    fn each_variable_is_in_one_group() {
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|group| group.variables).collect();
        let mut all: Vec<_> = VARIABLES.iter().collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn a_variable_is_found_from_anywhere() {
        for place in [(0, 0), (1, 15), (1, 16), (2, 99)] {
            assert_eq!(find("acs_senders", place), Some((1, 15)), "{place:?}");
            assert_eq!(find("okta_user", place), Some((0, 2)), "{place:?}");
            assert_eq!(find("acs", place), None);
        }
    }
}
