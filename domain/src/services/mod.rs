//! Services: tasks and caches that live as long as the server, and what they share.
//!
//! | module | what it does |
//! |---|---|
//! | [`ledger`] | decides and records exchanges; sums them up later |
//! | [`refusals`] | counts refused exchanges |
//! | [`recorder`] | writes what was counted, a batch at a time |
//! | [`metrics`] | counts of this process |
//! | [`signatures`] | remembers tokens whose signature was checked |
//! | [`status_list`] | signs and publishes the token status lists |
//! | [`keyring`], [`signing_keys`] | hold the keys of the instance |
//! | [`issuer_keys`], [`client_documents`] | fetch keys of issuers and documents of clients, and keep them a while |
//! | [`gateways`] | keeps the servers behind the gateway, as a call is decided by them |
//! | [`calls`] | counts calls through the gateway |
//! | [`relying_party`] | the OpenID provider that people may sign in with |
//! | [`audit_log`] | appends to the audit log |

pub mod audit_log;
pub mod calls;
pub mod client_documents;
pub mod gateways;
pub mod issuer_keys;
pub mod keyring;
pub mod ledger;
pub mod metrics;
pub(crate) mod recorder;
pub mod refusals;
pub mod relying_party;
pub mod signatures;
pub mod signing_keys;
pub mod status_list;
