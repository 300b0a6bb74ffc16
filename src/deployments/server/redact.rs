//! Keeps the secret values of an application out of the engine's words before these become a sentence, a dossier or a line of a log. The door to
//! the swarm already cuts what is quoted behind a variable's name; this knows the values themselves, wherever they stand.
use crate::{
    apps::server::env,
    error::Result,
    fault::Because,
    runtime::panel::Panel,
    store::tables::{deployment, release},
};
use sea_orm::EntityTrait;

/// What stands in place of a secret.
const HIDDEN: &str = "[hidden]";
/// Shorter values are left: so short a word protects nothing, and to take it out would tear every sentence that has it (`1`, `on`).
const SHORTEST: usize = 4;
/// At least so much of a secret must stand at the end of a text to be taken for one that was cut.
const CUT: usize = 8;

/// The secret values of one deployment, in every spelling in which an engine quotes them.
pub struct SecretValues(Vec<String>);

impl SecretValues {
    /// Those of the environment that a deployment runs with.
    pub async fn of(panel: &Panel, row: &deployment::Model) -> Result<Self> {
        let version = match &row.release_id {
            Some(id) => {
                let release = release::Entity::find_by_id(id.clone()).one(panel.db.read()).await.because("looking up a release")?;
                release.map_or(row.env_version, |release| release.env_version)
            }
            None => row.env_version,
        };
        match env::secret_values(panel, &row.application_id, version).await {
            Ok(values) => Ok(SecretValues::new(values)),
            Err(why) => {
                // The step that needs them fails of the same, and says so.
                tracing::warn!(deployment.id = %row.id, "secrets can't be opened: {why}");
                Ok(SecretValues::new([]))
            }
        }
    }

    fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for value in values {
            // Go and JSON quote alike what matters here: quotes, backslashes and ends of lines.
            let quoted = format!("{value:?}");
            let lines = value.lines().filter(|line| line.chars().count() >= CUT).map(str::to_string);
            all.extend(lines);
            all.push(quoted[1..quoted.len() - 1].to_string());
            all.push(value);
        }
        all.retain(|value| value.chars().count() >= SHORTEST);
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        SecretValues(all)
    }

    /// The text without them.
    pub fn hide(&self, text: &str) -> String {
        let mut text = self.0.iter().fold(text.to_string(), |text, secret| text.replace(secret, HIDDEN));
        let end = text.trim_end_matches(['.', '…', '"']).len();
        let cut = |secret: &String| {
            let starts = secret.char_indices().map(|(at, _)| &secret[..at]).skip(CUT);
            starts.filter(|start| text[..end].ends_with(start)).map(str::len).max()
        };
        if let Some(length) = self.0.iter().filter_map(cut).max() {
            text.replace_range(end - length..end, HIDDEN);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(secrets: &[&str], text: &str) -> String {
        SecretValues::new(secrets.iter().map(ToString::to_string)).hide(text)
    }

    #[test]
    fn a_secret_is_hidden_however_it_is_quoted() {
        assert_eq!(hidden(&["hunter2"], "expanding env \"TOKEN=hunter2\""), "expanding env \"TOKEN=[hidden]\"");
        assert_eq!(hidden(&["a\"b\\c"], r#"bad "a\"b\\c" here"#), "bad \"[hidden]\" here");
        assert_eq!(hidden(&["-----BEGIN KEY-----\nMIIEvQIBADANBg\n"], "invalid: MIIEvQIBADANBg"), "invalid: [hidden]");
        assert_eq!(hidden(&["long-secret-value"], "refused: long-secret-v"), "refused: [hidden]", "cut by whoever told it");
        assert_eq!(hidden(&["secret", "secret-and-more"], "secret-and-more"), "[hidden]");
    }

    #[test]
    fn other_words_stay() {
        assert_eq!(hidden(&["1", "on"], "ended with exit code 1 on node"), "ended with exit code 1 on node");
        assert_eq!(hidden(&[], "no such image"), "no such image");
    }
}
