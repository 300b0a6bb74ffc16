//! What is looked at before anybody else is asked: the ownership record, where the name points to, which authorities may issue, whether we
//! are reached from outside, and whether a DNS challenge would find its answer. Each check says what was found and what was expected.
use crate::{
    domains::{
        model::{Check, CheckKind, DomainName, Method, Verdict},
        server::{
            names,
            reach::{self, Visit},
            records,
            resolve::{Addresses, Caa, Dns, NoAnswer},
        },
    },
    error::Result,
    id::Id,
    runtime::config::Config,
    store::tables::{certificate, domain},
};
use std::{collections::BTreeSet, net::IpAddr, time::Duration};

/// How long all checks of a domain may take together.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub checks: Vec<Check>,
    /// The texts at the name of the ownership record; nothing is known where no name server answered.
    pub proofs: Option<Vec<String>>,
}

impl Found {
    /// One of the checks.
    pub fn of(&self, kind: CheckKind) -> Option<&Check> {
        self.checks.iter().find(|check| check.kind == kind)
    }

    /// Why a certificate can't be had now: the first check that would fail at the authority, too.
    pub fn hindrance(&self, method: Method) -> Option<&Check> {
        let matters = |check: &&Check| match check.kind {
            CheckKind::Authority => true,
            CheckKind::Address => method != Method::Dns,
            CheckKind::Reachable => method == Method::Http,
            CheckKind::Delegation => method == Method::Dns,
            CheckKind::Ownership => false,
        };
        self.checks.iter().filter(matters).find(|check| check.verdict == Verdict::Fail)
    }
}

/// What is looked at.
pub struct Subject<'a> {
    name: &'a DomainName,
    method: Method,
    /// What the ownership record must say; none for the platform's own names.
    token: Option<&'a str>,
    /// What the answer to a visit is made of.
    probe: &'a str,
    /// Where in the platform's zone its challenge is answered.
    of: String,
    /// The name under the platform's domain that it may be an alias for.
    own: String,
}

impl<'a> Subject<'a> {
    /// A claim of an application with this host label.
    pub fn of_claim(config: &Config, row: &'a domain::Model, name: &'a DomainName, method: Method, app_host: &str) -> Self {
        let own = records::target(config, app_host);
        Subject { name, method, token: Some(&row.token), probe: &row.token, of: records::label(row, name), own }
    }

    /// A name of the platform's own.
    pub fn of_platform(config: &Config, row: &'a certificate::Model, name: &'a DomainName, method: Method) -> Self {
        let own = names::panel_host(config).unwrap_or_else(|| name.to_string());
        Subject { name, method, token: None, probe: row.id.as_str(), of: records::PLATFORM.into(), own }
    }
}

/// Looks at everything.
pub async fn look(config: &Config, subject: &Subject<'_>) -> Result<Found> {
    let dns = Dns::open(config)?;
    let all = async {
        let name = subject.name;
        // Of a wildcard any name below tells where it points to.
        let probed = if name.is_wildcard() { format!("skypanel-check.{}", name.base()) } else { name.to_string() };
        let proof = name.ownership();
        let texts = async {
            match subject.token {
                Some(_) => dns.texts(&proof).await,
                None => Ok(Vec::new()),
            }
        };
        let (texts, caa, addresses, expected, delegation) = tokio::join!(
            texts.in_time(),
            dns.authorities(name.base()).in_time(),
            dns.addresses(&probed).in_time(),
            expected(config, &dns, &subject.own).in_time(),
            delegation(config, &dns, subject),
        );
        let mut checks: Vec<Check> = subject.token.iter().map(|token| ownership(name, token, &texts)).collect();
        checks.push(address(&addresses, &expected.unwrap_or_default(), &subject.own));
        if subject.method != Method::Dns {
            checks.push(reachable(config, subject, &addresses).await);
        }
        checks.push(authority(config, name, &caa));
        checks.extend(delegation);
        Found { checks, proofs: texts.ok() }
    };
    Ok(all.await)
}

/// A question that is given up in time.
trait InTime<T> {
    async fn in_time(self) -> Result<T, NoAnswer>;
}

impl<T, F: Future<Output = Result<T, NoAnswer>>> InTime<T> for F {
    async fn in_time(self) -> Result<T, NoAnswer> {
        tokio::time::timeout(PATIENCE, self).await.unwrap_or_else(|_| Err(NoAnswer("it took too long".into())))
    }
}

