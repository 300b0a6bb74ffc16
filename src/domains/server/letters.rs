//! The letters about domains.
use crate::outbox::{
    Letter, LetterKind, LetterText, Sample,
    letter::{name, words},
};
use serde::{Deserialize, Serialize};

/// The kinds of letters of this feature.
pub const LETTERS: &[LetterKind] = &[LetterKind::of::<DomainTroubleLetter>()];

/// Tells an owner that something is wrong with a domain of the organization. `words` says what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainTroubleLetter {
    pub name: String,
    pub domain: String,
    pub words: String,
    pub link: String,
}

impl Letter for DomainTroubleLetter {
    const KIND: &'static str = "domain_trouble";
    const WORD: &'static str = "Domain needs a look";

    fn write(&self, _product: &str) -> LetterText {
        let subject = format!("Your domain {} needs a look", name(&self.domain));
        let note = "You get this because you are an owner of the organization that this domain belongs to.";
        LetterText::to(&self.name, subject, [words(&self.words, false)], note).button("See the domain", &self.link)
    }

    fn sample(of: &Sample<'_>) -> Self {
        DomainTroubleLetter {
            name: of.name.into(),
            domain: "shop.example.com".into(),
            words: "The TXT record that proves the domain was not found. Set it again.".into(),
            link: of.link("domains"),
        }
    }
}
