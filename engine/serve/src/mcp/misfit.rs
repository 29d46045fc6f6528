//! Requests whose parameters are not as the protocol has them: the library takes them for methods that it does not
//! know.

use rmcp::model::{CustomRequest, ErrorCode, ErrorData};

/// Methods of every version of the protocol, and what their parameters hold. One that a version has taken away is
/// unknown to it whatever its parameters are.
const KNOWN: [(&str, &str); 11] = [
    ("completion/complete", "`ref` names a prompt or resource, `argument` has a `name` and a `value`"),
    ("prompts/get", "`name` is a text, `arguments` an object of texts"),
    ("prompts/list", "`cursor` is a text"),
    ("resources/list", "`cursor` is a text"),
    ("resources/read", "`uri` is a text"),
    ("resources/templates/list", "`cursor` is a text"),
    ("tasks/cancel", "`taskId` is a text"),
    ("tasks/get", "`taskId` is a text"),
    ("tasks/update", "`taskId` is a text, `inputResponses` an object"),
    ("tools/call", "`name` is a text, `arguments` an object"),
    ("tools/list", "`cursor` is a text"),
];

/// Why a request that the library does not know is refused.
pub(super) fn refusal(request: &CustomRequest) -> ErrorData {
    let method = request.method.as_str();
    match KNOWN.iter().find(|(known, _)| *known == method) {
        Some((_, expected)) => {
            ErrorData::invalid_params(format!("the parameters of `{method}` do not fit: {expected}"), None)
        }
        None => ErrorData::new(ErrorCode::METHOD_NOT_FOUND, method.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_methods_have_parameters_that_do_not_fit() {
        let refused = |method: &str| refusal(&CustomRequest::new(method, None));
        assert_eq!(refused("tools/call").code, ErrorCode::INVALID_PARAMS);
        assert!(refused("tools/call").message.contains("`arguments` an object"));
        assert_eq!(refused("tools/calls").code, ErrorCode::METHOD_NOT_FOUND);
    }
}
