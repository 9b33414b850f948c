//! What became of the newest messages.

mod ask;

pub use self::ask::{Filter, filter, wants_html};
