//! The commands of `docs/operate.md` that need PostgreSQL.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{MASTER_KEY, Site, text};

/// The program under the comment `<!-- runs: NAME -->`, with its placeholders filled in.
fn program(name: &str, placeholders: &[(&str, &str)]) -> String {
    let document = include_str!("../../../docs/operate.md");
    let begin = format!("<!-- runs: {name} -->\n```sh\n");
    let lines = document.split_once(&begin).and_then(|(_, rest)| rest.split_once("\n```")).expect("the program").0;
    placeholders.iter().fold(lines.to_owned(), |lines, (from, to)| {
        assert!(lines.contains(from), "{from} in {lines}");
        lines.replace(from, to)
    })
}

/// A shell in which `countersign` is the program under test.
fn shell(folder: &Path, lines: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a path"));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", lines]).current_dir(folder).env_clear().env("PATH", path);
    command.env("COUNTERSIGN_LISTEN", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const PLACEHOLDER: &str = "postgres://countersign:…@db.example.com/countersign";

#[test]
fn a_server_starts_on_postgresql_as_the_document_says() {
    let site = Site::new();
    let placeholders = [
        (PLACEHOLDER, site.database_url.as_str()),
        ("COUNTERSIGN_MASTER_KEY=…", &format!("COUNTERSIGN_MASTER_KEY={MASTER_KEY}")),
        // The shell makes room, so that what is ended is the server.
        ("countersign serve", "exec countersign serve"),
    ];
    let mut child =
        shell(&site.folder, &program("postgres", &placeholders)).stderr(Stdio::null()).spawn().expect("starts");
    let said = BufReader::new(child.stdout.take().expect("its output")).lines().next();
    child.kill().expect("ends");
    child.wait().expect("is over");
    let said = said.expect("a line").expect("text");
    assert_eq!(said, "Countersign is ready at https://auth.example.com");
}

#[test]
fn an_instance_moves_as_the_document_says() {
    let target = Site::new();
    let file = Site::of(target.folder.join("old"), String::new());
    fs::create_dir_all(&file.folder).expect("a folder");
    file.begin();
    let credential = file.credential("nightly");
    let lines = program("migrate", &[(PLACEHOLDER, &target.database_url)]);
    let moved = shell(&file.folder, &lines).env("COUNTERSIGN_MASTER_KEY", MASTER_KEY).output().expect("runs");
    assert!(moved.status.success() && text(&moved.stdout).contains("audit entries are unbroken"), "{moved:?}");
    assert_eq!(target.serve().exchange(&credential).status, 200);
}
