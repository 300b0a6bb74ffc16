//! The letter with which an operator tries whether mail arrives.
use crate::outbox::{Letter, LetterKind, LetterText, Sample};
use serde::{Deserialize, Serialize};

/// The kinds of letters of this feature.
pub const LETTERS: &[LetterKind] = &[LetterKind::of::<TestLetter>()];

/// Shows an operator that mail arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestLetter {
    pub name: String,
}

impl Letter for TestLetter {
    const KIND: &'static str = "test";
    const WORD: &'static str = "Test";

    fn write(&self, product: &str) -> LetterText {
        let line = "This is the message that you asked for. Mail leaves the panel and arrives.".to_string();
        let note = "You get this because an operator of the platform pressed “Send a test mail to me”.";
        LetterText::to(&self.name, format!("Mail from {product} works"), [line], note)
    }

    fn sample(of: &Sample<'_>) -> Self {
        TestLetter { name: of.name.into() }
    }
}
