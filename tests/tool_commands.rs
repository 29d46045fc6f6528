//! `aa tool …`

use crate::support::Aa;

#[test]
fn tools_of_a_module_are_listed() {
    let aa = Aa::traced();
    insta::assert_snapshot!(aa.args(["tool", "list", "--module", "trace"]).run().code(0).stderr("").out(), @"");
    insta::assert_snapshot!(aa.args(["tool", "list", "--module", "trcae"]).run().code(4).stdout("").err(), @"");
}

#[test]
fn a_tool_is_shown() {
    let aa = Aa::traced();
    insta::assert_snapshot!(aa.args(["tool", "show", "trace-flood"]).run().code(0).stderr("").out(), @"");
    insta::assert_snapshot!(aa.args(["tool", "show", "trace_wirte"]).run().code(4).stdout("").err(), @"");
}

#[test]
fn a_tool_is_called() {
    let aa = Aa::traced();
    aa.args(["tool", "call", "trace_write", "-a", "line=x"]).run().code(0).stdout_contains("wrote x");
    assert_eq!(aa.text("trace"), "x\n");
    aa.args(["tool", "call", "trace_flood", "-a", "bytes=3"]).run().code(0).stdout_contains("xxx");
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let aa = Aa::traced();
    let call =
        |words: &str| aa.args(["tool", "call"].into_iter().chain(words.split(' '))).run().stdout("").err();
    insta::assert_snapshot!(call("trace_write"), @"");
    insta::assert_snapshot!(call("trace_write -a line=x -a lien=y"), @"");
    insta::assert_snapshot!(call("trace_flood -a bytes=many"), @"");
    insta::assert_snapshot!(call("trace_write --args [1]"), @"");
    insta::assert_snapshot!(call("trace_fail"), @"");
}

#[test]
fn a_module_with_errors_is_shown_and_the_others_are_listed() {
    let aa = Aa::traced().tools("bad", "module: bad\ndescription: Bad\ntools: []\nodd: 1\n");
    let ran = aa.args(["tool", "list"]).run().code(3).stdout_contains("trace_write");
    insta::assert_snapshot!(ran.err(), @"");
}
