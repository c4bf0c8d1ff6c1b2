//! The `countersign` program: reads its command line and runs it. Everything else is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// An exchange is hundreds of small allocations on several threads at once: the system's allocator takes a tenth longer
/// for all of it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    server::cli::main()
}
