//! Tests of what is hidden.

#![expect(clippy::format_collect, reason = "spellings of a few characters")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;

use super::*;

struct Fixed(BTreeMap<&'static str, &'static str>);

#[async_trait]
impl Secrets for Fixed {
    async fn reveal(&self, name: &str) -> Result<String, String> {
        self.0.get(name).map(|value| (*value).to_owned()).ok_or_else(|| "it is not configured".to_owned())
    }
}

async fn veil(secrets: &[(&'static str, &'static str)]) -> Veil {
    let veil = Veil::new(Arc::new(Fixed(secrets.iter().copied().collect())));
    for (name, _) in secrets {
        veil.open(Map::from_iter([("a".to_owned(), Value::from(seal::seal(name)))])).await.unwrap();
    }
    veil
}

#[tokio::test]
async fn opens_arguments_and_hides_results() {
    let veil = Veil::new(Arc::new(Fixed(BTreeMap::from([("TOKEN", "hunter22")]))));
    let args = json!({"header": format!("Bearer {}", seal::seal("TOKEN")), "n": 1});
    let (opened, names) = veil.open(args.as_object().unwrap().clone()).await.unwrap();
    assert_eq!(Value::Object(opened), json!({"header": "Bearer hunter22", "n": 1}));
    let veil = Arc::new(veil);
    let detect = veil.detector(names);
    assert_eq!(detect("--header=Bearer hunter22"), Some("TOKEN".to_owned()));
    assert_eq!(detect("hunter2"), None);
    assert_eq!(veil.detector(BTreeSet::new())("hunter22"), None, "this call was not given it");

    let mut result = json!({"said": "it is hunter22!", "hunter22": [{"deep": "hunter22"}], "other": 1});
    veil.hide_value(&mut result);
    assert_eq!(
        result,
        json!({"said": "it is ‹secret:TOKEN›!", "‹secret:TOKEN›": [{"deep": "‹secret:TOKEN›"}], "other": 1})
    );
}

#[tokio::test]
async fn what_a_plan_does_not_name_is_not_opened() {
    let secrets = Arc::new(Fixed(BTreeMap::from([("TOKEN", "hunter22"), ("OTHER", "hunter23")])));
    let veil = Veil::naming(secrets, ["TOKEN".to_owned()]);
    let args = |name: &str| Map::from_iter([("a".to_owned(), Value::from(seal::seal(name)))]);
    veil.open(args("TOKEN")).await.unwrap();
    let error = veil.open(args("OTHER")).await.unwrap_err();
    assert!(error.message.contains("the skill does not name it"), "{}", error.message);
}

#[tokio::test]
async fn the_longest_secret_is_hidden_first() {
    let veil = veil(&[("SHORT", "abcd"), ("LONG", "abcdefgh"), ("NAME", "secret:LONG")]).await;
    assert_eq!(veil.hide("abcdefgh abcd abcdef"), "‹secret:LONG› ‹secret:SHORT› ‹secret:SHORT›ef");
}

#[tokio::test]
async fn secrets_are_hidden_in_every_form() {
    let veil = veil(&[("KEY", "-----BEGIN-----\nline/two+\"x\n"), ("PIN", "12345678")]).await;
    assert_eq!(veil.hide("echo line/two+\"x"), "echo ‹secret:KEY›");
    assert_eq!(veil.hide(r#"{"k":"-----BEGIN-----\nline/two+\"x\n"}"#), r#"{"k":"‹secret:KEY›"}"#);
    assert_eq!(veil.hide("?key=line%2Ftwo%2B%22x"), "?key=‹secret:KEY›");
    let mut number = json!([12_345_678]);
    veil.hide_value(&mut number);
    assert_eq!(number, json!(["‹secret:PIN›"]));
}

#[tokio::test]
async fn errors_are_hidden_too() {
    let veil = veil(&[("TOKEN", "hunter22")]).await;
    let mut error = StepError::new(ErrorKind::Auth, "bad token hunter22");
    error.details = json!({"stderr": ["hunter22"]});
    veil.hide_error(&mut error);
    assert_eq!(error.message, "bad token ‹secret:TOKEN›");
    assert_eq!(error.details, json!({"stderr": ["‹secret:TOKEN›"]}));
}

#[tokio::test]
async fn unusable_secrets_are_refused() {
    let veil = Veil::new(Arc::new(Fixed(BTreeMap::from([("PIN", "123\n")]))));
    for (text, expected) in [
        (
            seal::seal("PIN"),
            "secret `PIN` cannot be used: it is shorter than 4 characters and could not be hidden",
        ),
        (seal::seal("NONE"), "secret `NONE` cannot be used: it is not configured"),
        (
            seal::seal("PIN")[3..].to_owned(),
            "a secret was changed on its way to the tool; use `secrets.NAME` as it is",
        ),
    ] {
        let args = Map::from_iter([("a".to_owned(), Value::from(text))]);
        let error = veil.open(args).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Invalid, expected));
    }
}

