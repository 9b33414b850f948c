//! What the documents promise, held true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use hyper::Method;
use okta_telephony_acs::message::Channel;
use okta_telephony_acs::ports::{VariableUnavailable, Variables};
use okta_telephony_acs::providers::Provider as OfSettings;
use okta_telephony_acs::refusal::Reason;
use okta_telephony_acs::settings::{Finding, KEYS, Place, Settings};
use okta_telephony_dev::local_host::Manifest;
use toml::{Table, Value};

use crate::harness::{Hook, manifest, merge};
use crate::markdown::{Cell, Page};
use crate::providers::{PROVIDERS, Provider, shared_faults};
use crate::reports;
use crate::twilio_reports::PATH as TWILIO_PATH;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn page(path: &str) -> Page {
    Page::read(&read(path))
}

/// The texts of a row's cells.
fn texts<const COUNT: usize>(row: &[Cell]) -> [String; COUNT] {
    std::array::from_fn(|at| row[at].text.clone())
}

#[test]
fn the_table_of_reasons_is_the_one_in_the_code() {
    let page = page("docs/answers.md");
    let documented: Vec<_> = page.table("The reasons").rows.iter().map(|row| texts(row)).collect();
    let actual: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| [reason.code().to_owned(), reason.http_status().to_string()])
        .collect();
    assert_eq!(documented, actual);
}

/// How many lines the pages of users may have, besides those of their tables that other tests hold.
const MOST_LINES: [(&str, usize); 12] = [
    ("README.md", 150),
    ("SECURITY.md", 150),
    ("docs/answers.md", 150),
    ("docs/delivery-reports.md", 200),
    ("docs/monitoring.md", 200),
    ("docs/okta-oauth.md", 90),
    ("docs/okta.md", 150),
    ("docs/plan.md", 120),
    ("docs/policy.md", 120),
    ("docs/runbook.md", 200),
    ("docs/secrets.md", 80),
    ("docs/settings.md", 150),
];

#[test]
fn no_page_of_the_users_is_longer_than_it_may_be() {
    for (path, most) in MOST_LINES {
        let text = read(path);
        let is_counted = |line: &&str| path != "docs/settings.md" || !line.starts_with('|');
        let count = text.lines().filter(is_counted).count();
        assert!(count <= most, "{path} has {count} lines, and may have {most}");
    }
}

/// Pages besides those of [`MOST_LINES`] that say what one has at their end.
const WITH_AN_END: [&str; 10] = [
    "CONTRIBUTING.md",
    "docs/alternatives/akamai.md",
    "docs/alternatives/spin.md",
    "docs/contributing/decisions.md",
    "docs/contributing/development.md",
    "docs/contributing/performance.md",
    "docs/contributing/scale.md",
    "docs/move-from-acs.md",
    "docs/move-from-azure-function.md",
    "docs/providers.md",
];

