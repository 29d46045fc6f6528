//! `cargo bench`: what `aa` costs, as ratios to physical floors measured in the same run.
//!
//! Prints a table and gates nothing. `benches/floor.c` is compiled on the spot; rounds of
//! `aa` and of the floor alternate, and the medians are compared, so that a busy machine
//! slows both sides. Pass a word to run only the rows that contain it.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints and may stop")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ROUNDS: usize = 7;

struct Bench {
    folder: tempfile::TempDir,
    /// A copy of the binary.
    aa: PathBuf,
    floor: PathBuf,
    filter: Option<String>,
}

/// Median wall time of a command and the peak memory of its process.
#[derive(Clone, Copy)]
struct Cost {
    ms: f64,
    peak_mib: f64,
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let bench = Bench::new(filter);
    println!("{:<44} {:>10} {:>10} {:>7} {:>9}", "what", "aa", "floor", "ratio", "peak");
    cold_start(&bench);
    sequential(&bench);
    fan_out_processes(&bench);
    fan_out_steps(&bench);
    check(&bench);
    compute(&bench);
    modules(&bench);
}

/// (a) One step, from process start to exit.
fn cold_start(bench: &Bench) {
    let skill = bench.skill("one", &step(0, "run_true", "[]"));
    bench.compare("cold start: one step spawning /bin/true", &skill, &["spawn", "1"]);
}

/// (b) Forty steps in a row, each a process and a durable record.
fn sequential(bench: &Bench) {
    let needs =
        |index: usize| index.checked_sub(1).map_or_else(|| "[]".to_owned(), |before| format!("[s{before}]"));
    let steps: String = (0..40).map(|index| step(index, "write_true", &needs(index))).collect();
    let skill = bench.skill("sequential", &steps);
    let journal = bench.path("floor.journal");
    bench.compare("40 sequential steps, durable", &skill, &["durable", "40", &journal]);
}

/// (c) Many processes, sixteen at a time.
fn fan_out_processes(bench: &Bench) {
    for count in [100, 400] {
        let skill = bench.skill(&format!("fan{count}"), &fan(count, "run_true"));
        let what = format!("fan-out of {count} × /bin/true, 16 at a time");
        bench.compare(&what, &skill, &["fan", &count.to_string(), "16"]);
    }
}

/// (c) Many steps that do nothing: the engine itself.
fn fan_out_steps(bench: &Bench) {
    for count in [100, 1_000, 5_000, 10_000] {
        let what = format!("fan-out of {count} no-op items, durable");
        if !bench.wanted(&what) {
            continue;
        }
        let skill = bench.skill(&format!("noop{count}"), &fan(count, "echo"));
        bench.forget_runs();
        let cost = bench.time(&["skill", "run", &skill, "--quiet"], ROUNDS);
        let bytes = bench.journal_bytes() / u64::try_from(ROUNDS + 1).unwrap();
        let steps = f64::from(count);
        println!(
            "{what:<44} {:>7.1} ms {:>10} {:>7} {:>5.1} MiB   {:.0} steps/s, {:.1} µs and {} B of journal a step",
            cost.ms,
            "",
            "",
            cost.peak_mib,
            steps / cost.ms * 1e3,
            cost.ms * 1e3 / steps,
            bytes / u64::from(count.unsigned_abs()),
        );
    }
}

/// (d) Sixty skills of six hundred lines.
fn check(bench: &Bench) {
    let what = "check of 60 skills of 600 lines";
    if !bench.wanted(what) {
        return;
    }
    let folder = bench.folder.path().join("many");
    fs::create_dir_all(&folder).unwrap();
    for index in 0..60 {
        let name = format!("big_{index}");
        fs::write(folder.join(format!("{name}.yaml")), big_skill(&name)).unwrap();
    }
    let cost = bench.time(&["skill", "check", folder.to_str().unwrap(), "--quiet"], ROUNDS);
    println!("{what:<44} {:>7.1} ms {:>10} {:>7} {:>5.1} MiB", cost.ms, "", "", cost.peak_mib);
}

/// (f) A thousand Python steps in one run, beside the same source in one `python3`.
fn compute(bench: &Bench) {
    const BLOCK: &str = "rows = [n * n for n in range(20) if n % 3 != 0]\nresult = {'sum': sum(rows), 'text': ', '.join(str(row) for row in rows)}";
    let block = BLOCK.replace('\n', "\n      ");
    let step = |index: usize| format!("  - name: s{index}\n    compute: |\n      {block}\n");
    let skill = bench.skill("blocks", &(0..1000).map(step).collect::<String>());
    let script =
        format!("block = {BLOCK:?}\nfor _ in range(1000):\n    names = {{}}\n    exec(block, names)\n");
    let path = bench.path("blocks.py");
    fs::write(&path, script).unwrap();
    let python = ["python3", &path].map(str::to_owned);
    bench.beside("1000 compute steps, durable; one `python3`", &skill, &python);
}

