//! Policies: what an installation allows, besides what the product allows.
//!
//! A policy is off, observed or enforced. While it is observed, nothing is refused, and its page lists what does not
//! comply. When it is enforced, it refuses what people and programs make from then on. What exists already stays as it
//! is, with two exceptions: people without a second factor must add one before they go on, and credentials that nobody
//! confirms are disabled after [`GRACE`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ipnet::IpNet;

use crate::base::clock::Timestamp;
use crate::base::id::TeamId;
use crate::base::word_enum::word_enum;
use crate::model::credential::draft::Expiry;
use crate::model::credential::{AuthMethod, Credential};
use crate::model::field_error::FieldError;
use crate::model::person::Person;
use crate::model::person::authority::{Authority, Role};
use crate::model::server::McpServer;
use crate::model::server::scope::Scopes;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long a credential that nobody confirmed still works after its team should have confirmed it, and at least after
/// the review was enforced.
pub const GRACE: Duration = Duration::from_secs(14 * 24 * 3600);

word_enum! {
    /// Whether a policy holds.
    #[derive(Default)]
    pub enum PolicyMode {
        /// It is not looked at.
        #[default]
        Off = "off",
        /// What does not comply is listed, and nothing is refused.
        Observe = "observe",
        /// What does not comply is refused.
        Enforce = "enforce",
    }
}

word_enum! {
    /// The policies.
    #[derive(PartialOrd, Ord)]
    pub enum PolicyName {
        /// How long a client secret may work at most, in days.
        SecretLifetime = "secret_lifetime",
        /// How long access tokens may live at most, in minutes.
        TokenLifetime = "token_lifetime",
        /// Secrets, keys and federated credentials must end.
        Expiry = "expiry",
        /// Credentials with one of these scopes need address ranges.
        AddressRanges = "address_ranges",
        /// How credentials may prove themselves, by team.
        Proof = "proof",
        /// People with one of these roles who sign in with a password need a second factor.
        SecondFactor = "second_factor",
        /// Members ask for credentials, and a manager approves.
        Generation = "generation",
        /// Teams confirm their credentials every so many days.
        Review = "review",
    }
}

/// What the words of a policy are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The policy has none.
    None,
    /// Scopes of MCP servers.
    Scopes,
    /// Some of these.
    Of(&'static [&'static str]),
}

/// The words of [`PolicyName::Proof`].
pub const PROOFS: [&str; 3] = ["secret", "key", "federated"];
/// The words of [`PolicyName::SecondFactor`].
pub const ROLES: [&str; 4] = ["administrator", "manager", "member", "viewer"];

impl PolicyName {
    /// The unit of its limit and the smallest and largest limit; `None`: it has no limit.
    pub fn limits(self) -> Option<(&'static str, [u32; 2])> {
        match self {
            Self::SecretLifetime => Some(("days", [1, 3653])),
            Self::TokenLifetime => Some(("minutes", [1, 60])),
            Self::Review => Some(("days", [7, 730])),
            _ => None,
        }
    }

    /// The limit of a policy that nobody has set yet.
    fn usual_limit(self) -> u32 {
        match self {
            Self::SecretLifetime | Self::Review => 90,
            Self::TokenLifetime => 15,
            _ => 0,
        }
    }

    /// What its words are.
    pub fn words(self) -> Words {
        match self {
            Self::AddressRanges => Words::Scopes,
            Self::Proof => Words::Of(&PROOFS),
            Self::SecondFactor => Words::Of(&ROLES),
            _ => Words::None,
        }
    }
}

/// What a policy says, besides whether it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyTerms {
    /// Its limit, in the unit of [`PolicyName::limits`].
    pub limit: u32,
    /// Scopes, proofs or roles.
    pub words: BTreeSet<String>,
    /// Other words for some teams. Only [`PolicyName::Proof`] has them.
    pub teams: BTreeMap<TeamId, BTreeSet<String>>,
}

