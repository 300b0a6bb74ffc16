//! Who calls the panel: a script with a bearer token, a browser with a cookie, or a stranger. Requests go straight into the
//! router; nothing listens.
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header},
};
use futures::StreamExt;
use serde_json::Value;
use skypanel::{
    error::Error,
    id::{OrgId, UserId},
};
use std::{net::SocketAddr, ops::Deref, time::Duration};
use tower::ServiceExt;

/// Somebody who is signed in twice: as a script and in a browser. Asked directly, the script asks.
pub struct Person {
    pub user: UserId,
    pub org: OrgId,
    pub script: Client,
    pub browser: Client,
}

impl Deref for Person {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.script
    }
}

/// Sends requests with certain headers.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: HeaderMap,
    peer: SocketAddr,
}

impl Client {
    /// Somebody without a credential.
    pub fn new(router: Router) -> Self {
        Client { router, headers: HeaderMap::new(), peer: ([203, 0, 113, 1], 40_000).into() }
    }

    /// The same with one header more, or another value of it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        other
    }

    /// The same without a header.
    pub fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.remove(name);
        other
    }

    /// The value of a header that it sends.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The same from another address.
    pub fn from(&self, address: &str) -> Self {
        Client { peer: SocketAddr::new(address.parse().unwrap(), 40_000), ..self.clone() }
    }

    /// Sends any body as it is.
    pub async fn raw(&self, method: &str, path: &str, kind: &str, body: impl Into<Body>) -> Reply {
        Reply::read(self.open(method, path, kind, body.into()).await).await
    }

    async fn open(&self, method: &str, path: &str, kind: &str, body: Body) -> Response<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method.parse::<Method>().unwrap();
        *request.uri_mut() = path.parse().unwrap_or_else(|_| panic!("{path} is no path"));
        *request.headers_mut() = self.headers.clone();
        if !kind.is_empty() {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends JSON.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Reply {
        self.raw(method, path, "application/json", body.to_string()).await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Reply {
        self.raw("GET", path, "", Body::empty()).await
    }

    /// Asks for a deed.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, body).await
    }

    /// Replaces.
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, body).await
    }

    /// Changes a part.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send("PATCH", path, body).await
    }

    /// Removes.
    pub async fn delete(&self, path: &str) -> Reply {
        self.raw("DELETE", path, "", Body::empty()).await
    }

    /// Calls a server function by its path, as a page's script does: what it answers, or its refusal.
    pub async fn call(&self, path: &str, fields: &[(&str, &str)]) -> Result<Reply, Error> {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let asks_by_get = path.ends_with("/check_repository");
        let reply = match asks_by_get {
            true => self.with("accept", "application/json").get(&format!("{path}?{form}")).await,
            false => self.with("accept", "application/json").raw("POST", path, "application/x-www-form-urlencoded", form).await,
        };
        if reply.status() < 400 {
            return Ok(reply);
        }
        Err(serde_json::from_str(&reply.text()).unwrap_or_else(|_| panic!("{path}: {} {}", reply.status(), reply.text())))
    }

    /// Posts a form of a page, with these fields and nothing else.
    pub async fn submit(&self, page: &str, fields: &[(&str, &str)]) -> Reply {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.raw("POST", page, "application/x-www-form-urlencoded", form).await
    }

    /// Opens a stream of server-sent events.
    pub async fn events(&self, path: &str) -> Events {
        let response = self.open("GET", path, "", Body::empty()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Events { body: response.into_body().into_data_stream().boxed(), text: String::new() }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    body: Vec<u8>,
    json: Value,
}

impl Reply {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        // A stream is read by `events`; here it would never end.
        let streams = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let body = if streams { Vec::new() } else { to_bytes(body, usize::MAX).await.unwrap().to_vec() };
        if parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
            let unknown = super::forms::unknown(&String::from_utf8_lossy(&body));
            assert!(unknown.is_empty(), "forms that their functions do not understand: {unknown:?}");
        }
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Reply { status: parts.status.as_u16(), headers: parts.headers, body, json }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// What stands in the envelope.
    pub fn data(&self) -> &Value {
        &self.json["data"]
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    /// The fields that a refusal names.
    pub fn fields(&self) -> Vec<&str> {
        let details = self.json["error"]["details"].as_array().map(Vec::as_slice).unwrap_or_default();
        details.iter().map(|detail| detail["field"].as_str().unwrap()).collect()
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What is set as this cookie, with its attributes.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let all = self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        all.into_iter().find(|value| value.starts_with(&format!("{name}="))).map(str::to_string)
    }

    /// The value of a hidden field of a page.
    pub fn hidden(&self, name: &str) -> Option<String> {
        let page = self.text();
        let tag = page.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\"")))?;
        Some(tag.split("value=\"").nth(1)?.split('"').next()?.to_string())
    }
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: String,
    pub name: String,
    pub data: Value,
}

/// A stream of events.
pub struct Events {
    body: futures::stream::BoxStream<'static, Result<axum::body::Bytes, axum::Error>>,
    text: String,
}

impl Events {
    /// The next event; nothing at the stream's end.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::time::timeout(Duration::from_secs(20), self.read()).await.expect("an event comes, or the end")
    }

    async fn read(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block);
                self.text = rest.to_string();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            self.text.push_str(std::str::from_utf8(&self.body.next().await?.ok()?).unwrap());
        }
    }

    /// All events up to the stream's end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_string());
    Some(Event { id: field("id:").unwrap_or_default(), name: field("event:")?, data: serde_json::from_str(&field("data:")?).unwrap() })
}
