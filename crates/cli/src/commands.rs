//! The commands, one idea a file.

pub(crate) mod audience;
pub(crate) mod breach;
pub(crate) mod card;
pub(crate) mod check;
pub(crate) mod consent;
pub(crate) mod disclosure;
pub(crate) mod disclosures;
pub(crate) mod drafts;
pub(crate) mod duties;
pub(crate) mod erase;
pub(crate) mod export;
pub(crate) mod ground;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod notices;
pub(crate) mod receipts;
pub(crate) mod recover;
pub(crate) mod register;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod submit;

use std::path::PathBuf;

use verbale_node::{Folder, connect, connect_tls};
use verbale_rpc::node_client::NodeClient;
use verbale_rpc::tonic::transport::Channel;

use crate::args::NodeArgs;
use crate::failure::CliError;

const DIR_VARIABLE: &str = "VERBALE_DIR";
const DIR_DEFAULT: &str = "/var/lib/verbale";

/// The client of a node.
pub(crate) type Client = NodeClient<Channel>;

/// The folder that is meant.
pub(crate) fn folder(node: &NodeArgs) -> Folder {
    let dir = node.dir.clone().or_else(|| std::env::var_os(DIR_VARIABLE).map(PathBuf::from));
    Folder::new(&dir.unwrap_or_else(|| PathBuf::from(DIR_DEFAULT)))
}

/// Connects as asked.
pub(crate) async fn client(node: &NodeArgs) -> Result<Client, CliError> {
    match (&node.connect, &node.key) {
        (Some(address), Some(key)) => Ok(connect_tls(address, key).await?),
        _ => Ok(connect(&folder(node)).await?),
    }
}
