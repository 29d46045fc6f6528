//! Modules over HTTP: imported, rehearsed, run, and silent about secrets.

use std::path::Path;

use serde_json::json;

use crate::support::Aa;
use crate::support::server::{Reply, Request, Server};

const SECRET: &str = "s3cret-t0ken/with+odd=parts";

const FORGE: &str = r#"
module: forge
description: Merge requests of a forge
config:
  url: {env: FORGE_URL}
  token: {env: FORGE_TOKEN, secret: true}
http: {base: "{{ config.url }}", auth: {header: {name: Private-Token, value: "{{ config.token }}"}}, retries: 0}
tools:
  - name: forge_mr_list
    description: Merge requests of a project
    effect: read
    input: {project: {type: string, description: Path of the project}}
    output: {type: array, items: {type: object}}
    http: {path: "/api/v4/projects/{project}/merge_requests", query: {per_page: 2}, paginate: {link: true}}
    value: {each: result, as: mr, value: {id: "{{ mr.iid }}", title: "{{ mr.title }}"}}
    examples:
      - description: Two pages
        args: {project: a/b}
        recorded:
          exchanges:
            - request:
                path: /api/v4/projects/a%2Fb/merge_requests?per_page=2
                headers: {Private-Token: recorded-token}
              response:
                headers: {Link: '</api/v4/projects/a%2Fb/merge_requests?per_page=2&page=2>; rel="next"'}
                json: [{iid: 1, title: One}, {iid: 2, title: Two}]
            - request: {path: /api/v4/projects/a%2Fb/merge_requests?per_page=2&page=2}
              response: {json: [{iid: 3, title: Three}]}
        expect: [{id: 1, title: One}, {id: 2}, {id: 3}]
      - description: A project that is not there
        args: {project: nothing}
        recorded:
          exchanges:
            - request: {path: /api/v4/projects/nothing/merge_requests?per_page=2}
              response: {status: 404, json: {message: 404 Project Not Found}}
        fails: {kind: not_found, message: 404 Project Not Found}
  - name: forge_mr_comment
    description: Comments on a merge request
    effect: write
    input:
      project: {type: string, description: Path of the project}
      id: {type: integer, description: Number of the merge request}
      body: {type: string, description: What to say}
    http: {method: POST, path: "/api/v4/projects/{project}/merge_requests/{id}/notes", json: {body: "{{ body }}"}}
    value: {id: "{{ body.id }}"}
    output: {type: object}
    examples:
      - args: {project: a/b, id: 7, body: Well done}
        recorded:
          exchanges:
            - request: {method: POST, path: /api/v4/projects/a%2Fb/merge_requests/7/notes, json: {body: Well done}}
              response: {status: 201, json: {id: 99}}
        expect: {id: 99}
"#;

#[test]
fn recorded_requests_are_replayed_strictly() {
    let aa = Aa::new().tools("forge", FORGE);
    aa.args(["tool", "check", "forge"]).run().code(0);
    // Neither the environment nor a service is needed.
    aa.args(["tool", "test", "forge"]).run().code(0).stderr_contains("3 examples passed");
    let wrong = FORGE
        .replace("per_page: 2}, paginate", "per_page: 3}, paginate")
        .replace("json: {body: \"{{ body }}\"}", "json: {note: \"{{ body }}\"}");
    let aa = aa.tools("forge", &wrong);
    insta::assert_snapshot!(aa.args(["tool", "test", "forge"]).run().code(1).stdout("").err());
    // A request too few is a difference, too.
    let fewer = FORGE.replace(", paginate: {link: true}", "");
    let aa = aa.tools("forge", &fewer);
    aa.args(["tool", "test", "forge_mr_list"]).run().code(1).stderr_contains("1 of 2 that were recorded");
    // So is another host, which a recording may name.
    let elsewhere = FORGE.replace(
        "http: {path: \"/api/v4/projects/{project}/merge_requests\", q",
        "http: {url: \"https://other.example/api/v4/projects/{{ project }}/merge_requests\", q",
    );
    let elsewhere = elsewhere.replace("                headers: {Private-Token: recorded-token}\n", "");
    let aa = aa.tools("forge", &elsewhere);
    let tried = aa.args(["tool", "test", "forge_mr_list"]).run().code(1);
    tried.stderr_contains("request 1, host").stderr_contains("https://other.example");
    let named = elsewhere
        .replace("request: {path: /api", "request: {host: \"https://other.example\", path: /api")
        .replace(
            "            - request:\n",
            "            - request:\n                host: https://other.example\n",
        )
        .replace("a%2Fb/merge_requests?per_page=2", "a/b/merge_requests?per_page=2");
    let aa = aa.tools("forge", &named);
    aa.args(["tool", "test", "forge_mr_list"]).run().code(0);
    let mixed =
        FORGE.replace("            - request: {method: POST", "            - requests: {method: POST");
    let aa = aa.tools("forge", &mixed);
    aa.args(["tool", "check", "forge"]).run().code(3);
}

