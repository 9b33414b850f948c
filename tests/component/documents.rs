//! What the documents promise, held true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use okta_telephony_acs::config::{GROUPS, VARIABLES};
use okta_telephony_acs::refusal::Reason;
use okta_telephony_dev::acs_emulator;
use okta_telephony_dev::local_host::Manifest;

use crate::faults;
use crate::harness::manifest;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The cells of the table rows whose first cell is in backticks, without the backticks.
fn rows(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    })
    .collect()
}

#[test]
fn the_table_of_reasons_is_the_one_in_the_code() {
    let documented: Vec<_> = rows(&read("docs/answers.md"))
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let actual: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (reason.code().to_owned(), reason.http_status().to_string()))
        .collect();
    assert_eq!(documented, actual);
}

#[test]
fn the_table_of_variables_is_the_one_in_the_manifest() {
    let readme = read("README.md");
    let documented: BTreeSet<_> = rows(&readme)
        .into_iter()
        .filter(|row| row.len() == 4)
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let manifest = Manifest::read(&manifest()).unwrap();
    let actual: BTreeSet<_> = manifest
        .variables
        .iter()
        .map(|(name, variable)| (name.clone(), variable.default.clone().unwrap_or_default()))
        .collect();
    assert_eq!(documented, actual);
    for old in ["OKTA_USER", "OKTA_BASIC_SECRET", "ACS_CONNECTION_STRING", "ACS_FROM_SHORTCODE"] {
        assert!(readme.contains(&format!("| `{old}` |")), "{old}");
    }
}

#[test]
fn the_variables_that_the_check_looks_at_are_those_of_the_manifest_in_its_order() {
    let text = read("spin.toml");
    let names = text.lines().filter_map(|line| line.split_once(" = { default").map(|(n, _)| n));
    assert_eq!(names.collect::<Vec<_>>(), VARIABLES);
}

