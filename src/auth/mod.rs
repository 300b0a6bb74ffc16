//! Who asks: sessions of browsers, access tokens of scripts, and API keys. Each leads to a person in an organization with her rights at
//! that moment. Signing in and out is the business of the feature `accounts`, making keys that of `keys`.
pub mod access_tokens;
pub mod api_keys;
pub mod session;
