//! What there is to say in a mail. Each feature has its letters: a type with what the letter names, and a function that says it in plain
//! words. How the words become HTML and text is the feature `mail`'s; nothing is escaped here.
use crate::{
    error::Result,
    fault::{Because, internal},
    units::Timestamp,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fmt, sync::OnceLock, time::Duration};

/// Characters of a name.
const NAME: usize = 100;
/// Characters of somebody's own words.
const WORDS: usize = 1_000;

/// A letter: what it names, and how it reads. The outbox keeps the value, and the letter is written when it is sent.
pub trait Letter: Serialize + DeserializeOwned + Send + Sync {
    /// The kind's name, as rows and the API have it.
    const KIND: &'static str;
    /// The kind's name for people.
    const WORD: &'static str;

    /// From when on what it says is no longer true: it is not sent after that.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }

    /// What it says. `product` is what the operator calls the platform.
    fn write(&self, product: &str) -> LetterText;

    /// A letter with made-up content, for previews and test mails.
    fn sample(of: &Sample<'_>) -> Self;
}

/// What a sample may name.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// Who looks at it.
    pub name: &'a str,
    /// The panel's address, without a slash at the end.
    pub url: &'a str,
    pub now: Timestamp,
}

impl Sample<'_> {
    /// An address on the panel that leads nowhere.
    pub fn link(&self, place: &str) -> String {
        format!("{}/{place}/sample", self.url)
    }

    /// A week from now.
    pub fn next_week(&self) -> Timestamp {
        self.now + Duration::from_secs(7 * 86_400)
    }
}

/// What a letter consists of; plain words throughout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LetterText {
    pub subject: String,
    /// Above the lines; the subject where it is empty.
    pub heading: String,
    /// The paragraphs.
    pub lines: Vec<String>,
    /// Somebody's own words.
    pub quote: Option<String>,
    /// The button's words.
    pub button: &'static str,
    /// The address that the button leads to.
    pub link: Option<String>,
    /// Small, at the end.
    pub note: String,
}

impl LetterText {
    /// A letter to somebody who is greeted by name.
    pub fn to(who: &str, subject: String, lines: impl IntoIterator<Item = String>, note: &str) -> Self {
        let hello = match name(who) {
            who if who.is_empty() => "Hello,".to_string(),
            who => format!("Hello {who},"),
        };
        let lines = std::iter::once(hello).chain(lines).collect();
        LetterText { subject, lines, note: note.into(), ..LetterText::default() }
    }

    /// The same with a button.
    pub fn button(self, words: &'static str, link: &str) -> Self {
        LetterText { button: words, link: Some(link.into()), ..self }
    }
}

/// A name in one line, without what could break out of it.
pub fn name(text: &str) -> String {
    short(text, NAME, false)
}

/// Somebody's own words, cut to a bounded length; `lines` keeps their lines.
pub fn words(text: &str, lines: bool) -> String {
    short(text, WORDS, lines)
}

fn short(text: &str, most: usize, lines: bool) -> String {
    let plain = |c: char| match c {
        '\n' if lines => Some('\n'),
        c if super::is_steering(c) => None,
        c if c.is_control() || c.is_whitespace() => Some(' '),
        c => Some(c),
    };
    let all: String = text.replace("\r\n", "\n").chars().filter_map(plain).collect();
    let all = if lines { all.trim().to_string() } else { all.split_whitespace().collect::<Vec<_>>().join(" ") };
    match all.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

/// A moment as a letter says it, to the minute.
pub fn until(at: Timestamp) -> String {
    let plain = at.plain();
    format!("{} UTC", plain.get(..16).unwrap_or(&plain))
}

/// A letter as a row keeps it: its kind, and the value as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub kind: String,
    pub(super) content: String,
    pub(super) expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Tagged<'a, L> {
    kind: &'static str,
    #[serde(flatten)]
    letter: &'a L,
}

#[derive(Deserialize)]
struct Tag {
    kind: String,
}

impl Draft {
    /// Puts a letter into words that a row can keep.
    pub fn of<L: Letter>(letter: &L) -> Result<Self> {
        let content = serde_json::to_string(&Tagged { kind: L::KIND, letter }).because("keeping a letter")?;
        Ok(Draft { kind: L::KIND.into(), content, expires_at: letter.expires_at() })
    }