/// The addresses that a domain should have: those configured, or those of the application's own name.
async fn expected(config: &Config, dns: &Dns, own: &str) -> Result<BTreeSet<IpAddr>, NoAnswer> {
    if !config.edge.public_addresses.is_empty() {
        return Ok(config.edge.public_addresses.iter().copied().collect());
    }
    Ok(dns.addresses(own).await?.all)
}

fn check(kind: CheckKind, verdict: Verdict, expected: Vec<String>, found: Vec<String>, words: impl Into<String>) -> Check {
    let shorten = |all: Vec<String>| all.into_iter().take(12).map(|text| shown(&text)).collect();
    Check { kind, verdict, expected: shorten(expected), found: shorten(found), words: words.into() }
}

/// A stranger's text, made fit for a page.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '�' } else { c }).take(200).collect()
}

fn ownership(name: &DomainName, token: &str, texts: &Result<Vec<String>, NoAnswer>) -> Check {
    let (kind, at, wanted) = (CheckKind::Ownership, name.ownership(), vec![token.to_string()]);
    match texts {
        Err(_) => check(kind, Verdict::Unknown, wanted, vec![], unanswered(&at)),
        Ok(found) if found.iter().any(|text| text.trim() == token) => {
            check(kind, Verdict::Pass, wanted, found.clone(), "The record is there: the domain is yours.")
        }
        Ok(found) if found.is_empty() => {
            let words = format!("There is no TXT record at {at} yet. New records can take minutes, and some providers hours, to be seen.");
            check(kind, Verdict::Fail, wanted, vec![], words)
        }
        Ok(found) => {
            let words = format!("There is a TXT record at {at}, but none with this value. Add it beside the others.");
            check(kind, Verdict::Fail, wanted, found.clone(), words)
        }
    }
}

fn unanswered(name: &str) -> String {
    format!("The name servers of {name} gave no answer just now. It is looked at again by itself.")
}

/// Networks that stand in front of other people's servers, told by the names that lead through them.
const PROXIES: [(&str, &str); 6] = [
    (".cdn.cloudflare.net", "Cloudflare"),
    (".cloudfront.net", "CloudFront"),
    (".fastly.net", "Fastly"),
    (".akamaiedge.net", "Akamai"),
    (".edgekey.net", "Akamai"),
    (".azureedge.net", "Azure"),
];
/// Cloudflare's IPv4 networks, whose names don't show.
const CLOUDFLARE: [(u32, u32); 4] = [(0x6810_0000, 12), (0xac40_0000, 13), (0xbc72_6000, 20), (0xa29e_0000, 15)];

fn proxy(found: &Addresses) -> Option<&'static str> {
    let by_name = PROXIES.iter().find(|(end, _)| found.aliases.iter().any(|alias| alias.ends_with(end))).map(|(_, who)| *who);
    let is_cloudflare = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => CLOUDFLARE.iter().any(|(net, bits)| u32::from(*ip) >> (32 - bits) == net >> (32 - bits)),
        IpAddr::V6(ip) => ip.segments()[0] == 0x2606 && ip.segments()[1] == 0x4700,
    };
    by_name.or_else(|| found.all.iter().any(is_cloudflare).then_some("Cloudflare"))
}

