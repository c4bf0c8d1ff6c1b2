//! A killed server, a killed database, a restart of every server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::proxy::Proxy;
use crate::support::{Credential, Node, Postgres, Site, Stop, between, send, text};

#[test]
fn a_killed_server_takes_no_token_with_it() {
    let site = Site::new();
    let credential = site.credential("job");
    let (a, b) = (site.serve(), site.serve());
    let tokens = std::thread::scope(|scope| {
        let (granted, tokens) = mpsc::channel();
        for _ in 0..4 {
            let (granted, a, credential) = (granted.clone(), &a, &credential);
            scope.spawn(move || {
                while let Ok(answer) = exchange(a, credential) {
                    let _ = granted.send(answer.token());
                }
            });
        }
        drop(granted);
        let mut held: Vec<String> = tokens.iter().take(200).collect();
        a.signal("-KILL");
        held.extend(tokens);
        held
    });
    assert!(tokens.len() >= 200);
    for token in tokens {
        assert_eq!(b.tools(&token).status, 200, "what was handed out is on record");
    }
    assert_eq!(b.exchange(&credential).status, 200);
}

fn exchange(node: &Node, credential: &Credential) -> std::io::Result<crate::support::Answer> {
    let body = format!("grant_type=client_credentials&client_id={}&client_secret={}", credential.id, credential.secret);
    send(&node.address, "POST", "/mcp/oauth/token", &[("content-type", crate::support::FORM)], &body)
}

#[test]
fn a_restart_of_the_database_is_an_outage_and_never_a_wrong_secret() {
    let mut database = Postgres::start();
    let site = Site::on(&database.url);
    let credential = site.credential("job");
    let nodes = [site.serve(), site.serve()];
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stop = Stop(&running);
        let (grant, granted) = mpsc::channel();
        for number in 0..8 {
            let (node, credential, running, grant) = (&nodes[number % 2], &credential, &running, grant.clone());
            scope.spawn(move || {
                while running.load(Ordering::SeqCst) {
                    let answer = node.exchange(credential);
                    match answer.status {
                        200 => drop(grant.send(())),
                        503 => {
                            assert_eq!(answer.json()["error"], "temporarily_unavailable");
                            assert!(answer.header("retry-after").is_some());
                        }
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        drop(grant);
        for _ in 0..3 {
            wait_for(&granted, 100);
            database.restart();
            granted.try_iter().for_each(drop);
        }
        wait_for(&granted, 300);
        drop(stop);
    });
    for node in &nodes {
        assert!(node.is_ready());
        assert_eq!(node.exchange(&credential).status, 200, "it recovers by itself");
    }
    let verified = site.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

/// Until this many were granted.
fn wait_for(granted: &mpsc::Receiver<()>, count: usize) {
    for _ in 0..count {
        granted.recv().expect("somebody goes on asking");
    }
}

/// Recovery takes seconds. Before, there was none within four minutes.
const GENEROUS: Duration = Duration::from_secs(60);

#[test]
fn connections_that_died_silently_are_given_up_and_replaced() {
    let mut site = Site::new();
    let credential = site.credential("job");
    let port = between(&site.database_url, "127.0.0.1:", "/").to_owned();
    let proxy = Proxy::to(&format!("127.0.0.1:{port}"));
    site.database_url = site.database_url.replace(&format!("127.0.0.1:{port}"), &proxy.address.to_string());
    let node = site.serve();
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stop = Stop(&running);
        let (answer, answered) = mpsc::channel();
        for _ in 0..64 {
            let (node, credential, running, answer) = (&node, &credential, &running, answer.clone());
            scope.spawn(move || {
                while running.load(Ordering::SeqCst) {
                    let _ = answer.send(node.exchange(credential).status);
                }
            });
        }
        drop(answer);
        let wait_for = |status: u16, count: usize| {
            let deadline = Instant::now() + GENEROUS;
            let mut seen = 0;
            while seen < count {
                let left = deadline.saturating_duration_since(Instant::now());
                let answer = answered.recv_timeout(left).expect("an answer in time");
                assert!(matches!(answer, 200 | 503), "{answer}");
                seen += usize::from(answer == status);
            }
        };
        wait_for(200, 500);
        proxy.go_down();
        wait_for(503, 64);
        let deadline = Instant::now() + GENEROUS;
        while node.get("/readyz").body != "database" {
            assert!(Instant::now() < deadline, "the server says why it is not ready");
        }
        answered.try_iter().for_each(drop);
        proxy.come_back();
        wait_for(200, 500);
        while !node.is_ready() {
            assert!(Instant::now() < deadline + GENEROUS, "the server is ready again");
        }
        // The connections of before are dead at once, and new ones work.
        proxy.come_back();
        answered.try_iter().for_each(drop);
        wait_for(200, 500);
        drop(stop);
    });
    assert_eq!(node.exchange(&credential).status, 200);
}

#[test]
fn servers_are_replaced_one_by_one_and_no_request_is_lost() {
    let site = Site::new();
    let credential = site.credential("job");
    // What a load balancer knows: who may be asked.
    let pool = Mutex::new(vec![site.serve(), site.serve()]);
    let targets = Mutex::new(Vec::new());
    let refresh = || {
        let pool = pool.lock().expect("a lock");
        let ready: Vec<String> = pool.iter().filter(|node| node.is_ready()).map(|node| node.address.clone()).collect();
        // A load balancer with nobody left goes on with whom it knew.
        if !ready.is_empty() {
            *targets.lock().expect("a lock") = ready;
        }
    };
    refresh();
    let running = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let stop = Stop(&running);
        let (grant, granted) = mpsc::channel();
        for number in 0..4 {
            let (targets, credential, running, grant) = (&targets, &credential, &running, grant.clone());
            scope.spawn(move || {
                let body = format!(
                    "grant_type=client_credentials&client_id={}&client_secret={}",
                    credential.id, credential.secret
                );
                while running.load(Ordering::SeqCst) {
                    let address = {
                        let targets = targets.lock().expect("a lock");
                        targets[number % targets.len()].clone()
                    };
                    let headers = [("content-type", crate::support::FORM)];
                    let answer = send(&address, "POST", "/mcp/oauth/token", &headers, &body).expect("an answer");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let _ = grant.send(());
                }
            });
        }
        drop(grant);
        for _ in 0..4 {
            wait_for(&granted, 50);
            let leaving = pool.lock().expect("a lock").remove(0);
            leaving.signal("-TERM");
            // It still serves, and says that it will not for long.
            while leaving.is_ready() {}
            refresh();
            granted.try_iter().for_each(drop);
            assert_eq!(leaving.stop(), Some(0));
            let new = site.serve();
            pool.lock().expect("a lock").push(new);
            refresh();
        }
        wait_for(&granted, 50);
        drop(stop);
    });
}

#[test]
fn a_database_without_free_connections_is_one_line_that_names_the_cause() {
    let mut site = Site::new();
    site.credential("job");
    let role = format!("few_{}", std::process::id());
    site.sql(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0"));
    site.database_url = site.database_url.replace("//countersign@", &format!("//{role}@"));
    for arguments in [&["audit", "verify"][..], &[]] {
        let output = site.run(arguments);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.contains(&format!("too many connections for role \"{role}\"")), "{said}");
    }
}
