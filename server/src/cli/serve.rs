//! `countersign serve`

use std::fmt::Display;
use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use domain::context::Context;
use domain::credential::handover;
use domain::incident::record;
use domain::model::actor::Actor;
use domain::model::ports::Probe;
use domain::operations::housekeeping::{self, Housekeeping};
use domain::person::setup;
use domain::webhook::alert;
use domain::webhook::dispatcher::Dispatcher;
use domain::webhook::mail;
use domain::{audit, server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};

use super::shared::instance::Absent;
use super::shared::repeated::{self, Repeated};
use super::shared::{CliError, instance, make_data_folder};
use crate::config::Config;
use crate::egress::mcp::McpServers;
use crate::http::accept::{self, Limits};
use crate::http::middleware::log_panics;
use crate::state::AppState;
use crate::{Service, metrics};

/// Maximum number of file descriptors: one for each served connection, and some for other open files.
const OPEN_FILES: u64 = 32_768;
/// Maximum delay until an event is sent to the webhooks.
const DISPATCH_INTERVAL: Duration = Duration::from_secs(1);
/// How often the database's write-ahead log is shortened while exchanges are written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(100);
/// Number of these intervals after which it is shortened also without exchanges. A long read can have prevented it
/// before.
const IDLE_CHECKPOINT_EVERY: u32 = 50;
/// How often the server looks whether it is ready.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);
/// Maximum delay until an alert says that a retired secret was tried.
const ALERT_INTERVAL: Duration = Duration::from_secs(60);
/// Number of these intervals after which the server looks for credentials that expire soon. With a million credentials
/// that takes a second.
const EXPIRY_EVERY: u32 = 10;

#[derive(Args, Default)]
pub(super) struct Arguments {
    /// Begin a new instance although the file of a master key is there and no SQLite database
    #[arg(long)]
    new: bool,
}

pub(super) async fn run(config: &Config, arguments: &Arguments, repeated: Repeated) -> Result<(), CliError> {
    make_data_folder(&config.storage.data_dir)?;
    let _only_server = instance::lock(config)?;
    let absent = if arguments.new { Absent::BeginAnew } else { Absent::Begin };
    let database = instance::open_for_server(config, absent).await?;
    let is_new = database.is_new;
    let listener = bind("listen", config.network.listen).await?;
    let metrics_listener = match config.network.metrics_listen {
        Some(address) => Some(bind("metrics_listen", address).await?),
        None => None,
    };
    let address = listener.local_addr()?;
    let default = || instance::default_public_url(address.port());
    let issuer = config.network.public_url.clone().unwrap_or_else(default);
    database.check_issuer(&issuer).await?;
    let context = database.with_issuer(issuer).await?;
    server::move_issuer(&context, &Actor::system(), &context.settings.public_url).await?;
    warn_without_default(&context).await?;

    // Each connection needs a file descriptor. A shell or service manager allows only few by default.
    if let Err(error) = rlimit::increase_nofile_limit(OPEN_FILES) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
    log_panics();
    let (proxies, origins) = (config.network.trusted_proxies.clone(), config.network.allowed_origins.clone());
    let upstreams = config.egress.private_hosts().upstreams;
    let mcp_servers = Arc::new(McpServers::new(upstreams.clone()));
    let state = AppState::new(context.clone(), proxies, origins)
        .with_leak_reports(config.incident.leak_reports())
        .with_settings(config.in_force.clone())
        .with_probe(Arc::clone(&mcp_servers) as Arc<dyn Probe>)
        .with_mcp_servers(mcp_servers)
        .with_gateway(upstreams, config.gateway.gateway_message_limit, config.gateway.gateway_first_byte)
        .comparing_clocks();
    let stop = stop_signal(state.clone(), config.network.drain_delay)?;
    announce(&context, address).await?;
    if is_new {
        // In the log, whose lines may be JSON.
        tracing::info!(place = instance::place(config), "there was no Countersign here: a new one was begun");
    }
    let mut background = vec![
        tokio::spawn(run_housekeeping(context.clone())),
        tokio::spawn(write_alerts(context.clone())),
        tokio::spawn(dispatch(context.clone())),
        tokio::spawn(send_mails(context.clone())),
        tokio::spawn(checkpoint(context.clone())),
        tokio::spawn(watch_health(state.clone())),
        tokio::spawn(report_repeated(repeated)),
    ];
    if let Some(listener) = metrics_listener {
        let address = listener.local_addr()?;
        tracing::info!(%address, "metrics are served");
        let router = metrics::router(context.clone());
        background.push(tokio::spawn(accept::serve(Limits::default(), listener, router, pending())));
    }
    let proxies = state.trusted_proxies.clone();
    let limits = Limits { proxies, keep_alive: config.network.keep_alive, ..Limits::default() };
    accept::serve(limits, listener, Service::new(state), stop).await;
    background.iter().for_each(JoinHandle::abort);
    context.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Warns when no MCP server has the resource of the setting `default_resource`. That is no reason not to start: the
/// server may be added later.
async fn warn_without_default(context: &Context) -> Result<(), CliError> {
    let Some(resource) = &context.settings.default_resource else { return Ok(()) };
    if server::find_named(context, resource).await?.is_none_or(|server| server.is_archived()) {
        tracing::warn!(
            resource,
            "default_resource names no MCP server: clients that do not say which one they want are refused"
        );
    }
    Ok(())
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, CliError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| CliError::of_system(setting, format!("{address}: {error}"), &error))
}