    /// Reads what a row keeps.
    pub(super) fn kept(content: String) -> Result<Self> {
        let Tag { kind } = serde_json::from_str(&content).because("reading a letter's kind")?;
        Ok(Draft { kind, content, expires_at: None })
    }

    /// The letter, where it is of this kind.
    pub fn read<L: Letter>(&self) -> Option<L> {
        (self.kind == L::KIND).then(|| serde_json::from_str(&self.content).ok()).flatten()
    }
}

/// One kind of letter, without its type: what a feature declares, so that a letter can be written that was kept earlier.
#[derive(Clone, Copy)]
pub struct LetterKind {
    name: &'static str,
    word: &'static str,
    write: fn(&Draft, &str) -> Result<LetterText>,
    sample: fn(&Sample<'_>) -> Result<Draft>,
}

impl fmt::Debug for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LetterKind").field(&self.name).finish()
    }
}

impl LetterKind {
    /// The kind of the letters of a type.
    pub const fn of<L: Letter>() -> Self {
        let write = |draft: &Draft, product: &str| {
            let letter: L = serde_json::from_str(&draft.content).because("reading a letter")?;
            Ok(letter.write(&name(product)))
        };
        LetterKind { name: L::KIND, word: L::WORD, write, sample: |of| Draft::of(&L::sample(of)) }
    }

    /// Its name, as rows and the API have it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its name for people.
    pub fn word(&self) -> &'static str {
        self.word
    }

    /// A letter of this kind with made-up content.
    pub fn sample(&self, of: &Sample<'_>) -> Result<Draft> {
        (self.sample)(of)
    }
}

/// The kinds of letters that a panel knows. The features declare them; whoever starts the panel tells it ([`LetterKinds::learn`]).
#[derive(Debug, Default)]
pub struct LetterKinds(OnceLock<Vec<LetterKind>>);

impl LetterKinds {
    /// Takes the list; the first one stands.
    pub fn learn(&self, kinds: impl IntoIterator<Item = LetterKind>) {
        self.0.get_or_init(|| kinds.into_iter().collect());
    }

    /// Every kind.
    pub fn all(&self) -> &[LetterKind] {
        self.0.get().map(Vec::as_slice).unwrap_or_default()
    }

    /// The kind of this name.
    pub fn named(&self, name: &str) -> Option<&LetterKind> {
        self.all().iter().find(|kind| kind.name == name)
    }

    /// Says what a letter says, in the operator's name.
    pub fn write(&self, draft: &Draft, product: &str) -> Result<LetterText> {
        let unknown = || internal("writing a letter", format!("no feature has letters of the kind {}", draft.kind));
        (self.named(&draft.kind).ok_or_else(unknown)?.write)(draft, product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Greeting {
        name: String,
    }

    impl Letter for Greeting {
        const KIND: &'static str = "greeting";
        const WORD: &'static str = "Greeting";

        fn write(&self, product: &str) -> LetterText {
            LetterText::to(&self.name, format!("Greetings from {product}"), ["All is well.".to_string()], "")
        }

        fn sample(of: &Sample<'_>) -> Self {
            Greeting { name: of.name.into() }
        }
    }

    #[test]
    fn a_letter_comes_out_of_its_row_as_it_went_in() {
        let letter = Greeting { name: "Ada".into() };
        let kept = Draft::kept(Draft::of(&letter).unwrap().content).unwrap();
        assert_eq!((kept.kind.as_str(), kept.read::<Greeting>()), ("greeting", Some(letter)));
    }

    #[test]
    fn what_an_earlier_version_wrote_is_still_sent() {
        let kinds = LetterKinds::default();
        kinds.learn([LetterKind::of::<Greeting>()]);
        let kept = Draft::kept(r#"{"kind":"greeting","name":"Ada"}"#.into()).unwrap();
        let text = kinds.write(&kept, "Example Cloud").unwrap();
        assert_eq!((text.subject.as_str(), text.lines.join(" ").as_str()), ("Greetings from Example Cloud", "Hello Ada, All is well."));
    }

    #[test]
    fn a_letter_that_no_feature_has_is_a_fault_and_not_an_empty_mail() {
        let kept = Draft::kept(r#"{"kind":"greeting","name":"Ada"}"#.into()).unwrap();
        assert!(matches!(LetterKinds::default().write(&kept, "Example Cloud"), Err(crate::error::Error::Internal(_))));
    }
}
