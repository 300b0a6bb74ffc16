//! The page at `/api/docs`: the OpenAPI document for people, rendered once when the panel starts. It loads nothing from elsewhere, works
//! without a script (which only filters), and says what the document says because it is made of it.
use crate::web::{gzipped::Gzipped, openapi::example};
use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    routing::get,
};
use serde_json::{Map, Value};
use std::fmt::Write;

const STYLE: &str = include_str!("docs.css");
const SCRIPT: &str = include_str!("docs.js");
/// From here only, and no script that is not a file of ours.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page and what it is made of.
pub fn router(page: Gzipped) -> Router {
    let file = |kind: &'static str, text: &'static str| get(move || std::future::ready(([(header::CONTENT_TYPE, kind)], text)));
    let shown = move |headers: HeaderMap| {
        let mut response = page.respond(&headers, "text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        std::future::ready(response)
    };
    Router::new()
        .route("/api/docs", get(shown))
        .route("/api/docs.css", file("text/css; charset=utf-8", STYLE))
        .route("/api/docs.js", file("text/javascript; charset=utf-8", SCRIPT))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
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

/// Escaped, and what stands in backquotes as code.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", escaped(part)) } else { escaped(part) }).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// One operation: method, path and what the document says of it.
type Operation<'a> = (&'static str, &'a str, &'a Value);

fn of_tag<'a>(document: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if item[method]["tags"][0] == tag {
                all.push((method, path.as_str(), &item[method]));
            }
        }
    }
    all
}

/// The page of a document.
pub fn page(document: &Value) -> String {
    let (mut nav, mut body) = (String::new(), String::new());
    for tag in document["tags"].as_array().into_iter().flatten() {
        let (name, slug) = (text(tag, "name"), text(tag, "name").to_lowercase().replace(' ', "-"));
        write!(nav, "<li><a href=\"#{slug}\">{}</a><ul>", escaped(name)).ok();
        write!(body, "<section id=\"{slug}\"><h2>{}</h2><p>{}</p>", escaped(name), prose(text(tag, "description"))).ok();
        for operation in of_tag(document, name) {
            let (method, path, it) = operation;
            let id = text(it, "operationId");
            write!(
                nav,
                "<li data-words=\"{method} {} {}\"><a href=\"#{id}\"><b class=\"{method}\">{method}</b> {}</a></li>",
                escaped(path),
                escaped(text(it, "summary")).to_lowercase(),
                escaped(path)
            )
            .ok();
            body.push_str(&article(operation, document));
        }
        nav.push_str("</ul></li>");
        body.push_str("</section>");
    }
    let about = text(&document["info"], "description").split("\n\n").map(|part| format!("<p>{}</p>", prose(part))).collect::<String>();
    let schemes = document["components"]["securitySchemes"].as_object().into_iter().flatten();
    let schemes: String = schemes.map(|(_, scheme)| format!("<li>{}</li>", prose(text(scheme, "description")))).collect();
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>API reference · SkyPanel</title><link rel=\"icon\" href=\"/favicon.svg\">\
         <link rel=\"stylesheet\" href=\"/api/docs.css\"><script src=\"/api/docs.js\" defer></script></head><body>\
         <header><a href=\"/\">SkyPanel</a> <h1>API reference</h1> <a href=\"/api/openapi.json\">OpenAPI document</a></header>\
         <div class=\"columns\"><nav aria-label=\"Operations\"><input type=\"search\" id=\"search\" placeholder=\"Search\" aria-label=\"Search operations\" hidden>\
         <ul>{nav}</ul></nav><main>{about}<h2 id=\"credentials\">Credentials</h2><ul>{schemes}</ul>{body}</main></div></body></html>"
    )
}

