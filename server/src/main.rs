//! The `countersign` program: reads its command line and runs it. Everything else is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// An exchange makes hundreds of small allocations on several threads at the same time. With the system's allocator an
/// exchange takes a tenth longer.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
