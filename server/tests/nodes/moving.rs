//! From SQLite to PostgreSQL, into a file, and what is refused on the way.

use std::fs;

use crate::support::{Site, text};

#[test]
fn an_instance_moves_with_everything_and_only_into_an_empty_database() {
    let target = Site::new();
    let file = Site::of(target.folder.join("old"), String::new());
    fs::create_dir_all(&file.folder).expect("a folder");
    file.begin();
    file.administrator();
    let credential = file.credential("nightly");
    let revoked = file.credential("gone");
    assert!(file.run(&["credential", "revoke", &revoked.id, "--reason", "leaked"]).status.success());
    let old = file.serve();
    let token = old.exchange(&credential).token();

    let beside = file.run(&["migrate-to", &target.database_url]);
    assert_eq!(beside.status.code(), Some(1), "a server runs");
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

    let file = Site::of(site.folder.join("elsewhere"), format!("sqlite://{}", site.folder.join("copy.db").display()));
    fs::create_dir_all(&file.folder).expect("a folder");
    let alone = file.serve();
    assert_eq!(alone.exchange(&credential).status, 200);
    assert_eq!(alone.tools(&token).status, 200);
}

/// What was revoked after a backup is told, and nothing is restored until it is said what becomes of it.
fn restores(site: &Site, target: &Site, arguments: &[&str]) {
    let (kept, revoked) = (site.credential("kept"), site.credential("revoked later"));
    let written = site.run(&["backup", "copy.db"]);
    assert!(written.status.success(), "{written:?}");
    assert!(site.run(&["credential", "revoke", &revoked.id, "--reason", "leaked"]).status.success());
    let file = site.folder.join("copy.db");
    let file = file.to_str().expect("a path");

    let asked = target.run(&[&["restore", file], arguments].concat());
    assert_eq!(asked.status.code(), Some(1), "{asked:?}");
    let said = text(&asked.stderr);
    assert!(said.contains(&revoked.id) && said.contains("--end-again") && !said.contains(&kept.id), "{said}");
    let restored = target.run(&[&["restore", file, "--end-again"], arguments].concat());
    assert!(restored.status.success(), "{restored:?}");
    assert!(text(&restored.stdout).contains("ended again"), "{restored:?}");

    let node = target.serve();
    assert_eq!(node.exchange(&kept).status, 200);
    assert_eq!(node.exchange(&revoked).status, 401, "it was revoked, and stays so");
    let next = target.credential("made afterwards");
    assert_eq!(node.exchange(&next).status, 200);
    let verified = target.run(&["audit", "verify"]);
    assert!(verified.status.success() && text(&verified.stdout).contains("intact"), "{verified:?}");
    let beside = target.run(&[&["restore", file, "--end-again"], arguments].concat());
    assert!(!beside.status.success(), "a server runs, or the database is not empty: {beside:?}");
    assert_eq!(node.exchange(&next).status, 200, "and nothing was touched");
}

#[test]
fn a_restored_file_does_not_bring_back_what_was_revoked() {
    let outer = Site::new();
    let site = Site::of(outer.folder.join("site"), String::new());
    fs::create_dir_all(&site.folder).expect("a folder");
    site.begin();
    restores(&site, &site, &[]);
    let left: Vec<String> = fs::read_dir(site.folder.join("data"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("restoring"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_restored_database_does_not_bring_back_what_was_revoked() {
    let (site, target) = (Site::new(), Site::new());
    restores(&site, &target, &["--former", &site.database_url]);
}

/// Makes the tables of a database as empty as they are before anything is copied into them.
const EMPTY: &str = "ALTER TABLE audit DISABLE TRIGGER USER;
    DO $$ DECLARE name TEXT; BEGIN
        FOR name IN SELECT tablename FROM pg_tables
                    WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_%' LOOP
            EXECUTE 'TRUNCATE ' || quote_ident(name) || ' CASCADE';
        END LOOP;
    END $$;
    ALTER TABLE audit ENABLE TRIGGER USER";
/// Lets whoever copies credentials wait for a lock.
const HOLD: &str = "CREATE FUNCTION hold() RETURNS TRIGGER LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$;
    CREATE TRIGGER hold BEFORE INSERT ON credentials FOR EACH ROW EXECUTE FUNCTION hold()";
const HELD: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";

#[test]
fn a_restore_that_is_killed_leaves_the_database_empty() {
    let (site, target) = (Site::new(), Site::new());
    let kept = site.credential("kept");
    assert!(site.run(&["backup", "copy.db"]).status.success());
    let file = site.folder.join("copy.db");
    let restore = ["restore", file.to_str().expect("a path"), "--former", &site.database_url];
    target.credential("for the schema");
    target.sql(EMPTY);
    target.sql(HOLD);
    let mut holder = target.session();
    holder.run("SELECT pg_advisory_lock(4711);");
    let mut killed = target.command(&restore).spawn().expect("starts");
    while target.sql(HELD).trim() == "0" {
        assert!(killed.try_wait().expect("a state").is_none(), "it waits in the middle");
    }
    killed.kill().expect("ends");
    killed.wait().expect("is over");
    drop(holder);
    // The change of the table waits for the transaction that was left.
    target.sql("DROP TRIGGER hold ON credentials");
    let rows =
        "SELECT (SELECT COUNT(*) FROM people) + (SELECT COUNT(*) FROM instance_keys) + (SELECT COUNT(*) FROM audit)";
    assert_eq!(target.sql(rows).trim(), "0");
    let again = target.run(&restore);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(target.serve().exchange(&kept).status, 200);
}

#[test]
fn a_second_server_with_another_issuer_does_not_start() {
    let site = Site::new();
    let node = site.serve();
    let other = "https://other.example";
    let refused = site.command(&[]).env("COUNTERSIGN_PUBLIC_URL", other).output().expect("runs");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(text(&refused.stderr).contains(&format!("countersign issuer move {other}")), "{refused:?}");
    let beside = site.run(&["issuer", "move", other]);
    assert_eq!(beside.status.code(), Some(1), "a server runs: {beside:?}");
    assert!(node.is_ready());
    let created = site.json(&["credential", "create", "--name", "job", "--format", "json"]);
    assert_eq!(created["issuer"], crate::support::ISSUER, "nothing was moved");
    assert_eq!(node.stop(), Some(0));
    assert!(site.run(&["issuer", "move", other]).status.success());
    assert_eq!(site.run(&[]).status.code(), Some(2), "the setting holds the old issuer");
}

#[test]
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
