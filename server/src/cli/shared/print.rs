//! `println!` and `print!` for commands. Those of the standard library end the program with a panic when the reader of
//! a pipe has gone, as in `countersign credential list | head`.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::sync::OnceLock;

macro_rules! print {
    ($($argument:tt)*) => { $crate::cli::shared::print::write(format_args!($($argument)*)) };
}

macro_rules! println {
    ($($argument:tt)*) => { print!("{}\n", format_args!($($argument)*)) };
}

/// The first fault of standard output.
static FAULT: OnceLock<io::Error> = OnceLock::new();

/// Writes to standard output. When the write fails, the command continues, because it may be in the middle of a change.
pub(crate) fn write(text: fmt::Arguments<'_>) {
    note(io::stdout().lock().write_fmt(text));
}

fn note(written: io::Result<()>) {
    match written {
        // Nobody misses what a reader that has gone does not read.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let _ = FAULT.set(error);
        }
        _ => {}
    }
}

/// Whether everything was written, at the end of a command. A secret that is shown once may have been in it.
pub(crate) fn check() -> Result<(), &'static io::Error> {
    note(io::stdout().flush());
    FAULT.get().map_or(Ok(()), Err)
}
