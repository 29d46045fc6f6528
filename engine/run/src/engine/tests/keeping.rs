//! What clients are told, kept from one start to the next.

use super::*;
use crate::persona::{Choice, View};

fn view(engine: &Engine, choice: &Choice) -> Arc<View> {
    engine.view(choice).unwrap()
}

fn skill(says: &str) -> String {
    format!("name: talk\ndescription: {says}\nsteps: [{{name: it, tool: note, args: {{text: hello}}}}]\n")
}

/// The kept views, with another description of a skill.
fn say_otherwise(world: &World, from: &str, to: &str) -> usize {
    let files = fs::read_dir(world.root.path().join("home/.local/state/aa-workflow/views")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let said = |path: &std::path::PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, text.replace(from, to)).unwrap();
        text.contains(from)
    };
    files.filter(said).count()
}

fn told(view: &View) -> &str {
    &view.skills.iter().find(|card| card.name == "talk").unwrap().description
}

#[test]
fn what_was_kept_is_told_until_something_changes() {
    let world = World::new();
    world.put("work/.aa/skills/talk.yaml", &skill("Says it"));
    let made = view(&world.engine(), &Choice::All);
    assert_eq!(told(&made), "Says it");
    let kept = view(&world.engine(), &Choice::All);
    assert_eq!((&kept.skills, &kept.broken, &kept.tools), (&made.skills, &made.broken, &made.tools));
    // Proof that it is read: nobody else could have said that.
    assert_eq!(say_otherwise(&world, "Says it", "Says what was kept"), 1);
    assert_eq!(told(&view(&world.engine(), &Choice::All)), "Says what was kept");
    // Another choice is another view.
    assert_eq!(told(&view(&world.engine(), &Choice::Tools(vec!["note".to_owned()]))), "Says it");
    world.put("work/.aa/skills/talk.yaml", &skill("Says more"));
    assert_eq!(told(&view(&world.engine(), &Choice::All)), "Says more");
    // A module that comes changes what skills do.
    say_otherwise(&world, "Says more", "Says what was kept");
    world.put("work/.aa/tools/extra.yaml", "module: extra\ndescription: Empty\ntools: []\n");
    assert_eq!(told(&view(&world.engine(), &Choice::All)), "Says more");
}

#[test]
fn what_was_kept_and_cannot_be_read_is_made_anew() {
    let world = World::new();
    world.put("work/.aa/skills/talk.yaml", &skill("Says it"));
    view(&world.engine(), &Choice::All);
    assert_eq!(say_otherwise(&world, "{", "["), 1);
    assert_eq!(told(&view(&world.engine(), &Choice::All)), "Says it");
}

#[test]
fn a_persona_speaks_the_words_that_its_file_has_now() {
    let world = World::new();
    let words = |text: &str| world.put("work/.aa/personas/words.md", text);
    world.put(
        "work/.aa/personas/clown.yaml",
        "name: clown\ndescription: Jokes\ntext: words.md\ntools: [note]\nskills: []\n",
    );
    words("Be funny.");
    let choice = Choice::Persona("clown".to_owned());
    assert_eq!(view(&world.engine(), &choice).text, "Be funny.");
    words("Be funnier.");
    assert_eq!(view(&world.engine(), &choice).text, "Be funnier.");
}

#[test]
fn only_so_many_views_are_kept() {
    let world = World::new();
    let engine = world.engine();
    for number in 0..40 {
        let many = std::iter::repeat_n("note".to_owned(), number + 1).collect();
        view(&engine, &Choice::Tools(many));
    }
    assert_eq!(
        fs::read_dir(world.root.path().join("home/.local/state/aa-workflow/views")).unwrap().count(),
        32
    );
}
