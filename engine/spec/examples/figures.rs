use std::sync::Arc; use std::time::Instant;
use aa_spec::check::*; use aa_spec::source::Source; use aa_spec::tool::*; use aa_spec::template::*; use serde_json::{json, Value};
struct W(Vec<Arc<ToolSpec>>);
impl Catalog for W {
  fn tool(&self, n:&str)->Option<Arc<ToolSpec>>{ self.0.iter().find(|t| t.name==n).cloned() }
  fn tool_names(&self)->Vec<String>{vec![]} fn skill(&self,_:&str)->Option<Source>{None} fn skill_names(&self)->Vec<String>{vec![]}
  fn secret_names(&self)->Vec<String>{vec!["TOKEN".into()]} fn config(&self)->Value{json!({})}
}
fn main(){
  let t=|name:&str,effect|Arc::new(ToolSpec{name:name.into(),module:"t".into(),description:"".into(),
    input:json!({"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":100},"mode":{"type":"string","pattern":"^[a-z]+$"}},"required":["path"],"additionalProperties":false}),
    output:json!({"type":"object","properties":{"text":{"type":"string"},"size":{"type":"integer"}}}),effect,idempotent:false,reconcile:None,source:"".into()});
  let world=W(vec![t("read",Effect::Read),t("write",Effect::Write)]);
  let mut text=String::from("name: x\ndescription: x\ninputs:\n  - {name: city, type: string, required: true}\n  - {name: n, type: integer, default: 3}\nsteps:\n");
  let n: usize = std::env::args().nth(1).and_then(|a|a.parse().ok()).unwrap_or(54);
  for i in 0..n { let prev=if i==0 {"inputs.city".to_string()} else {format!("s{}.text",i-1)};
    text+=&format!("  - name: s{i}\n    description: does something useful\n    tool: {}\n    args:\n      path: \"/tmp/{{{{ inputs.city }}}}/{{{{ {prev} }}}}\"\n      limit: {}\n      text: \"{{{{ inputs.city | upper }}}}\"\n    condition: inputs.n > 3 and inputs.city != \"x\"\n    retry: {{attempts: 3, delay: 1s}}\n    timeout: 2m\n    on_error: continue\n", if i%4==3 {"write"} else {"read"}, i%50+1); }
  eprintln!("{} lines {} bytes", text.lines().count(), text.len());
  let s=Source::new("x.yaml",text);
  let a=Instant::now(); let _=Expression::parse("1"); eprintln!("first expression (tokenizer only) {:?}",a.elapsed());
  let a=Instant::now(); let _=Expression::parse("1").unwrap().is_true(&Scope::default()); eprintln!("first eval: environments {:?}",a.elapsed());
  for _ in 0..3 { let a=Instant::now(); let (p,d)=check(&s,&world,Strictness::default()); eprintln!("check {:?} plan {} problems {}",a.elapsed(),p.is_some(),d.len()); }
  let a=Instant::now(); for _ in 0..20 { let _=aa_spec::shape::read::<aa_spec::skill::Skill>(&s); } eprintln!("of which shape::read {:?}",a.elapsed()/20);
  let (p,_)=check(&s,&world,Strictness::default()); let p=p.unwrap();
  let a=Instant::now(); let h=p.hash(); eprintln!("hash {:?} {}",a.elapsed(),&h[..8]);
  let j=serde_json::to_string(&p).unwrap(); eprintln!("plan json {} bytes", j.len());
  let a=Instant::now(); let _:aa_spec::plan::Plan=serde_json::from_str(&j).unwrap(); eprintln!("plan from json {:?}",a.elapsed());
  let a=Instant::now(); let g=aa_spec::graph::svg(&p.skill,&Default::default()); eprintln!("svg {:?} {}",a.elapsed(),g.len());
  let a=Instant::now(); let g=aa_spec::graph::terminal(&p.skill,100); eprintln!("terminal {:?} {}",a.elapsed(),g.len());
  let a=Instant::now(); for _ in 0..10000 { Expression::parse("inputs.mr > 3 and build.ok").unwrap(); } eprintln!("parse {:?}",a.elapsed()/10000);
  let mut sc=Scope::default(); sc.set("inputs",&json!({"mr":5})); sc.set("build",&json!({"ok":true,"big":vec!["x".repeat(100);10000]}));
  let e=Expression::parse("inputs.mr > 3 and build.ok").unwrap();
  let a=Instant::now(); for _ in 0..10000 { e.is_true(&sc).unwrap(); } eprintln!("eval {:?}",a.elapsed()/10000);
  let t=Template::parse(&json!({"a":"x {{ inputs.mr }} y {{ build.ok }}"})).unwrap();
  let a=Instant::now(); for _ in 0..10000 { t.render(&sc,Missing::Fail).unwrap(); } eprintln!("render text {:?}",a.elapsed()/10000);
  for (name, needs) in [("chain", (|i:usize| i.checked_sub(1).into_iter().collect::<Vec<_>>()) as fn(usize)->Vec<usize>), ("fan", |i| if i==0 {vec![]} else if i==999 {(1..999).collect()} else {vec![0]}), ("mesh", |i| { let mut v:Vec<usize>=[i/2,i/3,i.saturating_sub(7)].into_iter().filter(|n|*n<i).collect(); v.sort(); v.dedup(); v})] {
    let mut sk=p.skill.clone(); let st=sk.steps[0].clone();
    sk.steps=(0..1000).map(|i|{let mut s=st.clone(); s.name=format!("step{i}"); s.needs=needs(i); s}).collect();
    let a=Instant::now(); let g=aa_spec::graph::svg(&sk,&Default::default()); eprint!("{name}: svg {:?} {} bytes; ",a.elapsed(),g.len());
    let a=Instant::now(); let g=aa_spec::graph::terminal(&sk,100); eprintln!("terminal {:?} {} lines",a.elapsed(),g.lines().count());
    if name=="mesh" { std::fs::write("/tmp/mesh.svg", aa_spec::graph::svg(&{let mut k=sk.clone(); k.steps.truncate(40); k},&Default::default())).unwrap(); let mut k=sk.clone(); k.steps.truncate(14); println!("{}", aa_spec::graph::terminal(&k,100)); }
  }
}
