//! Tables, for things that are compared. A column that a phone has no room for says `wide`; what it held stands small under the
//! name there.
use leptos::prelude::*;

/// Where a cell's content stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    #[default]
    Start,
    /// Numbers and actions.
    End,
}

/// A column's heading.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    align: Align,
    wide: bool,
}

impl Column {
    /// A column of words.
    pub const fn new(name: &'static str) -> Self {
        Column { name, align: Align::Start, wide: false }
    }

    /// Numbers stand right.
    pub const fn end(mut self) -> Self {
        self.align = Align::End;
        self
    }

    /// Left out where the screen is narrow.
    pub const fn wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

fn cell(align: Align, wide: bool) -> String {
    let align = if align == Align::End { "text-right max-md:pr-4" } else { "text-left" };
    format!("px-2 first:pl-4 last:pr-4 sm:px-4 sm:first:pl-5 sm:last:pr-5 {align} {}", if wide { "hidden md:table-cell" } else { "" })
}

/// A table; its children are [`Row`]s.
#[component]
pub fn Table(
    /// What the rows are, for screen readers.
    #[prop(into)]
    caption: String,
    /// The headings. One without a name is for actions.
    columns: Vec<Column>,
    /// Stands in a box already.
    #[prop(optional)]
    bare: bool,
    children: Children,
) -> impl IntoView {
    let frame = if bare { "overflow-x-auto" } else { "overflow-x-auto rounded-card border border-line bg-surface" };
    let heads = columns
        .into_iter()
        .map(|c| {
            let class = format!("h-9 text-small font-medium text-muted whitespace-nowrap {}", cell(c.align, c.wide));
            match c.name {
                "" => view! { <td class=class></td> }.into_any(),
                name => view! { <th scope="col" class=class>{name}</th> }.into_any(),
            }
        })
        .collect_view();
    view! {
        <div class=frame>
            <table class="w-full border-collapse">
                <caption class="sr-only">{caption}</caption>
                <thead class="border-b border-line bg-sunken"><tr>{heads}</tr></thead>
                <tbody class="divide-y divide-line">{children()}</tbody>
            </table>
        </div>
    }
}

/// One row; its children are [`Cell`]s, the first one a [`NameCell`] where the row leads somewhere.
#[component]
pub fn Row(children: Children) -> impl IntoView {
    view! { <tr class="relative hover:bg-hover has-[a[data-row]:focus-visible]:bg-hover">{children()}</tr> }
}

/// A cell.
#[component]
pub fn Cell(
    /// Where its content stands; as its column.
    #[prop(optional)]
    align: Align,
    /// Left out where the screen is narrow; as its column.
    #[prop(optional)]
    wide: bool,
    children: Children,
) -> impl IntoView {
    view! { <td class=format!("h-12 py-2 {}", cell(align, wide))>{children()}</td> }
}

/// The cell that names its row. The whole row is its link.
#[component]
pub fn NameCell(
    /// Where the row leads.
    #[prop(into)]
    href: String,
    /// Its name.
    #[prop(into)]
    name: String,
    /// Small, below the name.
    #[prop(optional, into)]
    below: leptos::children::ViewFnOnce,
) -> impl IntoView {
    view! {
        <td class=format!("h-12 py-2 {}", cell(Align::Start, false))>
            <a href=href data-row class="font-medium after:absolute after:inset-0">{name}</a>
            <div class="text-small text-muted">{below.run()}</div>
        </td>
    }
}

/// What can be done with a row: stands above the row's link, and on a phone only where the link leads.
#[component]
pub fn ActionsCell(children: Children) -> impl IntoView {
    view! { <td class=format!("h-12 py-2 {}", cell(Align::End, true))><div class="relative z-10 inline-flex justify-end gap-2">{children()}</div></td> }
}
