//! Requests to other servers: discovery documents and keys of issuers whose tokens are accepted, tokens of an OpenID
//! provider, documents of clients, messages to webhooks, calls and checks of MCP servers. An administrator or a
//! manager chooses the address; for a client's document, every signed-in person can choose it. None of them controls
//! where that address leads. So every request is limited to https, public addresses, one name lookup, one answer
//! without redirects, a size and a time. A ready-made HTTP client would do more than that.

pub mod cause;
mod connector;
mod event_stream;
pub(crate) mod mail;
pub mod mcp;
pub mod policy;
pub mod ports;
pub(crate) mod upstream;
