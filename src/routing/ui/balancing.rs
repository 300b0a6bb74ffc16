//! How requests are spread over replicas.
use crate::{
    kit::{Card, Field, Form, FormOf, Look, Select, SubmitButton, load},
    rights::Action,
    routing::{
        fns::SaveBalancing,
        model::{ProbeKind, Protocol, Stickiness},
        ui::{Part, RoutingFrame, both, hidden},
    },
};
use leptos::prelude::*;

fn options(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(value, words)| (value.to_string(), words.to_string())).collect()
}

/// The part.
#[component]
pub fn RoutingBalancing() -> impl IntoView {
    load(both(), |(app, routing)| {
        let fields = hidden(&routing);
        let it = routing.rules.balancing;
        let sticky = options(&[
            (Stickiness::None.word(), "No: each request goes where there is least to do"),
            (Stickiness::Replica.word(), "To one replica"),
            (Stickiness::Release.word(), "To one release"),
        ]);
        let protocols = options(&[(Protocol::Http1.word(), "HTTP/1.1"), (Protocol::Http2.word(), "HTTP/2 without TLS (gRPC)")]);
        let probes = options(&[
            (ProbeKind::None.word(), "By the requests alone"),
            (ProbeKind::Tcp.word(), "Open a connection"),
            (ProbeKind::Http.word(), "Ask for a path"),
        ]);
        let interval = it.probe_interval_seconds.map(|seconds| seconds.to_string()).unwrap_or_default();
        view! {
            <RoutingFrame app=app part=Part::Balancing>
                <Card title="Balancing" text="How requests are spread over the replicas.">
                    <Form to=SaveBalancing::FORM hidden=fields>
                        <Select
                            name="sticky" label="Lead visitors back" options=sticky value=it.sticky.word()
                            hint="By a cookie. A replica that is gone is replaced by another one."
                        />
                        <div class="max-w-xs">
                            <Field
                                name="slow_start_seconds" label="Slow start" kind="number" unit="seconds" value=it.slow_start_seconds.to_string() optional=true
                                hint="So long a new replica gets less than its share."
                            />
                        </div>
                        <Select name="protocol" label="Replicas speak" options=protocols value=it.protocol.word() hint="WebSockets go to them as HTTP/1.1 all the same."/>
                        <Select
                            name="probe" label="Find out whether a replica answers" options=probes value=it.probe.word()
                            hint="One that fails twice is passed over until it answers again."
                        />
                        <div class="grid gap-4 sm:grid-cols-2">
                            <Field name="probe_path" label="Path" value=it.probe_path.unwrap_or_default() optional=true mono=true placeholder="/"/>
                            <Field name="probe_interval_seconds" label="Every" kind="number" unit="seconds" value=interval optional=true placeholder="5"/>
                        </div>
                        <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save balancing"</SubmitButton></div>
                    </Form>
                </Card>
            </RoutingFrame>
        }
    })
}