/// Shells differ: zsh takes no comment at its prompt, and what is pasted after `read` is what `read` reads.
#[test]
fn what_the_pages_have_for_a_shell_can_be_pasted_into_any() {
    let mut looked_at = 0;
    for path in MOST_LINES.iter().map(|(path, _)| path).chain(&WITH_AN_END) {
        for block in page(path).blocks.iter().filter(|block| block.language == "sh") {
            let lines: Vec<_> = block.text.lines().map(str::trim).collect();
            for (at, line) in lines.iter().enumerate() {
                assert!(!line.starts_with('#') && !line.contains(" # "), "{path}: {line}");
                let reads = line.starts_with("read ");
                assert!(!reads || at + 1 == lines.len(), "{path}: {line} is not the last line");
                let sets_path = line.starts_with("path=") || line.starts_with("for path ");
                assert!(!sets_path, "{path}: in zsh `path` is `PATH`: {line}");
            }
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn each_page_begins_with_whom_it_is_for() {
    let is_theirs = |path: &str| {
        path.starts_with("docs/") && path.ends_with(".md") && path.matches('/').count() == 1
    };
    let has_an_end =
        |path: &str| MOST_LINES.iter().any(|(it, _)| *it == path) || WITH_AN_END.contains(&path);
    let pages = files(|path| is_theirs(path) || has_an_end(path));
    assert!(pages.len() >= MOST_LINES.len() + WITH_AN_END.len(), "{pages:?}");
    for path in pages {
        let text = read(&path);
        let mut paragraphs = text.split("\n\n");
        let (title, first) = (paragraphs.next().unwrap(), paragraphs.next().unwrap_or_default());
        assert!(title.starts_with("# ") && !title.contains('\n'), "{path}: {title}");
        assert!(first.starts_with("For "), "{path} does not say who it is for: {first}");
        let has_end = first.to_lowercase().contains("at the end");
        assert!(has_end || !has_an_end(&path), "{path} does not say what one has then: {first}");
    }
}

/// A provider whose account may be set up in two ways is on the page as its first row has it.
fn providers_on_the_page() -> Vec<&'static Provider> {
    let mut headings = BTreeSet::new();
    let providers: Vec<_> =
        PROVIDERS.iter().filter(|provider| headings.insert(provider.heading)).collect();
    assert!(providers.len() > 1, "{headings:?}");
    providers
}

/// The kinds of provider, each with what its entry must have, what it must have to call, and its secrets.
const KINDS: [[&str; 4]; 4] = [
    [
        "acs",
        "",
        "voice = true, voice_from = '+18005551234'",
        "connection_string = 'endpoint=https://a.communication.azure.com/;accesskey=pw=='",
    ],
    [
        "infobip",
        "base_url = 'https://a.api.infobip.com'",
        "voice = true, voice_from = '+447860099299'",
        "api_key = 'k'",
    ],
    [
        "telesign",
        "base_url = 'https://rest-ww.telesign.com', customer_id = 'C'",
        "voice = true",
        "api_key = 'b3RoZXI='",
    ],
    [
        "twilio",
        "account_sid = 'AC00000000000000000000000000000000'",
        "voice = true, voice_from = '+14155550000'",
        "api_key_sid = 'SK00000000000000000000000000000000', api_key_secret = 'k', auth_token = 't'",
    ],
];

/// A provider of a kind, with this in its entry besides.
fn provider([kind, entry, _, secrets]: [&str; 4], more: &str) -> Result<OfSettings, String> {
    let more: Vec<_> = [entry, more].into_iter().filter(|it| !it.is_empty()).collect();
    let more = more.iter().map(|it| format!(", {it}")).collect::<String>();
    let settings = format!("providers = [{{ kind = '{kind}', senders.default = '12345'{more} }}]");
    let secrets = format!("providers.{kind} = {{ {secrets} }}");
    let read = Settings::read(&Given { settings: &settings, secrets: &secrets });
    read.providers.map(|mut it| it.remove(0)).map_err(|problems| problems.to_string())
}

/// The texts of a row of the table of what each provider can do, by kind.
fn of_each(page: &Page, beginning: &str) -> [String; 4] {
    let rows = &page.table("What each can do").rows;
    let row = rows.iter().find(|row| row[0].text.starts_with(beginning));
    texts(&row.unwrap_or_else(|| panic!("no row begins with {beginning}"))[1..])
}

#[test]
fn the_table_of_what_each_provider_can_do_is_what_each_does() {
    let page = page("docs/providers.md");
    let of_each = |beginning| of_each(&page, beginning);
    let yes_or_no = |yes: bool| if yes { "yes" } else { "no" };
    for (place, kind) in KINDS.into_iter().enumerate() {
        let [name, _, voice, _] = kind;
        let said = |beginning| of_each(beginning)[place].clone();
        let plain = provider(kind, "").unwrap();
        let service = plain.api.words(name).service;
        assert_eq!(said("kind"), format!("\"{name}\""));
        assert_eq!(said("name in Okta's System Log"), service);
        assert_eq!(page.table("What each can do").header[place + 1], service);

        // What a row of the contract says, its cases hold at the emulators.
        let rows = PROVIDERS.iter().filter(|it| it.name.split('-').next() == Some(name));
        let rows: Vec<_> = rows.collect();
        let repeats: Vec<_> = rows.iter().map(|it| it.knows_repeats).collect();
        let repeats = match repeats[..] {
            [false, true] => "only with idempotent",
            [knows] => yes_or_no(knows),
            _ => panic!("{name}: {repeats:?}"),
        };
        assert_eq!(said("a repeated request is one message"), repeats);
        assert_eq!(plain.api.knows_repeats(Channel::Sms), repeats == "yes", "{name}");
        assert_eq!(said("a late message ends with"), yes_or_no(rows[0].is_told_expiry), "{name}");

        let can_call = rows[0].calls.is_some();
        assert_eq!(said("voice"), yes_or_no(can_call), "{name}");
        assert_eq!(plain.api.can_call(), can_call, "{name}");
        assert_eq!(provider(kind, voice).is_ok(), can_call, "{name}");

        let feedback = match provider(kind, "feedback = true") {
            Err(problem) => {
                assert!(problem.contains("feedback"), "{problem}");
                "no"
            }
            Ok(it) => match [Channel::Sms, Channel::Call].map(|by| it.api.takes_feedback(by)) {
                [true, false] => "of SMS",
                [true, true] => "yes",
                other => panic!("{name}: {other:?}"),
            },
        };
        assert_eq!(said("feedback"), feedback, "{name}");
        assert!(!plain.api.takes_feedback(Channel::Sms), "{name}");
    }
    let hosts = of_each("hosts that need no setting").join(", ");
    let manifest = fs::read_to_string(manifest()).unwrap().parse::<Table>().unwrap();
    let allowed = &manifest["component"]["okta-telephony"]["allowed_outbound_hosts"];
    let allowed = allowed.as_array().unwrap().iter().filter_map(Value::as_str);
    let allowed: Vec<_> = allowed.filter(|host| !host.contains("{{")).collect();
    assert_eq!(hosts, allowed.join(", "));
}

#[tokio::test]
async fn the_table_of_what_each_provider_can_do_says_what_proves_a_report() {
    let secrets = KINDS.map(|[kind, _, _, secrets]| format!("providers.{kind} = {{ {secrets} }}"));
    let entry = |[kind, entry, ..]: [&str; 4]| match entry {
        "" => format!("{{ kind = '{kind}', senders.default = '12345' }}"),
        entry => format!("{{ kind = '{kind}', senders.default = '12345', {entry} }}"),
    };
    let setup = reports::setup()
        .settings("public_url = 'https://hook.example.com'")
        .settings(&format!("providers = [{}]", KINDS.map(entry).join(", ")))
        .secrets(&secrets.join("\n"))
        .variable("acs_connection_string", "")
        .variable("acs_from_shortcode", "");
    let hook = Hook::with(setup).await;
    let paths = [reports::PATH, reports::INFOBIP_PATH, reports::TELESIGN_PATH, TWILIO_PATH];
    let page = page("docs/providers.md");
    for (path, said) in paths.into_iter().zip(of_each(&page, "proof of a report")) {
        let post = async |headers: &[(&str, &str)]| {
            reports::ask(&hook, Method::POST, path, headers, "{}").await
        };
        let stranger = post(&[]).await;
        assert_eq!(stranger.status, 401, "{path}");
        // Nothing is known of whose token it is; of who takes none a token is no proof either.
        let takes_tokens = stranger.headers["www-authenticate"] == "Bearer";
        let with_secret = post(&[("x-report-secret", reports::REPORT_SECRET)]).await;
        let proof = match (with_secret.status != 401, takes_tokens) {
            (true, true) => "secret or token",
            (true, false) => "secret",
            (false, _) => "signature",
        };
        assert_eq!(said, proof, "{path}");
    }
}

/// What the hook answers to a message that meets a fault of this provider's, where it has no other.
fn answer_to(provider: &Provider, number: &str) -> String {
    let (_, told) = provider
        .all_told()
        .find(|(told, _)| *told == number)
        .unwrap_or_else(|| panic!("{number} of {} is not tried", provider.name));
    told.reason.unwrap_or("accepted").to_owned()
}

/// The answer of the first provider; after it those that differ, each with the providers that it is of.
fn answers_to(providers: &[&Provider], number: &str) -> String {
    let mut answers: Vec<(String, Vec<&str>)> = Vec::new();
    for provider in providers {
        let answer = answer_to(provider, number);
        let name = provider.heading.strip_prefix("The emulator of ").unwrap();
        match answers.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, names)) => names.push(name),
            None => answers.push((answer, vec![name])),
        }
    }
    let (first, others) = answers.split_first().unwrap();
    let others = others.iter().map(|(answer, names)| format!("; {}: {answer}", names.join(", ")));
    std::iter::once(first.0.clone()).chain(others).collect()
}

