//! Where the link of an invitation leads: to a form that joins, or to a page that says why not. For people with and without an
//! account; every end has its own words.
use crate::{
    error::{Error, Thing},
    kit::{AuthShell, Fact, Field, Form, FormOf, Icon, KeyValue, LinkButton, Look, Notice, SubmitButton, TextLink, Time, Tone, load, side},
    orgs::{
        fns::invitations::{AcceptInvitation, DeclineInvitation, JoinByInvitation, SignOutForInvitation, look_at_invitation},
        model::{InvitationLook, InvitationStatus, Reader, Welcome},
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// The page.
#[component]
pub fn Join() -> impl IntoView {
    let token = use_params_map().read_untracked().get("token").unwrap_or_default();
    let look = look_at_invitation(token.clone());
    load(look, move |look| {
        match look {
        InvitationLook::Open(welcome, reader) => view! { <Open welcome=welcome reader=reader token=token/> }.into_any(),
        InvitationLook::Ended(organization, how) => view! { <Ended organization=organization how=how/> }.into_any(),
        InvitationLook::Member(organization) => view! {
            <AuthShell title="You are in already" text=format!("This address is a member of {organization}. There is nothing left to accept.")>
                <LinkButton href="/organizations" look=Look::Primary>"Go to your organizations"</LinkButton>
            </AuthShell>
        }
        .into_any(),
        InvitationLook::Unknown => {
            side::set_status(Error::NotFound(Thing::LINK).status());
            view! {
                <AuthShell
                    title="Unknown invitation"
                    text="This link leads to no invitation. It may have been cut off, or a newer mail has taken its place: use the link in the newest one."
                >
                    <LinkButton href="/sign-in">"Sign in"</LinkButton>
                </AuthShell>
            }
            .into_any()
        }
    }
    })
}

/// How each end is told: the heading and the sentence.
fn words(organization: &str, how: InvitationStatus) -> (&'static str, String) {
    match how {
        InvitationStatus::Expired => {
            ("This invitation has expired", format!("Its time is over. Ask whoever invited you to {organization} to send it again."))
        }
        InvitationStatus::Revoked => (
            "This invitation was taken back",
            format!("{organization} no longer waits for you. Ask whoever invited you if that is a mistake."),
        ),
        InvitationStatus::Accepted => {
            ("This invitation was used", format!("Somebody joined {organization} with it. Each invitation works once; sign in to go on."))
        }
        InvitationStatus::Declined => {
            ("This invitation was declined", format!("You are not in {organization}. If that was a mistake, ask to be invited again."))
        }
        InvitationStatus::Pending => ("This invitation is open", format!("It leads to {organization}.")),
    }
}

#[component]
fn Ended(organization: String, how: InvitationStatus) -> impl IntoView {
    // What was there and is no more.
    side::set_status(410);
    let (title, text) = words(&organization, how);
    view! {
        <AuthShell title=title text=text>
            <LinkButton href="/applications" look=Look::Primary>"Go on"</LinkButton>
        </AuthShell>
    }
}

#[component]
fn Open(welcome: Welcome, reader: Reader, token: String) -> impl IntoView {
    let hidden = || vec![("token", token.clone())];
    let email = welcome.email.clone();
    let answer = match reader {
        Reader::Invited => view! {
            <Form to=AcceptInvitation::FORM hidden=hidden()><SubmitButton wide=true>"Accept and join"</SubmitButton></Form>
        }
        .into_any(),
        Reader::SignedOut => {
            let query = format!("/sign-in?next=%2Finvitations%2F{token}");
            view! {
                <p class="text-muted">"There is an account with this address. Sign in, and you are back here."</p>
                <LinkButton href=query look=Look::Primary>"Sign in to accept"</LinkButton>
            }
            .into_any()
        }
        Reader::Newcomer => view! {
            <p class="text-muted">"Make your account, and you are in. The address counts as verified: you read the mail."</p>
            <Form to=JoinByInvitation::FORM hidden=hidden()>
                <Field name="name" label="Name" autocomplete="name" autofocus=true/>
                <Field name="password" label="Password" kind="password" autocomplete="new-password" hint="At least 10 characters. A few words are better than signs."/>
                <SubmitButton wide=true>"Create account and join"</SubmitButton>
            </Form>
        }
        .into_any(),
        Reader::Another(other) => view! {
            <Notice tone=Tone::Warning icon=Icon::Warning>
                "You are signed in as " <b class="font-medium">{other}</b> ", and this invitation is for " <b class="font-medium">{email.clone()}</b> ". Sign out to answer it."
            </Notice>
            <Form to=SignOutForInvitation::FORM hidden=hidden()><SubmitButton wide=true>"Sign out and come back"</SubmitButton></Form>
        }
        .into_any(),
    };
    let message = (!welcome.message.is_empty()).then(|| {
        view! { <blockquote class="rounded-card bg-sunken px-4 py-3 break-words whitespace-pre-line">{welcome.message.clone()}</blockquote> }
    });
    let below = {
        let hidden = hidden();
        move || {
            view! {
                <Form to=DeclineInvitation::FORM hidden=hidden class="inline">
                    <button class="text-muted underline underline-offset-4 hover:text-text">"Decline this invitation"</button>
                </Form>
                " · " <TextLink href="/sign-in">"Sign in"</TextLink>
            }
        }
    };
    view! {
        <AuthShell title=format!("Join {}", welcome.organization) text=format!("{} invites you.", welcome.inviter) below=below>
            {message}
            <KeyValue>
                <Fact name="Your role">{welcome.role_name}</Fact>
                <Fact name="For">{welcome.email}</Fact>
                <Fact name="Good until"><Time at=welcome.expires_at/></Fact>
            </KeyValue>
            {answer}
        </AuthShell>
    }
}
