//! Ids: prefixed, sortable by birth, parsed at every edge. An id of the wrong kind does not parse, so a path or a body can't
//! smuggle one thing's id into another's place.
use std::{fmt, str::FromStr};

/// Length of what follows the prefix: a ULID in Crockford's base 32, lower case.
pub const SUFFIX: usize = 26;

/// What every kind of id can do.
pub trait Id: Sized + Clone + fmt::Display + FromStr {
    /// The prefix without its underscore.
    const PREFIX: &'static str;

    /// Puts the prefix before a suffix that is known to be well formed.
    fn from_suffix(suffix: &str) -> Self;

    /// The whole id.
    fn as_str(&self) -> &str;

    /// What follows the prefix: safe in DNS labels, service names and image tags.
    fn suffix(&self) -> &str {
        &self.as_str()[Self::PREFIX.len() + 1..]
    }
}

/// The text was no id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("This is not an id of the form {0}_….")]
pub struct NotAnId(pub &'static str);

/// Makes kinds of ids: `ids! { /// A note. NoteId "not"; }`. A feature calls it in its `model.rs` for the ids that are its own; where the
/// crate of columns is compiled in, they can stand in columns. The caller needs `serde` and `utoipa`.
#[macro_export]
macro_rules! ids {
    ($($(#[doc = $text:literal])* $name:ident $prefix:literal;)*) => {
        $(
            $(#[doc = $text])*
            #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $name(String);

            impl $crate::id::Id for $name {
                const PREFIX: &'static str = $prefix;
                fn from_suffix(suffix: &str) -> Self { Self(format!("{}_{}", $prefix, suffix)) }
                fn as_str(&self) -> &str { &self.0 }
            }
            impl std::str::FromStr for $name {
                type Err = $crate::id::NotAnId;
                fn from_str(text: &str) -> Result<Self, $crate::id::NotAnId> {
                    match text.strip_prefix(concat!($prefix, "_")) {
                        Some(rest) if $crate::id::is_suffix(rest) => Ok(Self(text.to_string())),
                        _ => Err($crate::id::NotAnId($prefix)),
                    }
                }
            }
            impl TryFrom<String> for $name {
                type Error = $crate::id::NotAnId;
                fn try_from(text: String) -> Result<Self, $crate::id::NotAnId> { text.parse() }
            }
            impl From<$name> for String {
                fn from(id: $name) -> String { id.0 }
            }
            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
            }
            impl std::fmt::Debug for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
            }
            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> { $crate::id::schema($prefix, concat!($($text),*)) }
            }
            impl utoipa::ToSchema for $name {}
        )*
        $crate::id_columns! { $($name),* }
    };
}

ids! {
    /// A person with an account.
    UserId "usr";
    /// An organization: the wall between tenants.
    OrgId "org";
    /// A signed-in browser or a bearer of the API.
    SessionId "ses";
    /// A line of the audit trail.
    AuditId "aud";
    /// A swarm that the operator offers.
    ProviderId "prv";
    /// What an organization may use, and later its price.
    PlanId "pln";
    /// An organization's slice of a swarm.
    ClusterId "cls";
    /// An application.
    AppId "app";
    /// An immutable image digest with its configuration.
    ReleaseId "rel";
    /// One attempt to put a release in front of visitors.
    DeploymentId "dep";
    /// A role that an organization made.
    RoleId "rol";
    /// An invitation into an organization.
    InvitationId "inv";
    /// A key of the API.
    ApiKeyId "key";
    /// A message in the outbox.
    MailId "mal";
    /// A passkey of a person.
    PasskeyId "psk";
    /// Where an organization's audit trail is sent.
    StreamId "str";
    /// A note of the operator to users.
    AnnouncementId "ann";
    /// A domain of an application.
    DomainId "dom";
    /// A certificate of a name.
    CertificateId "crt";
    /// An edge that runs elsewhere.
    EdgeId "edg";
    /// A path under a host that leads to an application.
    PathId "pth";
}

/// How an id looks in the API's document.
pub fn schema(prefix: &str, about: &str) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    let pattern = format!("^{prefix}_[0-9a-hjkmnp-tv-z]{{26}}$");
    let example = format!("{prefix}_01jd0000000000000000000000");
    let id = ObjectBuilder::new().schema_type(Type::String).description(Some(about.trim())).pattern(Some(pattern));
    id.examples([example]).into()
}

/// Without the database ids stand in no columns.
#[cfg(not(feature = "store"))]
#[macro_export]
macro_rules! id_columns {
    ($($name:ident),*) => {};
}

/// Whether a text is what follows the prefix of an id.
pub fn is_suffix(text: &str) -> bool {
    text.len() == SUFFIX && text.bytes().all(|b| b.is_ascii_digit() || (b.is_ascii_lowercase() && !matches!(b, b'i' | b'l' | b'o' | b'u')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_another_kind_does_not_parse() {
        let app = AppId::from_suffix("01jd0000000000000000000000");
        assert_eq!(app.to_string().parse::<AppId>(), Ok(app.clone()));
        assert!(app.to_string().parse::<OrgId>().is_err());
        assert!("app_../../etc/passwd0000000000".parse::<AppId>().is_err());
        assert!("app_01JD0000000000000000000000".parse::<AppId>().is_err());
    }
}
