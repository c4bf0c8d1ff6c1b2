//! Opening an instance: its keys, its services and its built-in MCP server.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::crypto::keys::MasterKey;
use crate::model::ports::{Fetch, Post};
use crate::model::settings::Settings;
use crate::prelude::{Context, Fault};
use crate::server;
use crate::store::Store;

/// Opens the instance in `store`, whose schema is up to date: its keys, its services and its built-in MCP server.
///
/// # Errors
///
/// [`Fault::Keys`] when the master key does not open the database.
pub async fn open_instance(
    store: Store,
    master: Arc<MasterKey>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    fetch: Arc<dyn Fetch>,
    post: Arc<dyn Post>,
    settings: Settings,
) -> Result<Context, Fault> {
    let context = Context::open(store, master, clock, random, fetch, post, settings).await?;
    server::register_built_in(&context).await?;
    Ok(context)
}