impl PolicyTerms {
    /// Checks them for a policy that holds. `known` are the MCP servers.
    pub(crate) fn check(&self, name: PolicyName, known: &[McpServer]) -> Result<(), Vec<FieldError>> {
        if let Some((unit, [least, most])) = name.limits()
            && !(least..=most).contains(&self.limit)
        {
            return Err(FieldError::new("limit", format!("Enter {least} to {most} {unit}.")).into());
        }
        let is_known = |word: &String| match name.words() {
            Words::None => false,
            Words::Scopes => known.iter().any(|server| server.scope_names().contains(word)),
            Words::Of(words) => words.contains(&word.as_str()),
        };
        let lists = std::iter::once(("words", &self.words)).chain(self.teams.values().map(|words| ("teams", words)));
        for (field, words) in lists {
            if name.words() != Words::None && words.is_empty() {
                let message = if field == "words" { "Choose at least one." } else { "Name at least one proof." };
                return Err(FieldError::new(field, message).into());
            }
            if let Some(wrong) = words.iter().find(|word| !is_known(word)) {
                let shown: String = wrong.chars().take(60).collect();
                let message = match name.words() {
                    Words::None => "This policy has no words.".to_owned(),
                    Words::Scopes => format!("No MCP server has the scope {shown}."),
                    Words::Of(words) => format!("“{shown}” is none of {}.", words.join(", ")),
                };
                return Err(FieldError::new(field, message).into());
            }
        }
        if name != PolicyName::Proof && !self.teams.is_empty() {
            return Err(FieldError::new("teams", "This policy is the same for all teams.").into());
        }
        Ok(())
    }

    fn days(&self) -> Duration {
        DAY * self.limit
    }

    /// The proofs that this team may use.
    fn proofs_of(&self, team: &TeamId) -> &BTreeSet<String> {
        self.teams.get(team).unwrap_or(&self.words)
    }
}

/// The word with which a policy names a way to prove oneself.
pub fn proof_word(method: AuthMethod) -> &'static str {
    match method {
        AuthMethod::ClientSecret => "secret",
        AuthMethod::PrivateKeyJwt => "key",
        AuthMethod::Federated => "federated",
    }
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which one.
    pub name: PolicyName,
    /// Whether it holds.
    pub mode: PolicyMode,
    /// What it says.
    pub terms: PolicyTerms,
    /// Since when it is enforced.
    pub enforced_at: Option<Timestamp>,
    /// When it was changed last, and by whom.
    pub changed: Option<(Timestamp, String)>,
}

impl Policy {
    fn unset(name: PolicyName) -> Self {
        let words = match name {
            PolicyName::Proof => PROOFS.map(str::to_owned).into(),
            PolicyName::SecondFactor => ROLES.iter().take(1).map(|role| (*role).to_owned()).collect(),
            _ => BTreeSet::new(),
        };
        let terms = PolicyTerms { limit: name.usual_limit(), words, teams: BTreeMap::new() };
        Self { name, mode: PolicyMode::Off, terms, enforced_at: None, changed: None }
    }

    /// For the policy of reviews: when the team should have confirmed a credential that was confirmed or generated at
    /// this moment.
    pub fn review_due(&self, confirmed_at: Timestamp) -> Timestamp {
        confirmed_at.plus(self.terms.days())
    }

    /// When a credential that should have been confirmed at this moment is disabled; `None`: it is not.
    pub fn disabled_at(&self, due: Timestamp) -> Option<Timestamp> {
        let enforced_at = self.enforced_at.filter(|_| self.mode == PolicyMode::Enforce)?;
        Some(due.max(enforced_at).plus(GRACE))
    }
}

/// All policies, each once.
#[derive(Debug, Clone)]
pub struct Policies(Vec<Policy>);