#[test]
fn the_table_of_shared_faults_has_each_of_them_with_what_the_hook_answers_for_each_provider() {
    let page = page("docs/contributing/development.md");
    let rows = &page.table("Faults that every emulator has").rows;
    let documented: Vec<[String; 3]> = rows.iter().map(|row| texts(row)).collect();
    let providers = providers_on_the_page();
    let row = |(number, fault): (&str, &str)| {
        [number.to_owned(), fault.to_owned(), answers_to(&providers, number)]
    };
    assert_eq!(documented, shared_faults().map(row).collect::<Vec<_>>());
    assert!(documented.iter().any(|[.., answers]| answers.contains("; ")), "none differs");
}

/// What faults say that differ by a code alone, which is at the end of their numbers.
fn family(number: &str, meaning: &str) -> String {
    let code = |word: &&str| {
        let word = word.trim_end_matches(',');
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) && number.ends_with(word)
    };
    let words: Vec<_> = meaning.split(' ').collect();
    match words.iter().skip(1).position(code) {
        Some(at) => format!("{} …", words[..=at].join(" ")),
        None => meaning.to_owned(),
    }
}

#[test]
fn the_tables_of_an_emulators_own_faults_are_the_emulators_with_what_the_hook_answers() {
    let page = page("docs/contributing/development.md");
    let shared: BTreeSet<_> = shared_faults().map(|(number, _)| number).collect();
    for provider in providers_on_the_page() {
        let rows = &page.table(provider.heading).rows;
        let documented: Vec<[String; 3]> = rows.iter().map(|row| texts(row)).collect();
        let faults = (provider.faults)();
        let numbers: BTreeSet<_> = faults.iter().map(|(number, _)| *number).collect();
        assert!(shared.is_subset(&numbers), "{} lacks a shared fault", provider.name);
        let own = faults.into_iter().filter(|(number, _)| !shared.contains(number));
        let mut actual: Vec<[String; 3]> = Vec::new();
        for (number, meaning) in own {
            let (meaning, answer) = (family(number, meaning), answer_to(provider, number));
            match actual.iter_mut().find(|row| (&row[1], &row[2]) == (&meaning, &answer)) {
                Some(row) => row[0].extend([", ", number]),
                None => actual.push([number.to_owned(), meaning, answer]),
            }
        }
        assert_eq!(documented, actual, "{}", provider.heading);
    }
    assert_eq!(family("+15550108004", "200 with status 4, REJECTED"), "200 with status …");
    assert_eq!(family("+15550101404", "404 with an empty body"), "404 with an empty body");
    assert_eq!(family("+15550106002", "Delivered, then 5001"), "Delivered, then 5001");
}

