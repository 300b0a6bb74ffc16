//! Charts, drawn by the server as SVG: they read well without JavaScript, in the dark and on a phone. The drawing stretches to whatever
//! width there is, so its words stand beside it in HTML and do not stretch. What a point says is its `<title>`, which browsers show
//! where the pointer rests; for everybody else the page has the numbers as a table. Where nobody knows what happened there is a gap.
use crate::units::{Bytes, Timestamp};
use leptos::prelude::*;
use std::fmt::Write;

/// How high a drawing is, in its own measure. Its width is one for each point.
const HIGH: f64 = 100.0;
/// The classes of the lines behind and in front.
const GRID: &str = "stroke-line";
const MARK: &str = "stroke-accent-text";

/// What a chart counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Micros,
    Bytes,
}

impl Unit {
    /// A value for people.
    pub fn words(self, value: f64) -> String {
        match self {
            Unit::Count if value >= 1e6 => format!("{} M", short(value / 1e6)),
            Unit::Count if value >= 1e4 => format!("{} k", short(value / 1e3)),
            Unit::Count => short(value),
            Unit::Micros if value >= 1e6 => format!("{} s", short(value / 1e6)),
            Unit::Micros if value >= 1e3 => format!("{} ms", short(value / 1e3)),
            Unit::Micros => format!("{} µs", short(value)),
            Unit::Bytes => Bytes(value as u64).to_string(),
        }
    }

    /// The end of an axis that has room for a value: a number that people like.
    fn ceiling(self, most: f64) -> f64 {
        if self == Unit::Bytes {
            let unit = 1024_f64.powf((most.max(1.0).log2() / 10.0).floor());
            return unit * round_up((most / unit).max(1.0));
        }
        round_up(most.max(1.0))
    }
}

/// At most three digits.
fn short(value: f64) -> String {
    let places = if value >= 100.0 || value.fract() == 0.0 { 0 } else { 1 };
    format!("{value:.places$}")
}

/// The next of 1, 2, 5, 10, 20, …
fn round_up(value: f64) -> f64 {
    let base = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * base).find(|step| *step >= value * 0.999_999).unwrap_or(10.0 * base)
}

/// One measure in a chart.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: &'static str,
    /// Its colour: a `fill-…` class where things are stacked, else a `stroke-…` one.
    pub class: &'static str,
    /// One for each point; nothing where nobody knows.
    pub values: Vec<Option<f64>>,
}

/// How the series of a chart are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// On top of each other, as bars.
    Stacked,
    /// Over each other, as lines.
    Lines,
}

/// Something that happened at a moment.
#[derive(Debug, Clone)]
pub struct ChartMark {
    pub at: Timestamp,
    pub words: String,
}

/// What to draw.
#[derive(Debug, Clone)]
pub struct Plot {
    pub unit: Unit,
    pub shape: Shape,
    /// When each point begins.
    pub times: Vec<Timestamp>,
    /// The length of a point in seconds.
    pub step: i64,
    pub series: Vec<Series>,
    pub marks: Vec<ChartMark>,
}

