//! Projects: folders with a name and what skills need to know of them.
//!
//! They are a document of the memory, `state/projects`, so they are changed in
//! transactions, searched, exported and imported like all that is remembered. A folder
//! needs no registration to be worked in: [`resolve`] takes paths, and without any the
//! repository around the call's folder.

use std::path::{Path, PathBuf};

use aa_spec::name;
use aa_spec::plan::digest;
use aa_spec::tool::{Effect, ErrorKind};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(super) use self::detect::{Detected, dependencies, text};
use self::detect::{branch, detect};
use super::memory::shape::{KNOWLEDGE, PROJECTS};
use super::memory::{Key, Memory, Outcome};
use super::native::{Face, Native, blocking, invalid, tool};
use super::{CallContext, ToolError};
use crate::workspace::Surroundings;

mod detect;
#[cfg(test)]
mod tests;

/// Every tool of the module by name.
pub(super) const TOOLS: &[(&str, super::memory::Make)] = &[
    (ProjectAdd::FACE.name, |memory| tool(ProjectAdd(memory))),
    (ProjectDetect::FACE.name, |memory| tool(ProjectDetect(memory))),
    (ProjectList::FACE.name, |memory| tool(ProjectList(memory))),
    (ProjectRemove::FACE.name, |memory| tool(ProjectRemove(memory))),
    (ProjectUpdate::FACE.name, |memory| tool(ProjectUpdate(memory))),
];

/// `project_add`.
struct ProjectAdd(Memory);
/// `project_detect`.
struct ProjectDetect(Memory);
/// `project_list`.
struct ProjectList(Memory);
/// `project_remove`.
struct ProjectRemove(Memory);
/// `project_update`.
struct ProjectUpdate(Memory);

