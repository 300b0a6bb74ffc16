//! The browser's side: streams, the clipboard, the page's own elements. Nothing here is ever torn down: without a client router
//! an island lives exactly as long as its page.
use super::super::{
    live::Heard,
    log::{self, LogLine},
};
use std::{cell::Cell, cell::RefCell, collections::HashMap, rc::Rc, time::Duration};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, EventSource, EventTarget, HtmlInputElement, MessageEvent};

/// What a fresh attempt waits after a refused stream; each further one waits twice as long, up to a minute.
const FIRST_WAIT: Duration = Duration::from_secs(3);
/// As near to the end of a log as counts as being there, in pixels.
const NEAR: i32 = 24;

type Hear = Box<dyn FnMut(Heard)>;

struct Stream {
    url: String,
    source: RefCell<Option<EventSource>>,
    last_id: RefCell<String>,
    wait: Cell<Duration>,
    hearers: RefCell<Vec<(&'static str, Hear)>>,
}

thread_local! {
    static STREAMS: RefCell<HashMap<String, Rc<Stream>>> = RefCell::default();
    /// A form was sent or a link followed: this page is on its way out.
    static LEAVING: Cell<bool> = const { Cell::new(false) };
}

impl Stream {
    fn tell(&self, heard: Heard) {
        self.hearers.borrow_mut().iter_mut().for_each(|(_, hear)| hear(heard.clone()));
    }

    fn tell_of(&self, kind: &str, heard: Heard) {
        self.hearers.borrow_mut().iter_mut().filter(|(of, _)| *of == kind).for_each(|(_, hear)| hear(heard.clone()));
    }

