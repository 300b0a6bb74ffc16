//! A provider of OpenID Connect on a free port: discovery, keys, tokens. It signs ES256, checks PKCE, and lies where a test wants it to.
use axum::{
    Form, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use skypanel::{runtime::config::OidcConfig, units::Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

/// What the provider does otherwise than it should.
#[derive(Debug, Clone, Default)]
pub struct Lies {
    /// Claims that take the place of the right ones.
    pub claims: Value,
    /// The token's header says `none`, and nothing is signed.
    pub unsigned: bool,
    /// Another key signs than the one that is published.
    pub foreign_key: bool,
}

/// Somebody who agreed to sign in: what her code stands for.
struct Granted {
    nonce: String,
    challenge: String,
    claims: Value,
}

struct Inner {
    issuer: String,
    pkcs8: Mutex<Vec<u8>>,
    kid: Mutex<u32>,
    lies: Mutex<Lies>,
    codes: Mutex<HashMap<String, Granted>>,
    now: Mutex<Timestamp>,
}

/// The provider.
#[derive(Clone)]
pub struct OidcProvider(Arc<Inner>);

fn new_key() -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap().as_ref().to_vec()
}

fn pair(pkcs8: &[u8]) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).unwrap()
}

impl OidcProvider {
    /// A provider that tells the truth, by this clock.
    pub async fn start(now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner {
            issuer,
            pkcs8: Mutex::new(new_key()),
            kid: Mutex::new(1),
            lies: Mutex::default(),
            codes: Mutex::default(),
            now: Mutex::new(now),
        };
        let provider = OidcProvider(Arc::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// How a panel is told of it.
    pub fn config(&self, id: &str) -> OidcConfig {
        OidcConfig {
            id: id.into(),
            name: "Acme’s directory".into(),
            issuer: self.0.issuer.clone(),
            client_id: "panel".into(),
            client_secret_file: None,
            scopes: vec!["email".into()],
            trust_email: false,
        }
    }

    /// From now on it lies like this.
    pub fn lie(&self, lies: Lies) {
        *self.0.lies.lock().unwrap() = lies;
    }

    /// It changes its keys.
    pub fn rotate(&self) {
        *self.0.pkcs8.lock().unwrap() = new_key();
        *self.0.kid.lock().unwrap() += 1;
    }

    /// Somebody agrees at the address that the panel sent her to: the code and the state that she comes back with.
    pub fn agree(&self, address: &str, claims: Value) -> (String, String) {
        let url = url::Url::parse(address).unwrap();
        assert!(address.starts_with(&self.0.issuer), "{address}");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((&*asked["response_type"], &*asked["client_id"], &*asked["code_challenge_method"]), ("code", "panel", "S256"));
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let code = skypanel::store::random::token();
        let granted = Granted { nonce: asked["nonce"].clone(), challenge: asked["code_challenge"].clone(), claims };
        self.0.codes.lock().unwrap().insert(code.clone(), granted);
        (code, asked["state"].clone())
    }

    fn id_token(&self, granted: &Granted) -> String {
        let lies = self.0.lies.lock().unwrap().clone();
        let now = self.0.now.lock().unwrap().millis() / 1000;
        let mut claims = json!({ "iss": self.0.issuer, "aud": "panel", "exp": now + 300, "iat": now, "nonce": granted.nonce });
        for more in [&granted.claims, &lies.claims] {
            for (name, value) in more.as_object().into_iter().flatten() {
                claims[name] = value.clone();
            }
        }
        let header = match lies.unsigned {
            true => json!({ "alg": "none", "typ": "JWT" }),
            false => json!({ "alg": "ES256", "typ": "JWT", "kid": format!("key-{}", self.0.kid.lock().unwrap()) }),
        };
        let text = format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()));
        if lies.unsigned {
            return format!("{text}.");
        }
        let key = if lies.foreign_key { new_key() } else { self.0.pkcs8.lock().unwrap().clone() };
        let signature = pair(&key).sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", B64.encode(signature))
    }
}

async fn discovery(State(provider): State<OidcProvider>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", provider.0.issuer);
    Json(json!({
        "issuer": provider.0.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/jwks"),
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256", "none"]
    }))
}

async fn jwks(State(provider): State<OidcProvider>) -> Json<Value> {
    let public = pair(&provider.0.pkcs8.lock().unwrap()).public_key().as_ref().to_vec();
    let kid = format!("key-{}", provider.0.kid.lock().unwrap());
    let key = json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": B64.encode(&public[1..33]), "y": B64.encode(&public[33..]) });
    Json(json!({ "keys": [key] }))
}

async fn token(State(provider): State<OidcProvider>, Form(asked): Form<HashMap<String, String>>) -> Response {
    let granted = provider.0.codes.lock().unwrap().remove(&asked["code"]);
    let proved = |granted: &Granted| B64.encode(Sha256::digest(asked["code_verifier"].as_bytes())) == granted.challenge;
    let Some(granted) = granted.filter(proved) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let token = provider.id_token(&granted);
    Json(json!({ "access_token": "none of the panel's business", "token_type": "Bearer", "expires_in": 60, "id_token": token }))
        .into_response()
}
