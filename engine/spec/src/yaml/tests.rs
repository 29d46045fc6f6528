use super::*;

fn tree(text: &str) -> Node {
    parse(&Source::new("x.yaml", text)).unwrap_or_else(|problem| panic!("{}", problem.message))
}

#[test]
fn every_node_knows_its_place() {
    let text = "name: x\nsteps:\n  - a: 'one'\n    b: |\n      two\n    c: [1, {d: 2}]\nlast:\n";
    let source = Source::new("x.yaml", text);
    let root = tree(text);
    let shown = |path: &[&str]| source.slice(root.at(path.iter().copied()).span).to_owned();
    assert_eq!(shown(&["name"]), "x");
    assert_eq!(shown(&["steps", "0", "a"]), "'one'");
    assert_eq!(shown(&["steps", "0", "b"]), "two");
    assert_eq!(shown(&["steps", "0", "c", "1", "d"]), "2");
    assert_eq!(shown(&["steps", "0", "c"]), "[1, {d: 2}]");
    assert_eq!(shown(&["last"]), "last", "an empty value is shown by its key");
}
