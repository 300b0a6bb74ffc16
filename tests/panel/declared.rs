//! What features declare: messages, kinds of events, letters and things. Each has a name of its own, and what is written in a feature's
//! sources is in the list that the panel reads: a constant that was left out of its list would never be shown or known.
use crate::support::forms::sources;
use skypanel::{error::Thing, features, kit::Flash, store::EventKind};
use std::collections::BTreeSet;
use syn::{Expr, ImplItem, Item, Lit, Type};

/// The names of all constants of a type, as the sources spell them: the first argument of its `new`.
fn written(of: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for item in sources() {
        match item {
            Item::Const(it) => found.extend(name(of, &it.ty, &it.expr)),
            Item::Impl(it) => found.extend(it.items.iter().filter_map(|item| match item {
                ImplItem::Const(it) => name(of, &it.ty, &it.expr),
                _ => None,
            })),
            _ => {}
        }
    }
    found
}

fn name(of: &str, kind: &Type, value: &Expr) -> Option<String> {
    let Type::Path(path) = kind else { return None };
    let (true, Expr::Call(call)) = (path.path.is_ident(of), value) else { return None };
    match call.args.first()? {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The names of a list, in which none may stand twice.
fn listed(what: &str, names: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        assert!(all.insert(name.clone()), "two {what} are called {name}");
    }
    all
}

fn is_snake(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_message_after_a_deed_has_a_code_of_its_own_and_can_be_said() {
    let codes = listed("messages", features::flashes().map(|flash| flash.code().to_string()));
    assert_eq!(codes, written("Flash"));
    assert!(codes.iter().all(|code| code.split('.').all(is_snake)), "{codes:?}");
    let sentences = listed("messages", features::flashes().map(|flash: Flash| flash.text().to_string()));
    assert!(sentences.iter().all(|text| text.starts_with(char::is_uppercase) && text.ends_with('.')), "{sentences:?}");
}

#[test]
fn every_event_is_declared_once_and_has_words_for_people() {
    let names = listed("events", features::events().map(|kind| kind.name().to_string()));
    assert_eq!(names, written("EventKind"));
    for name in &names {
        let parts: Vec<&str> = name.split('.').collect();
        assert!(parts.len() == 2 && parts.into_iter().all(is_snake), "{name}");
    }
    let words = listed("events", features::events().map(|kind: EventKind| kind.words().to_string()));
    assert!(words.iter().all(|words| words.starts_with(char::is_uppercase) && !words.ends_with('.')), "{words:?}");
}

#[test]
fn every_thing_that_can_be_missing_has_a_code_and_a_word_of_its_own() {
    let codes = listed("things", features::things().map(|thing: Thing| thing.code().to_string()));
    assert_eq!(codes, written("Thing"));
    assert!(codes.iter().all(|code| is_snake(&code.to_lowercase()) && *code == code.to_uppercase()), "{codes:?}");
    listed("things", features::things().map(|thing| thing.word().to_string()));
}

#[test]
fn every_letter_of_the_sources_can_be_sent() {
    let names = listed("letters", features::letters().map(|kind| kind.name().to_string()));
    assert!(names.iter().all(|name| is_snake(name)), "{names:?}");
    let letters = sources().into_iter().filter(|item| match item {
        Item::Impl(it) => it.trait_.as_ref().is_some_and(|(_, path, _)| path.is_ident("Letter")),
        _ => false,
    });
    assert_eq!(letters.count(), names.len(), "a letter is missing in its feature's LETTERS");
    listed("letters", features::letters().map(|kind| kind.word().to_string()));
}
