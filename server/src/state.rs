//! What handlers share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use domain::context::Context;
use domain::incident::emergency_stop;
use ipnet::IpNet;

use crate::http::rate_limit::RateLimit;
use crate::http::request_id::RequestId;
use crate::incident::report_policy::LeakReports;

/// The state of the running server. Every layer that a request passes has a clone: one count, not one for each part.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What [`AppState`] holds.
#[derive(Clone)]
pub struct Shared {
    /// What operations take.
    pub context: Context,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Origins of pages that may call the MCP server, besides our own.
    allowed_origins: Arc<[String]>,
    /// Counts failed client authentications by source.
    pub failures: Arc<RateLimit>,
    /// Counts reports of leaks by source.
    pub leak_reports_by_source: Arc<RateLimit>,
    /// Counts clients that register themselves, by source.
    pub registrations_by_source: Arc<RateLimit>,
    /// The same within a day.
    pub registrations_of_a_day: Arc<RateLimit>,
    /// What is done with reports of leaks.
    pub leak_reports: Arc<LeakReports>,
    /// How many credentials an emergency stop ends at a time.
    pub stop_bite: usize,
    draining: Arc<AtomicBool>,
    /// Differs from start to start.
    start: u32,
    /// The number of the next request.
    requests: Arc<AtomicU64>,
}

impl AppState {
    /// The state of a server that starts.
    pub fn new(context: Context, trusted_proxies: Vec<IpNet>, allowed_origins: Vec<String>) -> Self {
        let mut start = [0; 4];
        context.random.fill(&mut start);
        Self(Arc::new(Shared {
            context,
            trusted_proxies: trusted_proxies.into(),
            allowed_origins: allowed_origins.into(),
            failures: Arc::new(RateLimit::default()),
            leak_reports_by_source: Arc::new(RateLimit::for_reports()),
            registrations_by_source: Arc::new(RateLimit::for_registrations()),
            registrations_of_a_day: Arc::new(RateLimit::for_registrations_of_a_day()),
            leak_reports: Arc::default(),
            stop_bite: emergency_stop::BATCH_SIZE,
            draining: Arc::new(AtomicBool::new(false)),
            start: u32::from_be_bytes(start),
            requests: Arc::new(AtomicU64::new(1)),
        }))
    }

    /// The same with other rules for reports of leaks.
    pub fn with_leak_reports(mut self, leak_reports: LeakReports) -> Self {
        Arc::make_mut(&mut self.0).leak_reports = Arc::new(leak_reports);
        self
    }

    /// The same with smaller bites of an emergency stop.
    pub fn with_stop_bite(mut self, bite: usize) -> Self {
        Arc::make_mut(&mut self.0).stop_bite = bite;
        self
    }
}

impl Shared {
    /// Whether a page of this origin may call the MCP server.
    pub fn allows_origin(&self, origin: &[u8]) -> bool {
        origin == self.context.settings.public_url.as_bytes()
            || self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// A name for the next request, by which its lines of the log are found.
    pub fn request_id(&self) -> RequestId {
        RequestId { start: self.start, number: self.requests.fetch_add(1, Ordering::Relaxed) }
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
