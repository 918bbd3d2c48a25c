//! The scripts and the tutorial in `deploy/cloud-run/`, against a `gcloud` that knows the real one's flags and remembers what was
//! made; where the real one is installed, it looks over every command as well.
#![allow(clippy::unwrap_used)]

#[path = "cloud_run/cloud.rs"]
mod cloud;
#[path = "cloud_run/service.rs"]
mod service;
mod support;

use cloud::{Call, Cloud, PASSWORD, PROJECT, SCRIPTS};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Command};
use support::server::{At, Server};
use tempfile::TempDir;

fn blocks(tutorial: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(SCRIPTS).join(tutorial)).unwrap();
    text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The calls that change something, in any order; not those of a deployment, which has two ways.
fn changes(calls: Vec<Call>) -> BTreeSet<Call> {
    let deploys = |call: &Call| {
        ["run deploy", "builds submit", "run services"].iter().any(|words| call.line().starts_with(words))
    };
    calls.into_iter().filter(|call| !call.reads() && !deploys(call)).map(Call::sorted).collect()
}

/// What the server says of its settings.
fn help() -> String {
    String::from_utf8(Command::new(env!("CARGO_BIN_EXE_hubbub")).env_clear().arg("--help").output().unwrap().stdout)
        .unwrap()
}

const WAYS: [[(&str, &str); 2]; 4] = [
    [("STORE", "redis"), ("EGRESS", "direct")],
    [("STORE", "redis"), ("EGRESS", "connector")],
    [("STORE", "valkey"), ("EGRESS", "direct")],
    [("STORE", "valkey"), ("EGRESS", "connector")],
];

#[test]
fn the_tutorial_runs_the_commands_that_the_scripts_run_in_both_languages() {
    let commands = blocks("README.md");
    assert_eq!(commands, blocks("README.ko.md"));
    let by_hand = Cloud::empty();
    let ended = by_hand.bash(&commands.concat(), "");
    assert!(ended.success, "{}{}", ended.stdout, ended.stderr);
    let calls = by_hand.calls();
    assert!(calls.iter().any(|call| call.line().starts_with("run deploy hubbub --source . ")));
    let (alone, made): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.line().contains("monitoring "));
    assert_eq!(alone.len(), 3, "the uptime check and two alerts");
    assert_eq!(
        by_hand.there().len(),
        2 + 3,
        "all that it made is gone again but what watches it: {:?}",
        by_hand.there()
    );

    let by_script = Cloud::empty();
    by_script.succeeds("setup.sh");
    by_script.built();
    by_script.succeeds("deploy.sh");
    let ended = by_script.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "");
    assert!(ended.success, "{}", ended.stderr);
    let (by_hand, by_script) = (changes(made), changes(by_script.calls()));
    assert_eq!(by_hand.difference(&by_script).collect::<Vec<_>>(), Vec::<&Call>::new(), "only in the tutorial");
    assert_eq!(by_script.difference(&by_hand).collect::<Vec<_>>(), Vec::<&Call>::new(), "only in the scripts");
    assert!(by_hand.len() > 12);
}

