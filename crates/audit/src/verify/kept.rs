//! Heads beside an exported log: own ones that counterparts cosigned, counterparts' that were cosigned here, and proofs of equivocation.

use std::collections::BTreeMap;

use verbale_ledger::{Checkpoint, Frontier, Hash, Note, verify_equivocation};

use super::{Chronicle, before_cosigned, cosigned_in_time};
use crate::export::{COSIGNED, COUNTERPARTS, ExportFolder, Missing, PROOFS};

pub(super) struct KeptHeads {
    cosigned: Vec<(String, String)>,
    counterparts: Vec<(String, String)>,
    proofs: Vec<(String, String)>,
    /// The log's own roots at the sizes that were cosigned.
    /// With the time of the last entry before.
    roots: BTreeMap<u64, Option<(Hash, i64)>>,
}

impl KeptHeads {
    pub(super) fn read(folder: &ExportFolder) -> Result<Self, Missing> {
        let cosigned = folder.texts(COSIGNED, ".checkpoint")?;
        let size = |note: &str| Some(Checkpoint::parse(Note::parse(note).ok()?.text).ok()?.size.0);
        let roots = cosigned.iter().filter_map(|(_, note)| Some((size(note)?, None))).collect();
        let counterparts = folder.texts(COUNTERPARTS, ".checkpoint")?;
        Ok(Self { cosigned, counterparts, proofs: folder.texts(PROOFS, ".equivocation")?, roots })
    }

    /// The log was read so far; its last entry is of this time.
    pub(super) fn passed(&mut self, frontier: &Frontier, last_ms: i64) {
        if let Some(root) = self.roots.get_mut(&frontier.size().0) {
            *root = Some((frontier.root(), last_ms));
        }
    }

    /// Compares them with the log; gives who cosigned which size, and when.
    pub(super) fn check(self, head: &Checkpoint, chronicle: &mut Chronicle<'_>) -> Vec<(String, u64, u64)> {
        let mut sound = Vec::new();
        let Some(own) = chronicle.own().cloned() else { return sound };
        for (id, note) in &self.cosigned {
            let Some(peer) = chronicle.peers().get(id).cloned() else {
                chronicle.find("COSIGNATURE", None, "a cosignature of an enrolled counterpart", id.clone());
                continue;
            };
            let verified = Checkpoint::verify(note, &own.log_vkey()).map_err(|error| error.to_string());
            let time_s = peer.cosigned_s(note).map_err(|error| error.to_string());
            let (cosigned, time_s) = match (verified, time_s) {
                (Ok(cosigned), Ok(time_s)) => (cosigned, time_s),
                (Err(error), _) | (_, Err(error)) => {
                    chronicle.find("COSIGNATURE", None, format!("a head of this log that {id} cosigned"), error);
                    continue;
                }
            };
            let size = cosigned.size.0;
            cosigned_in_time(&peer, (note, time_s), chronicle);
            if size > head.size.0 {
                let expected = format!("{size} entries, of which {id} cosigned the head");
                chronicle.find("TAIL_SUPPRESSED", None, expected, format!("{} entries", head.size.0));
            } else if let Some((_, last_ms)) =
                self.roots.get(&size).copied().flatten().filter(|(root, _)| *root == cosigned.root)
            {
                before_cosigned(id, (size, last_ms), time_s, chronicle);
                sound.push((id.clone(), size, time_s));
            } else {
                let expected = format!("root {} at size {size}, which {id} cosigned", hex::encode(cosigned.root));
                chronicle.find("FORK", None, expected, "another root");
            }
        }
        for (name, note) in &self.counterparts {
            // Of a log of which another one took the place, the name says which.
            let (id, closed) = name.split_once(".closed-").map_or((name.as_str(), false), |(id, _)| (id, true));
            let Some(peer) = chronicle.peers().get(id).cloned() else {
                chronicle.find("COUNTERPART_HEAD", None, "a head of an enrolled counterpart", name.clone());
                continue;
            };
            let card = peer.all().find(|card| closed && Checkpoint::verify(note, &card.log_vkey()).is_ok());
            match Checkpoint::verify(note, &card.unwrap_or(peer.present()).log_vkey()) {
                Ok(theirs) => chronicle.counterpart_head(id, &theirs),
                Err(error) => {
                    chronicle.find("COUNTERPART_HEAD", None, format!("a head that {id} signed"), error.to_string());
                }
            }
        }
        for (name, text) in &self.proofs {
            let convicted = chronicle
                .peers()
                .values()
                .find(|peer| peer.all().any(|card| verify_equivocation(text, &card.log_vkey()).is_ok()));
            match convicted.map(|peer| peer.id().to_owned()) {
                Some(id) => {
                    let expected = format!("one history of the log of {id}");
                    chronicle.find(
                        "EQUIVOCATION",
                        None,
                        expected,
                        format!("two, both signed: proofs/{name}.equivocation"),
                    );
                }
                None => chronicle.find(
                    "EQUIVOCATION",
                    None,
                    "a proof that convicts a counterpart",
                    format!("proofs/{name}.equivocation"),
                ),
            }
        }
        sound
    }
}
