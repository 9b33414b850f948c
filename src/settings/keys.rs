//! Every key that the two documents may hold, and what its value must be: what a wrong value is told, what
//! an unknown key is compared with, and what docs/settings.md is held to.

use super::findings::Place;

/// A key that a document may hold.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The document.
    pub place: Place,
    /// Its path. A `*` stands for a name that the owner chooses, `[]` for an entry of a list of tables.
    pub path: &'static str,
    /// What its value must be, as in "must be …".
    pub expected: &'static str,
    /// It has keys of its own.
    pub is_table: bool,
    /// It is a list of tables.
    pub is_list_of_tables: bool,
}

const fn value(place: Place, path: &'static str, expected: &'static str) -> Key {
    Key { place, path, expected, is_table: false, is_list_of_tables: false }
}

const fn table(place: Place, path: &'static str, expected: &'static str) -> Key {
    Key { place, path, expected, is_table: true, is_list_of_tables: false }
}

use Place::{Secrets, Settings};

const RATE: &str = "COUNT/WINDOW with s, m, h or d, such as \"5/10m\", or \"\" for no limit";
const COUNTRIES: &str = "a list of countries of two letters, such as [\"US\", \"GB\"] (not \"UK\")";
const SENDER: &str = "a short code of 5 or 6 digits, a number with +, a name of at most 11 letters, digits and \
                      spaces, or the SID of a Messaging Service of Twilio's, in quotes";
const SENDS: &str = "a whole number from 1 to 10000, without quotes";
const USED: &str = "a number from 0.0 to 0.5 such as 0.05, without quotes";
const SECRET: &str = "a text in quotes, without white space around it";

