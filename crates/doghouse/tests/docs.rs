//! Keeps the documentation true, as far as a test can: its links, the tests that it names, its configuration, its
//! commands, the log's events and the dependencies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
// Tests stop at the first surprise.

#[path = "docs/dependencies.rs"]
mod dependencies;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use clap::Parser;
use doghouse::{cli::Cli, config::Config};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below a folder whose names end so, by their paths from the root.
fn files(folder: &str, end: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let skipped = ["target", "book", "corpus", "artifacts"].map(Path::new);
            if path.is_dir() && !skipped.contains(&Path::new(&entry.file_name())) {
                folders.push(path);
            } else if path.is_file() && path.to_string_lossy().ends_with(end) {
                found.insert(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found
}

/// The book's pages, and the documents beside it.
fn pages() -> BTreeSet<PathBuf> {
    let mut pages = files("docs", ".md");
    pages.extend(["README.md", "CHANGELOG.md", "SECURITY.md"].map(PathBuf::from));
    pages
}

/// The operator's guide, all its pages together.
fn guide() -> String {
    files("docs/operators-guide", ".md").iter().map(read).collect()
}

/// A page's lines in its fenced blocks of a language, a text each; and its other lines.
fn blocks<'a>(page: &'a str, language: &str) -> (Vec<String>, Vec<&'a str>) {
    let (mut blocks, mut others, mut fence) = (Vec::new(), Vec::new(), None);
    for line in page.lines() {
        match (fence, line.trim_start().strip_prefix("```")) {
            (None, Some(opened)) => {
                fence = Some(opened);
                if opened == language {
                    blocks.push(String::new());
                }
            }
            (Some(_), Some(_)) => fence = None,
            (None, None) => others.push(line),
            (Some(opened), None) if opened == language => blocks.last_mut().unwrap().extend([line, "\n"]),
            (Some(_), None) => {}
        }
    }
    assert_eq!(fence, None, "a block without an end");
    (blocks, others)
}

/// The links outside of blocks: text and target.
fn links(page: &str) -> Vec<(String, String)> {
    let mut links = Vec::new();
    for line in blocks(page, "").1 {
        for (at, _) in line.match_indices("](") {
            let text = line[..at].rsplit('[').next().unwrap();
            let target = line[at + 2..].split(')').next().unwrap();
            links.push((text.to_owned(), target.to_owned()));
        }
    }
    links
}

/// What a heading is called in a link, here as on the usual sites.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    blocks(page, "").1.into_iter().filter(|line| line.starts_with('#')).map(anchor).collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let listed: BTreeSet<PathBuf> = links(&read("docs/SUMMARY.md"))
        .into_iter()
        .map(|(_, target)| Path::new("docs").join(target))
        .collect();
    let mut there = files("docs", ".md");
    assert!(there.remove(Path::new("docs/SUMMARY.md")));
    assert_eq!(listed, there);
    let book: toml::Table = toml::from_str(&read("docs/book.toml")).unwrap();
    assert_eq!(book["book"]["src"].as_str(), Some("."), "the pages are found from docs itself");
    assert!(there.contains(Path::new("docs/dependencies.md")));
}