#[test]
fn every_way_deploys_a_service_that_is_spelled_right_and_a_second_time_makes_nothing() {
    for way in WAYS {
        let cloud = Cloud::empty()
            .with(&way)
            .with(&[("PUBLIC_URL", if way[0].1 == "redis" { "" } else { "https://chat.example" })]);
        cloud.succeeds("setup.sh");
        cloud.built();
        let said = cloud.succeeds("deploy.sh").stdout;
        let address =
            if way[0].1 == "redis" { "https://hubbub-123456.europe-west1.run.app" } else { "https://chat.example" };
        assert_eq!(said.lines().last(), Some(address), "{way:?}");
        service::check(cloud.state()["service"].as_str().unwrap(), way);
        let first = cloud.calls();
        for call in &first {
            assert_eq!(call.flag("project"), Some(PROJECT), "{call:?}");
            assert!(
                call.flag("region").or(call.flag("location")).is_none_or(|region| region == "europe-west1"),
                "{call:?}"
            );
            assert!(!call.line().contains(PASSWORD), "everybody on the machine can read that: {call:?}");
        }
        let url = cloud.state()["secrets"]["hubbub-redis-url"].as_str().unwrap().trim_end().to_owned();
        let is = if way[0].1 == "redis" {
            format!("rediss://:{PASSWORD}@10.1.2.3:6378")
        } else {
            "redis://10.1.2.4:6379".to_owned()
        };
        assert_eq!(url, is);

        cloud.succeeds("setup.sh");
        cloud.succeeds("deploy.sh");
        cloud.succeeds("status.sh");
        let made = |call: &Call| ["create", "add"].iter().any(|verb| call.argv.iter().any(|word| word == verb));
        assert_eq!(cloud.calls().into_iter().filter(made).collect::<Vec<_>>(), vec![], "{way:?}");
        // Another password, as after the store was made anew.
        if way[0].1 == "redis" {
            cloud.say("redis instances get-auth-string", "another");
            cloud.succeeds("setup.sh");
            let added: Vec<_> = cloud.calls().into_iter().filter(made).map(|call| call.stdin).collect();
            assert_eq!(added, [Some("rediss://:another@10.1.2.3:6378\n".to_owned())]);
        }
    }
}

#[test]
fn a_step_that_finds_nothing_stops_before_it_does_harm() {
    let made = |cloud: &Cloud, words: &str| cloud.calls().iter().any(|call| call.line().starts_with(words));
    let address = "redis instances describe hubbub --region=europe-west1 --format=value[separator=\":\"](host,port)";
    for (words, says) in [
        (address, "names no address of Redis"),
        ("redis instances get-auth-string", "names no password of Redis"),
        ("projects describe", "names no number of the project"),
    ] {
        let cloud = Cloud::empty();
        cloud.say(words, "");
        cloud.stops("setup.sh", says);
        assert!(!made(&cloud, "secrets create"), "{words}");
    }
    let cloud = Cloud::empty();
    cloud.say("redis instances describe hubbub --region=europe-west1 --format=value(state)", "CREATING");
    cloud.stops("setup.sh", "Redis is not ready but CREATING");
    assert!(!made(&cloud, "secrets create"));

    let cloud = Cloud::empty();
    cloud.stops("deploy.sh", "secretmanager.googleapis.com");
    assert!(!made(&cloud, "builds submit"));
    cloud.succeeds("setup.sh");
    let mut state = cloud.state();
    state["there"].as_array_mut().unwrap().retain(|thing| thing != "secrets hubbub-redis-url");
    cloud.set_state(&state);
    cloud.stops("deploy.sh", "run setup.sh first");
    assert!(!made(&cloud, "builds submit"));

    let cloud = Cloud::empty();
    cloud.succeeds("setup.sh");
    cloud.built();
    cloud.say("artifacts docker images describe", "");
    cloud.stops("deploy.sh", "names no digest of the image");
    assert!(!made(&cloud, "run services replace"));

    let cloud = Cloud::empty().with(&[("SUBNET", "nowhere")]);
    cloud.stops("setup.sh", "There is no subnet nowhere in europe-west1");
    assert!(!made(&cloud, "artifacts repositories create"));
}

#[test]
fn what_cannot_be_found_out_is_not_taken_for_not_there() {
    for message in [
        "API [redis.googleapis.com] not enabled on project [some-project].",
        "PERMISSION_DENIED: Permission 'redis.instances.get' denied",
        "There was a problem refreshing your current auth tokens",
    ] {
        let cloud = Cloud::empty();
        cloud.fail("redis instances describe", Some(message));
        cloud.stops("setup.sh", message);
        assert!(!cloud.there().contains("redis instances hubbub"));
        // The rest is there, and goes on where it stopped.
        cloud.fail("redis instances describe", None);
        cloud.succeeds("setup.sh");
    }
    let cloud = Cloud::empty().with(&[("PROJECT", "another-project")]);
    cloud.stops("setup.sh", "no project another-project");
}

