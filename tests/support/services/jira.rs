//! Jira: one project whose issues go from New over In Progress to Done.

use serde_json::{Value, json};

use super::{Reply, Request, Service};

/// The token that may do everything.
pub(crate) const TOKEN: &str = "jira-5eCr3tT0ken";

#[derive(Debug, Default)]
pub(crate) struct Jira {
    pub(crate) issues: Vec<Value>,
    pub(crate) links: Vec<Value>,
}

impl Service for Jira {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.bearer() != Some(TOKEN) {
            return Reply::json(
                401,
                &json!({"message": "Client must be authenticated to access this resource.", "status-code": 401}),
            );
        }
        let (method, path) = request.route();
        let ["rest", "api", "2", rest @ ..] = &path[..] else { return unknown() };
        match (method, rest) {
            ("GET", ["myself"]) => Reply::ok(&json!({"name": "ute", "displayName": "Ute"})),
            ("GET", ["field"]) => Reply::ok(&json!([{"id": "customfield_10002", "name": "Story Points"}])),
            ("GET", ["issueLinkType"]) => Reply::ok(
                &json!({"issueLinkTypes": [{"id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}]}),
            ),
            ("POST", ["issueLink"]) => self.link(request),
            ("GET", ["search"]) => self.search(request),
            ("POST", ["issue"]) => self.create(request),
            ("GET", ["issue", key]) => self.one(key, |issue| Reply::ok(issue)),
            ("PUT", ["issue", key]) => self.edit(request, key),
            ("PUT", ["issue", key, "assignee"]) => {
                let Some(name) = request.json().map(|given| given["name"].clone()) else { return unknown() };
                if !["ute", "jan"].iter().any(|known| name == *known) && !name.is_null() {
                    return errors(
                        400,
                        &json!({"assignee": format!("User '{}' does not exist.", name.as_str().unwrap_or_default())}),
                    );
                }
                self.one(key, |issue| {
                    issue["fields"]["assignee"] =
                        if name.is_null() { Value::Null } else { json!({"name": name}) };
                    Reply::empty()
                })
            }
            ("POST", ["issue", key, "comment"]) => self.comment(request, key),
            ("GET", ["issue", key, "transitions"]) => {
                self.one(key, |issue| Reply::ok(&json!({"transitions": transitions(issue)})))
            }
            ("POST", ["issue", key, "transitions"]) => self.transition(request, key),
            _ => unknown(),
        }
    }
}

impl Jira {
    fn one(&mut self, key: &str, then: impl FnOnce(&mut Value) -> Reply) -> Reply {
        match self.issues.iter_mut().find(|issue| issue["key"] == key) {
            Some(issue) => then(issue),
            None => Reply::json(404, &json!({"errorMessages": ["Issue Does Not Exist"], "errors": {}})),
        }
    }

    fn create(&mut self, request: &Request) -> Reply {
        let Some(given) = request.json() else { return unknown() };
        let fields = &given["fields"];
        if fields["project"]["key"] != "ABC" {
            return errors(400, &json!({"project": "valid project is required"}));
        }
        if !["Bug", "Story"].iter().any(|kind| fields["issuetype"]["name"] == *kind) {
            return errors(400, &json!({"issuetype": "issue type is required"}));
        }
        let known =
            ["project", "issuetype", "summary", "description", "labels", "priority", "customfield_10002"];
        if let Some(name) = fields.as_object().unwrap().keys().find(|name| !known.contains(&name.as_str())) {
            return errors(
                400,
                &json!({name: format!("Field '{name}' cannot be set. It is not on the appropriate screen, or unknown.")}),
            );
        }
        let mut fields = fields.clone();
        fields["status"] = json!({"name": "New"});
        fields["comment"] = json!({"comments": []});
        fields["components"] = given["update"]["components"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| one["add"].clone())
            .collect();
        let key = format!("ABC-{}", self.issues.len() + 1);
        self.issues.push(json!({"id": (1000 + self.issues.len()).to_string(), "key": key, "fields": fields}));
        Reply::json(201, &json!({"id": "1000", "key": key, "self": "x"}))
    }

    fn edit(&mut self, request: &Request, key: &str) -> Reply {
        let Some(given) = request.json() else { return unknown() };
        self.one(key, |issue| {
            for (name, value) in given["fields"].as_object().into_iter().flatten() {
                issue["fields"][name] = value.clone();
            }
            Reply::empty()
        })
    }

    fn comment(&mut self, request: &Request, key: &str) -> Reply {
        let Some(Value::String(text)) = request.json().map(|given| given["body"].clone()) else {
            return errors(400, &json!({"comment": "Comment body can not be empty!"}));
        };
        self.one(key, |issue| {
            let comments = issue["fields"]["comment"]["comments"].as_array_mut().unwrap();
            let comment = json!({"id": (comments.len() + 1).to_string(), "author": {"name": "ute"}, "body": text, "created": "2026-03-01T08:00:00.000+0000"});
            comments.push(comment.clone());
            Reply::json(201, &comment)
        })
    }

    fn transition(&mut self, request: &Request, key: &str) -> Reply {
        let given = request.json().unwrap_or_default();
        self.one(key, |issue| {
            let transitions = transitions(issue);
            let chosen = transitions.as_array().unwrap().iter().find(|one| one["id"] == given["transition"]["id"]);
            let Some(chosen) = chosen else {
                let message = "It seems that you have tried to perform a workflow operation that is not valid for the current state of this issue.";
                return Reply::json(400, &json!({"errorMessages": [message], "errors": {}}));
            };
            issue["fields"]["status"] = chosen["to"].clone();
            Reply::empty()
        })
    }

    fn link(&mut self, request: &Request) -> Reply {
        let Some(given) = request.json() else { return unknown() };
        if given["type"]["name"] != "Blocks" {
            return Reply::json(
                404,
                &json!({"errorMessages": ["No issue link type with name found."], "errors": {}}),
            );
        }
        self.links.push(given);
        Reply { status: 201, ..Reply::empty() }
    }

    fn search(&self, request: &Request) -> Reply {
        if let Some(name) = request.stranger(&["jql", "maxResults", "fields", "startAt"]) {
            return Reply::json(
                400,
                &json!({"errorMessages": [format!("unexpected parameter {name}")], "errors": {}}),
            );
        }
        let jql = request.param("jql").unwrap_or_default();
        if !jql.contains("project = ") && !jql.contains("assignee = ") {
            let message = format!("Error in the JQL Query: '{jql}' is not understood.");
            return Reply::json(400, &json!({"errorMessages": [message], "errors": {}}));
        }
        let start: usize = request.param("startAt").map_or(0, |text| text.parse().unwrap());
        let shown: Vec<&Value> = self.issues.iter().skip(start).take(2).collect();
        Reply::ok(&json!({"startAt": start, "maxResults": 2, "total": self.issues.len(), "issues": shown}))
    }
}

fn transitions(issue: &Value) -> Value {
    match issue["fields"]["status"]["name"].as_str() {
        Some("New") => json!([{"id": "11", "name": "Start", "to": {"name": "In Progress"}}]),
        Some("In Progress") => json!([{"id": "31", "name": "Close", "to": {"name": "Done"}}]),
        _ => json!([]),
    }
}

fn errors(status: u16, errors: &Value) -> Reply {
    Reply::json(status, &json!({"errorMessages": [], "errors": errors}))
}

fn unknown() -> Reply {
    Reply {
        status: 404,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html>dead link</html>".to_owned(),
    }
}
