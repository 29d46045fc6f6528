//! Knowledge in a real store, of real folders.

use aa_spec::tool::ErrorKind;

use super::*;
use crate::tool::memory::kit::Bench;

fn bench() -> Bench {
    let bench = Bench::of(TOOLS);
    let root = bench.folder();
    std::fs::create_dir_all(root.join("shop/.git")).unwrap();
    for (file, text) in [
        ("README.md", "# Shop\n\n![badge](x)\n\nSells things\nto people.\n\nMore.\n"),
        ("Cargo.toml", "[dependencies]\nserde = \"1\"\n"),
        (".gitignore", "build/\n"),
        ("src/README", "The code.\n"),
        ("src/a.rs", ""),
        ("build/x.o", ""),
    ] {
        let path = root.join("shop").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    bench
}

#[tokio::test]
async fn a_first_look_gives_a_third_of_certainty() {
    let bench = bench();
    let shop = bench.folder().join("shop");
    let loaded = bench.call_in(&shop, "knowledge_load", json!({})).await.unwrap();
    assert_eq!((&loaded["project"], &loaded["persona"]), (&json!("shop"), &json!("developer")));
    assert_eq!((&loaded["scanned"], &loaded["confidence"]), (&json!(true), &json!(0.3)));
    let knowledge = &loaded["knowledge"];
    assert_eq!(
        knowledge["architecture"],
        json!({
            "overview": "Sells things to people.",
            "key_modules": [{"path": "src", "purpose": "The code.", "notes": "2 files"}],
            "data_flow": "",
            "dependencies": ["serde"],
        })
    );
    assert_eq!(knowledge["patterns"]["testing"], json!(["`cargo test`"]));
    let again = bench.call_in(&shop, "knowledge_load", json!({})).await.unwrap();
    assert_eq!((&again["scanned"], &again["found"]), (&json!(false), &json!(true)));
    let nowhere = bench.ok("knowledge_load", json!({"project": "other"})).await;
    assert_eq!((&nowhere["found"], &nowhere["knowledge"]), (&json!(false), &json!({})));
    let error = bench.call("knowledge_scan", json!({"project": "other"})).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn what_links_lead_to_is_not_looked_at() {
    let bench = bench();
    let (shop, secret) = (bench.folder().join("shop"), bench.folder().join("secret"));
    std::fs::create_dir(&secret).unwrap();
    for (file, text) in [("README.md", "The secret.\n"), ("Cargo.toml", "[dependencies]\nhidden = \"1\"\n")] {
        std::fs::write(secret.join(file), text).unwrap();
        std::fs::remove_file(shop.join(file)).unwrap();
        std::os::unix::fs::symlink(secret.join(file), shop.join(file)).unwrap();
    }
    std::os::unix::fs::symlink(&secret, shop.join("linked")).unwrap();
    std::fs::write(shop.join("readme.txt"), "Sells things.\n").unwrap();
    let known = bench.ok("knowledge_scan", json!({"project": "./shop"})).await["knowledge"].clone();
    let seen = &known["architecture"];
    assert_eq!(
        (&seen["overview"], &seen["dependencies"], &seen["key_modules"]),
        (
            &json!("Sells things."),
            &json!([]),
            &json!([{"path": "src", "purpose": "The code.", "notes": "2 files"}])
        )
    );
}

#[tokio::test]
async fn what_tasks_teach_adds_up_and_is_said_once() {
    let bench = bench();
    bench.ok("knowledge_scan", json!({"project": "./shop"})).await;
    let learn = |text: &str| json!({"project": "./shop", "learning": text, "task": "AAP-1"});
    let first = bench.ok("knowledge_learn", learn("Tests need a database.")).await;
    assert_eq!(
        (&first["new"], &first["count"], &first["confidence"]),
        (&json!(true), &json!(1), &json!(0.35))
    );
    let again = bench.ok("knowledge_learn", learn("tests  need a DATABASE")).await;
    assert_eq!(
        (&again["new"], &again["count"], &again["confidence"]),
        (&json!(false), &json!(1), &json!(0.35))
    );
    let part =
        bench.ok("knowledge_query", json!({"project": "./shop", "section": "learned_from_tasks"})).await;
    let entry = &part["content"][0];
    for (field, expected) in [
        ("learning", json!("Tests need a database.")),
        ("task", json!("AAP-1")),
        ("confidence", json!(0.6)),
        ("occurrences", json!(2)),
        ("source", json!(null)),
    ] {
        assert_eq!(entry[field], expected, "{field}");
    }
    for index in 0..20 {
        bench.ok("knowledge_learn", learn(&format!("thing {index}"))).await;
    }
    let known = bench.ok("knowledge_list", json!({})).await;
    assert_eq!((&known[0]["confidence"], &known[0]["learned"]), (&json!(0.95), &json!(21)));
    // Looking again keeps what was learned.
    let scanned = bench.ok("knowledge_scan", json!({"project": "./shop", "force": true})).await;
    assert_eq!(scanned["confidence"], json!(0.95));
    assert_eq!(scanned["knowledge"]["learned_from_tasks"].as_array().unwrap().len(), 21);
}

#[tokio::test]
async fn looking_again_keeps_what_others_have_written() {
    let bench = bench();
    let scan = || bench.ok("knowledge_scan", json!({"project": "./shop", "force": true}));
    scan().await;
    for (section, content) in [("architecture.overview", json!("Ours.")), ("architecture.notes", json!("x"))]
    {
        let update = json!({"project": "./shop", "persona": "", "section": section, "content": content, "append": false});
        bench.ok("knowledge_update", update).await;
    }
    std::fs::write(bench.folder().join("shop/Cargo.toml"), "[dependencies]\nrand = \"1\"\n").unwrap();
    let expected = json!({
        "overview": "Ours.",
        "key_modules": [{"path": "src", "purpose": "The code.", "notes": "2 files"}],
        "data_flow": "",
        "dependencies": ["rand"],
        "notes": "x",
    });
    for _ in 0..2 {
        assert_eq!(scan().await["knowledge"]["architecture"], expected);
    }
}

#[tokio::test]
async fn folders_of_one_name_do_not_share_what_is_known() {
    let bench = bench();
    for (folder, words) in [("a/api", "One."), ("b/api", "Two.")] {
        let folder = bench.folder().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("README.md"), words).unwrap();
    }
    let load = async |folder: &str, args: Value| {
        bench.call_in(&bench.folder().join(folder), "knowledge_load", args).await.unwrap()
    };
    let one = load("a/api", json!({})).await;
    let two = load("b/api", json!({"persona": "devops"})).await;
    let name = two["project"].as_str().unwrap().to_owned();
    assert_eq!(one["project"], "api");
    assert!(name.starts_with("api-") && name.len() == 12, "{name}");
    for (folder, project, words) in [("a/api", "api", "One."), ("b/api", name.as_str(), "Two.")] {
        let known = load(folder, json!({})).await;
        assert_eq!(known["project"], project);
        assert_eq!(known["knowledge"]["architecture"]["overview"], words, "{known}");
    }
    // One that is gone has no name to itself, and one that has moved keeps what is known.
    std::fs::rename(bench.folder().join("a/api"), bench.folder().join("api")).unwrap();
    assert_eq!(load("api", json!({})).await["knowledge"]["architecture"]["overview"], "One.");
    assert_eq!(load("b/api", json!({})).await["project"], name.as_str());
}

#[tokio::test]
async fn sections_are_added_to_and_keep_their_shape() {
    let bench = bench();
    let update = |section: &str, content: Value, append: bool| json!({"project": "other", "persona": "devops", "section": section, "content": content, "append": append});
    for (section, content, append, expected) in [
        ("patterns.testing", json!(["a"]), true, json!(["a"])),
        ("patterns.testing", json!(["a", "b"]), true, json!(["a", "b"])),
        ("patterns.testing", json!("c"), true, json!(["a", "b", "c"])),
        ("patterns.testing", json!(["d"]), false, json!(["d"])),
        ("architecture.overview", json!("one"), true, json!("one")),
        ("architecture.overview", json!("two"), true, json!("one\ntwo")),
        ("gotchas", json!("- issue: x\n  reason: y\n"), true, json!([{"issue": "x", "reason": "y"}])),
    ] {
        let updated = bench.ok("knowledge_update", update(section, content, append)).await;
        assert_eq!(updated["content"], expected, "{section}");
    }
    for (section, content) in
        [("nowhere", json!("x")), ("gotchas", json!(["words"])), ("metadata", json!({}))]
    {
        bench.refusal("knowledge_update", update(section, content, true)).await;
    }
    // Nobody is named, so whoever knows something is asked.
    let part = bench.ok("knowledge_query", json!({"project": "other", "section": "patterns.testing"})).await;
    assert_eq!((&part["persona"], &part["content"]), (&json!("devops"), &json!(["d"])));
    let none = bench.ok("knowledge_query", json!({"project": "other", "section": "patterns.x"})).await;
    assert_eq!((&none["found"], &none["content"]), (&json!(false), &json!(null)));
    bench.refusal("knowledge_query", json!({"project": "x y"})).await;
}

#[tokio::test]
async fn what_a_tenant_knows_is_known_to_no_other() {
    let bench = bench();
    let learn = json!({"learning": "sells zebras", "project": "./shop"});
    bench.call_for("red", "knowledge_learn", learn).await.unwrap();
    let known = async |tenant: &str| bench.call_for(tenant, "knowledge_list", json!({})).await.unwrap();
    assert_eq!(known("red").await[0]["learned"], 1);
    assert_eq!((known("blue").await, known("main").await), (json!([]), json!([])));
    let query = json!({"project": "./shop"});
    let asked = bench.call_for("blue", "knowledge_query", query).await.unwrap();
    assert_eq!(asked["found"], false, "{asked}");
    let outside = json!({"project": bench.folder().parent().unwrap()});
    assert!(bench.call_for("red", "knowledge_scan", outside).await.is_err());
}
