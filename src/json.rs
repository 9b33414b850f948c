//! JSON (RFC 8259): as much of it as the component has a use for.

pub mod read;
pub mod write;
