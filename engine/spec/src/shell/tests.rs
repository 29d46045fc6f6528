//! Scripts as they are read.

mod oracle;

use super::*;

fn reading(script: &str, dialect: Dialect) -> Result<Reading, Refusal> {
    read(script, &BTreeSet::from(["a", "b_2", "q", "n"]), dialect)
}

fn quoted(script: &str) -> Result<String, String> {
    reading(script, Dialect::Bash).map(|reading| reading.script).map_err(|refusal| refusal.message)
}

#[test]
fn unquoted_uses_are_quoted_and_nothing_else() {
    let cases = [
        ("cp $a $b_2", r#"cp "$a" "$b_2""#),
        ("x${a}y$a/z", r#"x"${a}"y"$a"/z"#),
        ("${a%/} ${#a} ${a:-x}", r#""${a%/}" "${#a}" "${a:-x}""#),
        (r#"echo "$a ${a}" $a"#, r#"echo "$a ${a}" "$a""#),
        ("echo '$a' \\$a $ab $c $1 $@ $$", "echo '$a' \\$a $ab $c $1 $@ $$"),
        ("echo $(cat $a)", r#"echo $(cat "$a")"#),
        (r#"echo "$(cat $a "$a") $a""#, r#"echo "$(cat "$a" "$a") $a""#),
        ("echo `cat $a`", r#"echo `cat "$a"`"#),
        ("echo $(( $a + (1) )) $a", r#"echo $(( $a + (1) )) "$a""#),
        ("( cd $a ) # $a and 'that\nx=$a", "( cd \"$a\" ) # $a and 'that\nx=\"$a\""),
        ("echo a#$a", r#"echo a#"$a""#),
        ("cat <<X $a\n$a \"\n X\nX\n$a", "cat <<X \"$a\"\n$a \"\n X\nX\n\"$a\""),
        ("cat <<-'X Y'\n$a\n\tX Y\n$a", "cat <<-'X Y'\n$a\n\tX Y\n\"$a\""),
        ("cat <<-X\n$a\n\tX\n$a", "cat <<-X\n$a\n\tX\n\"$a\""),
        ("cat <<X\n$(w $a) `w $a` ${c:-$a} \\$a\nX", "cat <<X\n$(w \"$a\") `w \"$a\"` ${c:-$a} \\$a\nX"),
        ("cat <<X\n$(cat <<Y\n$(w $a)\nY\n)\nX\nw $a", "cat <<X\n$(cat <<Y\n$(w \"$a\")\nY\n)\nX\nw \"$a\""),
        ("cat <<<$a", r#"cat <<<"$a""#),
        (r"echo $'it\'s $a' $a", r#"echo $'it\'s $a' "$a""#),
        (r#"echo "\"$a" $a"#, r#"echo "\"$a" "$a""#),
        ("case $a in $b_2) echo ü$a;; esac", r#"case "$a" in "$b_2") echo ü"$a";; esac"#),
        ("echo \"$(case x in x) w $q;; esac)\"", "echo \"$(case x in x) w \"$q\";; esac)\""),
        ("$(case x in (x|y) w $q; esac) $q", "$(case x in (x|y) w \"$q\"; esac) \"$q\""),
        ("echo case; w $q # )", "echo case; w \"$q\" # )"),
        ("if ((1<<2)); then w $q; fi", "if ((1<<2)); then w \"$q\"; fi"),
        ("for ((i=0; i<2; i++)) { w $q; }", "for ((i=0; i<2; i++)) { w \"$q\"; }"),
        ("for f in $q \"$q\"; do w $f $q; done", "for f in \"$q\" \"$q\"; do w $f \"$q\"; done"),
        ("f() { w $q; }; function g { w $q; }", "f() { w \"$q\"; }; function g { w \"$q\"; }"),
        ("[[ $q == x && -f $q ]] && w $q", "[[ \"$q\" == x && -f \"$q\" ]] && w \"$q\""),
        ("[[ $c =~ ^(a|b)+$ ]] && w $q", "[[ $c =~ ^(a|b)+$ ]] && w \"$q\""),
        ("${c:-$q} ${c%$q} \"${c%$q}\"", "${c:-\"$q\"} ${c%\"$q\"} \"${c%\"$q\"}\""),
        ("echo ${a:-$b_2}", "echo \"${a:-$b_2}\""),
        (r#"echo "${a:-"x"}" ${a:-"x"}"#, r#"echo "${a:-"x"}" "${a:-"x"}""#),
        ("list=($q x) w <(w $q)", "list=(\"$q\" x) w <(w \"$q\")"),
        ("w $q \\\n  $q", "w \"$q\" \\\n  \"$q\""),
        ("w $q 2>&1 | w $q >$q &>x", "w \"$q\" 2>&1 | w \"$q\" >\"$q\" &>x"),
        ("trap 'rm -f \"$q\"' EXIT; awk '{print $2}' .", "trap 'rm -f \"$q\"' EXIT; awk '{print $2}' ."),
        ("awk '{print $q}' x", "awk '{print $q}' x"),
        ("", ""),
        ("\\", "\\"),
        ("$", "$"),
    ];
    for (script, expected) in cases {
        assert_eq!(quoted(script).as_deref(), Ok(expected), "{script}");
    }
}

#[test]
fn what_is_not_certain_is_refused() {
    let cases = [
        ("echo ${a:-'x'}", "it is not clear how to quote in `${a:-'x'}`"),
        ("echo ${a", "it is not clear how to quote in `${a}`"),
        ("echo ${c:=$q}", "it is not clear how to quote in `${c:=$q}`"),
        ("echo ${c/x/\"$q\"}", "it is not clear how to quote in `${c/x/\"$q\"}`"),
        ("echo \"${c/x/$q}\"", "a value in `/x/$q` may be more than text"),
        ("echo \"${c:-it's}\"", "it is not clear how to quote in `${c:-it's}`"),
        ("cat <<X\n$q", "a here-document has no line `X` that ends it"),
        ("cat <<X\n$q\\\nX\n", "a here-document has no line `X` that ends it"),
        ("cat <<$q\n$q\n", "it is not clear where a here-document ends"),
        ("cat <<X", "the text of a here-document does not follow on the next line"),
        ("$(cat <<X)\nX\n", "the text of a here-document does not follow on the next line"),
        ("cat <<X \"\n\"\nX\n", "the text of a here-document does not follow on the next line"),
        ("n=$[1<<2]\nw $q", "`$[` is not the same in every shell"),
        ("w \"$q", "a `\"` is not closed"),
        ("w 'x", "a `'` is not closed"),
        ("w `x", "a back-tick is not closed"),
        ("w `echo \\$q`", "quotes between back-ticks mean other things than elsewhere"),
        ("w $(x", "the script ends too early"),
        ("w )", "a `)` closes nothing"),
        ("w;;", "`;;` stands outside of a `case`"),
        ("w @(a|b)", "it is not clear what this `(` means"),
        ("w $((a); b)", "it is not clear whether this is a calculation"),
        ("w $\\\nq", "a line is continued in the middle of a word"),
        ("w $q\\\n2", "a line is continued in the middle of a word"),
        ("w <\\\n<X", "a line is continued in the middle of a word"),
        ("command alias w='x'", "`alias` makes it unclear what the text after it means"),
        ("alias w='x'", "`alias` makes it unclear what the text after it means"),
        ("shopt -s extglob", "`shopt` changes what the text after it means"),
        (
            "trap 'rm $q' EXIT",
            "a text that a shell may read in its turn uses a given variable without quotes",
        ),
        ("eval \"w \\$q\"", "a text that a shell may read in its turn uses a given variable without quotes"),
        (
            "sh <<'X'\nw $q\nX\n",
            "a text that a shell may read in its turn uses a given variable without quotes",
        ),
    ];
    for (script, message) in cases {
        assert_eq!(quoted(script).unwrap_err(), message, "{script}");
    }
    let deep = "$(".repeat(100_000);
    assert_eq!(quoted(&deep).unwrap_err(), "it is nested too deeply");
    for script in ["((1<<2))", "for ((;;)) do w; done", r"w $'it\'s'"] {
        assert!(reading(script, Dialect::Bash).is_ok(), "{script}");
        assert!(reading(script, Dialect::Sh).is_err(), "{script}");
    }
}

#[test]
fn a_value_is_no_part_of_a_script_for_another_shell() {
    for script in [
        "bash -c \"echo $q\"",
        "sh -ec \"echo '$q'\"",
        "exec /bin/sh -c \"ls $q\"",
        "eval \"echo $q\"",
        "eval echo $q",
        "trap \"rm -rf /a/$q\" EXIT",
        "ssh host \"ls $q\"",
        "ssh -p 22 -i $a \"$b_2\" ls $q",
        "ssh host <<X\nls $q\nX\n",
        "bash <<X\nls $q\nX\n",
        "bash -s <<X\nls $q\nX\n",
        "bash <<< \"echo $q\"",
        "echo \"echo $q\" | sh",
        "find . -exec sh -c \"echo $q\" \\;",
        "docker exec c sh -c \"ls $q\"",
        "line=\"ls $q\"; eval \"$line\"",
        "line=ls; line+=\" $q\"; bash -c \"$line\"",
        "line=$(printf 'ls %s' $q); ssh host \"$line\"",
        "printf -v line 'ls %s' $q; eval \"$line\"",
        "f() { eval \"$@\"; }; f ls $q",
        "set -- ls $q; eval \"$*\"",
        "f() { echo \"ls $q\"; }; f | sh",
        "{ echo \"ls $q\"; } | sh",
        "if w; then echo \"ls $q\"; fi | bash",
        "for x in 1; do echo \"ls $q\"; done | ssh host",
        "line=\"ls $q\"; echo \"$line\" | sh",
        "source <(echo \"ls $q\")",
        ". /dev/stdin <<X\nls $q\nX\n",
        "bash < <(printf 'ls %s' $q)",
        "echo \"ls $q\" | tee >(sh)",
        "mapfile -C \"w $q\" -c 1",
        "python3 -c \"print('$q')\"",
        "dir=\"$q\"; trap \"rm -rf $dir\" EXIT",
        "dir=$q; bash -c \"ls $dir\"",
        "for h in $q; do ssh host \"ls $h\"; done",
        "x=${q:-d}; ssh host \"ls $x\"",
        "read -r f <<< \"$q\"; eval \"ls $f\"",
        "timeout 5 ssh host \"ls $q\"",
        "env X=1 ssh host \"ls $q\"",
        "printf 'ls %s\\n' \"$q\" | timeout 5 bash",
        "run() { \"$@\"; }; run ssh host \"ls $q\"",
        "$SHELL -c \"ls $q\"",
        "s=ssh; \"$s\" host \"ls $q\"",
        "cmd=(bash -c \"ls $q\"); \"${cmd[@]}\"",
        "flock x -c \"ls $q\"",
        "dir=$(cd $q && pwd); ssh host \"ls $dir\"",
        "ssh=\"ssh -p 22\"; $ssh host \"ls $q\"",
        "script -qc \"ls $q\" /dev/null",
        "perl -E \"say '$q'\"",
        "perl -MTime::HiRes -e \"print '$q'\"",
        "GIT_SSH_COMMAND=\"ssh -i $q\" git fetch",
        "ssh host \"ls '${q@Q}'\"",
        "ssh host \"ls \\\"${q@Q}\\\"\"",
        "bash -c \"ls '$(printf %q \"$q\")'\"",
        "perl -ne \"print if /$q/\" f",
    ] {
        let refusal = reading(script, Dialect::Bash).unwrap_err();
        assert_eq!(
            refusal.message, "another program reads this text as a script, and the value with it",
            "{script}"
        );
    }
    for script in [
        "bash -c \"$q\"",
        "bash -c 'ls \"$1\"' sh \"$q\"",
        "trap 'rm -rf \"$q\"' EXIT",
        "eval \"$q\"",
        "ssh -p $a $b_2 \"ls ${q@Q}\"",
        "bash deploy.sh --to=$q \"$a\" | tee $b_2",
        "cat $q | ssh host 'cat > x'",
        "which bash; echo \"a $q\" | tee x",
        "printf -v line '%s!' \"$q\"; echo \"$line\"",
        "dir=\"/tmp/$q\"; trap 'rm -rf \"$dir\"' EXIT",
        "line=$q; eval \"$line\"",
        "ssh host \"ls $(printf %q \"$q\")\"",
        "printf -v line 'ls %q' \"$q\"; ssh host \"$line\"",
        "ssh host \"head -n ${#q} x\"",
        "dir=\"$q\"; ssh host \"ls ${dir@Q}\"",
        "eval \"$(ssh-agent -s)\"; w $q",
        "git rev-parse HEAD >f; ssh host \"deploy $(git rev-parse HEAD)\"; w $q",
        "python3 - <<X\nprint(1)\nX\necho \"$q\" | python3 -c 'print(input())'",
        "{ echo \"$q\"; } | sort",
    ] {
        assert!(
            reading(script, Dialect::Bash).is_ok_and(|reading| reading.calculated.names.is_empty()),
            "{script}"
        );
    }
}

#[test]
fn what_is_calculated_is_found() {
    let all = ["a", "b_2", "n", "q"];
    let cases: &[(&str, &[&str])] = &[
        ("echo $n ${n} \"$n\" [ $n -gt 1 ]", &[]),
        ("echo $((n + 1))", &["n"]),
        ("echo $(( $n + ${q} ))", &["n", "q"]),
        ("((n++)); w $q", &["n"]),
        ("for ((i = n; i < 2; i++)); do w; done", &["n"]),
        ("[[ $n -gt 1 && $q == x ]]", &["n"]),
        ("[[ -v $n ]]", &["n"]),
        ("[[ 1 -lt n ]]", &["n"]),
        ("test -v $n", &["n"]),
        ("[ -v $n ]", &["n"]),
        ("[ $q $n ]", &["n"]),
        ("[ \"$n\" -gt 1 ] && [ \"$q\" = \"$a\" ]", &[]),
        ("let x=n+1", &["n"]),
        ("builtin let \"x = $n\"", &["n"]),
        ("echo ${list[$n]} ${list[@]}", &["n"]),
        ("echo ${list[n]}", &["n"]),
        ("list[$n]=x", &["n"]),
        ("list=([$n]=x)", &["n"]),
        ("echo ${x:$n} ${x:0:q}", &["n", "q"]),
        ("echo ${!n} ${q@P} ${a@Q}", &["n", "q"]),
        ("unset $n; unset \"list[$q]\"", &["n", "q"]),
        ("read -p $q $n; printf -v $a x", &["a", "n"]),
        ("printf $n x; printf '%s' $q", &["n"]),
        ("export X=$n; local y=$q; export $a", &["a"]),
        ("declare -a \"x=$n\"", &["n"]),
        ("declare -i x; x=$n", &all),
        ("local -n x=$n", &all),
        ("x=$n; y=${x%,*}; echo $((y))", &["n"]),
        ("x=n; echo $((x))", &["n"]),
        ("for x in $n 1; do echo $((x)); done; w $q", &["n"]),
        ("read x <<< $n; echo $((x))", &all),
        ("w $n | while read x; do ((t += x)); done; w $q", &all),
        ("x=$(cut -c1 <<<$n); echo $((x))", &all),
        ("x=$(wc -l <$n); y=$(w | grep -c x $n); echo $((x + y + $(wc -c < $q)))", &[]),
        ("x=$(w $n; wc -l); echo $((x))", &all),
        ("echo $(( ${n//[!0-9]/} + ${#q} ))", &[]),
        ("eval 'echo $((n))'", &["n"]),
        ("local -a x=($n \"$q\"); for i in ${!x[@]}; do w ${x[i]}; done; echo ${!q*}", &[]),
        ("local -A x=([$n]=$q)", &["n"]),
        ("o=$q; declare $o x; x=$n", &all),
        ("export -n x; x=$n; w $q", &[]),
        ("PS4=$n; set -x; w $q", &["n"]),
        (": \"${x:=$n}\"; echo $((x))", &["n"]),
        ("echo \"${x:=$n} ${y=$q}\"; echo $((x))", &["n"]),
        // Whatever way it takes.
        ("printf '%s' $n >f; x=$(cat f); echo $((x))", &all),
        ("x=$(printenv n); echo $((x))", &all),
        ("f() { echo $n; }; x=$(f); echo $((x))", &all),
        ("while read x; do ((t += x)); done < <(printf '%s' $n)", &all),
        ("{ w $n; } | { read x; echo $((x)); }", &all),
        ("mapfile -t x < f; echo $((x[0]))", &all),
        ("while getopts a: o; do echo $((OPTARG)); done", &all),
        ("bash -c 'echo $(($1))' _ $n", &all),
        ("bash -c \"echo \\$((\\$1))\" _ $n", &all),
        ("bash -c \"(( n ))\"; w $q", &["n"]),
        ("flock x -c \"(( n ))\"; w $q", &["n"]),
        ("script -qc '(( n ))' /dev/null; w $q", &["n"]),
        ("bash -c \"[[ ${n@Q} -gt 1 ]]\"; w $q", &["n"]),
        ("x=$q bash -c '(( x ))'", &all),
        ("export x=$q; bash -c 'echo $((x))'", &all),
        ("retry() { \"$@\"; }; check() { (( $1 > 0 )); }; retry check $q; w $n", &["q"]),
        ("for f in *; do (( f )) || :; done", &all),
        ("wait -p $q", &["q"]),
        ("declare {-i,x}; x=$q", &all),
        ("x=$(stat -c %s $q 2>&1); [[ $x -gt 1 ]]", &all),
        ("x=$(cd $q && pwd); (( x ))", &all),
        ("x=$(awk '{print $2}' /proc/self/environ); echo $((x))", &all),
        ("x=$(printf %d \"$(du -sb . | cut -f1)\"); echo $((x)); w $q", &[]),
        ("x=$(printf %d \"$(w $q)\"); echo $((x))", &[]),
        ("x=$(cat $q | tr -d x); echo $((x))", &all),
        ("bash -s -- $n <<'X'\necho $(($1))\nX\n", &all),
        ("find . -exec sh -c 'echo ${x[$1]}' _ {} \\;", &all),
        // What is printed there is known.
        ("x=$(echo $n); echo $((x)); w $q", &["n"]),
        ("x=$(date +%s); w $n; echo $(( $(date +%s) - x ))", &[]),
        ("x=$(cd $q && git rev-list --count HEAD); echo $((x))", &[]),
        ("x=$(stat -c %s $n); y=$(date -d $q +%s); echo $((x + y))", &[]),
        ("x=$(stat -c %n $n); echo $((x))", &all),
        ("f() { echo $(($1 * 2)); }; f 3; w $n", &[]),
        ("f() { echo $(($1 * 2)); }; f $n; w $q", &["n"]),
        ("f() { for x; do ((t += x)); done; }; g() { w $1; }; f 1; g $q", &[]),
        ("f() { echo $(($1)); }; x=f; $x $n", &["n"]),
        ("f() ( echo $(($1)) ); f 1; w $n", &all),
        ("set -- $n; echo $(($1))", &all),
    ];
    for (script, expected) in cases {
        let reading =
            reading(script, Dialect::Bash).unwrap_or_else(|refusal| panic!("{script}: {refusal:?}"));
        assert_eq!(reading.calculated.names.iter().collect::<Vec<_>>(), *expected, "{script}");
    }
}

#[test]
fn positional_parameters_are_calculated_too() {
    let positional = |script| reading(script, Dialect::Sh).unwrap().calculated;
    assert_eq!(positional("echo $1 $(( 1 + 1 ))"), Calculated::default());
    for script in ["echo $(($1 + 1))", "x=${2}; echo $((x))", "for x do echo $((x)); done"] {
        assert_eq!(positional(script), Calculated { positional: true, ..Calculated::default() }, "{script}");
    }
    // A function has parameters of its own.
    let calculated = positional("f() { echo $(($1)); }; f $n $2; w $q $1");
    assert_eq!((calculated.positional, calculated.names), (true, BTreeSet::from(["n".to_owned()])));
    let calculated = positional("f() { echo $(($1)); }; f $n");
    assert!(!calculated.positional);
}

#[test]
fn a_positional_parameter_is_no_part_of_a_script_either() {
    let spliced = |script: &str| reading(script, Dialect::Bash).unwrap().spliced.is_some();
    for script in [
        "bash -c \"ls $1\"",
        "eval \"ls ${2}\"",
        "ssh host \"$@\"",
        "x=\"ls $1\"; eval \"$x\"",
        "echo \"ls $1\" | sh",
    ] {
        assert!(spliced(script), "{script}");
    }
    for script in [
        "bash -c \"$1\"",
        "bash -c 'ls \"$1\"' sh \"$1\"",
        "ssh \"$1\" ls",
        "echo $1 | cat",
        "f() { w $1; }; f $1",
    ] {
        assert!(!spliced(script), "{script}");
    }
    for (script, mark) in [
        ("find . | xargs -I{} sh -c 'ls {}'", "{}"),
        ("find . -exec bash -c 'ls {}' \\;", "{}"),
        ("ls | xargs -I % sh -c 'ls %'", "%"),
    ] {
        let found = reading(script, Dialect::Bash).unwrap_err();
        assert!(found.message.contains(&format!("in the place of `{mark}`")), "{script}: {found:?}");
    }
    let input = |script: &str| reading(script, Dialect::Bash).unwrap().spliced_input.is_some();
    for script in [
        "read -r f; eval \"ls $f\"",
        "bash -c \"ls $(cat)\"",
        "while read -r h; do ssh host \"ls $h\"; done",
        "sh -c 'read -r f; eval \"ls $f\"'; bash -c \"ls $(cat x)\"",
        "f=$(cat); eval \"ls $f\"",
    ] {
        assert!(input(script), "{script}");
    }
    for script in
        ["read -r f; eval \"$f\"", "read -r f; w \"$f\"", "while read -r h; do ssh host \"ls ${h@Q}\"; done"]
    {
        assert!(!input(script), "{script}");
    }
}

#[test]
fn what_a_script_reads_is_calculated_too() {
    let input = |script| reading(script, Dialect::Bash).unwrap().calculated.input;
    for script in [
        "read n; echo $((n))",
        "while read -r n; do ((t += n)); done",
        "n=$(cat); [[ $n -gt 1 ]]",
        "echo $(( $(head -1) + 1 ))",
        "read n; m=$n; echo ${a[$m]}",
        "bash -c 'read n; echo $((n))'",
        "declare -i n; read n",
    ] {
        assert!(input(script), "{script}");
    }
    for script in [
        "cat | sort",
        "read n; echo \"$n\"",
        "n=$(wc -l); echo $((n))",
        "read n; echo $(( ${n//[!0-9]/} + 1 ))",
    ] {
        assert!(!input(script), "{script}");
    }
}

#[test]
fn integers_are_digits() {
    for (text, is) in
        [("1", true), ("-12", true), ("", false), ("-", false), ("1+1", false), ("x", false), ("١", false)]
    {
        assert_eq!(is_integer(text), is, "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn only_quotes_are_added(script in "[$a(){}'\"`#<\\\\ \\n|ü]{0,60}") {
        if let Ok(quoted) = quoted(&script) {
            let without = |text: &str| text.replace('"', "");
            proptest::prop_assert_eq!(without(&quoted), without(&script));
        }
    }
}