/// All of them, in the order of the samples.
pub const KEYS: &[Key] = &[
    value(
        Settings,
        "public_url",
        "an https:// URL in quotes, whose host is a name of the public DNS, without user, query and fragment, such as \"https://hook.example.com\"",
    ),
    table(Settings, "okta", "a table, [okta]"),
    value(Settings, "okta.response_format", "\"auto\", \"documented\" or \"classic\""),
    value(Settings, "okta.deadline_ms", "a whole number from 500 to 2800, without quotes"),
    value(
        Settings,
        "okta.header_name",
        "a header that Okta can send and no proxy takes away or writes: \"Authorization\", or one such as \
         \"x-okta-key\"",
    ),
    table(Settings, "okta.oauth", "a table, [okta.oauth]"),
    value(Settings, "okta.oauth.issuer", "an https:// URL in quotes"),
    value(Settings, "okta.oauth.audience", "a text in quotes"),
    value(Settings, "okta.oauth.client_id", "a text in quotes"),
    value(Settings, "okta.oauth.scope", "a text in quotes"),
    value(Settings, "okta.oauth.jwks_uri", "an https:// URL in quotes"),
    table(Settings, "policy", "a table, [policy]"),
    value(Settings, "policy.sending", "true or false, without quotes"),
    value(Settings, "policy.mode", "\"enforce\" or \"observe\""),
    value(Settings, "policy.refusal_status", "\"failed\" or \"successful\""),
    value(Settings, "policy.allowed_countries", COUNTRIES),
    value(Settings, "policy.blocked_countries", COUNTRIES),
    value(Settings, "policy.enrollment_allowed_countries", COUNTRIES),
    value(
        Settings,
        "policy.blocked_prefixes",
        "a list of beginnings of numbers, such as [\"+881\", \"+44900\"]",
    ),
    table(Settings, "limits", "a table, [limits]"),
    value(Settings, "limits.per_number", RATE),
    value(Settings, "limits.per_user", RATE),
    value(Settings, "limits.per_ip", RATE),
    value(Settings, "limits.per_prefix", RATE),
    value(Settings, "limits.total", RATE),
    value(Settings, "limits.enrollment_total", RATE),
    value(Settings, "limits.calls_per_number", RATE),
    value(Settings, "limits.calls_total", RATE),
    table(Settings, "message", "a table, [message]"),
    value(Settings, "message.org_name", "a text in quotes"),
    value(Settings, "message.web_otp_domain", "a web site's name in quotes"),
    value(Settings, "message.max_segments", "a whole number from 1 to 10, without quotes"),
    table(Settings, "message.templates", "a table, [message.templates]"),
    value(Settings, "message.templates.*", "a text in quotes, with ${code} in it"),
    table(Settings, "voice", "a table, [voice]"),
    table(Settings, "voice.templates", "a table, [voice.templates]"),
    value(Settings, "voice.templates.*", "a text in quotes, with ${code} in it"),
    Key {
        place: Settings,
        path: "providers",
        expected: "a list of tables, [[providers]]",
        is_table: true,
        is_list_of_tables: true,
    },
    table(Settings, "providers[]", "a table, [[providers]]"),
    value(Settings, "providers[].kind", "\"acs\", \"infobip\", \"telesign\" or \"twilio\""),
    value(
        Settings,
        "providers[].name",
        "a name of lower-case letters, digits and -, which no other provider has",
    ),
    value(Settings, "providers[].api_version", "a version such as \"2021-03-07\""),
    table(Settings, "providers[].messaging_connect", "a table, [providers.messaging_connect]"),
    value(
        Settings,
        "providers[].messaging_connect.partner",
        "the partner's name as ACS has it, such as \"infobip\"",
    ),
    value(
        Settings,
        "providers[].delivery_report_timeout",
        "a whole number with s, m or h, from \"1m\" to \"12h\"",
    ),
    value(
        Settings,
        "providers[].base_url",
        "the account's own URL at Infobip, such as \"https://abc12.api.infobip.com\", or that of its type at Telesign, \
         \"https://rest-ww.telesign.com\" or \"https://rest-api.telesign.com\", or a region's at Twilio, such as \
         \"https://api.dublin.ie1.twilio.com\"",
    ),
    value(
        Settings,
        "providers[].customer_id",
        "the Customer ID from Telesign's portal, such as \"FFFFFFFF-EEEE-DDDD-1234-AB1234567890\"",
    ),
    value(Settings, "providers[].idempotent", "true or false, without quotes"),
    table(Settings, "providers[].india_dlt", "a table, [providers.india_dlt]"),
    value(Settings, "providers[].india_dlt.principal_entity_id", "digits in quotes"),
    value(Settings, "providers[].india_dlt.content_template_id", "digits in quotes"),
    value(Settings, "providers[].india_dlt.telemarketer_id", "digits in quotes"),
    value(Settings, "providers[].account_sid", "AC and 32 hexadecimal digits, in quotes"),
    value(Settings, "providers[].countries", COUNTRIES),
    value(Settings, "providers[].share", "a number from 0.0 to 1.0 such as 0.05, without quotes"),
    table(Settings, "providers[].senders", "a table, [providers.senders]"),
    value(Settings, "providers[].senders.*", SENDER),
    value(Settings, "providers[].voice", "true or false, without quotes"),
    value(
        Settings,
        "providers[].voice_from",
        "the number that calls come from, with + and the country code, in quotes",
    ),
    value(Settings, "providers[].feedback", "true or false, without quotes"),
    table(Settings, "reports", "a table, [reports]"),
    value(Settings, "reports.ask_acs", "true or false, without quotes"),
    table(Settings, "reports.oauth", "a table, [reports.oauth]"),
    value(Settings, "reports.oauth.issuer", "an https:// URL in quotes"),
    value(Settings, "reports.oauth.audience", "a text in quotes"),
    value(Settings, "reports.oauth.client_id", "a text in quotes"),
    value(Settings, "reports.oauth.scope", "a text in quotes"),
    value(Settings, "reports.oauth.jwks_uri", "an https:// URL in quotes"),
    table(Settings, "records", "a table, [records]"),
    value(Settings, "records.slots", "a whole number from 0 to 100000, without quotes"),
    value(Settings, "records.max_age", "a whole number with m, h or d, from \"1m\" to \"366d\""),
    table(Settings, "canary", "a table, [canary]"),
    value(
        Settings,
        "canary.numbers",
        "a list of numbers with + and the country code, such as [\"+14255550123\"]",
    ),
    table(Settings, "guard", "a table, [guard]"),
    value(Settings, "guard.mode", "\"off\", \"shadow\" or \"enforce\""),
    value(Settings, "guard.home_countries", COUNTRIES),
    value(
        Settings,
        "guard.exempt_prefixes",
        "a list of beginnings of numbers, such as [\"+4930123\"]",
    ),
    value(
        Settings,
        "guard.lifted",
        "a list of blocks as the log names them, such as [\"b3f9a1c2\"], or of countries, such as [\"TN\"]",
    ),
    value(Settings, "guard.matures_after", "a whole number with s, m or h, from \"1s\" to \"6h\""),
    value(Settings, "guard.slots", "a whole number from 128 to 65536, without quotes"),
    table(Settings, "guard.block", "a table, [guard.block]"),
    value(Settings, "guard.block.sends", SENDS),
    value(Settings, "guard.block.numbers", SENDS),
    value(Settings, "guard.block.used", USED),
    table(Settings, "guard.country", "a table, [guard.country]"),
    value(Settings, "guard.country.sends", SENDS),
    value(Settings, "guard.country.numbers", SENDS),
    value(Settings, "guard.country.used", USED),
    table(Secrets, "okta", "a table, [okta]"),
    value(Secrets, "okta.basic_secret", SECRET),
    value(Secrets, "okta.basic_secret_previous", SECRET),
    value(Secrets, "okta.header_secret", SECRET),
    value(Secrets, "okta.header_secret_previous", SECRET),
    table(Secrets, "operator", "a table, [operator]"),
    value(Secrets, "operator.secret", SECRET),
    value(Secrets, "operator.secret_previous", SECRET),
    table(Secrets, "reports", "a table, [reports]"),
    value(Secrets, "reports.secret", SECRET),
    value(Secrets, "reports.secret_previous", SECRET),
    table(Secrets, "events", "a table, [events]"),
    value(Secrets, "events.secret", SECRET),
    value(Secrets, "events.secret_previous", SECRET),
    table(Secrets, "providers", "tables, [providers.NAME]"),
    table(Secrets, "providers.*", "a table, [providers.NAME]"),
    value(
        Secrets,
        "providers.*.api_key",
        "the API key from Infobip's or Telesign's portal, in quotes",
    ),
    value(
        Secrets,
        "providers.*.api_key_sid",
        "the SID of an API key from Twilio's console, SK and 32 hexadecimal digits, in quotes",
    ),
    value(Secrets, "providers.*.api_key_secret", "the secret of that API key, in quotes"),
    value(Secrets, "providers.*.auth_token", "the auth token from Twilio's console, in quotes"),
    value(
        Secrets,
        "providers.*.auth_token_previous",
        "the account's other auth token from Twilio's console, in quotes",
    ),
    value(
        Secrets,
        "providers.*.connection_string",
        "the connection string from the resource's page Keys, in quotes",
    ),
    table(Secrets, "providers.*.messaging_connect", "a table, [providers.NAME.messaging_connect]"),
    value(
        Secrets,
        "providers.*.messaging_connect.*",
        "what the partner wants to know by this name, such as its API key, in quotes",
    ),
    table(Secrets, "store", "a table, [store]"),
    value(Secrets, "store.secret", SECRET),
    table(Secrets, "application_insights", "a table, [application_insights]"),
    value(
        Secrets,
        "application_insights.connection_string",
        "the Connection String from the resource's page Overview, in quotes",
    ),
];

