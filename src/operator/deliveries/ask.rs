//! What is asked for: which messages, and as a page or as JSON.

use crate::records::Status;

/// What the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// How many of the newest messages are looked at.
    pub limit: usize,
    /// The status of the messages that are listed; None lists all.
    pub status: Option<Status>,
    /// As JSON, for scripts, rather than as a page.
    pub json: bool,
}

impl Default for Query {
    fn default() -> Self {
        Self { limit: 500, status: None, json: false }
    }
}

/// What a query may hold.
const ALLOWED: &str = "The query may have limit, a number from 1 to 1000, status, which is accepted, delivered, \
                       failed or unconfirmed, and format=json, each of them once.";

impl Query {
    /// The highest `limit`.
    pub const MOST: usize = 1000;

    /// Reads what follows the `?`. The error is for the operator.
    ///
    /// ```
    /// use okta_telephony_acs::operator::deliveries::Query;
    ///
    /// let query = Query::parse("limit=20&format=json").unwrap();
    /// assert_eq!((query.limit, query.json), (20, true));
    /// assert!(Query::parse("limit=many").unwrap_err().contains("from 1 to 1000"));
    /// ```
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let (mut limit, mut status, mut format) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let twice = match &*name {
                "limit" => limit.replace(limit_of(&value).ok_or(ALLOWED)?).is_some(),
                "status" => status.replace(status_of(&value).ok_or(ALLOWED)?).is_some(),
                "format" if value == "json" => format.replace(()).is_some(),
                _ => return Err(ALLOWED),
            };
            if twice {
                return Err(ALLOWED);
            }
        }
        let limit = limit.unwrap_or(Self::default().limit);
        Ok(Self { limit, status, json: format.is_some() })
    }
}

fn limit_of(value: &str) -> Option<usize> {
    value.parse().ok().filter(|limit| (1..=Query::MOST).contains(limit))
}

fn status_of(value: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_or_refused_with_what_it_may_hold() {
        let all = Query::default();
        let json = Query { json: true, ..all };
        for (query, expected) in [
            ("", Some(all)),
            ("&", Some(all)),
            ("limit=1", Some(Query { limit: 1, ..all })),
            (
                "limit=1000&status=failed",
                Some(Query { limit: 1000, status: Some(Status::Failed), ..all }),
            ),
            ("status=accepted&", Some(Query { status: Some(Status::Accepted), ..all })),
            ("status=%66ailed", Some(Query { status: Some(Status::Failed), ..all })),
            ("format=json", Some(json)),
            ("format=json&limit=5", Some(Query { limit: 5, ..json })),
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
            ("format=html", None),
            ("format=JSON", None),
            ("format=json&format=json", None),
            ("from=5", None),
            ("limit=5;status=failed", None),
        ] {
            assert_eq!(Query::parse(query).ok(), expected, "{query}");
        }
        let text = Query::parse("from=5").unwrap_err();
        assert!(text.contains(&format!("limit, a number from 1 to {}", Query::MOST)), "{text}");
        assert!(Status::ALL.iter().all(|status| text.contains(status.name())), "{text}");
    }

    #[test]
    fn every_status_can_be_asked_for_by_its_name() {
        for status in Status::ALL {
            let query = format!("status={}", status.name());
            assert_eq!(Query::parse(&query).unwrap().status, Some(status));
        }
    }
}
