//! E-mails, over SMTP. The operator names the mail server, so it may be at a private address. What crosses the network
//! is encrypted: an e-mail may hold a link that sets a password.

use std::net::IpAddr;
use std::time::Duration;

use domain::model::ports::{Answer, SendMail};
use domain::model::webhook::mail::Mail;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use url::Url;

/// Deadline for the connection to the mail server.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline for a whole e-mail. It is shorter than the lease of an e-mail that is being sent.
const DEADLINE: Duration = Duration::from_secs(30);

/// Sends e-mails through one mail server.
#[derive(Debug, Clone)]
pub(crate) struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailServer {
    /// The server at `url`, such as `smtps://user:password@mail.example.com`. With `smtp` the connection becomes
    /// encrypted before anything is sent (STARTTLS), except on this machine.
    ///
    /// # Errors
    ///
    /// What is wrong with the address. The text does not hold the address, which may hold a password.
    pub(crate) fn new(url: &str, from: Mailbox) -> Result<Self, String> {
        const FORM: &str = "is not the address of a mail server, such as smtps://user:password@mail.example.com";
        let mut parsed = Url::parse(url).map_err(|_| FORM.to_owned())?;
        if parsed.host_str().is_none_or(str::is_empty) {
            return Err(FORM.to_owned());
        }
        let tls: Vec<String> =
            parsed.query_pairs().filter(|(name, _)| name == "tls").map(|(_, value)| value.into_owned()).collect();
        match (parsed.scheme(), tls.first().map(String::as_str)) {
            ("smtps", None) | ("smtp", Some("required")) => {}
            ("smtp", None) if is_this_machine(&parsed) => {}
            ("smtp", None) => {
                parsed.query_pairs_mut().append_pair("tls", "required");
            }
            ("smtp" | "smtps", Some(_)) => {
                return Err("must be smtps, or smtp with tls=required: links that set passwords are sent".to_owned());
            }
            _ => return Err(FORM.to_owned()),
        }
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(parsed.as_str()).map_err(|_| FORM.to_owned())?;
        Ok(Self { transport: builder.timeout(Some(CONNECTION_DEADLINE)).build(), from })
    }

    async fn deliver(&self, mail: &Mail) -> Result<(), String> {
        let to = mail.to.parse().map_err(|_| "the address cannot be written to".to_owned())?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.as_str())
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text.to_string())
            .map_err(|error| error.to_string())?;
        match tokio::time::timeout(DEADLINE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(cause(&error)),
            Err(_) => Err("the mail server did not answer in time".to_owned()),
        }
    }
}

/// Why the mail server did not take an e-mail. Of what it says, only the codes are repeated: it may quote the e-mail,
/// and with it a one-time link.
fn cause(error: &lettre::transport::smtp::Error) -> String {
    let Some(code) = error.status() else {
        return "the mail server could not be reached, or broke off".to_owned();
    };
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let is_status = |word: &&str| word.split('.').count() == 3 && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    match text.split_whitespace().find(is_status) {
        Some(status) => format!("the mail server answered {code} {status}"),
        None => format!("the mail server answered {code}"),
    }
}

/// Whether the mail server runs on this machine. In an address of this scheme the host is a text.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl SendMail for MailServer {
    fn send<'call>(&'call self, mail: &'call Mail) -> Answer<'call, ()> {
        Box::pin(self.deliver(mail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_encrypted_except_on_this_machine() {
        let from: Mailbox = "Countersign <auth@example.com>".parse().expect("an address");
        for url in [
            "smtps://user:password@mail.example.com",
            "smtp://mail.example.com:587",
            "smtp://mail.example.com?tls=required",
            "smtp://127.0.0.1:2525",
            "smtp://localhost",
        ] {
            assert!(MailServer::new(url, from.clone()).is_ok(), "{url}");
        }
        for url in [
            "smtp://user:hidden@mail.example.com?tls=opportunistic",
            "https://user:hidden@mail.example.com",
            "mail.example.com",
            "smtp://",
        ] {
            let problem = MailServer::new(url, from.clone()).expect_err(url);
            assert!(!problem.contains("hidden"), "{problem}");
        }
    }
}