    fn hear(self: &Rc<Self>, source: &EventSource, kind: &'static str) {
        let stream = self.clone();
        on(source, kind, move |event| {
            let Some(message) = event.dyn_ref::<MessageEvent>() else { return };
            let id = message.last_event_id();
            stream.last_id.borrow_mut().clone_from(&id);
            stream.tell_of(kind, Heard::Event(id, message.data().as_string().unwrap_or_default()));
        });
    }
}

/// Listens to the events of one kind in a stream, until the server sends one of the kind `end`. All who name the same address share
/// one connection.
///
/// A connection that breaks is taken up again by the browser itself, with `Last-Event-ID`. One that the server refused (it
/// restarts, a proxy answers 502) the browser gives up; then this opens a new one and says `last_event_id=` in the query.
pub fn listen(url: String, kind: &'static str, hear: impl FnMut(Heard) + 'static) {
    if STREAMS.with_borrow(HashMap::is_empty) {
        on(&leptos::prelude::window(), "beforeunload", |_| LEAVING.set(true));
    }
    let known = STREAMS.with_borrow(|all| all.get(&url).cloned());
    if let Some(stream) = known {
        let is_new = stream.hearers.borrow().iter().all(|(of, _)| *of != kind);
        stream.hearers.borrow_mut().push((kind, Box::new(hear)));
        if let Some(source) = stream.source.borrow().as_ref().filter(|_| is_new) {
            stream.hear(source, kind);
        }
        return;
    }
    let hearers = RefCell::new(vec![(kind, Box::new(hear) as Hear)]);
    let stream =
        Rc::new(Stream { url: url.clone(), source: RefCell::default(), last_id: RefCell::default(), wait: Cell::new(FIRST_WAIT), hearers });
    STREAMS.with_borrow_mut(|all| all.insert(url, stream.clone()));
    connect(stream);
}

fn connect(stream: Rc<Stream>) {
    let last = String::from(js_sys::encode_uri_component(&stream.last_id.borrow()));
    let joint = if stream.url.contains('?') { '&' } else { '?' };
    let url = if last.is_empty() { stream.url.clone() } else { format!("{}{joint}last_event_id={last}", stream.url) };
    let Ok(source) = EventSource::new(&url) else { return };
    stream.source.replace(Some(source.clone()));
    let s = stream.clone();
    on(&source, "open", move |_| {
        s.wait.set(FIRST_WAIT);
        s.tell(Heard::Open);
    });
    let mut kinds: Vec<&'static str> = stream.hearers.borrow().iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.into_iter().for_each(|kind| stream.hear(&source, kind));
    let (s, it) = (stream.clone(), source.clone());
    on(&source, "end", move |_| {
        it.close();
        s.tell(Heard::Ended);
    });
    let it = source.clone();
    on(&source, "error", move |_| {
        stream.tell(Heard::Lost);
        if it.ready_state() == EventSource::CLOSED {
            let wait = stream.wait.get();
            stream.wait.set((wait * 2).min(Duration::from_secs(60)));
            let again = stream.clone();
            leptos::prelude::set_timeout(move || connect(again), wait);
        }
    });
}

fn on(target: &EventTarget, kind: &str, then: impl Fn(web_sys::Event) + 'static) {
    let then = Closure::<dyn Fn(web_sys::Event)>::new(then);
    // Fails only for a kind that is no string.
    let _ = target.add_event_listener_with_callback(kind, then.as_ref().unchecked_ref());
    then.forget();
}

fn element(id: &str) -> Option<Element> {
    leptos::prelude::document().get_element_by_id(id)
}

/// Whether this page may write to the clipboard (it may not over plain HTTP, except on this machine).
pub fn can_copy() -> bool {
    leptos::prelude::window().is_secure_context()
}

/// Puts a text into the clipboard.
pub fn copy(text: &str) {
    // The promise fails only where the person refuses; there is nothing to add to that.
    let _ = leptos::prelude::window().navigator().clipboard().write_text(text);
}

/// Hears what is typed or chosen in a field, by its id, and first what stands there.
pub fn on_input(id: &str, mut hear: impl FnMut(String) + 'static) {
    let Some(input) = element(id).and_then(|it| it.dyn_into::<HtmlInputElement>().ok()) else { return };
    hear(input.value());
    let (hear, of) = (RefCell::new(hear), input.clone());
    on(&input, "input", move |_| (hear.borrow_mut())(of.value()));
}

/// What stands in a field.
pub fn value(id: &str) -> String {
    element(id).and_then(|it| it.dyn_into::<HtmlInputElement>().ok()).map(|it| it.value()).unwrap_or_default()
}

/// Writes into a field where nothing stands yet, or what this wrote before.
pub fn propose(id: &str, text: &str) {
    let Some(input) = element(id).and_then(|it| it.dyn_into::<HtmlInputElement>().ok()) else { return };
    let proposed = input.get_attribute("data-proposed");
    if input.value().is_empty() || proposed.as_deref() == Some(&input.value()) {
        input.set_value(text);
        // Fails only for a name that is none.
        let _ = input.set_attribute("data-proposed", text);
    }
}

/// How long ago this page was asked for.
pub fn page_age() -> Duration {
    let millis = leptos::prelude::window().performance().map_or(0.0, |clock| clock.now());
    Duration::from_millis(millis as u64)
}

/// Calls back every second while the page lives.
pub fn every_second(then: impl Fn() + 'static) {
    leptos::prelude::set_interval(then, Duration::from_secs(1));
}

/// Loads the page again, unless somebody is just typing in it or has a menu open: then says so. A page that is being left is left
/// alone: loading it again would call back the form that was sent.
pub fn refresh() -> bool {
    if LEAVING.get() {
        return true;
    }
    let busy = leptos::prelude::document().query_selector("input:focus, textarea:focus, select:focus, :popover-open, main details[open]");
    let free = matches!(busy, Ok(None));
    if free {
        // Fails only where the document is not active.
        let _ = leptos::prelude::window().location().reload();
    }
    free
}

fn log_box(list: &str) -> Option<Element> {
    element(list)?.closest("[data-log]").ok().flatten()
}

fn at_end(of: &Element) -> bool {
    of.scroll_height() - of.scroll_top() - of.client_height() < NEAR
}

/// Shows the last line of a log.
pub fn show_end(list: &str) {
    if let Some(frame) = log_box(list) {
        frame.set_scroll_top(frame.scroll_height());
    }
}

/// Hears whether the last line of a log is in sight, whenever that changes by scrolling.
pub fn on_log_scroll(list: &str, hear: impl Fn(bool) + 'static) {
    let Some(frame) = log_box(list) else { return };
    let of = frame.clone();
    on(&frame, "scroll", move |_| hear(at_end(&of)));
}

/// Adds lines to a log, drops the oldest beyond `most`, and stays at the end where the reader was there.
pub fn append_lines(list: &str, lines: &[LogLine], most: u32) {
    let (Some(into), Some(frame)) = (element(list), log_box(list)) else { return };
    let follow = at_end(&frame);
    for line in lines {
        if let Some(row) = row(line) {
            // Appending fails only where a node would contain itself.
            let _ = into.append_child(&row);
        }
    }
    while into.child_element_count() > most {
        let Some(first) = into.first_element_child() else { break };
        first.remove();
    }
    if follow {
        frame.set_scroll_top(frame.scroll_height());
    }
}

fn row(line: &LogLine) -> Option<Element> {
    let row = span("li", log::row_class(line.is_error), None)?;
    for (class, text) in [(log::TIME, &line.time), (log::FROM, &line.from)] {
        if !text.is_empty() {
            let part = span("span", class, Some(text))?;
            row.append_child(&part).ok()?;
        }
    }
    let said = span("span", log::SAID, None)?;
    for stretch in log::stretches(&line.text) {
        let part = span("span", stretch.class, Some(&stretch.text))?;
        said.append_child(&part).ok()?;
    }
    row.append_child(&said).ok()?;
    Some(row)
}

fn span(tag: &str, class: &str, text: Option<&str>) -> Option<Element> {
    let made = leptos::prelude::document().create_element(tag).ok()?;
    made.set_class_name(class);
    if text.is_some() {
        made.set_text_content(text);
    }
    Some(made)
}

/// The answer's status: decided long ago when a browser asks.
pub fn set_status(_status: u16) {}

/// A cookie of the page's own: the server's business.
pub fn set_cookie(_name: &str, _value: &str) {}

/// A word for the next page: the server's business.
pub fn remember(_flash: super::super::Flash) {}
