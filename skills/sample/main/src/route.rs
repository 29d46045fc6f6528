//! Request line in, status and JSON body out. Pure, so that it can be tested.

/// The commit that this binary was built from.
pub const COMMIT: &str = match option_env!("EPHEMERAL_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// The status and body for a request line such as `GET /healthz HTTP/1.1`.
pub fn respond(request_line: &str) -> (&'static str, String) {
    let mut words = request_line.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return ("400 Bad Request", error("not an HTTP request"));
    };
    if method != "GET" {
        return ("405 Method Not Allowed", error("only GET is served"));
    }
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    match (parts.next().unwrap_or(""), parts.next()) {
        ("healthz", None) => ("200 OK", r#"{"status":"ok"}"#.to_owned()),
        ("version", None) => ("200 OK", format!(r#"{{"service":"greeter","commit":"{COMMIT}"}}"#)),
        ("greet", Some(name)) if is_word(name) => ("200 OK", format!(r#"{{"greeting":"Hello, {name}!"}}"#)),
        ("greet", Some(_)) => ("400 Bad Request", error("a name has letters only")),
        _ => ("404 Not Found", error("no such route")),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn error(message: &str) -> String {
    format!(r#"{{"error":"{message}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::respond;

    #[test]
    fn it_is_healthy() {
        assert_eq!(respond("GET /healthz HTTP/1.1").0, "200 OK");
    }

    #[test]
    fn it_greets_by_name() {
        assert_eq!(respond("GET /greet/Ada HTTP/1.1").1, r#"{"greeting":"Hello, Ada!"}"#);
        assert_eq!(respond("GET /greet/%22 HTTP/1.1").0, "400 Bad Request");
    }

    #[test]
    fn it_refuses_what_it_does_not_know() {
        assert_eq!(respond("GET /nowhere HTTP/1.1").0, "404 Not Found");
        assert_eq!(respond("POST /healthz HTTP/1.1").0, "405 Method Not Allowed");
        assert_eq!(respond("").0, "400 Bad Request");
    }
}
