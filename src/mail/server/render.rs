//! How a message reads, as HTML and as text. Everything that somebody typed is cut to one line without marks of direction and escaped where
//! it is put in; styles stand inline, for mail programs that drop the rest, and the dark ones in a sheet for those that keep it.
use crate::{
    outbox::{Template, is_steering},
    runtime::config::BrandConfig,
    units::Timestamp,
};

/// The accent where the operator set none.
const ACCENT: &str = "#2563eb";
/// Characters of a name.
const NAME: usize = 100;
/// Characters of somebody's own words.
const WORDS: usize = 1_000;

/// A message that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub html: String,
    pub text: String,
}

/// What is put into a message beside its content.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trace<'a> {
    /// Stands in place of the button's address.
    pub link: Option<&'a str>,
    /// An invisible picture.
    pub pixel: Option<&'a str>,
}

/// What a message consists of; plain words throughout.
struct Parts {
    subject: String,
    heading: String,
    lines: Vec<String>,
    /// Somebody's own words.
    quote: Option<String>,
    /// The button's words.
    button: &'static str,
    link: Option<String>,
    /// Small, at the end.
    note: String,
}

/// Writes a message in the operator's name.
pub fn render(brand: &BrandConfig, template: &Template, trace: Trace<'_>) -> Rendered {
    let mut parts = parts(brand, template);
    let own = parts.link.clone();
    if let Some(link) = trace.link.filter(|_| own.is_some()) {
        parts.link = Some(link.into());
    }
    Rendered { subject: parts.subject.clone(), html: html(brand, &parts, trace.pixel), text: text(brand, &parts) }
}

/// A name in one line, without what could break out of it.
fn name(text: &str) -> String {
    short(text, NAME, false)
}

fn short(text: &str, most: usize, lines: bool) -> String {
    let plain = |c: char| match c {
        '\n' if lines => Some('\n'),
        c if is_steering(c) => None,
        c if c.is_control() || c.is_whitespace() => Some(' '),
        c => Some(c),
    };
    let all: String = text.replace("\r\n", "\n").chars().filter_map(plain).collect();
    let all = if lines { all.trim().to_string() } else { all.split_whitespace().collect::<Vec<_>>().join(" ") };
    match all.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &all[..end]),
        None => all,
    }
}

fn until(at: Timestamp) -> String {
    let plain = at.plain();
    format!("{} UTC", plain.get(..16).unwrap_or(&plain))
}

fn parts(brand: &BrandConfig, template: &Template) -> Parts {
    let product = name(&brand.name);
    let hello = |who: &str| match name(who) {
        who if who.is_empty() => "Hello,".to_string(),
        who => format!("Hello {who},"),
    };
    let make = |subject: String, lines: Vec<String>, button: &'static str, note: &str| Parts {
        heading: subject.clone(),
        subject,
        lines,
        quote: None,
        button,
        link: template.link().map(str::to_string),
        note: note.into(),
    };
    let not_you = "If this was not you, change your password at once and sign out all sessions under Account, Security.";
    match template {
        Template::Invitation { organization, inviter, role, message, expires_at, .. } => {
            let (organization, inviter) = (name(organization), name(inviter));
            let lines = vec![
                format!("{inviter} invites you to join “{organization}” on {product} as {}.", name(role)),
                format!("The invitation is good until {}.", until(*expires_at)),
            ];
            let note = "If you do not know who sent this, ignore it: nothing happens unless you accept.";
            let subject = format!("{inviter} invites you to {organization}");
            let quote = message.as_deref().map(|words| short(words, WORDS, true)).filter(|words| !words.is_empty());
            Parts { heading: format!("Join {organization}"), quote, ..make(subject, lines, "See the invitation", note) }
        }
        Template::VerifyEmail { name: who, .. } => make(
            format!("Confirm your address for {product}"),
            vec![hello(who), format!("press the button to show that this address is yours. Then {product} can reach you.")],
            "Confirm address",
            "If you have no account here, ignore this message.",
        ),
        Template::ChangeEmail { name: who, .. } => make(
            format!("Confirm your new address for {product}"),
            vec![hello(who), "press the button to use this address from now on. Until then the old one stays.".into()],
            "Use this address",
            "If you did not ask for this, ignore this message: nothing changes.",
        ),
        Template::EmailChanged { name: who, new_email } => make(
            format!("Your address at {product} was changed"),
            vec![hello(who), format!("your account now uses the address {}. This one gets no more mail about it.", name(new_email))],
            "",
            "If this was not you, answer this message or ask the operator of the platform at once.",
        ),
        Template::ResetPassword { name: who, expires_at, .. } => make(
            format!("Choose a new password for {product}"),
            vec![
                hello(who),
                "somebody, most likely you, asked for a new password. The button leads to a page where you choose it.".into(),
                format!("It works once, until {}.", until(*expires_at)),
            ],
            "Choose a new password",
            "If you did not ask for this, ignore this message: your password stays as it is.",
        ),
        Template::PasswordChanged { name: who } => make(
            format!("Your password at {product} was changed"),
            vec![hello(who), "the password of your account was changed, and other sessions were signed out.".into()],
            "",
            "If this was not you, choose a new password by “Forgot password” at once, and ask the operator of the platform.",
        ),
        Template::SecondFactorChanged { name: who, change } => make(
            format!("The second factor of your account at {product} changed"),
            vec![hello(who), format!("{}.", name(change).trim_end_matches('.'))],
            "",
            not_you,
        ),
        Template::DomainTrouble { name: who, domain, words, .. } => make(
            format!("Your domain {} needs a look", name(domain)),
            vec![hello(who), short(words, WORDS, false)],
            "See the domain",
            "You get this because you are an owner of the organization that this domain belongs to.",
        ),
        Template::Test { name: who } => make(
            format!("Mail from {product} works"),
            vec![hello(who), "this is the message that you asked for. Mail leaves the panel and arrives.".into()],
            "",
            "You get this because an operator of the platform pressed “Send a test mail to me”.",
        ),
    }
}