/// Text in XML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A moment as an axis of this step says it.
pub fn moment(at: Timestamp, step: i64) -> String {
    let text = at.to_string();
    let (date, time) = (text.get(5..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    match step {
        86_400.. => text.get(..10).unwrap_or_default().to_string(),
        3_600.. => format!("{date} {time}"),
        _ => time.to_string(),
    }
}

impl Plot {
    /// The end of its axis.
    pub fn top(&self) -> f64 {
        let at = |n: usize| self.series.iter().filter_map(move |one| one.values.get(n).copied().flatten());
        let most = (0..self.times.len()).map(|n| match self.shape {
            Shape::Stacked => at(n).sum(),
            Shape::Lines => at(n).fold(0.0, f64::max),
        });
        self.unit.ceiling(most.fold(0.0, f64::max))
    }

    fn is_gap(&self, n: usize) -> bool {
        self.series.iter().all(|one| one.values.get(n).copied().flatten().is_none())
    }

    /// What a point says.
    fn words(&self, n: usize) -> String {
        let at = self.times.get(n).copied().unwrap_or_default().plain();
        if self.is_gap(n) {
            return format!("{at}: no numbers");
        }
        let said = self.series.iter().filter_map(|one| Some((one.name, one.values.get(n).copied().flatten()?)));
        let said: Vec<String> = said.map(|(name, value)| format!("{name} {}", self.unit.words(value))).collect();
        format!("{at}: {}", said.join(", "))
    }

    /// What stands between `<svg>` and `</svg>`.
    pub fn drawing(&self) -> String {
        let (wide, top) = (self.times.len(), self.top());
        let y = |value: f64| HIGH - value / top * HIGH;
        let mut svg = String::new();
        for part in [0.5, 1.0] {
            let _ = write!(svg, "<path class=\"{GRID}\" vector-effect=\"non-scaling-stroke\" d=\"M0 {:.1}H{wide}\"/>", HIGH * (1.0 - part));
        }
        match self.shape {
            Shape::Stacked => self.bars(&mut svg, y),
            Shape::Lines => self.lines(&mut svg, y),
        }
        for mark in &self.marks {
            let begin = self.times.first().copied().unwrap_or_default().millis();
            let x = (mark.at.millis() - begin) as f64 / (self.step * 1_000) as f64;
            if (0.0..=wide as f64).contains(&x) {
                let _ = write!(
                    svg,
                    "<path class=\"{MARK}\" stroke-width=\"1.5\" stroke-dasharray=\"3 3\" vector-effect=\"non-scaling-stroke\" \
                     d=\"M{x:.2} 0V{HIGH}\"><title>{}</title></path>",
                    escape(&mark.words)
                );
            }
        }
        for n in 0..wide {
            let class = if self.is_gap(n) { "fill-line opacity-40 hover:opacity-70" } else { "fill-text opacity-0 hover:opacity-10" };
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{n}\" width=\"1\" height=\"{HIGH}\"><title>{}</title></rect>",
                escape(&self.words(n))
            );
        }
        svg
    }

    fn bars(&self, svg: &mut String, y: impl Fn(f64) -> f64) {
        let mut feet = vec![0.0; self.times.len()];
        for one in &self.series {
            let mut path = String::new();
            for (n, foot) in feet.iter_mut().enumerate() {
                let value = one.values.get(n).copied().flatten().unwrap_or(0.0);
                if value > 0.0 {
                    let head = *foot + value;
                    let _ = write!(path, "M{n}.08 {:.2}H{n}.92V{:.2}H{n}.08z", y(*foot), y(head));
                    *foot = head;
                }
            }
            if !path.is_empty() {
                let _ = write!(svg, "<path class=\"{}\" d=\"{path}\"/>", one.class);
            }
        }
    }

    fn lines(&self, svg: &mut String, y: impl Fn(f64) -> f64) {
        for one in &self.series {
            let mut path = String::new();
            for (n, value) in one.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let is_first = n == 0 || one.values[n - 1].is_none();
                let is_last = one.values.get(n + 1).is_none_or(Option::is_none);
                let height = y(*value);
                let _ = match (is_first, is_last) {
                    // A point alone is a dash of a point's width, not nothing.
                    (true, true) => write!(path, "M{n} {height:.2}h1"),
                    (true, false) => write!(path, "M{n}.5 {height:.2}"),
                    (false, _) => write!(path, "L{n}.5 {height:.2}"),
                };
            }
            if !path.is_empty() {
                let _ = write!(
                    svg,
                    "<path class=\"{}\" fill=\"none\" stroke-width=\"1.5\" stroke-linejoin=\"round\" vector-effect=\"non-scaling-stroke\" \
                     d=\"{path}\"/>",
                    one.class
                );
            }
        }
    }
}

