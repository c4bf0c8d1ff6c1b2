//! The gateway of several servers: a rule, a session and an end count at each of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Answer, Credential, ISSUER, Node, Site, send};

/// An MCP server on this machine with two tools. A GET gets a stream that never ends. Returns its host.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    host
}

/// Answers the requests of one connection, until it ends.
fn serve(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let is_get = line.starts_with("GET ");
        let mut length = 0;
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        if is_get {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(format!("{head}6\r\n: hi\n\n\r\n").as_bytes()).ok()?;
            // Until the gateway hangs up.
            return reader.read(&mut [0]).ok().map(|_| ());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        stream.write_all(answer(&serde_json::from_slice(&body).ok()?).as_bytes()).ok()?;
    }
}

fn answer(message: &Value) -> String {
    if message["id"].is_null() {
        return "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned();
    }
    let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "serverInfo": { "name": "docs", "version": "1" },
        }),
        "tools/list" => json!({ "tools": [tool("search"), tool("delete")] }),
        "prompts/list" => json!({ "prompts": [] }),
        _ => json!({ "content": [] }),
    };
    let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result }).to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: s-1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn credential(site: &Site, name: &str) -> Credential {
    let server = format!("{ISSUER}/gateway/docs");
    let made = site.json(&["credential", "create", "--name", name, "--mcp-server", &server, "--format", "json"]);
    let text = |field: &str| made[field].as_str().expect("a text").to_owned();
    Credential { id: text("client_id"), secret: text("client_secret") }
}

fn post(node: &Node, token: &str, session: &str, method: &str, params: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    if !session.is_empty() {
        headers.push(("mcp-session-id", session));
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    node.send("POST", "/gateway/docs", &headers, &message.to_string())
}

fn call(node: &Node, token: &str, session: &str, tool: &str) -> u16 {
    post(node, token, session, "tools/call", &json!({ "name": tool })).status
}

#[test]
fn a_rule_a_session_and_an_end_count_at_each_of_them() {
    let upstream = upstream();
    let site = Site::new().with("COUNTERSIGN_PRIVATE_UPSTREAMS", &upstream);
    let docs = format!("{ISSUER}/gateway/docs");
    let (a, b) = (site.serve(), site.serve());
    let added = site.run(&["server", "add", "--name", "Docs", "--upstream", &format!("http://{upstream}/mcp")]);
    assert!(added.status.success(), "{added:?}");
    let (job, other) = (credential(&site, "job"), credential(&site, "other"));
    let (token, of_other) = (a.exchange(&job).token(), b.exchange(&other).token());

    let begun = post(&a, &token, "", "initialize", &json!({ "protocolVersion": "2025-11-25" }));
    let session = begun.header("mcp-session-id").expect("a session").to_owned();
    assert_eq!(call(&b, &token, &session, "delete"), 200, "the session of A is known at B");
    assert_eq!(call(&b, &of_other, &session, "delete"), 404, "and belongs to its client there, too");

    let narrowed = site.run(&["server", "allow", &docs, "--scope", "mcp:tools", "--tool", "search"]);
    assert!(narrowed.status.success(), "{narrowed:?}");
    for node in [&a, &b] {
        assert_eq!(call(node, &token, &session, "delete"), 403, "the rule counts from the next call");
        assert_eq!(call(node, &token, &session, "search"), 200);
    }

    // A stream that is open at B ends after the credential was revoked from elsewhere.
    let (opened, is_open) = mpsc::channel();
    let (ended, has_ended) = mpsc::channel();
    let (address, bearer) = (b.address.clone(), format!("Bearer {token}"));
    std::thread::spawn(move || {
        let headers =
            [("authorization", bearer.as_str()), ("accept", "text/event-stream"), ("mcp-session-id", &session)];
        opened.send(()).expect("somebody waits");
        let answer = send(&address, "GET", "/gateway/docs", &headers, "");
        ended.send(answer.map(|answer| answer.status)).expect("somebody waits");
    });
    is_open.recv().expect("opens");
    // Both servers have written what was called before the credential is read.
    let calls = || {
        let shown = site.json(&["credential", "show", &job.id, "--format", "json"]);
        let calls = shown["calls"].as_array().expect("calls").clone();
        calls.iter().map(|call| call["calls"].as_i64().expect("a number")).sum::<i64>()
    };
    assert!((0..500).any(|_| calls() == 5), "one before the rule, and two at each of them after it: {}", calls());
    assert!(site.run(&["credential", "revoke", &job.id, "--reason", "leaked"]).status.success());
    for node in [&a, &b] {
        assert_eq!(call(node, &token, "", "search"), 401);
    }
    let status = has_ended.recv_timeout(Duration::from_secs(30)).expect("the stream is cut");
    // It is cut in its middle, or was not yet open when the credential ended.
    assert!(!matches!(status, Ok(status) if !matches!(status, 200 | 401)), "{status:?}");
}
