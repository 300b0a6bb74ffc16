//! How every letter reads. What customers get stands in `tests/letters/`, as text and as HTML, so that a change of it is read over in
//! review; `SKYPANEL_WRITE_LETTERS=1` writes it anew.
use skypanel::{
    features::letters,
    mail::server::render::{Trace, render},
    outbox::{LetterKind, LetterKinds, LetterText, Sample},
    runtime::config::BrandConfig,
    units::Timestamp,
};
use std::{collections::BTreeSet, fs, path::Path};

fn written(kind: &LetterKind) -> LetterText {
    let kinds = LetterKinds::default();
    kinds.learn(letters());
    let sample = Sample { name: "Ada Lovelace", url: "https://panel.example.com", now: Timestamp(1_795_000_000_000) };
    kinds.write(&kind.sample(&sample).unwrap(), "Example Cloud").unwrap()
}

#[test]
fn every_letter_reads_as_somebody_read_it_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/letters");
    let brand = BrandConfig { name: "Example Cloud".into(), accent: Some("#ff8800".into()) };
    let mut files = BTreeSet::new();
    for kind in letters() {
        let said = render(&brand, written(&kind), Trace::default());
        for (ending, is) in [("txt", format!("Subject: {}\n\n{}", said.subject, said.text)), ("html", said.html)] {
            let file = format!("{}.{ending}", kind.name());
            if std::env::var_os("SKYPANEL_WRITE_LETTERS").is_some() {
                fs::write(folder.join(&file), &is).unwrap();
            }
            let should = fs::read_to_string(folder.join(&file)).unwrap_or_default();
            assert!(is == should, "tests/letters/{file} says otherwise; the letter is now:\n{is}");
            files.insert(file);
        }
    }
    let there: BTreeSet<String> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, files, "a file of a letter that is no longer there");
}

#[test]
fn every_line_begins_with_a_capital_letter_and_ends_as_a_sentence() {
    for kind in letters() {
        let letter = written(&kind);
        for line in letter.lines.iter().chain([&letter.note]) {
            assert!(line.starts_with(char::is_uppercase), "{}: {line}", kind.name());
            assert!(line.ends_with(['.', '!', '?', ',']), "{}: {line}", kind.name());
        }
    }
}

#[test]
fn a_letter_with_a_link_has_a_button_with_words() {
    for kind in letters() {
        let letter = written(&kind);
        assert_eq!(letter.link.is_some(), !letter.button.is_empty(), "{}", kind.name());
        assert!(!letter.subject.is_empty() && !kind.word().is_empty(), "{}", kind.name());
    }
}
