//! What runs by itself while the server runs, and caches that operations share.
//!
//! | module | what it does |
//! |---|---|
//! | [`ledger`] | decides and records exchanges, many in one transaction |
//! | [`rollup`] | writes recorded exchanges under their credentials and hours |
//! | [`refusals`], [`metrics`] | counts refused exchanges; counts of this process |
//! | [`status_list`] | signs the token status lists |
//! | [`keyring`], [`signing_keys`] | the instance's keys, opened |
//! | [`issuer_keys`], [`client_documents`], [`relying_party`] | documents of issuers, clients, the OpenID provider |
//! | [`audit_log`] | appends to the audit log |

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