/// Prints on standard output that the server is ready, and the setup link if the instance has no administrator.
async fn announce(context: &Context, address: SocketAddr) -> Result<(), CliError> {
    let public_url = &context.settings.public_url;
    let mut lines = format!("Countersign is ready at {public_url}\n");
    if let Some(token) = setup::create_link_token(context).await? {
        lines += &format!("Create the first administrator at {public_url}/setup?token={token}\n");
    }
    let mut output = std::io::stdout();
    output.write_all(lines.as_bytes()).and_then(|()| output.flush())?;
    tracing::info!(%address, public_url, version = env!("CARGO_PKG_VERSION"), "ready");
    Ok(())
}

/// Resolves when the process is asked to stop. From then on `/readyz` says 503. After SIGTERM from a service manager,
/// the server goes on for `drain_delay`, so that load balancers see the 503 before connections are refused. After an
/// interrupt from the keyboard there is no such delay.
fn stop_signal(state: AppState, drain_delay: Duration) -> Result<impl Future<Output = ()>, CliError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let grace = tokio::select! {
            _ = terminate.recv() => drain_delay,
            _ = interrupt.recv() => Duration::ZERO,
        };
        tracing::info!(delay = grace.as_secs(), "stopping: load balancers have these seconds to notice it");
        state.drain();
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ticks now and in each interval. A tick that was missed is not made up for.
fn every(interval: Duration) -> Interval {
    let mut interval = tokio::time::interval(interval);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Logs that something in the background failed. It is tried again in the next interval.
fn note<T>(result: Result<T, impl Display>, problem: &str) {
    if let Err(fault) = result {
        tracing::warn!(%fault, "{problem}");
    }
}

/// Writes the head of the audit log to the log, and removes rows that are no longer needed.
async fn run_housekeeping(context: Context) {
    let (mut interval, mut housekeeping) = (every(housekeeping::INTERVAL), Housekeeping::default());
    loop {
        interval.tick().await;
        note(audit::log_head(&context).await, "the head of the audit log could not be read");
        note(housekeeping.run(&context).await, "old rows could not be removed");
    }
}

/// Writes alerts: incidents that time has contained, credentials that expire soon, retired secrets that were tried.
async fn write_alerts(context: Context) {
    let mut interval = every(ALERT_INTERVAL);
    for round in (0..EXPIRY_EVERY).cycle() {
        interval.tick().await;
        note(record::settle_due(&context).await, "the states of incidents could not be brought up to date");
        note(handover::end_due(&context).await, "secrets that nobody opened could not be ended");
        note(alert::retired_secrets_tried(&context).await, "alerts about retired secrets could not be written");
        if round == 0 {
            let problem = "alerts about credentials that expire soon could not be written";
            note(alert::expiring(&context).await, problem);
        }
    }
}

/// Keeps the database's write-ahead log short: often while exchanges are written, and rarely otherwise.
async fn checkpoint(context: Context) {
    let (mut interval, mut seen) = (every(CHECKPOINT_INTERVAL), 0);
    for round in (0..IDLE_CHECKPOINT_EVERY).cycle() {
        interval.tick().await;
        let batches = context.metrics.batches();
        if batches != seen || round == 0 {
            note(context.store.checkpoint().await, "the database's log could not be shortened");
        }
        seen = batches;
    }
}

/// Looks whether the server is ready also when no load balancer asks, so that the log says when it is not.
async fn watch_health(state: AppState) {
    let mut interval = every(HEALTH_INTERVAL);
    loop {
        interval.tick().await;
        state.health.reason(&state).await;
    }
}

/// Logs how often errors were repeated.
async fn report_repeated(repeated: Repeated) {
    let mut interval = every(repeated::INTERVAL);
    loop {
        interval.tick().await;
        repeated.report();
    }
}

/// Sends e-mails to people. An e-mail may take as long as a mail server makes us wait, so it holds up nothing else.
async fn send_mails(context: Context) {
    if context.mail.is_none() {
        return;
    }
    let mut interval = every(DISPATCH_INTERVAL);
    loop {
        interval.tick().await;
        note(mail::enqueue(&context).await, "e-mails could not be made");
        note(mail::send_due(&context).await, "e-mails could not be sent");
    }
}

/// Sends events to webhooks.
async fn dispatch(context: Context) {
    let (mut interval, mut dispatcher) = (every(DISPATCH_INTERVAL), Dispatcher::new(context));
    loop {
        interval.tick().await;
        note(dispatcher.send_due().await, "webhooks could not be served");
    }
}
