//! `hubbub doctor` asks the public URL as people do, through a real proxy, and says what that does wrong.

use super::{doctor::Patient, support::certificates::certificates, *};
use std::path::Path;

/// nginx, which ends with its test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one that serves these.
async fn nginx(dir: &Path, servers: &str, listens: SocketAddr) -> Proxy {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders = kinds.map(|kind| format!("{kind}_temp_path {}/{kind};", dir.display())).join(" ");
    let text = format!(
        "pid {}/pid; events {{}} http {{ access_log off; {folders} proxy_http_version 1.1; {servers} }}",
        dir.display()
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut program = Command::new(tool("nginx"));
    program.args(["-g", "daemon off; master_process off;", "-e", "stderr", "-c"]).arg(file).stdin(Stdio::null());
    let child = program.spawn().expect("nginx is needed, which scripts/setup.sh test gets");
    let proxy = Proxy(child);
    until_it_listens(listens).await;
    proxy
}

/// An instance with these public addresses.
async fn instance(origins: &[String]) -> Process {
    let origins = origins.join(",");
    let more = ["--allowed-origins", &origins, "--public-url", "http://localhost:1", "--trusted-proxies", "127.0.0.1"];
    Process::start_by(|args: &[&str]| program(&[args, &more].concat())).await
}

const HOST: &str = "proxy_set_header Host $http_host;";
const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_proxy_does_not_pass_on_is_found() {
    let (dir, closed) = (TempDir::new().unwrap(), free_address());
    let all = format!("location / {{ proxy_pass http://hubbub; {HOST} {UPGRADE} }}");
    let cases = [
        (all, "ok", "leads here, and sockets open through it"),
        (
            format!("location / {{ proxy_pass http://hubbub; {HOST} }}"),
            "error",
            "have the proxy pass Upgrade and Connection on",
        ),
        (
            format!("location / {{ proxy_pass http://hubbub; {UPGRADE} }}"),
            "error",
            "have the proxy pass Host on as it came",
        ),
        (
            format!(
                "location / {{ proxy_pass http://hubbub; {HOST} {UPGRADE} proxy_set_header Origin http://inner; }}"
            ),
            "error",
            "have the proxy pass Origin on as it came",
        ),
        (format!("location / {{ proxy_pass http://{closed}; {HOST} }}"), "error", "finds no server behind it (502)"),
        ("location / { return 404; }".to_owned(), "error", "another server answers"),
        ("location / { default_type text/html; return 200 hello; }".to_owned(), "error", "another server answers"),
        (
            "location / { return 301 http://www.chat.example/; }".to_owned(),
            "error",
            "sends people on to http://www.chat.example/",
        ),
        (
            format!("location / {{ proxy_pass http://hubbub; {HOST} }} location = /ws {{ return 404; }}"),
            "error",
            "have the proxy send /ws to Hubbub",
        ),
    ];
    let at = cases.each_ref().map(|_| free_address());
    let origins = at.map(|at| format!("http://localhost:{}", at.port()));
    let server = instance(&origins).await;
    let servers = cases.iter().zip(at).map(|((body, ..), at)| format!("server {{ listen {at}; {body} }}"));
    let servers: String = servers.chain([format!("upstream hubbub {{ server {}; }}", server.address)]).collect();
    let proxy = nginx(dir.path(), &servers, at[0]).await;
    let patient = Patient::new();
    for ((_, level, words), origin) in cases.iter().zip(&origins) {
        if *level == "error" {
            patient.is_told(&["--public-url", origin], &[], level, "outside", words);
        } else {
            let (report, code) = patient.examined(&["--public-url", origin], &[]);
            assert!(code == 0 && report.to_string().contains(words), "{report:#}");
        }
    }
    drop(proxy);
    patient.is_told(&["--public-url", &origins[0]], &[], "error", "outside", "nothing listens where");
    patient.is_told(&["--public-url", "http://nowhere.invalid"], &[], "error", "outside", "has no address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_browsers_would_not_take_is_found() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    certificates(dir.path());
    certificates(other.path());
    let [secure, plain] = [free_address(), free_address()];
    let origins = [secure, plain].map(|at| format!("https://localhost:{}", at.port()));
    let server = instance(&origins).await;
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let [key, certificate, ca] = ["redis.key", "redis.pem", "ca.pem"].map(path);
    let pass = format!("location / {{ proxy_pass http://{}; {HOST} {UPGRADE} }}", server.address);
    let servers = format!(
        "server {{ listen {secure} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; {pass} }} \
         server {{ listen {plain}; {pass} }}"
    );
    let _proxy = nginx(dir.path(), &servers, secure).await;
    let (patient, known) = (Patient::new(), [("SSL_CERT_FILE", &*ca)]);
    let args = |origin| ["--public-url", origin, "--trusted-proxies", "127.0.0.1"];
    let (report, code) = patient.examined(&args(&origins[0]), &known);
    assert!(code == 0 && report.to_string().contains("sockets open through it"), "{report:#}");
    let unknown = other.path().join("ca.pem");
    for variables in [&[][..], &[("SSL_CERT_FILE", unknown.to_str().unwrap())]] {
        patient.is_told(&args(&origins[0]), variables, "error", "outside", "is not accepted");
    }
    patient.is_told(&args(&origins[1]), &known, "error", "outside", "does not speak TLS");
}
