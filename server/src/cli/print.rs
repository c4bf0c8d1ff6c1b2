//! `println!` and `print!` for commands. Those of the standard library end the program with a panic when the reader of
//! a pipe has gone, as in `countersign credential list | head`.

use std::fmt;
use std::io::{self, ErrorKind, Write};

macro_rules! print {
    ($($argument:tt)*) => { $crate::cli::print::write(format_args!($($argument)*)) };
}

macro_rules! println {
    () => { print!("\n") };
    ($($argument:tt)*) => { print!("{}\n", format_args!($($argument)*)) };
}

/// Writes to standard output. Nobody misses what a reader that has gone does not read, and the command goes on: it may
/// be changing something. Any other fault ends it, because a secret that is shown once may be lost.
pub(super) fn write(text: fmt::Arguments<'_>) {
    match io::stdout().lock().write_fmt(text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("countersign: standard output: {error}");
            std::process::exit(1);
        }
        _ => {}
    }
}
