//! The members of a JSON object that somebody asks for, each there at most once.
//!
//! The attack: of two members with one name, the issuer means one and the reader takes the other
//! (RFC 7515, section 4; RFC 7519, section 4). A member that is `null` is there.

use std::borrow::Cow;

use crate::json::read::{Json, Unfit};

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    NotAnObject,
    DuplicateMember,
}

/// What a text says that is to be JSON in UTF-8.
pub(super) fn parse(json: &[u8]) -> Result<Json<'_>, Unreadable> {
    str::from_utf8(json).map_err(|_| Unreadable::NotAnObject)?;
    Json::parse(json).map_err(|_| Unreadable::NotAnObject)
}

/// The members with these names, in their order. All others are left alone.
pub(super) fn members<'a, const N: usize>(
    object: Json<'a>,
    names: [&'static str; N],
) -> Result<[Option<Json<'a>>; N], Unreadable> {
    let members = object.named(names).map_err(|unfit| match unfit {
        Unfit::NotAnObject => Unreadable::NotAnObject,
        Unfit::Twice(_) => Unreadable::DuplicateMember,
    })?;
    let readable = members.iter().flatten().all(|member| member.is_readable());
    if readable { Ok(members) } else { Err(Unreadable::NotAnObject) }
}

/// Whether the value is a list of nothing but texts, and this one is in it.
pub(super) fn lists(value: Json<'_>, text: &str) -> bool {
    let texts: Option<Vec<Cow<'_, str>>> =
        value.elements().and_then(|elements| elements.map(Json::text).collect());
    texts.is_some_and(|texts| texts.iter().any(|one| one == text))
}
