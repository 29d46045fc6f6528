//! Quay: one repository with some tags.

use serde_json::{Value, json};

use super::{Reply, Request, Service};

/// The token that may read.
pub(crate) const TOKEN: &str = "quay-5eCr3tT0ken";

#[derive(Debug)]
pub(crate) struct Quay {
    /// Tag and digest, newest first.
    pub(crate) tags: Vec<(String, String)>,
}

impl Service for Quay {
    fn answer(&mut self, request: &Request) -> Reply {
        if request.bearer() != Some(TOKEN) {
            let detail = "Requires authentication";
            return Reply::json(
                401,
                &json!({"detail": detail, "error_message": detail, "error_type": "invalid_token", "status": 401}),
            );
        }
        let (method, path) = request.route();
        match (method, &path[..]) {
            ("GET", ["api", "v1", "repository", "demo", "api"]) => {
                Reply::ok(&json!({"namespace": "demo", "name": "api", "is_public": false, "state": "NORMAL"}))
            }
            ("GET", ["api", "v1", "repository", "demo", "api", "tag", ""]) => self.list(request),
            ("GET", ["api", "v1", "repository", "demo", "api", "manifest", digest]) if self.has(digest) => {
                Reply::ok(
                    &json!({"digest": digest, "is_manifest_list": false, "manifest_data": "{\"schemaVersion\": 2}"}),
                )
            }
            ("GET", ["api", "v1", "repository", "demo", "api", "manifest", digest, "security"])
                if self.has(digest) =>
            {
                let found = json!([{"Name": "openssl", "Version": "3.0", "Vulnerabilities": [{"Name": "CVE-2026-2", "Severity": "High", "FixedBy": "3.0.1", "Link": "x"}]}]);
                Reply::ok(&json!({"status": "scanned", "data": {"Layer": {"Features": found}}}))
            }
            _ => Reply::json(
                404,
                &json!({"detail": "Not Found", "error_message": "Not Found", "error_type": "not_found", "status": 404}),
            ),
        }
    }
}

impl Quay {
    fn has(&self, digest: &str) -> bool {
        self.tags.iter().any(|(_, known)| known == digest)
    }

    fn list(&self, request: &Request) -> Reply {
        if let Some(name) =
            request.stranger(&["onlyActiveTags", "specificTag", "filter_tag_name", "limit", "page"])
        {
            return Reply::json(400, &json!({"detail": format!("unexpected {name}"), "status": 400}));
        }
        let filter = request.param("filter_tag_name").map(|filter| filter.strip_prefix("like:").unwrap());
        let wanted = |(name, _): &&(String, String)| {
            request.param("specificTag").is_none_or(|tag| tag == name)
                && filter.is_none_or(|part| name.contains(part))
        };
        let found: Vec<_> = self.tags.iter().filter(wanted).collect();
        let page: usize = request.param("page").map_or(1, |page| page.parse().unwrap());
        let shown: Vec<Value> = found
            .iter()
            .skip((page - 1) * 2)
            .take(2)
            .map(|(name, digest)| json!({"name": name, "manifest_digest": digest, "size": 10, "last_modified": "Sun, 01 Mar 2026 08:00:00 -0000"}))
            .collect();
        Reply::ok(&json!({"page": page, "has_additional": found.len() > page * 2, "tags": shown}))
    }
}
