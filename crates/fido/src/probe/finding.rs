//! What a case has found.

use serde::Serialize;

/// What is found of a case, as against the RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// The server does what the RFC says.
    Keeps,
    /// It does something else.
    Differs,
    /// The RFC says nothing, or two things.
    Silent,
    /// The case was not tried.
    #[serde(rename = "not tried")]
    NotTried,
}

impl Verdict {
    pub(super) const ALL: [Self; 4] = [Self::Keeps, Self::Differs, Self::Silent, Self::NotTried];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Keeps => "keeps",
            Self::Differs => "differs",
            Self::Silent => "silent",
            Self::NotTried => "not tried",
        }
    }
}

/// A verdict, and what the server does. Without the server as its subject: "closes".
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) does: String,
}

/// Why a case was not tried to its end.
#[derive(Debug)]
pub(super) struct NotTried(pub(super) String);

/// How a case ends.
pub(super) type Tried = Result<Finding, NotTried>;

/// What the RFC demands.
pub(super) fn keeps(does: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Keeps, does: does.into() }
}

/// Something else.
pub(super) fn differs(does: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Differs, does: does.into() }
}

/// Something of which the RFC says nothing, or two things.
pub(super) fn silent(does: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Silent, does: does.into() }
}

impl From<NotTried> for Finding {
    fn from(NotTried(why): NotTried) -> Self {
        Self { verdict: Verdict::NotTried, does: why }
    }
}
