//! Code that several commands need.

#[macro_use]
pub(super) mod print;

mod arguments;
mod calls;
mod error;
mod files;
pub(super) mod instance;
pub(super) mod log;
mod lookup;
pub(super) mod master_key;
mod output;
pub(super) mod repeated;

pub(super) use arguments::{OneCredential, Printing, duration, expiry, key_algorithm, token_algorithm};
pub(super) use calls::{call_lines, call_objects, called};
pub(super) use error::CliError;
pub(super) use files::{in_file, make_data_folder, read_text, refuse_existing, unused_name};
pub(super) use lookup::{person_named, team_named};
pub(super) use output::{Format, NewFormat, Progress, SHOWN_ONCE, line, operator};
