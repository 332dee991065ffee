//! One of two logs that are compared: what it holds, and what it says that it lost.

use verbale_evidence::{Card, MessageId};

use crate::export::{ExportFolder, Missing};
use crate::verify::{Break, Crossed, LostNumbers, Taken, Verified};

/// One of the two.
pub(super) struct Side<'c> {
    pub(super) folder: &'c ExportFolder,
    pub(super) id: String,
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) breaks: Vec<Break>,
    pub(super) crossed: &'c Crossed,
}

/// Where a place that a receipt names is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the export: an entry, which so many logs before this one told.
    Shown(u64, usize),
    /// Behind the end of the export.
    Beyond,
    /// In a log that was closed, behind what is held of it, or in one of which nothing is held.
    Lost,
    /// In a log that the export does not tell of.
    Elsewhere,
}

/// What a card is to the log of its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The log tells of it, or of the log that it names.
    Known,
    /// It was made after the export.
    Later,
    /// It names a log that its owner should tell of.
    Not,
}

impl<'c> Side<'c> {
    pub(super) fn new(folder: &'c ExportFolder, of: &Verified, crossed: &'c Crossed) -> Self {
        let (id, origin, breaks) = (of.id.clone(), of.head.origin.clone(), of.breaks.clone());
        Self { folder, id, origin, size: of.head.size.0, breaks, crossed }
    }

    /// How many logs before this one an origin is: 0 for this one; `None` for none of them.
    pub(super) fn before(&self, origin: &str) -> Option<usize> {
        let closed = || self.breaks.iter().position(|broke| broke.closed == origin);
        if self.origin == origin { Some(0) } else { closed().map(|at| at + 1) }
    }

    /// The origin of a log, by how many were begun after it.
    fn origin_of(&self, before: usize) -> Option<&str> {
        match before.checked_sub(1) {
            None => Some(&self.origin),
            Some(at) => self.breaks.get(at).map(|broke| broke.closed.as_str()),
        }
    }

    /// Whether nothing at all is held of a log: others know of it, and it was begun between one that was closed and the next.
    fn is_lost_whole(&self, origin: &str) -> bool {
        let number = |origin: &str| origin.rsplit('/').next().and_then(|number| number.parse::<u64>().ok());
        let is_between = |(before, broke): (usize, &Break)| {
            let (closed, next) = (number(&broke.closed), self.origin_of(before).and_then(number));
            broke.lost.is_some() && closed < number(origin) && number(origin) < next
        };
        let is_own = origin.strip_prefix("verbale/").and_then(|rest| rest.strip_prefix(&self.id)).is_some();
        is_own && number(origin).is_some() && self.breaks.iter().enumerate().any(is_between)
    }

    /// Where a place that a receipt names is.
    pub(super) fn place(&self, origin: &str, index: u64) -> Place {
        let Some(before) = self.before(origin) else {
            return if self.is_lost_whole(origin) { Place::Lost } else { Place::Elsewhere };
        };
        let closed = before.checked_sub(1).and_then(|at| self.breaks.get(at));
        match closed {
            Some(broke) if index >= broke.held => Place::Lost,
            None if index >= self.size => Place::Beyond,
            _ => Place::Shown(index.saturating_add(before as u64), before),
        }
    }

    /// What the log of a card's owner says of it. A card that names a log of which the owner tells hides none: what its keys signed
    /// stands in that log, or is missed there.
    pub(super) fn tells_of(&self, card: &Card) -> Told {
        let own = &self.crossed.own;
        let log = |card: &Card| (card.card_key, card.log_origin.clone(), card.log_key);
        let is_owners = own.iter().any(|own| own.card_key == card.card_key);
        if own.iter().any(|own| log(own) == log(card)) || (is_owners && self.is_lost_whole(&card.log_origin)) {
            Told::Known
        } else if is_owners && self.ended_before(card.valid_from_ms) && own.iter().all(|own| own.serial < card.serial) {
            Told::Later
        } else {
            Told::Not
        }
    }

    /// Whether this log says that it lost what it sent as this, which the other side took.
    pub(super) fn has_lost(&self, taken: &Taken, to: &Side<'_>) -> bool {
        let channel = to.crossed.channels.get(taken.channel as usize);
        let Some(memorandum) = channel.map(|(_, memorandum)| memorandum) else { return false };
        let of_own = self.crossed.channels.iter().position(|(peer, under)| (peer, under) == (&to.id, memorandum));
        let of_own = of_own.and_then(|channel| u32::try_from(channel).ok());
        let is_among = |of: &&LostNumbers| {
            Some(of.channel) == of_own && of.after < taken.number && of.up_to.is_none_or(|last| taken.number <= last)
        };
        let log = match self.crossed.lost.iter().find(is_among) {
            Some(of) => of.log,
            // It knows of no such channel.
            None if of_own.is_none() && !self.breaks.is_empty() => 0,
            None => return false,
        };
        // Whoever has another log goes on there: what is taken afterwards is not of the one before.
        let learnt = to.crossed.cards.iter().find(|(card, _)| Some(card.log_origin.as_str()) == self.origin_of(log));
        learnt.is_none_or(|(_, entry)| taken.entry < *entry)
    }

    /// Whether a log that was closed, by how many were begun after it, tells from one of its entries on of anything that came from the other side.
    ///
    /// # Errors
    /// [`Missing`].
    pub(super) fn met(&self, other: &Side<'_>, before: usize, from: u64) -> Result<bool, Missing> {
        let held = before.checked_sub(1).and_then(|at| self.breaks.get(at)).map_or(0, |broke| broke.held);
        let is_within = |entry: u64| entry.checked_sub(before as u64).is_some_and(|at| (from..held).contains(&at));
        let mut met = false;
        for records in [&self.crossed.taken, &self.crossed.conflicts] {
            records.each(|_, taken| met |= is_within(taken.entry) && self.is_with(taken.channel, other))?;
        }
        let heads = &self.crossed.heads;
        heads.each(|(log, _), head| {
            met |= head.entry.is_some_and(is_within) && other.before(heads.origin(log)).is_some();
        })?;
        Ok(met)
    }

    /// Whether something that happened at a moment of its own clock may be after everything that its export shows: that ends with the entry which
    /// tells of it, and others may be of the same moment.
    pub(super) fn ended_before(&self, moment_ms: i64) -> bool {
        self.crossed.ends_with_export && self.crossed.last_ms <= moment_ms
    }

    /// Whether a channel of this log is one with the other side.
    pub(super) fn is_with(&self, channel: u32, other: &Side<'_>) -> bool {
        self.crossed.channels.get(channel as usize).is_some_and(|(peer, _)| *peer == other.id)
    }

    /// Whether this log sent something as this message.
    pub(super) fn has_sent(&self, id: &MessageId) -> bool {
        self.crossed.notices.get(id).is_some_and(|notice| notice.sent)
    }

    /// What this log took of the other side as this message.
    pub(super) fn taken_as(&self, id: &MessageId, from: &Side<'_>) -> Option<Taken> {
        let notice =
            self.crossed.notices.get(id).filter(|notice| !notice.sent && self.is_with(notice.channel, from))?;
        self.crossed.taken.get(&notice.digest.0)
    }

    /// Whether this log took something of the other side as this message.
    pub(super) fn has_taken(&self, id: &MessageId, from: &Side<'_>) -> bool {
        self.crossed.notices.get(id).is_some_and(|notice| !notice.sent && self.is_with(notice.channel, from))
    }
}
