//! What a server says of its tools, and what is made of it here.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use aa_spec::name;
use aa_spec::tool::module::McpText;
use aa_spec::tool::recipe::mcp::{Known, Server};
use aa_spec::tool::{Effect, ToolSpec};
use serde_json::{Map, Value, json};

use super::schema;

/// The key of what stands for a definition. No definition has it, whatever its server says.
const UNUSABLE: &str = "unusable";

/// Characters of a description.
pub(super) const DESCRIPTION: usize = 2000;

/// A tool as skills see it.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// The server's own name.
    pub(super) remote: String,
    /// What it was when it was last believed.
    pub(super) definition: Value,
    pub(super) spec: Arc<ToolSpec>,
    /// What a text that it gives is.
    pub(super) text: McpText,
    /// What the server says of its effect, when nothing is known of it here.
    pub(super) suggested: Option<Effect>,
}

/// The tools of a server that can be called, by name.
#[derive(Debug, Default)]
pub(super) struct Offers {
    pub(super) tools: BTreeMap<String, Offer>,
    /// Why others cannot.
    pub(super) problems: Vec<String>,
}

/// What of a tool is compared and kept, with sorted keys.
pub(super) fn of(tool: &rmcp::model::Tool) -> Value {
    let hints = tool.annotations.as_ref().map(|hints| {
        json!({
            "readOnly": hints.read_only_hint,
            "destructive": hints.destructive_hint,
            "idempotent": hints.idempotent_hint,
        })
    });
    sorted(&json!({
        "title": tool.title,
        "description": tool.description,
        "input": *tool.input_schema,
        "output": tool.output_schema.as_deref(),
        "hints": hints,
    }))
}

/// The tools of a page that has others beside them which the protocol does not know; these stand there with why.
pub(super) fn each(page: &Value, before: usize) -> Option<Vec<(String, Value)>> {
    let entries = page.get("tools")?.as_array()?.iter().enumerate();
    let tools = entries.map(|(at, entry)| match serde_json::from_value::<rmcp::model::Tool>(entry.clone()) {
        Ok(tool) => (tool.name.to_string(), of(&tool)),
        Err(error) => {
            let name = entry["name"].as_str().map(str::to_owned);
            (name.unwrap_or_else(|| format!("tools[{}]", before + at)), unusable(&misfit(entry, &error)))
        }
    });
    Some(tools.collect())
}

fn misfit(entry: &Value, error: &serde_json::Error) -> String {
    if !entry["name"].is_string() {
        return "it has no name".to_owned();
    }
    match entry.get("inputSchema") {
        Some(schema) if schema.is_object() => {
            format!("it is described as the protocol does not have it: {error}")
        }
        Some(_) => "its `inputSchema` is no mapping".to_owned(),
        None => "it has no `inputSchema`".to_owned(),
    }
}

/// Every name once: of a name that is there twice nobody can tell which is meant.
pub(super) fn once(tools: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let mut seen = BTreeMap::new();
    for (name, definition) in tools {
        match seen.entry(name) {
            Entry::Vacant(entry) => drop(entry.insert(definition)),
            Entry::Occupied(mut entry) => drop(entry.insert(unusable("the server names it twice"))),
        }
    }
    seen.into_iter().collect()
}

/// What stands for the definition of a tool that cannot be used.
fn unusable(why: &str) -> Value {
    json!({ UNUSABLE: why })
}

impl Offers {
    /// What skills see of these tools; `source` is where the module is defined.
    pub(super) fn new(server: &Server, source: &str, pinned: &[(String, Value)]) -> Self {
        let mut offers = Self::default();
        let mut taken = BTreeMap::<String, Vec<&str>>::new();
        for (remote, definition) in pinned {
            let known = server.tools.get(remote).cloned().unwrap_or_default();
            if known.hidden {
                continue;
            }
            match offer(server, source, (remote, definition), &known) {
                Ok(offer) => {
                    let name = offer.spec.name.clone();
                    taken.entry(name.clone()).or_default().push(remote);
                    offers.tools.insert(name, offer);
                }
                Err(why) => {
                    offers.problems.push(format!("`{}` cannot be used: {why}", harmless(remote, 100)));
                }
            }
        }
        for (name, remotes) in taken.into_iter().filter(|(_, remotes)| remotes.len() > 1) {
            // Nobody can tell which of them is meant.
            offers.tools.remove(&name);
            offers.problems.push(format!("{} would all be `{name}`", aa_spec::name::list(&remotes)));
        }
        for remote in server.tools.keys().filter(|remote| !pinned.iter().any(|(known, _)| known == *remote)) {
            offers.problems.push(format!("the server has no tool `{remote}`"));
        }
        offers
    }
}

