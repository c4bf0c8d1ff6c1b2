//! The check of an MCP server: whether it protects itself as RFC 9728 and the MCP specification ask.

use serde_json::Value;

use crate::base::clock::Timestamp;
use crate::base::text::printable;
use crate::base::word_enum::word_enum;
use crate::model::server::McpServer;

word_enum! {
    /// What is looked at.
    pub enum CheckStep {
        /// The metadata of the protected resource can be fetched.
        Metadata = "metadata",
        /// The metadata names the resource.
        Resource = "resource",
        /// The metadata names this issuer.
        Issuer = "issuer",
        /// The scopes of the metadata are known here.
        Scopes = "scopes",
        /// A request without a token is refused.
        NoToken = "no_token",
        /// The refusal points to the metadata.
        Pointer = "pointer",
        /// A token for another server is refused.
        OtherToken = "other_token",
    }
}

word_enum! {
    /// How a step ended.
    pub enum StepOutcome {
        /// It is as it should be.
        Passed = "passed",
        /// It is not.
        Failed = "failed",
        /// It could not be looked at, because an earlier step failed.
        Skipped = "skipped",
    }
}

impl CheckStep {
    /// What holds when the step has passed.
    pub fn title(self) -> &'static str {
        match self {
            Self::Metadata => "It publishes its metadata",
            Self::Resource => "The metadata names this resource",
            Self::Issuer => "The metadata names this Countersign",
            Self::Scopes => "Its scopes are known here",
            Self::NoToken => "A request without a token is refused",
            Self::Pointer => "The refusal points to the metadata",
            Self::OtherToken => "A token for another server is refused",
        }
    }

    /// What to do when the step has failed although the server answered.
    fn remedy(self, server: &McpServer, issuer: &str) -> String {
        match self {
            Self::Metadata => format!("Serve the metadata as JSON, with status 200, at {}.", server.metadata_url()),
            Self::Resource => format!("Set “resource” in the metadata to {}, exactly.", server.resource),
            Self::Issuer => format!("Add {issuer} to “authorization_servers” in the metadata."),
            Self::Scopes => "Add the scope to the MCP server here, or take it out of “scopes_supported”.".to_owned(),
            Self::NoToken => "Answer 401 to every request without a token. Anyone can call the server now.".to_owned(),
            Self::Pointer => format!(
                "Add this header to the 401 answer: WWW-Authenticate: Bearer resource_metadata=\"{}\"",
                server.metadata_url()
            ),
            Self::OtherToken => format!(
                "Check the audience of each token: “aud” must be {}. Answer 401 to every other token. Until then, \
                 a program can use a token for any other MCP server here.",
                server.resource
            ),
        }
    }
}

/// The result of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepResult {
    /// The step.
    pub step: CheckStep,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What was received. It never holds a token.
    pub received: String,
}

/// How a result begins that says that there was no answer.
const NO_ANSWER: &str = "No answer";
/// The result of a step after one without an answer.
const NOT_REACHED: &str = "Not reached: see the step above that has no answer.";

/// The result of a step whose request was not answered.
fn unanswered(problem: &str) -> String {
    let cause = problem.strip_prefix("no answer").map_or_else(|| format!(": {problem}"), str::to_owned);
    format!("{NO_ANSWER}{cause}.")
}
/// The setting that lists servers with private addresses.
const EXCEPTIONS: &str = "private_upstreams";

impl StepResult {
    /// What to do when the step has failed.
    pub fn remedy(&self, server: &McpServer, issuer: &str) -> String {
        match (self.is_unanswered(), self.received.contains(EXCEPTIONS)) {
            (true, true) => format!("List the host in the setting {EXCEPTIONS}, and restart Countersign."),
            (true, false) => "Make sure that the server runs and that Countersign can reach it.".to_owned(),
            (false, _) => self.step.remedy(server, issuer),
        }
    }

