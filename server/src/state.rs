//! State that handlers share.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use app::pages::operations::about::ShownSetting;
use domain::base::clock::Timestamp;
use domain::context::Context;
use domain::crypto::public_key::PublicKey;
use domain::incident::emergency_stop;
use domain::model::incident::Policy;
use domain::model::ports::{McpConnection, Probe};
use ipnet::IpNet;

use crate::egress::mcp::McpServers;
use crate::gateway::parts::Gateway;
use crate::health::Health;
use crate::http::rate_limit::RateLimit;
use crate::http::request_id::RequestId;

/// The state of the running server. Each layer that a request passes has a clone. A clone counts one reference, not one
/// reference per part.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The content of [`AppState`].
#[derive(Clone)]
pub struct Shared {
    /// The context that operations need.
    pub context: Context,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Origins of pages that may call the MCP server, besides our own origin.
    allowed_origins: Arc<[String]>,
    /// Counts failed client authentications per source.
    pub failures: Arc<RateLimit>,
    /// Counts reports of leaks per source.
    pub leak_reports_by_source: Arc<RateLimit>,
    /// Counts requests for password links by e-mail per source.
    pub(crate) password_requests: Arc<RateLimit>,
    /// Counts client registrations per source, except those of the next field.
    pub(crate) registrations: Arc<SourceLimits>,
    /// Counts client registrations that pages of other sites send: they must not use up what programs at the address of
    /// their visitors may do.
    pub(crate) registrations_by_pages: Arc<SourceLimits>,
    /// Counts requests for device codes per source, except those of the next field.
    pub(crate) device_requests: Arc<SourceLimits>,
    /// Counts requests for device codes that pages of other sites send.
    pub(crate) device_requests_by_pages: Arc<SourceLimits>,
    /// Counts trials of credentials per source: each calls an MCP server.
    pub(crate) trials: Arc<RateLimit>,
    /// Calls MCP servers other than the built-in one.
    pub(crate) mcp_servers: Arc<dyn McpConnection>,
    /// Looks at how MCP servers protect themselves.
    pub(crate) probe: Arc<dyn Probe>,
    /// The gateway in front of MCP servers.
    pub(crate) gateway: Gateway,
    /// The policy for reports of leaks.
    pub leak_reports: Arc<LeakReports>,
    /// When the server started.
    pub(crate) started_at: Timestamp,
    /// The settings in force, for the page about the instance.
    pub(crate) settings: Arc<[ShownSetting]>,
    /// Number of credentials that an emergency stop ends at a time.
    pub stop_batch_size: usize,
    /// Whether the server is ready, as it was found last.
    pub(crate) health: Arc<Health>,
    /// Whether the clock is compared with that of the database.
    pub(crate) compares_clocks: bool,
    draining: Arc<AtomicBool>,
    /// A random number of this start of the server.
    start: u32,
    /// The number of the next request.
    requests: Arc<AtomicU64>,
}

/// Limits per source of what leaves a row behind: client registrations, requests for device codes.
pub(crate) struct SourceLimits {
    a_minute: RateLimit,
    a_day: RateLimit,
}

impl Default for SourceLimits {
    fn default() -> Self {
        Self { a_minute: RateLimit::a_minute(30), a_day: RateLimit::a_day(1000) }
    }
}

impl SourceLimits {
    /// Counts a request of `source`. Returns the time to wait when there were too many.
    pub(crate) fn count(&self, source: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        self.a_minute.count(source, now).or_else(|| self.a_day.count(source, now))
    }
}

