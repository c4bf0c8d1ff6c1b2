//! `countersign healthcheck`: what a container's health check runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::shared::CliError;
use crate::config::Config;

const DEADLINE: Duration = Duration::from_secs(3);

pub(super) async fn run(config: &Config) -> Result<(), CliError> {
    let address = reachable(config.network.listen);
    let ready =
        tokio::time::timeout(DEADLINE, ask(address)).await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    match ready {
        Ok(true) => {
            println!("ready");
            Ok(())
        }
        Ok(false) => Err(CliError::Failed(format!("the server at {address} is not ready"))),
        Err(error) => Err(CliError::Failed(format!("the server at {address} does not answer: {error}"))),
    }
}

/// The address to ask when the server listens on all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    SocketAddr::new(ip, listen.port())
}

/// One request, written by hand. A client library would be the largest part of the command line.
async fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = [0u8; 12];
    stream.read_exact(&mut answer).await?;
    Ok(&answer == b"HTTP/1.1 200")
}
