//! The purposes that values are wrapped for. The wrapping authenticates the purpose and the identifier of the row: a
//! value that was moved to another place does not open.

pub(crate) const PEPPER: &str = "pepper";
pub(crate) const AUDIT: &str = "audit";
pub(crate) const FORMS: &str = "forms";
pub(crate) const SIGNING_KEY: &str = "signing key";
pub(crate) const WEBHOOK_URL: &str = "webhook address";
pub(crate) const WEBHOOK_SECRET: &str = "webhook secret";
pub(crate) const UPSTREAM_HEADER: &str = "upstream header";
pub(crate) const FORM_DRAFT: &str = "form draft";
pub(crate) const HANDOVER: &str = "handover";
pub(crate) const AUTHENTICATOR_APP: &str = "authenticator app";

/// The keys of the instance. The database holds each of them once.
pub(crate) const INSTANCE_KEYS: [&str; 3] = [PEPPER, AUDIT, FORMS];