/// The places in a maintainers' page: each path, with the name that is said to be in that file, if one is: `name` in
/// `src/file.rs`.
fn places(page: &str) -> Vec<(Option<&str>, &str)> {
    let roots = [
        "src/", "dev/", "tests/", "docs/", "deploy/", "sample/", "fuzz/", "scripts/", "bench/",
        "wit/", ".ci/",
    ];
    let parts: Vec<&str> = page.split('`').collect();
    let is_path = |code: &str| {
        !code.contains([' ', '\n', '*']) && roots.iter().any(|root| code.starts_with(root))
    };
    (1..parts.len())
        .step_by(2)
        .filter(|at| is_path(parts[*at]))
        .map(|at| {
            let is_of = ["in", "of"].contains(&parts[at - 1].trim()) && !parts[at].ends_with('/');
            (is_of.then(|| parts[at - 2]), parts[at])
        })
        .collect()
}

#[test]
fn the_files_that_maintainers_are_sent_to_exist_and_have_what_they_are_said_to_have() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files_named, mut names) = (0, 0);
    for path in files(|path| path.starts_with("docs/contributing/") || path == "CONTRIBUTING.md") {
        let text = read(&path);
        // Blocks of code would make the backticks odd.
        let prose: String = text.split("```").step_by(2).collect();
        for (name, file) in places(&prose) {
            assert!(root.join(file).exists(), "{path}: there is no {file}");
            files_named += 1;
            if let Some(name) = name {
                assert!(read(file).contains(name), "{path}: {name} is not in {file}");
                names += 1;
            }
        }
    }
    assert!(files_named > 20 && names > 5, "{files_named}, {names}");
    let found = places("`A` of\n`src/a.rs`, `src/b/` and `c` beside `dev/d.rs`");
    assert_eq!(found, [(Some("A"), "src/a.rs"), (None, "src/b/"), (None, "dev/d.rs")]);
}

#[test]
fn the_table_of_variables_is_the_one_in_the_manifest() {
    let page = page("docs/settings.md");
    let documented: Vec<_> = page
        .table("Variables")
        .rows
        .iter()
        .flat_map(|row| row[0].code.iter().map(|name| (name.clone(), row[1].text.clone())))
        .collect();
    let manifest = Manifest::read(&manifest()).unwrap();
    assert_eq!(documented.len(), 9);
    assert_eq!(manifest.variables.len(), 9);
    for (name, default) in documented {
        assert_eq!(manifest.variables[&name].default.as_ref(), Some(&default), "{name}");
    }
}

