//! How a message reads, as HTML and as text. Everything that somebody typed is cut to one line without marks of direction and escaped where
//! it is put in; styles stand inline, for mail programs that drop the rest, and the dark ones in a sheet for those that keep it.
use crate::{
    outbox::{LetterText, letter::name},
    runtime::config::BrandConfig,
};

/// The accent where the operator set none.
const ACCENT: &str = "#2563eb";

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

/// Lays out a letter in the operator's name.
pub fn render(brand: &BrandConfig, letter: LetterText, trace: Trace<'_>) -> Rendered {
    let mut letter = letter;
    if letter.heading.is_empty() {
        letter.heading = letter.subject.clone();
    }
    if let (Some(own), Some(link)) = (&mut letter.link, trace.link) {
        *own = link.into();
    }
    Rendered { html: html(brand, &letter, trace.pixel), text: text(brand, &letter), subject: letter.subject }
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

fn html(brand: &BrandConfig, parts: &LetterText, pixel: Option<&str>) -> String {
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

fn text(brand: &BrandConfig, parts: &LetterText) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::letter::words;

    fn letter(text: &str) -> LetterText {
        let lines = [format!("{} invites you.", name(text))];
        let mut letter = LetterText::to(text, format!("{} writes", name(text)), lines, "A note.");
        letter.quote = Some(words(text, true));
        letter.button("See it", "https://panel.example.com/invitations/x?a=1&b=\"2\"")
    }

    #[test]
    fn what_somebody_typed_is_escaped_everywhere() {
        let mail = render(&BrandConfig::default(), letter("<script>alert('x')</script>\"><b>"), Trace::default());
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>") && !mail.html.contains("\"><b"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(mail.html.contains("a=1&amp;b=&quot;2&quot;"));
    }

    #[test]
    fn a_name_stays_in_its_line_and_turns_nothing_round() {
        let mail = render(&BrandConfig::default(), letter("Eve\r\nBcc: all@example.com\n\u{202e}moc.elgoog\u{0}"), Trace::default());
        assert!(!mail.subject.contains(['\r', '\n', '\0', '\u{202e}']), "{:?}", mail.subject);
        for part in [&mail.html, &mail.text] {
            assert!(!part.contains(['\u{202e}', '\0', '\r']));
        }
        assert!(mail.text.contains("> Bcc: all@example.com\n"), "a message keeps its lines, quoted: {}", mail.text);
        let long = render(&BrandConfig::default(), letter(&"ü".repeat(5_000)), Trace::default());
        assert!(long.subject.chars().count() < 250 && long.text.chars().count() < 2_000);
    }

    #[test]
    fn words_on_the_accent_can_be_read() {
        assert_eq!((ink("#ffffff"), ink("#000000"), ink(ACCENT), ink("#ffdd00")), ("#111111", "#ffffff", "#ffffff", "#111111"));
    }

    #[test]
    fn a_trace_stands_in_for_the_link_only_where_there_is_one() {
        let trace = Trace { link: Some("https://p/m/c/t"), pixel: Some("https://p/m/o/t") };
        let mail = render(&BrandConfig::default(), letter("Acme"), trace);
        assert!(mail.html.contains("https://p/m/c/t") && mail.html.contains("https://p/m/o/t") && mail.text.contains("https://p/m/c/t"));
        assert!(!mail.html.contains("/invitations/x") && !mail.text.contains("/m/o/"));
        let plain = render(&BrandConfig::default(), LetterText { link: None, ..letter("Acme") }, trace);
        assert!(!plain.html.contains("/m/c/") && plain.html.contains("/m/o/"));
    }
}
