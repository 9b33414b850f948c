//! What the local host reads of `spin.toml`, manifest version 2: what it does not know, it passes over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// An application of one component.
#[derive(Debug)]
pub struct Manifest {
    /// The manifest's own path. Paths in it are relative to its folder.
    pub path: PathBuf,
    /// The application's name.
    pub name: String,
    /// The variables that the application declares.
    pub variables: BTreeMap<String, Variable>,
    /// The routes, in the manifest's order, all of them the component's.
    pub routes: Vec<String>,
    /// The component.
    pub component: Component,
}

/// A declared variable.
#[derive(Debug, Deserialize)]
pub struct Variable {
    /// The value where none is given; `None` for a required variable.
    pub default: Option<String>,
    #[serde(default)]
    required: bool,
}

/// The component.
#[derive(Debug, Deserialize)]
pub struct Component {
    /// Its id: the key under `[component]`.
    #[serde(skip)]
    pub id: String,
    /// The module or component file, relative to the manifest's folder or absolute.
    pub source: PathBuf,
    /// Names that the guest reads, each with its template.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Templates of the hosts it may call.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// The labels of the key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: BTreeSet<String>,
    /// How to build it, where the manifest says so.
    pub build: Option<Build>,
}

/// `[component.ID.build]`.
#[derive(Debug, Deserialize)]
pub struct Build {
    /// The command line.
    pub command: String,
    /// The folder to run it in, relative to the manifest's.
    pub workdir: Option<PathBuf>,
}

impl Manifest {
    /// Reads the manifest at `path`.
    ///
    /// # Errors
    ///
    /// A file that can't be read, isn't a version 2 manifest, or asks for what this host doesn't
    /// do. Each names the file, the key and the fix.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("{}: give the path of a spin.toml with --from", path.display())
        })?;
        Self::parse(path.to_path_buf(), &text)
    }

    /// [`Manifest::read`] of a text: `path` is only named.
    pub fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).with_context(|| {
            format!("{}: this host can't read it, `spin up` may", path.display())
        })?;
        file.check(path.clone()).with_context(|| path.display().to_string())
    }

    /// The folder that the manifest's paths are relative to.
    pub fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }

    /// Where the component's source is.
    pub fn source(&self) -> PathBuf {
        self.folder().join(&self.component.source)
    }
}

#[derive(Deserialize)]
struct File {
    spin_manifest_version: u32,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<String, Variable>,
    trigger: Trigger,
    component: BTreeMap<String, Component>,
}

#[derive(Deserialize)]
struct Application {
    name: String,
}

#[derive(Deserialize)]
struct Trigger {
    http: Vec<HttpTrigger>,
}

#[derive(Deserialize)]
struct HttpTrigger {
    route: String,
    component: String,
}

impl File {
    fn check(self, path: PathBuf) -> Result<Manifest> {
        ensure!(
            self.spin_manifest_version == 2,
            "spin_manifest_version is {}: this host reads version 2",
            self.spin_manifest_version,
        );
        for (name, variable) in &self.variables {
            if let Err(reason) = check_name(name) {
                bail!("variables.{name}: rename it: {reason}");
            }
            ensure!(
                variable.default.is_some() != variable.required,
                "variables.{name}: give it either a `default` or `required = true`",
            );
        }
        let ids: Vec<_> = self.component.keys().cloned().collect();
        let Ok([(id, component)]) = <[_; 1]>::try_from(Vec::from_iter(self.component)) else {
            bail!(
                "component: this host serves one component and there are {} ({}): run this one under `spin up`",
                ids.len(),
                ids.join(", "),
            );
        };
        for name in component.variables.keys() {
            if let Err(reason) = check_name(name) {
                bail!("component.{id}.variables.{name}: rename it: {reason}");
            }
        }
        ensure!(
            !self.trigger.http.is_empty(),
            "trigger.http: there is no route: add `[[trigger.http]]` with one"
        );
        for trigger in &self.trigger.http {
            ensure!(
                trigger.component == id,
                "trigger.http: the route {} names the component `{}`, which isn't there: name `{id}`",
                trigger.route,
                trigger.component,
            );
        }
        Ok(Manifest {
            path,
            name: self.application.name,
            variables: self.variables,
            routes: self.trigger.http.into_iter().map(|trigger| trigger.route).collect(),
            component: Component { id, ..component },
        })
    }
}

/// A variable's name is lower-case words joined by single underscores.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        Err("it must start with a lower-case letter")
    } else if !name.chars().all(allowed) {
        Err("it may contain only lower-case letters, digits and underscores")
    } else if name.ends_with('_') || name.contains("__") {
        Err("underscores stand singly between other characters")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
spin_manifest_version = 2
[application]
name = "app"
version = "1.2.3"
[variables]
user = { default = "okta", secret = true, description = "who" }
key = { required = true }
[[trigger.http]]
route = "/a"
component = "c"
[[trigger.http]]
route = "/b/..."
component = "c"
[component.c]
source = "target/c.wasm"
allowed_outbound_hosts = ["https://a", "{{ key }}"]
key_value_stores = ["default"]
[component.c.variables]
user = "{{ user }}"
[component.c.build]
command = "cargo build"
watch = ["src/**/*.rs"]
"#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::parse("app/spin.toml".into(), GOOD).unwrap();
        assert_eq!(manifest.name, "app");
        assert_eq!(manifest.routes, ["/a", "/b/..."]);
        assert_eq!(manifest.variables["user"].default.as_deref(), Some("okta"));
        assert_eq!(manifest.variables["key"].default, None);
        assert_eq!(manifest.source(), Path::new("app/target/c.wasm"));
        assert_eq!(manifest.component.build.unwrap().command, "cargo build");
    }

    #[test]
    fn the_repositorys_own_manifest_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spin.toml");
        Manifest::read(&path).unwrap();
    }

    #[test]
    fn a_bare_file_name_is_in_the_current_folder() {
        assert_eq!(Manifest::parse("spin.toml".into(), GOOD).unwrap().folder(), Path::new("."));
    }

    #[test]
    fn what_this_host_does_not_do_is_an_error_with_its_key() {
        for (from, to, reason) in [
            ("spin_manifest_version = 2", "spin_manifest_version = 1", "reads version 2"),
            ("default = \"okta\", ", "", "variables.user: give it either"),
            ("required = true", "required = true, default = \"\"", "variables.key: give it either"),
            ("key = {", "Key = {", "variables.Key: rename it"),
            (
                "[component.c.build]",
                "[component.d]\nsource = \"d.wasm\"\n[component.c.build]",
                "one component and there are 2 (c, d)",
            ),
            ("component = \"c\"", "component = \"d\"", "names the component `d`"),
            ("component = \"c\"", "static_response = { body = \"x\" }", "component"),
            ("route = \"/a\"", "route = { private = true }", "expected a string"),
            (
                "source = \"target/c.wasm\"",
                "source = { url = \"https://a\", digest = \"b\" }",
                "source",
            ),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from} is in the text");
            let error =
                format!("{:#}", Manifest::parse("app/spin.toml".into(), &text).unwrap_err());
            assert!(error.contains(reason) && error.contains("app/spin.toml"), "{to}: {error}");
        }
    }

    #[test]
    fn names_are_lower_case_words_joined_by_single_underscores() {
        for good in ["a", "okta_user", "a1_b2"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "_a", "1a", "a_", "a__b", "A", "a-b", "ä"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
