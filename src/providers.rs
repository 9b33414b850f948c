//! Who sends messages, and when a message fails over from one provider to the next.

pub mod acs;
pub mod failover;
