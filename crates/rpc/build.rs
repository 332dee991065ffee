//! Generates clients and servers; the messages are those of crate `proto`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let files = protox::compile(["verbale/v1/peer.proto", "verbale/v1/local.proto"], ["../../proto"])?;
    tonic_prost_build::configure().extern_path(".verbale.v1", "::verbale_proto::v1").compile_fds(files)?;
    Ok(())
}
