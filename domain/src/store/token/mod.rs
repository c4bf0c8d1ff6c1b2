//! Statements about issued tokens.
//!
//! | module | tables |
//! |---|---|
//! | [`batch`] | reads for the decision of a batch; writes `ledger`, `used_assertions`, `pending_exchanges` |
//! | [`ledger`] | reads `ledger`, revokes a token in it |
//! | [`rollup`] | moves exchanges from `pending_exchanges` to `credential_exchanges`, counts them in hours |
//! | [`usage`] | reads these hours and `refusal_hours`, counts refusals |
//! | [`status_list`] | the bits of the token status lists, in `counters` and the authenticators' tables |

pub mod batch;
pub mod ledger;
pub mod rollup;
pub mod status_list;
pub mod usage;
