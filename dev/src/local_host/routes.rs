//! Which route of the manifest a path belongs to, matched by the crate Spin uses.

use std::borrow::Cow;

use anyhow::{Result, anyhow};

/// The routes of an application.
#[derive(Debug)]
pub(super) struct Routes(routefinder::Router<String>);

/// A path's route.
#[derive(Debug, PartialEq)]
pub(super) struct Match<'a> {
    /// The route as the manifest has it: `/users/:id/...`.
    pub route: &'a str,
    /// The route without its trailing wildcard: `/users/:id`.
    pub prefix: &'a str,
    /// What the trailing wildcard stands for, with its leading slash; empty without one.
    pub path_info: Cow<'a, str>,
    /// The named segments: `("id", "7")`.
    pub named: Vec<(String, String)>,
}

impl Routes {
    /// # Errors
    ///
    /// A route that isn't an exact path, or one with `:name` segments and a trailing `/...`.
    pub fn new<'a>(routes: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut router = routefinder::Router::new();
        for route in routes {
            let fault = |what: &str| {
                anyhow!(
                    "the route `{route}` {what}: write an exact path (/a/b), with :name segments and a trailing /... if needed"
                )
            };
            if !route.starts_with('/') {
                return Err(fault("doesn't start with a slash"));
            }
            let pattern = match route.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None if route.contains(['*']) || route.contains("...") => {
                    return Err(fault("has a wildcard in a place where this host takes none"));
                }
                None => route.to_string(),
            };
            router
                .add(pattern.as_str(), route.to_string())
                .map_err(|error| fault(&format!("can't be read ({error})")))?;
        }
        Ok(Self(router))
    }

    /// The route of `path`: an exact one before one with named segments, before the longest
    /// trailing wildcard.
    pub fn find<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let found = self.0.best_match(path)?;
        let route = found.handler().as_str();
        let captures = found.captures();
        // As Spin, which hands a trailing slash on where routefinder drops it.
        let slash = if path.ends_with('/') { "/" } else { "" };
        let path_info = match captures.wildcard() {
            None => Cow::Borrowed(""),
            Some("") => Cow::Borrowed(slash),
            Some(rest) => Cow::Owned(format!("/{rest}{slash}")),
        };
        let named =
            captures.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Some(Match { route, prefix: route.strip_suffix("/...").unwrap_or(route), path_info, named })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_exact_route_wins() {
        let routes =
            Routes::new(["/api/okta", "/api/:name", "/api/...", "/", "/users/:id/..."]).unwrap();
        for (path, route, path_info) in [
            ("/api/okta", Some("/api/okta"), ""),
            ("/api/okta/", Some("/api/okta"), ""),
            ("/api/else", Some("/api/:name"), ""),
            ("/api/a/b", Some("/api/..."), "/a/b"),
            ("/api/a/b/", Some("/api/..."), "/a/b/"),
            ("/api", Some("/api/..."), ""),
            ("/", Some("/"), ""),
            ("/users/7/x", Some("/users/:id/..."), "/x"),
            ("/other", None, ""),
            ("/API/okta", None, ""),
        ] {
            let found = routes.find(path);
            assert_eq!(found.as_ref().map(|m| m.route), route, "{path}");
            assert_eq!(found.as_ref().map_or("", |m| &m.path_info), path_info, "{path}");
        }
        let user = routes.find("/users/7").unwrap();
        assert_eq!(
            (user.prefix, user.named),
            ("/users/:id", vec![("id".to_string(), "7".to_string())])
        );
    }

    #[test]
    fn another_form_of_route_is_refused() {
        for route in ["api", "/a/.../b", "/a/*", "/a..."] {
            let error = Routes::new([route]).unwrap_err().to_string();
            assert!(error.contains(route) && error.contains("exact path"), "{error}");
        }
    }
}