/// What policies look at in a credential.
pub(crate) struct CredentialFacts<'of> {
    pub team: &'of TeamId,
    pub method: AuthMethod,
    /// What its tokens can carry: its scopes, and the scopes that they imply.
    pub scopes: Scopes,
    pub has_ranges: bool,
    /// How long its longest tokens live.
    pub token_lifetime: Duration,
}

impl<'of> CredentialFacts<'of> {
    /// The facts of a credential. `known` holds at least its MCP servers.
    pub(crate) fn of(credential: &'of Credential, known: &[McpServer]) -> Self {
        let own: Vec<&McpServer> = known.iter().filter(|server| credential.servers.contains(&server.id)).collect();
        let by_server = own.iter().map(|server| server.token_lifetime).max().unwrap_or_default();
        let implied: Vec<Scopes> = own.iter().map(|server| server.closure(&credential.scopes)).collect();
        Self {
            team: &credential.team,
            method: credential.auth_method,
            scopes: credential.scopes.iter().chain(implied.iter().flat_map(Scopes::iter)).collect(),
            has_ranges: !credential.ip_ranges.is_empty() && credential.ip_ranges.iter().all(counts),
            token_lifetime: credential.token_lifetime.unwrap_or(by_server),
        }
    }
}

/// Whether an address range limits anything: it is no wider than `/8`, for IPv6 `/16`. Otherwise one or two ranges for
/// every address would comply.
fn counts(range: &IpNet) -> bool {
    range.prefix_len() >= if range.addr().is_ipv4() { NARROW_IPV4 } else { NARROW_IPV6 }
}

/// The shortest prefix of an address range that counts.
pub(crate) const NARROW_IPV4: u8 = 8;
/// The same for IPv6.
pub(crate) const NARROW_IPV6: u8 = 16;

impl Policies {
    /// The policies that were set, and the others as they are when nobody has set them.
    pub(crate) fn of(set: Vec<Policy>) -> Self {
        let find = |name| set.iter().find(|policy| policy.name == name).cloned();
        Self(PolicyName::ALL.map(|name| find(name).unwrap_or_else(|| Policy::unset(name))).into())
    }