#[tokio::test]
async fn marks_from_outside_are_removed_without_any_secret() {
    let veil = veil(&[]).await;
    let mut value = Value::from(seal::seal("TOKEN"));
    veil.hide_value(&mut value);
    assert_eq!(value, json!("\u{FFFD}secret:TOKEN\u{FFFD}"));
}

/// One that hides a single secret.
fn hiding(value: &str) -> Veil {
    let veil = Veil::closed();
    veil.conceal("KEY", value).unwrap();
    veil
}

#[test]
fn secrets_are_hidden_in_the_spellings_of_services() {
    let veil = hiding("p@ss word&\"<ü~/+=1");
    for encoded in [
        "p%40ss+word%26%22%3C%C3%BC%7E%2F%2B%3D1",
        "p%40ss%20word%26%22%3c%c3%bc~%2f%2b%3d1",
        "p@ss%20word%26%22%3C%c3%BC%7e/%2B=1",
        r#"p@ss word\u0026\"\u003cü~/+=1"#,
        r#"p@ss word\u0026\"\u003C\u00fc~\/+=1"#,
        r"p@ss\ word\&\x22\<\xc3\xbc\~/+\=1",
        "p@ss word&amp;&quot;&lt;ü~/+=1",
        "p&commat;ss word&#38;&#x22;&#60;&#xFC;~&sol;&#43;&equals;1",
        r#"p@ss word\\u0026\\\"\\u003cü~/+=1"#,
        "p%2540ss%2Bword%2526%2522%253C%25C3%25BC%257E%252F%252B%253D1",
        "p@ss word&amp;amp;&amp;quot;&amp;lt;ü~/+=1",
    ] {
        assert_eq!(veil.hide(&format!("a {encoded}\tz")), "a ‹secret:KEY›\tz", "{encoded}");
    }
}

#[test]
fn secrets_are_hidden_in_base64_wherever_they_begin() {
    let veil = hiding("hunter22?>~");
    for before in ["", "u", "u:", "u:v", "user:"] {
        for behind in ["", "@", "@h", "@ho"] {
            let whole = format!("{before}hunter22?>~{behind}");
            for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)]
            {
                let secret_at = before.len() * 8 / 6..((before.len() + 11) * 8).div_ceil(6);
                let (start, end) = (&encoded[..secret_at.start], &encoded[secret_at.end..]);
                assert_eq!(
                    veil.hide(&format!("Basic {encoded}.")),
                    format!("Basic {start}‹secret:KEY›{end}.")
                );
            }
        }
    }
    assert_eq!(veil.hide("68756e74657232323f3e7e!"), "‹secret:KEY›!");
}

#[test]
fn long_encoded_values_are_hidden_across_their_lines() {
    let key: String = (0..40).map(|n| format!("line {n} of a key\n")).collect();
    let encoded = STANDARD.encode(&key);
    let lines: Vec<&str> =
        (0..encoded.len()).step_by(76).map(|at| &encoded[at..encoded.len().min(at + 76)]).collect();
    let hidden = hiding(&key).hide(&format!("data:\n  {}\nend", lines.join("\n  ")));
    assert!(hidden.starts_with("data:\n  ‹secret:KEY›") && hidden.len() < 50, "{hidden}");
}

