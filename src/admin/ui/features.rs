//! How far features are rolled out.
use crate::{
    admin::{
        fns::{SetFlag, read_flags},
        model::FeatureFlag,
    },
    kit::{AdminTabs, Card, Field, Form, FormOf, Look, Page, PageTitle, SubmitButton, TextArea, load},
};
use leptos::prelude::*;

/// Every feature that is rolled out in stages.
#[component]
pub fn AdminFeatures() -> impl IntoView {
    load(read_flags(), |all| {
        view! {
            <Page>
                <PageTitle title="Features" above=vec![("Admin".into(), "/admin".into())]/>
                <AdminTabs current="/admin/features"/>
                {all.into_iter().map(|flag| view! { <Feature flag=flag/> }).collect_view()}
            </Page>
        }
    })
}

#[component]
fn Feature(flag: FeatureFlag) -> impl IntoView {
    let those = |is_on: bool| {
        let ids = flag.organizations.iter().filter(|it| it.is_on == is_on).map(|it| it.organization_id.to_string());
        ids.collect::<Vec<_>>().join("\n")
    };
    let (on, off) = (those(true), those(false));
    view! {
        <Card title=flag.name.clone() text=flag.description>
            <Form to=SetFlag::FORM hidden=vec![("name", flag.name)] class="flex max-w-xl flex-col gap-4">
                <Field
                    name="percent" label="Share of the organizations" kind="number" unit="%" value=flag.percent.to_string()
                    hint="Who has it keeps it when the share grows: the order is always the same."
                />
                <TextArea name="on" label="Always on for" value=on rows=2 mono=true optional=true hint="Ids of organizations, one a line."/>
                <TextArea name="off" label="Always off for" value=off rows=2 mono=true optional=true/>
                <div><SubmitButton look=Look::Plain>"Save"</SubmitButton></div>
            </Form>
        </Card>
    }
}
