//! Times as a person says them, with the exact one on hover; and lengths of time.
use super::Now;
use crate::units::{Timestamp, spoken};
use leptos::prelude::*;
use std::time::Duration;

/// `just now`, `5 min ago`, `3 h ago`, `yesterday`, `12 days ago`, or the date; of what is to come `in 5 min`, `in 7 days`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let (past, ahead) = (now.since(at).as_secs(), at.since(now).as_secs());
    match ahead {
        0..10 => {}
        10..60 => return format!("in {ahead} s"),
        60..3_600 => return format!("in {} min", ahead / 60),
        3_600..172_800 => return format!("in {} h", ahead / 3_600),
        // A week from a moment ago is still a week to whoever reads it.
        172_800..2_592_000 => return format!("in {} days", (ahead + 3_600) / 86_400),
        _ => return at.plain().get(..10).unwrap_or_default().to_string(),
    }
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
        let ahead = |seconds| ago(now + Duration::from_secs(seconds), now);
        assert_eq!((ahead(5), ahead(61), ahead(90_000)), ("just now".to_string(), "in 1 min".to_string(), "in 25 h".to_string()));
        assert_eq!((ahead(7 * 86_400 - 20), ahead(86_400 * 40)), ("in 7 days".to_string(), "2026-12-28".to_string()));
    }
}
