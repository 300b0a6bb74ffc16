//! People with passwords and second factors.
use super::{
    client::{Client, Person, Reply},
    panel::TestPanel,
};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, QueryOrder};
use serde_json::{Value, json};
use skypanel::{accounts::server::letters::SecondFactorLetter, auth::session::SessionCache};
use skypanel::{
    accounts::server::{codes, passwords},
    auth::session::{COOKIE, PENDING, VISIT},
    fault::Because,
    id::OrgId,
    rights::Role,
    store::tables::{audit_event, organization, user},
};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// The path of a server function of this feature.
pub fn path(function: &str) -> String {
    format!("/fn/skypanel/accounts/fns/factors/{function}")
}

/// A member who has a password.
pub async fn member(t: &TestPanel, org: &str, role: Role) -> Person {
    let person = t.member(org, role).await;
    let hash = passwords::hash(&PASSWORD.parse().unwrap()).await.unwrap();
    change(t, &person, |row| row.password_hash = Set(hash)).await;
    person
}

/// Changes a person's row.
pub async fn change(t: &TestPanel, person: &Person, change: impl FnOnce(&mut user::ActiveModel)) {
    let mut row = user::ActiveModel { id: Set(person.user.clone()), ..Default::default() };
    change(&mut row);
    t.panel.db.tx(async |tx| row.update(tx).await.because("changing a person")).await.unwrap();
    t.panel.of::<SessionCache>().forget_user(&person.user);
}

/// Changes an organization's row.
pub async fn change_org(t: &TestPanel, id: &OrgId, change: impl FnOnce(&mut organization::ActiveModel)) {
    let mut row = organization::ActiveModel { id: Set(id.clone()), ..Default::default() };
    change(&mut row);
    t.panel.db.tx(async |tx| row.update(tx).await.because("changing an organization")).await.unwrap();
    t.panel.of::<SessionCache>().forget_org(id);
}

/// A person's row.
pub async fn row(t: &TestPanel, person: &Person) -> user::Model {
    user::Entity::find_by_id(person.user.clone()).one(t.panel.db.read()).await.unwrap().unwrap()
}

/// The seed of a new authenticator app, and the recovery codes; the step of now is used.
pub async fn with_app(t: &TestPanel, person: &Person) -> (String, Vec<String>) {
    let setup = person.post("/api/auth/2fa/setup", json!({})).await;
    assert_eq!(setup.status(), 200, "{}", setup.text());
    let seed = setup.data()["secret"].as_str().unwrap().to_string();
    let enabled = person.post("/api/auth/2fa/enable", json!({ "code": code(t, &seed, 0) })).await;
    assert_eq!(enabled.status(), 200, "{}", enabled.text());
    let codes = enabled.data()["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_string()).collect();
    (seed, codes)
}

/// The code of a step, counted from now.
pub fn code(t: &TestPanel, seed: &str, steps: i64) -> String {
    let mut at = t.panel.now();
    at.0 += steps * 30_000;
    codes::code_at(seed, at).unwrap()
}

/// Signs a script in.
pub async fn login(t: &TestPanel, person: &Person, totp: Option<&str>) -> Reply {
    let mut body = json!({ "email": row(t, person).await.email, "password": PASSWORD });
    if let Some(code) = totp {
        body["totp"] = code.into();
    }
    t.stranger().post("/api/auth/login", body).await
}

/// What the trail says, the oldest first: names and details.
pub async fn trail(t: &TestPanel) -> Vec<(String, Value)> {
    let rows = audit_event::Entity::find().order_by_asc(audit_event::Column::Id).all(t.panel.db.read()).await.unwrap();
    rows.into_iter().map(|row| (row.event, serde_json::from_str(&row.detail).unwrap())).collect()
}

/// How often something was done.
pub async fn done(t: &TestPanel, event: &str) -> usize {
    trail(t).await.iter().filter(|(name, _)| name == event).count()
}

/// What people were told of changes to their ways in, the oldest first.
pub async fn told(t: &TestPanel) -> Vec<String> {
    let letters = t.mails().await.into_iter().filter_map(|(_, letter)| letter.read::<SecondFactorLetter>());
    letters.map(|letter| letter.change).collect()
}

/// A browser that looks at the sign-in page: its cookies grow as a browser's do.
pub struct Browser {
    pub client: Client,
    cookies: Vec<(String, String)>,
    pub csrf: String,
}

impl Browser {
    /// Opens the sign-in page.
    pub async fn open(t: &TestPanel) -> Self {
        let client = t.stranger().with("origin", &t.panel.config.public_url());
        let mut browser = Browser { client, cookies: Vec::new(), csrf: String::new() };
        let page = browser.get("/sign-in").await;
        browser.csrf = page.hidden("_csrf").unwrap();
        browser
    }

    fn keep(&mut self, reply: &Reply) {
        for name in [VISIT, COOKIE, PENDING] {
            let Some(set) = reply.cookie(name) else { continue };
            let value = set.split(';').next().unwrap().split_once('=').unwrap().1.to_string();
            self.cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                self.cookies.push((name.into(), value));
            }
        }
        let all = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        self.client = self.client.with("cookie", &all);
    }

    /// Opens an address.
    pub async fn get(&mut self, path: &str) -> Reply {
        let reply = self.client.get(path).await;
        self.keep(&reply);
        reply
    }

    /// Sends a form of a page, with the page's token.
    pub async fn send(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf.clone();
        let all = [&[("_action", action), ("_csrf", csrf.as_str())], fields].concat();
        let reply = self.client.submit(page, &all).await;
        self.keep(&reply);
        reply
    }

    /// Whether somebody is signed in here.
    pub fn is_in(&self) -> bool {
        self.cookies.iter().any(|(name, _)| name == COOKIE)
    }

    /// Reads a page's token anew: it is another one after signing in.
    pub async fn look(&mut self, page: &str) -> Reply {
        let reply = self.get(page).await;
        if let Some(csrf) = reply.hidden("_csrf") {
            self.csrf = csrf;
        }
        reply
    }
}
