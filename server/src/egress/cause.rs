//! Why another server gave no answer, in words for people. The log has the words of the system, at the level `debug`.

use std::fmt::Display;
use std::io::{Error, ErrorKind};

/// The host name was not found.
pub(super) fn of_lookup(error: &Error) -> String {
    note(error);
    let words = error.to_string();
    if words.contains("Temporary") || words.contains("try again") {
        "the host name could not be looked up".to_owned()
    } else {
        "the host name has no address".to_owned()
    }
}

/// No connection was made.
pub(super) fn of_connection(error: &Error) -> String {
    note(error);
    match error.kind() {
        ErrorKind::ConnectionRefused => "the connection was refused",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "the connection was closed",
        ErrorKind::TimedOut => "the connection took too long",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "the network does not reach this address",
        _ => "no connection was possible",
    }
    .to_owned()
}

/// The connection was made, and TLS failed.
pub(super) fn of_tls(error: &Error) -> String {
    note(error);
    let words = error.to_string();
    let known = [
        ("UnknownIssuer", "its certificate is from an authority that this machine does not trust"),
        ("Expired", "its certificate has expired"),
        ("NotValidYet", "its certificate is not valid yet"),
        ("NotValidForName", "its certificate is for another host name"),
    ];
    match known.into_iter().find(|(mark, _)| words.contains(mark)) {
        Some((_, cause)) => format!("TLS: {cause}"),
        None => format!("TLS: {words}"),
    }
}

/// The connection was made, and no answer came.
pub(super) fn of_exchange(error: &hyper::Error) -> String {
    note(error);
    let cause = match () {
        () if error.is_parse() => "what it sent is not HTTP",
        () if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => "it closed the connection",
        () => "the connection broke off",
    };
    format!("no answer: {cause}")
}

fn note(error: &impl Display) {
    tracing::debug!(%error, "another server gave no answer");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_no_numbers_of_the_system() {
        let refused = of_connection(&Error::from_raw_os_error(111));
        assert_eq!(refused, "the connection was refused");
        let lookup = |words: &str| of_lookup(&Error::other(words.to_owned()));
        let beginning = "failed to lookup address information: ";
        assert_eq!(lookup(&format!("{beginning}Name or service not known")), "the host name has no address");
        let later = format!("{beginning}Temporary failure in name resolution");
        assert_eq!(lookup(&later), "the host name could not be looked up");
        let tls = of_tls(&Error::other("invalid peer certificate: UnknownIssuer"));
        assert_eq!(tls, "TLS: its certificate is from an authority that this machine does not trust");
    }
}
