//! Okta's events: which passcodes were used, and what the hook can't see itself.

mod event;
mod method;

pub use self::event::{
    BODY_LIMIT, BadEvent, Delivery, Did, Event, NotADelivery, Said, UserId, parse,
};
