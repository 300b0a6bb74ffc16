//! Organizations, members, roles, grants and invitations.
use super::{Answers, LIST, LOOK, OPEN, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use skypanel::rights::Role;

/// Owner and admin, of their own organization only.
const MEMBERS: Answers = ([200, 200, 403, 403, 403, 404, 401], "members");
const ROLES: Answers = ([200, 200, 403, 403, 403, 404, 401], "roles");
/// The same where a stranger sees her own.
const OWN_MEMBERS: Answers = ([200, 200, 403, 403, 403, 200, 401], "members");
/// None of these people is invited.
const NOT_INVITED: Answers = ([404, 404, 404, 404, 404, 404, 401], "");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/organizations",                                             LIST),
    ("POST /api/organizations",                                            ([201, 201, 201, 201, 201, 201, 401], "")),
    ("GET /api/organizations/{id}",                                        LOOK),
    ("PUT /api/organizations/{id}",                                        ([200, 200, 403, 403, 403, 404, 401], "settings")),
    ("POST /api/organizations/{id}/switch",                                LOOK),
    ("POST /api/organizations/{id}/leave",                                 LOOK),
    ("POST /api/organizations/{id}/transfer",                              ([200, 403, 403, 403, 403, 404, 401], "ownership")),
    ("GET /api/organizations/{id}/members",                                LOOK),
    ("GET /api/organizations/{id}/members/{user_id}",                      LOOK),
    ("PUT /api/organizations/{id}/members/{user_id}",                      MEMBERS),
    ("DELETE /api/organizations/{id}/members/{user_id}",                   MEMBERS),
    ("POST /api/organizations/{id}/members/bulk",                          MEMBERS),
    ("GET /api/organizations/{id}/members/{user_id}/grants",               LOOK),
    ("POST /api/organizations/{id}/members/{user_id}/grants",              MEMBERS),
    ("DELETE /api/organizations/{id}/members/{user_id}/grants/{application_id}", MEMBERS),
    ("GET /api/organizations/{id}/roles",                                  LOOK),
    ("POST /api/organizations/{id}/roles",                                 ([201, 201, 403, 403, 403, 404, 401], "roles")),
    ("GET /api/organizations/{id}/roles/{role_id}",                        LOOK),
    ("PUT /api/organizations/{id}/roles/{role_id}",                        ROLES),
    ("DELETE /api/organizations/{id}/roles/{role_id}",                     ROLES),
    ("GET /api/organizations/{id}/invitations",                            MEMBERS),
    ("GET /api/organizations/{id}/invitations/{invite_id}",                MEMBERS),
    ("DELETE /api/organizations/{id}/invitations/{invite_id}",             MEMBERS),
    ("POST /api/organizations/{id}/invitations/{invite_id}/resend",        MEMBERS),
    ("POST /api/organizations/{id}/members/invite",                        ([201, 201, 403, 403, 403, 404, 401], "members")),
    ("POST /api/organizations/{id}/members/invite/{invite_id}/accept",     NOT_INVITED),
    ("POST /api/organizations/{id}/members/invite/{invite_id}/decline",    NOT_INVITED),
    ("DELETE /api/organizations/{id}",                                     ([200, 403, 403, 403, 403, 404, 401], "ownership")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("orgs/fns/read_my_organizations",       LIST),
    ("orgs/fns/read_defaults",               LIST),
    ("orgs/fns/read_organization",           LIST),
    ("orgs/fns/read_organization_overview",  LIST),
    ("orgs/fns/create_organization",         LIST),
    ("orgs/fns/switch_organization",         LOOK),
    // The version is none that there was: whoever may, is told so.
    ("orgs/fns/update_organization",         ([409, 409, 403, 403, 403, 409, 401], "settings")),
    ("orgs/fns/leave_organization",          LOOK),
    // The name that is typed is the one of acme, which is not where a stranger works.
    ("orgs/fns/transfer_organization",       ([200, 403, 403, 403, 403, 400, 401], "ownership")),
    ("orgs/fns/delete_organization",         ([200, 403, 403, 403, 403, 400, 401], "ownership")),
    ("orgs/fns/read_members",                LIST),
    ("orgs/fns/read_member",                 LOOK),
    ("orgs/fns/set_member_role",             MEMBERS),
    ("orgs/fns/remove_member",               MEMBERS),
    ("orgs/fns/change_members",              MEMBERS),
    ("orgs/fns/read_roles",                  LIST),
    ("orgs/fns/read_role",                   LOOK),
    ("orgs/fns/create_role",                 ([200, 200, 403, 403, 403, 200, 401], "roles")),
    ("orgs/fns/update_role",                 ROLES),
    ("orgs/fns/delete_role",                 ROLES),
    ("orgs/fns/grants/give_grant",           MEMBERS),
    ("orgs/fns/grants/take_grant",           MEMBERS),
    ("orgs/fns/invitations/read_givable_roles", OWN_MEMBERS),
    ("orgs/fns/invitations/read_invitations", OWN_MEMBERS),
    ("orgs/fns/invitations/invite_member",   OWN_MEMBERS),
    ("orgs/fns/invitations/resend_invitation", MEMBERS),
    ("orgs/fns/invitations/revoke_invitation", MEMBERS),
    ("orgs/fns/invitations/look_at_invitation", OPEN),
    ("orgs/fns/invitations/accept_invitation", NOT_INVITED),
    ("orgs/fns/invitations/accept_own_invitation", NOT_INVITED),
    ("orgs/fns/invitations/decline_own_invitation", NOT_INVITED),
    // A link that leads nowhere.
    ("orgs/fns/invitations/decline_invitation", ([404; 7], "")),
    ("orgs/fns/invitations/join_by_invitation", ([409, 409, 409, 409, 409, 409, 404], "")),
    ("orgs/fns/invitations/sign_out_for_invitation", LIST),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

/// A viewer with a grant, a role that nobody has, and an open invitation.
fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    async move {
        let org = t.org("acme").await;
        let member = t.member("acme", Role::Viewer).await.user;
        let base = format!("/api/organizations/{org}");
        let owner = &world.app.owner;
        let role = owner.post(&format!("{base}/roles"), json!({ "name": fresh_name(), "permissions": ["view"] })).await;
        let body = json!({ "email": format!("{}@example.com", fresh_name()), "role": "viewer" });
        let asked = owner.post(&format!("{base}/members/invite"), body).await;
        let body = json!({ "application_id": world.app.id, "role": "developer" });
        let granted = owner.post(&format!("{base}/members/{member}/grants"), body).await;
        assert_eq!(
            (role.status(), asked.status(), granted.status()),
            (201, 201, 200),
            "{} {} {}",
            role.text(),
            asked.text(),
            granted.text()
        );
        let text = |reply: &crate::support::client::Reply| reply.data()["id"].as_str().unwrap().to_string();
        world.more.extend([("org", org.to_string()), ("member", member.to_string()), ("role", text(&role)), ("invitation", text(&asked))]);
    }
    .boxed()
}

fn body(route: &str, world: &World) -> Option<Value> {
    let more = |name: &str| world.more[name].clone();
    Some(match route {
        "POST /api/organizations" => json!({ "name": "Initech", "slug": fresh_name() }),
        "PUT /api/organizations/{id}" => json!({ "contact_email": "it@example.com" }),
        "POST /api/organizations/{id}/transfer" => json!({ "user_id": more("member") }),
        "PUT /api/organizations/{id}/members/{user_id}" => json!({ "role": "developer" }),
        "POST /api/organizations/{id}/members/bulk" => json!({ "user_ids": [more("member")], "role": "billing" }),
        "POST /api/organizations/{id}/members/{user_id}/grants" => json!({ "application_id": world.app.id, "role": "admin" }),
        "POST /api/organizations/{id}/roles" | "PUT /api/organizations/{id}/roles/{role_id}" => {
            json!({ "name": fresh_name(), "permissions": ["view", "deploy"] })
        }
        "POST /api/organizations/{id}/members/invite" => {
            json!({ "email": format!("{}@example.com", fresh_name()), "role": "viewer", "message": "Come in." })
        }
        _ => return None,
    })
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let more = |name: &str| world.more[name].clone();
    let (member, role, invitation) = (|| ("id", more("member")), || ("id", more("role")), || ("id", more("invitation")));
    let (org, token) = (|| ("organization", more("org")), || ("token", "leads-nowhere".to_string()));
    let app = || ("application_id", world.app.id.to_string());
    Some(match function {
        "create_organization" => vec![("name", "Initech".into())],
        "switch_organization" | "leave_organization" => vec![org()],
        "update_organization" => vec![("version", "-1".into()), ("name", "Initech".into()), ("slug", fresh_name())],
        "transfer_organization" => vec![("user_id", more("member")), ("confirm", "acme".into())],
        "delete_organization" => vec![("confirm", "acme".into()), ("applications", "true".into())],
        "read_member" | "remove_member" => vec![member()],
        "set_member_role" => vec![member(), ("role", "developer".into())],
        "change_members" => {
            let id: &'static str = more("member").leak();
            vec![("deed", "role".into()), ("role", "billing".into()), (id, "true".into())]
        }
        "read_role" | "delete_role" => vec![role()],
        "create_role" => vec![("name", fresh_name()), ("description", String::new()), ("view", "true".into())],
        "update_role" => {
            vec![role(), ("version", "1".into()), ("name", fresh_name()), ("description", String::new()), ("deploy", "true".into())]
        }
        "give_grant" => vec![member(), app(), ("role", "viewer".into())],
        "take_grant" => vec![member(), app()],
        "invite_member" => vec![("email", format!("{}@example.com", fresh_name())), ("role", "viewer".into())],
        "resend_invitation" | "revoke_invitation" => vec![invitation()],
        "accept_own_invitation" | "decline_own_invitation" => vec![org(), invitation()],
        "look_at_invitation" | "accept_invitation" | "decline_invitation" | "sign_out_for_invitation" => vec![token()],
        "join_by_invitation" => vec![token(), ("name", "Ada".into()), ("password", "correct horse battery".into())],
        _ => vec![],
    })
}

fn place(route: &str, world: &World) -> Option<Pairs> {
    let more = |name: &str| world.more[name].clone();
    // There are applications in it.
    let said = if route == "DELETE /api/organizations/{id}" { "?applications=delete" } else { "" };
    Some(vec![
        ("{id}", format!("{}{said}", more("org"))),
        ("{user_id}", more("member")),
        ("{role_id}", more("role")),
        ("{invite_id}", more("invitation")),
        ("{application_id}", world.app.id.to_string()),
    ])
}
