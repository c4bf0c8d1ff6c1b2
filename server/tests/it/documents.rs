//! The documents: what they say about commands, settings, routes and files is so, and each program in them is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use axum::http::StatusCode;
use domain::model::person::authority::Role;
use domain::model::webhook::EventKind;
use server::routes::Permission;
use server::routes::{Access, table};
use server::state::AppState;

use crate::support::{App, form_token};

/// Folders of the repository whose files documents name.
const FOLDERS: [&str; 9] = ["app", "bench", "docs", "domain", "end2end", "migrations", "packaging", "server", "style"];
/// Variables that hold a secret itself, and are no settings.
const SECRET_VARIABLES: [&str; 4] = [
    "COUNTERSIGN_MASTER_KEY",
    "COUNTERSIGN_INITIAL_ACCESS_TOKEN",
    "COUNTERSIGN_OPENID_CLIENT_SECRET",
    "COUNTERSIGN_MIGRATE_TO",
];
/// What a variable of the documents may hold.
const CLIENT_ID: &str = "csc_0000000000000000000000";
/// Languages of commands, programs, and configurations of other programs.
const RUN: [&str; 10] = ["sh", "python", "js", "", "bash", "console", "nginx", "caddyfile", "haproxy", "yaml"];
/// Documents with commands that no test can run: builds, what needs root, the tests themselves; and Traefik.
const WITH_COMMANDS_BY_HAND: [&str; 4] = ["README.md", "CONTRIBUTING.md", "docs/operate.md", "docs/proxies.md"];
const LONGEST_PARAGRAPH: usize = 80;
const LONGEST_LINE: usize = 120;
const LONGEST_PAGE: usize = 150;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A part of a document.
enum Part {
    Heading(String),
    /// A paragraph or an item of a list, in one line.
    Paragraph(String),
    /// The cells of a row of a table.
    Row(Vec<String>),
    Code {
        language: String,
        /// The comment before it.
        marker: String,
        text: String,
    },
}

struct Document {
    /// From the root of the repository.
    path: String,
    text: String,
    parts: Vec<Part>,
}

/// The documents at the root and in `docs`.
fn documents() -> Vec<Document> {
    let mut paths = files(&root().join("docs"), "md");
    paths.extend(fs::read_dir(root()).expect("a folder").map(|entry| entry.expect("an entry").path()));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.iter().map(|path| document(path)).collect()
}

fn document(path: &Path) -> Document {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).expect("in the repository").display().to_string();
    Document { path, parts: parts(&text), text }
}

/// Every file below a folder whose name ends so.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("node_modules") {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found
}

fn parts(text: &str) -> Vec<Part> {
    let (mut parts, mut paragraph, mut marker) = (Vec::new(), String::new(), String::new());
    let mut lines = text.lines();
    let end = |paragraph: &mut String, parts: &mut Vec<Part>| {
        if !paragraph.is_empty() {
            parts.push(Part::Paragraph(std::mem::take(paragraph)));
        }
    };
    while let Some(line) = lines.next() {
        let item = line.trim_start();
        let is_item =
            item.starts_with("- ") || item.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        let is_row = line.starts_with('|');
        if line.is_empty() || is_item || is_row || ["#", "```", "<!--"].iter().any(|start| line.starts_with(start)) {
            end(&mut paragraph, &mut parts);
        }
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let marker = std::mem::take(&mut marker);
            parts.push(Part::Code { language: language.to_owned(), marker, text: text.join("\n") });
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            marker = comment.trim_end_matches(" -->").to_owned();
        } else if line.starts_with('#') {
            parts.push(Part::Heading(line.trim_start_matches('#').trim().to_owned()));
        } else if is_row {
            parts.push(Part::Row(line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()));
        } else if !line.is_empty() {
            paragraph += &format!(" {}", line.trim());
        }
    }
    end(&mut paragraph, &mut parts);
    parts
}

