use rmcp::model::ErrorCode;
use serde_json::json;

use super::*;

fn refused(said: Said) -> (Option<RequestId>, ErrorCode, String) {
    let Said::Refused(refused) = said else { panic!("{said:?}") };
    (refused.id, refused.error.code, refused.error.message.into_owned())
}

fn read_text(text: &str) -> (Option<RequestId>, ErrorCode, String) {
    refused(read(text.as_bytes()))
}

fn nested(levels: usize) -> String {
    let inner = levels - 1;
    let (open, close) = ("[".repeat(inner), "]".repeat(inner));
    format!(r#"{{"jsonrpc":"2.0","method":"ping","params":{open}{close},"id":7}}"#)
}

#[test]
fn messages_are_read() {
    let text = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    assert!(matches!(read(text.as_bytes()), Said::Message(_)));
}

#[test]
fn what_is_not_json_is_answered_with_the_place() {
    for (text, place) in
        [("hello", "column 1"), (r#"{"id": 3, "method": "ping""#, "EOF"), ("\u{0}", "column 1")]
    {
        let (id, code, said) = read_text(text);
        assert_eq!((id, code), (None, ErrorCode::PARSE_ERROR), "{text}");
        assert!(said.contains("not JSON") && said.contains(place), "{text}: {said}");
    }
    let (_, code, _) = refused(read(b"{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"\xff\"}"));
    assert_eq!(code, ErrorCode::PARSE_ERROR);
}

#[test]
fn what_is_too_deep_is_answered_to_its_request() {
    let (id, code, said) = read_text(&nested(DEEPEST + 1));
    assert_eq!((id, code), (Some(RequestId::Number(7)), ErrorCode::INVALID_REQUEST));
    assert!(said.contains("127 deep") && said.ends_with("it is 128"), "{said}");
    // One level less is a question of what the parameters are.
    assert!(!format!("{:?}", read(nested(DEEPEST).as_bytes())).contains("deep"));
}

#[test]
fn other_json_is_answered_to_its_request() {
    let (id, code, said) = read_text(r#"{"jsonrpc": "1.0", "method": "ping", "id": "a"}"#);
    assert_eq!((id, code), (Some(RequestId::String("a".into())), ErrorCode::INVALID_REQUEST));
    assert!(said.contains("`jsonrpc` is \"2.0\""), "{said}");
    for (text, expected) in [
        (r#"[{"jsonrpc": "2.0", "method": "ping", "id": 1}]"#, "send each by itself"),
        ("17", "neither a request"),
        (r#"{"jsonrpc": "2.0", "id": 5, "answer": 1}"#, "neither a request"),
        (r#"{"jsonrpc": "2.0", "id": 5.5, "method": "ping"}"#, "a whole number"),
    ] {
        let (id, code, said) = read_text(text);
        assert_eq!((id, code), (None, ErrorCode::INVALID_REQUEST), "{text}");
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn an_identifier_that_is_null_makes_no_notification_of_a_request() {
    for method in ["ping", "notifications/initialized"] {
        let text = json!({"jsonrpc": "2.0", "id": null, "method": method}).to_string();
        let (id, code, said) = read_text(&text);
        assert_eq!((id, code), (None, ErrorCode::INVALID_REQUEST), "{text}");
        assert!(said.contains("a text or a whole number"), "{said}");
    }
    assert_eq!(asked(br#"{"id": "a", "method": "ping"}"#), Some(RequestId::String("a".into())));
    for other in [r#"{"id": 1, "result": {}}"#, r#"{"id": null, "method": "ping"}"#, r#"{"method": "x"}"#] {
        assert_eq!(asked(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn notifications_are_not_answered() {
    let text = r#"{"jsonrpc": "1.0", "method": "notifications/cancelled", "params": {"requestId": 1}}"#;
    assert!(matches!(read(text.as_bytes()), Said::Nothing));
    assert!(matches!(too_long(&Outline::of(text.as_bytes()), 10), Said::Nothing));
}

#[test]
fn what_is_too_long_is_answered_to_its_request() {
    let text = r#"{"method":"tools/call","params":{"id":1,"a":"}\"]"},"jsonrpc":"2.0","id":9}"#;
    for cut in 0..text.len() {
        let mut outline = Outline::of(&text.as_bytes()[..cut]);
        outline.push(&text.as_bytes()[cut..]);
        let (id, _, said) = refused(too_long(&outline, 20));
        assert_eq!(id, Some(RequestId::Number(9)), "{cut}");
        assert!(said.contains("20 bytes (`serve.limits.message`)"), "{said}");
    }
}

#[test]
fn an_outline_stays_small() {
    let mut outline = Outline::default();
    for _ in 0..10_000 {
        outline.push(br#""a key of its own": 1,"#);
    }
    assert!(outline.kept.len() <= OUTLINE + 1);
    assert!(refused(too_long(&outline, 20)).0.is_none());
}

#[test]
fn integers_that_would_lose_digits_are_refused_in_requests_and_kept_in_responses() {
    let call = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x","arguments":{"n":18446744073709551616}}}"#;
    let (id, code, said) = read_text(call);
    assert_eq!((id, code), (Some(RequestId::Number(7)), ErrorCode::INVALID_PARAMS));
    assert!(
        said.contains("`18446744073709551616` has more than 64 bits") && said.ends_with("column 85"),
        "{said}"
    );
    let answer =
        br#"{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"n":18446744073709551616}}}"#;
    let Said::Message(message) = read(answer) else { panic!() };
    let told = serde_json::to_value(&message).unwrap();
    assert_eq!(told["result"]["content"]["n"], "18446744073709551616");
    let exact = call.replace("18446744073709551616", "18446744073709551615");
    assert!(matches!(read(exact.as_bytes()), Said::Message(_)));
}
