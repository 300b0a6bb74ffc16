//! BuildKit's progress, read: which step is at what, and what it says. A box may lie in every line of it, so everything is bounded: the
//! steps, their names, a line, and all lines together.
use super::{
    masks::Masks,
    proto::{fields, has, number, text},
};
use crate::seam::{BuildEvent, StepState, Stream};
use std::collections::{HashMap, VecDeque};

/// Steps of a build; what comes beyond has no number of its own.
const STEPS: usize = 500;
const NAME: usize = 1000;
/// A line that is longer is cut into several.
const LINE: usize = 64 << 10;

/// Reads progress into events.
#[derive(Debug)]
pub struct Trace {
    masks: Masks,
    /// Steps by BuildKit's digest of them: their number and state.
    steps: HashMap<String, (u32, StepState)>,
    /// Lines that have no end yet, by step and stream.
    open: HashMap<(u32, Stream), String>,
    bound: Bound,
    /// The last step that failed, with what BuildKit said of it.
    pub failed: Option<(u32, String)>,
}

impl Trace {
    /// Lines beyond `most` bytes are kept only at the end.
    pub fn new(masks: Masks, most: u64) -> Trace {
        Trace { masks, steps: HashMap::new(), open: HashMap::new(), bound: Bound::new(most), failed: None }
    }

    /// The name of a step is a part of the Dockerfile, in which arguments are filled in: it is masked as lines are.
    pub fn read(&mut self, message: &[u8]) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        for field in fields(message).unwrap_or_default() {
            let Some(of) = fields(field.bytes) else { continue };
            match field.number {
                1 => {
                    let state = match (has(&of, 7) && !text(&of, 7).is_empty(), number(&of, 4) == 1, has(&of, 6), has(&of, 5)) {
                        (true, ..) => StepState::Failed,
                        (_, true, ..) => StepState::Cached,
                        (_, _, true, _) => StepState::Done,
                        (_, _, _, true) => StepState::Began,
                        _ => continue,
                    };
                    self.step(&text(&of, 1), &text(&of, 3), state, &text(&of, 7), &mut events);
                }
                3 => {
                    let step = self.steps.get(&text(&of, 1)).map_or(0, |known| known.0);
                    let stream = if number(&of, 3) == 2 { Stream::Err } else { Stream::Out };
                    self.said(step, stream, &text(&of, 4), &mut events);
                }
                _ => {}
            }
        }
        events
    }

    fn step(&mut self, digest: &str, name: &str, state: StepState, error: &str, events: &mut Vec<BuildEvent>) {
        let next = self.steps.len() as u32 + 1;
        let (n, before) = match self.steps.get(digest) {
            Some((n, before)) => (*n, Some(*before)),
            None if self.steps.len() < STEPS => (next, None),
            None => return,
        };
        if before == Some(state) || (before.is_some_and(StepState::is_over) && !state.is_over()) {
            return;
        }
        self.steps.insert(digest.chars().take(100).collect(), (n, state));
        if state.is_over() {
            self.flush(n, events);
        }
        if state == StepState::Failed {
            self.failed = Some((n, self.masks.clean(&cut(error, 4 * NAME))));
        }
        events.push(BuildEvent::Step { n, name: self.masks.clean(&cut(name, NAME)), state });
    }

    fn said(&mut self, step: u32, stream: Stream, more: &str, events: &mut Vec<BuildEvent>) {
        let mut line = self.open.remove(&(step, stream)).unwrap_or_default();
        for piece in more.split_inclusive('\n') {
            line.push_str(piece);
            if line.ends_with('\n') {
                let whole = std::mem::take(&mut line);
                self.line(step, stream, whole.trim_end_matches(['\n', '\r']), events);
            }
        }
        while line.len() > LINE + self.masks.carry() {
            // Masked first, then cut; what is held back may be the beginning of a secret.
            let clean = self.masks.clean(&line);
            if clean.len() <= LINE + self.masks.carry() {
                line = clean;
                break;
            }
            let at = (0..=LINE).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
            let (head, rest) = clean.split_at(at);
            self.line(step, stream, head, events);
            line = rest.to_string();
        }
        if !line.is_empty() && self.open.len() < 2 * STEPS {
            self.open.insert((step, stream), line);
        }
    }

    fn line(&mut self, step: u32, stream: Stream, text: &str, events: &mut Vec<BuildEvent>) {
        self.bound.take(BuildEvent::Line { step, stream, text: self.masks.clean(text) }, text.len() as u64 + 1, events);
    }

    fn flush(&mut self, step: u32, events: &mut Vec<BuildEvent>) {
        for stream in [Stream::Out, Stream::Err] {
            if let Some(rest) = self.open.remove(&(step, stream)) {
                self.line(step, stream, &rest, events);
            }
        }
    }

    /// What is still open, and the end of a log that was too long.
    pub fn finish(&mut self) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        let mut open: Vec<u32> = self.open.keys().map(|key| key.0).collect();
        open.sort_unstable();
        for step in open {
            self.flush(step, &mut events);
        }
        self.bound.finish(&mut events);
        events
    }

    /// The last lines of a step, for the sentence.
    pub fn last_lines(&self) -> String {
        self.bound.last.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}

/// Keeps the head of a log as it comes and the tail at its end; between them it says how much was left out.
#[derive(Debug)]
struct Bound {
    left: u64,
    most_tail: u64,
    tail: VecDeque<(BuildEvent, u64)>,
    tail_bytes: u64,
    dropped: u64,
    last: VecDeque<String>,
}