fn article((method, path, it): Operation<'_>, document: &Value) -> String {
    let components = &document["components"];
    let id = text(it, "operationId");
    let mut out = format!(
        "<article id=\"{id}\"><h3><a href=\"#{id}\"><b class=\"{method}\">{method}</b> <code>{}</code></a></h3><p>{}</p>",
        escaped(path),
        prose(&format!("{} {}", text(it, "summary"), text(it, "description")))
    );
    let parameters: Vec<&Value> = it["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        out.push_str("<h4>Parameters</h4><dl>");
        for parameter in parameters {
            let needed = if parameter["required"] == true { " required" } else { "" };
            write!(
                out,
                "<dt><code>{}</code> <small>{}{needed}</small></dt><dd>{}</dd>",
                escaped(text(parameter, "name")),
                text(parameter, "in"),
                prose(text(parameter, "description"))
            )
            .ok();
        }
        out.push_str("</dl>");
    }
    let schema = &it["requestBody"]["content"]["application/json"]["schema"];
    let body = schema.is_object().then(|| example(schema, components, 0));
    if let Some(resolved) = schema["$ref"].as_str().and_then(|name| document.pointer(&name[1..])) {
        out.push_str(&fields(resolved));
    }
    write!(out, "<h4>Example</h4><pre>{}</pre>", escaped(&curl(method, path, it, body.as_ref()))).ok();
    out.push_str("<h4>Answers</h4>");
    for (status, answer) in it["responses"].as_object().into_iter().flatten() {
        let shown = &answer["content"]["application/json"]["example"];
        let shown = if shown.is_null() { String::new() } else { format!("<pre>{}</pre>", escaped(&pretty(shown))) };
        let open = if status.starts_with('2') { " open" } else { "" };
        write!(out, "<details{open}><summary><b>{status}</b> {}</summary>{shown}</details>", prose(text(answer, "description"))).ok();
    }
    out.push_str("</article>");
    out
}

fn fields(schema: &Value) -> String {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = String::from("<h4>Body</h4><dl>");
    for (name, field) in schema["properties"].as_object().unwrap_or(&Map::new()) {
        let needed = if required.contains(&name.as_str()) { " required" } else { "" };
        let kind = field["type"].as_str().or_else(|| field["type"][0].as_str()).unwrap_or_default();
        write!(out, "<dt><code>{}</code> <small>{kind}{needed}</small></dt><dd>{}</dd>", escaped(name), prose(text(field, "description")))
            .ok();
    }
    out.push_str("</dl>");
    out
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn curl(method: &str, path: &str, it: &Value, body: Option<&Value>) -> String {
    let verb = if method == "get" { String::new() } else { format!(" -X {}", method.to_uppercase()) };
    let open = it["security"].as_array().is_some_and(|all| all.iter().any(|one| one.as_object().is_some_and(Map::is_empty)));
    let credential = if open { "" } else { " \\\n  -H \"Authorization: Bearer $TOKEN\"" };
    let path = path.replace('{', "$").replace('}', "").replace("$id", "$ID");
    let body = body.map(|body| format!(" \\\n  -d '{}'", body.to_string().replace('\'', "'\\''"))).unwrap_or_default();
    format!("curl{verb} \"$PANEL{path}\"{credential}{body}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_document_says_is_text() {
        let document = json!({
            "info": { "description": "<b>`x<y`" },
            "tags": [{ "name": "A", "description": "d" }],
            "components": { "schemas": { "Body": { "type": "object", "example": { "name": "it's" }, "properties": { "name": { "type": "string" } } } } },
            "paths": { "/api/{id}": { "post": {
                "tags": ["A"], "operationId": "a", "summary": "<script>", "responses": { "200": { "description": "ok" } },
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Body" } } } },
            } } },
        });
        let page = page(&document);
        assert!(page.contains("&lt;b&gt;<code>x&lt;y</code>") && !page.contains("<script>"));
        assert!(page.contains("curl -X POST &quot;$PANEL/api/$ID&quot;") && page.contains("it&#39;\\&#39;&#39;s"), "{page}");
    }
}