    /// Every policy, in the order of [`PolicyName`].
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }

    /// One policy.
    pub fn get(&self, name: PolicyName) -> Policy {
        self.0.iter().find(|policy| policy.name == name).cloned().unwrap_or_else(|| Policy::unset(name))
    }

    /// What a policy says, if it is enforced.
    fn enforced(&self, name: PolicyName) -> Option<&PolicyTerms> {
        let policy = self.0.iter().find(|policy| policy.name == name)?;
        (policy.mode == PolicyMode::Enforce).then_some(&policy.terms)
    }

    /// Checks a credential that is generated, or changed from what it was `before`. An edit need not put right what did
    /// not comply before, and must not add to it.
    pub(crate) fn check(
        &self,
        after: &CredentialFacts<'_>,
        before: Option<&CredentialFacts<'_>>,
    ) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let grows = before.is_none_or(|before| after.token_lifetime > before.token_lifetime);
        if let Some(most) = self.longest_token().filter(|most| after.token_lifetime > *most && grows) {
            errors.push(FieldError::new("token_lifetime", too_long_tokens(most)));
        }
        if let Some(terms) = self.enforced(PolicyName::AddressRanges) {
            let had = |scope: &str| before.is_some_and(|before| !before.has_ranges && before.scopes.contains(scope));
            let new = after.scopes.iter().find(|scope| terms.words.contains(*scope) && !had(scope));
            if let Some(scope) = new.filter(|_| !after.has_ranges) {
                let message = format!(
                    "A policy needs address ranges for the scope {scope}: /8 or narrower, for IPv6 /16. Enter the networks."
                );
                errors.push(FieldError::new("ip_ranges", message));
            }
        }
        if let Some(terms) = self.enforced(PolicyName::Proof) {
            let allowed = terms.proofs_of(after.team);
            let stays = before.is_some_and(|before| before.team == after.team);
            if !allowed.contains(proof_word(after.method)) && !stays {
                let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                let field = if before.is_some() { "team" } else { "method" };
                let message = format!("A policy allows this team: {}. Choose one of these.", allowed.join(", "));
                errors.push(FieldError::new(field, message));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Checks the life of a secret or key that is made, or gets another end. `made_at` is when it was made: lengthening
    /// its life again and again gets around nothing.
    pub(crate) fn check_life(
        &self,
        method: AuthMethod,
        made_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<(), FieldError> {
        let Some(expires_at) = expires_at else {
            return match self.longest(method) {
                Some(limit) => Err(FieldError::new("expiry", too_long(limit))),
                None if self.must_end() => {
                    Err(FieldError::new("expiry", "A policy needs an end. Choose when it stops working."))
                }
                None => Ok(()),
            };
        };
        match self.longest(method) {
            Some(limit) if expires_at > made_at.plus(DAY * limit) => Err(FieldError::new("expiry", too_long(limit))),
            _ => Ok(()),
        }
    }

    /// How many days a secret may work at most, if a policy says so.
    pub fn longest(&self, method: AuthMethod) -> Option<u32> {
        self.enforced(PolicyName::SecretLifetime)
            .filter(|_| method == AuthMethod::ClientSecret)
            .map(|terms| terms.limit)
    }

    /// How long tokens of credentials may live at most, if a policy says so.
    pub(crate) fn longest_token(&self) -> Option<Duration> {
        self.enforced(PolicyName::TokenLifetime).map(|terms| Duration::from_secs(60) * terms.limit)
    }

    /// Whether everything that proves a credential must end.
    pub fn must_end(&self) -> bool {
        self.enforced(PolicyName::Expiry).is_some()
    }

    /// The expiry that nobody chose, so that it complies: `usual`, or less.
    pub fn within(&self, method: AuthMethod, usual: Expiry) -> Expiry {
        let longest = self.longest(method).map(|days| DAY * days);
        match (usual, longest) {
            (Expiry::After(usual), Some(longest)) => Expiry::After(usual.min(longest)),
            (Expiry::Never, Some(longest)) => Expiry::After(longest),
            (Expiry::Never, None) if self.must_end() => Expiry::default(),
            (usual, _) => usual,
        }
    }

    /// Whether this actor must ask a manager before a credential is generated for the team.
    pub fn needs_approval(&self, authority: &Authority, team: &TeamId) -> bool {
        self.enforced(PolicyName::Generation).is_some()
            && matches!(authority, Authority::Person { .. })
            && authority.role_in(team).is_some_and(|role| role < Role::Manager)
    }

    /// Whether this person must add a second factor before they go on.
    pub fn needs_second_factor(&self, person: &Person, authority: &Authority) -> bool {
        self.enforced(PolicyName::SecondFactor).is_some_and(|terms| lacks_second_factor(terms, person, authority))
    }
}

/// What a form says about tokens that live longer than this.
pub(crate) fn too_long_tokens(most: Duration) -> String {
    let minutes = most.as_secs() / 60;
    format!("A policy allows tokens of at most {minutes} minute{}. Choose less.", if minutes == 1 { "" } else { "s" })
}

fn too_long(limit: u32) -> String {
    let days = if limit == 1 { "day" } else { "days" };
    format!("A policy allows a secret to work for at most {limit} {days}. Choose an earlier end.")
}

/// Whether the policy of second factors concerns this person, who has none. It does not concern people without a
/// password: the provider with which they sign in decides what it asks for.
pub(crate) fn lacks_second_factor(terms: &PolicyTerms, person: &Person, authority: &Authority) -> bool {
    let holds = |role: &String| match Role::parse(role) {
        None => authority.is_administrator(),
        Some(role) => match authority {
            Authority::Person { roles, .. } => roles.values().any(|held| *held == role),
            _ => false,
        },
    };
    person.has_password() && !person.factors.any() && terms.words.iter().any(holds)
}