#[test]
fn every_variable_reaches_the_component() {
    let manifest = Manifest::read(&manifest()).unwrap();
    assert!(manifest.component.variables.keys().eq(manifest.variables.keys()));
    for (name, template) in &manifest.component.variables {
        assert_eq!(template, &format!("{{{{ {name} }}}}"));
    }
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
fn who_comes_from_the_azure_function_is_told_what_becomes_of_its_variables() {
    let (settings, migrate) = (page("docs/settings.md"), page("docs/move-from-azure-function.md"));
    let olds = settings.table("Variables").rows.iter().flat_map(|row| &row[3].code);
    let olds: Vec<_> = olds.collect();
    assert_eq!(olds.len(), 4, "{olds:?}");
    for old in olds {
        assert!(migrate.code.contains(old), "{old}");
    }
}

/// The rows of the table of one document: each key, with its default and its example.
fn documented_keys(page: &Page, place: Place) -> Vec<(String, Cell, Cell)> {
    let table = page.table(&format!("The document {}", place.name()));
    assert_eq!(table.header, ["key", "value", "default", "meaning", "example"]);
    let cell = |cell: &Cell| Cell { text: cell.text.clone(), code: cell.code.clone() };
    table.rows.iter().map(|row| (row[0].text.clone(), cell(&row[2]), cell(&row[4]))).collect()
}

#[test]
fn the_tables_of_keys_are_those_of_the_types() {
    let page = page("docs/settings.md");
    for place in [Place::Settings, Place::Secrets] {
        let documented: Vec<_> =
            documented_keys(&page, place).into_iter().map(|(key, ..)| key).collect();
        let keys = KEYS.iter().filter(|key| key.place == place && !key.is_table);
        assert_eq!(documented, keys.map(|key| key.path).collect::<Vec<_>>());
    }
}

/// Gives a key of the tables a value. A name that the owner chooses is one that fits the other examples.
fn set(document: &mut Table, key: &str, value: &str) {
    let names =
        key.split('.').enumerate().map(|(at, part)| match (part, key.contains(".templates.")) {
            ("*", true) => "de",
            ("*", false) if at > 1 && key.ends_with("messaging_connect.*") => "apiKey",
            ("*", false) if key.ends_with("senders.*") => "US",
            ("*", false) if key.ends_with("api_key") => "infobip",
            ("*", false) if key.contains("api_key_") || key.contains("auth_token") => "twilio",
            ("*", false) => "acs-secondary",
            _ => part,
        });
    let path: Vec<_> = names.map(|name| format!("\"{name}\"")).collect();
    let line = format!("{} = {value}", path.join("."));
    merge(document, line.parse().unwrap_or_else(|error| panic!("{line}: {error}")));
}

/// The document as the component reads it: in ours, the list of providers is one table, of which some keys are for
/// Infobip only, one each for Telesign and Twilio only, and some for the newest version of ACS.
fn written(mut document: Table) -> String {
    if let Some(Value::Table(mut acs)) = document.remove("providers[]") {
        if acs.get("api_version").and_then(Value::as_str) != Some("2026-01-23") {
            for key in ["messaging_connect", "delivery_report_timeout"] {
                acs.remove(key);
            }
        }
        let mut infobip = Table::from_iter([("kind".to_owned(), Value::from("infobip"))]);
        for key in ["base_url", "idempotent", "india_dlt", "voice", "voice_from", "feedback"] {
            infobip.extend(acs.remove(key).map(|value| (key.to_owned(), value)));
        }
        infobip.extend(acs.get("senders").map(|value| ("senders".to_owned(), value.clone())));
        let mut telesign = Table::from_iter([
            ("kind".to_owned(), Value::from("telesign")),
            ("base_url".to_owned(), Value::from("https://rest-ww.telesign.com")),
        ]);
        telesign.extend(acs.remove("customer_id").map(|it| ("customer_id".to_owned(), it)));
        telesign.extend(acs.get("senders").map(|value| ("senders".to_owned(), value.clone())));
        let sid = acs
            .remove("account_sid")
            .unwrap_or_else(|| Value::from("AC00000000000000000000000000000000"));
        let mut twilio = Table::from_iter([("kind".to_owned(), Value::from("twilio"))]);
        twilio.insert("account_sid".to_owned(), sid);
        twilio.extend(acs.get("senders").map(|value| ("senders".to_owned(), value.clone())));
        let providers = [acs, infobip, telesign, twilio].map(Value::Table);
        document.insert("providers".to_owned(), Value::Array(providers.into()));
    }
    document.to_string()
}

/// A configuration of these two documents and no variables.
struct Given<'a> {
    settings: &'a str,
    secrets: &'a str,
}

impl Variables for Given<'_> {
    fn get(&self, name: &str) -> Result<String, VariableUnavailable> {
        let value = match name {
            "settings" => self.settings,
            "secrets" => self.secrets,
            "okta_user" => "okta",
            name if name.starts_with("outbound_host") => "https://*.communication.azure.com",
            _ => "",
        };
        Ok(value.to_owned())
    }
}

