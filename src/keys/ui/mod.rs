//! The page of one's keys: what there is, a form for another, and, once, the secret that was just made.
mod forms;
mod table;

use crate::{
    keys::{
        fns::{read_api_keys, read_new_api_key},
        model::{ApiKey, KeyPage},
    },
    kit::{Card, Copyable, EmptyState, Icon, Notice, Page, PageTitle, Pagination, Tabs, Tone, load},
};
use forms::{ChangeKey, NewKey};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use table::Keys;

/// Where the page is.
const HERE: &str = "/account/api-keys";

/// The keys of whoever looks, or of all members where she may see them.
#[component]
pub fn ApiKeys() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let all = query.get("all").is_some_and(|text| text == "true");
    let page = query.get("page").and_then(|text| text.parse().ok()).filter(|page| *page > 0).unwrap_or(1);
    let chosen = query.get("change").unwrap_or_default();
    let both = async move { Ok((read_api_keys(all, page).await?, read_new_api_key().await?)) };
    load(both, move |(found, new)| {
        let changed = found.keys.iter().find(|key| key.id.to_string() == chosen && key.user.id == found.me).cloned();
        let words = "Scripts and CI systems call the API with a key. It may do what you choose here, as far as you may yourself, in this organization only.";
        view! {
            <Page>
                <PageTitle title="API keys" below=move || view! { <p class="max-w-[70ch] text-muted">{words} " " <a class="underline underline-offset-4" href="/api/docs">"How the API works"</a></p> }/>
                {new.map(|(id, secret)| view! { <Secret id=id secret=secret/> })}
                <Everybodys found=found.clone()/>
                <div class="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_380px]">
                    <List found=found.clone()/>
                    {match changed {
                        Some(key) => view! { <ChangeKey key=key/> }.into_any(),
                        None => view! { <NewKey mine=found.mine/> }.into_any(),
                    }}
                </div>
            </Page>
        }
    })
}

/// The one look at a secret.
#[component]
fn Secret(id: String, secret: String) -> impl IntoView {
    view! {
        <Notice tone=Tone::Good>
            <div class="flex min-w-0 flex-col gap-2" data-secret-of=id>
                <p class="font-medium">"Copy the secret now: it can’t be shown again."</p>
                <Copyable text=secret/>
                <p class="text-small">"Keep it where scripts find secrets, and never in a repository. Whoever has it acts as you."</p>
            </div>
        </Notice>
    }
}

#[component]
fn Everybodys(found: KeyPage) -> impl IntoView {
    let current = if found.all { format!("{HERE}?all=true") } else { HERE.to_string() };
    found
        .may_see_all
        .then(|| view! { <Tabs tabs=vec![("Yours", HERE.to_string()), ("All members’", format!("{HERE}?all=true"))] current=current/> })
}

#[component]
fn List(found: KeyPage) -> impl IntoView {
    let KeyPage { keys, page, pages, me, all, .. } = found;
    if keys.is_empty() {
        return view! {
            <EmptyState icon=Icon::Lock title="No keys yet" text="Make one for each place that calls the API, with no more permissions than it needs.">
                ""
            </EmptyState>
        }
        .into_any();
    }
    let href = Callback::new(move |page: u64| format!("{HERE}?page={page}{}", if all { "&all=true" } else { "" }));
    let words = |keys: &[ApiKey]| if keys.len() == 1 { "1 key".to_string() } else { format!("{} keys", keys.len()) };
    view! {
        <div class="flex min-w-0 flex-col gap-6">
            <Card title="Keys" text=words(&keys) flush=true><Keys keys=keys me=me/></Card>
            <Pagination page=page pages=pages href=href/>
        </div>
    }
    .into_any()
}