impl Bound {
    fn new(most: u64) -> Bound {
        let most_tail = most / 4 * 3;
        Bound { left: most - most_tail, most_tail, tail: VecDeque::new(), tail_bytes: 0, dropped: 0, last: VecDeque::new() }
    }

    fn take(&mut self, line: BuildEvent, bytes: u64, events: &mut Vec<BuildEvent>) {
        if let BuildEvent::Line { text, .. } = &line {
            self.last.push_back(cut(text, 500));
            if self.last.len() > 5 {
                self.last.pop_front();
            }
        }
        if bytes <= self.left {
            self.left -= bytes;
            events.push(line);
            return;
        }
        self.left = 0;
        self.tail_bytes += bytes;
        self.tail.push_back((line, bytes));
        while self.tail_bytes > self.most_tail {
            let Some((_, bytes)) = self.tail.pop_front() else { break };
            self.tail_bytes -= bytes;
            self.dropped += bytes;
        }
    }

    fn finish(&mut self, events: &mut Vec<BuildEvent>) {
        if self.dropped > 0 {
            events.push(BuildEvent::Clipped { bytes: self.dropped });
            self.dropped = 0;
        }
        events.extend(self.tail.drain(..).map(|(line, _)| line));
        self.tail_bytes = 0;
    }
}

/// The first bytes of a text, whole characters only.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_string();
    }
    let at = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", text.get(..at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::super::proto::put;
    use super::*;
    use proptest::prelude::*;

    fn vertex(digest: &str, name: &str, more: &[(u8, &[u8])]) -> Vec<u8> {
        let mut of = Vec::new();
        put(&mut of, 1, digest.as_bytes());
        put(&mut of, 3, name.as_bytes());
        for (number, bytes) in more {
            put(&mut of, *number, bytes);
        }
        let mut message = Vec::new();
        put(&mut message, 1, &of);
        message
    }

    fn log(digest: &str, said: &str) -> Vec<u8> {
        let mut of = Vec::new();
        put(&mut of, 1, digest.as_bytes());
        put(&mut of, 4, said.as_bytes());
        let mut message = Vec::new();
        put(&mut message, 3, &of);
        message
    }

    fn lines(events: &[BuildEvent]) -> Vec<String> {
        events.iter().filter_map(|e| if let BuildEvent::Line { text, .. } = e { Some(text.clone()) } else { None }).collect()
    }

    #[test]
    fn steps_and_lines_come_in_order_masked_and_whole() {
        let mut trace = Trace::new(Masks::of(["s3cr3t-value"]), 1 << 20);
        let began = trace.read(&vertex("d1", "RUN echo s3cr3t-value", &[(5, b"")]));
        assert!(matches!(&began[..], [BuildEvent::Step { n: 1, name, state: StepState::Began }] if name == "RUN echo ***"));
        assert!(trace.read(&vertex("d1", "RUN …", &[(5, b"")])).is_empty(), "nothing new");
        assert!(lines(&trace.read(&log("d1", "half of s3cr3t-"))).is_empty());
        assert_eq!(lines(&trace.read(&log("d1", "value\nnext\nlast"))), ["half of ***", "next"]);
        let done = trace.read(&vertex("d1", "RUN …", &[(5, b""), (6, b""), (7, b"exit code: 3")]));
        assert_eq!(lines(&done), ["last"]);
        assert!(matches!(done.last(), Some(BuildEvent::Step { state: StepState::Failed, .. })));
        assert_eq!(trace.failed, Some((1, "exit code: 3".into())));
        assert_eq!(trace.last_lines(), "half of ***\nnext\nlast");
    }

    #[test]
    fn endless_output_keeps_its_head_and_its_tail_and_says_so() {
        let mut trace = Trace::new(Masks::default(), 4000);
        let mut events = Vec::new();
        for n in 0..10_000 {
            events.extend(trace.read(&log("d", &format!("line {n}\n"))));
        }
        events.extend(trace.finish());
        let kept = lines(&events);
        assert!(kept[0] == "line 0" && kept.last().unwrap() == "line 9999");
        assert!(kept.iter().map(|line| line.len() + 1).sum::<usize>() <= 4000);
        assert_eq!(events.iter().filter(|e| matches!(e, BuildEvent::Clipped { bytes } if *bytes > 90_000)).count(), 1);
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_hides_no_secret() {
        let mut trace = Trace::new(Masks::of(["s3cr3t-value"]), 10 << 20);
        let mut all = String::new();
        for _ in 0..3 {
            all.push_str(&"x".repeat(LINE - 5));
            all.push_str("s3cr3t-value");
        }
        let mut events = Vec::new();
        for piece in all.as_bytes().chunks(1000) {
            events.extend(trace.read(&log("d", std::str::from_utf8(piece).unwrap())));
        }
        events.extend(trace.finish());
        assert!(lines(&events).len() > 2 && lines(&events).iter().all(|line| line.len() <= 2 * LINE));
        assert!(!lines(&events).concat().contains("s3cr3t"));
    }

    proptest! {
        #[test]
        fn a_box_that_lies_is_bounded(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..30)) {
            let mut trace = Trace::new(Masks::default(), 1000);
            for message in messages {
                trace.read(&message);
            }
            prop_assert!(trace.finish().len() < 5000);
        }
    }
}
