//! The rookery binary.

use std::process::ExitCode;

/// Chosen by measurement: what is freed by another thread than the one that allocated it costs the
/// system's allocator several times as much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rookery_server::cli::run().into()
}
