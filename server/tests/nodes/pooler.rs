//! PgBouncer between a server and PostgreSQL.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};

use crate::support::{Site, between, text};

/// A PgBouncer in front of the database that the tests were started with.
struct Pooler {
    child: Child,
    address: String,
    folder: PathBuf,
}

impl Pooler {
    fn start(port: &str, mode: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("countersign-pgbouncer-{mode}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let own = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {own}\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\npool_mode = {mode}\n\
             ignore_startup_parameters = extra_float_digits\n",
            users = folder.join("users").display(),
        );
        fs::write(folder.join("users"), "\"countersign\" \"\"\n").expect("writes");
        fs::write(folder.join("settings"), settings).expect("writes");
        // It refuses to run as root.
        let script = "if [ \"$(id -u)\" = 0 ]; then as='setpriv --reuid=postgres --regid=nogroup --clear-groups'; fi
                      PATH=$PATH:/usr/sbin; exec $as pgbouncer --quiet \"$0\"";
        let child = Command::new("sh").args(["-c", script]).arg(folder.join("settings")).spawn().expect("starts");
        let mut pooler = Self { child, address: format!("127.0.0.1:{own}"), folder };
        while TcpStream::connect(&pooler.address).is_err() {
            let ended = pooler.child.try_wait().expect("asks");
            assert!(ended.is_none(), "PgBouncer ended (on Debian: apt-get install pgbouncer): {ended:?}");
        }
        pooler
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_pooler_must_be_in_session_mode() {
    let site = Site::new();
    let port = between(&site.database_url, "127.0.0.1:", "/").to_owned();
    for mode in ["transaction", "statement", "session"] {
        let pooler = Pooler::start(&port, mode);
        // PgBouncer takes no schema in the address of the database. Nothing is written into the usual one.
        let url = format!("postgres://countersign@{}/postgres", pooler.address);
        for arguments in [&["audit", "verify"][..], &["backup", "nowhere/copy.db"]] {
            let output = site.command(arguments).env("COUNTERSIGN_DATABASE_URL", &url).output().expect("runs");
            let said = text(&output.stderr);
            assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{mode}: {said}");
            let refused = said.starts_with("countersign: database_url: ") && said.contains("set pool_mode = session");
            assert_eq!(refused, mode != "session", "{mode}: {said}");
            assert_eq!(said.contains("There is no Countersign in"), mode == "session", "{mode}: {said}");
        }
    }
}
