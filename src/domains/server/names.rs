//! Which names may be claimed: none of the platform's own, none that many own together, none that never leads anywhere.
use crate::{
    domains::model::{DomainName, Method},
    runtime::config::Config,
};

/// Names that only mean something on one machine or in one house (RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476).
const SPECIAL: [&str; 9] = ["localhost", "local", "internal", "invalid", "onion", "arpa", "lan", "alt", "home"];

/// The part of a name that somebody registered: `example.co.uk` of `shop.example.co.uk`.
pub fn registered(name: &str) -> Option<&str> {
    psl::domain_str(name.strip_prefix("*.").unwrap_or(name))
}

/// Refuses what nobody may claim.
pub fn claimable(config: &Config, name: &DomainName) -> Result<(), String> {
    let base = name.base();
    let apps = config.edge.apps_domain.as_str();
    if is_at_or_below(base, apps) || panel_host(config).is_some_and(|host| is_at_or_below(base, &host)) {
        return Err("This name is the platform’s own. Applications have one under it from the start; add a domain of yours.".into());
    }
    // A wildcard would cover the platform's own names where it is just above them.
    if name.is_wildcard() && [Some(apps.to_string()), panel_host(config)].iter().flatten().any(|own| is_at_or_below(own, base)) {
        return Err("This wildcard would cover the platform’s own names.".into());
    }
    if is_special(base) {
        return Err("This name has no meaning in the internet. Add a domain that you have registered.".into());
    }
    if registered(base).is_none() {
        return Err(format!("“{base}” is an ending that many share. Add a domain below it that is yours."));
    }
    if name.is_wildcard() && !config.domains.wildcards {
        return Err("Wildcards are not allowed here. Add each name by itself.".into());
    }
    Ok(())
}

/// Refuses a method that the platform can't do.
pub fn feasible(config: &Config, method: Method) -> Result<(), String> {
    match method {
        Method::Dns if config.acme.dns.is_none() => Err("This platform does not offer validation by DNS. Choose http or tls.".into()),
        _ => Ok(()),
    }
}

/// The panel's own host, where it has a name.
pub fn panel_host(config: &Config) -> Option<String> {
    let url = url::Url::parse(&config.public_url()).ok()?;
    url.domain().map(|host| host.trim_end_matches('.').to_lowercase())
}

/// Whether a name means something on one machine or in one house only.
pub fn is_special(name: &str) -> bool {
    SPECIAL.iter().any(|special| is_at_or_below(name, special))
}

fn is_at_or_below(name: &str, above: &str) -> bool {
    name == above || name.strip_suffix(above).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_owns_alone_is_refused() {
        let mut config = Config::default();
        config.edge.apps_domain = "apps.sky.example".into();
        config.panel.public_url = Some("https://panel.sky.example".into());
        let told = |config: &Config, name: &str| claimable(config, &name.parse().unwrap());
        for (name, word) in [
            ("co.uk", "ending"),
            ("github.io", "ending"),
            ("apps.sky.example", "platform’s own"),
            ("shop.apps.sky.example", "platform’s own"),
            ("a.b.apps.sky.example", "platform’s own"),
            ("panel.sky.example", "platform’s own"),
            ("*.sky.example", "would cover"),
            ("shop.local", "no meaning"),
            ("shop.localhost", "no meaning"),
            ("1.168.192.in-addr.arpa", "no meaning"),
        ] {
            let why = told(&config, name).expect_err(name);
            assert!(why.contains(word), "{name}: {why}");
        }
        for name in ["*.example.com", "example.com", "shop.example.co.uk", "ada.github.io", "sky.example", "xapps.sky.example", "shop.test"]
        {
            assert_eq!(told(&config, name), Ok(()), "{name}");
        }
        config.domains.wildcards = false;
        assert!(told(&config, "*.example.com").unwrap_err().contains("not allowed"));
        assert_eq!(registered("*.shop.example.co.uk"), Some("example.co.uk"));
    }
}
