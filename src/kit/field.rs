//! Fields: a label, a control, a hint, and the sentence that says what is wrong, tied together for screen readers. A field stands
//! in a [`Form`](super::Form) and finds its own value and error there.
use super::form::{Filled, filled};
use leptos::prelude::*;

const BOX: &str = "w-full rounded-control border bg-surface px-3 text-text shadow-control transition-colors duration-100 \
                   disabled:bg-sunken disabled:text-faint";

fn box_class(error: bool, mono: bool, more: &str) -> String {
    let edge = if error { "border-bad" } else { "border-edge hover:border-faint" };
    format!("{BOX} {edge} {} {more}", if mono { "font-mono" } else { "" })
}

/// What `aria-describedby` names: the hint, the error, both or nothing.
fn described(id: &str, hint: bool, error: bool) -> Option<String> {
    let ids: Vec<String> =
        [(hint, "hint"), (error, "error")].iter().filter(|(is, _)| *is).map(|(_, what)| format!("{id}-{what}")).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// The label above a control, and the hint and the error below it.
#[component]
fn Labelled(
    id: String,
    label: String,
    hint: String,
    error: Option<String>,
    #[prop(optional)] optional: bool,
    children: Children,
) -> impl IntoView {
    view! {
        <div class="flex min-w-0 flex-col gap-1.5">
            <label for=id.clone() class="font-medium">
                {label} {optional.then(|| view! { <span class="ml-1 font-normal text-faint">"optional"</span> })}
            </label>
            {children()}
            {error.map(|error| view! {
                <p id=format!("{id}-error") class="flex items-start gap-1.5 text-bad-text">
                    <span class="pt-0.5">{super::Icon::Blocked.view()}</span> {error}
                </p>
            })}
            {(!hint.is_empty()).then(|| view! { <p id=format!("{id}-hint") class="text-small text-muted">{hint.clone()}</p> })}
        </div>
    }
}

/// One line of text. `kind` is the input's type; a `number` is typed as text with digits on the phone, so that what is no number
/// comes back with a sentence; a `password` never comes back.
#[component]
pub fn Field(
    /// The name, as the server function spells it.
    name: &'static str,
    /// The words above it.
    #[prop(into)]
    label: String,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// One sentence below it.
    #[prop(optional, into)]
    hint: String,
    /// An example, in grey.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// The input's type.
    #[prop(default = "text")]
    kind: &'static str,
    /// What password managers and address books should put here.
    #[prop(optional, into)]
    autocomplete: Option<&'static str>,
    /// May stay empty.
    #[prop(optional)]
    optional: bool,
    /// Monospace: hosts, ids, commands.
    #[prop(optional)]
    mono: bool,
    /// A unit or a fixed ending, shown inside at the right.
    #[prop(optional, into)]
    unit: Option<String>,
    /// Where a person begins.
    #[prop(optional)]
    autofocus: bool,
    /// The id of a `<datalist>` with suggestions.
    #[prop(default = None)]
    list: Option<&'static str>,
) -> impl IntoView {
    let Filled { id, value, error, .. } = filled(name, value);
    let value = if kind == "password" { String::new() } else { value };
    let number = kind == "number";
    let described = described(&id, !hint.is_empty(), error.is_some());
    let invalid = error.is_some();
    let class = box_class(invalid, mono, if unit.is_some() { "h-8 rounded-r-none" } else { "h-8" });
    view! {
        <Labelled id=id.clone() label=label hint=hint error=error optional=optional>
            <div class="flex">
                <input
                    id=id name=name type=if number { "text" } else { kind } value=value class=class placeholder=placeholder
                    inputmode=number.then_some("numeric") autocomplete=autocomplete autofocus=autofocus list=list
                    required=!optional aria-invalid=invalid.then_some("true") aria-describedby=described data-control
                    autocapitalize=mono.then_some("off") spellcheck=mono.then_some("false")
                />
                {unit.map(|unit| view! {
                    <span class="flex items-center rounded-r-control border border-l-0 border-edge bg-sunken px-3 text-muted whitespace-nowrap">{unit}</span>
                })}
            </div>
        </Labelled>
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// The name, as the server function spells it.
    name: &'static str,
    /// The words above it.
    #[prop(into)]
    label: String,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    /// One sentence below it.
    #[prop(optional, into)]
    hint: String,
    /// An example, in grey.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// May stay empty.
    #[prop(optional)]
    optional: bool,
    /// Monospace: environments, commands.
    #[prop(optional)]
    mono: bool,
    /// How many lines are seen at once.
    #[prop(default = 6)]
    rows: u32,
) -> impl IntoView {
    let Filled { id, value, error, .. } = filled(name, value);
    let described = described(&id, !hint.is_empty(), error.is_some());
    let invalid = error.is_some();
    view! {
        <Labelled id=id.clone() label=label hint=hint error=error optional=optional>
            <textarea
                id=id name=name rows=rows class=box_class(invalid, mono, "py-1.5") placeholder=placeholder
                aria-invalid=invalid.then_some("true") aria-describedby=described spellcheck=mono.then_some("false")
                // HTML drops the first line break after the tag; this one is given away.
            >{format!("\n{value}")}</textarea>
        </Labelled>
    }
}

/// One of several, folded.
#[component]
pub fn Select(
    /// The name, as the server function spells it.
    name: &'static str,
    /// The words above it.
    #[prop(into)]
    label: String,
    /// Value and words of each.
    options: Vec<(String, String)>,
    /// Which one is chosen at first.
    #[prop(optional, into)]
    value: String,
    /// One sentence below it.
    #[prop(optional, into)]
    hint: String,
) -> impl IntoView {
    let Filled { id, value, error, .. } = filled(name, value);
    let described = described(&id, !hint.is_empty(), error.is_some());
    let invalid = error.is_some();
    let options =
        options.into_iter().map(|(key, words)| view! { <option value=key.clone() selected=key == value>{words}</option> }).collect_view();
    view! {
        <Labelled id=id.clone() label=label hint=hint error=error>
            <div class="relative">
                <select
                    id=id name=name class=box_class(invalid, false, "h-8 appearance-none pr-8") aria-invalid=invalid.then_some("true")
                    aria-describedby=described data-control
                >
                    {options}
                </select>
                <span class="pointer-events-none absolute inset-y-0 right-2.5 flex items-center text-muted">{super::Icon::Updown.view()}</span>
            </div>
        </Labelled>
    }
}

/// Yes or no. Sends `true`, or nothing.
#[component]
pub fn Checkbox(
    /// The name, as the server function spells it.
    name: &'static str,
    /// The words beside it.
    #[prop(into)]
    label: String,
    /// Ticked at first.
    #[prop(optional)]
    checked: bool,
    /// One sentence below it.
    #[prop(optional, into)]
    hint: String,
) -> impl IntoView {
    let Filled { id, error, posted, .. } = filled(name, String::new());
    let checked = posted.map_or(checked, |p| p.value(name).is_some());
    let described = described(&id, !hint.is_empty(), error.is_some());
    view! {
        <div class="flex items-start gap-2">
            <input
                type="checkbox" id=id.clone() name=name value="true" checked=checked class="mt-0.5 size-4" aria-describedby=described
                aria-invalid=error.is_some().then_some("true")
            />
            <div class="flex flex-col gap-0.5">
                <label for=id.clone()>{label}</label>
                {error.map(|error| view! { <p id=format!("{id}-error") class="text-bad-text">{error}</p> })}
                {(!hint.is_empty()).then(|| view! { <p id=format!("{id}-hint") class="text-small text-muted">{hint.clone()}</p> })}
            </div>
        </div>
    }
}

/// One card of a [`Choices`].
pub struct Choice {
    /// What is sent.
    pub value: &'static str,
    /// Its name.
    pub title: &'static str,
    /// When to choose it, in one line.
    pub text: &'static str,
    /// Its picture.
    pub icon: super::Icon,
}

/// One of a few, unfolded as cards. Parts of the form that belong to one choice carry `data-shown-for` (see `style/main.css`).
#[component]
pub fn Choices(
    /// The name, as the server function spells it.
    name: &'static str,
    /// The words above the cards.
    #[prop(into)]
    label: String,
    /// The cards.
    options: Vec<Choice>,
    /// Which one is chosen at first.
    #[prop(into)]
    value: String,
) -> impl IntoView {
    let Filled { id, value, error, .. } = filled(name, value);
    let cards = options
        .into_iter()
        .map(|Choice { value: key, title, text, icon }| {
            view! {
                <label
                    for=format!("{id}-{key}")
                    class="flex cursor-pointer gap-3 rounded-card border border-edge bg-surface p-4 hover:bg-hover has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-accent-text"
                >
                    <input type="radio" class="mt-0.5 size-4 outline-none" id=format!("{id}-{key}") name=name value=key checked=key == value/>
                    <span class="flex min-w-0 flex-col gap-1">
                        <span class="flex items-center gap-2 font-medium">{title} <span class="text-muted">{icon.view()}</span></span>
                        <span class="text-small text-muted">{text}</span>
                    </span>
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="flex flex-col gap-1.5">
            <legend class="mb-1.5 font-medium">{label}</legend>
            <div id=id class="grid gap-3 sm:grid-cols-2">{cards}</div>
            {error.map(|error| view! { <p class="text-bad-text">{error}</p> })}
        </fieldset>
    }
}
