//! The document around every page, and the site map on one screen. Pages are rendered in one piece (`SsrMode::Async`), so that
//! their status is right and they read well if wasm never comes.
use crate::{
    accounts::{
        fns::SignOut,
        ui::{
            ForgotPassword, ProfilePage, ResetPassword, SecondFactor, Security, SessionsPage, SetUp, SignIn, SignUp, VerifyBanner,
            VerifyEmail,
            factors::{LinkPage, PasskeyPage, RecoveryPage},
        },
    },
    admin::{
        fns::{DismissAnnouncement, EndImpersonation},
        ui::{
            AdminAnnouncement, AdminAnnouncements, AdminFeatures, AdminOrganizationPage, AdminOrganizations, AdminOverview, AdminUserPage,
            AdminUsers,
        },
    },
    apps::ui::{Applications, DeploymentForms, Environment, Logs, NewApplication},
    audit::ui::{ActivityPage, AuditStreams},
    deployments::{
        fns::{ConfigureApplication, CreateApplication, DeployApplication},
        ui::{DeploymentPage, History, Overview, SettingsPage},
    },
    domains::ui::{AppDomains, DomainPage, Domains, OwnCertificates},
    edges::ui::{AdminEdge, AdminEdges},
    error::{Error, Thing},
    keys::ui::ApiKeys,
    kit::{AppShell, Banners, Brand, ErrorPanel, FormOf, FrameForms, Theme, Viewer},
    mail::ui::{MailList, MailMessage, MailSuppressions, MailTemplatePage, MailTemplates},
    metrics::ui::{AccessLog, AdminTraffic, MetricsPage, TrafficSummary},
    orgs::{
        fns::SwitchOrganization,
        ui::{
            Invitations, InviteMember, Join, MemberPage, Members, NewOrganization, NewRole, OrganizationOverview, OrganizationSettings,
            Organizations, RolePage, Roles,
        },
    },
    reports::ui::{ErrorReportPage, ErrorReports},
    routing::ui::{RoutingAccess, RoutingBalancing, RoutingGeneral, RoutingHeaders, RoutingLimits, RoutingPages, RoutingPaths},
};
use leptos::prelude::*;
use leptos_meta::{HashedStylesheet, MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Outlet, ParentRoute, Redirect, Route, Router, Routes},
    path,
};

/// Loads the wasm where a page has something alive in it; leptos's own loader waits in a template until then.
const WAKE: &str = "if(document.querySelector('leptos-island'))document.body.append(document.getElementById('wake').content)";

/// Closes the menus that stand open when somebody clicks elsewhere or presses Escape (without it they close by their own button), and
/// brings the chosen tab into sight where they do not all fit.
const MENUS: &str = "addEventListener('click',e=>{for(const d of document.querySelectorAll('details[name=menu][open]'))if(!d.contains(e.target))d.open=false});\
                     addEventListener('keydown',e=>{const d=e.key==='Escape'&&document.querySelector('details[name=menu][open]');if(d){d.open=false;d.firstElementChild.focus()}});\
                     document.querySelector('nav[aria-label=Views] [aria-current]')?.scrollIntoView({inline:'center',block:'nearest'})";

/// The document.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let brand = use_context::<Brand>().unwrap_or_default();
    let theme = use_context::<Theme>().unwrap_or_default();
    let scheme = if theme == Theme::System { "light dark" } else { theme.word() };
    // Built first: it tells the renderer that only islands will be hydrated.
    let loader = view! { <HydrationScripts options=options.clone() islands=true/> }.into_any();
    let nonce = leptos::nonce::use_nonce();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.word() style=brand.accent.map(|accent| format!("--accent: {accent}"))>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content=scheme/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <HashedStylesheet options=options.clone()/>
                <AutoReload options/>
                <MetaTags/>
            </head>
            <body>
                <Site/>
                <template id="wake">{loader}</template>
                <script nonce=nonce.clone()>{WAKE}</script>
                <script nonce=nonce>{MENUS}</script>
            </body>
        </html>
    }
}

