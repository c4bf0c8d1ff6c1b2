//! What the gateway of this process has.

use std::time::Duration;

use crate::egress::upstream::Upstreams;
use crate::gateway::limits::CallCounters;
use crate::gateway::remembered::{DestructiveUses, NewsTimes};

/// What the gateway of this process has.
#[derive(Clone)]
pub(crate) struct Gateway {
    /// Connections to the servers.
    pub(crate) upstreams: Upstreams,
    /// Maximum size of a message, in bytes.
    pub(crate) message_limit: usize,
    /// Deadline for the beginning of an answer.
    pub(crate) first_byte: Duration,
    pub(super) counters: CallCounters,
    pub(super) news: NewsTimes,
    pub(super) uses: DestructiveUses,
}

impl Gateway {
    /// A gateway that reaches private addresses, and plain http, only at these hosts.
    pub(crate) fn new(private: Vec<String>, message_limit: usize, first_byte: Duration) -> Self {
        Self {
            upstreams: Upstreams::new(private),
            message_limit,
            first_byte,
            counters: CallCounters::default(),
            news: NewsTimes::default(),
            uses: DestructiveUses::default(),
        }
    }
}