#[test]
fn quotes_of_a_secret_are_found_however_they_are_put_together() {
    let veil = hiding(r#"it's a "key""#);
    for (printed, expected) in [
        (r#"'it'\''s a "key"' end"#, "'‹secret:KEY› end"),
        (r#"'it'"'"'s a "key"' end"#, "'‹secret:KEY› end"),
        (r#"'it''s a "key"', 2"#, "'‹secret:KEY›, 2"),
        (r#"1,"it's a ""key""",2"#, "1,\"‹secret:KEY›,2"),
        (r#"{"sh": "'it'\\''s a \"key\"'"}"#, r#"{"sh": "'‹secret:KEY›}"#),
        ("%27it%27%5C%27%27s+a+%22key%22%27&x", "%27‹secret:KEY›&x"),
    ] {
        assert_eq!(veil.hide(printed), expected, "{printed}");
    }
    for text in ["its a key", r#"it s a "key""#, "'it'", r#"''s a "key"'"#] {
        assert_eq!(veil.hide(text), text);
    }
    assert_eq!(hiding("'abcd'").hide(r"echo '\''abcd'\'''"), "echo ‹secret:KEY›");
    assert_eq!(hiding("a''b").hide("a'b a''''b"), "a'b a''''b", "too short where quotes are one");
}

#[test]
fn digits_of_a_secret_may_stand_apart() {
    let veil = hiding("hunter22");
    for (printed, expected) in [
        ("68:75:6e:74:65:72:32:32", "‹secret:KEY›"),
        ("68 75 6E 74 65 72 32 32", "‹secret:KEY›"),
        (r"\x68\x75\x6e\x74\x65\x72\x32\x32", "‹secret:KEY›"),
        (r"\x68\x75\x6E\x74\x65\x72\x32\x32", "‹secret:KEY›"),
        ("{0x68, 0x75,0X6e, 0x74,\n  0x65, 0x72, 0x32, 0x32, 0x0a}", "{0x‹secret:KEY›, 0x0a}"),
        ("6875 6e74 6572 3232  hunter", "‹secret:KEY›  hunter"),
        ("00000000  68 75 6e 74  65 72 32 32  |", "00000000  ‹secret:KEY›  |"),
        (r#""68-75-6e-74\n65-72-32-32""#, "\"‹secret:KEY›\""),
        ("68756E7465723232 is 68756e7465723232", "‹secret:KEY› is ‹secret:KEY›"),
    ] {
        assert_eq!(veil.hide(printed), expected, "{printed}");
    }
    for text in
        ["68:75:6e:74:65:72:32", "68, or 75, or 6e", "2024-01-02 10:20:30", "x68:75:6e:74:65:72:32:32"]
    {
        assert_eq!(veil.hide(text), text);
    }
}

#[test]
fn secrets_are_hidden_in_what_is_itself_encoded() {
    let secret = "pass\"word?>~";
    let veil = hiding(secret);
    let once = |text: &str| STANDARD.encode(text);
    for inside in [
        once(&format!("user:{secret}")),
        format!(r#"{{"auth":"{}"}}"#, once(&format!("user:{secret}"))),
        format!("data:\n  {}\n  {}", &once(secret)[..8], &once(secret)[8..]),
        r#"{"password":"pass\"word?>~"}"#.to_owned(),
        "a=1&p=pass%22word%3F%3E%7E".to_owned(),
    ] {
        let hidden = veil.hide(&format!("data: {}", once(&inside)));
        assert!(hidden.starts_with("data: ") && hidden.contains("‹secret:KEY›"), "{inside}: {hidden}");
    }
    let twice = once(&once(&format!("a {secret} among others")));
    let (first, rest) = twice.split_at(20);
    assert!(veil.hide(&format!("{first}\n  {rest}")).contains("‹secret:KEY›"));
    assert!(veil.hide(&format!("{first}\\n{rest}")).contains("‹secret:KEY›"));
    let digits: String = once(secret).bytes().map(|byte| format!("{byte:02x} ")).collect();
    assert_eq!(veil.hide(&digits), "‹secret:KEY› ");
}

#[test]
fn what_only_looks_like_a_secret_stays() {
    let veil = hiding("%41%26+x");
    for text in
        ["A B &amp; C%20D", r"C:\new\u00e4", "%41%2", "+x", "A&", "100%", "&", "\\", "%zz&;&#;&#x;\\u{}\\u12"]
    {
        assert_eq!(veil.hide(text), text);
    }
    assert_eq!(veil.hide("a%41%26+xz"), "a‹secret:KEY›z");
    assert_eq!(veil.hide("a%2541%2526%2Bxz"), "a‹secret:KEY›z");
}

#[test]
fn secrets_that_overlap_leave_nothing_between_them() {
    let veil = hiding("abcdef");
    veil.conceal("OTHER", "defghijk").unwrap();
    assert_eq!(veil.hide("(abcdefghijk)(abcdefabcdef)"), "(‹secret:OTHER›)(‹secret:KEY›‹secret:KEY›)");
    let veil = Arc::new(veil);
    let both = ["KEY", "OTHER"].map(str::to_owned);
    assert_eq!(veil.detector(BTreeSet::from(both.clone()))("abcdefghijk"), Some("KEY".to_owned()));
    assert_eq!(veil.detector(BTreeSet::from([both[1].clone()]))("abcdefghijk"), Some("OTHER".to_owned()));
}

/// How a character is spelled by those who spell it out, and by those who do not.
fn spelled(character: char, how: u8) -> String {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).bytes();
    let units = character.encode_utf16(&mut [0; 2]).to_vec();
    match how {
        0 => bytes.map(|byte| format!("%{byte:02X}")).collect(),
        1 => bytes.map(|byte| format!("%{byte:02x}")).collect(),
        2 => units.iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        3 => units.iter().map(|unit| format!("\\u{unit:04X}")).collect(),
        4 => format!("&#{};", u32::from(character)),
        5 => format!("&#x{:X};", u32::from(character)),
        6 => bytes.map(|byte| format!("\\x{byte:02x}")).collect(),
        7 => Value::from(character.to_string()).as_str().map(in_json).unwrap_or_default(),
        8 => form_urlencoded(character),
        _ => character.to_string(),
    }
}

fn in_json(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn form_urlencoded(character: char) -> String {
    if character == ' ' { "+".to_owned() } else { in_url(&character.to_string()) }
}

/// Whether a secret has an encoded character itself, so that it can be read in two ways.
fn looks_encoded(secret: &str) -> bool {
    let is_encoded = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    secret.as_bytes().windows(3).any(is_encoded)
}

/// A text as one who prints it spells it.
fn encoded(text: &str, how: u8) -> String {
    match how {
        0 => in_url(text),
        1 => in_url(text).to_lowercase().replace("%20", "+"),
        2 => in_json(text),
        3 => in_json(text).replace('&', "\\u0026").replace('<', "\\u003c").replace('/', "\\/"),
        4 => in_json(text)
            .chars()
            .map(|one| if one.is_ascii() { one.into() } else { spelled(one, 2) })
            .collect(),
        5 => text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;").replace('\'', "&#x27;"),
        6 => text.chars().map(|one| spelled(one, 4)).collect(),
        7 => text.replace('\\', r"\\").replace('\'', r"\'"),
        8 => text
            .chars()
            .map(|one| if one.is_alphanumeric() { one.into() } else { format!("\\{one}") })
            .collect(),
        _ => text.to_owned(),
    }
}

proptest! {
    /// Whoever prints a secret, and whoever prints what these have printed: nothing of it is left, and all around it is.
    #[test]
    fn any_encoding_is_hidden(secret in "[!-~ä€𝄞 ]{5,20}[!-~]", how in prop::collection::vec(0_u8..9, 0..3)) {
        prop_assume!(secret.trim().chars().count() >= SHORTEST && !looks_encoded(&secret));
        // Printed twice, backslashes of its own and of others cannot be told apart.
        prop_assume!(how.len() < 2 || !secret.contains('\\'));
        // A URL in small letters is only one when it has no great ones.
        let secret = if how.contains(&1) { secret.to_lowercase() } else { secret };
        let printed = how.iter().fold(secret.trim().to_owned(), |text, how| encoded(&text, *how));
        let hidden = hiding(&secret).hide(&format!("«{printed}»"));
        prop_assert_eq!(hidden, "«‹secret:KEY›»", "{}", printed);
    }

    /// However each character of a secret is spelled.
    #[test]
    fn any_mixture_of_spellings_is_hidden(
        secret in r"[!-\[\]-~äß€𝄞 ]{0,3}[!-\[\]-~]{4,20}",
        hows in prop::collection::vec(0_u8..12, 30),
    ) {
        prop_assume!(!looks_encoded(&secret));
        // What begins an encoding is spelled out by whoever spells anything out.
        let how = |one: char, how: u8| if "%&+".contains(one) { how % 7 } else { how };
        let encoded: String = secret.trim().chars().zip(&hows).map(|(one, at)| spelled(one, how(one, *at))).collect();
        let hidden = hiding(&secret).hide(&format!("«{encoded}»"));
        prop_assert_eq!(hidden, "«‹secret:KEY›»", "{}", encoded);
    }

    /// A text without the secret is what it was, byte by byte.
    #[test]
    fn what_is_no_secret_is_not_touched(text in r"([0-9a-f%\\&+;#xu \n]|ä|&amp;|%2b|\\u00e4){0,60}") {
        prop_assert_eq!(hiding("ZQZQ&zqzq").hide(&text), text);
    }

    /// What is before and behind a secret stays, whatever it looks like.
    #[test]
    fn what_is_around_a_secret_stays(before in r"([0-9a-f%&+; \n]|ä|&amp;|%2b){0,20}", behind in r"([g-z%\\&+; \n]|ä|&amp;){0,20}") {
        let hidden = hiding("ZQZQ~zqzq").hide(&format!("{before}ZQZQ~zqzq{behind}"));
        prop_assert_eq!(hidden, format!("{before}‹secret:KEY›{behind}"));
    }

    /// Base64 of something longer that a secret is in has no character left that says anything of it.
    #[test]
    fn base64_is_hidden(before in "[a-z]{0,7}", secret in "[!-~]{4,40}", behind in "[a-z]{0,7}") {
        let whole = format!("{before}{secret}{behind}");
        let secret_at = before.len() * 8 / 6..((before.len() + secret.len()) * 8).div_ceil(6);
        for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
            let hidden = hiding(&secret).hide(&encoded);
            let expected = format!("{}‹secret:KEY›{}", &encoded[..secret_at.start], &encoded[secret_at.end..]);
            prop_assert_eq!(hidden, expected);
        }
    }

    /// Base64 of base64, wherever the secret begins in either of them: only what is of others is left.
    #[test]
    fn base64_of_base64_is_hidden(
        before in "[a-z]{0,4}", outer in "[a-z:]{0,4}", secret in "[!-~]{5,40}", behind in "[a-z]{0,4}",
    ) {
        let inner = format!("{outer}{}", STANDARD.encode(format!("{before}{secret}{behind}")));
        let hidden = hiding(&secret).hide(&STANDARD.encode(&inner));
        let left: usize = hidden.split("‹secret:KEY›").map(str::len).sum();
        let others = outer.len() + (before.len() + behind.len()) * 4 / 3;
        prop_assert!(hidden.contains("‹secret:KEY›") && left <= others * 4 / 3 + 12, "{}", hidden);
    }

    /// Digits with anything between them.
    #[test]
    fn digits_that_stand_apart_are_hidden(secret in "[!-~ä]{4,20}", apart in "[ :;,._-]|, |\n  |:0x|, 0X") {
        let printed: Vec<String> = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        let hidden = hiding(&secret).hide(&format!("({})", printed.join(&apart)));
        prop_assert_eq!(hidden, "(‹secret:KEY›)");
    }

    /// A shell's quotes around a secret, of one kind and the other.
    #[test]
    fn a_quoted_secret_is_hidden(secret in "[a-zA-Z0-9 '\"]{3,20}[a-z]{4}", apart in r#"'\\''|'"'"'|''"#) {
        let hidden = hiding(secret.trim()).hide(&format!("«'{}'»", secret.trim().replace('\'', &apart)));
        prop_assert!(["«'‹secret:KEY›'»", "«‹secret:KEY›'»"].contains(&hidden.as_str()), "{}", hidden);
    }

    /// Base64 of anything that has no secret is what it was.
    #[test]
    fn other_base64_stays(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[ -~\n]{0,60}") {
        let veil = hiding("ZQ'zqZQ'zq");
        for encoded in [STANDARD.encode(&bytes), STANDARD.encode(&text)] {
            prop_assert_eq!(veil.hide(&encoded), encoded);
        }
    }
}
