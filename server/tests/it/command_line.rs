//! The program itself: exit codes, messages, files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::{fmt, fs};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::support::PASSWORD;

/// A folder of its own in which commands run.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersign-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).current_dir(&self.0).env_clear().env("COUNTERSIGN_LISTEN", "127.0.0.1:0");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("runs")
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Starts a server and waits until it is ready; returns it with what it said.
    fn serve(&self) -> (Running, Vec<String>) {
        let mut child = self.command(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = lines.next().expect("a line").expect("text");
        let mut said = vec![ready];
        if !self.path("data/has-administrator").exists() {
            said.push(lines.next().expect("a line").expect("text"));
        }
        (Running(child), said)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn refused(output: &Output, code: i32, words: &[&str]) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    // A command may have begun an instance before, and logged that.
    let lines = message.trim_end().lines().filter(|line| !line.contains(" audit seq="));
    assert_eq!(lines.count(), 1, "one line: {message}");
    for word in words {
        assert!(message.contains(word), "{word} in {message}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("exists").permissions().mode() & 0o777
}

#[test]
fn the_first_start_makes_everything_and_says_where_to_go() {
    let folder = Folder::new("first");
    let (running, said) = folder.serve();
    let url = said[0].strip_prefix("Countersign is ready at ").expect("the ready line");
    assert!(said[1].contains(&format!("{url}/setup?token=")), "{}", said[1]);
    assert_eq!(mode(&folder.path("data")), 0o700);
    let files: Vec<PathBuf> =
        fs::read_dir(folder.path("data")).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    for name in ["countersign.db", "countersign.db-wal", "countersign.db.lock", "master.key"] {
        assert!(files.iter().any(|file| file.ends_with(name)), "{name} in {files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    refused(&folder.run(&[]), 1, &["data_dir", "in use by another server"]);
    let created = folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    assert_eq!(created["issuer"], url, "the command line knows the server's address");
    drop(running);
}

#[test]
fn a_reader_that_goes_away_ends_no_command_and_a_full_disk_is_named() {
    let folder = Folder::new("pipe");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    for arguments in
        [&["credential", "list"][..], &["server", "list"], &["team", "create", "--name", "Data"], &["--help"]]
    {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = folder.command(arguments).stdout(writer).output().expect("runs");
        let said = text(&output.stderr);
        assert!(output.status.success() && !said.contains("panicked"), "{arguments:?}: {:?} {said}", output.status);
    }
    assert!(text(&folder.run(&["team", "list"]).stdout).contains("Data"), "the change was made");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a full device");
    let output = folder.command(&["credential", "list"]).stdout(full).output().expect("runs");
    refused(&output, 1, &["standard output", "No space left"]);
}

#[test]
fn a_stop_is_exit_code_zero() {
    let folder = Folder::new("stop");
    let (mut running, _) = folder.serve();
    let killed = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(running.0.wait().expect("ends").code(), Some(0));
}

#[test]
fn wrong_settings_are_named_in_one_line() {
    let folder = Folder::new("settings");
    let with = |name: &str, value: &str| folder.command(&[]).env(name, value).output().expect("runs");
    refused(&with("COUNTERSIGN_LISTEN", "nonsense"), 2, &["listen", "nonsense"]);
    refused(&with("COUNTERSIGN_PUBLIC_URL", "http://auth.example.com"), 2, &["public_url", "https"]);
    refused(&with("COUNTERSIGN_DATABASE_URL", "mysql://x"), 2, &["database_url"]);
    refused(&with("COUNTERSIGN_OPENID_ISSUER", "https://login.example"), 2, &["openid_client_id", "openid_issuer"]);
    refused(&with("COUNTERSIGN_OPENID_CLIENT_ID", "us"), 2, &["openid_issuer", "openid_client_id"]);
    refused(&with("COUNTERSIGN_OPENID_LINK_BY_EMAIL", "true"), 2, &["openid_issuer", "openid_link_by_email"]);
    refused(&with("COUNTERSIGN_LOG_FORMAT", "xml"), 2, &["log_format"]);
    refused(&with("COUNTERSIGN_MASTER_KEY", "c2hvcnQ="), 2, &["COUNTERSIGN_MASTER_KEY", "32 bytes"]);
    refused(&with("COUNTERSIGN_LISTN", "127.0.0.1:0"), 2, &["COUNTERSIGN_LISTN", "COUNTERSIGN_LISTEN"]);
    refused(&with("COUNTERSIGN_DATA_DIR", ""), 2, &["data_dir", "is empty", "COUNTERSIGN_DATA_DIR"]);
    refused(&with("COUNTERSIGN_DATABASE_URL", ""), 2, &["database_url", "is empty"]);
    for secret in ["COUNTERSIGN_INITIAL_ACCESS_TOKEN", "COUNTERSIGN_MASTER_KEY"] {
        refused(&with(secret, ""), 2, &[secret]);
    }
    let secret = "COUNTERSIGN_OPENID_CLIENT_SECRET";
    let openid = ["--openid-issuer", "https://login.example", "--openid-client-id", "us"];
    let empty = folder.command(&openid).env(secret, " ").output().expect("runs");
    refused(&empty, 2, &[secret, "remove the variable"]);
    refused(&with(secret, "a secret"), 2, &["openid_issuer", secret]);
    refused(&with("COUNTERSIGN_PORT", "9000"), 2, &["COUNTERSIGN_PORT", "is not the name of a setting"]);
    refused(&folder.run(&["--config", "missing.toml"]), 2, &["missing.toml"]);
    refused(&folder.run(&["leak", "-", "--since", "soon"]), 2, &["--since", "90d"]);
    fs::write(folder.path("countersign.toml"), "listen = \"127.0.0.1:0\"\nlistne = 1\n").expect("writes");
    refused(&folder.run(&[]), 2, &["countersign.toml", "line 2", "listne"]);
    fs::write(folder.path("countersign.toml"), "listen = [").expect("writes");
    refused(&folder.run(&[]), 2, &["countersign.toml", "line 1"]);
}

#[test]
fn a_list_of_the_file_is_a_list_or_a_text() {
    let folder = Folder::new("lists");
    for (value, code) in [("\"10.0.0.0/8, ::1\"", 1), ("[\"10.0.0.0/8\", \"::1\"]", 1), ("[]", 1), ("[\"proxy\"]", 2)] {
        let file = format!("listen = \"127.0.0.1:1\"\ntrusted_proxies = {value}\n");
        fs::write(folder.path("countersign.toml"), file).expect("writes");
        // Nobody listens there; with a wrong setting nobody would have been asked.
        let output = folder.command(&["healthcheck"]).env_remove("COUNTERSIGN_LISTEN").output().expect("runs");
        assert_eq!(output.status.code(), Some(code), "{value}: {}", text(&output.stderr));
    }
    fs::write(folder.path("countersign.toml"), "trusted_proxies = [\"10.0.0.1,10.0.0.2\"]\n").expect("writes");
    refused(&folder.run(&[]), 2, &["line 1", "trusted_proxies", "without commas"]);
}

#[test]
fn a_change_of_the_command_line_is_logged_in_json_with_unique_keys() {
    let folder = Folder::new("log");
    let arguments = ["credential", "create", "--name", "nightly", "--log-format", "json"];
    let output = folder.run(&arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    let entries = said.lines().map(|line| serde_json::from_str::<Unique>(line).expect("an object").0);
    let entry = entries.into_iter().find(|entry| entry.get("action") == Some(&"credential.generated".into()));
    let entry = entry.expect("the change");
    assert_eq!((&entry["level"], &entry["message"]), (&"INFO".into(), &"audit".into()));
    assert!(entry["target_id"].as_str().expect("a text").contains("csc_"), "{entry:?}");
}

/// An object in which no key comes twice. The usual reader keeps the last of equal keys.
pub(crate) struct Unique(pub BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueKeys)
    }
}

struct UniqueKeys;

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Unique;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            assert_eq!(members.insert(key.clone(), value), None, "{key} comes twice");
        }
        Ok(Unique(members))
    }
}

/// Every setting with its default, as `countersign.default.toml` lists them.
fn settings() -> toml::Table {
    include_str!("../../countersign.default.toml").parse().expect("TOML")
}

fn flag(setting: &str) -> String {
    format!("--{}", setting.replace('_', "-"))
}

fn variable(setting: &str) -> String {
    format!("COUNTERSIGN_{}", setting.to_uppercase())
}

/// A value as flags and variables write it.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        other => panic!("no setting is a {}", other.type_str()),
    }
}

