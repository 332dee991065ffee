//! Refusals: a stable code, where it was found, and a sentence for the person who can mend it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Which check refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The form.
    Schema,
    /// The memorandum or the node's state.
    Policy,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal in $stage:ident),+ $(,)?) => {
        /// Stable code of a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $doc])+ $variant),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it is written in answers and in the log.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }

            /// Which check gives it.
            pub fn stage(self) -> Stage {
                match self { $(Self::$variant => Stage::$stage),+ }
            }
        }
    };
}

codes! {
    /// The text is no JSON.
    BadJson = "BAD_JSON" in Schema,
    /// A member stands twice.
    DuplicateMember = "DUPLICATE_MEMBER" in Schema,
    /// A `\u` escape names half a character.
    LoneSurrogate = "LONE_SURROGATE" in Schema,
    /// The notice, or a part of it, is over a limit.
    TooLarge = "TOO_LARGE" in Schema,
    /// A member that the kind does not have.
    UnknownField = "UNKNOWN_FIELD" in Schema,
    /// A required member is absent, null or empty.
    MissingField = "MISSING_FIELD" in Schema,
    /// A value of another type or shape.
    BadValue = "BAD_VALUE" in Schema,
    /// A value outside its enumeration.
    BadEnum = "BAD_ENUM" in Schema,
    /// A category other than a to e of 4(1).
    BadCategory = "BAD_CATEGORY" in Schema,
    /// A registration number not of the form NN登-NNNNNN.
    BadRegistrationNo = "BAD_REGISTRATION_NO" in Schema,
    /// A presentation that it carries proves nothing, or its ground does not hold.
    OnwardNotSound = "ONWARD_NOT_SOUND" in Policy,
    /// A presentation that it carries names another audience than the recipient.
    OnwardAudience = "ONWARD_AUDIENCE" in Policy,
    /// The originator of a presentation that it carries is not enrolled here.
    OnwardOriginatorNotEnrolled = "ONWARD_ORIGINATOR_NOT_ENROLLED" in Policy,
    /// A corporate number whose check digit is wrong.
    CorporateNumberCheckDigit = "CORPORATE_NUMBER_CHECK_DIGIT" in Schema,
    /// The count of a complete list is not its length.
    CountMismatch = "COUNT_MISMATCH" in Schema,
    /// A list names one organisation twice.
    DuplicateEntry = "DUPLICATE_ENTRY" in Schema,
    /// A time without UTC offset.
    NoTimezone = "NO_TIMEZONE" in Schema,
    /// A day or a time that does not exist.
    ImpossibleDate = "IMPOSSIBLE_DATE" in Schema,
    /// A NUL character.
    NulChar = "NUL_CHAR" in Schema,
    /// A character that reorders the text around it.
    BidiControl = "BIDI_CONTROL" in Schema,
    /// The same registry number, another notice.
    IdReuse = "ID_REUSE" in Policy,
    /// This log took the place of another, and the counterpart has not said where the channel stands.
    ChannelNotResumed = "CHANNEL_NOT_RESUMED" in Policy,
    /// A memorandum that this node does not hold.
    UnknownMemorandum = "UNKNOWN_MEMORANDUM" in Policy,
    /// A memorandum to which Japan is no party.
    JapanNotParty = "JAPAN_NOT_PARTY" in Policy,
    /// The memorandum commences on receipt of a notification, and no date of that is recorded.
    NotCommenced = "NOT_COMMENCED" in Policy,
    /// The notice was issued before the memorandum commenced.
    BeforeCommencement = "BEFORE_COMMENCEMENT" in Policy,
    /// The memorandum has ended, and the notice is none that may still travel.
    AfterTermination = "AFTER_TERMINATION" in Policy,
    /// The two nodes hold different terms of the memorandum: compare the digests of its file, which `verbale memorandum list` shows on both.
    MemorandumMismatch = "MEMORANDUM_MISMATCH" in Policy,
    /// Sender or addressee is no side of the memorandum, or not its office.
    NotAParty = "NOT_A_PARTY" in Policy,
    /// The sending office is not the contact point of its side.
    SenderNotContactPoint = "SENDER_NOT_CONTACT_POINT" in Policy,
    /// The kind does not travel in this direction.
    WrongDirection = "WRONG_DIRECTION" in Policy,
    /// A disclosure notice where consent is needed.
    WrongInstrument = "WRONG_INSTRUMENT" in Policy,
    /// A confidential kind labelled otherwise.
    ClassTooLow = "CLASS_TOO_LOW" in Policy,
    /// A restricted field among those to be published.
    PublishSetLeaksRestricted = "PUBLISH_SET_LEAKS_RESTRICTED" in Policy,
    /// An answer that does not say what it answers.
    MissingCorrelation = "MISSING_CORRELATION" in Policy,
    /// It answers a notice that is not known under this memorandum, or of the wrong kind.
    BadCorrelation = "BAD_CORRELATION" in Policy,
    /// The side that asked answers itself.
    ReplyFromAsker = "REPLY_FROM_ASKER" in Policy,
    /// The side that asked for consent answers itself: consent is of the other.
    SelfConsent = "SELF_CONSENT" in Policy,
    /// It answers a consent request or a grant that nobody knows.
    NoSuchRequest = "NO_SUCH_REQUEST" in Policy,
    /// It grants more than was asked for.
    ConsentWiderThanRequest = "CONSENT_WIDER_THAN_REQUEST" in Policy,
    /// It announces a disclosure for a time before it was issued.
    RetroactiveNotice = "RETROACTIVE_NOTICE" in Policy,
    /// It asks for consent, or gives notice, about information of the side that sends it.
    NotOthersInformation = "NOT_OTHERS_INFORMATION" in Policy,
    /// The end is earlier than the memorandum allows.
    TerminationTooEarly = "TERMINATION_TOO_EARLY" in Policy,
    /// Latin and Cyrillic letters mixed inside one word of an organisation's name.
    MixedScriptName = "MIXED_SCRIPT_NAME" in Policy,
    /// No card of the addressee is enrolled on the sending node, so that nothing can be sealed to it.
    NotEnrolled = "COUNTERPART_NOT_ENROLLED" in Policy,
    /// The caller has not the role that this kind needs.
    NotAllowed = "NOT_ALLOWED" in Policy,
    /// The person who drafted it, or who asked, cannot be the second one.
    FourEyes = "FOUR_EYES" in Policy,
    /// The person who approves it has not read it.
    NotRead = "NOT_READ" in Policy,
    /// Its content is needed: a duty, a grant or a dispute is open, or something rests on it.
    StillNeeded = "STILL_NEEDED" in Policy,
    /// Its content was erased.
    Erased = "ERASED" in Policy,
    /// Too many notices wait for the counterpart.
    QueueFull = "QUEUE_FULL" in Policy,
    /// The sealed bytes could not be opened.
    Unopenable = "UNOPENABLE" in Policy,
    /// The content is not what the statement commits to.
    ContentMismatch = "CONTENT_MISMATCH" in Policy,
    /// The notice came after its last moment of validity, or without content: its sender had given it up, or what it carried has its ground no more.
    Expired = "EXPIRED" in Policy,
    /// The statement was made at a time that has not come yet.
    CreatedInFuture = "CREATED_IN_FUTURE" in Policy,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

/// The text is no code of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no refusal code of this version")]
pub struct UnknownCode;

/// Why a notice is refused. Holds no value of the notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}{at}: {reason}", if at.is_empty() { "" } else { " at " })]
pub struct Refusal {
    /// The rule.
    pub code: Code,
    /// The member, from the root of the notice; empty where the rule is about the whole.
    pub at: String,
    /// What is wrong and what to do.
    pub reason: String,
    /// The clause of the memorandum that the rule rests on; `design` where no text has one for it, empty where it is not looked up yet.
    pub clause: String,
}

/// What is wrong with a value, before it is known where it stands. It never repeats the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    code: Code,
    reason: Cow<'static, str>,
}

impl Fault {
    /// Makes a fault.
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// The refusal of a notice that has this value at a place.
    pub fn at(self, at: impl Into<String>) -> Refusal {
        Refusal::new(self.code, at, self.reason)
    }
}

impl Code {
    /// Whether it is about a third side's information that a notice carries.
    pub fn is_about_onward(self) -> bool {
        matches!(self, Self::OnwardNotSound | Self::OnwardAudience | Self::OnwardOriginatorNotEnrolled)
    }
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(code: Code, at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code, at: at.into(), reason: reason.into(), clause: String::new() }
    }

    /// Names the clause that the rule rests on.
    #[must_use]
    pub fn under(self, clause: impl Into<String>) -> Self {
        Self { clause: clause.into(), ..self }
    }

    /// Place and reason in one sentence.
    pub fn sentence(&self) -> String {
        if self.at.is_empty() { self.reason.clone() } else { format!("{}: {}", self.at, self.reason) }
    }
}
