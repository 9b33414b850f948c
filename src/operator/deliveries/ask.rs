//! What is asked for: which messages, and as a page or as JSON.

use crate::records::Status;

/// Which messages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// How many of the newest are looked at.
    pub limit: usize,
    /// Only those of which this became are listed.
    pub status: Option<Status>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { limit: 500, status: None }
    }
}

impl Filter {
    /// The highest `limit`.
    pub const MOST: usize = 1000;
}

/// What a query may hold.
const QUERY: &str = "The query may have limit, a number from 1 to 1000, and status, which is accepted, delivered, \
                     failed or unconfirmed, each of them once.";

/// Reads a query, which is what follows the `?`. The error is for the operator.
///
/// No value that is allowed needs percent-encoding, so nothing is decoded.
///
/// ```
/// use okta_telephony_acs::operator::deliveries::{Filter, filter};
///
/// assert_eq!(filter("limit=20"), Ok(Filter { limit: 20, status: None }));
/// assert!(filter("limit=many").unwrap_err().contains("from 1 to 1000"));
/// ```
pub fn filter(query: &str) -> Result<Filter, &'static str> {
    let (mut limit, mut status) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("limit", value)) if limit.is_none() => {
                // Rust's numbers may begin with a plus sign, which is a space in a query.
                let number = value.parse().ok().filter(|_| !value.starts_with('+'));
                limit =
                    Some(number.filter(|number| (1..=Filter::MOST).contains(number)).ok_or(QUERY)?);
            }
            Some(("status", value)) if status.is_none() => {
                let named = Status::ALL.into_iter().find(|status| status.name() == value);
                status = Some(named.ok_or(QUERY)?);
            }
            _ => return Err(QUERY),
        }
    }
    Ok(Filter { limit: limit.unwrap_or(Filter::default().limit), status })
}

/// Whether the page is asked for rather than JSON, by the values of `Accept`: only if HTML is named,
/// and JSON is not named with more weight. A script that accepts anything gets JSON, and a header that
/// can't be read is as good as none.
///
/// ```
/// use okta_telephony_acs::operator::deliveries::wants_html;
///
/// assert!(wants_html(&[b"text/html, */*;q=0.8".to_vec()]));
/// assert!(!wants_html(&[b"*/*".to_vec()]));
/// ```
pub fn wants_html(accept: &[Vec<u8>]) -> bool {
    let (mut html, mut json) = (0, 0);
    for value in accept {
        let Ok(value) = str::from_utf8(value) else { return false };
        for range in value.split(',') {
            let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
            let weight = match name.trim().to_ascii_lowercase().as_str() {
                "text/html" | "application/xhtml+xml" => &mut html,
                "application/json" => &mut json,
                _ => continue,
            };
            let Some(named) = thousandths(parameters) else { return false };
            *weight = named.max(*weight);
        }
    }
    html > 0 && html >= json
}

/// The weight among a media range's parameters, in thousandths (RFC 9110, section 12.4.2).
fn thousandths(parameters: &str) -> Option<u32> {
    for parameter in parameters.split(';') {
        let Some((name, weight)) = parameter.split_once('=') else { continue };
        if !name.trim().eq_ignore_ascii_case("q") {
            continue;
        }
        let (whole, part) = weight.trim().split_once('.').unwrap_or((weight.trim(), ""));
        if part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = part.bytes().chain(*b"000").take(3);
        let part = part.fold(0, |part, digit| part * 10 + u32::from(digit - b'0'));
        return match (whole, part) {
            ("0", part) => Some(part),
            ("1", 0) => Some(1000),
            _ => None,
        };
    }
    Some(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused_with_what_it_may_hold() {
        let all = Filter::default();
        for (query, expected) in [
            ("", Some(all)),
            ("&", Some(all)),
            ("limit=1", Some(Filter { limit: 1, ..all })),
            (
                "limit=1000&status=failed",
                Some(Filter { limit: 1000, status: Some(Status::Failed) }),
            ),
            ("status=accepted&", Some(Filter { status: Some(Status::Accepted), ..all })),
            ("limit=0", None),
            ("limit=1001", None),
            ("limit=-1", None),
            ("limit=+1", None),
            ("limit=1.5", None),
            ("limit=99999999999999999999999", None),
            ("limit=", None),
            ("limit", None),
            ("limit=5&limit=5", None),
            ("status=Failed", None),
            ("status=", None),
            ("status=failed&status=failed", None),
            ("status=%66ailed", None),
            ("from=5", None),
            ("limit=5;status=failed", None),
        ] {
            assert_eq!(filter(query).ok(), expected, "{query}");
        }
        let text = filter("from=5").unwrap_err();
        assert!(text.contains(&format!("limit, a number from 1 to {}", Filter::MOST)), "{text}");
        assert!(Status::ALL.iter().all(|status| text.contains(status.name())), "{text}");
    }

    #[test]
    fn every_status_can_be_asked_for_by_its_name() {
        for status in Status::ALL {
            let query = format!("status={}", status.name());
            assert_eq!(filter(&query).unwrap().status, Some(status));
        }
    }

    #[test]
    fn browsers_get_the_page_and_scripts_get_json() {
        for (accept, expected) in [
            // Chrome and Edge.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,\
                 application/signed-exchange;v=b3;q=0.7",
                true,
            ),
            // Firefox and Safari.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            // Firefox until 131.
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,\
                 image/svg+xml,*/*;q=0.8",
                true,
            ),
            // Lynx and w3m.
            ("text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", true),
            ("text/html, text/*;q=0.5, image/*", true),
            // curl, wget and fetch() say this; axios and PowerShell's or Python's own habits follow.
            ("*/*", false),
            ("application/json, text/plain, */*", false),
            ("application/json", false),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", true), // Java's old default.
            ("", false),
            ("text/*", false),
            ("text/html;q=0", false),
            ("text/html;q=0.000", false),
            ("text/html;q=0.001", true),
            ("TEXT/HTML ; Q=1.000", true),
            ("application/xhtml+xml", true),
            ("text/html;charset=utf-8", true),
            ("text/html;level=1;q=0.4, application/json;q=0.5", false),
            ("text/html, application/json", true),
            ("text/html;q=0.9, application/json", false),
            ("application/json;q=0.5, text/html;q=0.5", true),
            ("text/html;q=0.5, application/xhtml+xml;q=0.9, application/json;q=0.8", true),
            // Unreadable.
            ("text/html;q=high", false),
            ("text/html;q=2", false),
            ("text/html;q=1.5", false),
            ("text/html;q=0.1234", false),
            ("text/html;q=-1", false),
            ("text/html;q=", false),
            ("text/html, application/json;q=high", false),
            ("text/htmlx", false),
            ("text/html/x", false),
        ] {
            assert_eq!(wants_html(&[accept.into()]), expected, "{accept}");
        }
    }

    #[test]
    fn all_values_of_accept_count() {
        assert!(!wants_html(&[]));
        assert!(wants_html(&[b"application/json;q=0.5".to_vec(), b"text/html".to_vec()]));
        assert!(!wants_html(&[b"text/html".to_vec(), b"\xff".to_vec()]));
    }
}
