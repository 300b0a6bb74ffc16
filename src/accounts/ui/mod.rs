//! The doors: sign in, sign up, and the operator's one-time set-up; and the pages of one's own account.
mod account;
pub mod factors;
mod links;
mod passkey;
mod sessions;

pub use account::{AccountFrame, AccountTab, PasswordCard, ProfilePage, Security, VerifyBanner};
pub use factors::SecondFactors;
pub use links::{ForgotPassword, ResetPassword, VerifyEmail};
pub use sessions::SessionsPage;

use crate::{
    accounts::fns::{SetUp, SignIn, SignInWithCode, SignUp, is_setup_link, read_pending_sign_in},
    error::{Error, Thing},
    kit::{AuthShell, Field, Form, FormOf, SubmitButton, TextLink, load},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Sign in.
#[component]
pub fn SignIn() -> impl IntoView {
    let next = use_query_map().read_untracked().get("next").unwrap_or_default();
    view! {
        <AuthShell title="Sign in" below=|| view! { "New here? " <TextLink href="/sign-up">"Create an account"</TextLink> }>
            <factors::ProviderProblem/>
            <Form to=SignIn::FORM hidden=vec![("next", next.clone())]>
                <Field name="email" label="Email" kind="email" autocomplete="username" autofocus=true/>
                <Field name="password" label="Password" kind="password" autocomplete="current-password"/>
                <SubmitButton wide=true>"Sign in"</SubmitButton>
            </Form>
            <p class="text-center"><TextLink href="/forgot-password">"Forgot your password?"</TextLink></p>
            <factors::OtherWays next=next/>
        </AuthShell>
    }
}

/// The second half of a sign-in, where the account has a second factor.
#[component]
pub fn SecondFactor() -> impl IntoView {
    load(read_pending_sign_in(), |name| {
        view! {
            <AuthShell
                title="One more step" text=format!("Hello {name}. Your account asks for a second factor.")
                below=|| view! { <TextLink href="/sign-in">"Begin again"</TextLink> }
            >
                <Form to=SignInWithCode::FORM>
                    <Field name="code" label="Code" mono=true autocomplete="one-time-code" autofocus=true hint="From your authenticator app, or one of your recovery codes."/>
                    <SubmitButton wide=true>"Sign in"</SubmitButton>
                </Form>
                <factors::SecondPasskey/>
            </AuthShell>
        }
    })
}

/// Sign up.
#[component]
pub fn SignUp() -> impl IntoView {
    view! {
        <AuthShell
            title="Create your account" text="You get an organization of your own, and can invite others later."
            below=|| view! { "Already have an account? " <TextLink href="/sign-in">"Sign in"</TextLink> }
        >
            <Form to=SignUp::FORM>
                <NewPerson/>
                <SubmitButton wide=true>"Create account"</SubmitButton>
            </Form>
        </AuthShell>
    }
}

/// The first administrator, by the link that the panel printed when it first started.
#[component]
pub fn SetUp() -> impl IntoView {
    let token = use_params_map().read_untracked().get("token").unwrap_or_default();
    let good = is_setup_link(token.clone());
    let good = async move { if good.await? { Ok(()) } else { Err(Error::NotFound(Thing::LINK)) } };
    load(good, move |()| {
        view! {
            <AuthShell title="Set up this panel" text="You become its first administrator. This link works once.">
                <Form to=SetUp::FORM hidden=vec![("token", token)]>
                    <NewPerson/>
                    <SubmitButton wide=true>"Create account"</SubmitButton>
                </Form>
            </AuthShell>
        }
    })
}

#[component]
fn NewPerson() -> impl IntoView {
    view! {
        <Field name="name" label="Name" autocomplete="name" autofocus=true/>
        <Field name="email" label="Email" kind="email" autocomplete="username"/>
        <Field name="password" label="Password" kind="password" autocomplete="new-password" hint="At least 10 characters. A few words are better than signs."/>
    }
}