/// Which project a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// Its name, which is a word of a key.
    pub(super) name: String,
    /// Its folder, when it is known.
    pub(super) folder: Option<PathBuf>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DetectArgs {
    /// A folder, relative to the run's folder.
    path: String,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RemoveArgs {
    /// Which project.
    name: String,
    /// Must be true: what is known of the project is lost. Its folder stays.
    #[serde(default)]
    confirm: bool,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddArgs {
    /// Its name: letters, digits, `_`, `-` and `.`.
    name: String,
    /// Its folder, relative to the run's folder.
    path: String,
    /// Its path on GitLab, such as `group/project`.
    #[serde(default)]
    gitlab: String,
    /// Its project in Jira, such as `AAP`.
    #[serde(default)]
    jira_project: String,
    /// Its component in Jira.
    #[serde(default)]
    jira_component: String,
    /// The command that checks its style.
    #[serde(default)]
    lint_command: String,
    /// The command that runs its tests.
    #[serde(default)]
    test_command: String,
    /// What has to be done before its tests can run.
    #[serde(default)]
    test_setup: String,
    /// Its main branch.
    #[serde(default = "main_branch")]
    default_branch: String,
    /// Its namespace in Konflux.
    #[serde(default)]
    konflux_namespace: String,
    /// Scopes of its commit messages, separated by commas.
    #[serde(default)]
    scopes: String,
    /// Whether what is not given is taken from the folder, where it can be seen.
    #[serde(default = "yes")]
    auto_detect: bool,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UpdateArgs {
    /// Which project; what is not given stays.
    name: String,
    /// Its folder, relative to the run's folder.
    #[serde(default)]
    path: String,
    /// Its path on GitLab.
    #[serde(default)]
    gitlab: String,
    /// Its project in Jira.
    #[serde(default)]
    jira_project: String,
    /// Its component in Jira.
    #[serde(default)]
    jira_component: String,
    /// The command that checks its style.
    #[serde(default)]
    lint_command: String,
    /// The command that runs its tests.
    #[serde(default)]
    test_command: String,
    /// Its main branch.
    #[serde(default)]
    default_branch: String,
    /// Its namespace in Konflux.
    #[serde(default)]
    konflux_namespace: String,
    /// Scopes of its commit messages, separated by commas.
    #[serde(default)]
    scopes: String,
}

/// A registered project.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Project {
    /// Its name.
    name: String,
    /// Its folder.
    path: String,
    /// What else is known of it.
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct Listed {
    #[serde(flatten)]
    project: Project,
    /// Whether its folder is there.
    exists: bool,
}

#[derive(Serialize, JsonSchema)]
struct Seen {
    #[serde(flatten)]
    detected: Detected,
    /// The registered project of this folder, if there is one.
    registered: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Removed {
    /// Which project.
    name: String,
}

const fn yes() -> bool {
    true
}

fn main_branch() -> String {
    "main".to_owned()
}

#[async_trait]
impl Native for ProjectList {
    type Args = NoArgs;
    type Output = Vec<Listed>;

    const FACE: Face = Face {
        name: "project_list",
        module: "project",
        description: "The registered projects",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, _args: NoArgs) -> Result<Vec<Listed>, ToolError> {
        let known = registered(&self.0, context).await?;
        let listed = |(name, fields): (String, Map<String, Value>)| {
            let project = shown(&name, fields);
            Listed { exists: Path::new(&project.path).is_dir(), project }
        };
        Ok(known.into_iter().map(listed).collect())
    }
}

#[async_trait]
impl Native for ProjectDetect {
    type Args = DetectArgs;
    type Output = Seen;

    const FACE: Face = Face {
        name: "project_detect",
        module: "project",
        description: "What can be seen of the project in a folder",
        effect: Effect::Read,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: DetectArgs) -> Result<Seen, ToolError> {
        let detected = look_at(&self.0, context, &args.path).await?;
        let known = registered(&self.0, context).await?;
        let registered = known.into_iter().find(|(_, fields)| path_of(fields) == detected.path);
        Ok(Seen { detected, registered: registered.map(|(name, _)| name) })
    }
}

#[async_trait]
impl Native for ProjectAdd {
    type Args = AddArgs;
    type Output = Project;

    const FACE: Face = Face {
        name: "project_add",
        module: "project",
        description: "Registers a project",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: AddArgs) -> Result<Project, ToolError> {
        let name = checked_name(&args.name)?;
        let detected = look_at(&self.0, context, &args.path).await?;
        let fields = fields_of(&args, detected);
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &Key::known(PROJECTS), move |document, _| {
                let projects = projects(document)?;
                if projects.contains_key(&name) {
                    let hint = "`project_update` changes it";
                    return Err(invalid(format!("there is a project `{name}` already; {hint}")));
                }
                projects.insert(name.clone(), Value::Object(fields.clone()));
                Ok(Outcome::Changed(shown(&name, fields.clone())))
            })
            .await
    }
}

#[async_trait]
impl Native for ProjectUpdate {
    type Args = UpdateArgs;
    type Output = Project;

    const FACE: Face = Face {
        name: "project_update",
        module: "project",
        description: "Changes what is known of a registered project",
        effect: Effect::Write,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: UpdateArgs) -> Result<Project, ToolError> {
        let mut given = given(&args);
        if !args.path.is_empty() {
            let detected = look_at(&self.0, context, &args.path).await?;
            given.insert("path".to_owned(), detected.path.into());
        }
        let name = args.name.clone();
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &Key::known(PROJECTS), move |document, _| {
                let projects = projects(document)?;
                let Some(project) = projects.get_mut(&name).and_then(Value::as_object_mut) else {
                    return Err(unknown(&name, projects));
                };
                project.extend(given.clone());
                Ok(Outcome::Changed(shown(&name, project.clone())))
            })
            .await
    }
}

#[async_trait]
impl Native for ProjectRemove {
    type Args = RemoveArgs;
    type Output = Removed;

    const FACE: Face = Face {
        name: "project_remove",
        module: "project",
        description: "Forgets a registered project; its folder stays",
        effect: Effect::Destructive,
        idempotent: true,
    };

    async fn call(&self, context: &CallContext, args: RemoveArgs) -> Result<Removed, ToolError> {
        if !args.confirm {
            let name = &args.name;
            return Err(invalid(format!(
                "what is known of `{name}` would be lost; say so with `confirm: true`"
            )));
        }
        let name = args.name.clone();
        let call = (Self::FACE.name, &args);
        self.0
            .change(context, call, &Key::known(PROJECTS), move |document, _| {
                let projects = projects(document)?;
                if projects.shift_remove(&name).is_none() {
                    return Err(unknown(&name, projects));
                }
                Ok(Outcome::Changed(Removed { name: name.clone() }))
            })
            .await
    }
}

/// The project that an argument names: a registered one, a folder, or without any the
/// repository around the call's folder. A name that is nowhere is still a name, and a registered
/// project that the caller may not look into is one whose folder is not known.
pub(super) async fn resolve(
    memory: &Memory,
    context: &CallContext,
    project: &str,
) -> Result<Resolved, ToolError> {
    let known = registered(memory, context).await?;
    if let Some((name, fields)) = known.iter().find(|(name, _)| name == project) {
        let folder = Some(PathBuf::from(path_of(fields))).filter(|folder| memory.opens(context, folder));
        return Ok(Resolved { name: name.clone(), folder });
    }
    let here = here(memory, context);
    let folder = match project {
        "" => here,
        path if path.contains('/') || path.starts_with('.') => context.resolve(Path::new(path)),
        name if word(&here) == name => here,
        name => return Ok(Resolved { name: checked_name(name)?, folder: None }),
    };
    let folder = folder.canonicalize().unwrap_or(folder);
    opened(memory, context, &folder)?;
    let named = known.iter().find(|(_, fields)| Path::new(path_of(fields)) == folder);
    let name = match named {
        Some((name, _)) => name.clone(),
        None => name_of(memory, context, (&known, &folder)).await?,
    };
    Ok(Resolved { name, folder: Some(folder) })
}

/// The repository around the call's folder, unless more of it would be seen than the caller may.
fn here(memory: &Memory, context: &CallContext) -> PathBuf {
    let root = root_of(&context.folder);
    if memory.opens(context, &root) { root } else { context.folder.clone() }
}

/// That the caller may look into a folder.
fn opened(memory: &Memory, context: &CallContext, folder: &Path) -> Result<(), ToolError> {
    if memory.opens(context, folder) && context.fence.lets(folder).is_ok() {
        return Ok(());
    }
    let folder = folder.display();
    let message = format!("`{folder}` is not there, or is not open to the tenant `{}`", context.tenant);
    Err(ToolError::new(ErrorKind::NotFound, message))
}

/// The project of a folder and the branch that is checked out in it: the registered project that
/// the folder is or lies in, else the repository around it. `document` holds the registered ones.
pub(crate) fn seen_in(folder: &Path, document: &Map<String, Value>) -> Surroundings {
    let known = document.get("projects").and_then(Value::as_object).into_iter().flatten();
    let of = |(name, fields): (&String, &Value)| {
        let path = PathBuf::from(fields["path"].as_str()?);
        folder.starts_with(&path).then(|| (path.components().count(), name.clone()))
    };
    let root = root_of(folder);
    let registered = known.filter_map(of).max().map(|(_, name)| name);
    Surroundings { project: registered.unwrap_or_else(|| word(&root)), branch: branch(&root) }
}

/// A registered project by its name.
type Registered = (String, Map<String, Value>);

/// The name of a folder that is not registered: its own, or when that means another
/// folder, the same with a mark.
async fn name_of(
    memory: &Memory,
    context: &CallContext,
    (registered, folder): (&[Registered], &Path),
) -> Result<String, ToolError> {
    let name = word(folder);
    let hash: String = digest(folder.as_os_str().as_encoded_bytes()).chars().take(8).collect();
    let marked = format!("{name}-{hash}");
    let is_registered = registered.iter().any(|(known, _)| *known == name);
    let (of, wanted, folder) = (name.clone(), marked.clone(), folder.to_owned());
    let is_other = memory.look(context, move |store, tenant| {
        for key in store.memory_keys(tenant, KNOWLEDGE)? {
            let project = key.rsplit('/').next().unwrap_or_default();
            if project == wanted {
                return Ok(true);
            }
            let document = if project == of { store.memory(tenant, &key)? } else { None };
            if document.is_some_and(|document| is_of_other(&document, &folder)) {
                return Ok(true);
            }
        }
        Ok(false)
    });
    Ok(if is_registered || is_other.await? { marked } else { name })
}

/// Whether knowledge is of another folder that is still there. One that is gone may have
/// become this one.
fn is_of_other(document: &Map<String, Value>, folder: &Path) -> bool {
    let path = document.get("metadata").and_then(|metadata| metadata["path"].as_str());
    path.map(Path::new).is_some_and(|path| path != folder && path.is_dir())
}

/// What can be seen in a folder.
pub(super) async fn look_at(
    memory: &Memory,
    context: &CallContext,
    path: &str,
) -> Result<Detected, ToolError> {
    let folder = context.resolve(Path::new(path));
    opened(memory, context, &folder)?;
    let fence = context.fence.clone();
    blocking(context, move |_| {
        let there = folder.canonicalize().ok().filter(|folder| folder.is_dir());
        let folder = there.ok_or_else(|| {
            ToolError::new(ErrorKind::NotFound, format!("there is no folder `{}`", folder.display()))
        })?;
        Ok(detect(&folder, &fence))
    })
    .await
}

/// The registered projects with their folders, which may not be there or not be open to the caller.
pub(super) async fn folders(
    memory: &Memory,
    context: &CallContext,
) -> Result<Vec<(String, PathBuf)>, ToolError> {
    let known = registered(memory, context).await?;
    Ok(known.into_iter().map(|(name, fields)| (name, PathBuf::from(path_of(&fields)))).collect())
}

/// The registered projects, by name.
async fn registered(
    memory: &Memory,
    context: &CallContext,
) -> Result<Vec<(String, Map<String, Value>)>, ToolError> {
    let mut document = memory.read(context, Key::known(PROJECTS)).await?;
    let projects = std::mem::take(projects(&mut document)?);
    let project = |(name, fields)| match fields {
        Value::Object(fields) => Some((name, fields)),
        _ => None,
    };
    Ok(projects.into_iter().filter_map(project).collect())
}

fn projects(document: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, ToolError> {
    let projects = document.entry("projects").or_insert_with(|| json!({}));
    projects.as_object_mut().ok_or_else(|| invalid(format!("`projects` in `{PROJECTS}` is no mapping")))
}

fn shown(name: &str, mut fields: Map<String, Value>) -> Project {
    let path = path_of(&fields).to_owned();
    fields.shift_remove("path");
    Project { name: name.to_owned(), path, more: fields }
}

fn path_of(fields: &Map<String, Value>) -> &str {
    fields.get("path").and_then(Value::as_str).unwrap_or_default()
}

/// What is to be kept of a new project: what is given, else what can be seen.
fn fields_of(args: &AddArgs, detected: Detected) -> Map<String, Value> {
    let mut fields = given(args);
    fields.insert("path".to_owned(), detected.path.clone().into());
    if args.auto_detect {
        let seen = [
            ("gitlab", Some(detected.gitlab)),
            ("lint_command", Some(detected.lint_command)),
            ("test_command", Some(detected.test_command)),
            // What the arguments have by default is not given.
            ("default_branch", (args.default_branch == main_branch()).then_some(detected.default_branch)),
        ];
        for (name, value) in seen.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            if !value.is_empty() && (name == "default_branch" || !fields.contains_key(name)) {
                fields.insert(name.to_owned(), value.into());
            }
        }
    }
    fields
}

/// What an argument says about the project, without what is empty.
fn given(args: &impl Serialize) -> Map<String, Value> {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(args) else { return Map::new() };
    fields.retain(|name, value| {
        !["name", "path", "auto_detect"].contains(&name.as_str()) && value.as_str() != Some("")
    });
    if let Some(Value::String(scopes)) = fields.get("scopes") {
        let scopes: Value = scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).collect();
        fields.insert("scopes".to_owned(), scopes);
    }
    fields
}

fn unknown(name: &str, projects: &Map<String, Value>) -> ToolError {
    let near = name::suggest(name, projects.keys().map(String::as_str));
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    ToolError::new(ErrorKind::NotFound, format!("there is no project `{name}`{hint}"))
}

/// A name that can be a word of a key.
fn checked_name(name: &str) -> Result<String, ToolError> {
    if name.contains('/') || Key::new(name).is_err() {
        return Err(invalid(format!(
            "`{name}` is no name of a project: use letters, digits, `_`, `-` and `.`"
        )));
    }
    Ok(name.to_owned())
}

/// The repository around a folder, or the folder itself.
fn root_of(folder: &Path) -> PathBuf {
    let root = folder.ancestors().find(|folder| folder.join(".git").exists());
    root.unwrap_or(folder).to_owned()
}

/// The name of a folder as a word of a key.
fn word(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let word: String = name.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    let word = word.trim_start_matches(['-', '.']).to_owned();
    if word.is_empty() { "project".to_owned() } else { word }
}
