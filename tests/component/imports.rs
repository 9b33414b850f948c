//! The order of knowledge in src/: no two of its top-level modules know each other, by however many others in
//! between.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::documents::files;

/// The crate's root: it knows all modules, and whoever takes an item of its knows it.
const ROOT: &str = "lib";

/// The module that is above the root: the exported handler.
const ENTRY: &str = "entry";

/// Who knows whom.
type Knowledge = BTreeMap<String, BTreeSet<String>>;

#[test]
fn no_two_top_level_modules_know_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = files(|path| path.starts_with("src/") && path.ends_with(".rs"));
    let sources: Vec<_> = sources
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            (path["src/".len()..path.len() - ".rs".len()].to_owned(), text)
        })
        .collect();
    let knowledge = knowledge(&sources);
    assert!(knowledge["hook"].contains("settings"), "{knowledge:#?}");
    if let Some(cycle) = cycle(&knowledge) {
        panic!("{}\n{knowledge:#?}", cycle.join(" -> "));
    }
}

/// Who knows whom in these sources, each with its path in src/ without the ending.
fn knowledge(sources: &[(String, String)]) -> Knowledge {
    let modules: BTreeSet<_> = sources.iter().map(|(path, _)| top(path).to_owned()).collect();
    let mut tests = BTreeSet::new();
    let mut codes = Vec::new();
    for (path, text) in sources {
        let (code, modules) = without_tests(text);
        tests.extend(modules.iter().map(|name| match path.as_str() {
            ROOT => name.clone(),
            _ => format!("{path}/{name}"),
        }));
        codes.push((path, code));
    }
    let mut knowledge = Knowledge::new();
    for (path, code) in codes {
        let is_test = |tests: &String| path == tests || path.starts_with(&format!("{tests}/"));
        if tests.iter().any(is_test) {
            continue;
        }
        let from = top(path);
        let depth = if path == ROOT { 0 } else { path.split('/').count() };
        let known = named(&code, depth);
        let known = known
            .into_iter()
            .map(|name| if modules.contains(&name) { name } else { ROOT.to_owned() });
        knowledge.entry(from.to_owned()).or_default().extend(known.filter(|name| name != from));
    }
    let below = modules.into_iter().filter(|name| name != ROOT && name != ENTRY);
    knowledge.insert(ROOT.to_owned(), below.collect());
    knowledge
}

fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The code of a file without comments and without what is compiled for tests only, and the names of the
/// modules that are.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut modules = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let is_comment = line.trim_start().starts_with("//");
        if line.trim_start() != "#[cfg(test)]" {
            if !is_comment {
                code.push_str(line.split(" // ").next().unwrap_or(line));
                code.push('\n');
            }
            continue;
        }
        // Up to the end of the item, which rustfmt has put below its beginning.
        let indentation = &line[..line.len() - line.trim_start().len()];
        let item = lines.find(|line| !line.trim_start().starts_with("#["));
        let item = item.unwrap_or_default().trim();
        if let Some(name) = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
            modules.push(name.1.to_owned());
        }
        if !item.ends_with([';', ',', '}']) {
            let end = format!("{indentation}}}");
            lines.find(|line| line.trim_end() == end || *line == format!("{end},"));
        }
    }
    (code, modules)
}

/// What code at this depth names of the crate's root: `crate::a`, `crate::{a, b::c}`, and `super::a` where
/// that is the root.
fn named(code: &str, depth: usize) -> Vec<String> {
    let mut starts = vec!["crate::".to_owned()];
    starts.extend((depth > 0).then(|| "super::".repeat(depth)));
    let mut found = Vec::new();
    for start in &starts {
        for (at, _) in code.match_indices(start.as_str()) {
            let is_whole =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            if is_whole {
                found.extend(first_names(&code[at + start.len()..]));
            }
        }
    }
    found
}

/// The first name of a path, or those of a group of paths.
fn first_names(code: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
    };
    let Some(group) = code.strip_prefix('{') else { return vec![name(code)] };
    let (mut depth, mut is_first, mut names) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_first = true,
            c if is_first && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                is_first = false;
            }
            _ => {}
        }
    }
    names
}

/// A way from a module back to itself, if there is any.
fn cycle(knowledge: &Knowledge) -> Option<Vec<&str>> {
    fn walk<'a>(
        knowledge: &'a Knowledge,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        let last = *way.last()?;
        for next in knowledge.get(last).into_iter().flatten() {
            if let Some(at) = way.iter().position(|module| module == next) {
                return Some(way[at..].iter().copied().chain([next.as_str()]).collect());
            }
            if done.contains(next.as_str()) {
                continue;
            }
            way.push(next);
            if let Some(cycle) = walk(knowledge, way, done) {
                return Some(cycle);
            }
            way.pop();
        }
        done.insert(last);
        None
    }
    let mut done = BTreeSet::new();
    knowledge.keys().find_map(|module| walk(knowledge, &mut vec![module], &mut done))
}

#[test]
fn a_cycle_is_found_and_tests_and_comments_know_whom_they_like() {
    let sources = |texts: &[(&str, &str)]| {
        let owned = texts.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        knowledge(&owned.collect::<Vec<_>>())
    };
    let way = |texts: &[(&str, &str)]| cycle(&sources(texts)).map(|way| way.join(" -> "));
    for (texts, expected) in [
        (&[("a", "use crate::b::B;"), ("b", "")][..], None),
        (&[("a", "use crate::b::B;"), ("b/c", "let a = crate::a::a();")], Some("a -> b -> a")),
        (&[("a", "use crate::{c::{self, b}, d};"), ("b", ""), ("c", ""), ("d", "")], None),
        (
            &[
                ("a", "use crate::{\n    b,\n    c::D,\n};"),
                ("b", ""),
                ("c/d/e", "super::super::super::a::f()"),
            ],
            Some("a -> c -> a"),
        ),
        (&[("a", "use super::b;"), ("b/c", "use super::a;"), ("b", "")], None),
        (&[("a", "// crate::b\nfn a() {} // crate::b"), ("b", "use crate::a;")], None),
        (&[("a", "#[cfg(test)]\nmod tests {\n    use crate::b;\n}"), ("b", "use crate::a;")], None),
        (
            &[
                ("a", "#[cfg(test)]\npub mod fake;\nuse crate::c;"),
                ("a/fake", "use crate::b;"),
                ("b", "use crate::a;"),
                ("c", ""),
            ],
            None,
        ),
        // Of the root itself.
        (&[("a", "use crate::PATH;"), ("lib", "mod a;")], Some("a -> lib -> a")),
        (&[("a", ""), ("entry", "use crate::handle;"), ("lib", "mod a;")], None),
    ] {
        assert_eq!(way(texts), expected.map(str::to_owned), "{texts:?}");
    }
}
