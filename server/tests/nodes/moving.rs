//! From SQLite to PostgreSQL, into a file, and what is refused on the way.

use std::fs;

use crate::support::{Site, text};

#[test]
#[ignore = "needs PostgreSQL: see the head of main.rs"]
fn an_instance_moves_with_everything_and_only_into_an_empty_database() {
    let target = Site::new();
    let file = Site { folder: target.folder.join("old"), database_url: String::new() };
    fs::create_dir_all(&file.folder).expect("a folder");
    file.administrator();
    let credential = file.credential("nightly");
    let revoked = file.credential("gone");
    assert!(file.run(&["credential", "revoke", &revoked.id, "--reason", "leaked"]).status.success());
    let old = file.serve();
    let token = old.exchange(&credential).token();

    let beside = file.run(&["migrate-to", &target.database_url]);
    assert_eq!(beside.status.code(), Some(2), "a server runs");
    assert!(text(&beside.stderr).contains("in use by another server"));
    assert_eq!(old.stop(), Some(0));

    let moved = file.run(&["migrate-to", &target.database_url]);
    assert!(moved.status.success(), "{moved:?}");
    let said = text(&moved.stdout);
    for part in ["2  credentials", "1  people", "1  ledger", "audit entries are unbroken"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let again = file.run(&["migrate-to", &target.database_url]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("is not empty"));

    let new = target.serve();
    assert_eq!(new.tools(&token).status, 200, "tokens live on");
    assert_eq!(new.exchange(&credential).status, 200);
    assert_eq!(new.exchange(&revoked).status, 401);
    let verified = target.run(&["audit", "verify"]);
    assert!(verified.status.success() && text(&verified.stdout).contains("intact"), "{verified:?}");
    let next = target.credential("made afterwards");
    assert_eq!(new.exchange(&next).status, 200);
}

#[test]
#[ignore = "needs PostgreSQL: see the head of main.rs"]
fn a_backup_is_a_file_that_serves_alone() {
    let site = Site::new();
    let node = site.serve();
    let credential = site.credential("nightly");
    let token = node.exchange(&credential).token();
    let written = site.run(&["backup", "copy.db"]);
    assert!(written.status.success(), "{written:?}");
    let said = text(&written.stdout);
    assert!(said.contains("the file is whole") && said.contains("audit entries are unbroken"), "{said}");
    assert_eq!(site.run(&["backup", "copy.db"]).status.code(), Some(2), "it never overwrites");

    let file = Site {
        folder: site.folder.join("elsewhere"),
        database_url: format!("sqlite://{}", site.folder.join("copy.db").display()),
    };
    fs::create_dir_all(&file.folder).expect("a folder");
    let alone = file.serve();
    assert_eq!(alone.exchange(&credential).status, 200);
    assert_eq!(alone.tools(&token).status, 200);
}

#[test]
#[ignore = "needs PostgreSQL: see the head of main.rs"]
fn nothing_shows_what_opens_the_database() {
    let site = Site::new();
    let wrong = site.database_url.replace("countersign@", "countersign:hunter2@").replace("/postgres?", "/missing?");
    for arguments in [vec!["credential", "list"], vec!["--log", "trace", "serve"]] {
        let output = site.command(&arguments).env("COUNTERSIGN_DATABASE_URL", &wrong).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr) + &text(&output.stdout);
        assert!(!said.contains("hunter2") && said.contains("missing"), "{said}");
    }
}
