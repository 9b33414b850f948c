//! The application's variables: who gives a value, what a template becomes, and what the guest reads.
//!
//! Names, templates and errors are Spin's (its crates `expressions` and `variables-env`), so that
//! what works here works there.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, anyhow, bail};

use super::manifest::Manifest;

/// The prefix of an environment variable that gives an application variable, as under Spin:
/// `SPIN_VARIABLE_OKTA_USER` gives `okta_user`.
const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// The values among `environment` (pairs of a name and a value) that belong to a variable the
/// manifest declares. Other names are passed over, as Spin does.
///
/// Pass `std::env::vars()`, or what [`read_dot_env`] returns; a test passes what it likes.
pub fn from_environment(
    manifest: &Manifest,
    environment: impl IntoIterator<Item = (String, String)>,
) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for (key, value) in environment {
        let Some(name) = key.strip_prefix(ENVIRONMENT_PREFIX) else {
            continue;
        };
        // Only upper case counts: Spin looks for the upper-cased name.
        let name_in_manifest = name.to_ascii_lowercase();
        if name == name.to_ascii_uppercase() && manifest.variables.contains_key(&name_in_manifest) {
            values.insert(name_in_manifest, value);
        }
    }
    values
}

/// The pairs in a `.env` file, none where there is no such file. The process environment stays as
/// it is.
///
/// # Errors
///
/// A line that is not `NAME=value` (comments, quotes and `export` are understood).
pub fn read_dot_env(path: &Path) -> Result<Vec<(String, String)>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| anyhow!("{file} can't be read: {error}"))?;
    dot_env_pairs(&text).collect::<dotenvy::Result<_>>().map_err(|error| match error {
        // Not the error's own text: it quotes the line, which may hold a secret.
        dotenvy::Error::LineParse(..) => anyhow!(
            "{file}: write each line as SPIN_VARIABLE_NAME=value, and a value with spaces or a $ in single quotes"
        ),
        error => anyhow!("{file} can't be read: {error}"),
    })
}

/// The pairs in the text of a `.env` file, which may begin with a byte order mark, as under Spin.
fn dot_env_pairs(text: &str) -> impl Iterator<Item = dotenvy::Result<(String, String)>> {
    dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes())
}

/// The names in a `.env` file whose values have a `$` that was taken for the name of a variable, as under Spin: that, and
/// what followed it, is mostly lost. Nothing is said of a file that can't be read, which [`read_dot_env`] tells.
pub fn expanded_in_dot_env(path: &Path) -> Vec<String> {
    // Two characters that no text has: for a `$`, and for one after a backslash.
    const PLAIN: char = '\u{e000}';
    const ESCAPED: char = '\u{e001}';
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let literal = text.replace("\\$", &ESCAPED.to_string()).replace('$', &PLAIN.to_string());
    let is_expanded = |value: &str, literal: &str| {
        let literal = literal.replace(PLAIN, "$");
        ["$", "\\$"].iter().all(|escaped| literal.replace(ESCAPED, escaped) != value)
    };
    let values = dot_env_pairs(&text).map_while(Result::ok);
    let literals = dot_env_pairs(&literal).map_while(Result::ok);
    let pairs = values.zip(literals);
    let expanded = pairs.filter(|((_, value), (_, literal))| is_expanded(value, literal));
    expanded.map(|((name, _), _)| name).collect()
}

/// The application's variables, each with its value.
#[derive(Debug)]
pub(super) struct Values<'a> {
    manifest: &'a Manifest,
    values: BTreeMap<&'a str, &'a str>,
}

impl<'a> Values<'a> {
    /// What was said, over the manifest's defaults.
    ///
    /// # Errors
    ///
    /// A value for a variable that the manifest doesn't declare, or a required variable without one.
    pub fn new(manifest: &'a Manifest, said: &'a BTreeMap<String, String>) -> Result<Self> {
        let file = manifest.path.display();
        for name in said.keys() {
            if !manifest.variables.contains_key(name) {
                bail!(
                    "there is no variable `{name}`: declare it under [variables] in {file}, or set one of {}",
                    manifest.variables.keys().cloned().collect::<Vec<_>>().join(", "),
                );
            }
        }
        let mut values = BTreeMap::new();
        for (name, variable) in &manifest.variables {
            match said.get(name).or(variable.default.as_ref()) {
                Some(value) => values.insert(name.as_str(), value.as_str()),
                None => bail!(
                    "the variable `{name}` is required by {file} and has no value: give one with \
                     --variable {name}=VALUE or {ENVIRONMENT_PREFIX}{} in the environment or in .env",
                    name.to_ascii_uppercase(),
                ),
            };
        }
        Ok(Self { manifest, values })
    }

