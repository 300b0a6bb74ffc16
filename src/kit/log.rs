//! Lines of a log: monospace, one number and one time each, the colours that programs print (ANSI) mapped onto ours.
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// One line as it travels: to the page, and through a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The stream's id of it: grows, never repeats.
    pub id: String,
    /// `14:03:22.114`, UTC; empty where nobody knows.
    #[serde(default)]
    pub time: String,
    /// The replica or the phase that said it; empty where there is one only.
    #[serde(default)]
    pub from: String,
    /// Said on standard error.
    #[serde(default)]
    pub is_error: bool,
    /// What it said, with ANSI colours in it.
    pub text: String,
}

/// A stretch of text in one colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// A class of ours; empty for the colour of text.
    pub class: &'static str,
    pub text: String,
}

/// Takes the ANSI sequences out of a line and keeps what they mean: eight colours onto our meanings, bold, faint. Everything else
/// that a terminal would obey (cursor, title) is dropped; a carriage return keeps only what was printed last.
pub fn stretches(line: &str) -> Vec<Stretch> {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.rsplit('\r').next().unwrap_or(line);
    let (mut found, mut class, mut text) = (Vec::new(), "", String::new());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                if let Some(next) = sequence(&mut rest) {
                    if !text.is_empty() && next != class {
                        found.push(Stretch { class, text: std::mem::take(&mut text) });
                    }
                    class = next;
                }
            }
            '\t' => text.push_str("    "),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    if !text.is_empty() {
        found.push(Stretch { class, text });
    }
    found
}

/// Reads what follows an escape; the class that it asks for, where it asks for a colour.
fn sequence(rest: &mut std::iter::Peekable<std::str::Chars>) -> Option<&'static str> {
    match rest.next()? {
        '[' => {
            let mut codes = String::new();
            for c in rest.by_ref() {
                if ('@'..='~').contains(&c) {
                    return (c == 'm').then(|| colour(&codes));
                }
                codes.push(c);
            }
            None
        }
        // A title or a link: until the bell, or until escape and backslash.
        ']' => {
            while let Some(c) = rest.next() {
                if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
            None
        }
        _ => None,
    }
}

fn colour(codes: &str) -> &'static str {
    // `38;5;n` and `38;2;r;g;b` name colours that we have no meaning for.
    if codes.starts_with("38") || codes.starts_with("48") {
        return "";
    }
    codes.split(';').fold("", |class, code| match code {
        "31" | "91" => "text-bad-text",
        "32" | "92" => "text-good-text",
        "33" | "93" => "text-warning-text",
        "34" | "94" | "36" | "96" => "text-accent-text",
        "35" | "95" => "text-busy-text",
        "2" | "90" => "text-faint",
        "1" if class.is_empty() => "font-semibold",
        "0" | "" | "39" => "",
        _ => class,
    })
}

/// A log's frame: its children are [`LogRow`]s, or come later. It scrolls by itself and is reached by the keyboard.
#[component]
pub fn LogView(
    /// What it is the log of, for screen readers.
    #[prop(into)]
    label: String,
    /// The list's id, under which an island finds it.
    id: &'static str,
    /// How tall at most, as CSS says it.
    #[prop(default = "60dvh")]
    height: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <div
            role="log" aria-label=label aria-live="off" tabindex="0" data-log=id
            class="overflow-auto overscroll-contain bg-sunken py-2 font-mono text-small" style:max-height=height
        >
            <ol id=id class="min-w-full w-max sm:w-auto">{children()}</ol>
        </div>
    }
}

/// One line.
#[component]
pub fn LogRow(
    /// The line.
    line: LogLine,
) -> impl IntoView {
    let said = stretches(&line.text).into_iter().map(|s| view! { <span class=s.class>{s.text}</span> }).collect_view();
    view! {
        <li data-line=line.id class=row_class(line.is_error)>
            {(!line.time.is_empty()).then(|| view! { <span class=TIME>{line.time}</span> })}
            {(!line.from.is_empty()).then(|| view! { <span class=FROM>{line.from}</span> })}
            <span class=SAID>{said}</span>
        </li>
    }
}

/// The classes of a line's parts, for islands that make lines by hand.
pub const TIME: &str = "mr-3 shrink-0 text-faint select-none";
pub const FROM: &str = "mr-3 w-19 shrink-0 truncate text-muted select-none";
pub const SAID: &str = "min-w-0 whitespace-pre sm:whitespace-pre-wrap sm:break-words";

/// The class of a line.
pub fn row_class(is_error: bool) -> &'static str {
    if is_error {
        "flex border-l-2 border-bad px-4 leading-5 hover:bg-press"
    } else {
        "flex border-l-2 border-transparent px-4 leading-5 hover:bg-press"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_meanings_and_the_rest_of_the_terminal_is_dropped() {
        let got = stretches("\u{1b}[32mok\u{1b}[0m in 3 ms\u{1b}[2K\u{1b}]0;title\u{7}!");
        assert_eq!(got, [Stretch { class: "text-good-text", text: "ok".into() }, Stretch { class: "", text: " in 3 ms!".into() }]);
    }

    #[test]
    fn a_progress_bar_keeps_its_last_state() {
        assert_eq!(stretches("10 %\r50 %\r100 %\r\n"), [Stretch { class: "", text: "100 %".into() }]);
    }

    #[test]
    fn a_sequence_that_breaks_off_breaks_nothing() {
        assert_eq!(stretches("a\u{1b}[3"), [Stretch { class: "", text: "a".into() }]);
        assert!(stretches("\u{1b}").is_empty());
    }
}
