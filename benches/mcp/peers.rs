//! Who is measured, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A project with a skill of one step.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

/// A server of the trivial tool.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Program and arguments before `stdio` or `http PORT`; none for `aa`.
    start: Vec<PathBuf>,
}

const SKILL: &str = "name: one_step
description: Starts a process
steps: [{name: it, tool: run_true}]
";

/// The one tool that the others serve as well.
const PERSONA: &str = "name: bench
description: One tool
tools: [echo]
skills: []
";

const TOOLS: &str = "module: bench
description: Tools of the benchmarks
requires: {commands: [/bin/true]}
tools:
  - name: run_true
    description: Spawns /bin/true
    effect: read
    input: {}
    run: [/bin/true]
    result: text
";

impl Project {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (".aa/skills/one_step.yaml", SKILL),
            (".aa/tools/bench.yaml", TOOLS),
            (".aa/personas/bench.yaml", PERSONA),
        ];
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    /// A call of `aa` in it.
    pub(crate) fn aa(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aa"));
        let folder = self.folder.path();
        command.args(args).current_dir(folder);
        command.env("AA_CONFIG_DIR", folder.join("config")).env("AA_STATE_DIR", folder.join("state"));
        // A bench asks more than any client may.
        command.env("AA_SERVE_LIMITS_RATE", "10000000");
        command
    }

    /// The key of this machine, once the server has made it.
    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("state/serve.token"))
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}

impl Peer {
    /// Everybody who is there.
    pub(crate) fn all() -> Vec<Self> {
        let tools = Path::new(env!("CARGO_BIN_EXE_aa")).ancestors().nth(2).unwrap().join("tools");
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/mcp/servers");
        let (python, node) =
            (tools.join("clients-python/bin/python"), tools.join("clients-npm/node_modules/node/bin/node"));
        let all = [
            ("floor", vec![]),
            ("aa", vec![]),
            ("TypeScript SDK", vec![node, servers.join("typescript.mjs"), tools.join("clients-npm")]),
            ("Python SDK", vec![python.clone(), servers.join("python.py")]),
            ("FastMCP", vec![python, servers.join("fast.py")]),
        ];
        let there = |peer: &Self| {
            let there = peer.start.iter().all(|path| path.exists());
            if !there {
                println!("{} is not there; `tests/servers/install` installs it", peer.name);
            }
            there
        };
        all.into_iter().map(|(name, start)| Self { name, start }).filter(there).collect()
    }

    pub(crate) fn wanted(&self, filter: Option<&str>) -> bool {
        filter.is_none_or(|word| self.name.to_lowercase().contains(&word.to_lowercase()))
    }

    pub(crate) fn on_stdio(&self, project: &Project) -> Command {
        self.command(project, &["floor-stdio"], &["mcp", "--persona", "bench"], &["stdio"])
    }

    pub(crate) fn on_http(&self, project: &Project, port: u16) -> Command {
        let (address, port) = (format!("127.0.0.1:{port}"), port.to_string());
        let aa = ["serve", "--quiet", "--persona", "bench", "--listen", &address];
        self.command(project, &["floor-http", &port], &aa, &["http", &port])
    }

    fn command(&self, project: &Project, floor: &[&str], aa: &[&str], other: &[&str]) -> Command {
        let mut command = match self.name {
            "floor" => Command::new(std::env::current_exe().unwrap()),
            "aa" => return project.aa(aa),
            _ => Command::new(&self.start[0]),
        };
        command.args(self.start.iter().skip(1)).args(if self.name == "floor" { floor } else { other });
        command
    }
}
