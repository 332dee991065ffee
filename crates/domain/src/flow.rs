//! Flows that rules, duties and decisions know by name (DOMAIN section 2).

/// Asks for consent.
pub const CONSENT_REQUEST: &str = "F20";
/// Grants it.
pub const CONSENT_GRANT: &str = "F21";
/// Refuses it.
pub const CONSENT_REFUSE: &str = "F22";
/// Withdraws a grant.
pub const CONSENT_WITHDRAW: &str = "F23";
/// Announces a disclosure, where the memorandum asks for notice.
pub const DISCLOSURE_NOTICE: &str = "F24";
/// Asks for a consultation, of which there is a record.
pub const CONSULTATION_REQUEST: &str = "F18";
/// Asks for assistance in return procedures, and answers that.
pub const RETURN_ASSISTANCE: [&str; 2] = ["F28", "F29"];
/// The copy for the record of what went through diplomatic channels: its sides are foreign ministries (DOMAIN 1.5).
pub const COMMENCEMENT_NOTIFICATION: &str = "F33";
/// Ends a memorandum, so many months after its receipt.
pub const TERMINATION: &str = "F34";
/// Names the new contact point of a side.
pub const CONTACT_POINT_CHANGE: &str = "F36";
/// Consults about a dispute.
pub const DISPUTE_CONSULTATION: &str = "F35";
/// Tells that a notice was published.
pub const PUBLICATION_CONFIRMATION: &str = "S02";
/// Takes the place of a notice of its sender.
pub const CORRECTION: &str = "S03";
/// Reports that information was where it must not be.
pub const BREACH_REPORT: &str = "S04";
/// Records the day on which a memorandum commenced that does so on receipt of a notification (design: DOMAIN 1.5 asks that the
/// recorded date travels signed, and no text has a kind for it).
pub const COMMENCEMENT_RECORD: &str = "S05";
