//! The OpenAPI document: generated from the handlers, completed with what all of them share: credentials, the refusals of the
//! conventions, and the headers.
use super::api::Failure;
use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, OpenApi as Document, Ref, RefOr, ResponseBuilder,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(info(title = "SkyPanel", description = "Deploy, scale and watch applications."), components(schemas(Failure)))]
struct Base;

/// The document without paths.
pub fn document() -> Document {
    Base::openapi()
}

/// Adds to every operation the refusals that all of them can give.
pub fn finish(mut document: Document) -> Document {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_with(Default::default);
    components.security_schemes.insert("bearer".into(), SecurityScheme::Http(bearer).into());
    document.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
    let refusals = [
        ("400", "A field can’t be taken; `details` names each"),
        ("401", "The credential is missing, wrong, expired or revoked"),
        ("403", "The role lacks the permission in `required`"),
        ("404", "There is no such thing, or it belongs to somebody else"),
        ("409", "The request does not fit the state that things are in"),
        ("413", "The body is larger than is taken"),
        ("429", "Too many requests; `Retry-After` tells when to come back"),
        ("500", "Our fault; nothing was lost"),
        ("503", "Something that is needed does not answer now"),
    ];
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            // Handlers of two features may have one name; an operation's id is its own.
            let tag = operation.tags.iter().flatten().next().map(|tag| tag.to_lowercase()).unwrap_or_default();
            operation.operation_id = operation.operation_id.take().map(|id| format!("{tag}_{id}"));
            for (status, why) in refusals {
                let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Failure")))).build();
                let response = ResponseBuilder::new().description(why).content("application/json", content).build();
                operation.responses.responses.entry(status.into()).or_insert(RefOr::T(response));
            }
        }
    }
    document
}