impl AppState {
    /// The state of a server that starts.
    pub fn new(context: Context, trusted_proxies: Vec<IpNet>, allowed_origins: Vec<String>) -> Self {
        let mut start = [0; 4];
        context.random.fill(&mut start);
        Self(Arc::new(Shared {
            started_at: context.now(),
            settings: Arc::default(),
            context,
            trusted_proxies: trusted_proxies.into(),
            allowed_origins: allowed_origins.into(),
            failures: Arc::new(RateLimit::a_minute(1200)),
            leak_reports_by_source: Arc::new(RateLimit::a_minute(60)),
            password_requests: Arc::new(RateLimit::a_minute(10)),
            registrations: Arc::default(),
            registrations_by_pages: Arc::default(),
            device_requests: Arc::default(),
            device_requests_by_pages: Arc::default(),
            trials: Arc::new(RateLimit::a_minute(30)),
            mcp_servers: Arc::new(McpServers::new(Vec::new())),
            probe: Arc::new(McpServers::new(Vec::new())),
            gateway: Gateway::new(Vec::new(), 4 * 1024 * 1024, Duration::from_secs(60)),
            leak_reports: Arc::default(),
            stop_batch_size: emergency_stop::BATCH_SIZE,
            health: Arc::default(),
            compares_clocks: false,
            draining: Arc::new(AtomicBool::new(false)),
            start: u32::from_be_bytes(start),
            requests: Arc::new(AtomicU64::new(1)),
        }))
    }

    /// The same state with another policy for reports of leaks.
    pub fn with_leak_reports(mut self, leak_reports: LeakReports) -> Self {
        Arc::make_mut(&mut self.0).leak_reports = Arc::new(leak_reports);
        self
    }

    /// The same state with the settings in force. They hold no secret.
    pub fn with_settings(mut self, settings: Vec<ShownSetting>) -> Self {
        Arc::make_mut(&mut self.0).settings = settings.into();
        self
    }

    /// The same state, which calls MCP servers in this way.
    pub fn with_mcp_servers(mut self, mcp_servers: Arc<dyn McpConnection>) -> Self {
        Arc::make_mut(&mut self.0).mcp_servers = mcp_servers;
        self
    }

    /// The same state with a gateway that reaches private addresses, and plain http, only at these hosts.
    /// `message_limit` is the maximum size of a message, in bytes; `first_byte` is the deadline for the beginning of
    /// an answer.
    pub fn with_gateway(mut self, private: Vec<String>, message_limit: usize, first_byte: Duration) -> Self {
        Arc::make_mut(&mut self.0).gateway = Gateway::new(private, message_limit, first_byte);
        self
    }

    /// The same state, which looks at MCP servers in this way.
    pub fn with_probe(mut self, probe: Arc<dyn Probe>) -> Self {
        Arc::make_mut(&mut self.0).probe = probe;
        self
    }

    /// The same state for a server that is ready only if its clock shows about the same time as the database's.
    pub fn comparing_clocks(mut self) -> Self {
        Arc::make_mut(&mut self.0).compares_clocks = true;
        self
    }

    /// The same state with a smaller batch size for an emergency stop.
    pub fn with_stop_batch_size(mut self, entries: usize) -> Self {
        Arc::make_mut(&mut self.0).stop_batch_size = entries;
        self
    }
}

impl Shared {
    /// Whether a page of this origin may call the MCP server.
    pub(crate) fn allows_origin(&self, origin: &[u8]) -> bool {
        origin == self.context.settings.public_url.as_bytes()
            || self.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin)
    }

    /// The ID of the next request. The log lines of the request contain it.
    pub(crate) fn request_id(&self) -> RequestId {
        RequestId { start: self.start, number: self.requests.fetch_add(1, Ordering::Relaxed) }
    }

    /// From now on `/readyz` says 503, so that a load balancer sends no new requests, and each answer closes its
    /// connection.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the server is stopping.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether the public address is https. Then cookies are Secure, and browsers are told to use https only.
    pub(crate) fn is_https(&self) -> bool {
        self.context.settings.public_url.starts_with("https://")
    }
}

/// The policy for reports.
#[derive(Debug, Clone, Default)]
pub struct LeakReports {
    /// What happens to a reported secret.
    pub policy: Policy,
    /// The public keys that verify GitHub's reports, by identifier. Without keys, GitHub's reports are not accepted.
    pub github_keys: Vec<(String, PublicKey)>,
}
