//! The rules, driven through their public functions on a real database, with a clock that stands still and seeded
//! randomness. One binary, a module a topic.

mod audit;
mod credentials;
mod damaged_rows;
mod emergency;
mod exchange;
mod import;
mod keys;
mod people;
mod rotation;
mod support;
mod usage;
mod webhooks;
