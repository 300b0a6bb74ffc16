//! Times as a person says them, with the exact one on hover; and lengths of time.
use super::Now;
use crate::units::{Timestamp, spoken};
use leptos::prelude::*;
use std::time::Duration;

/// `just now`, `5 min ago`, `3 h ago`, `yesterday`, `12 days ago`, or the date.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let past = now.since(at).as_secs();
    match past {
        0..10 => "just now".into(),
        10..60 => format!("{past} s ago"),
        60..3_600 => format!("{} min ago", past / 60),
        3_600..86_400 => format!("{} h ago", past / 3_600),
        86_400..172_800 => "yesterday".into(),
        172_800..2_592_000 => format!("{} days ago", past / 86_400),
        _ => at.plain().get(..10).unwrap_or_default().to_string(),
    }
}

/// A moment, relative to the request's.
#[component]
pub fn Time(
    /// When.
    at: Timestamp,
    /// From when it is counted; from [`Now`] where it is not said.
    #[prop(optional, into)]
    now: Option<Timestamp>,
) -> impl IntoView {
    let now = now.or_else(|| use_context::<Now>().map(|now| now.0));
    let words = now.map_or_else(|| at.plain(), |now| ago(at, now));
    view! { <time datetime=at.to_string() title=at.plain() class="whitespace-nowrap">{words}</time> }
}

/// A length of time.
#[component]
pub fn Took(
    /// How long.
    length: Duration,
) -> impl IntoView {
    view! { <span class="whitespace-nowrap tabular-nums">{spoken(length)}</span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let now = Timestamp(1_795_000_000_000);
        let told = |seconds| ago(now - Duration::from_secs(seconds), now);
        assert_eq!(told(0), "just now");
        assert_eq!(told(59), "59 s ago");
        assert_eq!(told(3_599), "59 min ago");
        assert_eq!(told(90_000), "yesterday");
        assert_eq!(told(86_400 * 40), "2026-10-09");
    }
}
