//! Processes, a database for them, and a client that speaks just enough HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

pub(crate) use crate::html::{between, form_token};

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "quiet otter paints doors";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const ISSUER: &str = "http://localhost:8080";
pub(crate) const MASTER_KEY: &str = "KioqKioqKioqKioqKioqKioqKioqKioqKioqKioqKio=";

/// Ends those who run while this is set, also when a test fails beside them.
pub(crate) struct Stop<'flag>(pub &'flag AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// A database, and what the servers on it have in common.
pub(crate) struct Site {
    pub folder: PathBuf,
    pub database_url: String,
    /// A variable of the environment that all of them have besides the usual ones, and its value.
    variable: Option<(&'static str, String)>,
}

impl Site {
    /// On the server that the tests were started with.
    pub(crate) fn new() -> Self {
        let server = std::env::var("COUNTERSIGN_TEST_POSTGRES").expect("run these tests under ./with-postgres");
        Self::on(&server)
    }

    /// On this server.
    pub(crate) fn on(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("nodes_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("countersign-{name}"));
        fs::create_dir_all(&folder).expect("a folder");
        sql(server, &format!("CREATE SCHEMA {name}"));
        Self::of(folder, format!("{server}?options[search_path]={name}"))
    }

    /// In this folder; on SQLite when the address is empty.
    pub(crate) fn of(folder: PathBuf, database_url: String) -> Self {
        Self { folder, database_url, variable: None }
    }

    /// The same, where all programs have this variable.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variable = Some((name, value.to_owned()));
        self
    }

    /// A command of the program on this database.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("COUNTERSIGN_LISTEN", "127.0.0.1:0")
            .env("COUNTERSIGN_PUBLIC_URL", ISSUER)
            .env("COUNTERSIGN_MASTER_KEY", MASTER_KEY);
        if !self.database_url.is_empty() {
            command.env("COUNTERSIGN_DATABASE_URL", &self.database_url);
        }
        if let Some((name, value)) = &self.variable {
            command.env(name, value);
        }
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

    /// A new credential of the command line.
    pub(crate) fn credential(&self, name: &str) -> Credential {
        let created = self.json(&["credential", "create", "--name", name, "--format", "json"]);
        let text = |field: &str| created[field].as_str().expect("a text").to_owned();
        Credential { id: text("client_id"), secret: text("client_secret") }
    }

    pub(crate) fn administrator(&self) {
        let arguments = ["admin", "create", "--email", EMAIL, "--name", "Ada", "--password-stdin"];
        let mut child = self.command(&arguments).stdin(Stdio::piped()).spawn().expect("starts");
        child.stdin.take().expect("its input").write_all(PASSWORD.as_bytes()).expect("writes");
        assert!(child.wait().expect("ends").success());
    }

