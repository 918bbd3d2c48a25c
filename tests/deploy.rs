//! The files in `deploy/` that no other test starts something with: they can be read, name settings that exist, and say what they have to.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path, process::Command};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The variables of the server's settings.
fn settings() -> BTreeSet<String> {
    hubbub::config::Config::variables().collect()
}

/// Names that begin as our variables do.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("HUBBUB_") && word.len() > 7).map(str::to_owned).collect()
}

#[test]
fn every_setting_that_a_deployment_names_exists() {
    let mut settings = settings();
    // Of the image's build.
    settings.extend(["HUBBUB_COMMIT", "HUBBUB_TOOLS"].map(str::to_owned));
    for file in [
        "Dockerfile",
        "deploy/compose.valkey.yaml",
        "deploy/compose.yaml",
        "deploy/redis.conf",
        "deploy/cloud-run/README.md",
        "deploy/cloud-run/README.ko.md",
        "deploy/cloud-run/cloudbuild.yaml",
        "deploy/cloud-run/service.yaml",
        "deploy/kubernetes/deployment.yaml",
        "deploy/kubernetes/kustomization.yaml",
        "deploy/monitoring/alerts.yaml",
        "deploy/proxy/Caddyfile",
        "deploy/proxy/haproxy.cfg",
        "deploy/proxy/nginx.conf",
        "deploy/systemd/hubbub.service",
        "docs/operations.md",
    ] {
        let unknown: Vec<_> = variables(&read(file)).into_iter().filter(|name| !settings.contains(name)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "{file}");
    }
}

/// Those that Docker's classic builder has, without `BuildKit`.
#[test]
fn the_image_is_built_from_what_is_let_in_by_the_classic_builder() {
    let dockerfile = read("Dockerfile");
    let joined = dockerfile.replace("\\\n", " ");
    let let_in = |file: &str| -> BTreeSet<String> {
        read(file)
            .lines()
            .filter_map(|line| line.strip_prefix('!'))
            .map(|name| name.trim_start_matches('/').to_owned())
            .collect()
    };
    let (docker, gcloud) = (let_in(".dockerignore"), let_in(".gcloudignore"));
    assert_eq!(gcloud.difference(&docker).collect::<Vec<_>>(), ["Dockerfile"]);
    assert_eq!(docker.difference(&gcloud).count(), 0);
    for name in &docker {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists(), "{name}");
    }
    let mut members = BTreeSet::new();
    for line in joined.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        assert!(!rest.contains("--mount") && !rest.contains("<<"), "{line}");
        let known = [
            "FROM",
            "WORKDIR",
            "ENV",
            "COPY",
            "RUN",
            "ARG",
            "LABEL",
            "USER",
            "EXPOSE",
            "STOPSIGNAL",
            "HEALTHCHECK",
            "ENTRYPOINT",
        ];
        assert!(known.contains(&instruction), "{line}");
        if instruction == "COPY" && !rest.contains("--from") {
            let sources: Vec<_> = rest.split_whitespace().collect();
            for source in &sources[..sources.len() - 1] {
                let top = source.split('/').next().unwrap();
                assert!(*source == "." || docker.contains(top), "{source} is not let in");
                members.extend(source.strip_suffix("/Cargo.toml").map(str::to_owned));
            }
        }
    }
    let of_workspace: BTreeSet<_> = ["app", "bench", "frontend"]
        .into_iter()
        .map(str::to_owned)
        .chain(
            std::fs::read_dir("crates")
                .unwrap()
                .map(|found| format!("crates/{}", found.unwrap().file_name().to_string_lossy())),
        )
        .collect();
    assert_eq!(members, of_workspace, "the manifest of each crate is in the layer of dependencies");
    assert!(joined.contains("USER 10001") && joined.contains("\"/opt/hubbub/hubbub\", \"healthcheck\""));
}

/// What gcloud takes along, by its own word where it is installed: all that is tracked of what is let in, and nothing else.
#[test]
fn gcloud_uploads_what_the_image_is_built_from() {
    let config = tempfile::TempDir::new().unwrap();
    let mut gcloud = Command::new("gcloud");
    gcloud.args(["meta", "list-files-for-upload"]).env("CLOUDSDK_CONFIG", config.path());
    let Ok(output) = gcloud.output() else {
        println!("there is no gcloud here: what it uploads was not looked at");
        return;
    };
    let lines = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = read(".gcloudignore");
    let let_in = read.lines().filter_map(|line| line.strip_prefix("!/"));
    let tracked = Command::new("git").args(["ls-files", "--"]).args(let_in).output().unwrap();
    if tracked.status.success() {
        let (uploaded, tracked) = (lines(output.stdout), lines(tracked.stdout));
        assert_eq!(tracked.difference(&uploaded).collect::<Vec<_>>(), Vec::<&String>::new(), "left behind");
        assert!(uploaded.len() < tracked.len() + 20, "{uploaded:?}");
    }
}

