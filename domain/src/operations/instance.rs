//! Opening an instance: its keys, its services and its built-in MCP server. The defaults of its settings.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::random::Random;
use crate::crypto::keys::MasterKey;
use crate::model::ports::{Fetch, Post};
use crate::model::settings::Settings;
use crate::prelude::{Context, Fault};
use crate::server;
use crate::store::{self, Store};

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

/// Whether a document may describe a client where the operator does not say so. An upgrade opens nothing: an instance
/// that was made when the default was “no” keeps it.
///
/// # Errors
///
/// The database does not answer.
pub async fn document_clients_by_default(store: &Store) -> Result<bool, Fault> {
    Ok(!store::operations::keys::has_earlier_default(store, "client_id_metadata_documents").await?)
}
