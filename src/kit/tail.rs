//! The end of a log that grows: lines come in, are shown a few times a second, and wait while the reader has paused. The view keeps
//! to the end until somebody scrolls up, and holds a bounded number of lines.
use super::{
    Button, Icon, Look,
    live::{Line, LineState},
    log::LogLine,
    side,
};
use leptos::prelude::*;
use std::time::Duration;

/// Lines that a page holds at most.
pub const MOST: usize = 2_000;
/// How long lines gather before they are shown.
const GATHER: Duration = Duration::from_millis(80);

/// Where new lines go.
#[derive(Clone, Copy)]
pub struct Tail {
    list: &'static str,
    waiting: StoredValue<Vec<LogLine>>,
    soon: StoredValue<bool>,
    count: RwSignal<usize>,
    paused: RwSignal<bool>,
    at_end: RwSignal<bool>,
}

impl Tail {
    /// The tail of the list with this id.
    pub fn of(list: &'static str) -> Self {
        let tail = Tail {
            list,
            waiting: StoredValue::default(),
            soon: StoredValue::new(false),
            count: RwSignal::new(0),
            paused: RwSignal::new(false),
            at_end: RwSignal::new(true),
        };
        Effect::new(move |_| {
            side::show_end(list);
            side::on_log_scroll(list, move |at_end| {
                if tail.at_end.get_untracked() != at_end {
                    tail.at_end.set(at_end);
                }
            });
        });
        tail
    }

    /// Takes a line.
    pub fn push(self, line: LogLine) {
        self.waiting.update_value(|all| {
            all.push(line);
            // What nobody will ever see need not be kept.
            if all.len() > 2 * MOST {
                all.drain(..MOST);
            }
        });
        if !self.soon.get_value() {
            self.soon.set_value(true);
            set_timeout(move || self.show(), GATHER);
        }
    }

    fn show(self) {
        self.soon.set_value(false);
        if self.paused.get_untracked() {
            self.count.set(self.waiting.with_value(Vec::len).min(MOST));
            return;
        }
        let lines = self.waiting.try_update_value(std::mem::take).unwrap_or_default();
        side::append_lines(self.list, &lines, MOST as u32);
    }

    fn turn(self) {
        self.paused.update(|paused| *paused = !*paused);
        self.count.set(0);
        self.show();
    }
}

/// Pause, resume, and the way back to the end.
#[component]
pub fn TailControls(
    /// The lines.
    tail: Tail,
    /// How their stream stands.
    line: ReadSignal<Line>,
) -> impl IntoView {
    let paused = move || tail.paused.get();
    let ended = move || line.get() == Line::Ended;
    view! {
        <LineState line=line/>
        <span class="text-small text-muted tabular-nums" hidden=move || !paused() || tail.count.get() == 0>
            {move || format!("{} new", tail.count.get())}
        </span>
        <span hidden=move || tail.at_end.get() || paused()>
            <Button small=true look=Look::Quiet on:click=move |_| side::show_end(tail.list)>"Jump to the end"</Button>
        </span>
        <span hidden=move || ended() || line.get() == Line::Waiting>
            <Button small=true on:click=move |_| tail.turn()>
                <Show when=paused fallback=|| view! { {Icon::Pause.view()} "Pause" }>{Icon::Play.view()} "Resume"</Show>
            </Button>
        </span>
    }
}