#[test]
fn kubernetes_gets_what_a_rolling_restart_needs() {
    let kustomization = yaml("deploy/kubernetes/kustomization.yaml");
    let resources: BTreeSet<_> =
        kustomization["resources"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    for name in &resources {
        let resource = yaml(&format!("deploy/kubernetes/{name}"));
        assert!(
            resource["apiVersion"].is_string()
                && resource["kind"].is_string()
                && resource["metadata"]["name"] == "hubbub",
            "{name}"
        );
    }
    let there: BTreeSet<_> = std::fs::read_dir("deploy/kubernetes")
        .unwrap()
        .map(|found| found.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there.difference(&resources).collect::<Vec<_>>(), ["kustomization.yaml"]);

    let deployment = yaml("deploy/kubernetes/deployment.yaml");
    assert_eq!(deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let pod = &deployment["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    for (probe, path) in
        [("startupProbe", "/health/serve"), ("readinessProbe", "/health/serve"), ("livenessProbe", "/health/live")]
    {
        assert_eq!(container[probe]["httpGet"]["path"], path, "{probe}");
    }
    let before_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > before_stop + 10);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsUser"], 10_001, "as the image is made");
    if let Ok(output) = Command::new("kubectl").args(["kustomize", "deploy/kubernetes"]).output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    } else {
        println!("there is no kubectl here: its kustomize did not look at it");
    }
}

/// The files that a service of compose gets from here, and the volumes.
fn mounts(service: &Value) -> Vec<&str> {
    let volumes = service["volumes"].as_array().into_iter().flatten();
    volumes.map(|volume| volume.as_str().unwrap().split(':').next().unwrap()).collect()
}

#[test]
fn compose_keeps_what_it_starts_within_bounds() {
    let compose = yaml("deploy/compose.yaml");
    for (name, service) in compose["services"].as_object().unwrap() {
        assert!(service["mem_limit"].is_string(), "{name} has a limit");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        let logs = &service["logging"]["options"];
        assert!(logs["max-size"].is_string() && logs["max-file"].is_string(), "{name}: its log grows for ever");
        let health = &service["healthcheck"];
        assert!(health["interval"].is_string() && health["timeout"].is_string(), "{name}");
        assert!(health["test"][0].as_str().is_some_and(|kind| kind.starts_with("CMD")), "{name} is asked how it is");
        for file in mounts(service).into_iter().filter_map(|from| from.strip_prefix("./")) {
            assert!(Path::new("deploy").join(file).is_file(), "{name}: {file}");
        }
    }
}

#[test]
fn compose_sends_people_to_instances_that_serve() {
    let (compose, nginx) = (yaml("deploy/compose.yaml"), read("deploy/proxy/nginx.conf"));
    let services = compose["services"].as_object().unwrap();
    let is_instance = |service: &Value| service["image"] == "hubbub";
    let instances: BTreeSet<_> =
        services.iter().filter(|(_, service)| is_instance(service)).map(|(name, _)| name.as_str()).collect();
    assert!(instances.len() > 1, "{instances:?}");
    let balanced = nginx.lines().filter_map(|line| line.trim().strip_prefix("server hubbub")?.split(':').next());
    assert_eq!(balanced.map(|rest| format!("hubbub{rest}")).collect::<BTreeSet<_>>(), owned(&instances));

    let waits_for = services["balancer"]["depends_on"].as_object().unwrap();
    assert_eq!(waits_for.keys().cloned().collect::<BTreeSet<_>>(), owned(&instances));
    for name in &instances {
        assert_eq!(waits_for[*name]["condition"], "service_healthy");
        assert_eq!(services[*name]["healthcheck"]["test"], json!(["CMD", "/opt/hubbub/hubbub", "healthcheck"]));
        assert_eq!(services[*name]["depends_on"]["redis"]["condition"], "service_healthy");
    }
    // What nginx is asked is there, and is none of the instances' business.
    let asked = services["balancer"]["healthcheck"]["test"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let path = asked.strip_prefix("http://127.0.0.1:8080").unwrap();
    assert!(nginx.contains("listen 8080;") && nginx.contains(&format!("location = {path} {{")), "{asked}");
}

fn owned(names: &BTreeSet<&str>) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// As its file says, it takes the place of Redis and nothing else: what bounds that holds for it, too.
#[test]
fn compose_runs_valkey_within_the_bounds_of_redis() {
    let (compose, valkey) = (yaml("deploy/compose.yaml"), yaml("deploy/compose.valkey.yaml"));
    assert_eq!(valkey["services"].as_object().unwrap().keys().collect::<Vec<_>>(), ["redis"]);
    let (redis, instead) = (&compose["services"]["redis"], &valkey["services"]["redis"]);
    let changed: BTreeSet<_> = instead.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(changed, BTreeSet::from(["environment", "image", "user", "volumes"]));
    for (service, store) in [(redis, "redis"), (instead, "valkey")] {
        assert!(service["image"].as_str().unwrap().contains(&format!("{store}:")), "{store}");
        assert_eq!(service["user"], store);
        assert_eq!(service["environment"]["STORE"], store);
    }
    for command in [&redis["command"][2], &redis["healthcheck"]["test"][1]] {
        let command = command.as_str().unwrap();
        assert!(command.contains("$$STORE-") && !command.contains("redis-server") && !command.contains("redis-cli"));
    }
    // Neither reads all that the other wrote.
    let volumes = mounts(instead);
    assert!(volumes.iter().all(|volume| valkey["volumes"].as_object().unwrap().contains_key(*volume)));
    assert!(volumes.iter().all(|volume| !mounts(redis).contains(volume)), "{volumes:?}");
    let conf = read("deploy/redis.conf");
    for line in ["appendonly yes", "appendfsync always", "user default off ~* &* +@all"] {
        assert!(conf.lines().any(|has| has == line), "{line}");
    }
}
