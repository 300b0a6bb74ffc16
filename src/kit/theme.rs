//! Light, dark, or the system's: chosen by a form, remembered in a cookie, set on `<html>` by the server. No script has a say, so
//! no page flashes in the wrong colours.
use super::{Form, FormOf, Icon, Theme};
use crate::error::Result;
use leptos::prelude::*;

/// Remembers how the pages should look in this browser.
#[server]
pub async fn set_theme(theme: String) -> Result<()> {
    use crate::{error::Error, kit::side};
    if ![Theme::System, Theme::Light, Theme::Dark].iter().any(|t| t.word() == theme) {
        return Err(Error::invalid("theme", "Choose light, dark or system."));
    }
    side::set_cookie(Theme::COOKIE, &theme);
    Ok(())
}

/// Three buttons, the chosen one pressed.
#[component]
pub fn ThemeSwitch() -> impl IntoView {
    let now = use_context::<Theme>().unwrap_or_default();
    let choice = move |theme: Theme, label: &'static str, icon: Icon| {
        view! {
            <button
                name="theme" value=theme.word() title=label aria-pressed=(theme == now).to_string()
                class="grid h-7 flex-1 place-items-center rounded-control text-muted hover:text-text aria-pressed:bg-raised aria-pressed:text-text aria-pressed:shadow-control"
            >
                {icon.view()}
                <span class="sr-only">{label}</span>
            </button>
        }
    };
    view! {
        <Form to=SetTheme::FORM class="flex gap-1 rounded-control bg-sunken p-1">
            {choice(Theme::System, "As the system", Icon::Monitor)} {choice(Theme::Light, "Light", Icon::Sun)}
            {choice(Theme::Dark, "Dark", Icon::Moon)}
        </Form>
    }
}