#[test]
fn every_link_leads_to_what_it_says() {
    for page in pages() {
        let text = read(&page);
        for (said, target) in links(&text) {
            if target.contains("://") {
                continue;
            }
            let place = format!("{}: [{said}]({target})", page.display());
            let (path, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let path =
                if path.is_empty() { root().join(&page) } else { root().join(&page).with_file_name(path) };
            assert!(path.exists(), "{place}: there is no such file");
            assert!(path.canonicalize().unwrap().starts_with(root()), "{place}: leads out of the repository");
            if !fragment.is_empty() {
                assert!(anchors(&read(&path)).contains(fragment), "{place}: there is no such heading");
            }
            let code = said.strip_prefix('`').and_then(|said| said.strip_suffix('`'));
            match (code, path.extension().and_then(|extension| extension.to_str())) {
                (Some(name), Some("rs")) if !name.contains(['.', ':', '/']) && is_function(name) => {
                    assert!(read(&path).contains(&format!("fn {name}(")), "{place}: there is no such test");
                }
                (Some(name), Some("txt")) => assert!(path.ends_with(name), "{place}: another file"),
                _ => {}
            }
        }
    }
}

/// Whether a name is meant for a function: two words and more, in small letters.
fn is_function(name: &str) -> bool {
    name.contains('_') && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// The sections of `docs/decisions.md`, by number.
fn decisions() -> BTreeMap<u32, String> {
    let page = read("docs/decisions.md");
    let mut sections = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        if let Some(number) = section.split_once(". ").and_then(|(number, _)| number.parse().ok()) {
            assert!(sections.insert(number, section.to_owned()).is_none(), "{number} is there twice");
        }
    }
    sections
}

#[test]
fn every_decision_has_its_section_and_its_tests() {
    let sections = decisions();
    assert_eq!(sections.keys().copied().collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    for (number, section) in sections {
        for part in ["**RFC 937:** ", "**Doghouse:** ", "**Why:** ", "**Tests:** "] {
            assert_eq!(section.matches(part).count(), 1, "decision {number}: {part}");
        }
        let tests = links(section.split_once("**Tests:** ").unwrap().1);
        let is_test =
            |target: &str| target.rsplit('.').next().is_some_and(|end| ["txt", "rs"].contains(&end));
        assert!(
            tests.iter().any(|(_, target)| is_test(target)) || section.contains("not yet"),
            "decision {number} links no test and does not say why"
        );
    }
}

#[test]
fn every_test_of_a_decision_is_linked_from_it() {
    let sections = decisions();
    let mut tests = Vec::new();
    for file in files("crates/doghouse/tests/dialogues", ".txt") {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        tests.extend(name.strip_prefix("decision-").map(|rest| (rest.to_owned(), name.clone())));
    }
    assert!(tests.len() > 20);
    for file in files("crates", ".rs") {
        let source = read(&file);
        for (at, _) in source.match_indices("fn decision_") {
            let name = source[at + 3..].split('(').next().unwrap();
            tests.extend(name.strip_prefix("decision_").map(|rest| (rest.to_owned(), name.to_owned())));
        }
    }
    let mut unlinked = Vec::new();
    for (rest, name) in tests {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        // This file speaks of such functions without being one.
        let Ok(number) = digits.parse::<u32>() else { continue };
        let section =
            sections.get(&number).unwrap_or_else(|| panic!("{name}: there is no decision {number}"));
        if !section.contains(&format!("[`{name}`]")) {
            unlinked.push(name);
        }
    }
    assert!(unlinked.is_empty(), "link these in docs/decisions.md, each in its number: {unlinked:#?}");
}

/// The functions of a source file that run as tests: those that are marked, in a `proptest!` too, and the cases of the
/// battery, which marks them for each store.
fn tests_of(source: &str) -> BTreeSet<&str> {
    let (mut tests, mut is_marked, mut in_battery) = (BTreeSet::new(), false, false);
    for line in source.lines().map(str::trim) {
        in_battery = line == "battery! {" || (in_battery && line != "}");
        if in_battery && is_function(line) {
            tests.insert(line);
        }
        let marks = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        if let Some((before, after)) = line.split_once("fn ")
            && is_marked
            && before.split_whitespace().all(|word| ["async", "pub"].contains(&word))
        {
            tests.extend(after.split(['(', '<']).next());
        }
        // Other attributes and comments may stand between the mark and the function.
        is_marked = marks || (is_marked && (line.starts_with("#[") || line.starts_with("//")));
    }
    tests
}

/// Whether a link from the root leads to something that is tried by the test suite: a dialogue, a fuzz target or a test.
fn leads_to_a_test(said: &str, target: &str) -> bool {
    let name = said.trim_matches('`');
    match Path::new(target).parent().and_then(Path::to_str) {
        Some("crates/doghouse/tests/dialogues") => target.ends_with(&format!("/{name}")),
        Some("fuzz/src/targets") => {
            read("fuzz/src/lib.rs").contains(&format!("(\"{name}\", {name})"))
                && read(target).contains(&format!("pub fn {name}("))
        }
        _ => {
            Path::new(target).extension().is_some_and(|end| end == "rs")
                && tests_of(&read(target)).contains(name)
        }
    }
}

#[test]
fn every_threat_names_a_test() {
    let page = read("SECURITY.md");
    let model = page.split_once("\n## Threat model\n").unwrap().1.split("\n## ").next().unwrap();
    let (mut met, mut without) = (0, Vec::new());
    let lines: Vec<&str> = model.lines().collect();
    for pair in lines.windows(2).filter(|pair| pair[0].starts_with("| ") && !pair[1].starts_with("|---")) {
        met += 1;
        let line = pair[0];
        let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
        let [_threat, _defence, tests] = cells[..] else { panic!("three cells: {line}") };
        let tests = links(tests);
        // All of them, so that no link looks like a test's and is none.
        if tests.is_empty() || !tests.iter().all(|(said, target)| leads_to_a_test(said, target)) {
            without.push(line);
        }
    }
    assert!(met >= 100, "where are the rows? {met}");
    assert!(without.is_empty(), "without a test, or with a link that leads to none: {without:#?}");
}

/// The keys of the configuration as its source has them, each with its table.
fn keys() -> Vec<(String, String)> {
    let parts = files("crates/doghouse/src/config", ".rs");
    let source: String = parts.iter().map(read).chain([read("crates/doghouse/src/config.rs")]).collect();
    let source = source.replace("pub(super) ", "");
    let mut keys = Vec::new();
    for raw in source.split("\nstruct Raw").skip(1) {
        let (table, fields) = raw.split_once(" {").unwrap();
        let table = if table == "S3" { "database.s3" } else { table };
        let fields = fields.split_once("\n}").unwrap().0;
        for field in fields.lines().filter_map(|line| line.trim().split_once(": ")) {
            let (key, kind) = field;
            if !kind.contains("Raw") && !key.starts_with('/') {
                keys.push((table.to_lowercase(), key.to_owned()));
            }
        }
    }
    assert!(keys.len() >= 10, "where are the keys? {keys:?}");
    keys
}

#[test]
fn the_configuration_that_is_shown_is_taken_and_whole() {
    let page = read("docs/configuration.md");
    let (samples, _) = blocks(&page, "toml");
    let packaged = read("packaging/doghouse.toml");
    for sample in samples.iter().chain([&packaged]) {
        if let Err(error) = Config::parse(sample, Path::new("/etc/doghouse/doghouse.toml")) {
            panic!("{error}\n{sample}");
        }
    }
    let uncommented: Vec<&str> = packaged.lines().map(|line| line.trim_start_matches("# ")).collect();
    for (table, key) in keys() {
        let name = if table.is_empty() { format!("| [`{key}`]") } else { format!("| [`{table}.{key}`]") };
        assert!(page.contains(&name), "docs/configuration.md has no row {name}");
        let line = format!("{key} = ");
        let head = format!("[{table}.{key}]");
        let is_key = |shown: &str| shown.starts_with(&line) || shown == head;
        let mut shown = samples.iter().flat_map(|sample| sample.lines());
        assert!(shown.any(is_key), "no sample has {key}");
        assert!(uncommented.iter().any(|shown| is_key(shown)), "packaging/doghouse.toml has no {key}");
    }
}

/// Rows of a table: the cells without their code marks.
fn rows(page: &str) -> impl Iterator<Item = Vec<String>> {
    let cell = |cell: &str| cell.trim().to_owned();
    page.lines()
        .filter(|line| line.starts_with("| "))
        .map(move |line| line.trim_matches('|').split('|').map(cell).collect())
}

#[test]
fn the_defaults_that_are_told_are_the_defaults() {
    let mut tables: BTreeMap<String, String> = BTreeMap::new();
    let mut told = 0;
    for row in rows(&read("docs/configuration.md")) {
        let key = row[0].split('`').nth(1).and_then(|key| key.split_once('.'));
        let value = row.last().and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
        told += usize::from(key.is_some());
        // What has no default has no code in that cell.
        if let (Some((table, key)), Some(value)) = (key, value) {
            tables.entry(table.to_owned()).or_default().extend([key, " = ", value, "\n"]);
        }
    }
    assert_eq!(told, keys().iter().filter(|(table, _)| !table.is_empty()).count(), "{tables:?}");
    assert!(tables.len() >= 5, "{tables:?}");
    let mut text = String::new();
    // A database without its place is none.
    let database = "[database]\nconnect = 'host=/run/postgresql'\nobjects = 's3://mail'";
    for (table, keys) in tables {
        let head = match table.as_str() {
            "listener" => "[[listener]]".to_owned(),
            "database" => database.to_owned(),
            _ => format!("[{table}]"),
        };
        text.extend([head.as_str(), "\n", keys.as_str()]);
    }
    let parse = |text: &str| {
        let config = Config::parse(text, Path::new("/etc/doghouse/x.toml")).unwrap();
        let shown = format!("{config:#?}");
        // They show nothing of themselves where a password could be.
        let settings = config.database.unwrap().settings().clone();
        let times = [settings.connect_patience, settings.patience, settings.persistence];
        (shown, settings.connections, settings.inline, times)
    };
    assert_eq!(parse(&text), parse(database));
}

/// What a shell would run of a line, without what it is fed or feeds; our own programs only.
fn our_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for segment in line.split(['|', '&', '<', '>']) {
        let words: Vec<&str> = segment.split_whitespace().collect();
        let after_dashes = || words.iter().skip_while(|&&word| word != "--").skip(1).copied();
        let words: Vec<&str> = match words.first().copied() {
            Some("runuser") => after_dashes().collect(),
            // Programs of other crates.
            Some("cargo") if words.contains(&"doghouse-bench") || words.contains(&"packaging") => continue,
            Some("cargo") if words.get(1) == Some(&"run") => {
                ["doghouse"].into_iter().chain(after_dashes()).collect()
            }
            _ => words,
        };
        if matches!(words.first(), Some(&"doghouse" | &"fido")) {
            commands.push(words.into_iter().map(str::to_owned).collect());
        }
    }
    commands
}

#[test]
fn every_command_that_is_shown_is_one() {
    let fido = read("crates/fido/src/args.rs");
    let mut met = 0;
    for page in pages() {
        for line in blocks(&read(&page), "sh").0.iter().flat_map(|block| block.lines()) {
            let place = format!("{}: {line}", page.display());
            if let Some(script) = line.strip_prefix("./") {
                assert!(root().join(script).is_file(), "{place}");
            }
            for command in our_commands(line) {
                met += 1;
                if command[0] == "doghouse" {
                    Cli::try_parse_from(&command).unwrap_or_else(|error| panic!("{place}: {error}"));
                    continue;
                }
                // Without a command it is the reader.
                if let Some(name) = command.get(1).filter(|word| !word.starts_with('-')) {
                    let (first, rest) = name.split_at(1);
                    let variant = format!("\n    {}{rest}", first.to_uppercase());
                    let is_command =
                        ["(", ",", " {"].iter().any(|end| fido.contains(&format!("{variant}{end}")));
                    assert!(is_command, "{place}");
                }
                for flag in command.iter().filter_map(|word| word.strip_prefix("--")) {
                    assert!(fido.contains(&format!("pub {}:", flag.replace('-', "_"))), "{place}: --{flag}");
                }
            }
        }
    }
    assert!(met > 15, "where are the commands?");
}

/// The message of each log event in a source file: the last text among the arguments of its macro.
fn events(source: &str) -> Vec<String> {
    let mut events = Vec::new();
    for level in ["error!(", "warn!(", "info!(", "debug!("] {
        for (at, _) in source.match_indices(level) {
            let (mut depth, mut text, mut last) = (1, None::<String>, String::new());
            for c in source[at + level.len()..].chars() {
                match (&mut text, c) {
                    (Some(_), '"') => last = text.take().unwrap(),
                    (Some(text), c) => text.push(c),
                    (None, '"') => text = Some(String::new()),
                    (None, '(') => depth += 1,
                    (None, ')') => depth -= 1,
                    (None, _) => {}
                }
                if depth == 0 {
                    break;
                }
            }
            events.push(last);
        }
    }
    events
}

#[test]
fn every_event_of_the_log_is_in_the_operators_guide_and_the_other_way_round() {
    let guide = guide();
    let levels = ["debug", "info", "warn", "error"];
    let told: BTreeSet<String> = rows(&guide)
        .filter(|row| levels.contains(&row[0].as_str()))
        .map(|row| row[1].trim_matches('`').to_owned())
        .collect();
    let mut written = BTreeSet::new();
    for folder in ["crates/doghouse/src", "crates/postbox/src"] {
        for file in files(folder, ".rs") {
            written.extend(events(&read(file)));
        }
    }
    assert_eq!(told, written);
}

#[test]
fn every_metric_is_in_the_operators_guide_and_the_dashboards_name_no_other() {
    let guide = guide();
    let cell = |row: Vec<String>| row[0].trim_matches('`').to_owned();
    let told: BTreeSet<String> =
        rows(&guide).map(cell).filter(|name| name.starts_with("doghouse_")).collect();
    let text = doghouse::watch::metrics::Metrics::default().to_text();
    let help = text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    let there: BTreeSet<String> = help.map(str::to_owned).collect();
    assert_eq!(told, there);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for file in ["packaging/grafana/doghouse.json", "packaging/prometheus/doghouse.rules.yml"] {
        let text = read(file);
        let mut met = 0;
        for word in text.split(|c| !is_name(c)).filter(|word| word.starts_with("doghouse_")) {
            let name = ["_total", "_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end));
            assert!(there.contains(name.unwrap_or(word)), "{file} names {word}, which there is not");
            met += 1;
        }
        assert!(met >= 5, "{file} names no metrics");
    }
    serde_json::from_str::<serde_json::Value>(&read("packaging/grafana/doghouse.json")).unwrap();
}
