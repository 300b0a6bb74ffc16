//! Where the links in mails lead: to a proven address, or to a new password. Each is a page with a button, so that nothing happens when a
//! mail scanner follows a link.
use crate::{
    accounts::fns::{ForgotPassword, ResetPassword, VerifyEmail, is_reset_link, read_email_link},
    error::{Error, Thing},
    kit::{AuthShell, Field, Form, FormOf, SubmitButton, TextLink, load, side},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

fn token() -> String {
    use_params_map().read_untracked().get("token").unwrap_or_default()
}

/// Asks for a link to a new password.
#[component]
pub fn ForgotPassword() -> impl IntoView {
    view! {
        <AuthShell
            title="Forgot your password?" text="We mail you a link with which you choose a new one. It is good for an hour."
            below=|| view! { <TextLink href="/sign-in">"Back to sign in"</TextLink> }
        >
            <Form to=ForgotPassword::FORM>
                <Field name="email" label="Email" kind="email" autocomplete="username" autofocus=true/>
                <SubmitButton wide=true>"Send the link"</SubmitButton>
            </Form>
        </AuthShell>
    }
}

/// A link that is wrong, over or used: what it may be, and the way to a new one.
#[component]
fn DeadLink(text: &'static str, href: &'static str, words: &'static str) -> impl IntoView {
    side::set_status(Error::NotFound(Thing::LINK).status());
    view! {
        <AuthShell title="This link is not good" text=text>
            <p class="text-center"><TextLink href=href>{words}</TextLink></p>
        </AuthShell>
    }
}

/// Chooses a new password.
#[component]
pub fn ResetPassword() -> impl IntoView {
    let token = token();
    load(is_reset_link(token.clone()), move |good| {
        if !good {
            return view! {
                <DeadLink
                    text="It was used already, or it is more than an hour old, or it was cut short on its way. Your password is as it was."
                    href="/forgot-password" words="Get another link"
                />
            }
            .into_any();
        }
        view! {
            <AuthShell title="Choose a new password" text="You are signed out everywhere then, and sign in with the new one.">
                <Form to=ResetPassword::FORM hidden=vec![("token", token)]>
                    <Field
                        name="password" label="New password" kind="password" autocomplete="new-password" autofocus=true
                        hint="At least 10 characters. A few words are better than signs."
                    />
                    <SubmitButton wide=true>"Set the password"</SubmitButton>
                </Form>
            </AuthShell>
        }
        .into_any()
    })
}

/// Proves an address.
#[component]
pub fn VerifyEmail() -> impl IntoView {
    let token = token();
    let asked = read_email_link(token.clone());
    let found = async move {
        match asked.await {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    };
    load(found, move |link| {
        let Some(link) = link else {
            return view! {
                <DeadLink
                    text="It was used already, or it is too old, or it was cut short on its way. Nothing was changed."
                    href="/account" words="Go to your account"
                />
            }
            .into_any();
        };
        let text = if link.is_new { "It takes the place of the old address of your account." } else { "" };
        view! {
            <AuthShell title="Confirm your address" text=text>
                <p class="font-medium break-all">{link.email}</p>
                <Form to=VerifyEmail::FORM hidden=vec![("token", token)]>
                    <SubmitButton wide=true>"Yes, this is my address"</SubmitButton>
                </Form>
            </AuthShell>
        }
        .into_any()
    })
}
