use super::*;
use crate::persona::Persona;
use crate::shape;

struct World;

impl Surroundings for World {
    fn effect(&self, tool: &str) -> Option<Effect> {
        match tool {
            "look" => Some(Effect::Read),
            "push" => Some(Effect::Write),
            _ => None,
        }
    }

    fn has_file(&self, path: &str) -> bool {
        path == "notes.md"
    }

    fn has_skill(&self, name: &str) -> bool {
        name == "greet"
    }
}

/// The codes and messages of what is wrong with an offer.
fn problems(offer: &str) -> Vec<String> {
    let source = Source::new("p.yaml", format!("name: p\ndescription: P\n{offer}"));
    let (persona, mut found) = shape::read::<Persona>(&source);
    let persona = persona.unwrap();
    found.extend(check(&source, (&persona.resources, &persona.prompts), &World));
    found.iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect()
}

#[test]
fn what_is_right_has_no_problems() {
    let offer = "\
resources:
  - {uri: 'team://on-call', name: on-call, text: Nobody}
  - {uri: 'team://service/{name}', name: service, mime_type: text/markdown, text: 'About {{ params.name }}'}
  - {uri: 'team://notes', name: notes, file: notes.md}
  - {uri: 'team://log/{day}', name: log, tool: {name: look, args: {day: '{{ params.day }}'}}}
prompts:
  - name: greet
    arguments: [{name: who, required: true}]
    messages: [{text: 'Hello {{ arguments.who }}'}, {role: assistant, resource: 'team://x', text: There}]
  - {name: ask, skill: greet, messages: [{text: 'It said {{ outputs.said }}'}]}
";
    assert_eq!(problems(offer), Vec::<String>::new());
}

#[test]
fn every_mistake_is_told() {
    let cases = [
        (
            "prompts: [{name: ask, skill: grete, messages: [{text: 'It said {{ outputs.said }}'}]}]",
            "unknown-skill: there is no skill `grete`",
        ),
        (
            "prompts: [{name: ask, messages: [{text: 'It said {{ outputs.said }}'}]}]",
            "unknown-reference: nothing defines `outputs.said`",
        ),
        ("resources: [{uri: on-call, name: x, text: y}]", "bad-value: `on-call` is no address"),
        (
            "resources: [{uri: 'aa://runs', name: x, text: y}]",
            "bad-value: addresses under `aa:` are the server's own",
        ),
        (
            "resources: [{uri: 't://{', name: x, text: y}]",
            "bad-value: `t://{` has a hole that is not closed, or has no name",
        ),
        ("resources: [{uri: 't://a', name: x}]", "missing-key: nothing says what is there"),
        (
            "resources: [{uri: 't://a', name: x, text: y, file: notes.md}]",
            "bad-value: several things are there",
        ),
        (
            "resources: [{uri: 't://a', name: x, file: ../../etc/passwd}]",
            "bad-value: `../../etc/passwd` is not below the persona's folder",
        ),
        (
            "resources: [{uri: 't://a', name: x, file: /etc/passwd}]",
            "bad-value: `/etc/passwd` is not below the persona's folder",
        ),
        ("resources: [{uri: 't://a', name: x, file: gone.md}]", "missing-file: there is no file `gone.md`"),
        (
            "resources: [{uri: 't://a', name: x, tool: {name: loook}}]",
            "unknown-tool: there is no tool `loook`",
        ),
        (
            "resources: [{uri: 't://a', name: x, tool: {name: push}}]",
            "bad-value: `push` changes something, and reading must not",
        ),
        (
            "resources: [{uri: 't://a/{b}', name: x, text: '{{ params.c }}'}]",
            "unknown-reference: nothing defines `params.c`",
        ),
        (
            "resources: [{uri: 't://a', name: x, text: '{{ secrets.TOKEN }}'}]",
            "unknown-reference: nothing defines `secrets.TOKEN`",
        ),
        (
            "resources: [{uri: 't://a', name: x, text: 'y'}, {uri: 't://a', name: z, text: 'y'}]",
            "duplicate-name: two resources are called `t://a`",
        ),
        ("prompts: [{name: a b, messages: [{text: x}]}]", "bad-name: `a b` is no name"),
        ("prompts: [{name: a, messages: []}]", "missing-key: the prompt says nothing"),
        ("prompts: [{name: a, messages: [{role: user}]}]", "missing-key: a message says nothing"),
        (
            "prompts: [{name: a, messages: [{resource: 't://a'}]}]",
            "missing-key: nothing says what is at the address",
        ),
        (
            "prompts: [{name: a, messages: [{image: notes.md, text: x, mime_type: image/png}]}]",
            "bad-value: a message is several things at once",
        ),
        (
            "prompts: [{name: a, messages: [{image: notes.md}]}]",
            "missing-key: nothing says what kind of picture it is",
        ),
        (
            "prompts: [{name: a, messages: [{text: '{{ arguments.x }}'}]}]",
            "unknown-reference: nothing defines `arguments.x`",
        ),
    ];
    for (offer, problem) in cases {
        assert_eq!(problems(offer), [problem], "{offer}");
    }
}

#[test]
fn holes_are_filled_by_one_part_each() {
    let filled = |family: &str, uri: &str| {
        fill(family, uri).map(|found| {
            found.into_iter().map(|(hole, value)| format!("{hole}={value}")).collect::<Vec<_>>().join(",")
        })
    };
    let cases = [
        ("t://a/{b}", "t://a/1", Some("b=1")),
        ("t://a/{b}/data", "t://a/123/data", Some("b=123")),
        ("t://{a}-{b}", "t://x-y", Some("a=x,b=y")),
        ("t://a/{b}", "t://a/", None),
        ("t://a/{b}", "t://a/1/2", None),
        ("t://a/{b}/data", "t://a/1/other", None),
        ("t://a", "t://a", Some("")),
        ("t://a", "t://ab", None),
    ];
    for (family, uri, expected) in cases {
        assert_eq!(filled(family, uri).as_deref(), expected, "{family} {uri}");
    }
}
