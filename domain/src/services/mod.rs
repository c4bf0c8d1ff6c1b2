//! What runs by itself while the server runs: the queue of the ledger, the roll-up, the status lists, keys of other issuers, counts.

pub mod audit_log;
pub mod client_documents;
pub mod issuer_keys;
pub mod keyring;
pub mod ledger;
pub mod metrics;
pub mod refusals;
pub mod relying_party;
pub mod rollup;
pub mod signing_keys;
pub mod status_list;
