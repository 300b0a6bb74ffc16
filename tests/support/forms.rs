//! The forms of a page against the server functions that they call. What a function takes is read from the sources: a field that its
//! function does not know would be dropped without a word.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};
use syn::{Attribute, FnArg, Item, Pat, Type};

/// What a server function takes.
#[derive(Default)]
struct Arguments {
    names: BTreeSet<String>,
    /// It takes whatever is ticked, under any name.
    is_open: bool,
}

static FUNCTIONS: LazyLock<BTreeMap<String, Arguments>> = LazyLock::new(read);

/// The fields of a page's forms that the function of their form does not take, and functions that do not exist.
pub fn unknown(page: &str) -> Vec<String> {
    let forms = page.split("<form ").skip(1).filter_map(|rest| rest.split("</form>").next());
    forms.filter(|form| form.starts_with("method=\"post\"")).flat_map(unknown_of).collect()
}

fn unknown_of(form: &str) -> Vec<String> {
    let Some(function) = form.split("name=\"_action\"").nth(1).and_then(|rest| value(rest, "value")) else { return vec![form.to_string()] };
    // The gallery's forms lead nowhere.
    if function.starts_with("gallery") {
        return Vec::new();
    }
    let Some(arguments) = FUNCTIONS.get(function) else { return vec![function.to_string()] };
    let tags = form.split('<').filter(|tag| ["input ", "select ", "textarea ", "button "].iter().any(|kind| tag.starts_with(kind)));
    let names = tags.filter_map(|tag| value(tag, "name")).filter(|name| !["_action", "_csrf"].contains(name));
    let is_known = |name: &&str| arguments.is_open || arguments.names.contains(name.split('[').next().unwrap());
    names.filter(|name| !is_known(name)).map(|name| format!("{function} has no {name}")).collect()
}

fn value<'a>(tag: &'a str, attribute: &str) -> Option<&'a str> {
    tag.split(&format!("{attribute}=\"")).nth(1)?.split('"').next()
}

/// Every item of the sources that stands in no other module's braces.
pub fn sources() -> Vec<Item> {
    let mut items = Vec::new();
    for folder in ["src", "crates/base/src"] {
        gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut items);
    }
    items
}

/// All server functions of the sources.
fn read() -> BTreeMap<String, Arguments> {
    let items = sources();
    let mut structs = BTreeMap::new();
    for item in &items {
        if let Item::Struct(it) = item {
            structs.insert(it.ident.to_string(), it);
        }
    }
    let functions = items.iter().filter_map(|item| match item {
        Item::Fn(it) if it.attrs.iter().any(|it| it.path().is_ident("server")) => Some(it),
        _ => None,
    });
    functions
        .map(|function| {
            let mut arguments = Arguments::default();
            for input in &function.sig.inputs {
                let FnArg::Typed(argument) = input else { continue };
                let fields = argument.attrs.iter().any(is_flattened).then(|| structs.get(&last_word(&argument.ty))).flatten();
                match (fields, &*argument.pat) {
                    (Some(fields), _) => take(fields, &mut arguments),
                    (None, Pat::Ident(name)) => drop(arguments.names.insert(name.ident.to_string())),
                    _ => {}
                }
            }
            (function.sig.ident.to_string(), arguments)
        })
        .collect()
}

fn take(fields: &syn::ItemStruct, arguments: &mut Arguments) {
    for field in &fields.fields {
        match &field.ident {
            Some(name) if !field.attrs.iter().any(is_flattened) => drop(arguments.names.insert(name.to_string())),
            _ => arguments.is_open = true,
        }
    }
}

fn is_flattened(it: &Attribute) -> bool {
    it.meta.require_list().is_ok_and(|list| list.tokens.to_string().contains("flatten"))
}

fn last_word(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map(|it| it.ident.to_string()).unwrap_or_default(),
        _ => String::new(),
    }
}

fn gather(folder: &Path, into: &mut Vec<Item>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            None if path.is_dir() => gather(&path, into),
            Some(ending) if ending == "rs" => into.extend(syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap().items),
            _ => {}
        }
    }
}