fn offer(
    server: &Server,
    source: &str,
    (remote, definition): (&str, &Value),
    known: &Known,
) -> Result<Offer, String> {
    if let Some(why) = definition[UNUSABLE].as_str() {
        return Err(harmless(why, DESCRIPTION));
    }
    let written = schema::readable(&definition["input"]);
    let input = schema::seal(schema::close(&written)?)?;
    let output = match &definition["output"] {
        Value::Null => Value::Bool(true),
        declared => schema::close(&schema::readable(declared))?,
    };
    for schema in [&input, &output] {
        aa_spec::schema::is_sound(schema)?;
    }
    let effect = known.effect.unwrap_or(server.default_effect);
    let spec = ToolSpec {
        name: local_name(server, remote, known)?,
        module: server.module.clone(),
        description: description(definition),
        written: schema::refers(&written).then(|| schema::seal(written)).transpose()?,
        input,
        output,
        effect,
        idempotent: known.idempotent.unwrap_or(effect == Effect::Read),
        keyed: None,
        tier: known.tier,
        of_machine: false,
        cache_ms: None,
        reconcile: None,
        source: source.to_owned(),
    };
    let suggested = known.effect.is_none().then(|| suggested(&definition["hints"])).flatten();
    let (remote, definition) = (remote.to_owned(), definition.clone());
    Ok(Offer { remote, definition, spec: Arc::new(spec), text: known.result, suggested })
}

/// The name that skills use. A server that begins its names with the prefix itself is not
/// made to say it twice.
fn local_name(server: &Server, remote: &str, known: &Known) -> Result<String, String> {
    if let Some(name) = &known.name {
        return Ok(name.clone());
    }
    let plain: String = remote.chars().map(|c| if matches!(c, '.' | '/' | '-') { '_' } else { c }).collect();
    let name = if plain.starts_with(&server.prefix) { plain } else { format!("{}{plain}", server.prefix) };
    if remote.is_empty() || name.len() > 128 || !name::is_valid(&name) {
        return Err("its name cannot be one here; give it another with `name`".to_owned());
    }
    Ok(name)
}

/// The first paragraph of what the server says, on one line.
fn description(definition: &Value) -> String {
    let said = [&definition["description"], &definition["title"]].into_iter().find_map(Value::as_str);
    let text = harmless(said.unwrap_or_default().trim(), DESCRIPTION);
    let first: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    if first.is_empty() { "The server does not say what it does".to_owned() } else { first.join(" ") }
}

/// The effect that a server's hints amount to. They are claims: nothing here acts on them.
fn suggested(hints: &Value) -> Option<Effect> {
    match (hints["readOnly"].as_bool(), hints["destructive"].as_bool()) {
        (Some(true), _) => Some(Effect::Read),
        (_, Some(false)) => Some(Effect::Write),
        (_, Some(true)) => Some(Effect::Destructive),
        _ => None,
    }
}

/// A foreign text without what cannot be seen, and not too long of it.
pub(super) fn harmless(text: &str, most: usize) -> String {
    let mut clean = text.chars().filter(|c| !is_invisible(*c));
    let mut short: String = clean.by_ref().take(most).collect();
    if clean.next().is_some() {
        short.push('…');
    }
    short
}

/// Whether a character cannot be seen, or turns around what stands next to it.
pub(crate) fn is_invisible(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fdd0}' | '\u{fdd1}' | '\u{e0000}'..='\u{e007f}')
}