impl Key {
    /// The key of a path in which lists are counted, such as `providers[2].senders.GB`.
    pub fn of(place: Place, path: &str) -> Option<&'static Self> {
        let of_place = || KEYS.iter().filter(|key| key.place == place);
        of_place()
            .find(|key| key.path == path)
            .or_else(|| of_place().find(|key| is_of(path, key.path)))
    }
}

/// What a value is told that is not what it must be.
pub(super) fn must_be(place: Place, path: &str) -> String {
    let expected = Key::of(place, path).map_or("something else", |key| key.expected);
    format!("must be {expected}")
}

/// Whether this is the name of a table of either document.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.path == name)
}

fn is_of(path: &str, pattern: &str) -> bool {
    let (mut parts, mut patterns) = (path.split('.'), pattern.split('.'));
    loop {
        match (parts.next(), patterns.next()) {
            (None, None) => return true,
            (Some(part), Some(pattern)) => {
                let counted = |list| part.strip_prefix(list).is_some_and(|at| at.starts_with('['));
                let fits = part == pattern
                    || pattern == "*"
                    || pattern.strip_suffix("[]").is_some_and(counted)
                    // Of a list of values.
                    || counted(pattern);
                if !fits {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// The most edits by which a name may differ from the one that was meant.
const FARTHEST: usize = 3;

/// The known key that an unknown one is most like: one of the same table, or else the same name elsewhere.
pub(super) fn nearest(place: Place, unknown: &str) -> Option<String> {
    let (above, name) = unknown.rsplit_once('.').unwrap_or(("", unknown));
    let candidates = KEYS.iter().filter(|key| key.place == place).filter_map(|key| {
        let (of, last) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        let there = if of.is_empty() { above.is_empty() } else { is_of(above, of) };
        (there && !last.ends_with("[]") && last != "*").then_some(last)
    });
    let distance = |last: &str| strsim::damerau_levenshtein(name, last);
    let best = candidates
        .min_by_key(|last| distance(last))
        .filter(|last| distance(last) <= FARTHEST.min(last.len() / 2) || last.starts_with(name));
    if let Some(last) = best {
        let separator = if above.is_empty() { "" } else { "." };
        return Some([above, separator, last].concat());
    }
    let is_meant = |path: &str| {
        let last = path.rsplit('.').next().unwrap_or(path);
        !path.contains('*') && (last == name || path.replace('.', "_") == name)
    };
    let meant: Vec<_> = KEYS.iter().filter(|key| is_meant(key.path)).collect();
    let same = meant.iter().find(|key| key.path == unknown);
    let Key { place: found, path, .. } = same.or(meant.first())?;
    Some(if *found == place {
        (*path).to_owned()
    } else {
        format!("{path} of the {}", found.name())
    })
}
