//! A page loads, then lays out. What can't be loaded stands in the page's place as an error with its status.
use super::ErrorPanel;
use crate::error::Result;
use leptos::prelude::*;

/// Loads something on the server and shows it, or the refusal. Browsers never run this: what it shows holds islands at most.
pub fn load<T, V>(what: impl Future<Output = Result<T>> + Send + 'static, show: impl FnOnce(T) -> V + Send + 'static) -> impl IntoView
where
    T: Send + 'static,
    V: IntoView + 'static,
{
    Suspend::new(async move {
        match what.await {
            Ok(loaded) => show(loaded).into_any(),
            Err(error) => view! { <ErrorPanel error=error/> }.into_any(),
        }
    })
}
