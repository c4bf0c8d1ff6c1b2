//! A server as a process: its stop, its log, and databases that refuse it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::command_line::{Folder, Running, Unique, refused, text};
use crate::support::FORM;

/// A server, and what it writes to its log.
struct Server {
    running: Running,
    address: String,
    log: JoinHandle<String>,
}

impl Server {
    /// Starts a server and waits until it is ready.
    fn start(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        let mut command = folder.command(&[]);
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut log = child.stderr.take().expect("its log");
        let log = thread::spawn(move || {
            let mut all = String::new();
            log.read_to_string(&mut all).expect("text");
            all
        });
        let ready = said.next().expect("a line").expect("text");
        let url = ready.strip_prefix("Countersign is ready at http://localhost:").expect("the ready line");
        Self { running: Running(child), address: format!("127.0.0.1:{url}"), log }
    }

    fn signal(&self, signal: &str) {
        let id = self.running.0.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    /// The answer to a request on a connection of its own; `None` when nobody answers.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n{body}", body.len());
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(text(&answer)).filter(|answer| answer.starts_with("HTTP/1.1 "))
    }

    fn get(&self, path: &str) -> Option<String> {
        self.ask("GET", path, &[], "")
    }

    fn post(&self, path: &str, body: &str) -> String {
        self.ask("POST", path, &[("content-type", FORM)], body).expect("an answer")
    }

    /// Waits for the end. Returns the exit code and the log.
    fn ended(mut self) -> (Option<i32>, String) {
        let code = self.running.0.wait().expect("ends").code();
        (code, self.log.join().expect("the log is read"))
    }
}

#[test]
fn after_sigterm_the_server_listens_and_answers_until_the_delay_is_over() {
    let folder = Folder::new("drain");
    let server = Server::start(&folder, &[("COUNTERSIGN_DRAIN_DELAY", "300")]);
    server.signal("-TERM");
    while !server.get("/readyz").expect("an answer").contains("stopping") {}
    for _ in 0..20 {
        let answer = server.get("/mcp/oauth/jwks").expect("it goes on");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    // An interrupt ends the delay.
    server.signal("-INT");
    let address = server.address.clone();
    let (code, log) = server.ended();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
    assert!(TcpStream::connect(address).is_err());

    let server = Server::start(&folder, &[("COUNTERSIGN_DRAIN_DELAY", "1")]);
    server.signal("-TERM");
    let mut answers = 0;
    while let Some(answer) = server.get("/readyz") {
        assert!(answer.ends_with("ready") || answer.ends_with("stopping"), "{answer}");
        answers += 1;
    }
    assert!(answers > 0);
    assert!(TcpStream::connect(&server.address).is_err(), "who is not answered any more is refused");
    assert_eq!(server.ended().0, Some(0));
}

#[test]
fn every_line_of_a_log_in_json_has_unique_keys() {
    let folder = Folder::new("json");
    let server = Server::start(
        &folder,
        &[("COUNTERSIGN_LOG", "trace"), ("COUNTERSIGN_LOG_FORMAT", "json"), ("COUNTERSIGN_DRAIN_DELAY", "0")],
    );
    let name = "x action=y target=z \"quoted\" {\"a\":1} ü";
    let created = folder.json(&["credential", "create", "--name", name, "--format", "json"]);
    let part = |name: &str| created[name].as_str().expect("a text").to_owned();
    let exchange = |secret: &str| {
        let body = format!("grant_type=client_credentials&client_id={}&client_secret={secret}", part("client_id"));
        server.post("/mcp/oauth/token", &body)
    };
    let registration = r#"{"client_name":"a \"b\" c=d","redirect_uris":["http://localhost:1/callback"]}"#;
    let load = || {
        assert!(exchange(&part("client_secret")).starts_with("HTTP/1.1 200"));
        assert!(exchange("wrong").starts_with("HTTP/1.1 401"));
        server.ask("POST", "/mcp/oauth/register", &[("content-type", "application/json")], registration);
        for path in ["/", "/login", "/readyz", "/nothing?a=\"b\"", "/mcp", "/mcp/oauth/authorize?client_id=x"] {
            server.get(path).expect("an answer");
        }
        server.post("/login", "email=%22%0A&password=guess");
        server.ask("NONSENSE", "/%00", &[("authorization", "Bearer a.b.c")], "{");
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..5).for_each(|_| load()));
        }
    });
    server.post("/leaks/report", &format!("token={}", part("client_secret")));
    server.signal("-TERM");
    let (code, log) = server.ended();
    assert_eq!(code, Some(0));
    let mut messages = Vec::new();
    for line in log.lines() {
        let Unique(entry) = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(!entry.values().any(Value::is_object), "all keys are on one level: {line}");
        assert!(!line.contains(&part("client_secret")), "no secret is logged: {line}");
        messages.push(entry["message"].clone());
    }
    for message in ["ready", "request", "audit", "stopping: load balancers have these seconds to notice it", "stopped"]
    {
        assert!(messages.contains(&message.into()), "{message}: {messages:?}");
    }
}

#[test]
fn a_database_that_refuses_is_one_line_that_names_the_cause() {
    let folder = Folder::new("refused");
    // A port that nobody listens on.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let url = format!("postgres://countersign@127.0.0.1:{port}/countersign");
    for arguments in [&["audit", "verify"][..], &[]] {
        let output = folder.command(arguments).env("COUNTERSIGN_DATABASE_URL", &url).output().expect("runs");
        refused(&output, 1, &[&format!("postgres://127.0.0.1:{port}/"), "cannot be opened", "refused"]);
    }

    fs::create_dir_all(folder.path("data")).expect("a folder");
    let damaged = [&b"SQLite format 3\0"[..], &b"7".repeat(4_000)].concat();
    for content in [b"no database, but some text".repeat(200), damaged] {
        fs::write(folder.path("data/countersign.db"), &content).expect("writes");
        for arguments in [&["audit", "verify"][..], &[]] {
            refused(&folder.run(arguments), 2, &["countersign.db", "not a database", "restore a backup"]);
        }
        assert_eq!(fs::read(folder.path("data/countersign.db")).expect("reads"), content, "the file stays as it is");
    }
}