#[test]
fn taking_everything_away_asks_first_keeps_the_store_and_can_be_gone_on_with() {
    let cloud = Cloud::empty();
    cloud.succeeds("setup.sh");
    cloud.built();
    cloud.succeeds("deploy.sh");
    let everything = cloud.there();
    // Enter is no yes, nor is "yes".
    for typed in ["", "\n\n\n\n\n\n", "yes\nyes\nyes\nyes\nyes\nyes\n"] {
        assert!(cloud.bash("deploy/cloud-run/teardown.sh --with-data", typed).success);
        assert_eq!(cloud.there(), everything);
    }
    assert!(cloud.bash("deploy/cloud-run/teardown.sh", "hubbub\n\n\n\n\n").success);
    assert_eq!(everything.difference(&cloud.there()).collect::<Vec<_>>(), ["run services hubbub"]);
    // Half done, as the network went away.
    cloud.fail("iam service-accounts delete", Some("Could not reach the server"));
    assert!(!cloud.bash("YES=1 deploy/cloud-run/teardown.sh", "").success);
    cloud.fail("iam service-accounts delete", None);
    let ended = cloud.bash("YES=1 deploy/cloud-run/teardown.sh", "");
    assert!(ended.success && ended.stderr.contains("kept the store"), "{}", ended.stderr);
    let left: Vec<_> =
        cloud.there().into_iter().filter(|thing| thing.contains("hubbub") && !thing.contains("images")).collect();
    assert_eq!(left, ["redis instances hubbub"]);
    assert!(cloud.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "").success);
    assert!(!cloud.there().contains("redis instances hubbub"));
    assert!(cloud.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "").success, "nothing is left, which is fine");

    for way in WAYS {
        let cloud = Cloud::empty().with(&way);
        let before = cloud.there();
        cloud.succeeds("setup.sh");
        let ended = cloud.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "");
        assert!(ended.success, "{}", ended.stderr);
        assert_eq!(cloud.there(), before, "{way:?}");
    }
}

#[test]
fn a_dry_run_prints_every_command_and_runs_none() {
    for way in WAYS {
        let cloud = Cloud::empty().with(&way);
        let dry: String = ["setup.sh", "deploy.sh", "status.sh", "teardown.sh --with-data"]
            .iter()
            .map(|script| {
                let ended = cloud.bash(&format!("DRY_RUN=1 deploy/cloud-run/{script}"), "");
                assert!(ended.success, "{script}: {}", ended.stderr);
                ended.stdout
            })
            .collect();
        assert_eq!(cloud.calls(), vec![]);
        cloud.succeeds("setup.sh");
        cloud.built();
        cloud.succeeds("deploy.sh");
        cloud.succeeds("status.sh");
        assert!(cloud.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "").success);
        for call in cloud.calls() {
            // What only a value that was found tells, or only a file's name of that moment.
            let words: Vec<_> = call
                .argv
                .iter()
                .take_while(|word| !word.starts_with("--") && !word.starts_with('/') && !word.contains(' '))
                .collect();
            let words = words.into_iter().take(4).cloned().collect::<Vec<_>>().join(" ");
            assert!(dry.contains(&format!("gcloud {words}")), "{words} is not in\n{dry}");
        }
    }
}

