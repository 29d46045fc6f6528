//! Backups, logs and disks, on files of the test's own.

use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{answered, failure, outputs, text};
use crate::support::{Aa, eventually};

/// Names in the folder of backups.
fn backups(aa: &Aa) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(aa.path("backups"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn ground() -> Aa {
    Aa::new().file("notes/today.txt", "buy milk").file("notes/deep/er.txt", "").file("notes/cache/x", "")
}

#[test]
fn a_backup_holds_the_folder_and_its_checksum_fits() {
    let aa = ground();
    let inputs = [("folder", "notes"), ("target", "backups"), ("exclude", r#"["cache"]"#)];
    let made = outputs(&aa, "backup-folder", &inputs);
    let archive = aa.path(text(&made, "archive"));
    let listed = Command::new("tar").args(["-tzf"]).arg(&archive).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("./today.txt") && listed.contains("./deep/er.txt"), "{listed}");
    assert!(!listed.contains("cache"), "{listed}");
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert_eq!(backups(&aa), [name.to_owned(), format!("{name}.sha256")]);
    let note = aa.text(&format!("backups/{name}.sha256"));
    assert_eq!(note, format!("{}  {name}\n", text(&made, "sha256")));
}

/// Archives are named by the second.
fn next_second() {
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let then = now();
    eventually("the next second begins", || now() > then);
}

#[test]
fn older_backups_go_only_when_that_is_agreed() {
    let aa = ground()
        .file("backups/notes-20200101000000.tar.gz", "old")
        .file("backups/notes-20200101000000.tar.gz.sha256", "old")
        .file("backups/other-20200101000000.tar.gz", "not ours");
    let inputs = |prune| [("folder", "notes"), ("target", "backups"), ("keep", "1"), ("prune", prune)];

    let kept = outputs(&aa, "backup-folder", &inputs("never"));
    assert_eq!(kept["removed"], json!([]));
    assert!(text(&kept, "report").contains("none was removed"), "{kept}");

    next_second();
    let asked = answered(&aa, "2", ("backup-folder", &inputs("ask")), ("agreed", "keep"));
    assert_eq!(asked["removed"], json!([]));
    assert!(backups(&aa).iter().any(|name| name.starts_with("notes-2020")), "{:?}", backups(&aa));

    next_second();
    let pruned = outputs(&aa, "backup-folder", &inputs("always"));
    assert!(
        pruned["removed"]
            .as_array()
            .unwrap()
            .iter()
            .any(|path| path == "backups/notes-20200101000000.tar.gz")
    );
    let left = backups(&aa);
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.contains(&"other-20200101000000.tar.gz".to_owned()), "{left:?}");
    assert!(aa.path(text(&pruned, "archive")).exists());
}

#[test]
fn a_backup_of_nothing_leaves_nothing() {
    let aa = Aa::new();
    let message = failure(&aa, "backup-folder", &[("folder", "nowhere"), ("target", "backups")]);
    assert_eq!(message, "`nowhere` is not a folder");
    assert_eq!(backups(&aa), Vec::<String>::new());
}

#[test]
fn a_log_s_complaints_are_counted_by_what_they_say() {
    let mut log = String::new();
    for number in 0..30 {
        log += &format!("2026-01-05T09:00:{number:02}Z INFO request {number} served\n");
        if number % 3 == 0 {
            log += &format!(
                "2026-01-05T09:00:{number:02}Z ERROR no answer from 10.0.0.{number}:5432 in {number}ms\n"
            );
        }
    }
    log += "2026-01-05T09:01:00Z panic: index out of range at 0x7ffd\n";
    let aa = Aa::new().file("logs/app=1.log", log);
    let inputs = [("path", "logs/app=1.log"), ("samples", "2")];
    let found = outputs(&aa, "log-triage", &inputs);
    assert_eq!((&found["lines"], &found["found"]), (&json!(41), &json!(11)));
    assert_eq!(
        found["complaints"],
        json!([
            {"count": 10, "first": 2, "last": 38, "text": "<time> ERROR no answer from <address> in <n>ms"},
            {"count": 1, "first": 41, "last": 41, "text": "<time> panic: index out of range at <hex>"},
        ])
    );
    assert!(text(&found, "report").contains("10 times, lines 2 to 38\n"), "{found}");
    assert!(text(&found, "report").contains("2: 2026-01-05T09:00:00Z ERROR"), "{found}");
    assert!(failure(&aa, "log-triage", &[("path", "no.log")]).contains("no.log"));
}

#[test]
fn a_disk_report_names_what_takes_the_space() {
    let aa = Aa::new()
        .file("big/one.bin", vec![0; 3 << 20])
        .file("big/two.bin", vec![0; 2 << 20])
        .file("small/x", "");
    let found = outputs(&aa, "disk-report", &[("min_mib", "1"), ("limit", "100")]);
    let files: Vec<&Value> = found["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(files, ["big/one.bin", "big/two.bin"]);
    assert_eq!(found["folders"][0]["path"], "./big");
    assert_eq!(found["full"], json!([]));
    assert!(text(&found, "report").contains("  3.0 MiB  big/one.bin\n"), "{found}");
}