/// What is wrong with it, be it with what a message needs or with anything else.
fn wrong(settings: &Settings) -> Vec<Finding> {
    let others = [
        settings.reporters.as_ref().err(),
        settings.asks_acs.as_ref().err(),
        settings.operator.as_ref().err(),
        settings.records.as_ref().err(),
        settings.canary.as_ref().err(),
        settings.guard.as_ref().err(),
        settings.sink.as_ref().err(),
    ];
    let others = others.into_iter().flatten().flat_map(|problems| problems.findings().to_vec());
    settings.problems().into_iter().chain(others).collect()
}

#[test]
fn the_examples_in_the_tables_are_a_configuration_and_the_defaults_are_what_holds_without_them() {
    let page = page("docs/settings.md");
    let examples = [Place::Settings, Place::Secrets].map(|place| {
        let mut document = Table::new();
        for (key, _, example) in documented_keys(&page, place) {
            let [example] = &example.code[..] else { panic!("{key} has no example") };
            set(&mut document, &key, example);
        }
        document
    });
    let read = |document: Table| {
        let settings = written(document);
        let mut secrets = examples[1].clone();
        if !settings.contains("messaging_connect")
            && let Some(Value::Table(acs)) = secrets["providers"].get_mut("acs-secondary")
        {
            acs.remove("messaging_connect");
        }
        let secrets = written(secrets);
        let mut read = Settings::read(&Given { settings: &settings, secrets: &secrets });
        // It names lines, which differ.
        read.advice.clear();
        read
    };
    assert_eq!(wrong(&read(examples[0].clone())), []);

    let mut defaults = 0;
    for (key, default, example) in documented_keys(&page, Place::Settings) {
        let [default] = &default.code[..] else { continue };
        let mut with_default = examples[0].clone();
        set(&mut with_default, &key, default);
        let mut without = Table::new();
        for (other, _, example) in documented_keys(&page, Place::Settings) {
            if other != key {
                set(&mut without, &other, &example.code[0]);
            }
        }
        let with_example = format!("{:?}", read(examples[0].clone()));
        let (with_default, without) = (read(with_default), read(without));
        assert_eq!(format!("{with_default:?}"), format!("{without:?}"), "{key} = {default}");
        let is_other = example.code[0] != *default;
        assert_eq!(format!("{without:?}") != with_example, is_other, "{key} is read");
        defaults += 1;
    }
    assert!(defaults > 10, "{defaults}");
}

/// A sample with what it has as comments, too.
fn with_comments(sample: &str) -> String {
    let line = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split_once(" = ").map_or("", |(key, _)| key);
        let is_key =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
        if is_key || bare.starts_with('[') { bare.to_owned() } else { line.to_owned() }
    };
    sample.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a document says something of a key of the tables.
fn says(value: &Value, path: &[&str]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let (name, is_list) = first.strip_suffix("[]").map_or((*first, false), |name| (name, true));
    let inner = value.as_table().into_iter().flatten();
    let mut inner = inner.filter(|(key, _)| name == "*" || *key == name).map(|(_, value)| value);
    inner.any(|value| match value.as_array() {
        Some(entries) if is_list => entries.iter().any(|entry| says(entry, rest)),
        _ => says(value, rest),
    })
}

#[test]
fn the_samples_are_in_order_and_name_every_key() {
    let (settings, secrets) = (read("sample/settings.toml"), read("sample/secrets.toml"));
    let given = Given { settings: &settings, secrets: &secrets };
    assert_eq!(
        wrong(&Settings::read(&given)).iter().map(|it| &*it.key).collect::<Vec<_>>(),
        ["okta_basic_secret", "acs_connection_string"]
    );
    for (place, sample) in [(Place::Settings, settings), (Place::Secrets, secrets)] {
        let whole = with_comments(&sample);
        let document: Table = whole.parse().unwrap_or_else(|error| panic!("{error}\n{whole}"));
        let document = Value::Table(document);
        for key in KEYS.iter().filter(|key| key.place == place && !key.is_table) {
            let path: Vec<_> = key.path.split('.').collect();
            assert!(says(&document, &path), "{} is not in the sample {}", key.path, place.name());
        }
    }
}

/// What is wrong with a block of TOML, if all of its tables are this document's, and if it is no sketch. What is
/// not there may be in another block, or in a variable.
fn wrong_with(block: &str, place: Place) -> Option<Vec<Finding>> {
    let table: Table = block.parse().ok()?;
    let is_section = |name: &String| KEYS.iter().any(|key| key.place == place && key.path == name);
    if table.is_empty() || block.contains('…') || !table.keys().all(is_section) {
        return None;
    }
    let given = match place {
        Place::Secrets => Given { settings: "", secrets: block },
        _ => Given { settings: block, secrets: "" },
    };
    let mut findings = wrong(&Settings::read(&given));
    findings.retain(|finding| finding.line.is_some() && !finding.fix.starts_with("is not set"));
    Some(findings)
}