impl Document {
    /// What people read: paragraphs, headings and cells.
    fn prose(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(|part| match part {
            Part::Heading(text) | Part::Paragraph(text) => vec![text.as_str()],
            Part::Row(cells) => cells.iter().map(String::as_str).collect(),
            Part::Code { .. } => Vec::new(),
        })
    }

    /// What stands between single back quotes.
    fn inline_code(&self) -> impl Iterator<Item = &str> {
        self.prose().flat_map(|text| text.split('`').skip(1).step_by(2))
    }

    fn code<'document>(
        &'document self,
        wanted: &'document [&str],
    ) -> impl Iterator<Item = (&'document str, &'document str)> {
        self.parts.iter().filter_map(move |part| match part {
            Part::Code { language, marker, text } if wanted.contains(&language.as_str()) => {
                Some((marker.as_str(), text.as_str()))
            }
            _ => None,
        })
    }

    /// The rows of its tables, each by its first cell without back quotes.
    fn rows(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.parts.iter().filter_map(|part| match part {
            Part::Row(cells) => Some((cells[0].strip_prefix('`')?.split('`').next()?, cells.as_slice())),
            _ => None,
        })
    }

    /// Its headings as links name them.
    fn anchors(&self) -> BTreeSet<String> {
        let anchor = |heading: &str| -> String {
            let kept = heading.to_lowercase().replace(' ', "-");
            kept.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
        };
        self.parts
            .iter()
            .filter_map(|part| if let Part::Heading(text) = part { Some(anchor(text)) } else { None })
            .collect()
    }
}

/// Runs the program in a folder where nothing is, with these variables.
fn countersign(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).current_dir(std::env::temp_dir()).env_clear().envs(variables.iter().copied());
    command.output().expect("runs")
}

fn help(command: &[&str]) -> String {
    let output = countersign(&[command, &["--help"]].concat(), &[]);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The settings, by name, with their defaults as texts.
fn settings() -> BTreeMap<String, String> {
    let defaults: toml::Table = include_str!("../../countersign.default.toml").parse().expect("TOML");
    let text = |value: toml::Value| match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        other => panic!("no setting is a {}", other.type_str()),
    };
    defaults.into_iter().map(|(name, value)| (name, text(value))).collect()
}

/// The words of the commands in lines of a shell, up to what redirects or follows them.
fn commands(lines: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word, mut quote) = (Vec::new(), Vec::new(), String::new(), None);
    let lines = lines.replace("\\\n", " ") + "\n";
    for character in lines.chars() {
        match (quote, character) {
            (Some(open), close) if open == close => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            (None, ' ' | '\n' | '|' | ';' | '>' | '<' | '(' | ')') => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                if character != ' ' && !words.is_empty() {
                    all.push(std::mem::take(&mut words));
                }
            }
            _ => word.push(character),
        }
    }
    all
}

#[test]
fn documents_are_short() {
    for Document { path, text, parts } in documents() {
        if ["README.md", "ARCHITECTURE.md"].contains(&path.as_str()) {
            assert!(text.lines().count() <= LONGEST_PAGE, "{path} has {} lines", text.lines().count());
        }
        for part in &parts {
            let texts: Vec<&str> = match part {
                Part::Heading(text) | Part::Paragraph(text) => vec![text],
                Part::Row(cells) => cells.iter().map(String::as_str).collect(),
                // A line of JSON cannot be broken.
                Part::Code { language, text, .. } if language != "json" => {
                    let long = text.lines().find(|line| line.chars().count() > LONGEST_LINE);
                    assert_eq!(long, None, "{path}");
                    continue;
                }
                Part::Code { .. } => continue,
            };
            for text in texts {
                assert!(text.split_whitespace().count() <= LONGEST_PARAGRAPH, "{path}: {text}");
            }
        }
    }
}