/// A value of the default's type that no setting accepts while the others have their defaults. `file` is a file: so the
/// text is no path either.
fn wrong(default: &toml::Value) -> toml::Value {
    match default {
        toml::Value::Integer(_) => toml::Value::Integer(-1),
        toml::Value::Boolean(value) => toml::Value::Boolean(!value),
        _ => toml::Value::String("file/wrong=one".to_owned()),
    }
}

/// The content of a configuration file.
fn in_file<'value>(values: impl IntoIterator<Item = (&'value String, &'value toml::Value)>) -> String {
    let line = |(name, value): (&String, &toml::Value)| match value {
        toml::Value::String(text) => format!("{name} = '{text}'\n"),
        other => format!("{name} = {}\n", plain(other)),
    };
    values.into_iter().map(line).collect()
}

#[test]
fn a_flag_wins_over_the_environment_the_environment_over_the_file_the_file_over_the_defaults() {
    let folder = Folder::new("layers");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    fs::write(folder.path("file"), "").expect("writes");
    let good = settings();
    let bad: toml::Table = good.iter().map(|(name, default)| (name.clone(), wrong(default))).collect();
    let flags = |values: &toml::Table| -> Vec<String> {
        values.iter().map(|(name, value)| format!("{}={}", flag(name), plain(value))).collect()
    };
    let variables = |values: &toml::Table| -> Vec<(String, String)> {
        // An empty variable is an error.
        let given = values.iter().filter(|(_, value)| !plain(value).is_empty());
        given.map(|(name, value)| (variable(name), plain(value))).collect()
    };
    let run = |flags: Vec<String>, variables: Vec<(String, String)>, file: String| {
        fs::write(folder.path("countersign.toml"), file).expect("writes");
        let mut command = folder.command(&["credential", "list"]);
        command.env_remove("COUNTERSIGN_LISTEN").args(flags).envs(variables).output().expect("runs")
    };

    for output in [
        run(flags(&good), variables(&bad), in_file(&bad)),
        run(Vec::new(), variables(&good), in_file(bad.iter().filter(|(name, _)| !plain(&good[*name]).is_empty()))),
        run(Vec::new(), Vec::new(), in_file(&good)),
        run(Vec::new(), Vec::new(), String::new()),
    ] {
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    // Both values of this switch are good.
    for (name, value) in bad.iter().filter(|(name, _)| *name != "device_grant") {
        let bad = toml::Table::from_iter([(name.clone(), value.clone())]);
        refused(&run(flags(&bad), variables(&good), in_file(&good)), 2, &[name]);
        refused(&run(Vec::new(), variables(&bad), in_file(&good)), 2, &[name]);
        refused(&run(Vec::new(), Vec::new(), in_file(&bad)), 2, &[name]);
    }
}

#[test]
fn a_setting_is_read_in_its_own_type() {
    let folder = Folder::new("types");
    for (name, default) in settings() {
        fs::write(folder.path("countersign.toml"), format!("\n{name} = 1.5\n")).expect("writes");
        refused(&folder.run(&[]), 2, &["countersign.toml", "line 2", &name, default.type_str()]);
        fs::remove_file(folder.path("countersign.toml")).expect("removes");
        let output = folder.command(&[]).env(variable(&name), OsStr::from_bytes(b"\xff")).output().expect("runs");
        refused(&output, 2, &[&name, "UTF-8"]);
    }
}

/// The help of this command and of all its subcommands.
fn helps(folder: &Folder, command: &[&str]) -> Vec<String> {
    let output = folder.run(&[command, &["--help"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let help = text(&output.stdout);
    let commands = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().expect("one"));
    let names = commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    let mut found: Vec<String> = names.flat_map(|name| helps(folder, &[command, &[name]].concat())).collect();
    found.push(help);
    found
}

/// The flags that are listed here.
fn listed(help: &str) -> BTreeSet<&str> {
    let lines = help.lines().filter(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().find(|word| word.starts_with('-'))).collect()
}

#[test]
fn help_lists_the_options_of_a_command_first_and_the_settings_under_a_heading_of_their_own() {
    let folder = Folder::new("help");
    let settings = settings();
    let flags: Vec<String> = settings.keys().map(|name| flag(name)).collect();
    let expected: BTreeSet<&str> = flags.iter().map(String::as_str).chain(["--config"]).collect();
    let helps = helps(&folder, &[]);
    assert!(helps.len() > 30, "{} commands", helps.len());
    for help in helps {
        let Some((own, of_settings)) = help.split_once("\nSettings:\n") else {
            assert!(help.contains("countersign connect [OPTIONS] <RESOURCE>"), "it needs no settings: {help}");
            assert_eq!(listed(&help), ["--identity-token-file", "--key", "--listen", "--scope", "-h,"].into());
            continue;
        };
        assert!(listed(own).is_disjoint(&expected) && own.contains("--help"), "{own}");
        assert_eq!(listed(of_settings), expected);
        for (name, default) in &settings {
            let (_, about) = of_settings.split_once(&format!("{} <", flag(name))).expect("listed");
            let about = about.split("\n      --").next().expect("its lines");
            assert!(about.contains(&format!("[env: {}", variable(name))), "{name}: {about}");
            let shown = about.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next());
            assert_eq!(shown.unwrap_or_default(), plain(default), "{name}");
        }
    }
    let create = text(&folder.run(&["credential", "create", "--help"]).stdout);
    let (own, _) = create.split_once("\nSettings:\n").expect("a heading");
    assert!(listed(own).is_superset(&["--name", "--public-key", "--format"].into()), "{own}");
}

#[test]
fn a_port_in_use_and_a_folder_that_cannot_be_made_are_named() {
    let folder = Folder::new("port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    // What may work at the next start is no wrong setting: a service manager tries again.
    refused(&folder.run(&["--listen", &address]), 1, &["listen", &address]);
    let elsewhere = ["--listen", "192.0.2.1:8080", "--public-url", "https://auth.example.com"];
    refused(&folder.run(&elsewhere), 1, &["listen", "192.0.2.1:8080"]);
    refused(&folder.run(&["--metrics-listen", &address]), 1, &["metrics_listen", &address]);
    fs::write(folder.path("file"), "").expect("writes");
    refused(&folder.run(&["--data-dir", "file/data"]), 2, &["data_dir", "file/data"]);
}

#[test]
fn a_database_without_its_master_key_is_refused_and_left_alone() {
    let folder = Folder::new("key");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    let key = fs::read(folder.path("data/master.key")).expect("a key");
    fs::remove_file(folder.path("data/master.key")).expect("removes");
    refused(&folder.run(&[]), 2, &["master_key_file", "missing"]);
    assert!(!folder.path("data/master.key").exists(), "no new key is made for an old database");
    fs::write(folder.path("data/master.key"), "").expect("writes");
    fs::set_permissions(folder.path("data/master.key"), fs::Permissions::from_mode(0o600)).expect("sets");
    fs::write(folder.path("data/master.key"), "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").expect("writes");
    refused(&folder.run(&["credential", "list"]), 2, &["master_key_file", "does not belong to this database"]);
    fs::write(folder.path("data/master.key"), "nonsense").expect("writes");
    refused(&folder.run(&["credential", "list"]), 2, &["master_key_file", "32 bytes"]);
    fs::write(folder.path("data/master.key"), key).expect("writes");
    assert!(folder.run(&["credential", "list"]).status.success());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    use sqlx::{Connection, Executor};
    let folder = Folder::new("newer");
    assert!(folder.run(&["credential", "create", "--name", "job"]).status.success());
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", folder.path("data/countersign.db").display());
    let mut connection = sqlx::AnyConnection::connect(&url).await.expect("opens");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', 1, x'00', 0)";
    connection.execute(newer).await.expect("inserts");
    connection.close().await.expect("closes");
    refused(&folder.run(&[]), 1, &["newer version", "9999"]);
}

fn create_administrator(folder: &Folder, email: &str, name: &str, password: &str) -> Output {
    let arguments = ["admin", "create", "--email", email, "--name", name, "--password-stdin"];
    let mut command = folder.command(&arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    child.stdin.take().expect("its input").write_all(password.as_bytes()).expect("writes");
    child.wait_with_output().expect("ends")
}

#[test]
fn an_administrator_is_made_without_a_browser() {
    let folder = Folder::new("admin");
    let create = |email: &str, password: &str| create_administrator(&folder, email, "Ada", password);
    refused(&create("ada@example.com", "short\n"), 2, &["password", "15"]);
    refused(&create("nonsense", PASSWORD), 2, &["email"]);
    assert!(create("ada@example.com", &format!("{PASSWORD}\n")).status.success());
    refused(&create("ada@example.com", PASSWORD), 2, &["email", "exists"]);
    let link = folder.run(&["admin", "password-link", "--email", "ADA@example.com"]);
    let said = text(&link.stdout);
    let url = said.lines().find(|line| line.starts_with("http://")).expect("a link of its own line");
    assert!(url.contains("/password?token=") && said.contains("It works once, until "), "{said}");
    assert!(!text(&link.stderr).contains(url.split_once('=').expect("a token").1), "the log does not have it");
    refused(&folder.run(&["admin", "password-link", "--email", "nobody@example.com"]), 1, &["no such person"]);
    let reset = |email: &str| folder.run(&["admin", "reset-second-factor", "--email", email, "--reason", "lost"]);
    refused(&reset("bob@example.com"), 1, &["no such person"]);
    refused(&reset("Ada@example.com"), 2, &["Ada has no second factor"]);
    fs::write(folder.path("data/has-administrator"), "").expect("writes");
    let (_running, said) = folder.serve();
    assert_eq!(said.len(), 1, "no setup link when an administrator exists");
}

#[test]
fn teams_and_people_are_managed_without_a_browser() {
    let folder = Folder::new("teams");
    for (email, name) in [("ada@example.com", "Ada"), ("bob@example.com", "Bob")] {
        assert!(create_administrator(&folder, email, name, PASSWORD).status.success());
    }
    let said = |arguments: &[&str]| {
        let output = folder.run(arguments);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    };
    assert!(said(&["team", "create", "--name", "Payments"]).starts_with("Created team_"));
    refused(&folder.run(&["team", "create", "--name", "payments"]), 2, &["--name", "already"]);
    assert!(said(&["team", "add-person", "Payments", "--email", "Bob@example.com"]).contains("Added bob@example.com"));
    refused(&folder.run(&["team", "add-person", "payments", "--email", "bob@example.com"]), 2, &["already"]);
    let invited = said(&["team", "add-person", "Payments", "--email", "new@example.com", "--role", "viewer"]);
    assert!(invited.contains("/invitation?token="), "{invited}");
    let create = ["credential", "create", "--name", "job", "--team", "Payments", "--owner", "bob@example.com"];
    folder.json(&[&create[..], &["--format", "json"]].concat());
    let team = folder.json(&["team", "show", "payments", "--format", "json"]);
    assert_eq!(
        (&team["people"][0]["email"], &team["people"][0]["role"]),
        (&json!("bob@example.com"), &json!("member"))
    );
    assert_eq!((&team["working_credentials"], &team["servers"][0]["credentials"]), (&json!(1), &json!(1)));
    assert_eq!(folder.json(&["team", "list", "--format", "json"])[1]["people"], json!(1));
    assert!(
        said(&["team", "set-role", "Payments", "--email", "bob@example.com", "--role", "manager"]).contains("manager")
    );
    refused(&folder.run(&["team", "remove", "Payments"]), 2, &["owns credentials"]);
    said(&["team", "rename", "Payments", "--name", "Money"]);
    assert!(said(&["team", "show", "Money"]).contains("bob@example.com Bob (manager)"));

    let bob = folder.json(&["person", "show", "bob@example.com", "--format", "json"]);
    assert_eq!((&bob["owned_credentials"], &bob["owned"][0]["name"]), (&json!(1), &json!("job")));
    assert!(bob["entries"].to_string().contains("team.role_changed"), "{bob:#}");
    let given = said(&["person", "give-credentials", "bob@example.com", "--to", "ada@example.com"]);
    assert!(given.contains("Given to ada@example.com: 1"), "{given}");
    said(&["person", "disable", "bob@example.com"]);
    assert!(said(&["person", "list"]).contains("disabled  bob@example.com  Bob"));
    refused(&folder.run(&["person", "disable", "ada@example.com"]), 2, &["Nobody could administer"]);
    said(&["person", "enable", "bob@example.com"]);
    assert!(
        said(&["team", "remove-person", "Money", "--email", "bob@example.com"]).contains("Removed bob@example.com")
    );
    let absent = folder.run(&["team", "set-role", "Money", "--email", "bob@example.com", "--role", "viewer"]);
    refused(&absent, 2, &["--email", "not in the team"]);

    let uri = ["--redirect-uri", "https://portal.example.com/callback", "--format", "json"];
    let client = folder.json(&[&["client", "create", "--name", "Portal"], &uri[..]].concat());
    let id = client["client_id"].as_str().expect("a text");
    assert_eq!(folder.json(&["client", "list", "--format", "json"])[0]["name"], json!("Portal"));
    assert_eq!(folder.json(&["client", "show", id, "--format", "json"])["grants"], json!(0));
    assert!(said(&["client", "disable", id]).starts_with("Disabled"));
    assert!(said(&["client", "disable", id]).contains("nothing was changed"));
    assert!(said(&["client", "list"]).contains("Portal (disabled)"));
    assert!(said(&["client", "show", id]).contains("Disabled"));
    assert!(folder.json(&["client", "show", id, "--format", "json"])["disabled_at"].is_string());
    assert!(said(&["client", "enable", id]).starts_with("Enabled"));
    assert!(folder.json(&["client", "show", id, "--format", "json"])["disabled_at"].is_null());
    assert!(said(&["client", "remove", id]).contains("Removed"));
    assert!(said(&["client", "list"]).is_empty());
}

#[test]
fn a_credential_is_edited_duplicated_and_given_a_second_secret() {
    let folder = Folder::new("edited");
    let create = ["credential", "create", "--name", "job", "--format", "json", "--tag", "Nightly", "--notes", "Ask."];
    let made = folder.json(&create);
    let id = made["client_id"].as_str().expect("a text");
    let edit = |options: &[&str]| folder.run(&[&["credential", "edit", id], options].concat());
    let show = || folder.json(&["credential", "show", id, "--format", "json"]);
    assert_eq!(
        (&show()["tags"], &show()["notes"], &show()["owner"]),
        (&json!(["nightly"]), &json!("Ask."), &json!(null))
    );

    let edited =
        edit(&["--name", "other", "--tag", "env:prod", "--scope", "credentials:read", "--expires-in", "never"]);
    assert!(text(&edited.stdout).contains("Changed csc_"), "{edited:?}");
    let shown = show();
    assert_eq!((&shown["name"], &shown["tags"]), (&json!("other"), &json!(["env:prod"])));
    assert_eq!((&shown["scope"], &shown["expires_at"]), (&json!("credentials:read"), &json!(null)));
    assert_eq!(shown["notes"], "Ask.", "what is not given stays");
    assert!(text(&edit(&["--tag", "", "--notes", ""]).stdout).contains("Changed"));
    assert_eq!((&show()["tags"], &show()["notes"]), (&json!([]), &json!("")));
    refused(&edit(&["--tag", "a b"]), 2, &["--tag", "a b"]);
    refused(&edit(&["--owner", "nobody@example.com"]), 2, &["--owner", "nobody@example.com"]);
    refused(&edit(&["--mcp-server", "https://nowhere.example/mcp"]), 2, &["--mcp-server"]);

    let duplicate = folder.json(&["credential", "duplicate", id, "--format", "json"]);
    assert_ne!(duplicate["client_id"], made["client_id"]);
    assert_eq!(duplicate["scope"], "credentials:read");
    let second = folder.json(&["credential", "add-secret", id, "--format", "json"]);
    let secret = second["client_secret"].as_str().expect("a secret");
    let more = folder.run(&["credential", "add-secret", id]);
    refused(&more, 2, &["has 2 secrets already"]);
    let end = &secret[secret.len() - 4..];
    let removed = folder.run(&["credential", "remove-secret", id, end]);
    assert!(text(&removed.stdout).contains("Removed the secret"), "{removed:?}");
    refused(&folder.run(&["credential", "remove-secret", id, end]), 2, &["SECRET", "has no secret"]);
}

#[test]
fn a_credential_is_printed_once_in_three_forms_and_managed() {
    let folder = Folder::new("credential");
    let json = folder.json(&["credential", "create", "--name", "job", "--format", "json", "--expires-in", "never"]);
    let mut fields: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    let expected = ["client_id", "client_secret", "expires_at", "issuer", "mcp_server", "scope", "token_endpoint"];
    assert_eq!(fields, expected);
    assert_eq!(json["expires_at"], Value::Null);
    let id = json["client_id"].as_str().expect("a text");
    let env = text(&folder.run(&["credential", "create", "--name", "b", "--format", "env"]).stdout);
    assert!(env.starts_with("MCP_CLIENT_ID=csc_") && env.contains("\nMCP_CLIENT_SECRET=css_"));
    assert!(text(&folder.run(&["credential", "create", "--name", "c"]).stdout).contains("shown this once"));

    let list = folder.run(&["credential", "list", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&list.stdout).expect("JSON").as_array().expect("a list").len(), 3);
    assert!(!text(&list.stdout).contains("css_"));
    for (arguments, words) in [
        (vec!["credential", "disable", id], "Disabled"),
        (vec!["credential", "enable", id], "Enabled"),
        (vec!["credential", "revoke", id, "--reason", "leaked"], "Revoked"),
        (vec!["credential", "revoke", id], "was so already"),
        (vec!["audit", "verify"], "intact"),
    ] {
        let output = folder.run(&arguments);
        assert!(output.status.success() && text(&output.stdout).contains(words), "{arguments:?}: {output:?}");
    }
    let shown = folder.json(&["credential", "show", id, "--format", "json"]);
    assert_eq!((&shown["status"], &shown["revoke_reason"]), (&"revoked".into(), &"leaked".into()));
    assert_eq!(text(&folder.run(&["audit", "export"]).stdout).lines().count(), 7);

    refused(&folder.run(&["credential", "show", "csc_0000000000000000000000"]), 1, &["no such credential"]);
    refused(&folder.run(&["credential", "show", "non sense"]), 2, &["CLIENT_ID"]);
    refused(&folder.run(&["credential", "create", "--name", " "]), 2, &["--name"]);
    refused(
        &folder.run(&["credential", "create", "--name", "x", "--allow-ip", "nowhere"]),
        2,
        &["--allow-ip", "nowhere"],
    );
    assert_eq!(folder.run(&["credential", "create", "--name", "x", "--expires-in", "soon"]).status.code(), Some(2));
}

#[test]
fn a_token_of_another_issuer_is_decoded_and_not_believed() {
    let folder = Folder::new("token");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    // {"alg":"RS256"}.{"iss":"https://other.example","exp":1795255200}.x
    let foreign = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyLmV4YW1wbGUiLCJleHAiOjE3OTUyNTUyMDB9.eA";
    fs::write(folder.path("token"), format!("Bearer {foreign}\n")).expect("writes");
    let shown = folder.run(&["token", "show", "token"]);
    assert!(shown.status.success(), "{shown:?}");
    let shown = text(&shown.stdout);
    assert!(shown.contains("Not issued by this Countersign.") && shown.contains("https://other.example"), "{shown}");
    fs::write(folder.path("token"), "nothing").expect("writes");
    refused(&folder.run(&["token", "show", "token"]), 1, &["neither a JWT"]);
}

#[test]
fn a_backup_is_whole_private_and_never_overwrites() {
    let folder = Folder::new("backup");
    let created = folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    assert!(folder.run(&["backup", "copy.db"]).status.success());
    assert_eq!(mode(&folder.path("copy.db")), 0o600);
    refused(&folder.run(&["backup", "copy.db"]), 2, &["exists already"]);
    let secret = created["client_secret"].as_str().expect("a text");
    let bytes = fs::read(folder.path("copy.db")).expect("reads");
    assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    let url = format!("sqlite://{}", folder.path("copy.db").display());
    let list = folder.json(&["--database-url", &url, "credential", "list", "--format", "json"]);
    assert_eq!(list[0]["client_id"], created["client_id"]);
}

#[test]
fn a_restore_tells_what_ended_what_is_lost_and_what_is_left() {
    let folder = Folder::new("restore");
    let created = folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    let id = created["client_id"].as_str().expect("a text");
    assert!(folder.run(&["backup", "copy.db"]).status.success());
    assert!(folder.run(&["credential", "rotate", id, "--overlap", "1m"]).status.success());
    let made = folder.json(&["credential", "create", "--name", "made later", "--format", "json"]);
    let made = made["client_id"].as_str().expect("a text");
    assert!(folder.run(&["keys", "rewrap"]).status.success());

    let old_key = ["--master-key-file", "data/master.key.old1", "restore", "copy.db"];
    let asked = folder.run(&old_key);
    let said = text(&asked.stderr);
    assert_eq!(asked.status.code(), Some(1), "{said}");
    for part in [id, "got another end", "--end-again", made, "its secret or key does not work", "keys rewrap"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let restored = folder.run(&[&old_key[..], &["--end-again"]].concat());
    let said = text(&restored.stdout);
    assert!(restored.status.success(), "{restored:?}");
    for part in [id, "Ended again:", made, "Still to be done:", "keys rewrap"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let shown = folder.run(&["--master-key-file", "data/master.key.old1", "credential", "show", id]);
    assert!(shown.status.success(), "{shown:?}");
}

/// The commands that do something, each as the words of its call.
fn leaves(folder: &Folder, command: &[&str]) -> Vec<String> {
    let help = text(&folder.run(&[command, &["--help"]].concat()).stdout);
    let Some((_, rest)) = help.split_once("\nCommands:\n") else { return vec![command.join(" ")] };
    let commands = rest.split("\n\n").next().expect("one");
    let names = commands.lines().filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.flat_map(|name| leaves(folder, &[command, &[name]].concat())).collect()
}

const CLIENT: &str = "csc_0000000000000000000000";

/// A call of each command that needs an instance. An empty list: the command may begin one, or asks a server only.
fn call(command: &str) -> Vec<&str> {
    let mut words: Vec<&str> = command.split(' ').collect();
    words.extend(match command {
        "serve" | "admin create" | "credential create" | "restore" | "healthcheck" => return Vec::new(),
        "admin reset-second-factor" | "admin password-link" => vec!["--email", "ada@example.com"],
        "credential show"
        | "credential edit"
        | "credential duplicate"
        | "credential add-secret"
        | "credential disable"
        | "credential enable"
        | "credential revoke"
        | "credential rotate"
        | "credential finish-rotation"
        | "credential cancel-rotation" => vec![CLIENT],
        "credential remove-secret" => vec![CLIENT, "abcd"],
        "credential extend-rotation" => vec![CLIENT, "--overlap", "1h"],
        "credential add-key" => vec![CLIENT, "--public-key", "text"],
        "credential remove-key" => vec![CLIENT, "key_0000000000000000000000"],
        "person show" | "person disable" | "person enable" => vec!["ada@example.com"],
        "person give-credentials" => vec!["ada@example.com", "--to", "bob@example.com"],
        "team create" => vec!["--name", "x"],
        "team show" | "team remove" => vec!["Default"],
        "team rename" => vec!["Default", "--name", "x"],
        "team set-role" => vec!["Default", "--email", "ada@example.com", "--role", "viewer"],
        "team add-person" | "team remove-person" => vec!["Default", "--email", "ada@example.com"],
        "client show" | "client disable" | "client enable" | "client remove" => vec!["app_0000000000000000000000"],
        "client create" => vec!["--name", "x", "--redirect-uri", "https://x.example/callback"],
        // It runs where no instance is.
        "connect" => return Vec::new(),
        "server add" => vec!["--name", "x", "--resource", "https://x.example/mcp", "--scope", "x:read"],
        "server allow" => vec!["https://x.example/mcp", "--scope", "x:read"],
        command if command.starts_with("server ") && command != "server list" => vec!["https://x.example/mcp"],
        "leak" | "token show" => vec!["text"],
        "import" => vec!["text", "--dry-run"],
        "backup" => vec!["copy.db"],
        "migrate-to" => vec!["postgres://127.0.0.1:1/x"],
        "emergency-stop" => vec!["--dry-run"],
        "policy show" | "policy set" => vec!["expiry"],
        "policy confirm" => vec![CLIENT],
        "issuer move" => vec!["https://auth.example.com"],
        _ => Vec::new(),
    });
    words
}

#[test]
fn a_command_in_a_folder_without_an_instance_makes_none() {
    let folder = Folder::new("absent");
    fs::write(folder.path("text"), "nothing").expect("writes");
    let commands = leaves(&folder, &[]);
    assert!(commands.len() > 25, "{commands:?}");
    for command in commands.iter().filter(|command| !call(command).is_empty()) {
        let output = folder.run(&call(command));
        refused(&output, 2, &["There is no Countersign in ./data. Set --data-dir or --database-url."]);
        assert_eq!(text(&output.stdout), "", "{command}");
        let left: Vec<_> =
            fs::read_dir(&folder.0).expect("a folder").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(left, ["text"], "{command}");
    }
    let begun = folder.run(&["credential", "create", "--name", "job"]);
    assert!(text(&begun.stderr).contains("There was no Countersign in ./data"), "{begun:?}");
    let second = folder.run(&["credential", "create", "--name", "job"]);
    assert!(!text(&second.stderr).contains("There was no Countersign"), "{second:?}");
}

fn status(address: &str, path: &str) -> String {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address).expect("connects");
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).expect("a status").to_owned()
}

#[test]
fn a_database_that_was_removed_is_noticed_and_not_replaced_by_a_new_one() {
    let folder = Folder::new("removed");
    let mut child = folder.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let ready = BufReader::new(child.stdout.take().expect("its output")).lines().next().expect("a line").expect("text");
    let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
    let running = Running(child);
    let address = ready.rsplit("//").next().expect("an address").replace("localhost", "127.0.0.1");
    assert_eq!(status(&address, "/readyz"), "200");
    fs::rename(folder.path("data/countersign.db"), folder.path("data/elsewhere")).expect("moves it");
    let noticed = log.find(|line| line.as_ref().expect("text").contains("removed or replaced"));
    assert!(noticed.expect("a line").is_ok());
    assert_eq!(status(&address, "/readyz"), "503");
    fs::rename(folder.path("data/elsewhere"), folder.path("data/countersign.db")).expect("moves it back");
    let back = log.by_ref().map(|line| line.expect("text")).find(|line| {
        assert!(!line.contains("removed or replaced"), "it is told once");
        line.contains("the server is ready again")
    });
    assert!(back.is_some());
    assert_eq!(status(&address, "/readyz"), "200");
    drop(running);

    for name in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        let _ = fs::remove_file(folder.path("data").join(name));
    }
    for command in [vec![], vec!["serve"], vec!["credential", "create", "--name", "job"]] {
        refused(&folder.run(&command), 2, &["master_key_file", "master.key", "countersign serve --new"]);
    }
    assert!(!folder.path("data/countersign.db").exists());
    fs::write(folder.path("data/countersign.db"), "").expect("writes");
    refused(&folder.run(&[]), 2, &["master_key_file", "countersign serve --new"]);
    let mut anew =
        folder.command(&["serve", "--new"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let said = BufReader::new(anew.stdout.take().expect("its output")).lines().next().expect("a line").expect("text");
    let _running = Running(anew);
    assert!(said.contains("is ready"), "{said}");
}

#[test]
fn a_master_key_that_others_may_read_is_refused() {
    let folder = Folder::new("mode");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    let set =
        |mode| fs::set_permissions(folder.path("data/master.key"), fs::Permissions::from_mode(mode)).expect("sets");
    for mode in [0o644, 0o640, 0o604] {
        set(mode);
        refused(&folder.run(&["credential", "list"]), 2, &["master_key_file", "chmod 600", "master_key_shared"]);
        refused(&folder.run(&[]), 2, &["chmod 600"]);
    }
    let shared = ["--master-key-file", "data/master.key", "--master-key-shared", "true", "credential", "list"];
    assert!(folder.run(&shared).status.success());
    refused(
        &folder.run(&["--master-key-shared", "true", "credential", "list"]),
        2,
        &["master_key_shared", "master_key_file"],
    );
    set(0o600);
    assert!(folder.run(&["credential", "list"]).status.success());
}

#[test]
fn what_root_makes_in_the_folder_of_a_service_belongs_to_the_service() {
    use std::os::unix::fs::MetadataExt;
    const SERVICE: u32 = 65_534;
    let folder = Folder::new("owner");
    let data = folder.path("data");
    fs::create_dir(&data).expect("a folder");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).expect("sets");
    if std::os::unix::fs::chown(&data, Some(SERVICE), Some(SERVICE)).is_err() {
        eprintln!("not checked: only root can give a folder away");
        return;
    }
    let belong = |when: &str| {
        for entry in fs::read_dir(&data).expect("a folder") {
            let path = entry.expect("an entry").path();
            let (uid, gid) = fs::metadata(&path).map(|file| (file.uid(), file.gid())).expect("exists");
            assert_eq!((uid, gid), (SERVICE, SERVICE), "{when}: {}", path.display());
            assert_eq!(mode(&path), 0o600, "{when}: {}", path.display());
        }
    };
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    belong("the first command");
    assert!(folder.run(&["backup", "copy.db"]).status.success());
    assert!(folder.run(&["keys", "rewrap"]).status.success());
    belong("rewrap");
    fs::copy(data.join("master.key.old1"), data.join("master.key")).expect("the key of the backup");
    assert!(folder.run(&["restore", "copy.db", "--bring-back"]).status.success());
    belong("restore");
    let (running, _) = folder.serve();
    belong("serve");
    drop(running);
    // Links are not followed: whoever owns the folder must not get files of root.
    fs::write(folder.path("of-root"), "").expect("writes");
    fs::remove_file(data.join("countersign.db.lock")).expect("removes");
    std::os::unix::fs::symlink(folder.path("of-root"), data.join("countersign.db.lock")).expect("links");
    drop(folder.serve());
    assert_eq!(fs::metadata(folder.path("of-root")).expect("exists").uid(), 0);
}

#[test]
fn no_file_is_made_through_a_link() {
    let folder = Folder::new("link");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    std::os::unix::fs::symlink(folder.path("elsewhere"), folder.path("data/countersign.db.lock")).expect("links");
    refused(&folder.run(&[]), 2, &["data_dir", "countersign.db.lock", "a link to a file that is not there"]);
    let (new, target) = (folder.path("new"), folder.path("elsewhere"));
    fs::create_dir(&new).expect("a folder");
    fs::set_permissions(&new, fs::Permissions::from_mode(0o700)).expect("sets");
    std::os::unix::fs::symlink(&target, new.join("countersign.db")).expect("links");
    refused(&folder.run(&["--data-dir", "new"]), 2, &["data_dir", "a link to a file that is not there"]);
    assert!(!target.exists());
}

#[test]
fn each_option_that_an_error_names_is_an_option_of_the_command() {
    let folder = Folder::new("options");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    fs::write(folder.path("text"), "nonsense").expect("writes");
    let create = ["credential", "create", "--name", "x"];
    let federated = ["--federated-issuer", "https://issuer.example", "--federated-subject", "repo:example/app:*"];
    let http = ["--federated-issuer", "http://issuer.example", "--federated-subject", "repo:example/app:*"];
    let client = ["client", "create", "--name", "x", "--redirect-uri"];
    let server = ["server", "add", "--name", "x", "--resource"];
    for (expected, call) in [
        ("--name", vec!["credential", "create", "--name", " "]),
        ("--scope", [&create[..], &["--scope", "no:scope"]].concat()),
        ("--mcp-server", [&create[..], &["--mcp-server", "https://unknown.example/mcp"]].concat()),
        ("--expires-in", [&create[..], &["--expires-in", "0s"]].concat()),
        ("--token-lifetime", [&create[..], &["--token-lifetime", "0s"]].concat()),
        ("--allow-ip", [&create[..], &["--allow-ip", "nowhere"]].concat()),
        ("--public-key", [&create[..], &["--public-key", "text"]].concat()),
        ("--federated-issuer", [&create[..], &http].concat()),
        ("--federated-jwks", [&create[..], &federated, &["--federated-jwks", "text"]].concat()),
        ("--federated-claim", [&create[..], &federated, &["--federated-claim", "nothing"]].concat()),
        ("--team", [&create[..], &["--team", "Unknown"]].concat()),
        ("--redirect-uri", [&client[..], &["nowhere"]].concat()),
        ("--resource", [&server[..], &["nowhere", "--scope", "x:read"]].concat()),
        ("--scope", [&server[..], &["https://x.example/mcp", "--scope", "credentials:read"]].concat()),
        ("--team", [&server[..], &["https://x.example/mcp", "--scope", "x:read", "--team", "Unknown"]].concat()),
        ("--email", vec!["admin", "reset-second-factor", "--email", "nobody"]),
        ("--made-by", vec!["emergency-stop", "--made-by", "nobody@example.com"]),
        ("--mcp-server", vec!["emergency-stop", "--mcp-server", "https://unknown.example/mcp"]),
        ("--undo", vec!["emergency-stop", "--undo"]),
    ] {
        let output = folder.run(&call);
        let message = text(&output.stderr);
        if expected != "--email" {
            refused(&output, 2, &[expected]);
        }
        let leaf = if call[0] == "emergency-stop" { 1 } else { 2 };
        let help = text(&folder.run(&[&call[..leaf], &["--help"]].concat()).stdout);
        let (own, _) = help.split_once("\nSettings:\n").expect("a heading");
        let named = message.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        for option in named.filter(|word| word.starts_with("--") && !word.starts_with("---")) {
            assert!(listed(own).contains(option), "{option} of {message}");
        }
    }
}

#[test]
fn a_server_is_added_for_the_teams_that_are_named() {
    let folder = Folder::new("access");
    folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    for (name, teams) in [("open", &[][..]), ("limited", &["--team", "default", "--team", "Default"])] {
        let resource = format!("https://{name}.example/mcp");
        let output = folder.run(&[&["server", "add", "--name", name, "--resource", &resource], teams].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let entries = text(&folder.run(&["audit", "export"]).stdout);
    let teams = |resource: &str| {
        let line = entries.lines().find(|line| line.contains("mcp_server.added") && line.contains(resource));
        let entry: Value = serde_json::from_str(line.expect("an entry")).expect("JSON");
        entry["details"]["teams"].clone()
    };
    assert_eq!(teams("https://open.example/mcp"), "all");
    assert_eq!(teams("https://limited.example/mcp"), serde_json::json!(["Default"]));
}

#[test]
fn a_leak_that_the_command_line_finds_is_recorded_and_a_stop_can_belong_to_it() {
    let folder = Folder::new("leak");
    let created = folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    let file = folder.path("build.log");
    fs::write(&file, format!("SECRET={}", created["client_secret"].as_str().expect("a text"))).expect("writes");
    let file = file.to_str().expect("a path");
    for arguments in [&["leak", file][..], &["leak", file, "--revoke"]] {
        let found = text(&folder.run(arguments).stdout);
        assert!(found.contains("Incident 1: ") && found.contains("/incidents/1"), "{found}");
    }
    let entries = text(&folder.run(&["audit", "export"]).stdout);
    for action in ["incident.opened", "incident.contained"] {
        assert_eq!(entries.lines().filter(|line| line.contains(action)).count(), 1, "{action}: {entries}");
    }
    refused(
        &folder.run(&["emergency-stop", "--yes", "--incident", "7"]),
        2,
        &["There is no incident with this number."],
    );
    let stopped = folder.run(&["emergency-stop", "--yes", "--incident", "1"]);
    assert!(stopped.status.success(), "{stopped:?}");
}

#[test]
fn an_emergency_is_stopped_and_undone_without_a_browser() {
    let folder = Folder::new("emergency");
    let created = folder.json(&["credential", "create", "--name", "job", "--format", "json"]);
    let id = created["client_id"].as_str().expect("a text");
    let typed = |arguments: &[&str], word: &str| {
        let mut child = folder
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        child.stdin.take().expect("its input").write_all(word.as_bytes()).expect("writes");
        child.wait_with_output().expect("ends")
    };
    let status = || folder.json(&["credential", "show", id, "--format", "json"])["status"].clone();
    let counted = folder.run(&["emergency-stop", "--dry-run"]);
    assert!(counted.status.success() && text(&counted.stdout).contains("1 credentials"), "{counted:?}");
    assert_eq!(typed(&["emergency-stop"], "yes\n").status.code(), Some(2));
    assert_eq!(typed(&["emergency-stop"], "").status.code(), Some(2));
    assert_ne!(status(), "disabled");
    let stopped = typed(&["emergency-stop", "--team", "default", "--reason", "drill"], "STOP\n");
    assert!(stopped.status.success() && text(&stopped.stdout).contains("Disabled 1 credentials"), "{stopped:?}");
    assert_eq!(status(), "disabled");
    assert_eq!(typed(&["emergency-stop", "--undo"], "STOP\n").status.code(), Some(2));
    let undone = folder.run(&["emergency-stop", "--undo", "--yes"]);
    assert!(undone.status.success() && text(&undone.stdout).contains("Enabled 1 credentials"), "{undone:?}");
    assert_ne!(status(), "disabled");
    let entries = text(&folder.run(&["audit", "export"]).stdout);
    for action in ["emergency.stopped", "emergency.undone"] {
        let entry = entries.lines().find(|line| line.contains(action)).expect("an entry");
        assert!(entry.contains("command_line"), "{entry}");
    }
}

#[test]
fn an_instance_keeps_its_issuer_until_it_is_moved_on_purpose() {
    let folder = Folder::new("issuer");
    let at = |url: &str| {
        let mut command = folder.command(&["--public-url", url]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let said = BufReader::new(child.stdout.take().expect("its output")).lines().next();
        let ready = said.map(|line| line.expect("text"));
        // Without a line it has ended.
        let _ = child.kill();
        (ready, child.wait_with_output().expect("ends"))
    };
    let (one, other) = ("https://one.example", "https://other.example");
    // Somebody tries it on their machine first: any port, and then an address of its own.
    for _ in 0..2 {
        drop(folder.serve());
    }
    assert_eq!(at(one).0, Some(format!("Countersign is ready at {one}")));
    let (ready, output) = at(other);
    assert_eq!(ready, None);
    refused(&output, 2, &["public_url", one, "countersign issuer move https://other.example"]);
    refused(&folder.run(&[]), 2, &["public_url", one]);
    refused(&folder.run(&["--public-url", other, "credential", "list"]), 2, &["public_url"]);
    assert!(folder.run(&["credential", "list"]).status.success());

    refused(&folder.run(&["issuer", "move", "http://other.example"]), 2, &["https"]);
    let moved = folder.run(&["issuer", "move", other]);
    assert!(moved.status.success() && text(&moved.stdout).contains("public_url"), "{moved:?}");
    assert_eq!(at(other).0, Some(format!("Countersign is ready at {other}")));
    assert_eq!(at(one).0, None);
    let entries = text(&folder.run(&["audit", "export"]).stdout);
    let entry = entries.lines().rfind(|line| line.contains("mcp_server.moved")).expect("an entry");
    assert!(entry.contains("command_line") && entry.contains(other), "{entry}");
}
