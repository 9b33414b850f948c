//! Delivery reports: what the carriers say became of the messages, as Azure Event Grid brings it.

pub mod auth;
pub mod event_grid;
