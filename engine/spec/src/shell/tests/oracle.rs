//! Real shells are asked how many words a command gets.
//!
//! `w` notes how many arguments it has. A script must come to the same notes with a value that has blanks and stars in
//! it as with one that has none.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use crate::shell::{Dialect, read};

const SHELLS: [(&str, &[&str], Dialect); 3] =
    [("sh", &[], Dialect::Sh), ("bash", &["--posix"], Dialect::Sh), ("bash", &[], Dialect::Bash)];

/// What `w` noted.
fn notes(shell: (&str, &[&str]), script: &str, value: &str, folder: &Path) -> Vec<String> {
    let log = folder.join("log");
    std::fs::write(&log, "").unwrap();
    let script = format!("w() {{ printf '%s;' \"$#\" >>\"$LOG\"; }}\n{script}");
    let output = Command::new(shell.0)
        .args(shell.1)
        .args(["-c", &script])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("q", value), ("LOG", log.to_str().unwrap())])
        .current_dir(folder.join("in"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    drop(output);
    // In a pipe, whoever is first is first.
    let mut notes: Vec<String> =
        std::fs::read_to_string(&log).unwrap().split(';').map(str::to_owned).collect();
    notes.sort();
    notes
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for name in ["one", "other"] {
        std::fs::write(folder.path().join("in").join(name), "").unwrap();
    }
    folder
}

/// Whether it was understood, and then in each shell as that shell does.
fn agrees(script: &str, folder: &Path) -> Result<bool, TestCaseError> {
    let mut understood = true;
    for (shell, options, dialect) in SHELLS {
        let Ok(reading) = read(script, &BTreeSet::from(["q"]), dialect) else {
            understood = false;
            continue;
        };
        let plain = notes((shell, options), script, "Q", folder);
        let nasty = notes((shell, options), &reading.script, "one two *", folder);
        prop_assert_eq!(&plain, &nasty, "{} {:?}: {} as {}", shell, options, script, reading.script);
    }
    Ok(understood)
}

/// Scripts that are put together as people put them together.
fn whole() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("w $q".to_owned()),
        Just("w x${q}y \"$q\" $q".to_owned()),
        Just("w '$q' \\$q # $q '".to_owned()),
        Just("w ${u:-$q} ${u:+$q} ${q#x} ${q:-y}".to_owned()),
        Just("cat <<'E O' >/dev/null\n$q ' \" $( `\nE O\nw $q".to_owned()),
        Just(": $((1<<2)); w $q".to_owned()),
        Just("w \"${u:-$q}\" \"${u:-a $q}\"".to_owned()),
        // On lines of their own: bash 5.2 loses the `;` after a command that prints, in a substitution within `${…}` whose
        // condition has a here-document, and prints the value then.
        Just("echo case in\nw $q".to_owned()),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("{a}\n{b}")),
            two.clone().prop_map(|(a, b)| format!("if {a}\nthen {b}\nfi")),
            two.prop_map(|(a, b)| format!("case x$q in\ny|'z') {a}\n;;\n*) {b}\n;; esac")),
            inner.clone().prop_map(|a| format!("( {a}\n)")),
            inner.clone().prop_map(|a| format!("{{ {a}\n}}")),
            inner.clone().prop_map(|a| format!("x=$({a}\n)")),
            inner.clone().prop_map(|a| format!("w \"a $({a}\n)\" $q")),
            inner.clone().prop_map(|a| format!("w `{a}\n`")),
            inner.clone().prop_map(|a| format!("w \"`{a}\n`\"")),
            inner.clone().prop_map(|a| format!("cat <<E >/dev/null\n' $q $({a}\n) \"\nE\n")),
            inner.clone().prop_map(|a| format!("for x in 1 $q; do {a}\ndone")),
            inner.clone().prop_map(|a| format!("f() {{ {a}\n}}; f $q")),
            inner.clone().prop_map(|a| format!("w ${{u:-$({a}\n)}}")),
            inner.clone().prop_map(|a| format!("x=$(case a in a) {a}\n;; esac); w $q")),
            inner.clone().prop_map(|a| format!("((1<<2)); {a}")),
            inner.prop_map(|a| format!("[[ $q == x || 1 < 2 ]] && {a}")),
        ]
    })
}

/// Anything, of the parts that matter.
fn soup() -> impl Strategy<Value = String> {
    const PARTS: [&str; 58] = [
        "w $q",
        "w $q",
        "w $q",
        "\nw $q\n",
        "$q",
        "${q}",
        " ",
        "\n",
        ";",
        "$(",
        ")",
        "`",
        "\"",
        "'",
        "<<E\n",
        "<<'E'\n",
        "<<-\"E\"\n",
        "\nE\n",
        "E\n",
        "((",
        "))",
        "1<<2",
        "$((",
        "$[",
        "]",
        "case x in x) ",
        ";;",
        " esac",
        "case ",
        " in ",
        "if ",
        "then ",
        " fi",
        "{ ",
        " }",
        "}",
        "#",
        "\\",
        "\\\n",
        "$",
        "${u:-",
        "${q%",
        "${#",
        "[[ ",
        " ]]",
        "x=",
        "x[",
        "|",
        "&&",
        "echo ",
        "cat ",
        "$'",
        "(",
        "!",
        "<<<",
        "<(",
        "f() ",
        "for x in ",
    ];
    prop::collection::vec(prop::sample::select(&PARTS[..]), 1..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn shells_get_the_same_words(script in whole()) {
        agrees(&script, folder().path())?;
    }

    #[test]
    fn what_is_understood_is_understood_rightly(script in soup()) {
        agrees(&script, folder().path())?;
    }
}

/// More of them on demand.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

#[test]
fn what_people_write_is_understood() {
    let scripts = [
        "cat <<EOF\n$(w $q)\nEOF\nw $q",
        "cat <<EOF\n`w $q`\nEOF\nw $q",
        "cat <<'E O'\nE O\nw $q",
        "n=$((1<<2))\nw $q",
        "echo \"$(case x in x) w $q;; esac)\"",
        "set -- $q; for x; do w \"$x\"; done; w $q",
        "while w $q; do break; done; until w $q; do :; done",
        "w $q && w $q || w $q & wait",
        "f() { local x=$q; w \"$x\" $q; }; f; f | w $q",
        "w $q 2>&1 >/dev/null | cat; ! w $q",
        "x=$q y=${q} w $q; export z=$q; w \"$x$z\"",
        "case $q in *) w $q;; esac; case $q in (a|b) ;; *) w $q; esac",
    ];
    for script in scripts {
        assert!(agrees(script, folder().path()).unwrap(), "{script}");
    }
}
