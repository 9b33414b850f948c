//! The values in the key-value stores: each is one type in postcard's format, after a byte with its version.
//!
//! A value that another version wrote, or that cannot be read for any other reason, counts as absent.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bytes of a value.
pub fn write<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    // Only a type that cannot tell its own length fails, and no value has one.
    postcard::to_allocvec(&(version, value)).unwrap_or_default()
}

/// Reads what [`write()`] wrote. `None` if the version differs, if the bytes are not such a value, or if more
/// bytes follow it.
pub fn read<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Option<T> {
    let value = bytes.strip_prefix(&[version])?;
    match postcard::take_from_bytes(value) {
        Ok((value, [])) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_as_it_was_written_and_not_if_it_is_cut_longer_or_of_another_version() {
        let value = (vec![1_u64, u64::MAX], Some("text".to_owned()));
        let bytes = write(1, &value);
        assert_eq!(read(1, &bytes), Some(value));
        let unreadable = |bytes: &[u8]| read::<(Vec<u64>, Option<String>)>(1, bytes).is_none();
        for end in 0..bytes.len() {
            assert!(unreadable(&bytes[..end]), "{end}");
        }
        assert!(unreadable(&[&bytes[..], &[0]].concat()));
        assert!(unreadable(&[&[2], &bytes[1..]].concat()));
    }
}
