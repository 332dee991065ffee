//! Compiles `proto/verbale/v1` with protox: no protoc on the machine.

use std::error::Error;
use std::path::PathBuf;

const FILES: [&str; 9] = [
    "verbale/v1/form.proto",
    "verbale/v1/kinds.proto",
    "verbale/v1/notice.proto",
    "verbale/v1/evidence.proto",
    "verbale/v1/log.proto",
    "verbale/v1/presentation.proto",
    "verbale/v1/account.proto",
    "verbale/v1/peer.proto",
    "verbale/v1/local.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../../proto");
    let mut compiler = protox::Compiler::new(["../../proto"])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(FILES)?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    #[expect(clippy::disallowed_methods, reason = "a build script writes its output")]
    // The raw bytes keep the custom options, which the typed descriptor set would drop.
    std::fs::write(out.join("schema.bin"), compiler.encode_file_descriptor_set())?;
    let mut config = prost_build::Config::new();
    config.enable_type_names().skip_debug(bodies(&compiler.file_descriptor_set())).skip_debug([
        // Messages that carry content: their text must not reach a log line by accident.
        ".verbale.v1.Notice",
        ".verbale.v1.Header",
        ".verbale.v1.Onward",
        ".verbale.v1.Content",
        ".verbale.v1.Chunk",
        ".verbale.v1.Facts",
        ".verbale.v1.Particulars",
        ".verbale.v1.CarriedRelease",
        ".verbale.v1.ListedOrganisation",
        ".verbale.v1.Presentation",
        ".verbale.v1.Part",
        ".verbale.v1.PresentedChunk",
        ".verbale.v1.Disclosure",
        ".verbale.v1.RecordedGround",
        ".verbale.v1.Account",
        ".verbale.v1.AccountItem",
        ".verbale.v1.AccountResponse",
        ".verbale.v1.AskAccountResponse",
        ".verbale.v1.DisclosureItem",
        ".verbale.v1.RecordGroundRequest",
        ".verbale.v1.GroundStatus",
        ".verbale.v1.GroundsResponse",
        ".verbale.v1.SubmitRequest",
        ".verbale.v1.OpenResponse",
        ".verbale.v1.OpenRequest",
        ".verbale.v1.WriteRequest",
        ".verbale.v1.DisclosureQuery",
        ".verbale.v1.DiscloseResponse",
        ".verbale.v1.PublishResponse",
        ".verbale.v1.RegisterEntry",
    ]);
    config.compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

/// The bodies: content, so they get no `Debug` either.
fn bodies(files: &prost_types::FileDescriptorSet) -> Vec<String> {
    let kinds = files.file.iter().filter(|file| file.name().ends_with("kinds.proto"));
    kinds.flat_map(|file| file.message_type.iter().map(|m| format!(".verbale.v1.{}", m.name()))).collect()
}