#[test]
fn lines_fit_on_a_screen() {
    for Document { path, text, .. } in documents() {
        for line in text.lines().filter(|line| !line.starts_with(['|', '{'])) {
            assert!(line.chars().count() <= LONGEST_LINE, "{path}: {line}");
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for document in documents() {
        let folder = root().join(&document.path).parent().expect("a folder").to_owned();
        for link in document.prose().flat_map(|text| text.split("](").skip(1)) {
            let link = link.split(')').next().expect("an end");
            if link.starts_with("https://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&document.path) } else { folder.join(file) };
            assert!(target.exists(), "{}: {link}", document.path);
            if !anchor.is_empty() {
                let target = target.canonicalize().expect("a path");
                assert!(self::document(&target).anchors().contains(anchor), "{}: {link}", document.path);
            }
        }
    }
}

#[test]
fn every_file_that_is_named_exists() {
    let mut missing = Vec::new();
    for document in documents() {
        let programs = document.code(&["sh"]).flat_map(|(_, text)| commands(text)).flatten();
        let named: BTreeSet<String> = document.inline_code().map(str::to_owned).chain(programs).collect();
        for name in named {
            let is_path = name.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder));
            // The name of a migration that is yet to be written.
            if is_path && !name.contains("NNNN") && !root().join(&name).exists() {
                missing.push(format!("{}: {name}", document.path));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_program_is_run_by_a_test() {
    let tests: String = [("end2end/tests", "ts"), ("server/tests/nodes", "rs")]
        .into_iter()
        .flat_map(|(folder, extension)| files(&root().join(folder), extension))
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    let mut names = BTreeSet::new();
    for document in documents() {
        let path = &document.path;
        for (marker, text) in document.code(&RUN) {
            match marker.split_once(": ") {
                Some(("runs", name)) => {
                    assert!(names.insert(name.to_owned()), "{path}: two programs are named {name}");
                    let runs = [format!("'{name}'"), format!("\"{name}\"")].iter().any(|quoted| tests.contains(quoted));
                    assert!(runs, "{path}: no test runs {name}");
                }
                Some(("not run", _)) => assert!(WITH_COMMANDS_BY_HAND.contains(&path.as_str()), "{path}: {text}"),
                _ => panic!("{path}: neither run nor excused:\n{text}"),
            }
        }
    }
    assert!(names.len() >= 20, "{names:?}");
}

#[test]
fn every_test_command_names_tests_that_exist() {
    let document = document(&root().join("CONTRIBUTING.md"));
    let exists = |folder: &str, name: &str| {
        let is_meant = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == name);
        files(&root().join(folder), "rs").iter().any(|path| is_meant(path) || path.ends_with(format!("{name}/mod.rs")))
    };
    let mut seen = 0;
    for words in document.code(&["sh"]).flat_map(|(_, text)| commands(text)) {
        let words: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| word.starts_with("./")).collect();
        match words[..] {
            ["cargo", "test", "-p", package, "--lib", name] => {
                assert!(exists(&format!("{package}/src"), name), "{words:?}")
            }
            ["cargo", "test", "-p", package, "--test", target, name] => {
                assert!(exists(&format!("{package}/tests/{target}"), name), "{words:?}");
            }
            ["npx", "playwright", "test", file, "--project", _, "--grep", title] => {
                let text = fs::read_to_string(root().join("end2end").join(file)).expect("a file of tests");
                assert!(text.contains(title), "{words:?}");
            }
            _ => continue,
        }
        seen += 1;
    }
    assert!(seen >= 6, "{seen} commands that run single tests");
}

#[test]
fn every_command_is_one_that_the_program_takes() {
    let mut seen = 0;
    for document in documents() {
        for words in document.code(&["sh"]).flat_map(|(_, text)| commands(&text.replace("$MCP_CLIENT_ID", CLIENT_ID))) {
            let words: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| *word == "sudo").collect();
            let Some(("countersign", arguments)) = words.split_first().map(|(first, rest)| (*first, rest)) else {
                continue;
            };
            // The settings are looked at when the arguments are understood: a wrong one ends the program before it does
            // anything.
            let variables = [("COUNTERSIGN_PRIVATE_ISSUERS", "a/b"), ("COUNTERSIGN_MIGRATE_TO", "postgres://a@b/c")];
            let said = String::from_utf8_lossy(&countersign(arguments, &variables).stderr).into_owned();
            assert!(said.starts_with("countersign: private_issuers: "), "{}: {words:?}: {said}", document.path);
            seen += 1;
        }
        for code in document.inline_code().filter(|code| code.starts_with("countersign ")) {
            let words: Vec<&str> = code.split(' ').skip(1).collect();
            help(&words);
            seen += 1;
        }
    }
    assert!(seen >= 40, "{seen} commands");
}

#[test]
fn configuration_examples_are_accepted() {
    let mut seen = 0;
    for document in documents() {
        for (_, text) in document.code(&["toml"]) {
            let file = std::env::temp_dir().join(format!("countersign-example-{}-{seen}.toml", std::process::id()));
            fs::write(&file, text).expect("writes");
            let output = countersign(
                &["--config", file.to_str().expect("a path"), "healthcheck"],
                &[("COUNTERSIGN_LISTEN", "127.0.0.1:1")],
            );
            fs::remove_file(file).expect("removes");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // Nobody listens there; with a wrong setting nobody would have been asked.
            assert_eq!(output.status.code(), Some(1), "{}: {said}", document.path);
            seen += 1;
        }
        for (_, text) in document.code(&["json"]) {
            for value in serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>() {
                assert!(value.is_ok(), "{}: {text}", document.path);
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_reference_has_every_setting_with_its_default() {
    let settings = settings();
    let document = document(&root().join("docs/reference/settings.md"));
    let written: BTreeMap<&str, &str> = document
        .rows()
        .filter(|(name, _)| !name.starts_with("COUNTERSIGN_"))
        .map(|(name, cells)| (name, cells[1].as_str()))
        .collect();
    let names = |map: Vec<&str>| map.into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(names(written.keys().copied().collect()), names(settings.keys().map(String::as_str).collect()));
    for (name, default) in &settings {
        let shown = written[name.as_str()];
        let is_default = if default.is_empty() {
            shown == "none" || shown.starts_with('*')
        } else {
            shown == format!("`{default}`")
        };
        assert!(is_default, "{name}: the default is {default:?}, and the reference says {shown}");
    }
    let help = help(&[]);
    for name in settings.keys() {
        assert!(help.contains(&format!("--{} <", name.replace('_', "-"))), "{name} is no flag");
        assert!(help.contains(&format!("env: COUNTERSIGN_{}", name.to_uppercase())), "{name} is no variable");
    }
}

#[test]
fn every_name_in_the_documents_is_in_the_program() {
    let mut program = fs::read_to_string(root().join("server/countersign.default.toml")).expect("text");
    for folder in ["app", "domain/src", "server/src", "migrations", "packaging", "end2end/tests"] {
        for extension in ["rs", "py", "mjs", "sh", "sql", "service", "ts"] {
            for path in files(&root().join(folder), extension) {
                program += &fs::read_to_string(path).expect("text");
            }
        }
    }
    let settings = settings();
    let helps: String = leaves(&mut Vec::new()).iter().map(|(_, help)| help.as_str()).collect();
    let is_name = |text: &str| {
        text.contains('_') && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    for document in documents() {
        let path = &document.path;
        for code in document.inline_code() {
            if is_name(code) && !code.ends_with('_') {
                assert!(program.contains(code), "{path}: {code} is nowhere in the program");
            }
            if let Some(flag) = code.split([' ', '=']).next().filter(|flag| flag.starts_with("--")) {
                let is_known = helps.contains(&format!("{flag} ")) || helps.contains(&format!("{flag}\n"));
                assert!(is_known, "{path}: {flag} is no flag");
            }
        }
        let is_variable = |word: &&str| word.starts_with("COUNTERSIGN_");
        let words = document.text.split(|character: char| !character.is_ascii_uppercase() && character != '_');
        for variable in words.filter(is_variable) {
            let setting = variable["COUNTERSIGN_".len()..].to_lowercase();
            let is_known = SECRET_VARIABLES.contains(&variable) || settings.contains_key(&setting);
            assert!(is_known, "{path}: {variable} is no variable");
        }
    }
}

/// Every command that does something, with its help.
fn leaves(command: &mut Vec<String>) -> Vec<(String, String)> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let text = help(&words);
    let Some(list) = text.split_once("Commands:\n").map(|(_, list)| list.split("\n\n").next().unwrap_or_default())
    else {
        return vec![(format!("countersign {}", words.join(" ")), text)];
    };
    let names: Vec<String> = list
        .lines()
        .filter_map(|line| {
            line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()).map(str::to_owned)
        })
        .collect();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| name != "help") {
        command.push(name);
        found.extend(leaves(command));
        command.pop();
    }
    if command.is_empty() {
        found.push(("countersign".to_owned(), text));
    }
    found
}

/// The options and arguments of a command, as its help names them, with their defaults; settings left out.
fn options(help: &str) -> BTreeMap<String, Option<String>> {
    let mut found: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut last = None;
    for line in help.lines().skip_while(|line| !line.starts_with("Usage")).skip(1).map(str::trim_start) {
        let line = line.trim_start_matches("-h, ").trim_start_matches("-V, ");
        // “[FILE]” is an argument, “[env: …]” a remark.
        let is_argument = line.starts_with('<') || line.starts_with('[') && !line.contains(": ");
        if line.starts_with("--") || is_argument {
            let name: String =
                line.split("  ").next().unwrap_or_default().replace(['<', '>', '[', ']'], "").replace("...", "");
            found.insert(name.clone(), None);
            last = Some(name);
        }
        if let (Some(name), Some((_, default))) = (&last, line.split_once("[default: ")) {
            let default = default.split(']').next().filter(|default| *default != "\"\"");
            found.insert(name.clone(), default.map(str::to_owned));
        }
    }
    let settings = settings();
    let is_own = |name: &String| {
        let flag = name.split(' ').next().unwrap_or_default().trim_start_matches("--").replace('-', "_");
        let is_setting = help.contains("\nSettings:\n") && settings.contains_key(&flag);
        !is_setting && !["config", "help", "version"].contains(&flag.as_str())
    };
    found.into_iter().filter(|(name, _)| is_own(name)).collect()
}

#[test]
fn the_reference_has_every_command_with_its_options() {
    let document = document(&root().join("docs/reference/cli.md"));
    let mut written: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut current = String::new();
    for part in &document.parts {
        match part {
            Part::Heading(heading) => {
                current = heading.trim_matches('`').to_owned();
                if current.starts_with("countersign ") {
                    written.insert(current.clone(), BTreeMap::new());
                }
            }
            Part::Row(cells) => {
                let option = cells[0].split('`').nth(1);
                if let (Some(options), Some(option)) = (written.get_mut(&current), option) {
                    options.insert(option.to_owned(), cells[1].clone());
                }
            }
            Part::Paragraph(_) | Part::Code { .. } => {}
        }
    }
    let known = leaves(&mut Vec::new());
    let commands: BTreeSet<&str> =
        known.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "countersign").collect();
    assert_eq!(written.keys().map(String::as_str).collect::<BTreeSet<_>>(), commands);
    for (command, help) in known.iter().filter(|(name, _)| name != "countersign") {
        let options = options(help);
        let shown = &written[command];
        assert_eq!(shown.keys().collect::<Vec<_>>(), options.keys().collect::<Vec<_>>(), "{command}");
        for (option, default) in options.iter().filter_map(|(option, default)| Some((option, default.as_ref()?))) {
            assert_eq!(shown[option], format!("`{default}`"), "{command} {option}");
        }
    }
}

/// Who may use a route, as the reference says it.
fn who(access: Access) -> &'static str {
    match access {
        Access::Dashboard(Permission::Anybody) => "anybody",
        Access::Dashboard(Permission::Person) => "person",
        Access::Dashboard(Permission::Role(Role::Viewer)) => "viewer",
        Access::Dashboard(Permission::Role(Role::Member)) => "member",
        Access::Dashboard(Permission::Role(Role::Manager)) => "manager",
        Access::Dashboard(Permission::Administrator) => "administrator",
        Access::OAuth => "client",
        Access::Mcp | Access::Gateway => "token",
        Access::Open => "open",
    }
}

#[tokio::test]
async fn the_reference_has_every_route_with_its_methods() {
    let app = App::new().await;
    let browser = app.signed_in().await;
    let credential = app.generated("job", &[]).await;
    let state = AppState::new(app.instance.context.clone(), vec![], vec![]);
    let document = document(&root().join("docs/reference/endpoints.md"));
    // One address may be a page for people and an endpoint for programs, each in a row of its own.
    let written: BTreeMap<(&str, &str), &str> = document
        .rows()
        .filter(|(path, cells)| path.starts_with('/') && cells.len() == 4)
        .map(|(path, cells)| ((path, cells[2].as_str()), cells[1].as_str()))
        .collect();
    let table = table(&state);
    let routes: BTreeSet<_> = table.iter().map(|route| (route.path, who(route.access))).collect();
    let differ: Vec<_> =
        written.keys().copied().collect::<BTreeSet<_>>().symmetric_difference(&routes).copied().collect();
    assert!(differ.is_empty(), "in one of table and reference only: {differ:?}");
    let token = form_token(&browser.get("/account").await.body);
    for route in &table {
        let all = written.iter().filter(|((path, _), _)| *path == route.path).map(|(_, methods)| *methods);
        let methods = all.collect::<Vec<_>>().join(", ");
        // Signing out ends the session of this test; the endpoints of programs have tests of their own.
        if !matches!(route.access, Access::Dashboard(_) | Access::Open) || route.path == "/logout" {
            continue;
        }
        let path = route
            .path
            .replace("{client_id}", credential.credential.client_id.as_str())
            .replace("{team_id}", credential.credential.team.as_str());
        let get = browser.get(&path).await.status != StatusCode::METHOD_NOT_ALLOWED;
        let post = browser.post(&path, &[("form_token", &token)]).await.status != StatusCode::METHOD_NOT_ALLOWED;
        let taken = [(get, "GET"), (post, "POST")]
            .iter()
            .filter(|(taken, _)| *taken)
            .map(|(_, name)| *name)
            .collect::<Vec<_>>();
        assert_eq!(methods, taken.join(", "), "{}", route.path);
    }
}

#[test]
fn the_reference_has_every_message_of_webhooks() {
    let document = document(&root().join("docs/reference/webhooks.md"));
    let types: BTreeSet<&str> = document.rows().map(|(name, _)| name).filter(|name| name.contains('.')).collect();
    for kind in EventKind::ALL {
        assert!(types.contains(kind.as_str()), "{kind:?}");
    }
    for name in types {
        let is_kind = EventKind::parse(name).is_some();
        assert!(
            is_kind
                || ["emergency.stopped", "leak.reported", "webhook.test", "credential.secret_unopened"].contains(&name)
                || name.starts_with("incident."),
            "{name}"
        );
    }
}

#[test]
fn the_guide_holds_the_programs_of_the_dashboard() {
    let programs = documents().iter().map(|document| document.text.as_str()).collect::<Vec<_>>().join("\n");
    for program in [
        include_str!("../../../app/snippets/client.py"),
        include_str!("../../../app/snippets/client_v1.py"),
        include_str!("../../../app/snippets/client.mjs"),
        include_str!("../../../app/snippets/client_v1.mjs"),
        include_str!("../../../app/snippets/call.sh"),
    ] {
        assert!(programs.contains(program.trim_end()), "in no document:\n{program}");
    }
}

#[test]
fn the_changelog_has_this_version() {
    let document = document(&root().join("CHANGELOG.md"));
    let headings: Vec<&str> = document
        .parts
        .iter()
        .filter_map(|part| if let Part::Heading(text) = part { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(headings[1], "Unreleased");
    let version = concat!(env!("CARGO_PKG_VERSION"), " (");
    assert!(headings.iter().any(|heading| heading.starts_with(version)), "{version} in {headings:?}");
}
