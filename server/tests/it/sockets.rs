//! The accept loop, through real sockets.

use std::net::SocketAddr;

use domain::model::actor::Actor;
use domain::person::{self, manage};
use server::http::accept::{self, Limits};
use server::state::AppState;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{App, EMAIL, form_token, router};

struct Listening {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn listen(app: &App) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let router = app.router.clone();
    let served = tokio::spawn(accept::serve(Limits::default(), listener, router, async {
        let _ = stopped.await;
    }));
    Listening { address, stop, served }
}

/// Sends bytes and reads until the server closes.
async fn talk(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn malformed_heads_are_refused_and_the_connection_closed() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let many: String = (0..70).map(|number| format!("x-{number}: 1\r\n")).collect();
    let huge = format!("x: {}\r\n", "y".repeat(40 * 1024));
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "400"),
        (format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431"),
        (format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{huge}\r\n"), "431"),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = talk(listening.address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn nothing_is_read_behind_a_chunked_request() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let smuggled = "POST /mcp/oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
                    GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = talk(listening.address, smuggled.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"));
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let head = "POST /mcp/oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 3000000\r\n\r\n";
    let answer = talk(listening.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_request_that_is_refused_early_leaves_its_connection_good() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let call = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}";
    let head = format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", call.len());
    let mut stream = TcpStream::connect(listening.address).await.expect("connects");
    // Head and body apart, as many clients send them; the server has had its time to answer in between.
    stream.write_all(head.as_bytes()).await.expect("writes");
    for _ in 0..3 {
        talk(listening.address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    }
    stream.write_all(call.as_bytes()).await.expect("writes");
    let mut answers = String::new();
    for _ in 0..2 {
        let before = answers.matches("HTTP/1.1 401").count();
        while answers.matches("HTTP/1.1 401").count() == before {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).await.expect("reads");
            assert!(read > 0, "the connection is open: {answers}");
            answers.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        stream.write_all(format!("{head}{call}").as_bytes()).await.expect("writes");
    }
    assert!(!answers.to_lowercase().contains("connection: close"), "{answers}");

    // What is too long to be read for nothing closes the connection, and says so.
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n";
    let answer = talk(listening.address, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_session_that_ends_between_head_and_body_changes_nothing() {
    let app = App::new().await;
    let context = &app.instance.context;
    let browser = app.signed_in().await;
    let token = form_token(&browser.get("/account").await.body);
    let cookie = browser.cookie("countersign_session").expect("a session");
    let listening = listen(&app).await;
    let body = format!("form_token={token}&name=Mallory");
    let head = format!(
        "POST /account/name HTTP/1.1\r\nHost: localhost:8080\r\nCookie: countersign_session={cookie}\r\n\
         Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(listening.address).await.expect("connects");
    let (first, rest) = body.split_at(1);
    stream.write_all(format!("{head}{first}").as_bytes()).await.expect("writes");
    // The server has had its time to read the head.
    for _ in 0..3 {
        talk(listening.address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    }
    let person = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    manage::end_sessions(context, &Actor::command_line("operator"), &person.id, None).await.expect("ends");
    stream.write_all(rest.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("location: /login"), "{answer}");
    let person = person::find_by_email(context, EMAIL).await.expect("reads").expect("exists");
    assert_eq!(person.name, "Ada Lovelace");
}

#[tokio::test]
async fn whoever_comes_when_all_places_are_taken_is_told_to_come_back() {
    let app = App::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let limits = Limits { connections: 2, ..Limits::default() };
    tokio::spawn(accept::serve(limits, listener, app.router.clone(), std::future::pending()));
    let ask = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.expect("connects");
        stream.write_all(format!("{ask}\r\n").as_bytes()).await.expect("writes");
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.expect("reads");
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        idle.push(stream);
    }
    let refused = talk(address, format!("{ask}Connection: close\r\n\r\n").as_bytes()).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2\r\n"), "{refused}");
    let (head, body) = refused.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{refused}");
    drop(idle);
    while !talk(address, format!("{ask}Connection: close\r\n\r\n").as_bytes()).await.starts_with("HTTP/1.1 200") {}
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let mut stream = TcpStream::connect(listening.address).await.expect("connects");
    let body = "grant_type=client_credentials";
    let head = format!(
        "POST /mcp/oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("writes");
    // The server asks for the body: the request is under way.
    let mut interim = [0u8; 25];
    stream.read_exact(&mut interim).await.expect("reads");
    assert!(interim.starts_with(b"HTTP/1.1 100 Continue"));
    listening.stop.send(()).expect("the server runs");
    stream.write_all(body.as_bytes()).await.expect("writes");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("reads");
    assert!(answer.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&answer));
    listening.served.await.expect("ends");
    assert!(TcpStream::connect(listening.address).await.is_err());
}

#[tokio::test]
async fn a_connection_that_asks_for_nothing_is_closed_in_time() {
    let app = App::new().await;
    let listening = listen(&app).await;
    // From here time passes as soon as nothing else happens.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_eq!(talk(listening.address, b"").await, "");
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_connections_that_ask_for_nothing() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let mut silent = TcpStream::connect(listening.address).await.expect("connects");
    // Connections are accepted in the order in which they came.
    talk(listening.address, b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    listening.stop.send(()).expect("the server runs");
    listening.served.await.expect("ends");
    assert_eq!(silent.read(&mut [0]).await.expect("reads"), 0, "closed without a word");
    assert_eq!(begun.elapsed().as_secs(), 0);
}

/// A connection on which a request was answered.
async fn used(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("writes");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("reads"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    stream
}

#[tokio::test]
async fn while_the_server_stops_each_connection_ends_with_an_answer() {
    let mut app = App::new().await;
    let state = AppState::new(app.instance.context.clone(), Vec::new(), Vec::new());
    app.router = router(state.clone());
    let listening = listen(&app).await;
    let (mut one, mut other, mut idle) =
        (used(listening.address).await, used(listening.address).await, used(listening.address).await);
    state.drain();
    for (stream, path, status) in [(&mut one, "/mcp/oauth/jwks", "200"), (&mut other, "/readyz", "503")] {
        // The second connection was idle while the first one was answered, and is still open.
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("reads to the end of the connection");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
    let ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(talk(listening.address, ask).await.starts_with("HTTP/1.1 200"), "new connections are accepted");
    listening.stop.send(()).expect("the server runs");
    assert_eq!(idle.read(&mut [0]).await.expect("reads"), 0, "now the server closes what is idle");
    listening.served.await.expect("ends");
}

#[tokio::test]
async fn an_idle_connection_is_kept_for_as_long_as_the_setting_says() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let mut stream = used(listening.address).await;
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0]).await.expect("reads"), 0);
    assert_eq!(begun.elapsed().as_secs(), 75);
}

#[tokio::test]
async fn a_head_that_has_begun_must_arrive_sooner() {
    let app = App::new().await;
    let listening = listen(&app).await;
    let mut stream = used(listening.address).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.expect("writes");
    // By now the server has read the beginning of the head.
    for _ in 0..3 {
        used(listening.address).await;
    }
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut rest = Vec::new();
    // Some answer to what is no request, or none: the connection ends.
    let _ = stream.read_to_end(&mut rest).await;
    assert!(begun.elapsed().as_secs() <= 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_source_gets_its_share_of_the_connections() {
    let app = App::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let limits = Limits { per_source: 2, ..Limits::default() };
    tokio::spawn(accept::serve(limits, listener, app.router.clone(), std::future::pending()));
    let (first, _second) = (used(address).await, used(address).await);
    let ask = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let refused = talk(address, ask).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2\r\n"), "{refused}");
    drop(first);
    while !talk(address, ask).await.starts_with("HTTP/1.1 200") {}
}