/// Every page there is.
#[allow(clippy::too_many_lines, reason = "one page after the other")]
#[component]
pub fn Site() -> impl IntoView {
    provide_meta_context();
    provide_context(FrameForms {
        sign_out: SignOut::FORM,
        switch_organization: SwitchOrganization::FORM,
        end_impersonation: EndImpersonation::FORM,
        dismiss_announcement: DismissAnnouncement::FORM,
    });
    provide_context(DeploymentForms {
        create: CreateApplication::FORM,
        deploy: DeployApplication::FORM,
        configure: ConfigureApplication::FORM,
    });
    let name = use_context::<Brand>().unwrap_or_default().name;
    let mode = SsrMode::Async;
    view! {
        <Title formatter=move |page: String| if page.is_empty() { name.clone() } else { format!("{page} · {name}") }/>
        <Router>
            <Routes fallback=NotFound>
                <Route path=path!("/") view=|| view! { <Redirect path="/applications"/> } ssr=mode.clone()/>
                <Route path=path!("/sign-in") view=SignIn ssr=mode.clone()/>
                <Route path=path!("/sign-in/second-factor") view=SecondFactor ssr=mode.clone()/>
                <Route path=path!("/forgot-password") view=ForgotPassword ssr=mode.clone()/>
                <Route path=path!("/reset-password/:token") view=ResetPassword ssr=mode.clone()/>
                <Route path=path!("/verify-email/:token") view=VerifyEmail ssr=mode.clone()/>
                <Route path=path!("/sign-up") view=SignUp ssr=mode.clone()/>
                <Route path=path!("/setup/:token") view=SetUp ssr=mode.clone()/>
                <Route path=path!("/invitations/:token") view=Join ssr=mode.clone()/>
                <ParentRoute path=path!("") view=Inside ssr=mode.clone()>
                    <Route path=path!("/kit") view=Kit ssr=mode.clone()/>
                    <Route path=path!("/account/api-keys") view=ApiKeys ssr=mode.clone()/>
                    <Route path=path!("/account") view=ProfilePage ssr=mode.clone()/>
                    <Route path=path!("/account/security") view=Security ssr=mode.clone()/>
                    <Route path=path!("/account/sessions") view=SessionsPage ssr=mode.clone()/>
                    <Route path=path!("/account/security/recovery-codes") view=RecoveryPage ssr=mode.clone()/>
                    <Route path=path!("/account/security/passkeys/:id") view=PasskeyPage ssr=mode.clone()/>
                    <Route path=path!("/account/security/link/:token") view=LinkPage ssr=mode.clone()/>
                    <Route path=path!("/admin/errors") view=ErrorReports ssr=mode.clone()/>
                    <Route path=path!("/admin/errors/:id") view=ErrorReportPage ssr=mode.clone()/>
                    <Route path=path!("/applications") view=Applications ssr=mode.clone()/>
                    <Route path=path!("/applications/new") view=NewApplication ssr=mode.clone()/>
                    <Route path=path!("/applications/:id") view=|| view! { <Overview more=|| view! { <TrafficSummary/> }/> } ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/deployments") view=History ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/logs") view=Logs ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/logs/access") view=AccessLog ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/metrics") view=MetricsPage ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/environment") view=Environment ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/domains") view=AppDomains ssr=mode.clone()/>
                    <Route path=path!("/admin/certificates") view=OwnCertificates ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing") view=RoutingGeneral ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/access") view=RoutingAccess ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/headers") view=RoutingHeaders ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/limits") view=RoutingLimits ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/pages") view=RoutingPages ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/balancing") view=RoutingBalancing ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/routing/paths") view=RoutingPaths ssr=mode.clone()/>
                    <Route path=path!("/domains") view=Domains ssr=mode.clone()/>
                    <Route path=path!("/domains/:id") view=DomainPage ssr=mode.clone()/>
                    <Route path=path!("/applications/:id/settings") view=SettingsPage ssr=mode.clone()/>
                    <Route path=path!("/organizations") view=Organizations ssr=mode.clone()/>
                    <Route path=path!("/organizations/new") view=NewOrganization ssr=mode.clone()/>
                    <Route path=path!("/organization") view=OrganizationOverview ssr=mode.clone()/>
                    <Route path=path!("/organization/members") view=Members ssr=mode.clone()/>
                    <Route path=path!("/organization/members/invite") view=InviteMember ssr=mode.clone()/>
                    <Route path=path!("/organization/members/:id") view=MemberPage ssr=mode.clone()/>
                    <Route path=path!("/organization/invitations") view=Invitations ssr=mode.clone()/>
                    <Route path=path!("/organization/roles") view=Roles ssr=mode.clone()/>
                    <Route path=path!("/organization/roles/new") view=NewRole ssr=mode.clone()/>
                    <Route path=path!("/organization/roles/:id") view=RolePage ssr=mode.clone()/>
                    <Route path=path!("/organization/settings") view=OrganizationSettings ssr=mode.clone()/>
                    <Route path=path!("/admin/mail") view=MailList ssr=mode.clone()/>
                    <Route path=path!("/admin/mail/messages/:id") view=MailMessage ssr=mode.clone()/>
                    <Route path=path!("/admin/mail/templates") view=MailTemplates ssr=mode.clone()/>
                    <Route path=path!("/admin/mail/templates/:kind") view=MailTemplatePage ssr=mode.clone()/>
                    <Route path=path!("/admin/mail/suppressions") view=MailSuppressions ssr=mode.clone()/>
                    <Route path=path!("/organization/activity") view=ActivityPage ssr=mode.clone()/>
                    <Route path=path!("/organization/activity/streams") view=AuditStreams ssr=mode.clone()/>
                    <Route path=path!("/admin") view=AdminOverview ssr=mode.clone()/>
                    <Route path=path!("/admin/users") view=AdminUsers ssr=mode.clone()/>
                    <Route path=path!("/admin/users/:id") view=AdminUserPage ssr=mode.clone()/>
                    <Route path=path!("/admin/organizations") view=AdminOrganizations ssr=mode.clone()/>
                    <Route path=path!("/admin/organizations/:id") view=AdminOrganizationPage ssr=mode.clone()/>
                    <Route path=path!("/admin/announcements") view=AdminAnnouncements ssr=mode.clone()/>
                    <Route path=path!("/admin/announcements/:id") view=AdminAnnouncement ssr=mode.clone()/>
                    <Route path=path!("/admin/edges") view=AdminEdges ssr=mode.clone()/>
                    <Route path=path!("/admin/edges/:id") view=AdminEdge ssr=mode.clone()/>
                    <Route path=path!("/admin/features") view=AdminFeatures ssr=mode.clone()/>
                    <Route path=path!("/admin/traffic") view=AdminTraffic ssr=mode.clone()/>
                    <Route path=path!("/deployments/:id") view=DeploymentPage ssr=mode/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// The places one can go.
fn places() -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("Applications", "/applications"), ("Domains", "/domains"), ("Organization", "/organization")];
    if use_context::<Banners>().is_some_and(|banners| banners.is_operator) {
        all.push(("Admin", "/admin"));
    }
    all
}

/// The frame of whoever is signed in.
#[component]
fn Inside() -> impl IntoView {
    view! {
        <AppShell nav=places()>
            <VerifyBanner/>
            <Outlet/>
        </AppShell>
    }
}

/// Everything in the kit, for those who build it.
#[component]
fn Kit() -> impl IntoView {
    if cfg!(debug_assertions) {
        view! { <crate::kit::gallery::Gallery/> }.into_any()
    } else {
        view! { <ErrorPanel error=Error::NotFound(Thing::PAGE)/> }.into_any()
    }
}

/// An address that leads nowhere.
#[component]
fn NotFound() -> impl IntoView {
    let panel = || view! { <ErrorPanel error=Error::NotFound(Thing::PAGE)/> };
    match use_context::<Viewer>() {
        Some(_) => view! { <AppShell nav=places()>{panel()}</AppShell> }.into_any(),
        None => view! { <main>{panel()}</main> }.into_any(),
    }
}