/// (g) A project with twenty modules of fifteen tools beside one with none.
fn modules(bench: &Bench) {
    let (many, none) = (bench.folder.path().join("wide"), bench.folder.path().join("none"));
    for folder in [&many, &none] {
        fs::create_dir_all(folder.join(".aa/tools")).unwrap();
        fs::write(folder.join("say.yaml"), SAY).unwrap();
    }
    for index in 0..20 {
        let name = format!("made_{index}");
        fs::write(many.join(format!(".aa/tools/{name}.yaml")), made_module(&name)).unwrap();
    }
    let rows: [(&str, &[&str]); 3] = [
        ("list of tools", &["tool", "list"]),
        ("check of a skill", &["skill", "check", "./say.yaml", "--quiet"]),
        ("run of a skill", &["skill", "run", "./say.yaml", "--quiet"]),
    ];
    for (what, command) in rows {
        let what = format!("{what}, 300 more tools; none more");
        if bench.wanted(&what) {
            let aa =
                [bench.aa.to_str().unwrap()].into_iter().chain(command.iter().copied()).collect::<Vec<_>>();
            bench.alternate(&what, (&aa, &many), (&aa, &none));
        }
    }
}

/// Fifteen tools with arguments, results and error rules, as modules have them.
fn made_module(name: &str) -> String {
    let mut text = format!(
        "module: {name}\ndescription: Things of the service {name}\nrequires: {{commands: [printf]}}\n\
         errors:\n  - {{match: \"no such thing\", kind: not_found, hint: give another}}\ntools:\n"
    );
    for index in 0..15 {
        write!(
            text,
            "  - name: {name}_{index}
    description: Thing number {index}, with all that belongs to it
    effect: read
    input:
      name: {{type: string, description: Which thing}}
      limit: {{type: integer, default: 10, minimum: 1, description: How many at most}}
      deep: {{type: boolean, default: false, description: Whether to look below}}
    output: {{type: array, items: {{type: object, properties: {{id: {{type: string}}, size: {{type: integer}}}}}}}}
    run: [printf, '%s\\t%s\\n', '{{{{ name }}}}', '{{{{ limit }}}}', {{if: deep, then: [deep]}}]
    result: {{lines: {{split: \"\\t\", fields: [id, size], types: {{size: integer}}}}}}
    examples:
      - description: One thing
        args: {{name: a}}
        recorded: {{run: [printf, '%s\\t%s\\n', a, '10'], stdout: \"a\\t10\\n\"}}
        expect: [{{id: a, size: 10}}]
"
        )
        .unwrap();
    }
    text
}

const SAY: &str = "name: say
description: A benchmark
steps:
  - {name: say, tool: echo, args: {value: hello}}
";

impl Bench {
    fn new(filter: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let floor = folder.path().join("floor");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/floor.c");
        let built = Command::new("cc").arg("-O2").arg("-o").arg(&floor).arg(source).status().unwrap();
        assert!(built.success(), "cc must compile benches/floor.c");
        // As an installed one is: pages of what a linker has just written lie in memory one by one.
        let aa = folder.path().join("aa");
        fs::copy(env!("CARGO_BIN_EXE_aa"), &aa).unwrap();
        let tools = folder.path().join(".aa/tools");
        fs::create_dir_all(&tools).unwrap();
        fs::write(tools.join("bench.yaml"), TOOLS).unwrap();
        Self { folder, aa, floor, filter }
    }

    fn wanted(&self, what: &str) -> bool {
        self.filter.as_ref().is_none_or(|word| what.contains(word.as_str()))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a skill and gives its path.
    fn skill(&self, name: &str, steps: &str) -> String {
        let path = self.path(&format!("{name}.yaml"));
        fs::write(&path, format!("name: {name}\ndescription: A benchmark\nsteps:\n{steps}")).unwrap();
        path
    }

    fn compare(&self, what: &str, skill: &str, floor: &[&str]) {
        let floor = [self.floor.to_str().unwrap()].into_iter().chain(floor.iter().copied());
        self.beside(what, skill, &floor.map(str::to_owned).collect::<Vec<_>>());
    }

    /// Runs a skill and another command in turn.
    fn beside(&self, what: &str, skill: &str, floor: &[String]) {
        if !self.wanted(what) {
            return;
        }
        let run = ["skill", "run", skill, "--quiet"];
        let aa = [self.aa.to_str().unwrap()].into_iter().chain(run).collect::<Vec<_>>();
        let floor: Vec<&str> = floor.iter().map(String::as_str).collect();
        self.alternate(what, (&aa, self.folder.path()), (&floor, self.folder.path()));
    }

    /// Runs two commands in turn, each in its folder.
    fn alternate(&self, what: &str, ours: (&[&str], &Path), floor: (&[&str], &Path)) {
        let measure = |(command, folder): (&[&str], &Path), times| self.measure_in(folder, command, times);
        measure(ours, 1);
        let (mut mine, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            mine.extend(measure(ours, 3));
            floors.extend(measure(floor, 3));
        }
        let (ours, floors) = (median(mine), median(floors));
        println!(
            "{what:<44} {:>7.2} ms {:>7.2} ms {:>6.2}× {:>5.1} MiB",
            ours.ms,
            floors.ms,
            ours.ms / floors.ms,
            ours.peak_mib
        );
    }

    fn time(&self, arguments: &[&str], times: usize) -> Cost {
        let command =
            [self.aa.to_str().unwrap()].into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>();
        self.measure(&command, 1);
        median(self.measure(&command, times))
    }

    fn measure(&self, command: &[&str], times: usize) -> Vec<Cost> {
        self.measure_in(self.folder.path(), command, times)
    }

    /// Runs a command `times` times under the floor program's clock.
    fn measure_in(&self, folder: &Path, command: &[&str], times: usize) -> Vec<Cost> {
        let output = Command::new(&self.floor)
            .arg("time")
            .arg(times.to_string())
            .args(command)
            .current_dir(folder)
            .env("AA_CONFIG_DIR", self.folder.path().join("config"))
            .env("AA_STATE_DIR", self.folder.path().join("state"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| cost(line, command)).collect()
    }

    fn forget_runs(&self) {
        let _ = fs::remove_dir_all(self.folder.path().join("state"));
    }

    /// Bytes of event bodies in the store.
    fn journal_bytes(&self) -> u64 {
        let store = rusqlite::Connection::open(self.folder.path().join("state/aa.db")).unwrap();
        let sum = "select coalesce(sum(length(cast(body as blob))), 0) from events";
        let bytes: i64 = store.query_row(sum, [], |row| row.get(0)).unwrap();
        bytes.unsigned_abs()
    }
}

/// Reads a line of `floor time`; a failed command makes its figures worthless.
fn cost(line: &str, command: &[&str]) -> Cost {
    let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    assert!(numbers[2] == 0.0, "`{}` ended with {}", command.join(" "), numbers[2]);
    Cost { ms: numbers[0] / 1e3, peak_mib: numbers[1] / 1024.0 }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    let peak_mib = costs.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max);
    Cost { ms: costs[costs.len() / 2].ms, peak_mib }
}

fn step(index: usize, tool: &str, needs: &str) -> String {
    format!("  - name: s{index}\n    tool: {tool}\n    needs: {needs}\n")
}

fn fan(count: i32, tool: &str) -> String {
    format!(
        "  - name: fan\n    tool: {tool}\n    foreach: \"{{{{ range({count}) }}}}\"\n    concurrency: 16\n"
    )
}

/// A skill of about 600 lines: a hundred steps of six lines that refer to each other.
fn big_skill(name: &str) -> String {
    let mut text = format!(
        "name: {name}\ndescription: A benchmark\ninputs:\n  - {{name: x, type: string, default: a}}\nsteps:\n"
    );
    for index in 0..100 {
        let before = if index == 0 { "inputs.x".to_owned() } else { format!("s{}.value", index - 1) };
        write!(
            text,
            "  - name: s{index}\n    description: Step {index}\n    tool: echo\n    condition: {before} != \"stop\"\n    args:\n      value: \"{{{{ {before} }}}} and more\"\n"
        )
        .unwrap();
    }
    text
}

const TOOLS: &str = "module: bench
description: Tools of the benchmarks
tools:
  - name: run_true
    description: Spawns /bin/true
    effect: read
    input: {}
    run: [/bin/true]
    result: text
  - name: write_true
    description: Spawns /bin/true as what changes something does
    effect: write
    input: {}
    run: [/bin/true]
    result: text
";
