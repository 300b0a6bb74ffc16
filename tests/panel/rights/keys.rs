//! Keys of the API: one's own, and for those who look after members everybody's.
use super::{Answers, LIST, Pairs, Table, World, fresh_name};
use crate::support::panel::TestPanel;
use futures::future::BoxFuture;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use skypanel::{
    auth::api_keys,
    id::{ApiKeyId, UserId},
    rights::{Action, Permissions, Role},
    store::{
        json::JsonText,
        random,
        tables::{api_key, api_key_secret},
    },
};

// The key is another member's: nobody but her changes it, and only who may look after members sees and revokes it.
const HERS: Answers = ([403, 403, 404, 404, 404, 404, 401], "in_person");

#[rustfmt::skip]
const ROUTES: &[(&str, Answers)] = &[
    ("GET /api/api-keys",                             LIST),
    ("POST /api/api-keys",                            ([201, 201, 201, 201, 201, 201, 401], "")),
    ("GET /api/api-keys/{id}",                        ([200, 200, 404, 404, 404, 404, 401], "")),
    ("PUT /api/api-keys/{id}",                        HERS),
    ("POST /api/api-keys/{id}/rotate",                HERS),
    ("DELETE /api/api-keys/{id}",                     ([200, 200, 404, 404, 404, 404, 401], "")),
];

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Answers)] = &[
    ("keys/fns/create_api_key",              LIST),
    ("keys/fns/read_api_keys",               LIST),
    ("keys/fns/read_new_api_key",            LIST),
    ("keys/fns/revoke_api_key",              ([200, 200, 404, 404, 404, 404, 401], "")),
    ("keys/fns/rotate_api_key",              HERS),
    ("keys/fns/update_api_key",              HERS),
];

pub const TABLE: Table = Table { routes: ROUTES, functions: FUNCTIONS, body, fields, place, prepare: Some(prepare) };

fn prepare<'a>(t: &'a TestPanel, world: &'a mut World) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let maker = t.member("acme", Role::Developer).await;
        let (id, secret): (ApiKeyId, String) = (random::id(), api_keys::secret());
        t.panel
            .db
            .tx(async |tx| {
                insert(tx, t, &id, &secret, &maker.user, &maker.org).await;
                Ok(())
            })
            .await
            .unwrap();
        world.more.insert("key", id.to_string());
    })
}

async fn insert(tx: &skypanel::store::Tx, t: &TestPanel, id: &ApiKeyId, secret: &str, user: &UserId, org: &skypanel::id::OrgId) {
    let row = api_key::Model {
        id: id.clone(),
        organization_id: org.clone(),
        user_id: user.clone(),
        name: "hers".into(),
        hint: api_keys::hint(secret),
        scope: JsonText::of(&Permissions::of(&[Action::View])).unwrap(),
        version: 1,
        created_at: t.panel.now(),
        rotated_at: None,
        expires_at: None,
        last_used_at: None,
        last_used_from: None,
    };
    api_key::Entity::insert(api_key::ActiveModel::from(row)).exec_without_returning(tx).await.unwrap();
    let row = api_key_secret::Model { token_hash: random::hash(secret), key_id: id.clone(), expires_at: None };
    api_key_secret::Entity::insert(api_key_secret::ActiveModel::from(row)).exec_without_returning(tx).await.unwrap();
}

fn body(route: &str, _: &World) -> Option<Value> {
    (route == "POST /api/api-keys").then(|| json!({ "name": fresh_name(), "permissions": ["view"] }))
}

fn fields(function: &str, world: &World) -> Option<Pairs> {
    let id = || ("id", world.more["key"].clone());
    Some(match function {
        "create_api_key" => vec![("name", fresh_name()), ("permissions[view]", "true".into())],
        "read_api_keys" => vec![("all", "false".into()), ("page", "1".into())],
        "read_new_api_key" => vec![],
        "revoke_api_key" => vec![id()],
        "rotate_api_key" => vec![id(), ("grace_hours", "0".into())],
        "update_api_key" => vec![id(), ("version", "1".into()), ("name", "new".into()), ("permissions[view]", "true".into())],
        _ => return None,
    })
}

fn place(_: &str, world: &World) -> Option<Pairs> {
    Some(vec![("{id}", world.more["key"].clone())])
}