fn address(addresses: &Result<Addresses, NoAnswer>, expected: &BTreeSet<IpAddr>, own: &str) -> Check {
    let kind = CheckKind::Address;
    let wanted = if expected.is_empty() { vec![own.to_string()] } else { records::lines(expected) };
    let Ok(found) = addresses else { return check(kind, Verdict::Unknown, wanted, vec![], unanswered("this domain")) };
    let lines: Vec<String> = found.aliases.iter().cloned().chain(records::lines(&found.all)).collect();
    let right = found.all.intersection(expected).count();
    let wrong: Vec<String> = records::lines(found.all.difference(expected));
    let aliased = found.aliases.iter().any(|alias| alias == own);
    let (verdict, words) = match proxy(found) {
        _ if found.all.is_empty() && aliased => {
            (Verdict::Unknown, format!("It is an alias for {own}, which has no address itself. Ask the operator of the platform."))
        }
        _ if found.all.is_empty() => {
            (Verdict::Fail, "The domain has no address yet. Set the records below; it can take a while until they are seen.".to_string())
        }
        _ if expected.is_empty() && aliased => (Verdict::Pass, "It is an alias for the application’s own name.".into()),
        _ if expected.is_empty() => {
            (Verdict::Unknown, "The platform does not know its own public addresses, so this can’t be told.".into())
        }
        _ if wrong.is_empty() => (Verdict::Pass, "The domain points here.".into()),
        _ if right > 0 => {
            let also = wrong.join(", ");
            (
                Verdict::Warning,
                format!(
                    "The domain points here, but also to {also}. A part of its visitors and checks end up there: remove these records."
                ),
            )
        }
        Some(who) => (
            Verdict::Warning,
            format!(
                "The domain goes through {who}. That works where {who} sends plain HTTP on to this platform; else switch its proxy off for this name, or validate by DNS."
            ),
        ),
        None => (Verdict::Fail, format!("The domain points elsewhere, to {}. Replace these records.", wrong.join(", "))),
    };
    check(kind, verdict, wanted, lines, words)
}

async fn reachable(config: &Config, subject: &Subject<'_>, addresses: &Result<Addresses, NoAnswer>) -> Check {
    let kind = CheckKind::Reachable;
    let wanted = vec![Visit::Ours.words()];
    let all = addresses.as_ref().map(|found| found.all.clone()).unwrap_or_default();
    if all.is_empty() {
        return check(kind, Verdict::Unknown, wanted, vec![], "There is no address to visit yet.");
    }
    let visits = reach::visit(config, subject.name, subject.probe, all.into_iter()).await;
    let lines = visits.iter().map(|(ip, visit)| format!("{ip}: {}", visit.words())).collect();
    let ours = visits.iter().filter(|(_, visit)| *visit == Visit::Ours).count();
    let first = visits.iter().find(|(_, visit)| *visit != Visit::Ours).map(|(_, visit)| visit.clone());
    let port = config.domains.http_port;
    let (verdict, words) = match first {
        None => (Verdict::Pass, "A visit over plain HTTP reaches this platform.".to_string()),
        Some(_) if ours > 0 => (Verdict::Warning, "Only some of the domain’s addresses reach this platform. Remove the others.".into()),
        Some(Visit::Redirect(_)) => (
            Verdict::Warning,
            "Something before this platform sends visitors on. The certificate authority follows, and must end up here: let plain HTTP through.".into(),
        ),
        Some(Visit::Silent) => (Verdict::Fail, format!("Nothing answers at port {port}. Is a firewall in between?")),
        Some(Visit::Refused) => (Verdict::Fail, "The domain points to a private address, which the internet can’t reach.".into()),
        Some(_) => (Verdict::Fail, "Another server answers for this domain. Point it here.".into()),
    };
    check(kind, verdict, wanted, lines, words)
}

fn authority(config: &Config, name: &DomainName, caa: &Result<(String, Vec<Caa>), NoAnswer>) -> Check {
    let kind = CheckKind::Authority;
    let ours = &config.acme.caa_identities;
    let wanted: Vec<String> = ours.iter().map(|who| format!("issue \"{who}\"")).collect();
    let Ok((at, all)) = caa else { return check(kind, Verdict::Unknown, wanted, vec![], unanswered(name.base())) };
    let lines: Vec<String> = all.iter().map(|it| format!("{at}: {} \"{}\"", it.tag, it.value)).collect();
    let tagged = |tag: &str| all.iter().filter(|it| it.tag == tag).collect::<Vec<_>>();
    let issue = match tagged("issuewild") {
        wild if name.is_wildcard() && !wild.is_empty() => wild,
        _ => tagged("issue"),
    };
    let strange = all.iter().any(|it| it.critical && !["issue", "issuewild", "iodef"].contains(&it.tag.as_str()));
    let allowed = issue.is_empty() || issue.iter().any(|it| ours.iter().any(|who| it.authority().eq_ignore_ascii_case(who)));
    if config.acme.directory.is_none() {
        return check(kind, Verdict::Unknown, vec![], lines, "This platform orders no certificates by itself; upload one.");
    }
    match (allowed && !strange, all.is_empty()) {
        (true, true) => check(kind, Verdict::Pass, vec![], vec![], "No CAA record restricts who may issue certificates."),
        (true, false) => check(kind, Verdict::Pass, wanted, lines, "The CAA records allow our certificate authority."),
        (false, _) => {
            let words =
                format!("The CAA records at {at} forbid our certificate authority. Add a CAA record that allows it, or remove them.");
            check(kind, Verdict::Fail, wanted, lines, words)
        }
    }
}

