//! Every route of the door, in one list: method, path, who may use it, what handles it and
//! how it is described. Nothing is served that is not here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, Router, get, post};

use crate::app::Shared;
use crate::endpoints::{admin, capabilities, drafts, health, invoke, keys, observe, sdk, skills};
use crate::middleware::{admit, authenticate};
use crate::openapi::{Described, described};
use crate::problem::{HttpCode, Refusal};

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody who reaches it. It reveals nothing and changes nothing.
    Open,
    /// Every known caller.
    Caller,
    /// Operators.
    Operator,
}

/// One route.
pub struct Route {
    /// Its method. What is `GET` changes nothing.
    pub method: Method,
    /// Its path, as a template.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    handler: fn() -> MethodRouter<Shared>,
    pub(crate) description: fn() -> Described,
}

/// All routes.
pub static ROUTES: [Route; 27] = [
    Route {
        method: Method::POST,
        path: "/v1/chat/completions",
        access: Access::Caller,
        handler: || post(sdk::chat_completions),
        description: described::<sdk::__path_chat_completions>,
    },
    Route {
        method: Method::POST,
        path: "/v1/responses",
        access: Access::Caller,
        handler: || post(sdk::responses),
        description: described::<sdk::__path_responses>,
    },
    Route {
        method: Method::POST,
        path: "/v1/embeddings",
        access: Access::Caller,
        handler: || post(sdk::embeddings),
        description: described::<sdk::__path_embeddings>,
    },
    Route {
        method: Method::POST,
        path: "/v1/messages",
        access: Access::Caller,
        handler: || post(sdk::messages),
        description: described::<sdk::__path_messages>,
    },
    Route {
        method: Method::POST,
        path: "/v1/messages/count_tokens",
        access: Access::Caller,
        handler: || post(sdk::count_tokens),
        description: described::<sdk::__path_count_tokens>,
    },
    Route {
        method: Method::GET,
        path: "/v1/models",
        access: Access::Caller,
        handler: || get(sdk::list),
        description: described::<sdk::__path_list>,
    },
    Route {
        method: Method::GET,
        path: "/v1/models/{*id}",
        access: Access::Caller,
        handler: || get(sdk::one),
        description: described::<sdk::__path_one>,
    },
    Route {
        method: Method::POST,
        path: "/v1/explain",
        access: Access::Caller,
        handler: || post(sdk::explain),
        description: described::<sdk::__path_explain>,
    },
    Route {
        method: Method::POST,
        path: "/v1/skills/{name}/invoke",
        access: Access::Caller,
        handler: || post(invoke::skill),
        description: described::<invoke::__path_skill>,
    },
    Route {
        method: Method::POST,
        path: "/v1/invoke",
        access: Access::Caller,
        handler: || post(invoke::named),
        description: described::<invoke::__path_named>,
    },
    Route {
        method: Method::GET,
        path: "/v1/skills",
        access: Access::Caller,
        handler: || get(skills::list),
        description: described::<skills::__path_list>,
    },
    Route {
        method: Method::GET,
        path: "/v1/skills/{name}",
        access: Access::Caller,
        handler: || get(skills::one),
        description: described::<skills::__path_one>,
    },
    Route {
        method: Method::GET,
        path: "/v1/capabilities",
        access: Access::Caller,
        handler: || get(capabilities::list),
        description: described::<capabilities::__path_list>,
    },
    Route {
        method: Method::GET,
        path: "/v1/drafts",
        access: Access::Caller,
        handler: || get(drafts::list),
        description: described::<drafts::__path_list>,
    },
    Route {
        method: Method::GET,
        path: "/v1/drafts/{id}",
        access: Access::Caller,
        handler: || get(drafts::one),
        description: described::<drafts::__path_one>,
    },
    Route {
        method: Method::POST,
        path: "/v1/drafts/{id}/approve",
        access: Access::Caller,
        handler: || post(drafts::approve),
        description: described::<drafts::__path_approve>,
    },
    Route {
        method: Method::POST,
        path: "/v1/drafts/{id}/reject",
        access: Access::Caller,
        handler: || post(drafts::reject),
        description: described::<drafts::__path_reject>,
    },
    Route {
        method: Method::POST,
        path: "/v1/admin/shutdown",
        access: Access::Operator,
        handler: || post(admin::shutdown),
        description: described::<admin::__path_shutdown>,
    },
    Route {
        method: Method::POST,
        path: "/v1/admin/reload",
        access: Access::Operator,
        handler: || post(admin::reload),
        description: described::<admin::__path_reload>,
    },
    Route {
        method: Method::GET,
        path: "/v1/admin/keys",
        access: Access::Operator,
        handler: || get(keys::list),
        description: described::<keys::__path_list>,
    },
    Route {
        method: Method::POST,
        path: "/v1/admin/keys",
        access: Access::Operator,
        handler: || post(keys::create),
        description: described::<keys::__path_create>,
    },
    Route {
        method: Method::POST,
        path: "/v1/admin/keys/{id}/rotate",
        access: Access::Operator,
        handler: || post(keys::rotate),
        description: described::<keys::__path_rotate>,
    },
    Route {
        method: Method::POST,
        path: "/v1/admin/keys/{id}/revoke",
        access: Access::Operator,
        handler: || post(keys::revoke),
        description: described::<keys::__path_revoke>,
    },
    Route {
        method: Method::GET,
        path: "/metrics",
        access: Access::Caller,
        handler: || get(observe::metrics),
        description: described::<observe::__path_metrics>,
    },
    Route {
        method: Method::GET,
        path: "/openapi.json",
        access: Access::Caller,
        handler: || get(observe::openapi),
        description: described::<observe::__path_openapi>,
    },
    Route {
        method: Method::GET,
        path: "/healthz",
        access: Access::Open,
        handler: || get(health::alive),
        description: described::<health::__path_alive>,
    },
    Route {
        method: Method::GET,
        path: "/readyz",
        access: Access::Open,
        handler: || get(health::ready),
        description: described::<health::__path_ready>,
    },
];

/// The list as a router. Whatever is not in it still asks for a credential first.
pub(crate) fn router(app: &Shared) -> Router {
    let mut paths: BTreeMap<&'static str, MethodRouter<Shared>> = BTreeMap::new();
    for route in &ROUTES {
        let admitted = (route.handler)().layer(from_fn_with_state((Arc::clone(app), route), admit));
        let others = paths.remove(route.path).unwrap_or_default();
        paths.insert(route.path, others.merge(admitted));
    }
    let router = paths.into_iter().fold(Router::new(), |router, (path, methods)| {
        // Set here, after the layers: the fallback admits by itself, whatever the route's class.
        router.route(path, methods.fallback(method_not_allowed))
    });
    router.fallback(not_found).with_state(Arc::clone(app))
}

async fn not_found(State(app): State<Shared>, request: Request) -> Result<(), Refusal> {
    authenticate(&app, &request)?;
    Err(Refusal::new(HttpCode::NotFound, "no route has this path").hint("`/openapi.json` describes them all"))
}

async fn method_not_allowed(State(app): State<Shared>, request: Request) -> Result<(), Refusal> {
    authenticate(&app, &request)?;
    Err(
        Refusal::new(HttpCode::MethodNotAllowed, "the route does not take this method")
            .hint("the header `allow` names those that it takes"),
    )
}
