//! Delivery reports, as Event Grid brings them.

pub mod auth;