async fn delegation(config: &Config, dns: &Dns, subject: &Subject<'_>) -> Option<Check> {
    if subject.method != Method::Dns {
        return None;
    }
    let (kind, own) = (CheckKind::Delegation, subject.name.challenge());
    let at = records::challenge_at(config, &subject.of, subject.name)?;
    if at == own {
        return None;
    }
    let wanted = vec![at.clone()];
    Some(match dns.alias(&own).in_time().await {
        Err(_) => check(kind, Verdict::Unknown, wanted, vec![], unanswered(&own)),
        Ok(Some(to)) if to == at => check(kind, Verdict::Pass, wanted, vec![to], "The challenge’s name leads to where it is answered."),
        Ok(found) => {
            let words = format!("{own} must be a CNAME to {at}, so that the platform can answer the certificate authority.");
            check(kind, Verdict::Fail, wanted, found.into_iter().collect(), words)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(all: &[&str], aliases: &[&str]) -> Result<Addresses, NoAnswer> {
        let all = all.iter().map(|ip| ip.parse().unwrap()).collect();
        Ok(Addresses { all, aliases: aliases.iter().map(ToString::to_string).collect() })
    }

    #[test]
    fn an_address_is_judged_against_the_platforms() {
        let here: BTreeSet<IpAddr> = ["198.51.100.7".parse().unwrap(), "2001:db8::7".parse().unwrap()].into();
        let told = |found: &Result<Addresses, NoAnswer>| {
            let check = address(found, &here, "web.apps.example");
            (check.verdict, check.words)
        };
        for (found, verdict, word) in [
            (at(&["198.51.100.7"], &[]), Verdict::Pass, "points here"),
            (at(&["198.51.100.7", "2001:db8::7"], &["web.apps.example"]), Verdict::Pass, "points here"),
            (at(&["198.51.100.7", "203.0.113.9"], &[]), Verdict::Warning, "also to 203.0.113.9"),
            (at(&["203.0.113.9"], &[]), Verdict::Fail, "elsewhere, to 203.0.113.9"),
            (at(&["104.16.1.1"], &[]), Verdict::Warning, "through Cloudflare"),
            (at(&["203.0.113.9"], &["x.cloudfront.net"]), Verdict::Warning, "through CloudFront"),
            (at(&[], &[]), Verdict::Fail, "no address yet"),
            (Err(NoAnswer(String::new())), Verdict::Unknown, "no answer"),
        ] {
            let (got, words) = told(&found);
            assert_eq!(got, verdict, "{words}");
            assert!(words.contains(word), "{words}");
        }
    }

    #[test]
    fn caa_records_forbid_or_allow() {
        let mut config = Config::default();
        config.acme.directory = Some("https://authority.example/directory".into());
        let caa = |all: &[(&str, &str)]| {
            let all = all.iter().map(|(tag, value)| Caa { critical: false, tag: tag.to_string(), value: value.to_string() });
            Ok(("example.com".to_string(), all.collect()))
        };
        let told = |name: &str, all: &[(&str, &str)]| authority(&config, &name.parse().unwrap(), &caa(all)).verdict;
        assert_eq!(told("example.com", &[]), Verdict::Pass);
        assert_eq!(told("example.com", &[("issue", "letsencrypt.org; accounturi=https://x")]), Verdict::Pass);
        assert_eq!(told("example.com", &[("issue", "other.example")]), Verdict::Fail);
        assert_eq!(told("example.com", &[("issue", ";")]), Verdict::Fail);
        assert_eq!(told("example.com", &[("iodef", "mailto:a@example.com")]), Verdict::Pass);
        assert_eq!(told("example.com", &[("issuewild", "other.example")]), Verdict::Pass);
        assert_eq!(told("*.example.com", &[("issuewild", "other.example"), ("issue", "letsencrypt.org")]), Verdict::Fail);
        assert_eq!(told("*.example.com", &[("issue", "letsencrypt.org")]), Verdict::Pass);
    }
}