    /// `template` with each `{{ variable }}` replaced by its value. `key` says where in the manifest
    /// it stands.
    pub fn expand(&self, key: &str, template: &str) -> Result<String> {
        let file = self.manifest.path.display();
        let mut expanded = String::new();
        let mut rest = template;
        while let Some((literal, expression)) = rest.split_once("{{") {
            let Some((name, after)) = expression.split_once("}}") else {
                bail!("{file}: {key}: `{template}` opens `{{{{` and doesn't close it");
            };
            let name = name.trim();
            let Some(value) = self.values.get(name) else {
                bail!(
                    "{file}: {key}: `{{{{ {name} }}}}` names no variable: declare `{name}` under [variables]"
                );
            };
            expanded.push_str(literal);
            expanded.push_str(value);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(variables: &str) -> Manifest {
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"t\"\n[variables]\n{variables}\n\
             [[trigger.http]]\nroute = \"/\"\ncomponent = \"c\"\n[component.c]\nsource = \"c.wasm\"\n"
        );
        Manifest::parse("/app/spin.toml".into(), &text).expect("the manifest of the test")
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    }

    #[test]
    fn only_declared_upper_case_names_come_from_the_environment() {
        let manifest = manifest("okta_user = { default = \"\" }");
        let values = from_environment(
            &manifest,
            pairs(&[
                ("SPIN_VARIABLE_OKTA_USER", "me"),
                ("SPIN_VARIABLE_okta_user", "not me"),
                ("SPIN_VARIABLE_OTHER", "x"),
                ("OKTA_USER", "y"),
            ]),
        );
        assert_eq!(values.into_iter().collect::<Vec<_>>(), pairs(&[("okta_user", "me")]));
    }

    #[test]
    fn dot_env_understands_comments_quotes_and_export() {
        let path = std::env::temp_dir().join(format!("dot-env-{}", std::process::id()));
        std::fs::write(
            &path,
            "# a comment\nexport SPIN_VARIABLE_A='x y'\n\nSPIN_VARIABLE_B=\"z\" # why\nC=\n",
        )
        .unwrap();
        let read = read_dot_env(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(
            read.unwrap(),
            pairs(&[("SPIN_VARIABLE_A", "x y"), ("SPIN_VARIABLE_B", "z"), ("C", "")])
        );
        assert!(read_dot_env(Path::new("/no/such/.env")).unwrap().is_empty());
    }

    /// The table of docs/settings.md, and its neighbours.
    #[test]
    fn dot_env_takes_a_dollar_for_a_variable_unless_it_is_in_single_quotes() {
        let path = std::env::temp_dir().join(format!("dot-env-quotes-{}", std::process::id()));
        let read = |value: &str| {
            std::fs::write(&path, format!("\u{feff}SPIN_VARIABLE_A={value}\r\n")).unwrap();
            read_dot_env(&path).ok().map(|mut pairs| pairs.remove(0).1)
        };
        for (written, value) in [
            ("'pa$word9 #1'", Some("pa$word9 #1")),
            ("'${code} \\ \"x\"'", Some("${code} \\ \"x\"")),
            ("'it'\\''s'", Some("it's")),
            ("pa$word9", Some("pa")),
            ("\"pa$word9.\"", Some("pa.")),
            // The crate takes the quote for a part of the value.
            ("\"pa$word9\"", None),
            ("$word9", Some("")),
            ("\"pa\\$word9\"", Some("pa$word9")),
            ("\"Your code is ${code}\"", Some("Your code is ")),
            ("pa#word", Some("pa#word")),
            ("pa #word", Some("pa")),
            ("\"pa #word\"", Some("pa #word")),
            ("pa word", None),
            ("pa\\word", None),
            ("'pa", None),
            (
                "endpoint=https://a.example/;accesskey=pw==",
                Some("endpoint=https://a.example/;accesskey=pw=="),
            ),
        ] {
            assert_eq!(read(written).as_deref(), value, "{written}");
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_value_of_dot_env_that_has_lost_its_dollar_is_named() {
        let path = std::env::temp_dir().join(format!("dot-env-dollar-{}", std::process::id()));
        let lines = [
            ("A='pa$word9'", false),
            ("B=pa$word9", true),
            ("C=\"pa$word9.\" # a comment", true),
            ("D=\"pa\\$word9\"", false),
            ("E='pa\\$word9'", false),
            ("F='[message.templates]\ndefault = \"${code}\"'", false),
            ("G=\"${code}\"", true),
            ("H=plain # $comment", false),
            ("# I=$x", false),
            ("J=", false),
        ];
        std::fs::write(&path, lines.map(|(line, _)| line).join("\n")).unwrap();
        let expected = lines.iter().filter(|(_, is_lost)| *is_lost).map(|(line, _)| &line[..1]);
        assert_eq!(expanded_in_dot_env(&path), expected.collect::<Vec<_>>());
        std::fs::remove_file(&path).unwrap();
        assert!(expanded_in_dot_env(Path::new("/no/such/.env")).is_empty());
    }

    #[test]
    fn what_was_said_replaces_the_default() {
        let manifest = manifest("a = { default = \"1\" }\nb = { default = \"2\" }");
        let said = BTreeMap::from([("b".to_string(), "3".to_string())]);
        let values = Values::new(&manifest, &said).unwrap();
        assert_eq!(values.expand("k", "{{ a }}-{{b}}{").unwrap(), "1-3{");
    }

    #[test]
    fn mistakes_name_the_variable_and_the_fix() {
        let manifest = manifest("needed = { required = true }");
        let missing = Values::new(&manifest, &BTreeMap::new()).unwrap_err().to_string();
        assert!(
            missing.contains("--variable needed=VALUE") && missing.contains("SPIN_VARIABLE_NEEDED"),
            "{missing}"
        );

        let said = BTreeMap::from([("neded".to_string(), String::new())]);
        let undeclared = Values::new(&manifest, &said).unwrap_err().to_string();
        assert!(
            undeclared.contains("no variable `neded`") && undeclared.contains("set one of needed"),
            "{undeclared}"
        );

        let said = BTreeMap::from([("needed".to_string(), "v".to_string())]);
        let values = Values::new(&manifest, &said).unwrap();
        for (template, part) in
            [("{{ needed", "doesn't close"), ("{{ other }}", "names no variable")]
        {
            let error = values.expand("component.c.variables.x", template).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("component.c.variables.x"), "{error}");
        }
    }
}