#[test]
fn what_the_documents_say_to_put_into_the_settings_or_secrets_is_in_order() {
    let mut looked_at = 0;
    for path in files(|path| path.ends_with(".md") && path != "CHANGELOG.md") {
        for block in page(&path).blocks.iter().filter(|block| block.language == "toml") {
            let found = [Place::Settings, Place::Secrets].map(|it| wrong_with(&block.text, it));
            let mut found = found.into_iter().flatten().peekable();
            looked_at += usize::from(found.peek().is_some());
            // Both documents have tables of these names.
            let least = found.min_by_key(Vec::len).unwrap_or_default();
            assert_eq!(least, [], "{path}:\n{}", block.text);
        }
    }
    assert!(looked_at > 3, "{looked_at}");
}

#[test]
fn what_holds_secrets_is_ignored_by_git() {
    let ignored = read(".gitignore");
    for entry in [".env", ".spin/", "/runtime-config.toml", "/settings.toml", "/secrets.toml"] {
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
fn every_block_of_code_has_its_own_lines_and_a_language() {
    for path in files(|path| path.ends_with(".md")) {
        let mut is_open = false;
        for line in read(&path).lines().filter(|line| line.contains("```")) {
            let fence = line.trim_start().strip_prefix("```");
            let language = fence.unwrap_or_else(|| panic!("{path}: a block in a line: {line}"));
            assert_eq!(language.is_empty(), is_open, "{path}: {line}");
            is_open = !is_open;
        }
        assert!(!is_open, "{path}: a block does not end");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = files(|path| path.ends_with(".md"));
    for page in ["README.md", "CHANGELOG.md", "SECURITY.md", "docs/plan.md"] {
        assert!(pages.iter().any(|found| found == page), "{page} was not looked at: {pages:?}");
    }
    let mut broken = Vec::new();
    for path in &pages {
        if read(path).contains("@@") {
            broken.push(format!("{path} has a gap: @@"));
        }
        for link in page(path).links {
            if let Err(why) = follow(root, path, &link) {
                broken.push(format!("{path}: {link}: {why}"));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn a_link_to_nothing_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let works = |link| follow(root, "docs/policy.md", link);
    for link in ["../README.md", "settings.md#variables", "#how-many", "answers.md", "../src"] {
        assert_eq!(works(link), Ok(()), "{link}");
    }
    assert_eq!(works("https://example.com/#anything"), Ok(()));
    for link in ["README.md", "settings.md#variable", "#How-Many", "gone.md#how-many", "#"] {
        assert!(works(link).is_err(), "{link}");
    }
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
    let anchors = Page::read(&text).anchors;
    if anchors.iter().any(|there| there == anchor) {
        return Ok(());
    }
    Err(format!("there is no such heading, only {}", anchors.join(", ")))
}

/// Words that begin like a variable and are none, besides reasons, the log's fields and fuzz targets.
const NO_VARIABLES: [&str; 9] = [
    // The crates, and a module.
    "okta_telephony_acs",
    "okta_telephony_dev",
    "acs_emulator",
    // A key of the manifest.
    "outbound_http",
    // Of deploy/azure/provision.sh itself, the last two its options.
    "acs_id",
    "acs_name",
    "acs_resource",
    "okta_fallback",
    // The placeholder in SPIN_VARIABLE_NAME.
    "name",
];

/// A key that there is not, in the README's example of a mistake.
const NO_KEY: &str = "okta.response_formt";

/// What an owner reads: the pages, what deploys the hook, and the samples.
fn what_owners_read() -> Vec<(String, String)> {
    let paths = files(|path| {
        let ending = path.rsplit('.').next().unwrap();
        let deployed = path.starts_with("deploy/") && !path.contains("/test/");
        // The changelog may name what is no more.
        (ending == "md" && path != "CHANGELOG.md")
            || (deployed && ["yaml", "yml", "sh", "toml", "bicep", "tf", "tpl"].contains(&ending))
            || path.starts_with("sample/")
            || path == ".env.example"
    });
    let text = |path: &String| match path.ends_with(".md") {
        true => page(path).code.join("\n"),
        false => read(path),
    };
    paths.into_iter().map(|path| (path.clone(), text(&path))).collect()
}

#[test]
fn every_variable_and_every_key_that_is_named_anywhere_exists() {
    let manifest = Manifest::read(&manifest()).unwrap();
    let variables: Vec<_> = manifest.variables.keys().map(String::as_str).collect();
    let monitoring = page("docs/monitoring.md");
    let fields: Vec<_> = monitoring.tables.iter().flat_map(|table| &table.rows).collect();
    let targets = files(|path| path.starts_with("fuzz/fuzz_targets/"));
    let is_variable = |word: &str| {
        variables.contains(&word)
            || NO_VARIABLES.contains(&word)
            || fields.iter().any(|row| row[0].text == word)
            || Reason::ALL.iter().any(|reason| reason.code() == word)
            || targets.contains(&format!("fuzz/fuzz_targets/{word}.rs"))
    };
    let (mut named, mut unknown) = (BTreeSet::new(), Vec::new());
    for (path, text) in what_owners_read() {
        for word in variables_in(&text, &variables) {
            if !is_variable(&word) {
                unknown.push(format!("{path}: {word} is no variable of spin.toml"));
            }
            named.insert(word);
        }
        for word in keys_in(&text) {
            if !is_key(&word) && word != NO_KEY {
                unknown.push(format!("{path}: {word} is no key of the settings or secrets"));
            }
            named.insert(word);
        }
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
    // That this test looks where they are. The names of the two documents are words like others.
    let variables = variables.iter().filter(|name| name.contains('_'));
    for name in variables.chain(&["policy.sending", "limits.total", "operator.secret"]) {
        assert!(named.contains(*name), "{name} is named nowhere");
    }
}

#[test]
fn a_misspelt_variable_or_key_is_found_and_other_words_are_left_alone() {
    let found = |text: &str| variables_in(text, &["okta_user", "sending"]);
    assert_eq!(found("okta_usr=a SPIN_VARIABLE_SENDNG=off"), ["okta_usr", "sendng"]);
    assert_eq!(found("okta_totl, {{ okta_user }}"), ["okta_totl", "okta_user"]);
    assert_eq!(
        found("okta_*, OKTA_USER, my_okta_user, okta-user, okta, x::okta_y, a.okta_z"),
        [""; 0]
    );
    let text =
        "set `limits.totl` and okta.oauth.issuer, [providers.senders], message.templates.de.";
    let found = keys_in(text);
    assert_eq!(
        found,
        ["limits.totl", "okta.oauth.issuer", "providers.senders", "message.templates.de"]
    );
    assert_eq!(found.iter().filter(|word| !is_key(word)).collect::<Vec<_>>(), ["limits.totl"]);
    assert_eq!(keys_in("policy.md contoso.okta.com a/records.slots reports.rs okta."), [""; 0]);
}

/// The words in a text that are variables by their form: SPIN_VARIABLE_ and upper case, or words in
/// lower case of which the first is that of a variable.
fn variables_in(text: &str, variables: &[&str]) -> Vec<String> {
    let first = |name: &str| name.split_once('_').map(|(first, _)| first.to_owned());
    let firsts: BTreeSet<_> = variables.iter().filter_map(|name| first(name)).collect();
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (before, word, after) in words(text, part_of_word) {
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

/// The words in a text that are keys by their form: with a dot, of which what is before it is a table.
fn keys_in(text: &str) -> Vec<String> {
    let part_of_word = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_file = |word: &str| {
        let ending = word.rsplit('.').next().unwrap_or_default();
        ["md", "rs", "toml", "json", "yaml", "sh", "txt", "db", "com"].contains(&ending)
    };
    words(text, part_of_word)
        .filter(|(before, _, after)| !before.ends_with('/') && !after.starts_with(['/', '(']))
        .map(|(_, word, _)| word.trim_end_matches('.'))
        .filter(|word| {
            let table = word.split_once('.').map_or("", |(table, _)| table);
            KEYS.iter().any(|key| key.path == table) && !is_file(word)
        })
        .map(str::to_owned)
        .collect()
}

/// Whether there is such a key. Lists are not counted where they are talked of.
fn is_key(word: &str) -> bool {
    KEYS.iter().any(|key| {
        let pattern = key.path.replace("[]", "");
        let (parts, patterns) = (word.split('.'), pattern.split('.'));
        word.matches('.').count() == pattern.matches('.').count()
            && parts.zip(patterns).all(|(part, pattern)| pattern == "*" || part == pattern)
    })
}

/// The words of a text, each with what is before it and after it.
fn words(
    text: &str,
    part_of_word: impl Fn(char) -> bool + Copy,
) -> impl Iterator<Item = (&str, &str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(part_of_word)?;
        let end = text[start..].find(|c| !part_of_word(c)).map_or(text.len(), |end| start + end);
        at = end;
        Some((&text[..start], &text[start..end], &text[end..]))
    })
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
