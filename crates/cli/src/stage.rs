//! Real nodes on this machine, one `verbale serve` process each, enrolled with each other: what demo and benchmark run on.

mod folder;
mod process;

use verbale_evidence::Card;
use verbale_proto::v1::StatusRequest;

use crate::commands::{Client, card};
use crate::failure::CliError;

pub(crate) use folder::StageFolder;
use process::RunningNode;

/// A contact point: its id, and its name for people.
pub(crate) type Office = (&'static str, &'static str);

pub(crate) const JAPAN: Office =
    ("JP-MOJ-ISA-RMD", "Residency Management Division, Immigration Services Agency of Japan");
pub(crate) const KYRGYZSTAN: Office = ("KG-MLSSM-CECA", "Center for Employment of Citizens abroad, Kyrgyz Republic");

pub(crate) const TAJIKISTAN: Office = (
    "TJ-MLMEP-MS-DLPSA",
    "Department of Law, Personnel and Special Affairs, Migration Service, Republic of Tajikistan",
);

/// Of the training memorandum: no text that was seen names its contact point.
pub(crate) const UZBEKISTAN: Office = ("UZ-CONTACT-UNVERIFIED", "the Uzbek side, whose contact point is not verified");

/// A running node, and a client of it.
pub(crate) struct Side {
    pub(crate) node: RunningNode,
    pub(crate) client: Client,
    /// The second person.
    pub(crate) second: Client,
    pub(crate) card: Card,
}

impl Side {
    /// Makes and starts the node of a contact point.
    pub(crate) async fn start(
        folder: &StageFolder,
        (id, name): Office,
        say: impl Fn(&str) -> Result<(), CliError>,
    ) -> Result<Self, CliError> {
        let node = RunningNode::start(&folder.path().join(id), id)?;
        let mut client = verbale_node::connect(node.folder()).await?;
        let (_, card) = card::own(&mut client).await?;
        let status = client.status(StatusRequest {}).await?.into_inner();
        let second = verbale_node::connect_tls(&status.local_address, &node.second_key()).await?;
        say(&format!("  {id}  at {}  {name}", node.address()))?;
        Ok(Self { node, client, second, card })
    }

    /// Enrols another node, with the card and the fingerprint that it shows itself.
    pub(crate) async fn enrol(
        &mut self,
        other: &Self,
        folder: &StageFolder,
        say: impl Fn(&str) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let text = std::fs::read_to_string(folder.path().join(&other.card.id).join("card.txt"))
            .map_err(|error| CliError::failed("the card of a node cannot be read", error))?;
        let card = verbale_evidence::parse_card_text(&text).map_err(|error| CliError::Refused(error.to_string()))?;
        let fingerprint = other.card.card_key.fingerprint();
        let request = verbale_proto::v1::EnrolCardRequest {
            card,
            fingerprint: fingerprint.to_string(),
            address: other.node.address().to_string(),
        };
        self.client.enrol_card(request).await?;
        say(&format!("  {} enrolled {}: {}", self.card.id, other.card.id, fingerprint.grouped()))?;
        Ok(())
    }
}