    /// Whether the server did not answer the request of this step, or of one before it.
    pub fn is_unanswered(&self) -> bool {
        self.received.starts_with(NO_ANSWER) || self.received == NOT_REACHED
    }
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCheck {
    /// When it ran.
    pub at: Timestamp,
    /// Who ran it.
    pub by: String,
    /// The steps.
    pub steps: Vec<StepResult>,
}

impl ServerCheck {
    /// How many steps did not pass.
    pub fn problems(&self) -> usize {
        self.steps.iter().filter(|step| step.outcome != StepOutcome::Passed).count()
    }

    /// Whether no request was answered.
    pub fn is_unanswered(&self) -> bool {
        self.steps.iter().all(|step| step.outcome == StepOutcome::Skipped || step.is_unanswered())
    }

    /// Whether a setting keeps Countersign from asking the server.
    pub fn needs_exception(&self) -> bool {
        self.steps.iter().any(|step| step.is_unanswered() && step.received.contains(EXCEPTIONS))
    }
}

/// An answer to a request of a check, or why there is none.
pub(crate) type Received = Result<ReceivedAnswer, String>;

/// The part of an answer that a check looks at.
pub(crate) struct ReceivedAnswer {
    pub status: u16,
    /// `WWW-Authenticate`, as long as it holds no token.
    pub challenge: Option<String>,
    pub body: Vec<u8>,
}

/// The most of a text of another server that a result holds, in characters.
const LONGEST_TEXT: usize = 300;

/// A text of another server, as a result holds it.
fn quoted(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    }
}

fn result(step: CheckStep, is_good: bool, received: String) -> StepResult {
    StepResult { step, outcome: if is_good { StepOutcome::Passed } else { StepOutcome::Failed }, received }
}

fn skipped(step: CheckStep, why: &str) -> StepResult {
    StepResult { step, outcome: StepOutcome::Skipped, received: why.to_owned() }
}

/// The results of the metadata of `server`.
pub(crate) fn of_metadata(server: &McpServer, issuer: &str, received: &Received) -> Vec<StepResult> {
    let document = match received {
        Err(problem) => Err(unanswered(problem)),
        Ok(answer) if answer.status != 200 => Err(format!("Status {}.", answer.status)),
        Ok(answer) => match serde_json::from_slice::<Value>(&answer.body) {
            Ok(document) if document.is_object() => Ok(document),
            _ => Err("Status 200, and no JSON object.".to_owned()),
        },
    };
    let document = match document {
        Ok(document) => document,
        Err(problem) => {
            let rest = [CheckStep::Resource, CheckStep::Issuer, CheckStep::Scopes];
            let why = if received.is_err() { NOT_REACHED } else { "Not looked at: there is no metadata." };
            let rest = rest.map(|step| skipped(step, why));
            return [result(CheckStep::Metadata, false, problem)].into_iter().chain(rest).collect();
        }
    };
    let resource = document["resource"].as_str();
    let servers = texts(&document["authorization_servers"]);
    let is_ours = |one: &&str| one.trim_end_matches('/') == issuer.trim_end_matches('/');
    vec![
        result(CheckStep::Metadata, true, "Status 200, a JSON object.".to_owned()),
        result(
            CheckStep::Resource,
            resource == Some(&server.resource),
            resource.map_or_else(|| "There is no “resource”.".to_owned(), |text| format!("{}.", quoted(text))),
        ),
        result(CheckStep::Issuer, servers.iter().any(is_ours), listed(&servers, "authorization_servers")),
        of_scopes(server, &document["scopes_supported"]),
    ]
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn listed(texts: &[&str], name: &str) -> String {
    match texts {
        [] => format!("There is no “{name}”."),
        texts => format!("{}.", texts.iter().take(5).map(|text| quoted(text)).collect::<Vec<_>>().join(", ")),
    }
}

/// A server need not list its scopes, and may list fewer than are registered here.
fn of_scopes(server: &McpServer, list: &Value) -> StepResult {
    let (scopes, known) = (texts(list), server.scope_names());
    let unknown: Vec<&str> = scopes.iter().filter(|scope| !known.contains(scope)).copied().collect();
    let received = match (scopes.as_slice(), unknown.as_slice()) {
        ([], _) => "It lists none, which is allowed.".to_owned(),
        (scopes, []) => listed(scopes, "scopes_supported"),
        (_, unknown) => format!("Unknown here: {}", listed(unknown, "scopes_supported")),
    };
    result(CheckStep::Scopes, unknown.is_empty(), received)
}

/// The results of a request without a token. `reached`: the server answered the request for its metadata. Otherwise a
/// request without an answer says nothing new.
pub(crate) fn of_no_token(server: &McpServer, received: &Received, reached: bool) -> Vec<StepResult> {
    let answer = match received {
        Ok(answer) => answer,
        Err(problem) => {
            let refused = match reached {
                true => result(CheckStep::NoToken, false, unanswered(problem)),
                false => skipped(CheckStep::NoToken, NOT_REACHED),
            };
            return vec![refused, skipped(CheckStep::Pointer, NOT_REACHED)];
        }
    };
    let refused = result(CheckStep::NoToken, answer.status == 401, format!("Status {}.", answer.status));
    if answer.status != 401 {
        return vec![refused, skipped(CheckStep::Pointer, "Not looked at: the request was not refused with 401.")];
    }
    let pointer = answer.challenge.as_deref().and_then(pointer);
    let received = match &answer.challenge {
        None => "There is no WWW-Authenticate header.".to_owned(),
        Some(challenge) => format!("WWW-Authenticate: {}.", quoted(challenge)),
    };
    vec![refused, result(CheckStep::Pointer, pointer == Some(server.metadata_url().as_str()), received)]
}

/// The address of the metadata in a `WWW-Authenticate` header (RFC 9728 §5.1).
fn pointer(challenge: &str) -> Option<&str> {
    let lower = challenge.to_ascii_lowercase();
    let bearer = lower.find("bearer")?;
    let name = bearer + lower[bearer..].find("resource_metadata")?;
    let value = challenge[name..].split_once('=')?.1.trim_start();
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map(|(address, _)| address),
        None => value.split([',', ' ']).next(),
    }
}

