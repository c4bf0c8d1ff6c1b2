//! Who makes a change: the first argument of every operation that changes something.

use std::net::IpAddr;

use crate::base::id::{ClientId, PersonId, PersonalTokenId, SessionId, TokenId};
use crate::model::origin::{self, Origin};
use crate::model::person::Person;

/// Who acts, and from where. An actor is made only where the request is authenticated.
#[derive(Debug, Clone)]
pub struct Actor {
    kind: ActorKind,
    name: String,
    proof: Option<ActorProof>,
    address: Option<IpAddr>,
    agent: Option<String>,
}

/// The session or token that authenticated the request of an actor. It may end while the request runs. So each change
/// asks in its own transaction whether it still lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorProof {
    /// A session of the dashboard.
    Session(SessionId),
    /// A personal token.
    PersonalToken(PersonalTokenId),
    /// An access token of a credential.
    CredentialToken(TokenId),
    /// An access token of a client that acts for a person.
    ConsentToken(TokenId),
}

/// The kinds of actors.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ActorKind {
    Person(PersonId),
    Credential(ClientId),
    CommandLine,
    SetupLink,
    System,
}

impl Actor {
    /// A person who is signed in, or for whom a program acts with a token.
    pub fn person(id: PersonId, name: impl Into<String>, proof: ActorProof) -> Self {
        Self { proof: Some(proof), ..Self::new(ActorKind::Person(id), name.into()) }
    }

    /// This person, who proves who they are in the change itself: by a sign-in, or by the link of an invitation.
    pub(crate) fn of(person: &Person) -> Self {
        Self::new(ActorKind::Person(person.id.clone()), person.name.clone())
    }

    /// A credential that acts with an access token through the built-in MCP server.
    pub fn credential(id: ClientId, name: impl Into<String>, proof: ActorProof) -> Self {
        Self { proof: Some(proof), ..Self::new(ActorKind::Credential(id), name.into()) }
    }

    /// A credential that authenticated its request by its secret, key or identity.
    pub(crate) fn authenticated_credential(id: ClientId, name: impl Into<String>) -> Self {
        Self::new(ActorKind::Credential(id), name.into())
    }

    /// A person with access to the machine and the master key, who runs the command line.
    pub fn command_line(user: impl Into<String>) -> Self {
        Self::new(ActorKind::CommandLine, user.into())
    }

    /// A person who has the setup link.
    pub fn setup_link() -> Self {
        Self::new(ActorKind::SetupLink, "Setup link".to_owned())
    }

    /// Countersign itself.
    pub fn system() -> Self {
        Self::new(ActorKind::System, "Countersign".to_owned())
    }

    /// The same actor, acting from `address` with `agent` (the User-Agent header).
    pub fn at(mut self, address: Option<IpAddr>, agent: Option<&str>) -> Self {
        self.address = address;
        self.agent = agent.map(origin::shown);
        self
    }

    /// The same actor in the later transactions of an order that a first one accepted: they need no live session or
    /// token. What the actor may do is still asked.
    pub(crate) fn proven(&self) -> Self {
        Self { proof: None, ..self.clone() }
    }

    /// Countersign itself, for a request from `origin` whose sender is no actor.
    pub(crate) fn system_for(origin: &Origin) -> Self {
        Self::system().at(origin.address, origin.agent.as_deref())
    }

    fn new(kind: ActorKind, name: String) -> Self {
        Self { kind, name, proof: None, address: None, agent: None }
    }

    /// The kind, as the audit log names it.
    pub fn kind(&self) -> &'static str {
        match self.kind {
            ActorKind::Person(_) => "person",
            ActorKind::Credential(_) => "credential",
            ActorKind::CommandLine => "command_line",
            ActorKind::SetupLink => "setup_link",
            ActorKind::System => "system",
        }
    }

    /// Whether Countersign itself acts, by itself or for a request whose sender is no actor.
    pub(crate) fn is_system(&self) -> bool {
        self.kind == ActorKind::System
    }

    /// The actor's identifier, empty when it has none.
    pub fn id(&self) -> &str {
        match &self.kind {
            ActorKind::Person(id) => id.as_str(),
            ActorKind::Credential(id) => id.as_str(),
            ActorKind::CommandLine | ActorKind::SetupLink | ActorKind::System => "",
        }
    }

    /// The person; `None` for other kinds of actors.
    pub fn person_id(&self) -> Option<&PersonId> {
        match &self.kind {
            ActorKind::Person(id) => Some(id),
            _ => None,
        }
    }

    /// The credential; `None` for other kinds of actors.
    pub fn client_id(&self) -> Option<&ClientId> {
        match &self.kind {
            ActorKind::Credential(id) => Some(id),
            _ => None,
        }
    }

    /// The session or token with which the actor acts; `None` when the actor needs none.
    pub(crate) fn proof(&self) -> Option<&ActorProof> {
        self.proof.as_ref()
    }

    /// The actor's name at this moment.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address from which the actor acts.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The user agent with which the actor acts.
    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }
}
