//! Swarm takes the values of the environment, the host name and mounts of a task for Go templates (`{{.Node.Hostname}}`): the manager tries
//! them when a service is made, the node evaluates them when a task starts (swarmkit, `template/expand.go`; Docker 17.06 to 28). A value of a
//! customer's may hold `{{`, too, and means it. [`literal`] writes every value so that the evaluation gives back the same bytes, and nothing of
//! Swarm's templates is within anybody's reach. Names, labels, commands, constraints and network aliases are never evaluated.
//!
//! Go's `text/template` copies text until the next `{{`, wherever it stands, and has no escape for it. An action that is a string
//! constant prints the string: `{{"{{"}}` prints `{{`. `}}` outside an action is text, and blanks are trimmed only by an action that begins with
//! `{{- ` or ends with ` -}}`, which this one does not.
use crate::{ServiceSpec, SwarmError};

/// What begins an action in a Go template.
const OPEN: &str = "{{";
/// The action that prints [`OPEN`].
const PRINT_OPEN: &str = r#"{{"{{"}}"#;
/// What stands in place of a value in the engine's words.
pub(crate) const HIDDEN: &str = "[hidden]";

/// The template that prints this value, byte for byte. Pairs of braces are taken from the left, as Go takes them, so that `{{{` is one pair and
/// a brace.
pub(crate) fn literal(value: &str) -> String {
    value.replace(OPEN, PRINT_OPEN)
}

/// What Swarm makes of a template, for the fake: text and string constants are printed, everything else is refused. (The real one knows fields
/// such as `.Service.Name`, which nobody may reach by our specs.) The error is Go's sentence.
pub(crate) fn expand(template: &str) -> Result<String, String> {
    let (mut printed, mut rest) = (String::new(), template);
    while let Some(at) = rest.find(OPEN) {
        printed.push_str(&rest[..at]);
        let action = &rest[at + OPEN.len()..];
        let constant = action.strip_prefix('"').and_then(|text| text.split_once('"')).filter(|(text, _)| !text.contains('\\'));
        let Some((text, after)) = constant.and_then(|(text, after)| Some((text, after.strip_prefix("}}")?))) else {
            let words = action.split("}}").next().unwrap_or_default();
            return Err(format!("template: expansion:1: unexpected {words:?} in command"));
        };
        printed.push_str(text);
        rest = after;
    }
    printed.push_str(rest);
    Ok(printed)
}

/// The engine's words without what they quote of an environment: after the name of a variable and its `=`, nothing is passed on, because the
/// rest may hold its value in any spelling (Go quotes it, and cuts it).
pub(crate) fn without_values<'a>(words: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = |name: &str| {
        let assignment = format!("{name}=");
        words.find(&assignment).map(|at| at + assignment.len())
    };
    match names.into_iter().filter(|name| !name.is_empty()).filter_map(quoted).min() {
        Some(end) => format!("{}{HIDDEN}", &words[..end]),
        None => words.to_string(),
    }
}

impl ServiceSpec {
    /// An error about this spec without the values of its environment.
    pub(crate) fn without_values(&self, why: SwarmError) -> SwarmError {
        let clean = |words: String| without_values(&words, self.env.iter().map(|(name, _)| name.as_str()));
        match why {
            SwarmError::NotFound(words) => SwarmError::NotFound(clean(words)),
            SwarmError::Conflict(words) => SwarmError::Conflict(clean(words)),
            SwarmError::Refused(words) => SwarmError::Refused(clean(words)),
            SwarmError::Unreachable(words) => SwarmError::Unreachable(clean(words)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_value_comes_back_from_its_template(value in r#"([{}"\\`.| \n-]|\PC){0,40}"#) {
            prop_assert_eq!(expand(&literal(&value)), Ok(value));
        }

        #[test]
        fn no_action_but_a_string_constant_is_ever_written(value in r#"[{}"a.-]{0,30}"#) {
            let text = literal(&value);
            for (at, _) in text.match_indices(PRINT_OPEN).collect::<Vec<_>>().into_iter().rev() {
                prop_assert!(!text[..at].ends_with('{'), "{} begins an action one brace earlier", text);
            }
            prop_assert!(!text.replace(PRINT_OPEN, "").contains(OPEN) || value.contains("{{{"), "{}", text);
        }
    }

    #[test]
    fn swarms_templates_are_out_of_reach() {
        for value in
            ["{{.Node.Hostname}}", "{{- if .Summary -}}", "{{ user.name | upper }}", r#"{{"{{"}}"#, "{{/* x */}}", "{{{{", "a{{{b}}}", "{"]
        {
            assert!(value == "{" || value.starts_with("a{{{") || value == r#"{{"{{"}}"# || expand(value).is_err(), "{value} is an action");
            assert_eq!(expand(&literal(value)), Ok(value.to_string()));
        }
    }

    #[test]
    fn the_engines_words_end_where_a_value_begins() {
        let names = ["TOKEN", "KEY"];
        let words = r#"expanding env failed: expanding env "TOKEN={{hunter2}}": template: expansion:1: function "hunter2" not defined"#;
        assert_eq!(without_values(words, names), r#"expanding env failed: expanding env "TOKEN=[hidden]"#);
        assert_eq!(without_values("no suitable node (KEY)", names), "no suitable node (KEY)");
    }
}
