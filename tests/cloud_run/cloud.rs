//! A project of Google Cloud in a folder, with a copy of the scripts and a `gcloud` that remembers what was made.

use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud_run");
pub const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/cloud-run");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
pub const PASSWORD: &str = "correct-horse-battery-staple";
pub const PROJECT: &str = "some-project";

/// One call of gcloud.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Call {
    pub argv: Vec<String>,
    #[serde(default)]
    pub stdin: Option<String>,
}

impl Call {
    pub fn line(&self) -> String {
        self.argv.join(" ")
    }

    pub fn flag(&self, name: &str) -> Option<&str> {
        self.argv.iter().find_map(|word| word.strip_prefix(&format!("--{name}=")))
    }

    /// Whether it only looks.
    pub fn reads(&self) -> bool {
        ["describe", "list", "access", "read", "get-auth-string"]
            .iter()
            .any(|verb| self.argv.iter().any(|word| word == verb))
    }

    /// The same, whatever the order of its flags.
    pub fn sorted(mut self) -> Self {
        self.argv.sort();
        self
    }
}

pub struct Ended {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// A project, with a copy of the scripts.
pub struct Cloud {
    pub dir: TempDir,
    pub settings: BTreeMap<String, String>,
}

impl Cloud {
    /// With nothing in it but the network that every project has.
    pub fn empty() -> Self {
        let dir = TempDir::new().unwrap();
        let copy = |from: &str, to: &str| {
            let to = dir.path().join(to);
            fs::create_dir_all(&to).unwrap();
            let copied = Command::new("cp").args(["-r", &format!("{from}/."), to.to_str().unwrap()]).status().unwrap();
            assert!(copied.success());
        };
        copy(SCRIPTS, "deploy/cloud-run");
        copy(EXAMPLES, "examples");
        let _ = fs::remove_file(dir.path().join("deploy/cloud-run/env"));
        fs::create_dir(dir.path().join("bin")).unwrap();
        for name in ["gcloud", "flags.tsv"] {
            fs::copy(Path::new(HERE).join(name), dir.path().join("bin").join(name)).unwrap();
        }
        let cloud = Self { dir, settings: [("PROJECT".to_owned(), PROJECT.to_owned())].into() };
        cloud.set_state(&json!({
            "project": PROJECT, "apis": [], "secrets": {}, "fail": {},
            "there": ["compute networks subnets default", format!("projects {PROJECT}")],
            "say": {
                "projects describe": "123456",
                "redis instances describe hubbub --region=europe-west1 --format=value(state)": "READY",
                "redis instances describe hubbub --region=europe-west1 --format=value[separator=\":\"](host,port)": "10.1.2.3:6378",
                "redis instances describe hubbub --region=europe-west1 --format=value(serverCaCerts[].cert)": "-----BEGIN CERTIFICATE-----",
                "redis instances get-auth-string": PASSWORD,
                "memorystore instances describe hubbub --location=europe-west1 --format=value(state)": "ACTIVE",
                "memorystore instances describe hubbub --location=europe-west1 --format=value(endpoints": "10.1.2.4",
                "run services describe hubbub --region=europe-west1 --format=value(status.url)": "https://hubbub-123456.europe-west1.run.app",
            }
        }));
        cloud
    }

    pub fn with(mut self, settings: &[(&str, &str)]) -> Self {
        self.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn state(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path("state.json")).unwrap()).unwrap()
    }

    pub fn set_state(&self, state: &Value) {
        fs::write(self.path("state.json"), state.to_string()).unwrap();
    }

    pub fn say(&self, words: &str, answer: &str) {
        let mut state = self.state();
        state["say"][words] = answer.into();
        self.set_state(&state);
    }

    pub fn fail(&self, words: &str, message: Option<&str>) {
        let mut state = self.state();
        match message {
            Some(message) => state["fail"][words] = message.into(),
            None => drop(state["fail"].as_object_mut().unwrap().remove(words)),
        }
        self.set_state(&state);
    }

    /// As if an image had been built.
    pub fn built(&self) {
        let mut state = self.state();
        let image = "artifacts docker images europe-west1-docker.pkg.dev/some-project/hubbub/hubbub:unknown";
        state["there"].as_array_mut().unwrap().push(image.into());
        state["say"]["artifacts docker images describe"] = "sha256:0123".into();
        self.set_state(&state);
    }

    pub fn there(&self) -> BTreeSet<String> {
        serde_json::from_value(self.state()["there"].clone()).unwrap()
    }

    pub fn bash(&self, script: &str, typed: &str) -> Ended {
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        let mut child = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.dir.path())
            .env_clear()
            .envs([("PATH", path.as_str()), ("HOME", self.dir.path().to_str().unwrap())])
            // What is above is no checkout of anything.
            .env("GIT_CEILING_DIRECTORIES", self.dir.path().parent().unwrap())
            .envs(&self.settings)
            .envs([("GCLOUD_STATE", self.path("state.json")), ("GCLOUD_LOG", self.path("log.jsonl"))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A script that ends without having read it is no fault of anybody's.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { success: output.status.success(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn run(&self, script: &str) -> Ended {
        self.bash(&format!("deploy/cloud-run/{script}"), "")
    }

    pub fn succeeds(&self, script: &str) -> Ended {
        let ended = self.run(script);
        assert!(ended.success, "{script}: {}{}", ended.stdout, ended.stderr);
        ended
    }

    /// It stops with a message that has these words.
    pub fn stops(&self, script: &str, words: &str) {
        let ended = self.run(script);
        assert!(!ended.success && ended.stderr.contains(words), "{script}: {}{}", ended.stdout, ended.stderr);
    }

    /// What gcloud was called with since the last time.
    pub fn calls(&self) -> Vec<Call> {
        let log = self.path("log.jsonl");
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
