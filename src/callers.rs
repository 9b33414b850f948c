//! Who calls: HTTP Basic, a header's secret, or an OAuth 2.0 bearer token; for Okta's hook, for
//! delivery reports and for the operator's pages alike.

pub mod auth;
pub mod bearer;
pub mod reporters;