/// A service that says back whatever it is told, secrets and all.
fn gossip() -> Server {
    Server::new(|asked: &Request| {
        let status = if asked.target.contains("broken") { 403 } else { 200 };
        let said = json!({"iid": 1, "title": format!("you sent {}", asked.head()), "message": asked.head()});
        Reply::json(status, &if status == 200 { json!([said]) } else { said })
    })
}

#[test]
fn a_secret_of_a_module_is_nowhere_to_be_seen() {
    let service = gossip();
    let skill = "name: look
description: Looks at merge requests
steps:
  - {name: well, tool: forge_mr_list, args: {project: a/b}, output: well}
  - {name: broken, tool: forge_mr_list, args: {project: broken}, on_error: continue}
outputs: [{name: well, value: '{{ well }}'}]
";
    let aa = Aa::new().tools("forge", FORGE).skill("look", skill).config(&format!(
        "secrets: {{TOKEN: {{env: REAL_TOKEN}}}}\nmodules: {{forge: {{url: '{}', token: '{{{{ secrets.TOKEN }}}}'}}}}\n",
        service.url
    ));
    let ask = |args: &[&str]| aa.args(args).env("REAL_TOKEN", SECRET).env("AA_LOG", "trace").run();
    let mut said = String::new();
    said += &ask(&["skill", "run", "look"]).code(0).to_string();
    said += &ask(&["skill", "run", "look", "--format", "json"]).code(0).to_string();
    said += &ask(&["tool", "call", "forge_mr_list", "-a", "project=a/b"]).code(0).to_string();
    said += &ask(&["tool", "call", "forge_mr_list", "-a", "project=broken"]).code(1).to_string();
    said += &ask(&["run", "show", "1"]).to_string();
    said += &ask(&["config", "show"]).to_string();
    assert!(said.contains("secret:"), "what was hidden is marked\n{said}");
    let sent = service.asked();
    assert!(sent.len() >= 6 && sent.iter().all(|asked| asked.head().contains(SECRET)), "{sent:?}");
    let shapes = [SECRET.to_owned(), SECRET.replace('/', "%2F"), SECRET.replace('/', "\\/")];
    for shape in &shapes {
        assert!(!said.contains(shape), "{shape} was shown\n{said}");
    }
    let mut files = 0;
    each_file(&aa.home(), &mut |path, bytes| {
        files += 1;
        for shape in &shapes {
            let found = bytes.windows(shape.len()).any(|window| window == shape.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    });
    assert!(files > 0, "there is a journal");
}

fn each_file(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { each_file(&path, look) } else { look(&path, &std::fs::read(&path).unwrap()) }
    }
}

#[test]
fn what_a_module_is_configured_with_is_checked() {
    let aa = Aa::new().tools("forge", FORGE);
    let call = ["tool", "call", "forge_mr_list", "-a", "project=x"];
    insta::assert_snapshot!(aa.args(call).run().code(1).stdout("").err());
    let aa = aa.config("modules: {forge: {url: 'http://127.0.0.1:1', token: plain-text}}\n");
    insta::assert_snapshot!(aa.args(call).run().code(1).stdout("").err());
    let aa = aa.config("modules: {forge: {url: '{{ values.x }}', token: '{{ secrets.TOKEN'}}\n");
    insta::assert_snapshot!(aa.args(call).run().stdout("").err());
}

fn document(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/openapi").join(name).display().to_string()
}

#[test]
fn an_openapi_document_becomes_a_module() {
    let aa = Aa::new();
    let imported = aa
        .args(["tool", "import", "openapi", &document("tickets.yaml"), "--out", ".aa/tools/tickets.yaml"])
        .run();
    insta::assert_snapshot!(imported.code(0).stdout(".aa/tools/tickets.yaml\n").err());
    insta::assert_snapshot!(aa.text(".aa/tools/tickets.yaml"));
    aa.args(["tool", "check", "tickets"]).run().code(0);
    let service = Server::new(|asked| match (asked.method.as_str(), asked.target.as_str()) {
        ("GET", target) if target.starts_with("/projects/") => {
            Reply::ok(&json!([{"id": 1, "title": "One", "more": 2}]))
        }
        ("POST", "/projects/AB/issues") => Reply::json(201, &json!({"id": 2, "title": "Two"})),
        ("POST", "/issues/7/attachments") => Reply::ok(&json!({})),
        ("DELETE", "/issues/7") => Reply::message(404, "no such issue"),
        other => panic!("{other:?}"),
    });
    let aa = aa.file("note.txt", "the content");
    let call = |tool: &str, args: serde_json::Value| {
        let args = args.to_string();
        let call = aa.args(["tool", "call", tool, "--args", &args]);
        call.env("TICKETS_URL", &service.url).env("TICKETS_TOKEN", "the-token").run()
    };
    let listed = call(
        "tickets_list_issues",
        json!({"projectKey": "AB", "status": ["open", "closed"], "fields": ["id", "title"], "per_page": 5}),
    );
    assert_eq!(listed.code(0).json()[0]["title"], "One");
    call("tickets_create_issue", json!({"projectKey": "AB", "title": "Two", "in_": "x", "labels": ["a"]}))
        .code(0);
    call("tickets_add_attachment", json!({"id": 7, "file": "note.txt"})).code(0);
    call("tickets_delete_issue", json!({"id": 7})).code(1).stderr_contains("no such issue");
    call("tickets_list_issues", json!({"projectKey": "lower"})).code(1).stderr_contains("projectKey");
    let asked = service.asked();
    let lines: Vec<_> = asked.iter().map(Request::line).collect();
    assert_eq!(
        lines,
        [
            "GET /projects/AB/issues?status=open&status=closed&fields=id%2Ctitle&per-page=5",
            "POST /projects/AB/issues",
            "POST /issues/7/attachments",
            "DELETE /issues/7",
        ]
    );
    assert!(asked.iter().all(|asked| asked.bearer() == Some("the-token")));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&asked[1].text()).unwrap(),
        json!({"title": "Two", "labels": ["a"], "in": "x"})
    );
    assert!(asked[2].text().contains("the content") && asked[2].text().contains("filename=\"note.txt\""));
}