/// A value whose mappings have their keys in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, &Value> = map.iter().collect();
            let ordered = ordered.into_iter().map(|(key, value)| (key.clone(), sorted(value)));
            Value::Object(ordered.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use aa_spec::source::Source;
    use aa_spec::tool::recipe;

    use super::*;

    fn server(tools: &str) -> Server {
        let text = format!("module: shop\ndescription: A shop\nmcp: {{command: [x], tools: {tools}}}\n");
        let source = Source::new("shop.yaml", text);
        let (module, diagnostics) = recipe::check(&source);
        assert_eq!(diagnostics, []);
        let module = module.unwrap();
        recipe::mcp::compile(&module, module.mcp.as_ref().unwrap(), &source).unwrap()
    }

    fn pinned(names: &[&str]) -> Vec<(String, Value)> {
        let definition = json!({"description": "Sells.\nOr not.\n\nAt length", "input": {"type": "object", "properties": {}},
            "output": null, "hints": {"readOnly": true, "destructive": null}});
        names.iter().map(|name| ((*name).to_owned(), definition.clone())).collect()
    }

    #[test]
    fn names_get_the_prefix_once_and_are_valid() {
        let server = server("{odd: {name: even}, secret: {hidden: true}, gone: {effect: read}}");
        let names = ["sell", "shop_buy", "a.b/c", "odd", "secret", "a-b", "a_b", "ä", ""];
        let offers = Offers::new(&server, "shop.yaml:3", &pinned(&names));
        let found: Vec<&str> = offers.tools.keys().map(String::as_str).collect();
        assert_eq!(found, ["even", "shop_a_b_c", "shop_buy", "shop_sell"]);
        assert_eq!(
            offers.problems,
            [
                "`ä` cannot be used: its name cannot be one here; give it another with `name`",
                "`` cannot be used: its name cannot be one here; give it another with `name`",
                "`a-b`, `a_b` would all be `shop_a_b`",
                "the server has no tool `gone`",
            ]
        );
    }

    #[test]
    fn a_tool_that_cannot_be_used_leaves_the_others() {
        let page = json!({"tools": [
            {"name": "sell", "inputSchema": {"type": "object"}}, {"nope": 1}, {"name": "odd", "inputSchema": "text"},
            {"name": "bare"}, {"name": "buy", "inputSchema": {"type": "object"}},
            {"name": "sell", "inputSchema": {"type": "object"}, "description": "Another"},
        ]});
        let tools = once(each(&page, 10).unwrap());
        let offers = Offers::new(&server("{}"), "shop.yaml:3", &tools);
        assert_eq!(offers.tools.keys().collect::<Vec<_>>(), ["shop_buy"]);
        assert_eq!(
            offers.problems,
            [
                "`bare` cannot be used: it has no `inputSchema`",
                "`odd` cannot be used: its `inputSchema` is no mapping",
                "`sell` cannot be used: the server names it twice",
                "`tools[11]` cannot be used: it has no name",
            ]
        );
    }

    #[test]
    fn effects_are_those_of_the_module_and_not_the_servers() {
        let offers =
            Offers::new(&server("{sell: {effect: destructive}}"), "shop.yaml:3", &pinned(&["sell", "look"]));
        let (sell, look) = (&offers.tools["shop_sell"], &offers.tools["shop_look"]);
        assert_eq!((sell.spec.effect, sell.suggested), (Effect::Destructive, None));
        assert_eq!((look.spec.effect, look.suggested), (Effect::Unknown, Some(Effect::Read)));
        assert!(!look.spec.idempotent);
        assert_eq!(look.spec.description, "Sells. Or not.");
    }

    #[test]
    fn schemas_that_are_wrong_themselves_are_refused() {
        let mut tools = pinned(&["sell"]);
        tools[0].1["input"]["properties"] = json!({"n": {"type": "intger"}});
        let offers = Offers::new(&server("{}"), "shop.yaml:3", &tools);
        assert!(offers.tools.is_empty() && offers.problems.len() == 1, "{:?}", offers.problems);
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        assert_eq!(harmless("a\u{200b}b\u{1b}[1mc\u{202e}\nd", 20), "ab[1mc\nd");
        assert_eq!(harmless("abc", 2), "ab…");
    }

    #[test]
    fn the_order_of_keys_is_no_change() {
        let one: Value = serde_json::from_str(r#"{"b": {"y": 1, "x": [2]}, "a": 3}"#).unwrap();
        assert_eq!(sorted(&one).to_string(), r#"{"a":3,"b":{"x":[2],"y":1}}"#);
    }
}
