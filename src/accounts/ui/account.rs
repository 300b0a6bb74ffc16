//! The pages of one's own account: the frame that they share, the profile, and what protects it.
use crate::{
    accounts::{
        fns::{CancelEmailChange, ChangeEmail, ChangeName, ChangePassword, ResendVerification, read_profile},
        model::Profile,
        ui::SecondFactors,
    },
    kit::{Badge, Card, Checkbox, Field, Form, FormOf, Look, Notice, Page, PageTitle, SubmitButton, Tabs, Tone, Unverified, load},
};
use leptos::prelude::*;

/// A page of the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountTab {
    Profile,
    Security,
    Sessions,
    ApiKeys,
}

impl AccountTab {
    const ALL: [(AccountTab, &str, &str); 4] = [
        (AccountTab::Profile, "Profile", "/account"),
        (AccountTab::Security, "Security", "/account/security"),
        (AccountTab::Sessions, "Sessions", "/account/sessions"),
        (AccountTab::ApiKeys, "API keys", "/account/api-keys"),
    ];
}

/// The frame around a page of the account.
#[component]
pub fn AccountFrame(
    /// Which page it is.
    tab: AccountTab,
    children: Children,
) -> impl IntoView {
    let (_, name, current) = AccountTab::ALL.into_iter().find(|(it, ..)| *it == tab).unwrap_or(AccountTab::ALL[0]);
    let tabs = AccountTab::ALL.into_iter().map(|(_, name, href)| (name, href.to_string())).collect();
    view! {
        <Page>
            <PageTitle title="Account" document=format!("{name} · Account")/>
            <Tabs tabs=tabs current=current/>
            {children()}
        </Page>
    }
}

/// Says that the address is not proven yet, above every page.
#[component]
pub fn VerifyBanner() -> impl IntoView {
    use_context::<Unverified>().map(|Unverified(email)| {
        view! {
            <div class="mx-auto w-full max-w-[1200px] px-4 pt-4 sm:px-6">
                <Notice tone=Tone::Warning>
                    <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
                        <span class="min-w-0 break-words">"Confirm your address: follow the link that was sent to " {email} "."</span>
                        <Form to=ResendVerification::FORM class="flex">
                            <SubmitButton look=Look::Plain small=true>"Send it again"</SubmitButton>
                        </Form>
                    </div>
                </Notice>
            </div>
        }
    })
}

/// The name and the address.
#[component]
pub fn ProfilePage() -> impl IntoView {
    load(read_profile(), |profile| {
        let name = profile.name.clone();
        view! {
            <AccountFrame tab=AccountTab::Profile>
                <div class="flex max-w-[720px] flex-col gap-6">
                    <Card title="Name">
                        <Form to=ChangeName::FORM>
                            <Field name="name" label="Name" value=name autocomplete="name" hint="Other members of your organizations see it."/>
                            <div><SubmitButton>"Save"</SubmitButton></div>
                        </Form>
                    </Card>
                    <Address profile=profile/>
                </div>
            </AccountFrame>
        }
    })
}

#[component]
fn Address(profile: Profile) -> impl IntoView {
    let (tone, word) = if profile.email_verified { (Tone::Good, "confirmed") } else { (Tone::Warning, "not confirmed") };
    let waits = profile.pending_email.map(|email| {
        view! {
            <Notice tone=Tone::Busy>
                <div class="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
                    <span class="min-w-0 break-words">"Waits to be confirmed: " {email} ". Follow the link that was sent there."</span>
                    <Form to=CancelEmailChange::FORM class="flex">
                        <SubmitButton look=Look::Plain small=true>"Keep the old one"</SubmitButton>
                    </Form>
                </div>
            </Notice>
        }
    });
    view! {
        <Card title="Email">
            <div class="flex flex-col gap-4">
                <p class="flex flex-wrap items-center gap-3"><span class="break-all">{profile.email}</span> <Badge tone=tone word=word/></p>
                {waits}
                <Form to=ChangeEmail::FORM>
                    <Field name="email" label="New address" kind="email" autocomplete="email" hint="We send a link there. Until you follow it nothing changes."/>
                    <Field name="password" label="Your password" kind="password" autocomplete="current-password"/>
                    <div><SubmitButton look=Look::Plain>"Change address"</SubmitButton></div>
                </Form>
            </div>
        </Card>
    }
}

/// What protects the account.
#[component]
pub fn Security() -> impl IntoView {
    view! {
        <AccountFrame tab=AccountTab::Security>
            <div class="flex max-w-[720px] flex-col gap-6"><SecondFactors/> <PasswordCard/></div>
        </AccountFrame>
    }
}

/// Changes the password.
#[component]
pub fn PasswordCard() -> impl IntoView {
    view! {
        <Card title="Password">
            <Form to=ChangePassword::FORM>
                <Field name="current_password" label="Current password" kind="password" autocomplete="current-password"/>
                <Field
                    name="new_password" label="New password" kind="password" autocomplete="new-password"
                    hint="At least 10 characters. A few words are better than signs."
                />
                <Checkbox name="sign_out_others" label="Sign out everywhere else" checked=true/>
                <div><SubmitButton>"Change password"</SubmitButton></div>
            </Form>
        </Card>
    }
}