#[test]
fn a_part_of_a_document_can_be_taken() {
    let aa = Aa::new();
    let file = document("depot.json");
    let whole = aa.args(["tool", "import", "openapi", &file]).run().code(0);
    insta::assert_snapshot!(whole.err());
    insta::assert_snapshot!(whole.out());
    let tagged =
        aa.args(["tool", "import", "openapi", &file, "--tag", "TAG", "--prefix", "quay_"]).run().code(0);
    tagged
        .stderr_contains("1 tool in the module")
        .stdout_contains("name: quay_get_repository_namespace_repository_tag");
    let aa = aa
        .file("old.json", r#"{"swagger": "2.0"}"#)
        .file("new.yaml", "openapi: 4.0.0\n")
        .file("none.yaml", "a: 1\n");
    for (args, code, part) in [
        (vec![file.as_str(), "--tag", "tgas"], 3, "no operation has such a tag; there are `tag`"),
        (vec!["old.json"], 3, "this is Swagger 2"),
        (vec!["new.yaml"], 3, "only 3.0 and 3.1 are known"),
        (vec!["none.yaml"], 3, "this is no OpenAPI document"),
        (vec!["gone.yaml"], 4, "no such file"),
        (vec![file.as_str(), "--out", "1st.yaml"], 2, "cannot be the name"),
        (vec![file.as_str(), "--out", "none.yaml"], 2, "exists already"),
    ] {
        let args = ["tool", "import", "openapi"].into_iter().chain(args);
        aa.args(args).run().code(code).stdout("").stderr_contains(part);
    }
}

/// Tells whether the command line of any process holds the token, without one that holds it.
const LOOK: &str = r#"
module: look
description: Looks at the processes of this machine
requires: {commands: [sh]}
tools:
  - name: look_safely
    description: Is given a secret in its environment
    effect: read
    input: {token: {type: string, description: A secret}}
    run:
      - sh
      - -c
      - 'case "$(cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " ")" in *"$TOKEN"*) echo "shown to all";; *look-marker*) echo hidden;; esac'
      - look-marker
    env: {TOKEN: "{{ token }}"}
  - name: look_openly
    description: Is given a secret on its command line
    effect: read
    input: {token: {type: string, description: A secret}}
    run: [touch, "was-run", "--", "token={{ token }}"]
"#;

#[test]
fn a_secret_never_stands_on_a_command_line() {
    let skill = |tool: &str| {
        format!(
            "name: {tool}\ndescription: Looks\nsteps:\n  - {{name: it, tool: {tool}, args: {{token: '{{{{ secrets.TOKEN }}}}'}}, output: it}}\noutputs: [{{name: it, value: '{{{{ it }}}}'}}]\n"
        )
    };
    let aa = Aa::new()
        .tools("look", LOOK)
        .skill("look_safely", &skill("look_safely"))
        .skill("look_openly", &skill("look_openly"))
        .config("secrets: {TOKEN: {env: REAL_TOKEN}}\n");
    let ask = |args: &[&str]| aa.args(args).env("REAL_TOKEN", SECRET).run();
    let given = "token={{ secrets.TOKEN }}";
    for args in [&["skill", "run", "look_safely"][..], &["tool", "call", "look_safely", "-a", given]] {
        let said = ask(args).code(0).to_string();
        assert!(said.contains("hidden") && !said.contains("shown to all"), "{said}");
    }
    let said = ask(&["tool", "call", "look_openly", "-a", given]).code(1).to_string();
    assert!(said.contains("secret `TOKEN` would stand on the command line of `touch`"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    // Of a skill it is known before anything runs.
    let said = ask(&["skill", "run", "look_openly"]).code(3).to_string();
    assert!(said.contains("secret-in-command") && said.contains("`look_openly` puts `token`"), "{said}");
    assert!(!aa.path("was-run").exists(), "nothing was started");
}

/// A module that shows what it is configured with: one value that is secret, and one that is not.
const SHOWN: &str = r#"
module: shown
description: Is configured
config: {token: {env: SHOWN_TOKEN, secret: true, optional: true}, user: {default: nobody}}
tools:
  - name: shown_token
    description: Whether there is a token
    effect: read
    run: [sh, -c, 'echo "$1: ${TOKEN:+there}"', sh, "{{ 'user' if config.token else 'guest' }}"]
    env: {TOKEN: "{{ config.token }}"}
  - name: shown_user
    description: Who it is
    effect: read
    run: [touch, was-run, "{{ config.user }}"]
"#;

#[test]
fn a_secret_that_is_null_is_not_configured() {
    let configured = |config: &str| Aa::new().tools("shown", SHOWN).config(config);
    let ask = |aa: &Aa| {
        aa.args(["tool", "call", "shown_token"]).env("SHOWN_TOKEN", SECRET).run().code(0).out().clone()
    };
    for (config, expected) in
        [("null", "user: there"), ("", "user: there"), ("~", "user: there"), ("\"\"", "guest:")]
    {
        let aa = configured(&format!("modules:\n  shown:\n    token: {config}\n"));
        aa.args(["config", "check"]).run().code(0);
        assert_eq!(ask(&aa).trim(), expected.trim(), "{config}");
    }
    let aa = configured("modules: {shown: {user: null}}");
    assert_eq!(aa.args(["tool", "call", "shown_user"]).run().code(0).out().trim(), "");
    assert!(aa.path("nobody").exists(), "the default holds");
}

#[test]
fn a_secret_of_the_configuration_never_stands_on_a_command_line() {
    let config = "secrets: {TOKEN: {env: REAL_TOKEN}}\nmodules: {shown: {user: 'me:{{ secrets.TOKEN }}'}}\n";
    let aa = Aa::new().tools("shown", SHOWN).config(config);
    let said = aa.args(["tool", "call", "shown_user"]).env("REAL_TOKEN", SECRET).run().code(1).to_string();
    assert!(said.contains("`modules.shown.user` of the configuration stands on a command line"), "{said}");
    assert!(!said.contains(SECRET) && !aa.path("was-run").exists(), "{said}");
}