/// The result of a request with a token for another server. `reached`: the server answered the same request without a
/// token.
pub(crate) fn of_other_token(received: &Received, reached: bool) -> StepResult {
    match received {
        Err(_) if !reached => skipped(CheckStep::OtherToken, NOT_REACHED),
        Err(problem) => result(CheckStep::OtherToken, false, unanswered(problem)),
        Ok(answer) => result(CheckStep::OtherToken, answer.status == 401, format!("Status {}.", answer.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_is_read_as_rfc_9728_writes_it() {
        const ADDRESS: &str = "https://d.example/.well-known/oauth-protected-resource/mcp";
        for (challenge, expected) in [
            (format!("Bearer resource_metadata=\"{ADDRESS}\""), Some(ADDRESS)),
            (format!("bearer realm=\"x\", Resource_Metadata = \"{ADDRESS}\", scope=\"a\""), Some(ADDRESS)),
            (format!("Bearer resource_metadata={ADDRESS}, error=\"invalid_token\""), Some(ADDRESS)),
            (format!("Basic resource_metadata=\"{ADDRESS}\""), None),
            ("Bearer error=\"invalid_token\"".to_owned(), None),
            ("Bearer resource_metadata".to_owned(), None),
            ("Bearer resource_metadata=\"https://d.example".to_owned(), None),
        ] {
            assert_eq!(pointer(&challenge), expected, "{challenge}");
        }
    }

    #[test]
    fn texts_of_other_servers_are_short_and_printable() {
        assert_eq!(quoted("a\u{1b}[31mb\n"), format!("“{}”", printable("a\u{1b}[31mb\n")));
        assert!(!quoted("a\u{1b}b").contains('\u{1b}'));
        assert_eq!(quoted(&"ä".repeat(1000)).chars().count(), LONGEST_TEXT + 3);
    }
}
