//! How the operator presents the product, in pages and in mail.
use serde::{Deserialize, Serialize};

/// How the operator presents the product, in pages and in mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BrandConfig {
    pub name: String,
    /// The colour of buttons and links, `#rrggbb`; ours where there is none.
    pub accent: Option<String>,
}

impl Default for BrandConfig {
    fn default() -> Self {
        BrandConfig { name: "SkyPanel".into(), accent: None }
    }
}

impl BrandConfig {
    /// What types alone don't say.
    pub(super) fn check(&self) -> Result<(), String> {
        let sound = (1..=60).contains(&self.name.trim().chars().count()) && !self.name.chars().any(char::is_control);
        if !sound {
            return Err("brand.name: 1 to 60 characters in one line.".into());
        }
        let colour = |text: &String| text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if !self.accent.as_ref().is_none_or(colour) {
            return Err("brand.accent: a colour like #2563eb.".into());
        }
        Ok(())
    }
}
