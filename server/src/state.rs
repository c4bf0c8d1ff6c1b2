//! What handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::context::Context;
use ipnet::IpNet;

use crate::http::failure_limit::FailureLimit;

/// The state of the running server. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    /// What operations take.
    pub context: Context,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Counts failed client authentications by source.
    pub failures: Arc<FailureLimit>,
    draining: Arc<AtomicBool>,
}

impl AppState {
    /// The state of a server that starts.
    pub fn new(context: Context, trusted_proxies: Vec<IpNet>) -> Self {
        Self {
            context,
            trusted_proxies: trusted_proxies.into(),
            failures: Arc::new(FailureLimit::default()),
            draining: Arc::new(AtomicBool::new(false)),
        }
    }

    /// From now on `/readyz` says 503, so that a load balancer sends nothing new.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is about to stop.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the public address is https: cookies are Secure then, and browsers are told to stay with it.
    pub fn is_https(&self) -> bool {
        self.context.settings.public_url.starts_with("https://")
    }
}
