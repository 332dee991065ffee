//! The codes of decisions, and the classes of audiences.

use crate::refusal::UnknownCode;

macro_rules! names {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $doc])+ $variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As notices, answers and the log write it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text).ok_or(UnknownCode)
            }
        }
    };
}

names! {
    /// What kind of audience.
    AudienceClass {
        /// A ministry, an agency, a prosecutor.
        GovernmentBody = "GOVERNMENT_BODY",
        /// Everybody.
        Public = "PUBLIC",
        /// A company, a test operator, an association.
        Organisation = "ORGANISATION",
        /// A court.
        Court = "COURT",
        /// A person, the data subject included.
        Person = "PERSON",
        /// The organisation that a referral is about.
        InvestigatedOrganisation = "INVESTIGATED_ORGANISATION",
        /// An embassy.
        Embassy = "EMBASSY",
        /// Any other third party.
        ThirdParty = "THIRD_PARTY",
        /// A newspaper, a broadcaster.
        Media = "MEDIA",
    }
}

names! {
    /// Why a disclosure is allowed.
    Ground {
        /// It is the discloser's own information.
        OwnInformation = "OWN_INFORMATION",
        /// It was obtained independently.
        IndependentSource = "INDEPENDENT_SOURCE",
        /// The audience is a party of the memorandum.
        NotThirdParty = "NOT_THIRD_PARTY",
        /// The memorandum says that it is published.
        PublicationDuty = "PUBLICATION_DUTY",
        /// Its originator published it.
        AlreadyPublic = "ALREADY_PUBLIC_BY_ORIGINATOR",
        /// The originator allowed it for the investigated organisation.
        PreauthorisedField = "PREAUTHORISED_FIELD",
        /// Return procedures together with the Embassy.
        Clause8Embassy = "CLAUSE8_EMBASSY",
        /// A live grant covers it.
        ConsentOk = "CONSENT_OK",
        /// A disclosure notice was delivered before.
        NoticeOk = "NOTICE_OK",
        /// A live grant covers it, where notice would have been enough.
        ConsentExceedsNotice = "CONSENT_EXCEEDS_NOTICE",
    }
}

names! {
    /// Why people must decide: a recorded legal basis and a second person.
    Escalation {
        /// A test-cooperation response goes to the ministry that asked.
        Clause5RelevantMinistry = "CLAUSE5_RELEVANT_MINISTRY",
        /// A court or a law compels.
        LegalCompulsion = "LEGAL_COMPULSION",
        /// Only counts.
        Aggregate = "AGGREGATE",
        /// It would be published under a text that was not seen.
        UnverifiedBasisStrict = "UNVERIFIED_BASIS_STRICT",
    }
}

names! {
    /// What a ground is that stands outside the log: a document of which two persons recorded the digest.
    OutsideGround {
        /// Consent of the other side on paper.
        PaperConsent = "PAPER_CONSENT",
        /// The originator published it itself.
        OriginatorPublication = "ORIGINATOR_PUBLICATION",
        /// A court order, or a request under a law on the disclosure of information.
        LegalCompulsion = "LEGAL_COMPULSION",
        /// The request of the ministry that asked for cooperation in tests (clause 5).
        MinistryRequest = "MINISTRY_REQUEST",
        /// Why something may be published under a text that was not seen.
        PublicationBasis = "PUBLICATION_BASIS",
        /// A comparison that shows that fields of an own notice repeat nothing that the other side wrote.
        OwnWords = "OWN_WORDS",
    }
}

/// What a release rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// A ground that the decision names.
    Allowed(Ground),
    /// Two persons decided, on a recorded legal basis.
    Decided(Escalation),
}

impl Release {
    /// The code, as the log and presentations write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed(ground) => ground.as_str(),
            Self::Decided(escalation) => escalation.as_str(),
        }
    }
}

impl std::str::FromStr for Release {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        text.parse().map(Self::Allowed).or_else(|_| text.parse().map(Self::Decided))
    }
}

names! {
    /// Why a disclosure is denied.
    Denial {
        /// No such memorandum.
        UnknownMemorandum = "UNKNOWN_MEMORANDUM",
        /// The audience is not in the directory of the contact point.
        UnknownAudience = "UNKNOWN_AUDIENCE",
        /// Japan is no party.
        JapanNotParty = "JAPAN_NOT_PARTY",
        /// The memorandum is not in force yet.
        NotCommenced = "NOT_COMMENCED",
        /// A correction took its place; publish that.
        Superseded = "SUPERSEDED",
        /// It has no field that may be published, or none of which a reader could see that.
        NothingPublishable = "NOTHING_PUBLISHABLE",
        /// It quotes the other side's information.
        DerivedFromOther = "DERIVED_FROM_OTHER",
        /// It leaked, which ends nothing.
        LeakNotRelease = "LEAK_NOT_RELEASE",
        /// A grant names another audience.
        ConsentAudience = "CONSENT_AUDIENCE",
        /// A grant does not name a field.
        ConsentFields = "CONSENT_FIELDS",
        /// A grant names another purpose.
        ConsentPurpose = "CONSENT_PURPOSE",
        /// A grant is over.
        ConsentExpired = "CONSENT_EXPIRED",
        /// A grant has not begun.
        ConsentNotYet = "CONSENT_NOT_YET",
        /// A grant was withdrawn.
        ConsentWithdrawn = "CONSENT_WITHDRAWN",
        /// A disclosure notice where consent is needed.
        WrongInstrument = "WRONG_INSTRUMENT",
        /// The memorandum ended; what was obtained stays protected.
        SurvivesTermination = "SURVIVES_TERMINATION",
        /// No consent.
        ConsentMissing = "CONSENT_MISSING",
        /// A disclosure notice whose receipt is not held.
        NoticeNotDelivered = "NOTICE_NOT_DELIVERED",
        /// A disclosure notice that came after the disclosure.
        NoticeRetroactive = "NOTICE_RETROACTIVE",
        /// A disclosure notice names another audience.
        NoticeAudience = "NOTICE_AUDIENCE",
        /// A disclosure notice does not name a field.
        NoticeFields = "NOTICE_FIELDS",
        /// Its earliest moment has not come.
        NoticeTooEarly = "NOTICE_TOO_EARLY",
        /// No disclosure notice.
        NoticeMissing = "NOTICE_MISSING",
        /// The text was not seen, and there is no consent.
        UnverifiedBasisStrict = "UNVERIFIED_BASIS_STRICT",
    }
}
