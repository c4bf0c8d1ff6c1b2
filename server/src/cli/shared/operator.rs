//! The actor of commands.

use domain::model::actor::Actor;

/// The person who runs the command, identified by the name of their account on this machine.
pub(crate) fn operator() -> Actor {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Actor::command_line(user.map_or_else(|_| "Command line".to_owned(), |user| format!("{user} (command line)")))
}
