//! Somebody with an account of her own: registered, with an address that gets mail.
use super::{
    client::{Client, Reply},
    panel::{PATIENCE, TestPanel},
};
use serde_json::{Value, json};
use skypanel::{
    accounts::server::service as accounts,
    auth::session::{COOKIE, DEVICE, VISIT},
    outbox::LetterKinds,
};
use std::time::Duration;

pub const EMAIL: &str = "ada@example.com";
pub const PASSWORD: &str = "correct horse battery";
pub const OTHER_PASSWORD: &str = "nine pink lamps of winter";

impl TestPanel {
    /// Makes an account, after the one of whoever runs the platform; answers with its script, signed in, and what registering answered.
    pub async fn an_account(&self) -> (Client, Value) {
        let link = accounts::setup_link(&self.panel).await.unwrap().unwrap();
        let token = link.rsplit('/').next().unwrap();
        let operator = json!({ "name": "Root", "email": "root@example.com", "password": PASSWORD, "setup_token": token });
        self.register(operator).await;
        self.another_account("Ada Lovelace", EMAIL).await
    }

    /// Makes another account.
    pub async fn another_account(&self, name: &str, email: &str) -> (Client, Value) {
        self.register(json!({ "name": name, "email": email, "password": PASSWORD })).await
    }

    async fn register(&self, body: Value) -> (Client, Value) {
        let reply = self.stranger().post("/api/auth/register", body).await;
        assert_eq!(reply.status(), 201, "{}", reply.text());
        (self.bearing(reply.data()), reply.data().clone())
    }

    /// A script with the access token of an answer.
    pub fn bearing(&self, tokens: &Value) -> Client {
        self.stranger().with("authorization", &format!("Bearer {}", tokens["access_token"].as_str().unwrap()))
    }

    /// The links of the mails of one kind to an address, as the paths that they lead to.
    pub async fn links(&self, to: &str, kind: &str) -> Vec<String> {
        let all = self.mails().await.into_iter().filter(|(recipient, letter)| recipient == to && letter.kind == kind);
        let link = |letter| self.panel.of::<LetterKinds>().write(&letter, "").unwrap().link.unwrap_or_default();
        all.map(|(_, letter)| link(letter).strip_prefix(&self.panel.config.public_url()).unwrap_or_default().to_string()).collect()
    }

    /// Waits until so many mails of one kind to an address are in the outbox, and answers with their links.
    pub async fn links_in_time(&self, to: &str, kind: &str, count: usize) -> Vec<String> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let links = self.links(to, kind).await;
            if links.len() >= count {
                return links;
            }
            assert!(tokio::time::Instant::now() < end, "{} of {count} mails ({kind}) to {to}", links.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A browser that nobody used yet.
    pub fn browser(&self) -> Browser<'_> {
        Browser { t: self, client: self.stranger().with("origin", &self.panel.config.public_url()), cookies: Vec::new() }
    }
}

/// The token at the end of a link.
pub fn token_of(link: &str) -> &str {
    link.rsplit('/').next().unwrap()
}

/// A browser: keeps its cookies and posts the forms of pages.
pub struct Browser<'a> {
    t: &'a TestPanel,
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    /// The same browser at another address.
    pub fn moved(mut self, address: &str) -> Self {
        self.client = self.client.from(address);
        self
    }

    /// The same browser with this `User-Agent`.
    pub fn called(mut self, agent: &str) -> Self {
        self.client = self.client.with("user-agent", agent);
        self
    }

    fn client(&self) -> Client {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { self.client.clone() } else { self.client.with("cookie", &cookies.join("; ")) }
    }

    fn keep(&mut self, reply: &Reply) {
        for set in reply.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !set.contains("Max-Age=0") {
                self.cookies.push((name.into(), value.into()));
            }
        }
    }

    /// A cookie that it holds.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Loads a page.
    pub async fn open(&mut self, page: &str) -> Reply {
        let reply = self.client().get(page).await;
        self.keep(&reply);
        reply
    }

    /// Loads a page and posts a form of it.
    pub async fn post(&mut self, page: &str, action: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.open(page).await.hidden("_csrf").unwrap_or_else(|| panic!("{page} has no form"));
        let all: Vec<(&str, &str)> = [("_action", action), ("_csrf", token.as_str())].into_iter().chain(fields.iter().copied()).collect();
        let reply = self.client().submit(page, &all).await;
        self.keep(&reply);
        reply
    }

    /// Signs in on the page.
    pub async fn sign_in(&mut self, email: &str, password: &str) -> Reply {
        self.post("/sign-in", "sign_in", &[("email", email), ("password", password)]).await
    }

    /// Whether somebody is signed in in it.
    pub async fn is_in(&self) -> bool {
        assert!(!self.t.panel.config.public_url().is_empty());
        self.cookie(COOKIE).is_some() && self.client().get("/api/auth/me").await.status() == 200
    }

    /// Forgets what a private window forgets, or only the session.
    pub fn forget(&mut self, all: bool) {
        self.cookies.retain(|(name, _)| !all && (name == DEVICE || name == VISIT));
    }
}
