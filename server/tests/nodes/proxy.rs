//! A network that goes silent: a proxy in front of the database that swallows what it is sent, and closes nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What happens to the connections through a [`Proxy`].
#[derive(Default)]
struct Network {
    /// Connections with a lower number are silent.
    silent_below: AtomicUsize,
    /// All connections are silent.
    is_down: AtomicBool,
}

impl Network {
    fn swallows(&self, number: usize) -> bool {
        self.is_down.load(Ordering::SeqCst) || number < self.silent_below.load(Ordering::SeqCst)
    }
}

pub(crate) struct Proxy {
    pub address: SocketAddr,
    network: Arc<Network>,
    accepted: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy in front of this address.
    pub(crate) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (network, accepted) = (Arc::<Network>::default(), Arc::new(AtomicUsize::new(0)));
        let proxy = Self { address, network: Arc::clone(&network), accepted: Arc::clone(&accepted) };
        let target = target.to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&target)) else { continue };
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let back = (server.try_clone().expect("a handle"), client.try_clone().expect("a handle"));
                for (from, to) in [(client, server), back] {
                    let network = Arc::clone(&network);
                    std::thread::spawn(move || pump(from, to, &network, number));
                }
            }
        });
        proxy
    }

    /// From now on no connection carries anything.
    pub(crate) fn go_down(&self) {
        self.network.is_down.store(true, Ordering::SeqCst);
    }

    /// New connections work. All earlier ones stay silent.
    pub(crate) fn come_back(&self) {
        self.network.silent_below.store(self.accepted.load(Ordering::SeqCst), Ordering::SeqCst);
        self.network.is_down.store(false, Ordering::SeqCst);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, network: &Network, number: usize) {
    let mut bytes = [0; 16 * 1024];
    loop {
        match from.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(_) if network.swallows(number) => {}
            Ok(length) => {
                if to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        }
    }
    // A machine that is gone closes nothing.
    if !network.swallows(number) {
        let _ = to.shutdown(std::net::Shutdown::Both);
    }
}
