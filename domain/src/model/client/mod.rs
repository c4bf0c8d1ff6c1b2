//! Clients that act for people: OAuth clients of the authorization code grant and of the device grant.

pub mod consent;
pub mod device;
pub(crate) mod document;
pub mod keys;
pub mod personal_token;
pub mod redirect_uri;
pub mod refusal;

use aws_lc_rs::constant_time;
use serde_json::{Map, Value};

use crate::base::clock::Timestamp;
use crate::base::cursor::Cursor;
use crate::base::digest;
use crate::base::id::{AppClientId, PersonId};
use crate::base::text::debug_as;
use crate::base::word_enum::word_enum;
use crate::model::client::redirect_uri::RedirectUri;

/// The `grant_type` of the device grant (RFC 8628 §3.4).
pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Most redirect URIs of a client.
pub(crate) const MOST_REDIRECT_URIS: usize = 10;

word_enum! {
    /// Who made a client, and so how far its statements are trusted.
    pub enum ClientKind {
        /// An administrator.
        Registered = "registered",
        /// The client itself (RFC 7591). No person has checked its name.
        Dynamic = "dynamic",
        /// The owner of the host that its identifier names, by a document there.
        Document = "document",
    }
}

/// A client that acts for people.
#[derive(Debug, Clone)]
pub struct AppClient {
    /// Identifier.
    pub id: AppClientId,
    /// Who made it.
    pub kind: ClientKind,
    /// Its name for people.
    pub name: String,
    /// Where answers may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it stated when it registered (RFC 7591 §2). The answer repeats it to the client.
    pub metadata: Map<String, Value>,
    /// The last characters of the secret of a confidential client. A public client has none.
    pub secret_hint: Option<String>,
    /// Whether that secret ended because it leaked. The client cannot prove itself without a new one.
    pub secret_ended: bool,
    /// When its secret was first reported as leaked and the report did not end the secret.
    pub leaked_at: Option<Timestamp>,
    /// Who made it, as text.
    pub created_by: String,
    /// The person who added it, last replaced its secret, or last changed its redirect URIs.
    pub made_by: Option<PersonId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last got a token.
    pub last_used_at: Option<Timestamp>,
    /// When it was removed. A removed client gets no tokens.
    pub removed_at: Option<Timestamp>,
    /// Since when it is stopped. Until it is enabled again it gets no tokens, and its tokens are refused.
    pub disabled_at: Option<Timestamp>,
    /// Since when it may use the device grant (RFC 8628); `None`: it may not.
    pub device_grant_since: Option<Timestamp>,
    /// When its document was last read, if a document describes it; when it last changed its registration, if it
    /// registered itself.
    pub described_at: Option<Timestamp>,
    /// Until when its document is believed without being read again.
    pub described_until: Option<Timestamp>,
}

impl AppClient {
    /// A client that was made now and was never used. It has no secret.
    pub(crate) fn new(
        id: AppClientId,
        kind: ClientKind,
        name: String,
        redirect_uris: Vec<RedirectUri>,
        created_by: &str,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            name,
            redirect_uris,
            metadata: Map::new(),
            secret_hint: None,
            secret_ended: false,
            leaked_at: None,
            created_by: created_by.to_owned(),
            made_by: None,
            created_at,
            last_used_at: None,
            removed_at: None,
            disabled_at: None,
            device_grant_since: None,
            described_at: None,
            described_until: None,
        }
    }

    /// Whether it proves itself with a secret (RFC 6749 §2.1).
    pub fn is_confidential(&self) -> bool {
        self.secret_hint.is_some()
    }

    /// Whether it proves itself, with a secret or with keys. A public client only names itself.
    pub fn proves_itself(&self) -> bool {
        self.is_confidential() || self.key_source().is_some()
    }

    /// Whether it was not removed.
    pub(crate) fn is_present(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Whether it was not removed and is not stopped.
    pub(crate) fn is_served(&self) -> bool {
        self.is_present() && self.disabled_at.is_none()
    }

    /// Whether administrators may edit it: they may if an administrator added it.
    pub fn is_editable(&self) -> bool {
        self.kind == ClientKind::Registered && self.is_present()
    }

    /// Whether an administrator may replace its secret: they may if it is confidential and an administrator added it.
    pub fn takes_secret(&self) -> bool {
        self.is_editable() && self.is_confidential()
    }

    /// Whether the person need not consent again. An administrator has added the client, and its secret or keys keep
    /// other programs from posing as it.
    pub(crate) fn remembers_consent(&self) -> bool {
        self.kind == ClientKind::Registered && self.proves_itself()
    }

    /// Its place in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.to_string() }
    }

    /// Its registered redirect URI that allows `asked`.
    pub fn redirect_uri(&self, asked: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|uri| uri.allows(asked))
    }
}

word_enum! {
    /// Whether a client is stopped.
    pub enum ClientState {
        /// It is not.
        Enabled = "enabled",
        /// An administrator stopped it.
        Disabled = "disabled",
    }
}

/// What stops when a client is disabled, and begins again when it is enabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientImpact {
    /// How many people have given it access that lives.
    pub people: i64,
    /// How many consents live. The client has a session for each.
    pub consents: i64,
    /// How many access tokens live.
    pub live_tokens: i64,
    /// When the last of these tokens ends.
    pub last_token_ends_at: Option<Timestamp>,
}

/// The clients to list.
#[derive(Debug, Clone, Default)]
pub struct ClientQuery {
    /// Clients of this kind.
    pub kind: Option<ClientKind>,
    /// Clients in this state.
    pub state: Option<ClientState>,
    /// Part of the name or the identifier.
    pub search: Option<String>,
    /// The list continues after this position.
    pub after: Option<Cursor>,
}

word_enum! {
    /// The setting: which clients may register themselves.
    #[derive(Default)]
    pub enum DynamicRegistration {
        /// None.
        Off = "off",
        /// Clients on the person's own computer: their codes never leave it.
        #[default]
        Loopback = "loopback",
        /// Every client with a safe redirect URI.
        On = "on",
        /// Clients that present the operator's [`InitialAccessToken`], with any safe redirect URI.
        Token = "token",
    }
}

/// The token that a client must present to register itself, if the operator asks for one (RFC 7591 §1.2). Only its hash
/// is kept.
#[derive(Clone)]
pub struct InitialAccessToken(String);

impl InitialAccessToken {
    /// Fewest characters.
    pub const SHORTEST: usize = 32;

    /// Reads a token that the operator chose; `None` when it is too short to be no guess, or cannot be sent in a
    /// header.
    pub fn parse(text: &str) -> Option<Self> {
        let can_be_sent = text.len() >= Self::SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        can_be_sent.then(|| Self(digest::sha256(text.as_bytes())))
    }

    pub(crate) fn is(&self, presented: &str) -> bool {
        let presented = digest::sha256(presented.as_bytes());
        constant_time::verify_slices_are_equal(self.0.as_bytes(), presented.as_bytes()).is_ok()
    }
}

debug_as!(InitialAccessToken, "InitialAccessToken(redacted)");