#[test]
fn wrong_settings_are_told_in_one_line_before_anything_is_done() {
    for (name, value, says) in [
        ("PROJECT", "", "PROJECT is not set"),
        ("PROJECT", "My Project", "is no project id"),
        ("REGION", "europe", "is no region"),
        ("SERVICE", "Hubbub!", "lower case letters"),
        ("STORE", "sqlite", "redis or valkey"),
        ("EGRESS", "none", "direct or connector"),
        ("MIN", "some", "is no number"),
        ("MIN", "11", "no more than MAX"),
        ("MAX", "0", "at least 1"),
        ("SIZE_GB", "0", "at least 1"),
        ("PUBLIC_URL", "chat.example", "no address such as"),
        ("PUBLIC_URL", "https://chat.example/", "no address such as"),
    ] {
        let cloud = Cloud::empty().with(&[(name, value)]);
        for script in ["setup.sh", "deploy.sh", "status.sh", "teardown.sh", "try.sh"] {
            let ended = cloud.run(script);
            assert!(
                !ended.success && ended.stderr.contains(says) && ended.stderr.lines().count() == 1,
                "{name}={value}: {}",
                ended.stderr
            );
        }
        assert_eq!(cloud.calls(), vec![]);
    }
    let cloud = Cloud::empty();
    cloud.stops("teardown.sh --all", "usage: teardown.sh");
}

#[test]
fn settings_come_from_the_file_unless_the_environment_has_them() {
    let mut cloud = Cloud::empty().with(&[("SERVICE", "talk")]);
    cloud.settings.remove("PROJECT");
    let example = fs::read_to_string(cloud.path("deploy/cloud-run/env.example")).unwrap();
    let env = example
        .replace("PROJECT=\n", "PROJECT=some-project\n")
        .replace("REGION=europe-west1", "REGION=asia-northeast3");
    fs::write(cloud.path("deploy/cloud-run/env"), env).unwrap();
    let ended = cloud.bash("DRY_RUN=1 deploy/cloud-run/setup.sh", "");
    assert!(
        ended.success && ended.stdout.contains("redis instances create talk --region=asia-northeast3"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deployed_is_tried_as_people_use_it() {
    let server = Server::embedded(&[]).await;
    let cloud = Cloud::empty();
    let (address, closed) = (server.url(""), "http://127.0.0.1:9");
    let ended = tokio::task::block_in_place(|| cloud.run(&format!("try.sh {address}")));
    assert!(ended.success && ended.stdout.trim() == address, "{}", ended.stderr);
    tokio::task::block_in_place(|| cloud.stops(&format!("try.sh {closed}"), "does not answer"));
}

/// Its own check of command lines, which needs neither an account nor the network.
#[test]
fn the_real_gcloud_takes_every_command_where_it_is_installed() {
    if !Command::new("gcloud").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("there is no gcloud here: only what tests/cloud_run/flags.tsv knows of it was checked");
        return;
    }
    let mut lines = BTreeSet::new();
    for way in WAYS {
        let cloud = Cloud::empty().with(&way);
        cloud.succeeds("setup.sh");
        cloud.built();
        for script in ["deploy.sh", "status.sh"] {
            cloud.succeeds(script);
        }
        assert!(cloud.bash("YES=1 deploy/cloud-run/teardown.sh --with-data", "").success);
        lines.extend(cloud.calls());
    }
    let tutorial = Cloud::empty();
    assert!(tutorial.bash(&blocks("README.md").concat(), "").success);
    lines.extend(tutorial.calls());
    let config = TempDir::new().unwrap();
    let mut checked = BTreeSet::new();
    for call in lines {
        // A command's flags are checked once for each set of them, not for each value that was found.
        let names: Vec<_> = call
            .argv
            .iter()
            .map(|word| word.split_once('=').filter(|_| word.starts_with("--")).map_or(word.as_str(), |(name, _)| name))
            .collect();
        if !checked.insert(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()) {
            continue;
        }
        // Its own reading of a line takes quotes only where they are needed.
        let is_plain = |word: &str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-_=./:@,#".contains(c));
        let quote =
            |word: &String| if is_plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', "'\\''")) };
        let quoted: Vec<_> = call.argv.iter().map(quote).collect();
        let output = Command::new("gcloud")
            .args(["meta", "lint-gcloud-commands", &format!("--command-string=gcloud {}", quoted.join(" "))])
            .env("CLOUDSDK_CONFIG", config.path())
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(answer[0]["success"], true, "{}: {}", call.line(), answer[0]["error_message"]);
    }
    assert!(checked.len() > 30);
}
