//! What the documents promise, held true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use okta_telephony_acs::config::VARIABLES;
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
fn every_variable_reaches_the_component_or_its_allowed_hosts() {
    let manifest = Manifest::read(&manifest()).unwrap();
    for name in manifest.variables.keys() {
        let template = format!("{{{{ {name} }}}}");
        let passed_on = manifest.component.variables.get(name) == Some(&template);
        assert!(
            passed_on || manifest.component.allowed_outbound_hosts.contains(&template),
            "{name}"
        );
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
    for page in [
        "README.md",
        "CHANGELOG.md",
        "docs/answers.md",
        "docs/delivery-reports.md",
        "docs/development.md",
        "docs/decisions.md",
        "docs/logging.md",
        "docs/observability.md",
        "docs/okta-setup.md",
        "docs/policy.md",
        "deploy/azure-monitor/README.md",
    ] {
        let text = read(page);
        assert!(!text.contains("@@"), "{page} has a gap");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") || link.starts_with('#') {
                continue;
            }
            let file = link.split('#').next().unwrap();
            let target = root.join(page).parent().unwrap().join(file);
            assert!(target.exists(), "{page}: {link}");
        }
    }
}
