//! Who looks at a page.

use std::net::IpAddr;

use domain::base::clock::Timestamp;
use domain::base::id::{PersonId, SessionId, TeamId};
use domain::context::Context;
use domain::model::actor::{Actor, ActorProof};
use domain::model::person::Factors;
use domain::model::person::authority::{Authority, Role};
use domain::model::person::session::PROOF_LIFETIME;
use leptos::prelude::{expect_context, use_context};

use crate::error::ActionError;

/// One request to the dashboard. The server provides it as context to every page and server function.
#[derive(Clone)]
pub struct Visit {
    /// The context that operations need.
    pub context: Context,
    /// Who is signed in.
    pub viewer: Option<Viewer>,
    /// A fresh token for the forms of the page.
    pub form_token: String,
    /// The path of the page, with its query.
    pub path: String,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The browser's user agent.
    pub agent: Option<String>,
    /// Whether the route asks for a fresh proof of who the person is. The route table says so.
    pub asks_again: bool,
    /// Whether the form that this request brings is not of this session. Then the visitor is nobody's actor: the form
    /// can only be shown again.
    pub is_stale: bool,
}

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Identifier.
    pub id: PersonId,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// What they may see and do.
    pub authority: Authority,
    /// The session.
    pub session: SessionId,
    /// When the person last proved who they are (password, passkey or code).
    pub proved_at: Timestamp,
    /// The factors that the person has besides the password.
    pub factors: Factors,
    /// Whether a policy needs a second factor of the person, who has none. Then they reach only their account.
    pub owes_factor: bool,
    /// Whether the person has a password. Without one they sign in with their OpenID account.
    pub has_password: bool,
}

impl Visit {
    /// The visit of the page or server function that runs now.
    ///
    /// # Panics
    ///
    /// When called outside [`crate::render::render`] and [`crate::render::scoped`], which provide the visit.
    pub fn current() -> Self {
        expect_context::<Self>()
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.context.now()
    }

    /// The signed-in person.
    ///
    /// # Errors
    ///
    /// [`ActionError::SignedOut`] when the visitor is not signed in.
    pub fn viewer(&self) -> Result<&Viewer, ActionError> {
        self.viewer.as_ref().ok_or(ActionError::SignedOut)
    }

    /// What the signed-in person may see and do.
    ///
    /// # Errors
    ///
    /// [`ActionError::SignedOut`] when the visitor is not signed in.
    pub fn authority(&self) -> Result<&Authority, ActionError> {
        Ok(&self.viewer()?.authority)
    }

    /// Whether the signed-in person has `role` in this team. Pages use it to hide actions that would be refused. The
    /// domain rules make the decision.
    pub fn may(&self, team: &TeamId, role: Role) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.authority.require(team, role).is_ok())
    }

    /// Whether a sensitive action asks the person to prove again who they are: the last proof is too old.
    pub fn must_confirm(&self) -> bool {
        self.viewer.as_ref().is_none_or(|viewer| self.now().since(viewer.proved_at) >= PROOF_LIFETIME)
    }

    /// Whether the form of this page must ask for a fresh proof: the route asks for it, and the last proof is too old.
    pub(crate) fn asks_now(&self) -> bool {
        self.asks_again && self.must_confirm()
    }

    /// The signed-in person as the actor of a change. Every change of a person needs it.
    ///
    /// # Errors
    ///
    /// [`ActionError::SignedOut`] when the visitor is not signed in, [`ActionError::StaleForm`] when the form is not of
    /// this session.
    pub fn actor(&self) -> Result<Actor, ActionError> {
        if self.is_stale {
            return Err(ActionError::StaleForm);
        }
        let viewer = self.viewer()?;
        let proof = ActorProof::Session(viewer.session.clone());
        Ok(Actor::person(viewer.id.clone(), &viewer.name, proof).at(self.address, self.agent.as_deref()))
    }
}

/// The visit of a signed-in person, for server functions. [`ActionError::SignedOut`] when there is none.
pub fn signed_in() -> Result<Visit, ActionError> {
    let visit = use_context::<Visit>().ok_or(ActionError::SignedOut)?;
    visit.viewer()?;
    Ok(visit)
}