/// A chart with its axes and what its colours mean.
#[component]
pub fn Chart(
    /// What it shows: its heading and its name for screen readers.
    title: &'static str,
    /// What it says in a sentence, for screen readers.
    #[prop(into)]
    says: String,
    /// The id of the table that holds its numbers.
    #[prop(optional)]
    table: &'static str,
    /// What to draw.
    plot: Plot,
) -> impl IntoView {
    let id = title.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let (title_id, says_id) = (format!("chart-{id}"), format!("chart-{id}-says"));
    let names = format!("{title_id} {says_id}");
    let top = plot.top();
    let axis = [top, top / 2.0, 0.0].map(|value| view! { <span>{plot.unit.words(value)}</span> });
    let (first, last) = (plot.times.first().copied(), plot.times.last().copied());
    let end = |at: Option<Timestamp>| at.map(|at| moment(at, plot.step)).unwrap_or_default();
    let frame = format!("0 0 {} {HIGH}", plot.times.len().max(1));
    let legend = plot
        .series
        .iter()
        .map(|one| {
            let class = one.class;
            let sample = match plot.shape {
                Shape::Stacked => view! { <svg viewBox="0 0 10 10" class="size-2.5" aria-hidden="true"><rect class=class width="10" height="10" rx="2"></rect></svg> }.into_any(),
                Shape::Lines => view! { <svg viewBox="0 0 10 10" class="size-2.5" aria-hidden="true"><path class=class stroke-width="2.5" d="M0 5H10"></path></svg> }.into_any(),
            };
            view! { <li class="inline-flex items-center gap-1.5">{sample} {one.name}</li> }
        })
        .collect_view();
    let drawing = plot.drawing();
    view! {
        <figure class="flex min-w-0 flex-col gap-2 rounded-card border border-line bg-surface p-4 sm:p-5">
            <figcaption class="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
                <h2 id=title_id class="text-lead font-semibold">{title}</h2>
                <ul class="flex flex-wrap gap-x-3 gap-y-1 text-small text-muted">{legend}</ul>
            </figcaption>
            <p id=says_id class="sr-only">{says}</p>
            <div class="grid grid-cols-[auto_minmax(0,1fr)] gap-x-2 gap-y-1 text-small text-faint tabular-nums">
                <div class="flex h-40 flex-col justify-between text-right leading-none" aria-hidden="true">{axis}</div>
                <svg
                    role="img" aria-labelledby=names aria-details=table class="h-40 w-full overflow-visible border-b border-edge"
                    viewBox=frame preserveAspectRatio="none" inner_html=drawing
                ></svg>
                <span></span>
                <div class="flex justify-between" aria-hidden="true"><span>{end(first)}</span> <span>{end(last)}</span></div>
            </div>
        </figure>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(shape: Shape, values: Vec<Option<f64>>) -> Plot {
        let times = (0..values.len() as i64).map(|n| Timestamp(n * 60_000)).collect();
        let series = vec![Series { name: "Requests", class: "fill-good", values }];
        Plot { unit: Unit::Count, shape, times, step: 60, series, marks: Vec::new() }
    }

    #[test]
    fn axes_end_at_numbers_that_people_like() {
        for (most, end) in [(0.0, 1.0), (1.0, 1.0), (1.2, 2.0), (3.0, 5.0), (7.0, 10.0), (1_001.0, 2_000.0)] {
            assert_eq!(Unit::Count.ceiling(most), end, "{most}");
        }
        assert_eq!(Unit::Bytes.ceiling(3.0 * 1024.0), 5.0 * 1024.0);
        assert_eq!(Unit::Bytes.ceiling(1_000.0), 1_000.0);
        let words = [(Unit::Micros, 950.0), (Unit::Micros, 12_500.0), (Unit::Micros, 2e6), (Unit::Count, 12_500.0), (Unit::Count, 3.0)];
        assert_eq!(words.map(|(unit, value)| unit.words(value)), ["950 µs", "12.5 ms", "2 s", "12.5 k", "3"]);
    }

    #[test]
    fn a_gap_is_no_zero() {
        let svg = plot(Shape::Lines, vec![Some(0.0), Some(2.0), None, Some(1.0), None]).drawing();
        assert!(svg.contains("d=\"M0.5 100.00L1.5 0.00M3 50.00h1\""), "{svg}");
        assert_eq!(svg.matches("no numbers").count(), 2);
        let svg = plot(Shape::Stacked, vec![Some(0.0), None, Some(1.0)]).drawing();
        assert!(svg.contains("d=\"M2.08 100.00H2.92V0.00H2.08z\"") && svg.contains("00:00:00 UTC: Requests 0"), "{svg}");
    }

    #[test]
    fn marks_stand_where_they_belong_and_words_are_escaped() {
        let mut plot = plot(Shape::Lines, vec![Some(1.0); 4]);
        plot.marks = [(90_000, "<b>&\""), (-1, "early"), (900_000, "late")]
            .map(|(at, words)| ChartMark { at: Timestamp(at), words: words.into() })
            .into();
        let svg = plot.drawing();
        assert!(svg.contains("M1.50 0V100\"><title>&lt;b&gt;&amp;&quot;</title>"), "{svg}");
        assert!(!svg.contains("early") && !svg.contains("late"));
    }
}
