//! An authenticator in software: makes passkeys (ES256) and answers challenges with them, as a browser would hand it on.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const HAS_KEY: u8 = 0x40;

/// A device with passkeys on it.
pub struct Authenticator {
    /// The address that the browser shows.
    pub origin: String,
    /// Whether it asks for a finger or a PIN.
    pub verifies: bool,
    /// The counter of its next answer; one that counts no further is stuck.
    pub counter: u32,
    keys: Vec<Key>,
}

struct Key {
    id: Vec<u8>,
    pkcs8: Vec<u8>,
    site: String,
    user: Vec<u8>,
}

impl Key {
    fn pair(&self) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &self.pkcs8, &SystemRandom::new()).unwrap()
    }
}

fn bytes(text: &Value) -> Vec<u8> {
    B64.decode(text.as_str().unwrap()).unwrap()
}

fn cbor_bytes(bytes: &[u8]) -> Vec<u8> {
    [&[0x59, (bytes.len() >> 8) as u8, bytes.len() as u8][..], bytes].concat()
}

fn cbor_text(text: &str) -> Vec<u8> {
    [&[0x60 + text.len() as u8][..], text.as_bytes()].concat()
}

impl Authenticator {
    /// A device whose browser shows this address.
    pub fn at(origin: &str) -> Self {
        Authenticator { origin: origin.into(), verifies: true, counter: 1, keys: Vec::new() }
    }

    /// The same device once more: a copy of all that is on it.
    pub fn copied(&self) -> Self {
        let keys = self.keys.iter().map(|key| Key {
            id: key.id.clone(),
            pkcs8: key.pkcs8.clone(),
            site: key.site.clone(),
            user: key.user.clone(),
        });
        Authenticator { origin: self.origin.clone(), verifies: self.verifies, counter: self.counter, keys: keys.collect() }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> Vec<u8> {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false }).to_string().into_bytes()
    }

    fn data(&mut self, site: &str, more: u8) -> Vec<u8> {
        let flags = PRESENT | more | if self.verifies { VERIFIED } else { 0 };
        let counter = self.counter.to_be_bytes();
        self.counter += 1;
        [&Sha256::digest(site.as_bytes())[..], &[flags], &counter].concat()
    }

    /// Makes a passkey.
    pub fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let random = SystemRandom::new();
        let key = Key {
            id: ring::rand::generate::<[u8; 32]>(&random).unwrap().expose().to_vec(),
            pkcs8: EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap().as_ref().to_vec(),
            site: options["rp"]["id"].as_str().unwrap().into(),
            user: bytes(&options["user"]["id"]),
        };
        let public = key.pair().public_key().as_ref().to_vec();
        // COSE: kty EC2, alg ES256, crv P-256, x, y.
        let cose =
            [&[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 32][..], &public[1..33], &[0x22, 0x58, 32], &public[33..]].concat();
        let mut data = self.data(&key.site.clone(), HAS_KEY);
        data.extend([0u8; 16]);
        data.extend((key.id.len() as u16).to_be_bytes());
        data.extend(&key.id);
        data.extend(cose);
        let object =
            [vec![0xa3], cbor_text("fmt"), cbor_text("none"), cbor_text("attStmt"), vec![0xa0], cbor_text("authData"), cbor_bytes(&data)]
                .concat();
        let id = B64.encode(&key.id);
        let client = self.client_data("webauthn.create", &options["challenge"]);
        self.keys.push(key);
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "response": { "attestationObject": B64.encode(object), "clientDataJSON": B64.encode(client) }
        })
        .to_string()
    }

    /// Answers with a passkey: one that is asked for, or its newest where any will do.
    pub fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let allowed: Vec<Vec<u8>> = options["allowCredentials"].as_array().into_iter().flatten().map(|it| bytes(&it["id"])).collect();
        let site = options["rpId"].as_str().unwrap();
        let fits = |key: &&Key| key.site == site && (allowed.is_empty() || allowed.contains(&key.id));
        let key = self.keys.iter().rfind(fits).expect("a passkey that fits");
        let (id, user, pair) = (B64.encode(&key.id), B64.encode(&key.user), key.pair());
        let client = self.client_data("webauthn.get", &options["challenge"]);
        let data = self.data(site, 0);
        let signed = [&data[..], &Sha256::digest(&client)[..]].concat();
        let signature = pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": id, "rawId": id, "type": "public-key",
            "response": {
                "authenticatorData": B64.encode(data), "clientDataJSON": B64.encode(client),
                "signature": B64.encode(signature), "userHandle": user
            }
        })
        .to_string()
    }
}
