//! The pages of second factors and other ways in.
use super::passkey::{PasskeyButton, PasskeyScript, passkey_fields};
use crate::{
    accounts::{
        fns::factors::{
            AddPasskey, BeginPasskey, BeginPasskeyConfirmation, BeginPasskeySignIn, BeginSecondPasskey, DisableTotp, EnableTotp,
            LinkIdentity, PutRecoveryCodesAway, RemovePasskey, RenamePasskey, RenewRecoveryCodes, SECURITY_PAGE, SetUpTotp,
            SignInWithPasskey, UnlinkIdentity, read_link_offer, read_recovery_codes, read_security,
        },
        model::{
            PASSKEY,
            factors::{Identity, Passkey, Provider, RecoveryLeft, Security, Totp, TotpSetup},
        },
    },
    error::{Error, Thing},
    id::PasskeyId,
    kit::{
        Card, Cell, Column, Copyable, Fact, Field, Form, FormOf, Icon, KeyValue, LinkButton, Look, NameCell, Notice, Page, PageTitle, Row,
        Status, SubmitButton, Table, Time, Tone, is_posted, load,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

const COLUMN: &str = "flex max-w-[720px] flex-col gap-6";

fn above() -> Vec<(String, String)> {
    vec![("Security".into(), SECURITY_PAGE.into())]
}

/// Second factors and other ways in, on the security page.
#[component]
pub fn SecondFactors() -> impl IntoView {
    load(read_security(), |security| {
        let has_factor = matches!(security.totp, Totp::On { .. }) || !security.passkeys.is_empty();
        let elsewhere = !security.identities.is_empty() || !security.others.is_empty();
        view! {
            <Demands security=security.clone()/>
            <ProviderProblem/>
            <App totp=security.totp.clone() has_password=security.has_password/>
            <Passkeys passkeys=security.passkeys.clone()/>
            {has_factor.then(|| view! { <Recovery left=security.recovery has_passkey=!security.passkeys.is_empty()/> })}
            {elsewhere.then(|| view! { <Elsewhere identities=security.identities.clone() others=security.others.clone()/> })}
            <PasskeyScript/>
        }
    })
}

/// What an organization demands before one can go on.
#[component]
fn Demands(security: Security) -> impl IntoView {
    let names = security.demanded_by.iter().map(|name| format!("“{name}”")).collect::<Vec<_>>().join(", ");
    view! {
        {security.lacks_second_factor.then(|| view! {
            <Notice tone=Tone::Warning>
                {format!("{names} asks its members for a second factor, and you have none yet. Set up an authenticator app or a passkey here; then you can go on.")}
            </Notice>
        })}
        {security.needs_provider.map(|provider| view! {
            <Notice tone=Tone::Warning>
                <div class="flex flex-wrap items-center justify-between gap-3">
                    <span>{format!("The organization that you are in asks its members to sign in with “{}”.", provider.name)}</span>
                    <LinkButton href=format!("/auth/oidc/{}?next=/applications", provider.id) look=Look::Primary>{format!("Sign in with {}", provider.name)}</LinkButton>
                </div>
            </Notice>
        })}
    }
}

/// What went wrong on the way through a provider.
#[component]
pub fn ProviderProblem() -> impl IntoView {
    let query = use_query_map().read_untracked();
    let sentence = query.get("problem").and_then(|word| {
        Some(match &*word {
            "known" => "There is an account with your address here. Sign in to it once; then you can link the two.",
            "gone" => "There is no such way to sign in here.",
            "refused" => {
                "Signing in by the provider did not work: it took too long, was begun in another browser, or was refused. Begin again."
            }
            "often" => "Too many attempts. Try again in a quarter of an hour.",
            "taken" => "That account is linked to another account here. Sign in to that one, and unlink it first.",
            "address" => "The provider does not tell your e-mail address, and an account needs one.",
            "closed" => "Signing up is closed here. Ask the operator for an account.",
            "away" => "The provider does not answer as it should. Try again in a moment.",
            _ => return None,
        })
    });
    sentence.map(|sentence| view! { <Notice tone=Tone::Warning>{sentence}</Notice> })
}

#[component]
fn App(totp: Totp, has_password: bool) -> impl IntoView {
    let text = "An app on your phone shows a code that changes every 30 seconds; signing in asks for it after the password.";
    let inside = match totp {
        Totp::Off => view! {
            <Form to=SetUpTotp::FORM><div><SubmitButton look=Look::Plain>"Set up an app"</SubmitButton></div></Form>
        }
        .into_any(),
        Totp::Begun(setup) => view! { <Confirm setup=setup/> }.into_any(),
        Totp::On { since } => view! {
            <div class="flex flex-col gap-4">
                <div class="flex items-center gap-3"><Status tone=Tone::Good word="On"/> <span class="text-muted">"since " <Time at=since/></span></div>
                <details open=is_posted(DisableTotp::FORM)>
                    <summary class="text-muted hover:text-text">"Remove the app…"</summary>
                    <Form to=DisableTotp::FORM class="flex max-w-md flex-col gap-4 pt-4">
                        {if has_password {
                            view! { <Field name="password" label="Your password" kind="password" autocomplete="current-password"/> }.into_any()
                        } else {
                            view! { <input type="hidden" name="password" value=""/> }.into_any()
                        }}
                        <Field name="code" label="Code" mono=true autocomplete="one-time-code" hint="From the app, or a recovery code."/>
                        <div><SubmitButton look=Look::Danger>"Remove the app"</SubmitButton></div>
                    </Form>
                </details>
            </div>
        }
        .into_any(),
    };
    view! { <Card title="Authenticator app" text=text>{inside}</Card> }
}

#[component]
fn Confirm(setup: TotpSetup) -> impl IntoView {
    view! {
        <div class="flex flex-col gap-6 sm:flex-row">
            // Always dark on light: apps read nothing else.
            <div class="size-[200px] shrink-0 self-start overflow-hidden rounded-card border border-line bg-white [&>svg]:size-full" role="img" aria-label="QR code for the app" inner_html=setup.qr_svg></div>
            <div class="flex min-w-0 flex-col gap-4">
                <p>"Scan the picture with your app, or type the secret. Then give the code that the app shows."</p>
                <KeyValue><Fact name="Secret"><Copyable text=setup.secret/></Fact></KeyValue>
                <Form to=EnableTotp::FORM class="flex max-w-60 flex-col gap-4">
                    <Field name="code" label="Code" mono=true autocomplete="one-time-code"/>
                    <div><SubmitButton>"Turn on"</SubmitButton></div>
                </Form>
                <Form to=SetUpTotp::FORM><div><SubmitButton look=Look::Quiet small=true>"Begin again with another secret"</SubmitButton></div></Form>
            </div>
        </div>
    }
}

#[component]
fn Passkeys(passkeys: Vec<Passkey>) -> impl IntoView {
    let any = !passkeys.is_empty();
    let rows = passkeys
        .into_iter()
        .map(|key| {
            let used = key.last_used_at;
            view! {
                <Row>
                    <NameCell href=format!("{SECURITY_PAGE}/passkeys/{}", key.id) name=key.name/>
                    <Cell wide=true><Time at=key.created_at/></Cell>
                    <Cell>{used.map_or_else(|| "never".into_any(), |at| view! { <Time at=at/> }.into_any())}</Cell>
                </Row>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <Card title="Passkeys" text="Your device or a security key proves who you are, by fingerprint, face or PIN: after the password, or instead of it.">
            <div class="flex flex-col gap-5">
                {any.then(|| view! {
                    <Table caption="Your passkeys" columns=vec![Column::new("Name"), Column::new("Added").wide(), Column::new("Last used")]>{rows}</Table>
                })}
                <Form to=AddPasskey::FORM hidden=passkey_fields(vec![]) class="flex max-w-md flex-col gap-4">
                    <Field name="name" label="Name" placeholder="Work laptop" hint="So that you know it again."/>
                    <PasskeyButton verb="create" begin=BeginPasskey::FORM>"Add a passkey"</PasskeyButton>
                </Form>
                <noscript><p class="text-muted">"Passkeys need JavaScript: the browser talks to your device by it."</p></noscript>
            </div>
        </Card>
    }
}

#[component]
fn Recovery(left: RecoveryLeft, has_passkey: bool) -> impl IntoView {
    let few = left.left <= 3;
    view! {
        <Card title="Recovery codes" text="For the day that your second factor is lost. Each is good once, in place of a code of the app.">
            <div class="flex flex-col gap-4">
                <p class="flex items-center gap-3">
                    <Status tone=if few { Tone::Warning } else { Tone::Good } word=format!("{} of {} left", left.left, left.of)/>
                </p>
                <details open=is_posted(RenewRecoveryCodes::FORM)>
                    <summary class="text-muted hover:text-text">"Make new ones…"</summary>
                    <Form to=RenewRecoveryCodes::FORM hidden=passkey_fields(vec![]) class="flex max-w-md flex-col gap-4 pt-4">
                        <Field name="code" label="Code" mono=true autocomplete="one-time-code" hint="From the app, or a recovery code. The codes that you have now are no longer good then."/>
                        <div><SubmitButton look=Look::Plain>"Make new codes"</SubmitButton></div>
                        {has_passkey.then(|| view! { <PasskeyButton verb="get" begin=BeginPasskeyConfirmation::FORM>"Confirm with a passkey instead"</PasskeyButton> })}
                    </Form>
                </details>
            </div>
        </Card>
    }
}

#[component]
fn Elsewhere(identities: Vec<Identity>, others: Vec<Provider>) -> impl IntoView {
    let rows = identities
        .into_iter()
        .map(|identity| {
            let used = identity.last_used_at;
            view! {
                <Row>
                    <Cell><span class="font-medium">{identity.provider.name}</span></Cell>
                    <Cell>{identity.email}</Cell>
                    <Cell wide=true>{used.map(|at| view! { <Time at=at/> })}</Cell>
                    <Cell>
                        <Form to=UnlinkIdentity::FORM hidden=vec![("provider", identity.provider.id), ("subject", identity.subject)]>
                            <div class="text-right"><SubmitButton small=true look=Look::Plain>"Unlink"</SubmitButton></div>
                        </Form>
                    </Cell>
                </Row>
            }
        })
        .collect::<Vec<_>>();
    let links = others
        .into_iter()
        .map(|provider| view! { <LinkButton href=format!("/auth/oidc/{}?next={SECURITY_PAGE}", provider.id)>"Link " {provider.name}</LinkButton> })
        .collect::<Vec<_>>();
    view! {
        <Card title="Accounts elsewhere" text="They sign you in here without a password.">
            <div class="flex flex-col gap-5">
                {(!rows.is_empty()).then(|| view! {
                    <Table caption="Linked accounts" columns=vec![Column::new("Provider"), Column::new("Address"), Column::new("Last used").wide(), Column::new("")]>{rows}</Table>
                })}
                {(!links.is_empty()).then(|| view! { <div class="flex flex-wrap gap-3">{links}</div> })}
            </div>
        </Card>
    }
}

/// One passkey: its name, and its end.
#[component]
pub fn PasskeyPage() -> impl IntoView {
    let id = use_params_map().read_untracked().get("id").unwrap_or_default();
    let found = async move {
        let id: PasskeyId = id.parse().map_err(|_| Error::NotFound(PASSKEY))?;
        let security = read_security().await?;
        let key = security.passkeys.into_iter().find(|key| key.id == id).ok_or(Error::NotFound(PASSKEY))?;
        Ok((key, security.has_password))
    };
    load(found, |(key, has_password)| {
        let (renamed, removed) = (key.id.to_string(), key.id.to_string());
        view! {
            <Page>
                <PageTitle title=key.name.clone() above=above()/>
                <div class=COLUMN>
                    <Card title="Name">
                        <Form to=RenamePasskey::FORM hidden=vec![("id", renamed)] class="flex max-w-md flex-col gap-4">
                            <Field name="name" label="Name" value=key.name/>
                            <div><SubmitButton>"Save"</SubmitButton></div>
                        </Form>
                    </Card>
                    <Card title="Remove this passkey" text="It no longer signs you in. Remove it from your device as well.">
                        <Form to=RemovePasskey::FORM hidden=passkey_fields(vec![("id", removed)]) class="flex max-w-md flex-col gap-4">
                            {has_password.then(|| view! {
                                <Field name="password" label="Your password" kind="password" autocomplete="current-password"/>
                                <div><SubmitButton look=Look::Danger>"Remove"</SubmitButton></div>
                            })}
                            <PasskeyButton verb="get" begin=BeginPasskeyConfirmation::FORM>"Confirm with a passkey and remove"</PasskeyButton>
                        </Form>
                    </Card>
                </div>
                <PasskeyScript/>
            </Page>
        }
    })
}

/// The recovery codes, this once.
#[component]
pub fn RecoveryPage() -> impl IntoView {
    let codes = async move { read_recovery_codes().await?.ok_or(Error::NotFound(Thing::PAGE)) };
    load(codes, |codes| {
        let text = codes.codes.join("\n");
        let file = format!("data:text/plain;charset=utf-8,{}", codes.codes.join("%0A"));
        view! {
            <Page>
                <PageTitle title="Recovery codes" above=above()/>
                <div class=COLUMN>
                    <Notice tone=Tone::Warning>
                        "Keep these codes where only you find them, and not on the device with your app: print them, or put them into a password manager. They are shown this once."
                    </Notice>
                    <Card>
                        <div class="flex flex-col gap-5">
                            <pre class="columns-1 font-mono text-lead sm:columns-2" data-recovery-codes>{text}</pre>
                            <div class="flex flex-wrap gap-3">
                                <a class="inline-flex h-8 items-center gap-2 rounded-control border border-edge bg-surface px-3 font-medium shadow-control hover:bg-hover" href=file download="recovery-codes.txt" data-control>
                                    {Icon::Download.view()} "Download as text"
                                </a>
                                <Form to=PutRecoveryCodesAway::FORM><SubmitButton>"I have kept them"</SubmitButton></Form>
                            </div>
                        </div>
                    </Card>
                </div>
            </Page>
        }
    })
}

/// The question whether an account elsewhere may sign in here.
#[component]
pub fn LinkPage() -> impl IntoView {
    let token = use_params_map().read_untracked().get("token").unwrap_or_default();
    load(read_link_offer(token.clone()), move |offer| {
        let name = offer.provider.name;
        let title = format!("Link {name}");
        let address = if offer.email.is_empty() { "Your account there".to_string() } else { format!("“{}” there", offer.email) };
        view! {
            <Page>
                <PageTitle title=title above=above()/>
                <div class=COLUMN>
                    <Card>
                        <div class="flex flex-col gap-4">
                            <p>{address} " signs you in here from now on. Go on only if that account is yours."</p>
                            <Form to=LinkIdentity::FORM hidden=vec![("token", token)] class="flex gap-3">
                                <SubmitButton>"Link " {name}</SubmitButton> <LinkButton href=SECURITY_PAGE>"Cancel"</LinkButton>
                            </Form>
                        </div>
                    </Card>
                </div>
            </Page>
        }
    })
}

/// Below the sign-in form: a passkey, or a provider.
#[component]
pub fn OtherWays(
    /// Where it goes on to.
    next: String,
) -> impl IntoView {
    let to = next.clone();
    view! {
        <Form to=SignInWithPasskey::FORM hidden=passkey_fields(vec![("next", next)])>
            <PasskeyButton verb="get" begin=BeginPasskeySignIn::FORM wide=true>"Sign in with a passkey"</PasskeyButton>
        </Form>
        {load(crate::accounts::fns::factors::read_providers(), move |providers| {
            let link = move |provider: Provider| {
                let href = if to.is_empty() {
                    format!("/auth/oidc/{}", provider.id)
                } else {
                    let next: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
                    format!("/auth/oidc/{}?next={next}", provider.id)
                };
                view! { <LinkButton href=href>{format!("Sign in with {}", provider.name)}</LinkButton> }
            };
            (!providers.is_empty()).then(|| view! { <div class="flex flex-col gap-3">{providers.into_iter().map(link).collect_view()}</div> })
        })}
        <PasskeyScript/>
    }
}

/// Below the question for a code: a passkey instead.
#[component]
pub fn SecondPasskey() -> impl IntoView {
    view! {
        <Form to=SignInWithPasskey::FORM hidden=passkey_fields(vec![])>
            <PasskeyButton verb="get" begin=BeginSecondPasskey::FORM wide=true>"Use a passkey instead"</PasskeyButton>
        </Form>
        <PasskeyScript/>
    }
}
