//! Generated messages of `proto/verbale/v1` and their schema.
//!
//! The `.proto` files are the documentation: every field says its shape, unit and source there. This crate adds nothing to
//! them but [`SCHEMA`], from which the form check reads the custom options.
//!
//! Out of scope: services (crate `rpc`), rules (crate `domain`).

/// The messages of package `verbale.v1`.
#[expect(clippy::pedantic, reason = "generated; the documentation stands in the .proto files")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/verbale.v1.rs"));
}

/// The schema as an encoded `google.protobuf.FileDescriptorSet`, custom options and comments included.
pub const SCHEMA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
