//! The few words of shell that tests use, so that one suite runs against the fake and against real containers: `echo` (also to
//! `>&2`), `printf '%s\n' "$NAME"`, `sleep`, `exit`, `true`, `false`, `while true; do …; done`, `httpd -p PORT`, `tail /dev/zero` (eats all memory). Anything else is taken for a
//! server that runs until it is stopped.
use super::*;

/// One step of a program.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Say(Stream, String),
    /// Prints a variable of its environment.
    Print(String),
    Sleep(Duration),
    Exit(i64),
    OutOfMemory,
    /// Its image's health check fails and prints this.
    Unhealthy(String),
    /// Serves on these ports for ever; on its own port where none is told.
    Serve(Option<Vec<u16>>),
    Loop,
    Done,
}

/// What a task will do.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    pub next: usize,
}

/// How a program that ran to its end has ended.
pub(super) struct Outcome {
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
    pub output: Vec<(Stream, String)>,
    pub took: Duration,
}

impl Plan {
    /// The program that a command line is.
    pub fn of(command: &[String]) -> Plan {
        let text = match command {
            [shell, flag, script] if shell.ends_with("sh") && flag == "-c" => script.clone(),
            words => words.join(" "),
        };
        let mut steps: Vec<Step> = text.replace("&&", ";").split([';', '\n']).filter_map(step).collect();
        if !matches!(steps.last(), Some(Step::Serve(_) | Step::Exit(_))) {
            steps.push(Step::Exit(0));
        }
        Plan { steps, next: 0 }
    }

    /// Runs until it is stopped.
    pub fn forever() -> Plan {
        Plan { steps: vec![Step::Serve(None)], next: 0 }
    }

    /// The next step, loops followed.
    pub fn advance(&mut self) -> Step {
        loop {
            let step = self.steps.get(self.next).cloned().unwrap_or(Step::Exit(0));
            self.next += 1;
            match step {
                Step::Loop => {}
                // A loop that never sleeps must not hang the fake.
                Step::Done => {
                    let begin = self.steps[..self.next].iter().rposition(|s| *s == Step::Loop).map_or(0, |i| i + 1);
                    let idle = !self.steps[begin..self.next].iter().any(|s| matches!(s, Step::Sleep(_)));
                    self.next = begin;
                    if idle {
                        return Step::Sleep(Duration::from_millis(1));
                    }
                }
                other => return other,
            }
        }
    }

    /// Ports on which the program listens sooner or later; none where it did not say.
    pub fn ports(&self) -> Option<Vec<u16>> {
        self.steps.iter().find_map(|s| if let Step::Serve(ports) = s { ports.clone() } else { None })
    }

    /// Runs it at once, in the mind.
    pub fn run_out(mut self, limit: Duration) -> Outcome {
        let mut outcome = Outcome { exit_code: None, out_of_memory: false, output: vec![], took: Duration::ZERO };
        loop {
            match self.advance() {
                Step::Say(stream, text) => outcome.output.push((stream, text)),
                Step::Sleep(length) => outcome.took += length,
                Step::Exit(code) => outcome.exit_code = Some(code),
                // It has no environment to print.
                Step::Print(_) => {}
                Step::Unhealthy(_) => outcome.exit_code = Some(143),
                Step::OutOfMemory => (outcome.exit_code, outcome.out_of_memory) = (Some(137), true),
                _ => outcome.took = limit,
            }
            if outcome.took >= limit {
                outcome.took = limit;
                return outcome;
            }
            if outcome.exit_code.is_some() {
                return outcome;
            }
        }
    }
}

fn step(text: &str) -> Option<Step> {
    let text = text.trim();
    let text = text.strip_prefix("do ").unwrap_or(text).trim().trim_start_matches("exec ");
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(match words.as_slice() {
        [] | ["true" | ":" | "wait" | "set" | "cd" | "mkdir" | "trap", ..] => return None,
        ["while", ..] => Step::Loop,
        ["done", ..] => Step::Done,
        ["printf", r"'%s\n'", name] => Step::Print(name.trim_matches('"').trim_start_matches('$').to_string()),
        ["false"] => Step::Exit(1),
        ["exit"] => Step::Exit(0),
        ["exit", code] => Step::Exit(code.parse().unwrap_or(2)),
        ["sleep", length] => length.parse().map_or(Step::Serve(Some(vec![])), |s: f64| Step::Sleep(Duration::from_secs_f64(s.min(1e9)))),
        ["echo", ..] if text.contains("> ") => return None,
        ["echo", rest @ ..] => {
            let to_err = rest.last() == Some(&">&2");
            let words: Vec<&str> = rest.iter().filter(|w| **w != ">&2").copied().collect();
            let stream = if to_err { Stream::Err } else { Stream::Out };
            Step::Say(stream, words.join(" ").trim_matches(['"', '\'']).to_string())
        }
        _ if text.contains("/dev/zero") => Step::OutOfMemory,
        ["httpd", rest @ ..] => {
            let port = rest.iter().skip_while(|w| **w != "-p").nth(1).and_then(|p| p.parse().ok());
            Step::Serve(Some(vec![port.unwrap_or(80)]))
        }
        _ => Step::Serve(None),
    })
}
