//! How new releases come before visitors: a section of an application's settings.
use crate::{
    apps::ui::{Settings, app_param},
    deployments::{
        fns::{ChangeRollout, read_rollout},
        model::{Rollout, Strategy, TooLittle},
    },
    id::AppId,
    kit::{Card, Checkbox, Choice, Choices, Field, Form, FormOf, Icon, Select, SubmitButton, TextArea, load},
    rights::Action,
};
use leptos::prelude::*;

/// The settings of an application, with those of its deployments.
#[component]
pub fn SettingsPage() -> impl IntoView {
    view! { <Settings more=|| view! { <RolloutSettings/> }/> }
}

#[component]
fn RolloutSettings() -> impl IntoView {
    let both = async move {
        let id = app_param()?;
        Ok((read_rollout(id.clone()).await?, id))
    };
    load(both, |(rollout, id)| view! { <Change rollout=rollout id=id/> })
}

#[component]
fn Change(rollout: Rollout, id: AppId) -> impl IntoView {
    let Rollout { strategy, canary } = rollout;
    let points = f64::from(canary.error_margin_permille) / 10.0;
    let too_little = TooLittle::ALL.into_iter().map(|it| (it.name().to_string(), it.words().to_string())).collect();
    view! {
        <Form to=ChangeRollout::FORM hidden=vec![("id", id.to_string())]>
            <Card title="How new releases go online">
                <div class="flex flex-col gap-4">
                    <Choices
                        name="strategy" label="Strategy" value=strategy.name()
                        options=vec![
                            Choice { value: Strategy::BlueGreen.name(), title: Strategy::BlueGreen.word(), text: "All visitors switch once every new replica answers.", icon: Icon::Rocket },
                            Choice { value: Strategy::Canary.name(), title: Strategy::Canary.word(), text: "A growing share of the requests; taken back by itself where it does worse.", icon: Icon::Branch },
                        ]
                    />
                    <div class="flex flex-col gap-4" data-shown-for="canary">
                        <TextArea name="steps" label="Steps" value=canary.typed_steps() rows=4 mono=true hint="One a line: the share, and how long it holds at least. After the last one everybody gets the release."/>
                        <div class="grid items-start gap-4 sm:grid-cols-2">
                            <Field name="min_requests" label="Requests needed" kind="number" value=canary.min_requests.to_string() hint="By each of the two releases in a step, before they are compared."/>
                            <Field name="longest_minutes" label="Longest wait" kind="number" unit="min" value=(canary.longest_seconds / 60).to_string() hint="For enough requests, in each step."/>
                            <Field name="error_points" label="More failures allowed" unit="points" value=points.to_string() hint="Percentage points of 5xx beyond the release before."/>
                            <Field name="p95_factor" label="Slower allowed" kind="number" unit="%" value=canary.p95_factor_percent.to_string() hint="Its p95, in percent of the release before."/>
                            <Field name="p95_floor" label="Slower by less is fine" kind="number" unit="ms" value=canary.p95_floor_millis.to_string() hint="A p95 slower by less than this is never worse."/>
                            <Select name="too_little" label="Too few requests by then" options=too_little value=canary.too_little.name()/>
                        </div>
                        <Checkbox name="sticky" label="Visitors stay with the release that they met first" checked=canary.sticky hint="By a cookie. The steps are then shares of visitors, and not of requests."/>
                    </div>
                    <div class="flex flex-wrap items-center gap-3">
                        <SubmitButton needs=Action::Configure>"Save strategy"</SubmitButton>
                        <span class="text-small text-muted">"It holds from the next deployment on. Rollbacks and restarts always go to all visitors at once."</span>
                    </div>
                </div>
            </Card>
        </Form>
    }
}
