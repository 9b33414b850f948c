//! JSON (RFC 8259), without what the component has no use for.

pub mod write;
