//! What one request may take, and one visitor.
use crate::{
    kit::{Card, Field, Form, FormOf, Look, SubmitButton, load},
    rights::Action,
    routing::{
        fns::SaveLimits,
        ui::{Part, RoutingFrame, both, hidden},
    },
};
use leptos::prelude::*;

/// The part.
#[component]
pub fn RoutingLimits() -> impl IntoView {
    load(both(), |(app, routing)| {
        let fields = hidden(&routing);
        let limits = routing.rules.limits;
        let text = |it: Option<u32>| it.map(|it| it.to_string()).unwrap_or_default();
        let mib = limits.body_bytes.map(|bytes| bytes.div_ceil(1 << 20).to_string()).unwrap_or_default();
        let (rate, burst) = (text(limits.rate.map(|it| it.per_second)), text(limits.rate.map(|it| it.burst)));
        let (upload, answer) = (text(limits.body_timeout_seconds), text(limits.response_timeout_seconds));
        view! {
            <RoutingFrame app=app part=Part::Limits>
                <Card title="Limits" text="What goes beyond them is answered by the edge and does not reach a replica. Empty: as the platform has it.">
                    <Form to=SaveLimits::FORM hidden=fields>
                        <div class="max-w-xs">
                            <Field name="body_mib" label="Largest body" kind="number" unit="MiB" value=mib optional=true placeholder="no limit" hint="More is answered 413."/>
                        </div>
                        <div class="grid gap-4 sm:grid-cols-2">
                            <Field
                                name="rate_per_second" label="Requests of one visitor" kind="number" unit="per second" value=rate optional=true placeholder="no limit"
                                hint="By address. More are answered 429."
                            />
                            <Field name="rate_burst" label="At once" kind="number" unit="requests" value=burst optional=true placeholder="twice as many" hint="How many may come together."/>
                        </div>
                        <div class="grid gap-4 sm:grid-cols-2">
                            <Field
                                name="body_timeout_seconds" label="Silence of a visitor" kind="number" unit="seconds" value=upload optional=true placeholder="300"
                                hint="Within the body of a request. Longer is answered 408."
                            />
                            <Field
                                name="response_timeout_seconds" label="Silence of a replica" kind="number" unit="seconds" value=answer optional=true placeholder="3600"
                                hint="Before its answer. Longer is answered 504; event streams and WebSockets are let be."
                            />
                        </div>
                        <div><SubmitButton look=Look::Plain needs=Action::Configure>"Save limits"</SubmitButton></div>
                    </Form>
                </Card>
            </RoutingFrame>
        }
    })
}
