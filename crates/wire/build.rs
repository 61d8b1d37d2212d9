//! Makes Rust of the definitions in `proto/`, without any program beside cargo.

use std::error::Error;

const FILES: [&str; 1] = ["rookery/cluster/v1/raft.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let descriptors = protox::compile(FILES, [root])?;
    tonic_prost_build::configure()
        .bytes(".rookery.cluster.v1")
        .compile_fds(descriptors)?;
    std::io::Write::write_all(
        &mut std::io::stdout(),
        format!("cargo:rerun-if-changed={root}\n").as_bytes(),
    )?;
    Ok(())
}
