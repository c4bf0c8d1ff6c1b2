//! The server from outside: the real router on a real database, with a clock that stands still. One binary, a module a
//! topic.

mod assertions;
mod client_documents;
mod command_line;
mod credentials;
mod documents;
mod emergency;
mod headers;
mod html;
mod interactive;
mod leaks;
mod mcp;
mod metadata;
mod metrics;
mod openid;
mod passkeys;
mod personal_tokens;
mod revocation;
mod roles;
mod routes;
mod second_factor;
mod sign_in;
mod sockets;
mod support;
mod token;
mod webhooks;
