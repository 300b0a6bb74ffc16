//! The list of keys.
use crate::{
    id::UserId,
    keys::{fns::RevokeApiKey, model::ApiKey},
    kit::{Align, Ask, Cell, Column, FormOf, Icon, LinkButton, Look, Now, Row, Status, Table, Time, Tone},
    units::Timestamp,
};
use leptos::prelude::*;

/// Keys as rows.
#[component]
pub(super) fn Keys(keys: Vec<ApiKey>, me: UserId) -> impl IntoView {
    let rows = keys.into_iter().map(|key| view! { <KeyRow mine=key.user.id == me key=key/> }).collect_view();
    view! {
        <Table caption="API keys" bare=true columns=vec![Column::new("Key"), Column::new("May").wide(), Column::new("Used").wide(), Column::new("").end()]>
            {rows}
        </Table>
    }
}

#[component]
fn KeyRow(key: ApiKey, mine: bool) -> impl IntoView {
    let now = use_context::<Now>().map(|now| now.0);
    let id = key.id.to_string();
    let words = match mine {
        true => "Whatever uses this key is refused from now on. This can’t be undone.".to_string(),
        false => format!("Whatever uses this key of {} is refused from now on. This can’t be undone.", key.user.name),
    };
    let used = match key.last_used_at {
        Some(at) => view! { <Time at=at/> <div class="text-small text-muted">{key.last_used_from.clone()}</div> }.into_any(),
        None => view! { <span class="text-muted">"never"</span> }.into_any(),
    };
    view! {
        <Row>
            <Cell>
                <div class="flex min-w-0 flex-col gap-0.5">
                    <span class="font-medium break-words">{key.name.clone()}</span>
                    <code class="font-mono text-small text-muted">{key.hint.clone()}</code>
                    {(!mine).then(|| view! { <span class="text-small text-muted">{format!("of {}", key.user.name)}</span> })}
                    <End at=key.expires_at now=now/>
                    {key.old_secret_until.map(|at| view! { <span class="text-small text-muted">{format!("The old secret is taken until {}.", at.plain())}</span> })}
                </div>
            </Cell>
            <Cell wide=true><span class="text-small">{key.permissions.to_string()}</span></Cell>
            <Cell wide=true>{used}</Cell>
            <Cell align=Align::End>
                <div class="inline-flex flex-wrap justify-end gap-2">
                    {mine.then(|| view! { <LinkButton href=format!("?change={id}") small=true>"Change"</LinkButton> })}
                    <Ask
                        to=RevokeApiKey::FORM words="Revoke" icon=Icon::Cross text=words button="Revoke" look=Look::Danger small=true
                        hidden=vec![("id", id.clone())]
                    />
                </div>
            </Cell>
        </Row>
    }
}

/// When a key ends, in a way that tells what is over.
#[component]
fn End(at: Option<Timestamp>, now: Option<Timestamp>) -> impl IntoView {
    match (at, now) {
        (None, _) => view! { <span class="text-small text-muted">"No end"</span> }.into_any(),
        (Some(at), Some(now)) if at <= now => view! { <Status tone=Tone::Bad word="Expired"/> }.into_any(),
        (Some(at), _) => view! { <span class="text-small text-muted">{format!("Ends {}", at.plain())}</span> }.into_any(),
    }
}
