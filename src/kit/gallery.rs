//! Everything in the kit on one page, for those who build it. In debug builds only.
use super::*;
use crate::units::{Bytes, Timestamp};
use leptos::prelude::*;
use std::time::Duration;

/// The page.
#[allow(clippy::too_many_lines, reason = "a list of everything in the kit")]
#[component]
pub fn Gallery() -> impl IntoView {
    let now = Timestamp(1_795_000_000_000);
    let tabs = [("Overview", ""), ("Deployments", "/d"), ("Logs", "/l"), ("Environment", "/e"), ("Settings", "/s")];
    let rows = [
        ("shop", Tone::Good, "Running", "main", "2 / 2"),
        ("shop-worker", Tone::Busy, "Deploying", "main", "0 / 3"),
        ("landing", Tone::Warning, "Degraded", "release/24", "1 / 2"),
        ("api", Tone::Bad, "Failed", "fix-cart", "0 / 1"),
        ("old-blog", Tone::Idle, "Stopped", "main", "0 / 0"),
    ];
    view! {
        <Page>
            <PageTitle
                title="shop" above=vec![("Applications".into(), "/applications".into())] status=|| view! { <Badge tone=Tone::Good word="Running"/> }
                below=|| view! { <TextLink href="http://shop.localhost" outside=true>"shop.localhost"</TextLink> }
                actions=|| view! {
                    <LinkButton href="#" look=Look::Quiet>{Icon::Logs.view()} "Logs"</LinkButton>
                    <LinkButton href="#">{Icon::Restart.view()} "Restart"</LinkButton>
                    <LinkButton href="#" look=Look::Primary>{Icon::Rocket.view()} "Deploy"</LinkButton>
                }
            />
            <Tabs tabs=tabs.map(|(n, h)| (n, format!("/kit{h}"))).to_vec() current="/kit"/>
            <Notice tone=Tone::Good>"Scaled to 3 replicas."</Notice>
            <Notice tone=Tone::Busy>"A deployment is running; this one waits for it."</Notice>
            <Notice tone=Tone::Warning>"One replica does not answer its health check."</Notice>
            <Notice tone=Tone::Bad>"The last deployment failed. The release before it goes on serving."</Notice>
            <Card title="Service">
                <KeyValue across=true>
                    <Fact name="Address"><Copyable text="shop.localhost".into()/></Fact>
                    <Fact name="Replicas">"2 of 2 running"</Fact>
                    <Fact name="Limits">{format!("0.5 CPU, {}", Bytes::mib(512))}</Fact>
                    <Fact name="Deployed"><Time at=now - Duration::from_secs(640) now=now/></Fact>
                </KeyValue>
            </Card>
            <Table
                caption="Applications"
                columns=vec![Column::new("Name"), Column::new("Status"), Column::new("Branch").wide(), Column::new("Replicas").end().wide(), Column::new("Deployed").end()]
            >
                {rows.into_iter().enumerate().map(|(i, (name, tone, word, branch, replicas))| view! {
                    <Row>
                        <NameCell href="#" name=name below=move || format!("{name}.localhost")/>
                        <Cell><Status tone=tone word=word/></Cell>
                        <Cell wide=true><span class="inline-flex items-center gap-1.5 align-middle font-mono text-small text-muted">{Icon::Branch.view()} {branch}</span></Cell>
                        <Cell wide=true align=Align::End>{replicas}</Cell>
                        <Cell align=Align::End><span class="text-muted"><Time at=now - Duration::from_secs(40 * 8u64.pow(i as u32)) now=now/></span></Cell>
                    </Row>
                }).collect_view()}
            </Table>
            <Pagination page=2 pages=7 href=|n: u64| format!("?page={n}")/>
            <div class="flex flex-wrap gap-2">
                <Badge tone=Tone::Good word="Running"/> <Badge tone=Tone::Busy word="Building"/> <Badge tone=Tone::Warning word="Degraded"/>
                <Badge tone=Tone::Bad word="Failed"/> <Badge tone=Tone::Idle word="Stopped"/> <Tag>"current"</Tag> <Tag>"owner"</Tag>
            </div>
            <Card title="Create" text="Where the code comes from.">
                <Form to=FormTarget::sample("gallery_create") class="flex max-w-[640px] flex-col gap-5">
                    <Choices
                        name="source" label="Source" value="git"
                        options=vec![
                            Choice { value: "git", title: "Git repository", text: "Built from its Dockerfile at each deployment.", icon: Icon::Branch },
                            Choice { value: "image", title: "Container image", text: "Pulled from a registry, run as it is.", icon: Icon::Image },
                        ]
                    />
                    <div data-shown-for="git"><Field name="repository" label="Repository" mono=true placeholder="https://example.com/you/shop.git" hint="http or https."/></div>
                    <div data-shown-for="image"><Field name="image" label="Image" mono=true placeholder="nginx:1.27"/></div>
                    <div class="grid gap-4 sm:grid-cols-2">
                        <Field name="name" label="Name" unit=".localhost"/> <Field name="port" label="Port" kind="number" value="8080"/>
                        <Select name="memory" label="Memory" value="512" options=[256, 512, 1024].map(|m| (m.to_string(), Bytes::mib(m).to_string())).to_vec()/>
                        <Field name="health" label="Health check path" optional=true mono=true placeholder="/healthz"/>
                    </div>
                    <TextArea name="environment" label="Environment" optional=true mono=true rows=4 placeholder="DATABASE_URL=postgres://…" hint="One NAME=value a line."/>
                    <Checkbox name="auto" label="Deploy on every push" hint="Asks the repository every minute."/>
                    <div class="flex gap-2"><SubmitButton>"Create application"</SubmitButton> <LinkButton href="#" look=Look::Quiet>"Cancel"</LinkButton></div>
                </Form>
            </Card>
            <Card title="Log" flush=true>
                <log::LogView label="Build log" id="gallery-log">
                    {[("", false, "\u{1b}[1mStep 1/4\u{1b}[0m : FROM node:22-alpine"), ("", false, "\u{1b}[32m ✓\u{1b}[0m 214 packages in 3.1 s"),
                      ("", false, "\u{1b}[33mwarning\u{1b}[0m punycode is deprecated"), ("web.1", true, "\u{1b}[31mError:\u{1b}[0m listen EADDRINUSE: address already in use :::8080 at Server.setupListenHandle [as _listen2] (node:net:1940:16)")]
                        .into_iter().enumerate().map(|(i, (from, is_error, text))| view! {
                            <log::LogRow line=log::LogLine { id: i.to_string(), time: format!("14:03:2{i}.114"), from: from.into(), is_error, text: text.into() }/>
                        }).collect_view()}
                </log::LogView>
            </Card>
            <SkeletonRows rows=2/>
            <EmptyState icon=Icon::Rocket title="No applications yet" text="Name a git repository or an image, and it answers on an address of its own a minute later.">
                <LinkButton href="#" look=Look::Primary>{Icon::Plus.view()} "New application"</LinkButton>
            </EmptyState>
            <DangerZone>
                <ConfirmByName to=FormTarget::sample("gallery_stop") name="shop" title="Stop" text="Its address answers 503 until it is started again." button="Stop"/>
                <ConfirmByName
                    to=FormTarget::sample("gallery_delete") name="shop" title="Delete this application"
                    text="Its containers, releases and variables go. Its usage stays on the bill. This can't be undone." button="Delete application"
                />
            </DangerZone>
        </Page>
    }
}
