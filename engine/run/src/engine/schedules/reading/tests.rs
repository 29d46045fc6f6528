use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::settings::Surroundings;

/// So many fill more than [`LITTLE`].
const MANY: usize = 1500;

/// A project with one skill that has a few schedules, and one that has many.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        world.skill("few", &lines(3));
        world.skill("many", &lines(MANY));
        world
    }

    fn skill(&self, name: &str, schedules: &str) {
        let text = format!(
            "name: {name}\ndescription: {name}\nsteps: [{{name: a, tool: echo, args: {{value: 1}}}}]\nschedule:\n{schedules}"
        );
        let path = self.root.path().join(format!("config/skills/{name}.yaml"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The book as a process that has just started reads it.
    fn book(&self) -> Arc<Book> {
        let variable =
            |name: &str, folder: &str| (name.to_owned(), self.root.path().join(folder).display().to_string());
        let environment = [
            variable("HOME", "home"),
            variable("AA_CONFIG_DIR", "config"),
            variable("AA_STATE_DIR", "state"),
        ];
        let folder = self.root.path().to_owned();
        let surroundings = Surroundings { folder, environment: environment.into(), store: None };
        Engine::new(Settings::resolve(&surroundings).unwrap()).schedule_book().unwrap()
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = fs::read_dir(self.root.path().join("state/schedules"));
        folder.into_iter().flatten().map(|file| file.unwrap().path()).collect()
    }
}

fn lines(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let (minute, hour) = (number % 60, number / 60 % 24);
        writeln!(text, "  - {{name: s{number}, cron: '{minute} {hour} * * *', timezone: Europe/Berlin}}")
            .unwrap();
    }
    text
}

#[test]
fn what_is_kept_says_the_same_as_the_files() {
    let world = World::new();
    let every = "  - name: rich
    every: 15m
    anchor: 2026-01-01
    description: All there is
    inputs: {at: '{{ due }}', n: 3}
    persona: devops
    overlap: cancel_previous
    catch_up: {window: 1h, runs: all}
    jitter: 10s
    retry: {attempts: 3, delay: 5s}
    deadline: 2h
    timeout: 1h
    notify: {failure: [team]}
    enabled: false
  - {name: poll, poll: {tool: look, args: {x: 1}, every: 1m, condition: result.new, key: result.id}}
  - {name: hook, webhook: {secret: '{{ secrets.KEY }}', timestamp: X-At, condition: body.ok}}
  - {name: once, at: '2026-03-01T09:00:00Z'}
";
    world.skill("rich", every);
    let (first, second) = (world.book(), world.book());
    assert_eq!(world.kept().len(), 1);
    assert_eq!(first.known.len(), MANY + 3 + 4);
    // Expressions hold what they have worked out, so it is what they are written as that is compared.
    let told = |book: &Book| -> Vec<String> {
        let one = |known: &Arc<Known>| {
            format!("{} {}", known.place, serde_json::to_value(&known.compiled).unwrap())
        };
        book.known.values().map(one).collect()
    };
    assert_eq!(told(&first), told(&second));
    let place = |book: &Book, name: &str| book.named(name).unwrap().place.to_string();
    assert!(place(&second, "many.s7").ends_with("many.yaml:12"), "{}", place(&second, "many.s7"));
    // One pattern for all that are written alike.
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    for name in ["many.s61", "few.s1", "rich.once", "rich.rich", "rich.poll"] {
        let next = |book: &Book| {
            let known = book.named(name).unwrap();
            known.compiled.trigger.next(now, known.zone())
        };
        assert!(next(&first).is_some());
        assert_eq!(next(&first), next(&second), "{name}");
    }
}

#[test]
fn what_is_kept_is_used_for_as_long_as_the_text_is_the_same() {
    let world = World::new();
    world.book();
    let [kept] = &world.kept()[..] else { panic!("one file is kept") };
    let text = fs::read_to_string(kept).unwrap();
    fs::write(kept, text.replace("\"many.s7\"", "\"many.kept\"")).unwrap();
    assert!(world.book().named("many.kept").is_some(), "it is not read again");
    // One skill changes, the other is still taken from what is kept.
    world.skill("few", &lines(5));
    let book = world.book();
    assert!(book.named("few.s4").is_some() && book.named("many.kept").is_some());
    world.skill("many", &lines(MANY + 1));
    let book = world.book();
    assert!(book.named("many.s7").is_some() && book.named("many.kept").is_none());
    assert_eq!(book.known.len(), 5 + MANY + 1);
    // Half a file says nothing.
    fs::write(kept, &text[..text.len() / 2]).unwrap();
    assert_eq!(world.book().known.len(), 5 + MANY + 1);
    assert_eq!(world.kept().len(), 1);
}

#[test]
fn what_is_wrong_is_told_each_time() {
    let world = World::new();
    world.skill("bad", "  - {name: never, cron: '0 0 31 2 *'}\n  - {name: good, cron: '@daily'}\n");
    for _ in 0..2 {
        let book = world.book();
        let [broken] = &book.broken[..] else { panic!("{} are broken", book.broken.len()) };
        assert_eq!((broken.name.as_str(), broken.place.line), ("bad.never", 5));
        assert_eq!(broken.problems[0].code, "never-due");
        assert!(book.named("bad.good").is_some());
    }
}

#[test]
fn few_schedules_leave_nothing_behind_and_a_book_is_shared() {
    let world = World::new();
    world.skill("many", &lines(3));
    world.book();
    assert_eq!(world.kept(), Vec::<PathBuf>::new());
    let path = |of: &str| world.root.path().join(of).display().to_string();
    let environment =
        [("HOME".to_owned(), path("")), ("AA_CONFIG_DIR".to_owned(), path("config"))].into_iter().collect();
    let settings = Surroundings { folder: world.root.path().to_owned(), environment, store: None };
    let engine = Engine::new(Settings::resolve(&settings).unwrap());
    let first = engine.schedule_book().unwrap();
    assert!(Arc::ptr_eq(&first, &engine.schedule_book().unwrap()));
    world.skill("few", &lines(20));
    let second = engine.schedule_book().unwrap();
    assert_eq!((first.known.len(), second.known.len()), (6, 23));
}
