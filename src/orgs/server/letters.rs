//! The letters about organizations.
use crate::{
    outbox::{
        Letter, LetterKind, LetterText, Sample,
        letter::{name, until, words},
    },
    units::Timestamp,
};
use serde::{Deserialize, Serialize};

/// The kinds of letters of this feature.
pub const LETTERS: &[LetterKind] = &[LetterKind::of::<InvitationLetter>()];

/// Asks somebody into an organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationLetter {
    pub organization: String,
    pub inviter: String,
    pub role: String,
    pub message: Option<String>,
    pub link: String,
    pub expires_at: Timestamp,
}

impl Letter for InvitationLetter {
    const KIND: &'static str = "invitation";
    const WORD: &'static str = "Invitation";

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn write(&self, product: &str) -> LetterText {
        let (organization, inviter) = (name(&self.organization), name(&self.inviter));
        LetterText {
            subject: format!("{inviter} invites you to {organization}"),
            heading: format!("Join {organization}"),
            lines: vec![
                format!("{inviter} invites you to join “{organization}” on {product} as {}.", name(&self.role)),
                format!("The invitation is good until {}.", until(self.expires_at)),
            ],
            quote: self.message.as_deref().map(|message| words(message, true)).filter(|message| !message.is_empty()),
            note: "If you do not know who sent this, ignore it: nothing happens unless you accept.".into(),
            ..LetterText::default()
        }
        .button("See the invitation", &self.link)
    }

    fn sample(of: &Sample<'_>) -> Self {
        InvitationLetter {
            organization: "Acme Rockets".into(),
            inviter: "Grace Hopper".into(),
            role: "Developer".into(),
            message: Some("We deploy on Fridays.\nCome and see.".into()),
            link: of.link("invitations"),
            expires_at: of.next_week(),
        }
    }
}