    /// Begins the instance in a file.
    pub(crate) fn begin(&self) {
        assert_eq!(self.serve().stop(), Some(0));
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn serve(&self) -> Node {
        self.start(&[])
    }

    fn start(&self, arguments: &[&str]) -> Node {
        let mut command = self.command(arguments);
        command.env("COUNTERSIGN_LOG_FORMAT", "json").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut log = BufReader::new(child.stderr.take().expect("its log")).lines();
        let mut seen = String::new();
        let address = loop {
            let line = log.next().unwrap_or_else(|| panic!("it ended: {seen}")).expect("text");
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            if entry["message"] == "ready" {
                break entry["address"].as_str().expect("an address").to_owned();
            }
            seen += &line;
        };
        // The log must not fill its pipe.
        std::thread::spawn(move || log.for_each(drop));
        let ready = said.next().expect("a line").expect("text");
        assert_eq!(ready, format!("Countersign is ready at {ISSUER}"));
        Node { child, address, said }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Site {
    /// Runs a statement on this database.
    pub(crate) fn sql(&self, statement: &str) -> String {
        sql(&self.psql_url(), statement)
    }

    /// Opens a session on this database.
    pub(crate) fn session(&self) -> Session {
        let mut command = Command::new("psql");
        command.args(["-qAt", "-v", "ON_ERROR_STOP=1", &self.psql_url()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql runs");
        let said = BufReader::new(child.stdout.take().expect("its output")).lines();
        Session { child, said }
    }

    /// The address as psql spells it.
    fn psql_url(&self) -> String {
        self.database_url.replace("options[search_path]=", "options=-csearch_path%3D")
    }
}

/// A session of somebody with access to the database, who does one thing after the other.
pub(crate) struct Session {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Session {
    /// Runs statements; returns when they are done.
    pub(crate) fn run(&mut self, statements: &str) {
        let input = self.child.stdin.as_mut().expect("its input");
        writeln!(input, "{statements}\n\\echo done").expect("writes");
        while self.said.next().expect("a line").expect("text") != "done" {}
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Runs a statement as somebody with access to the database would.
pub(crate) fn sql(server: &str, statement: &str) -> String {
    let output = Command::new("psql").args(["-qAtc", statement, server]).output().expect("psql runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A PostgreSQL server of a test's own, which may be killed.
pub(crate) struct Postgres {
    child: Child,
    said: BufReader<ChildStdout>,
    pub url: String,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../with-postgres");
        let serve = r#"echo "$COUNTERSIGN_TEST_POSTGRES"; while read -r _; do "$COUNTERSIGN_TEST_POSTGRES_RESTART" >/dev/null; echo up; done"#;
        let mut child = Command::new(script)
            .args(["sh", "-c", serve])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut said = BufReader::new(child.stdout.take().expect("its output"));
        let mut url = String::new();
        said.read_line(&mut url).expect("a line");
        Self { child, said, url: url.trim().to_owned() }
    }

    /// Kills it and starts it again; returns when it is up.
    pub(crate) fn restart(&mut self) {
        self.child.stdin.as_mut().expect("its input").write_all(b"restart\n").expect("writes");
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        assert_eq!(line, "up\n");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

pub(crate) struct Credential {
    pub id: String,
    pub secret: String,
}

/// A server.
pub(crate) struct Node {
    child: Child,
    pub address: String,
    said: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// The path of the setup link that it printed.
    pub(crate) fn setup_link(&mut self) -> String {
        let line = self.said.next().expect("a second line").expect("text");
        line.split_once(ISSUER).expect("a link").1.to_owned()
    }

    pub(crate) fn exchange(&self, credential: &Credential) -> Answer {
        let body =
            format!("grant_type=client_credentials&client_id={}&client_secret={}", credential.id, credential.secret);
        self.post("/mcp/oauth/token", &body)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", FORM)], body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Sends a request; panics when there is no answer.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(&self.address, method, path, headers, body).expect("an answer")
    }

    /// What the built-in MCP server says to the holder of a token.
    pub(crate) fn tools(&self, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-06-18"),
        ];
        self.send("POST", "/mcp", &headers, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#)
    }

    /// Asks it to stop, and returns its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        self.child.wait().expect("ends").code()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    pub(crate) fn is_ready(&self) -> bool {
        send(&self.address, "GET", "/readyz", &[], "").is_ok_and(|answer| answer.status == 200)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    pub(crate) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.json()["access_token"].as_str().expect("a token").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One request on a connection of its own.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost:8080\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&text(&bytes)).ok_or_else(|| std::io::Error::other("no whole answer"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(body)? } else { body.to_owned() };
    Some(Answer { status, headers, body })
}

fn unchunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole += rest.get(..size)?;
        body = rest.get(size + 2..)?;
    }
}

/// Keeps cookies, sends what browsers send, to any node.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn get(&mut self, node: &Node, path: &str) -> Answer {
        self.send(node, "GET", path, &[])
    }

    pub(crate) fn post(&mut self, node: &Node, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(node, "POST", path, fields)
    }

    /// Opens a page and sends the token of its form with these fields to `action`.
    pub(crate) fn submit(&mut self, node: &Node, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = form_token(&self.get(node, page).body);
        self.post(node, action, &[&[("form_token", token.as_str())], fields].concat())
    }

    pub(crate) fn sign_in(&mut self, node: &Node, password: &str) -> Answer {
        self.submit(node, "/login", "/login", &[("email", EMAIL), ("password", password)])
    }

    fn send(&mut self, node: &Node, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let headers = [
            ("cookie", cookies.as_str()),
            ("content-type", FORM),
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
        ];
        let answer = node.send(method, path, if cookies.is_empty() { &headers[1..] } else { &headers }, &body);
        for (_, set) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if let Some((name, value)) = set.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
