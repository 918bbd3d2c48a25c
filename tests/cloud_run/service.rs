//! A service of Cloud Run as its YAML reference has it: only fields that exist, as far as they are used here, and annotations
//! from a list, since those are free strings to everybody but Cloud Run.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Of the service, then of its revisions (cloud.google.com/run/docs/reference/yaml/v1).
const ANNOTATIONS: [&[&str]; 2] = [
    &["run.googleapis.com/ingress", "run.googleapis.com/minScale"],
    &[
        "autoscaling.knative.dev/maxScale",
        "run.googleapis.com/cpu-throttling",
        "run.googleapis.com/network-interfaces",
        "run.googleapis.com/sessionAffinity",
        "run.googleapis.com/startup-cpu-boost",
        "run.googleapis.com/vpc-access-connector",
        "run.googleapis.com/vpc-access-egress",
    ],
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Service {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(default)]
    name: String,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    template: Template,
    traffic: Vec<Traffic>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    metadata: Metadata,
    spec: Revision,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Traffic {
    latest_revision: bool,
    percent: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Revision {
    service_account_name: String,
    container_concurrency: u16,
    timeout_seconds: u16,
    containers: Vec<Container>,
    #[serde(default)]
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Container {
    image: String,
    ports: Vec<Port>,
    env: Vec<Env>,
    resources: Resources,
    startup_probe: Probe,
    liveness_probe: Probe,
    #[serde(default)]
    volume_mounts: Vec<Mount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Port {
    name: String,
    container_port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Env {
    name: String,
    value: Option<String>,
    value_from: Option<ValueFrom>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ValueFrom {
    secret_key_ref: SecretKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretKey {
    name: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    limits: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Probe {
    http_get: HttpGet,
    period_seconds: u16,
    timeout_seconds: u16,
    failure_threshold: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpGet {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Mount {
    name: String,
    mount_path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Volume {
    name: String,
    secret: SecretVolume,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SecretVolume {
    secret_name: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    key: String,
    path: String,
}

pub fn check(text: &str, way: [(&str, &str); 2]) {
    assert!(
        !text.contains("${")
            && !text.contains("# begin")
            && !text.contains("# direct only")
            && !text.contains("# connector only"),
        "{text}"
    );
    let service: Service = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!((service.api_version.as_str(), service.kind.as_str()), ("serving.knative.dev/v1", "Service"));
    let Template { metadata, spec } = service.spec.template;
    for (known, found) in ANNOTATIONS.iter().zip([&service.metadata, &metadata]) {
        for name in found.annotations.keys() {
            assert!(known.contains(&name.as_str()), "{name}");
        }
    }
    assert_eq!(service.metadata.name, "hubbub");
    let direct = metadata.annotations.get("run.googleapis.com/network-interfaces");
    assert_eq!(direct.is_some(), way[1].1 == "direct");
    assert_eq!(metadata.annotations.contains_key("run.googleapis.com/vpc-access-connector"), way[1].1 == "connector");
    if let Some(interfaces) = direct {
        let interfaces: serde_json::Value = serde_json::from_str(interfaces).unwrap();
        assert_eq!(interfaces, serde_json::json!([{ "network": "default", "subnetwork": "default" }]));
    }
    assert_eq!(spec.service_account_name, "hubbub-identity@some-project.iam.gserviceaccount.com");
    assert_eq!((spec.container_concurrency, spec.timeout_seconds), (1_000, 3_600));
    let [Traffic { latest_revision: true, percent: 100 }] = service.spec.traffic[..] else {
        panic!("all of it goes to the latest")
    };
    let [container] = &spec.containers[..] else { panic!("one container") };
    assert_eq!(container.image, "europe-west1-docker.pkg.dev/some-project/hubbub/hubbub@sha256:0123");
    assert_eq!((container.ports[0].name.as_str(), container.ports[0].container_port), ("http1", 8080));
    assert_eq!(container.resources.limits.keys().collect::<Vec<_>>(), ["cpu", "memory"]);
    assert_eq!(
        (container.startup_probe.http_get.path.as_str(), container.liveness_probe.http_get.path.as_str()),
        ("/health/serve", "/health/live")
    );
    for probe in [&container.startup_probe, &container.liveness_probe] {
        // What Cloud Run allows (cloud.google.com/run/docs/configuring/healthchecks).
        assert!(probe.timeout_seconds <= probe.period_seconds && probe.period_seconds * probe.failure_threshold <= 240);
    }
    let help = crate::help();
    for Env { name, value, value_from } in &container.env {
        assert!(value.is_some() != value_from.is_some(), "{name}");
        assert!(name == "SSL_CERT_FILE" || help.contains(name.as_str()), "{name} is no setting");
        if let Some(ValueFrom { secret_key_ref: SecretKey { name, key } }) = value_from {
            assert_eq!((name.as_str(), key.as_str()), ("hubbub-redis-url", "latest"));
        }
    }
    let certificate = way[0].1 == "redis";
    assert_eq!(container.env.iter().any(|env| env.name == "SSL_CERT_FILE"), certificate);
    let mounted: Vec<_> =
        container.volume_mounts.iter().map(|mount| (mount.name.as_str(), mount.mount_path.as_str())).collect();
    let volumes: Vec<_> =
        spec.volumes.iter().map(|volume| (volume.name.as_str(), volume.secret.secret_name.as_str())).collect();
    assert_eq!(mounted, if certificate { vec![("redis-ca", "/etc/redis-ca")] } else { vec![] });
    assert_eq!(volumes, if certificate { vec![("redis-ca", "hubbub-redis-ca")] } else { vec![] });
    for Item { key, path } in spec.volumes.iter().flat_map(|volume| &volume.secret.items) {
        assert_eq!((key.as_str(), path.as_str()), ("latest", "ca.pem"));
    }
}
