//! What the API takes.
use super::{DomainName, Method};
use crate::{
    error::{Error, Fields, Result},
    id::AppId,
};
use serde::{Deserialize, Serialize};

/// Adds a domain to an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "application_id": "app_01jd0000000000000000000000", "domain": "shop.example.com", "with_counterpart": true }))]
pub struct CreateDomain {
    pub application_id: String,
    /// In any script; `*.example.com` with the DNS method alone.
    pub domain: String,
    /// `http` (where it is left out), `tls` or `dns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_method: Option<String>,
    /// Makes it the one that the application's other domains redirect to.
    #[serde(default)]
    pub primary_domain: bool,
    /// Adds `www.` in front as well, or takes it away, as a domain that redirects to this one.
    #[serde(default)]
    pub with_counterpart: bool,
}

/// A [`CreateDomain`] that was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDomain {
    pub app: AppId,
    pub name: DomainName,
    pub shown: String,
    pub method: Method,
    pub primary: bool,
    pub counterpart: Option<DomainName>,
}

impl CreateDomain {
    /// Parses all fields at once.
    pub fn parse(&self) -> Result<NewDomain> {
        let mut fields = Fields::default();
        let app = fields.take("application_id", self.application_id.parse::<AppId>());
        let name = fields.take("domain", self.domain.parse::<DomainName>());
        let wildcard = name.as_ref().is_some_and(DomainName::is_wildcard);
        let usual = if wildcard { "dns" } else { "http" };
        let method = fields.take("validation_method", self.validation_method.as_deref().unwrap_or(usual).parse::<Method>());
        if wildcard && method.is_some_and(|method| method != Method::Dns) {
            fields.refuse("validation_method", "A wildcard is validated by DNS only.");
        }
        if wildcard && self.primary_domain {
            fields.refuse("primary_domain", "A wildcard can’t be what other domains redirect to.");
        }
        let counterpart = name.as_ref().filter(|_| self.with_counterpart).map(DomainName::counterpart);
        if counterpart == Some(None) {
            fields.refuse("with_counterpart", "This domain has no counterpart with or without www.");
        }
        fields.done()?;
        match (app, name, method) {
            (Some(app), Some(name), Some(method)) => Ok(NewDomain {
                app,
                shown: name.shown(&self.domain),
                name,
                method,
                primary: self.primary_domain,
                counterpart: counterpart.flatten(),
            }),
            _ => Err(Error::invalid("domain", "Give a domain, like shop.example.com.")),
        }
    }
}

/// Changes a domain; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "redirect_to_primary": true }))]
pub struct UpdateDomain {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_domain: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_to_primary: Option<bool>,
    /// Another application of the organization, which it shall lead to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
}

/// What shall become of a domain's certificate: another method, another attempt now, or one of the customer's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "method": "http" }))]
pub struct ChangeCertificate {
    /// `http`, `tls` or `dns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Orders another one although there is one.
    #[serde(default)]
    pub force_renew: bool,
    /// The customer's own in PEM: the domain's first, then those that it was signed by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_chain: Option<String>,
    /// Its key in PEM, without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key: Option<String>,
}