/// Escapes text for HTML, in elements and in quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Black or white, whichever is read better on a colour `#rrggbb`.
fn ink(accent: &str) -> &'static str {
    let part = |at: usize| accent.get(at..at + 2).and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(0);
    if part(1) * 299 + part(3) * 587 + part(5) * 114 > 150_000 { "#111111" } else { "#ffffff" }
}

fn html(brand: &BrandConfig, parts: &Parts, pixel: Option<&str>) -> String {
    let accent = brand.accent.as_deref().unwrap_or(ACCENT);
    let (accent, ink, product) = (escape(accent), ink(accent), escape(&name(&brand.name)));
    let font = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
    let mut body: String =
        parts.lines.iter().map(|line| format!("<p class=\"t\" style=\"margin:0 0 12px;color:#1f2328\">{}</p>\n", escape(line))).collect();
    if let Some(quote) = &parts.quote {
        let quote = escape(quote).replace('\n', "<br>");
        let style = format!("margin:4px 0 16px;padding:8px 14px;border-left:3px solid {accent};color:#57606a");
        body += &format!("<blockquote class=\"m\" style=\"{style}\">{quote}</blockquote>\n");
    }
    if let Some(link) = &parts.link {
        let link = escape(link);
        let style = format!(
            "display:inline-block;padding:10px 18px;border-radius:6px;background:{accent};color:{ink};font-weight:600;text-decoration:none"
        );
        body += &format!(
            "<p style=\"margin:20px 0\"><a href=\"{link}\" style=\"{style}\">{}</a></p>\n\
             <p class=\"m\" style=\"margin:0 0 12px;font-size:12px;color:#57606a\">Or open this address:<br>\
             <a class=\"m\" href=\"{link}\" style=\"color:#57606a;word-break:break-all\">{link}</a></p>\n",
            parts.button
        );
    }
    let pixel = pixel.map(|url| format!("<img src=\"{}\" width=\"1\" height=\"1\" alt=\"\">", escape(url))).unwrap_or_default();
    let (subject, heading, note) = (escape(&parts.subject), escape(&parts.heading), escape(&parts.note));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"supported-color-schemes\" content=\"light dark\"><title>{subject}</title>\n\
         <style>@media (prefers-color-scheme:dark){{body,.b{{background:#111418!important}}.c{{background:#1a1f25!important;border-color:#30363d!important}}\
         .t,h1{{color:#e6edf3!important}}.m{{color:#9aa4af!important}}}}</style></head>\n\
         <body class=\"b\" style=\"margin:0;padding:0;background:#f3f4f6;{font};font-size:15px;line-height:1.5\">\n\
         <table role=\"presentation\" class=\"b\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f3f4f6\"><tr><td align=\"center\" style=\"padding:24px 12px\">\n\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"max-width:560px\">\n\
         <tr><td class=\"t\" style=\"padding:0 4px 12px;font-weight:700;color:#1f2328\"><span style=\"color:{accent}\">&#9679;</span> {product}</td></tr>\n\
         <tr><td class=\"c\" style=\"background:#ffffff;border:1px solid #d8dee4;border-radius:10px;padding:28px 24px\">\n\
         <h1 style=\"margin:0 0 16px;font-size:20px;line-height:1.3;color:#1f2328\">{heading}</h1>\n{body}</td></tr>\n\
         <tr><td class=\"m\" style=\"padding:14px 4px;font-size:12px;color:#57606a\">{note}</td></tr>\n\
         </table></td></tr></table>{pixel}</body></html>\n"
    )
}

fn text(brand: &BrandConfig, parts: &Parts) -> String {
    let mut out = format!("{}\n\n", parts.heading);
    for line in &parts.lines {
        out += &format!("{line}\n\n");
    }
    if let Some(quote) = &parts.quote {
        out += &quote.lines().map(|line| format!("> {line}\n")).collect::<String>();
        out.push('\n');
    }
    if let Some(link) = &parts.link {
        out += &format!("{}:\n{link}\n\n", parts.button);
    }
    // The usual mark of what is no longer the message.
    out + &format!("-- \n{}\n{}\n", name(&brand.name), parts.note)
}

