use serde_json::json;

use super::Access;
use crate::support::Aa;
use crate::support::services::Server;
use crate::support::services::quay::{Quay, TOKEN};

#[test]
fn tags_digests_and_vulnerabilities_are_found() {
    let aa = Aa::new();
    let tags = ["v3", "v2", "v1"].map(|tag| (tag.to_owned(), format!("sha256:{tag}")));
    let server = Server::start(Quay { tags: tags.into() });
    let env = |token: &str| {
        vec![
            ("QUAY_URL", server.url.clone()),
            ("QUAY_TOKEN", token.to_owned()),
            ("QUAY_NAMESPACE", "demo".to_owned()),
            ("QUAY_REPOSITORY", "demo/api".to_owned()),
        ]
    };
    let quay = Access { aa: &aa, env: env(TOKEN) };

    let names = |found: serde_json::Value| -> Vec<String> {
        found.as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(quay.call("quay_list_tags", &json!({"repository": "api"}))), ["v3", "v2", "v1"]);
    assert_eq!(server.asked().len(), 2, "it comes in pages of two");
    assert_eq!(names(quay.call("quay_list_aa_tags", &json!({"filter_tag": "2"}))), ["v2"]);
    let digest = quay.call("skopeo_get_digest", &json!({"repository": "demo/api", "tag": "v1"}));
    assert_eq!(digest["digest"], "sha256:v1");
    let exists =
        |tag: &str| quay.call("quay_check_image_exists", &json!({"repository": "api", "tag_or_digest": tag}));
    assert_eq!(exists("v2"), json!({"exists": true, "digest": "sha256:v2"}));
    assert_eq!(exists("v9"), json!({"exists": false, "digest": null}));
    assert_eq!(exists("sha256:none"), json!({"exists": false, "digest": null}));
    let found = quay.call("quay_get_vulnerabilities", &json!({"repository": "api", "digest": "v1"}));
    assert_eq!(
        (&found["counts"]["High"], &found["vulnerabilities"][0]["fixed_by"]),
        (&json!(1), &json!("3.0.1"))
    );
    let manifest = quay.call("quay_get_manifest", &json!({"repository": "api", "tag_or_digest": "v1"}));
    assert_eq!(manifest["manifest"], json!({"schemaVersion": 2}));

    quay.fails(
        "quay_get_tag",
        &json!({"repository": "api", "tag": "v9"}),
        "not_found",
        "there is no such tag",
    );
    quay.fails("quay_get_repository", &json!({"repository": "other/api"}), "not_found", "Not Found");
    let stranger = Access { aa: &aa, env: env("wrong") };
    stranger.fails("quay_list_tags", &json!({"repository": "api"}), "auth", "Requires authentication");
}
