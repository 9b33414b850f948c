//! The two TOML documents of the configuration, `settings` and `secrets`: what the user's say, and what is
//! added to them for development. Where both say something, the user's counts.

use toml::{Table, Value};

/// The document; an empty one if the text is not TOML. That the component has to say.
pub fn read(text: &str) -> Table {
    text.parse().unwrap_or_default()
}

/// The text at a path such as `okta.oauth.issuer`.
pub fn text<'a>(document: &'a Table, path: &str) -> Option<&'a str> {
    let mut keys = path.split('.');
    let first = document.get(keys.next()?)?;
    keys.try_fold(first, |value, key| value.get(key))?.as_str()
}

/// The user's document with these entries in a section such as `okta.oauth`, as [`merge`] has it.
pub fn merge_section(user: &str, section: &str, entries: &[(&str, &str)]) -> String {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    let ours = section.rsplit('.').fold(Table::from_iter(entries), |inner, key| {
        Table::from_iter([(key.to_owned(), Value::Table(inner))])
    });
    merge(user, ours)
}

/// The user's document with what is in ours, but for what it has. One that is not TOML comes back as it is, and so do the
/// user's lines wherever they can: the component names them by their numbers.
pub fn merge(user: &str, ours: Table) -> String {
    let Ok(document) = user.parse::<Table>() else { return user.to_owned() };
    let added = missing(&document, ours);
    if added.is_empty() {
        return user.to_owned();
    }
    let appended = format!("{user}\n{added}");
    let mut merged = document;
    insert(&mut merged, added);
    // A table that the user has begun can't be begun once more.
    if appended.parse::<Table>().as_ref() == Ok(&merged) { appended } else { merged.to_string() }
}

/// What of `ours` the document does not say.
fn missing(document: &Table, ours: Table) -> Table {
    let of_entry = |(key, value): (String, Value)| match (document.get(&key), value) {
        (None, value) => Some((key, value)),
        (Some(Value::Table(inner)), Value::Table(ours)) => {
            let added = missing(inner, ours);
            (!added.is_empty()).then_some((key, Value::Table(added)))
        }
        _ => None,
    };
    ours.into_iter().filter_map(of_entry).collect()
}

/// Inserts what the document does not say.
fn insert(document: &mut Table, added: Table) {
    for (key, value) in added {
        match (document.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(added)) => insert(inner, added),
            (_, value) => _ = document.insert(key, value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [(&str, &str); 2] = [("issuer", "http://ours"), ("scope", "ours")];

    #[test]
    fn tables_are_merged_key_by_key_and_the_users_values_count() {
        for (user, merged) in [
            ("", "okta = { oauth = { issuer = 'http://ours', scope = 'ours' } }"),
            ("a = 1", "a = 1\nokta = { oauth = { issuer = 'http://ours', scope = 'ours' } }"),
            (
                "[okta]\ndeadline_ms = 900",
                "okta = { deadline_ms = 900, oauth = { issuer = 'http://ours', scope = 'ours' } }",
            ),
            (
                "[okta.oauth]\nscope = 'theirs'\nx = [1]",
                "okta = { oauth = { issuer = 'http://ours', scope = 'theirs', x = [1] } }",
            ),
            (
                "okta = { oauth = {} }\n[[providers]]\nname = 'a'",
                "providers = [{ name = 'a' }]\nokta.oauth = { issuer = 'http://ours', scope = 'ours' }",
            ),
            ("[okta.oauth]\nscope = 3\nissuer = ''", "okta.oauth = { scope = 3, issuer = '' }"),
            ("okta = 'no table'", "okta = 'no table'"),
        ] {
            let document = merge_section(user, "okta.oauth", &OURS);
            assert_eq!(document.parse::<Table>(), merged.parse(), "{user}: {document}");
        }
    }

    #[test]
    fn the_users_lines_keep_their_numbers() {
        for user in ["# mine\n\n[okta]\ndeadline_ms = 900 # soon", "b = 1\na = 2\n"] {
            let document = merge_section(user, "okta.oauth", &OURS);
            assert!(document.starts_with(user) && document.len() > user.len(), "{document}");
        }
        let complete = "[okta.oauth] # mine\nscope = ''\nissuer = ''";
        assert_eq!(merge_section(complete, "okta.oauth", &OURS), complete);
    }

    #[test]
    fn what_is_not_toml_is_passed_on_as_it_is() {
        for user in ["[okta", "{\"okta\": {}}", "a = 1\na = 2"] {
            assert_eq!(merge_section(user, "okta.oauth", &OURS), user);
            assert!(read(user).is_empty());
        }
    }

    #[test]
    fn a_text_is_found_by_its_path() {
        let document = read("a = 'x'\n[okta.oauth]\nscope = 's'\nn = 1");
        assert_eq!(text(&document, "a"), Some("x"));
        assert_eq!(text(&document, "okta.oauth.scope"), Some("s"));
        for path in ["b", "okta", "okta.oauth.n", "okta.oauth.scope.x", "a.x"] {
            assert_eq!(text(&document, path), None, "{path}");
        }
    }
}
