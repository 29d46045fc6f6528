//! Layers, names and what cannot be read.

use super::*;

struct Folders {
    root: tempfile::TempDir,
}

impl Folders {
    fn new(files: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, *file).unwrap();
        }
        Self { root }
    }

    fn home(&self) -> Home {
        let root = self.root.path();
        Home {
            folder: root.join("work"),
            project: Some(root.join("work/.aa")),
            user: root.join("config"),
            skills: vec![(root.join("more"), true)],
            modules: Vec::new(),
        }
    }

    /// What is found by a name, as `layer: text (shown)`.
    fn found(&self, name: &str) -> Option<String> {
        let home = self.home();
        let entry = home.find(Kind::Skill, name).unwrap()?;
        Some(format!("{}: {}", entry.layer, home.read(&entry).unwrap().text))
    }
}

#[test]
fn the_nearest_of_a_name_is_found() {
    let folders = Folders::new(&[
        "config/skills/a-b.yaml",
        "work/.aa/skills/a_b.yml",
        "config/skills/c.yaml",
        "more/c.yaml",
        "more/d_e.yaml",
        "more/.hidden.yaml",
        "more/notes.txt",
    ]);
    assert_eq!(folders.found("a-b").unwrap(), "project: work/.aa/skills/a_b.yml");
    assert_eq!(folders.found("c").unwrap(), "user: config/skills/c.yaml");
    assert!(folders.found("d-e").unwrap().ends_with("more: more/d_e.yaml"));
    assert_eq!(folders.found("notes"), None);
    let home = folders.home();
    let list = home.list(Kind::Skill).unwrap();
    let own: Vec<&str> = list.iter().filter(|of| of.layer != "shipped").map(|of| of.name.as_str()).collect();
    assert_eq!(own, ["a_b", "c", "d_e"]);
    assert!(home.find(Kind::Skill, "d-e").unwrap().unwrap().lenient);
    assert!(!home.find(Kind::Skill, "c").unwrap().unwrap().lenient);
}

#[test]
fn two_files_of_one_name_are_refused() {
    let folders = Folders::new(&["more/x.yaml", "work/.aa/skills/a-b.yaml", "work/.aa/skills/a_b.yaml"]);
    let error = folders.home().list(Kind::Skill).unwrap_err();
    assert_eq!(error.message, "`.aa/skills/a-b.yaml` and `.aa/skills/a_b.yaml` have the same name");
}

#[test]
fn a_folder_that_cannot_be_listed_is_reported() {
    let folders = Folders::new(&["more/x.yaml", "config/skills"]);
    let error = folders.home().list(Kind::Skill).unwrap_err();
    assert!(error.path.ends_with("config/skills"), "{error}");
    let folders = Folders::new(&[]);
    let error = folders.home().find(Kind::Skill, "x").unwrap_err();
    assert!(error.path.ends_with("more"), "a configured folder must be there: {error}");
    assert_eq!(
        folders.home().list(Kind::Persona).map(|list| list.iter().any(|of| of.layer != "shipped")),
        Ok(false)
    );
}

#[test]
fn a_path_is_relative_to_the_working_folder() {
    let folders = Folders::new(&["work/sub/my-skill.yaml"]);
    let home = folders.home();
    let entry = home.at(Path::new("sub/my-skill.yaml"));
    assert_eq!((entry.name.as_str(), entry.shown.as_str()), ("my_skill", "sub/my-skill.yaml"));
    assert_eq!(&*home.read(&entry).unwrap().text, "work/sub/my-skill.yaml");
    let gone = home.at(Path::new("sub/other.yaml"));
    assert_eq!(home.read(&gone).unwrap_err().message, "there is no such file");
}

#[test]
fn what_is_shipped_can_be_read() {
    let folders = Folders::new(&["more/x.yaml"]);
    let home = folders.home();
    for kind in [Kind::Skill, Kind::Module, Kind::Persona] {
        for entry in home.list(kind).unwrap() {
            assert!(home.read(&entry).is_ok(), "{entry:?}");
        }
    }
}