#[test]
fn the_answers_in_the_readme_are_reasons_with_their_status() {
    let readme = read("README.md");
    let section = readme.split("## What the hook answers").nth(1).unwrap();
    let table = section.lines().filter(|line| line.contains("| `FAILED` |"));
    let mut named = 0;
    for row in table {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        for code in cells[3].split('`').skip(1).step_by(2) {
            let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
            let status = reason.unwrap_or_else(|| panic!("{code}")).http_status().to_string();
            assert!(cells[1].contains(&status), "{code}: {status} in {}", cells[1]);
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}

#[test]
fn no_variable_is_required_and_secrets_are_marked() {
    let text = read("spin.toml");
    assert!(!text.contains("required ="));
    for line in text.lines().filter(|line| line.contains("{ default =")) {
        let name = line.split(' ').next().unwrap();
        let secret = name.contains("secret") || name.contains("connection_string");
        assert_eq!(line.contains("secret = true"), secret, "{name}");
        assert!(line.contains("description = \""), "{name}");
    }
}

#[test]
fn every_variable_reaches_the_component_in_its_group() {
    let manifest = Manifest::read(&manifest()).unwrap();
    for name in manifest.variables.keys() {
        assert!(GROUPS.iter().any(|group| group.variables.contains(&name.as_str())), "{name}");
    }
    let names: Vec<_> = manifest.component.variables.keys().map(String::as_str).collect();
    let mut groups: Vec<_> = GROUPS.iter().map(|group| group.name).collect();
    groups.sort_unstable();
    assert_eq!(names, groups);
    for group in &GROUPS {
        let parts: Vec<_> =
            group.variables.iter().map(|name| format!("{name}={{{{ {name} }}}}")).collect();
        assert_eq!(manifest.component.variables[group.name], parts.join("\u{1e}"));
    }
}

#[test]
fn what_holds_secrets_is_ignored_by_git() {
    let ignored = read(".gitignore");
    for entry in [".env", ".spin/", "/runtime-config.toml"] {
        assert!(ignored.lines().any(|line| line == entry), "{entry}");
    }
}

#[test]
fn the_example_environment_names_variables_of_the_manifest_and_holds_no_value() {
    let manifest = Manifest::read(&manifest()).unwrap();
    let text = read(".env.example");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let name = line.strip_prefix("SPIN_VARIABLE_").and_then(|line| line.strip_suffix('='));
        let name = name.unwrap_or_else(|| panic!("{line}")).to_lowercase();
        assert!(manifest.variables.contains_key(&name), "{name}");
    }
}

#[test]
fn the_table_of_faults_is_the_emulators_with_what_the_hook_answers() {
    let documented: Vec<_> = rows(&read("docs/development.md"));
    let actual: Vec<_> = acs_emulator::FAULTS
        .iter()
        .map(|fault| {
            let row = faults::FAULTS.iter().find(|row| row.number == fault.number);
            let answer = row.expect("the hook is tried with every fault").reason;
            [fault.number, fault.meaning, answer.unwrap_or("accepted")].map(str::to_owned).to_vec()
        })
        .collect();
    assert_eq!(documented, actual);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = files(|path| path.ends_with(".md"));
    for page in ["README.md", "CHANGELOG.md", "SECURITY.md", "docs/answers.md"] {
        assert!(pages.iter().any(|found| found == page), "{page} was not looked at: {pages:?}");
    }
    let mut broken = Vec::new();
    for page in &pages {
        let text = read(page);
        if text.contains("@@") {
            broken.push(format!("{page} has a gap: @@"));
        }
        for link in links(&text) {
            if let Err(why) = follow(root, page, &link) {
                broken.push(format!("{page}: {link}: {why}"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_link_to_nothing_is_found_and_one_in_code_is_none() {
    let page = "# One\n[a](README.md) `[b](gone.md)` ![c](gone.png \"C\")\n\n```sh\necho '[d](gone)'\n# Not one\n```\n[e]: gone.html\n";
    assert_eq!(links(page), ["README.md", "gone.png", "gone.html"]);
    assert_eq!(anchors(page), ["one"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let works = |link| follow(root, "docs/policy.md", link);
    for link in ["../README.md", "../README.md#variables", "#how-many", "answers.md", "../src"] {
        assert_eq!(works(link), Ok(()), "{link}");
    }
    assert_eq!(works("https://example.com/#anything"), Ok(()));
    for link in ["README.md", "../README.md#variable", "#How-Many", "gone.md#how-many", "#"] {
        assert!(works(link).is_err(), "{link}");
    }
}

#[test]
fn anchors_are_githubs() {
    let page = "# What is kept, and where?\n## `GET /api/health`: 200, or [503](a.md)!\n\
                ## Okta's *own* snake_case — dash\n## Twice ##\n### Twice\n<a id=\"by-hand\"></a>\n#none\n";
    assert_eq!(
        anchors(page),
        [
            "what-is-kept-and-where",
            "get-apihealth-200-or-503",
            "oktas-own-snake_case--dash",
            "twice",
            "twice-1",
            "by-hand"
        ]
    );
}

/// Words that begin like a variable and are none, besides reasons, the log's fields and fuzz targets.
const NO_VARIABLES: [&str; 8] = [
    // The crates, and a module.
    "okta_telephony_acs",
    "okta_telephony_dev",
    "acs_emulator",
    // A key of the manifest.
    "allowed_outbound_hosts",
    // One of the log's warnings.
    "store_unavailable",
    // Of deploy/azure/provision.sh itself.
    "acs_id",
    "acs_name",
    // The placeholder in SPIN_VARIABLE_NAME.
    "name",
];

#[test]
fn every_variable_that_is_named_anywhere_is_one_of_the_manifest() {
    let manifest = Manifest::read(&manifest()).unwrap();
    let variables: Vec<_> = manifest.variables.keys().map(String::as_str).collect();
    let fields: Vec<_> =
        rows(&read("docs/logging.md")).into_iter().map(|row| row[0].clone()).collect();
    let targets = files(|path| path.starts_with("fuzz/fuzz_targets/"));
    let known = |word: &str| {
        variables.contains(&word)
            || NO_VARIABLES.contains(&word)
            || fields.iter().any(|field| field == word)
            || Reason::ALL.iter().any(|reason| reason.code() == word)
            || targets.contains(&format!("fuzz/fuzz_targets/{word}.rs"))
    };
    let paths = files(|path| {
        let ending = path.rsplit('.').next().unwrap();
        let deployed = path.starts_with("deploy/") && !path.contains("/test/");
        // The changelog may name what is no more.
        (ending == "md" && path != "CHANGELOG.md")
            || (deployed && ["yaml", "yml", "sh", "toml", "bicep", "tf", "tpl"].contains(&ending))
            || path.starts_with("sample/")
            || path == ".env.example"
    });
    let (mut named, mut unknown) = (BTreeSet::new(), Vec::new());
    for path in &paths {
        let text = read(path);
        let text = if path.ends_with(".md") { code(&text) } else { text };
        for word in variables_in(&text, &variables) {
            if !known(&word) {
                unknown.push(format!("{path}: {word} is no variable of spin.toml"));
            }
            named.insert(word);
        }
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
    // That this test looks where variables are.
    let seen = variables.iter().filter(|name| named.contains(**name)).count();
    assert!(seen > 40, "only {seen} of {} are named anywhere", variables.len());
}

#[test]
fn a_misspelt_variable_is_found_and_other_words_are_left_alone() {
    let known = ["okta_user", "rate_limit_total", "sending"];
    let found = |text: &str| variables_in(text, &known);
    assert_eq!(found("okta_usr=a SPIN_VARIABLE_SENDNG=off"), ["okta_usr", "sendng"]);
    assert_eq!(found("rate_limit_totl, {{ okta_user }}"), ["rate_limit_totl", "okta_user"]);
    assert_eq!(
        found("okta_*, OKTA_USER, my_okta_user, okta-user, okta, x::okta_y, a.okta_z"),
        [""; 0]
    );
    assert_eq!(code("a `b` c\n```sh\nd `e`\n```\n`f`\n"), "b\nd `e`\nf\n");
}

/// The files that git has, or without git those that are there, from the root.
pub fn files(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output();
    let mut found = match listed {
        Ok(listed) if listed.status.success() => {
            let names = String::from_utf8(listed.stdout).unwrap();
            names.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => {
            let mut found = Vec::new();
            walk(root, "", &mut found);
            found
        }
    };
    found.retain(|path| wanted(path) && root.join(path).is_file());
    found.sort();
    assert!(!found.is_empty(), "there is no such file in {}", root.display());
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if !entry.file_type().unwrap().is_dir() {
            found.push(path);
        } else if ![".git", ".spin", "target", "node_modules"].contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), found);
        }
    }
}

/// The lines of a page, each with whether it is in a block of code.
fn lines(page: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut fence: Option<String> = None;
    page.lines().filter_map(move |line| {
        let start = line.trim_start();
        let mark: String = start.chars().take_while(|&c| c == '`' || c == '~').collect();
        match &fence {
            Some(open) if mark.starts_with(open.as_str()) => {
                fence = None;
                None
            }
            None if mark.len() >= 3 => {
                fence = Some(mark);
                None
            }
            open => Some((line, open.is_some())),
        }
    })
}

/// What of a page is code: its blocks, and what is in backticks.
fn code(page: &str) -> String {
    let mut code = String::new();
    for (line, is_code) in lines(page) {
        let spans: Vec<_> =
            if is_code { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for span in spans {
            code.push_str(span);
            code.push('\n');
        }
    }
    code
}

/// What of a page is prose: what is left without the code.
fn prose(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Where a page's links lead, as they are written.
fn links(page: &str) -> Vec<String> {
    let mut links = Vec::new();
    for (line, _) in lines(page).filter(|(_, is_code)| !is_code) {
        // A link's text may be code: only what is between the backticks goes.
        let line = prose(line);
        let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined =
            line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, link)| link);
        for link in inline.chain(defined) {
            // A title may follow.
            links.extend(link.split_whitespace().next().map(str::to_owned));
        }
    }
    links
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(page: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    for (line, _) in lines(page).filter(|(_, is_code)| !is_code) {
        if let Some(rest) = line.split_once("<a id=\"").and_then(|(_, rest)| rest.split_once('"')) {
            anchors.push(rest.0.to_owned());
        }
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        // Of a link only its text is there.
        let mut text = String::new();
        for (at, part) in title.trim_end_matches([' ', '#']).split("](").enumerate() {
            text.push_str(if at == 0 {
                part
            } else {
                part.split_once(')').map_or("", |(_, rest)| rest)
            });
        }
        let slug: String = text
            .trim()
            .to_lowercase()
            .chars()
            .filter(|&c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let same = (1..).map(|count| format!("{slug}-{count}"));
        let free = std::iter::once(slug.clone()).chain(same).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// Whether a page's link leads to something in the repository. Links out of it are not followed.
fn follow(root: &Path, page: &str, link: &str) -> Result<(), String> {
    if link.starts_with("https://") || link.starts_with("http://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = match link.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (link, None),
    };
    let target = match file {
        "" => root.join(page),
        file => root.join(page).parent().unwrap().join(file),
    };
    if !target.exists() {
        return Err("there is no such file".into());
    }
    let Some(anchor) = anchor else { return Ok(()) };
    // Of other files GitHub knows lines only.
    let text = fs::read_to_string(&target).map_err(|_| "it is no page".to_owned())?;
    let anchors = anchors(&text);
    if anchors.iter().any(|there| there == anchor) {
        return Ok(());
    }
    Err(format!("there is no such heading, only {}", anchors.join(", ")))
}

/// The words in a text that are variables by their form: SPIN_VARIABLE_ and upper case, or words in
/// lower case of which the first is that of a variable.
fn variables_in(text: &str, variables: &[&str]) -> Vec<String> {
    let first = |name: &str| name.split_once('_').map(|(first, _)| first.to_owned());
    let firsts: BTreeSet<_> = variables.iter().filter_map(|name| first(name)).collect();
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(part_of_word) {
        let before = &rest[..start];
        let end = rest[start..].find(|c| !part_of_word(c)).map_or(rest.len(), |end| start + end);
        let word = &rest[start..end];
        let after = &rest[end..];
        rest = after;
        if let Some(name) = word.strip_prefix("SPIN_VARIABLE_") {
            // `SPIN_VARIABLE_*`, and a name that a program puts together.
            if !name.is_empty() {
                found.push(name.to_lowercase());
            }
            continue;
        }
        let is_lower =
            word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let of_a_kind = first(word).is_some_and(|first| firsts.contains(&first));
        // A whole family, such as `okta_*`; a path of Rust's, a member of something's, a file's name.
        let other = word.ends_with('_')
            || before.ends_with("::")
            || before.ends_with(['.', '-', '/'])
            || after.starts_with("::")
            || after.starts_with(['/', '-'])
            || (after.starts_with('.') && after[1..].starts_with(part_of_word));
        if is_lower && of_a_kind && !other {
            found.push(word.to_owned());
        }
    }
    found
}