/// A message of each kind with made-up content, for previews.
pub fn sample(kind: &str, url: &str, now: Timestamp, me: &str) -> Option<Template> {
    let (name, expires_at) = (me.to_string(), now + std::time::Duration::from_secs(7 * 86_400));
    let link = |what: &str| format!("{url}/{what}/sample");
    Some(match kind {
        "invitation" => Template::Invitation {
            organization: "Acme Rockets".into(),
            inviter: "Grace Hopper".into(),
            role: "Developer".into(),
            message: Some("We deploy on Fridays.\nCome and see.".into()),
            link: link("invitations"),
            expires_at,
        },
        "verify_email" => Template::VerifyEmail { name, link: link("verify-email") },
        "change_email" => Template::ChangeEmail { name, link: link("verify-email") },
        "email_changed" => Template::EmailChanged { name, new_email: "ada@example.org".into() },
        "reset_password" => Template::ResetPassword { name, link: link("reset-password"), expires_at },
        "password_changed" => Template::PasswordChanged { name },
        "second_factor_changed" => Template::SecondFactorChanged { name, change: "a passkey was added to your account".into() },
        "domain_trouble" => Template::DomainTrouble {
            name,
            domain: "shop.example.com".into(),
            words: "The TXT record that proves the domain was not found. Set it again.".into(),
            link: link("domains"),
        },
        "test" => Template::Test { name },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::model::KINDS;

    fn invitation(text: &str) -> Template {
        Template::Invitation {
            organization: text.into(),
            inviter: text.into(),
            role: text.into(),
            message: Some(text.into()),
            link: "https://panel.example.com/invitations/x?a=1&b=\"2\"".into(),
            expires_at: Timestamp(1_795_000_000_000),
        }
    }

    #[test]
    fn every_kind_reads_well_in_both_forms() {
        let brand = BrandConfig { name: "Example Cloud".into(), accent: Some("#ff8800".into()) };
        for (kind, _) in KINDS {
            let template = sample(kind, "https://panel.example.com", Timestamp(1_795_000_000_000), "Ada Lovelace").unwrap();
            assert_eq!(template.name(), kind);
            let mail = render(&brand, &template, Trace::default());
            assert!(!mail.subject.is_empty() && mail.html.contains("#ff8800") && mail.html.contains("Example Cloud"), "{kind}");
            assert!(mail.text.contains("Example Cloud") && !mail.text.contains('<'), "{kind}: {}", mail.text);
            if let Some(link) = template.link() {
                assert!(mail.html.contains(&format!("href=\"{link}\"")) && mail.text.contains(link), "{kind}");
            }
        }
        assert!(sample("nothing", "", Timestamp(0), "").is_none());
    }

    #[test]
    fn what_somebody_typed_is_escaped_everywhere() {
        let mail = render(&BrandConfig::default(), &invitation("<script>alert('x')</script>\"><b>"), Trace::default());
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>") && !mail.html.contains("\"><b"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(mail.html.contains("a=1&amp;b=&quot;2&quot;"));
    }

    #[test]
    fn a_name_stays_in_its_line_and_turns_nothing_round() {
        let mail = render(&BrandConfig::default(), &invitation("Eve\r\nBcc: all@example.com\n\u{202e}moc.elgoog\u{0}"), Trace::default());
        assert!(!mail.subject.contains(['\r', '\n', '\0', '\u{202e}']), "{:?}", mail.subject);
        for part in [&mail.html, &mail.text] {
            assert!(!part.contains(['\u{202e}', '\0', '\r']));
        }
        assert!(mail.text.contains("> Bcc: all@example.com\n"), "a message keeps its lines, quoted: {}", mail.text);
        let long = render(&BrandConfig::default(), &invitation(&"ü".repeat(5_000)), Trace::default());
        assert!(long.subject.chars().count() < 250 && long.text.chars().count() < 2_000);
    }

    #[test]
    fn words_on_the_accent_can_be_read() {
        assert_eq!((ink("#ffffff"), ink("#000000"), ink(ACCENT), ink("#ffdd00")), ("#111111", "#ffffff", "#ffffff", "#111111"));
    }

    #[test]
    fn a_trace_stands_in_for_the_link_only_where_there_is_one() {
        let trace = Trace { link: Some("https://p/m/c/t"), pixel: Some("https://p/m/o/t") };
        let mail = render(&BrandConfig::default(), &invitation("Acme"), trace);
        assert!(mail.html.contains("https://p/m/c/t") && mail.html.contains("https://p/m/o/t") && mail.text.contains("https://p/m/c/t"));
        assert!(!mail.html.contains("/invitations/x") && !mail.text.contains("/m/o/"));
        let plain = render(&BrandConfig::default(), &Template::PasswordChanged { name: "Ada".into() }, trace);
        assert!(!plain.html.contains("/m/c/") && plain.html.contains("/m/o/"));
    }
}
