//! A trivial MCP server that checks no tokens, for `bench/gateway`: it answers each message at once, from memory. A GET
//! gets a stream that stays open and silent. It prints its address when it is ready. It needs no crate, so `rustc`
//! alone builds it.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("ready at {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        // A connection that breaks off is the end of its thread only.
        std::thread::Builder::new().stack_size(128 * 1024).spawn(move || drop(serve(stream)))?;
    }
    Ok(())
}

/// Answers the requests of one connection, until it ends.
fn serve(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_get = line.starts_with("GET ");
        let mut length = 0;
        while !line.trim().is_empty() {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        if is_get {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(format!("{head}8\r\n: open\n\n\r\n").as_bytes())?;
            return reader.read(&mut [0]).map(drop);
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        stream.write_all(answer(&String::from_utf8_lossy(&body)).as_bytes())?;
    }
}

fn answer(message: &str) -> String {
    // The messages of the gateway and of the load generator are compact JSON with a number as identifier.
    let of = |name: &str| {
        let (_, rest) = message.split_once(&format!("\"{name}\":"))?;
        rest.trim_start().split([',', '}']).next().map(|value| value.trim_matches('"'))
    };
    let Some(id) = of("id") else { return "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned() };
    let result = match of("method").unwrap_or_default() {
        "initialize" => {
            r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"trivial","version":"1"}}"#
        }
        "tools/list" => r#"{"tools":[{"name":"echo","description":"Echoes.","inputSchema":{"type":"object"}}]}"#,
        "prompts/list" => r#"{"prompts":[]}"#,
        _ => r#"{"content":[{"type":"text","text":"hello"}]}"#,
    };
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{},"result":{result}}}"#,
        if id.parse::<u64>().is_ok() { id.to_owned() } else { format!("\"{id}\"") }
    );
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
