//! GitLab: one project with merge requests, notes and pipelines.

use serde_json::{Value, json};

use super::{Reply, Request, Service};

/// The token that may do everything.
pub(crate) const TOKEN: &str = "glpat-5eCr3tT0ken";

#[derive(Debug, Default)]
pub(crate) struct GitLab {
    pub(crate) merge_requests: Vec<Value>,
    pub(crate) notes: Vec<Value>,
    /// So many requests are answered with 429 first.
    pub(crate) busy: u32,
    /// The next merge request is made, but its answer never arrives.
    pub(crate) loses_answer: bool,
}

const PROJECT: &str = "demo/api";

impl Service for GitLab {
    fn answer(&mut self, request: &Request) -> Reply {
        match request.bearer() {
            Some(TOKEN) => {}
            Some("glpat-read") if request.method != "GET" => {
                return Reply::json(
                    403,
                    &json!({"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}),
                );
            }
            Some("glpat-read") => {}
            _ => return Reply::message(401, "401 Unauthorized"),
        }
        if self.busy > 0 {
            self.busy -= 1;
            let busy = Reply { body: "Retry later\n".to_owned(), ..Reply::text("") };
            return Reply { status: 429, ..busy }.header("retry-after", "0");
        }
        let (method, path) = request.route();
        let ["api", "v4", rest @ ..] = &path[..] else {
            return Reply::json(404, &json!({"error": "404 Not Found"}));
        };
        match (method, rest) {
            ("GET", ["users"]) => users(request),
            (_, ["projects", PROJECT, rest @ ..]) => self.project(request, method, rest),
            (_, ["projects", ..]) => Reply::message(404, "404 Project Not Found"),
            _ => Reply::json(404, &json!({"error": "404 Not Found"})),
        }
    }
}

impl GitLab {
    fn project(&mut self, request: &Request, method: &str, rest: &[&str]) -> Reply {
        match (method, rest) {
            ("GET", ["merge_requests"]) => self.list(request),
            ("POST", ["merge_requests"]) => self.create(request),
            ("GET", ["merge_requests", iid]) => self.one(iid, |found| Reply::ok(found)),
            ("PUT", ["merge_requests", iid]) => self.update(request, iid),
            ("PUT", ["merge_requests", iid, "merge"]) => self.merge(request, iid),
            ("GET", ["merge_requests", _, "notes"]) => page(request, &self.notes, &["sort", "order_by"]),
            ("POST", ["merge_requests", iid, "notes"]) => self.note(request, iid),
            ("GET", ["pipelines", "latest"]) if request.param("ref") == Some("main") => Reply::ok(
                &json!({"id": 77, "status": "failed", "ref": "main", "sha": "abc", "source": "push"}),
            ),
            ("GET", ["pipelines", "latest"]) => Reply::message(404, "404 Not Found"),
            ("GET", ["pipelines", "77", "jobs"]) => {
                let jobs = [
                    json!({"id": 1, "name": "build", "stage": "build", "status": "success"}),
                    json!({"id": 2, "name": "test", "stage": "test", "status": "failed"}),
                ];
                page(request, &jobs, &[])
            }
            ("GET", ["jobs", "2", "trace"]) => Reply::text("$ make\n\u{1b}[31mFAILED\u{1b}[0m\n"),
            ("GET", ["repository", "files", "src/a.txt", "raw"]) if request.param("ref").is_some() => {
                Reply::text("a\n")
            }
            _ => Reply::json(404, &json!({"error": "404 Not Found"})),
        }
    }

    fn list(&self, request: &Request) -> Reply {
        let known = ["state", "author_username", "source_branch", "scope", "order_by", "per_page", "page"];
        if let Some(name) = request.stranger(&known) {
            return Reply::json(400, &json!({"error": format!("{name} is invalid")}));
        }
        let is = |mr: &Value, name: &str, value: &Value| {
            request.param(name).is_none_or(|wanted| value == wanted || mr.is_null())
        };
        let wanted = |mr: &&Value| {
            is(mr, "state", &mr["state"])
                && is(mr, "author_username", &mr["author"]["username"])
                && is(mr, "source_branch", &mr["source_branch"])
        };
        let found: Vec<Value> = self.merge_requests.iter().filter(wanted).cloned().collect();
        page(request, &found, &known)
    }

    fn create(&mut self, request: &Request) -> Reply {
        let Some(given) = request.json() else {
            return Reply::json(400, &json!({"error": "source_branch is missing"}));
        };
        let known = [
            "source_branch",
            "target_branch",
            "title",
            "description",
            "labels",
            "assignee_ids",
            "reviewer_ids",
            "remove_source_branch",
            "squash",
        ];
        if let Some(name) = given.as_object().unwrap().keys().find(|name| !known.contains(&name.as_str())) {
            return Reply::json(400, &json!({"error": format!("{name} is invalid")}));
        }
        let (Some(source), Some(target)) = (given["source_branch"].as_str(), given["target_branch"].as_str())
        else {
            return Reply::json(400, &json!({"error": "source_branch is missing, target_branch is missing"}));
        };
        let open =
            self.merge_requests.iter().find(|mr| mr["source_branch"] == source && mr["state"] == "opened");
        if let Some(open) = open {
            let message =
                format!("Another open merge request already exists for this source branch: !{}", open["iid"]);
            return Reply::json(409, &json!({"message": [message]}));
        }
        let names = |ids: &Value| -> Value {
            ids.as_array()
                .into_iter()
                .flatten()
                .map(|id| json!({"username": if *id == 4 { "jan" } else { "ute" }}))
                .collect()
        };
        let title = given["title"].as_str().unwrap();
        let iid = self.merge_requests.len() + 1;
        let made = json!({
            "id": 9000 + iid, "iid": iid, "title": title, "description": given["description"], "state": "opened",
            "draft": title.starts_with("Draft: "), "author": {"username": "ute"},
            "assignees": names(&given["assignee_ids"]), "reviewers": names(&given["reviewer_ids"]), "labels": [],
            "source_branch": source, "target_branch": target, "sha": "abc", "detailed_merge_status": "mergeable",
            "has_conflicts": false, "web_url": format!("https://gitlab.example.org/demo/api/-/merge_requests/{iid}"),
        });
        self.merge_requests.push(made.clone());
        if std::mem::take(&mut self.loses_answer) {
            return Reply { status: 0, ..Reply::empty() };
        }
        Reply::json(201, &made)
    }

    fn one(&mut self, iid: &str, then: impl FnOnce(&mut Value) -> Reply) -> Reply {
        match self.merge_requests.iter_mut().find(|mr| mr["iid"].as_u64() == iid.parse().ok()) {
            Some(found) => then(found),
            None => Reply::message(404, "404 Not found"),
        }
    }

    fn update(&mut self, request: &Request, iid: &str) -> Reply {
        let given = request.json().unwrap_or_default();
        self.one(iid, |found| {
            for (name, value) in given.as_object().into_iter().flatten() {
                match (name.as_str(), value.as_str()) {
                    ("title", Some(title)) => {
                        found["draft"] = title.starts_with("Draft: ").into();
                        found["title"] = title.into();
                    }
                    ("description", Some(text)) => found["description"] = text.into(),
                    ("add_labels", Some(labels)) => found["labels"] = labels.split(',').collect(),
                    ("state_event", Some("close")) => found["state"] = "closed".into(),
                    ("state_event", Some("reopen")) => found["state"] = "opened".into(),
                    _ => return Reply::json(400, &json!({"error": format!("{name} is invalid")})),
                }
            }
            Reply::ok(found)
        })
    }

    fn merge(&mut self, request: &Request, iid: &str) -> Reply {
        let given = request.json().unwrap_or_default();
        self.one(iid, |found| {
            if found["draft"] == true {
                return Reply::message(405, "405 Method Not Allowed");
            }
            if given["sha"].is_string() && given["sha"] != found["sha"] {
                return Reply::message(409, "SHA does not match HEAD of source branch: abc");
            }
            found["state"] = "merged".into();
            Reply::ok(found)
        })
    }

    fn note(&mut self, request: &Request, iid: &str) -> Reply {
        let Some(text) = request.json().and_then(|given| given["body"].as_str().map(str::to_owned)) else {
            return Reply::json(400, &json!({"error": "body is missing"}));
        };
        let id = self.notes.len() + 1;
        let note = json!({"id": id, "author": {"username": "ute"}, "body": text, "system": false, "resolvable": false, "created_at": "2026-03-01T08:00:00Z"});
        self.notes.push(note.clone());
        self.one(iid, |_| Reply::json(201, &note))
    }
}

fn users(request: &Request) -> Reply {
    let found = match request.param("username") {
        Some("ute") => json!([{"id": 3, "username": "ute"}]),
        Some("jan") => json!([{"id": 4, "username": "jan"}]),
        _ => json!([]),
    };
    Reply::ok(&found)
}

/// A page, with a link to the next one.
fn page(request: &Request, items: &[Value], known: &[&str]) -> Reply {
    let known: Vec<&str> = known.iter().copied().chain(["per_page", "page"]).collect();
    if let Some(name) = request.stranger(&known) {
        return Reply::json(400, &json!({"error": format!("{name} is invalid")}));
    }
    let number = |name, usual| request.param(name).map_or(usual, |text| text.parse::<usize>().unwrap());
    let (page, size) = (number("page", 1), number("per_page", 20).min(2));
    let shown: Vec<&Value> = items.iter().skip((page - 1) * size).take(size).collect();
    let reply = Reply::ok(&json!(shown));
    if page * size >= items.len() {
        return reply;
    }
    let host = &request.headers["host"];
    let path = request.path.iter().map(|segment| segment.replace('/', "%2F")).collect::<Vec<_>>().join("/");
    let kept = request.query.iter().filter(|(name, _)| name != "page");
    let query = kept.fold(String::new(), |all, (name, value)| all + "&" + name + "=" + value);
    reply.header("link", format!("<http://{host}/{path}?page={}{query}>; rel=\"next\"", page + 1))
}
