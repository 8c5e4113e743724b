//! The description of the routes, made from the list of the routes itself and the types
//! that handlers answer with.

use std::sync::OnceLock;

use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, Ref, RefOr, ResponseBuilder};

use crate::endpoints::{admin, capabilities, drafts, invoke, keys, sdk, skills};
use crate::gateway::NewKey;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::routes::{Access, ROUTES};

/// What a handler says about itself.
pub(crate) struct Described {
    pub(crate) methods: Vec<HttpMethod>,
    pub(crate) path: String,
    pub(crate) operation: Operation,
}

/// What the handler with this `utoipa::path` says about itself.
pub(crate) fn described<P: utoipa::Path>() -> Described {
    Described {
        methods: P::methods(),
        path: P::path(),
        operation: P::operation(),
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Claw gateway",
        description = "Skills and models behind one door. Errors are RFC 9457 problems with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(
        Problem,
        invoke::Envelope,
        invoke::NamedCall,
        skills::SkillList,
        skills::SkillRow,
        skills::SkillDetail,
        capabilities::CapabilityList,
        capabilities::CapabilityRow,
        admin::Stopping,
        NewKey,
        keys::Rotation,
        drafts::DraftList,
        drafts::DraftView,
        drafts::Approving,
        drafts::Rejecting,
        sdk::Explain,
    ))
)]
struct Base;

/// The document, made once.
pub(crate) fn document(version: &str) -> String {
    static MADE: OnceLock<(String, String)> = OnceLock::new();
    let (made_for, text) = MADE.get_or_init(|| (version.to_owned(), make(version)));
    if made_for == version { text.clone() } else { make(version) }
}

fn make(version: &str) -> String {
    let mut document = Base::openapi();
    version.clone_into(&mut document.info.version);
    let components = document.components.get_or_insert_with(Components::new);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    components.add_security_scheme(
        "api_key",
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key"))),
    );
    for route in &ROUTES {
        let Described {
            methods,
            path,
            mut operation,
        } = (route.description)();
        let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
        let response = ResponseBuilder::new()
            .description("A problem; branch on its `code`")
            .content(PROBLEM_JSON, problem)
            .build();
        operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
        let none: [&str; 0] = [];
        operation.security = Some(match route.access {
            Access::Open => Vec::new(),
            Access::Caller | Access::Operator => {
                vec![
                    SecurityRequirement::new("bearer", none),
                    SecurityRequirement::new("api_key", none),
                ]
            }
        });
        let item = PathItem::from_http_methods(methods, operation);
        match document.paths.paths.get_mut(&path) {
            Some(there) => there.merge_operations(item),
            None => drop(document.paths.paths.insert(path, item)),
        }
    }
    document.to_json().unwrap_or_default()
}
