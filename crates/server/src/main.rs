//! The rookery binary.

use std::process::ExitCode;

/// Chosen by measurement: messages that another thread frees are cheap, and what sessions leave behind goes
/// back to the system. `.cargo/config.toml` says when.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    rookery_server::cli::run().into()
}
