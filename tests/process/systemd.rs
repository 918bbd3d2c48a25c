//! What systemd tells the program, and is told.

use super::*;
use std::os::unix::net::UnixDatagram;

/// Starts the program with a listening socket as its fourth file, as systemd does.
const ACTIVATE: &str = "
import os, socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ['LISTEN_FDS'], os.environ['LISTEN_PID'] = '1', str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_when_people_are_served_and_when_not_any_more() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("notify");
    let told = UnixDatagram::bind(&path).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Process::start_by(|args: &[&str]| {
        let mut program = program(args);
        program.env("NOTIFY_SOCKET", &path);
        program
    })
    .await;
    let hear = || {
        let mut said = [0; 256];
        let length = told.recv(&mut said).unwrap();
        String::from_utf8(said[..length].to_vec()).unwrap()
    };
    assert_eq!(hear().trim(), "READY=1");
    signal("-TERM", server.child.id());
    assert_eq!(hear().trim(), "STOPPING=1");
    assert!(server.child.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_is_handed_over_is_served_whatever_the_settings_say() {
    let address = free_address();
    let (data, site) = (TempDir::new().unwrap(), site());
    let mut python = Command::new("python3");
    python.args([
        "-c",
        ACTIVATE,
        &address.port().to_string(),
        env!("CARGO_BIN_EXE_hubbub"),
        "--port",
        "1",
        "--log",
        "warn",
    ]);
    python.args(["--data-dir", data.path().to_str().unwrap(), "--site-dir", site.path().to_str().unwrap()]);
    let child = python.stdin(Stdio::null()).spawn().unwrap();
    until_it_listens(address).await;
    let server = Process { child, address, dirs: [data, site] };
    assert_eq!(Person::new().get(&server, "/health/serve").await.status(), 200);
}

/// Where there is systemd; its words about units change with its version, whether they can be loaded does not.
#[test]
fn the_units_can_be_loaded_and_leave_little_open() {
    let units =
        ["hubbub.service", "hubbub.socket"].map(|unit| format!("{}/deploy/systemd/{unit}", env!("CARGO_MANIFEST_DIR")));
    let analyze = |args: &[&str]| Command::new("systemd-analyze").args(args).output();
    let Ok(output) = analyze(&["security", "--offline=yes", "--threshold=20", &units[0]]) else {
        println!("there is no systemd here: its units were not looked at");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let output = analyze(&["verify", &units[0], &units[1]]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    // The program is not where the unit says, on a machine that only builds it.
    let wrong: Vec<_> =
        said.lines().filter(|line| line.contains("hubbub.") && !line.contains("is not executable")).collect();
    assert_eq!(wrong, Vec::<&str>::new());
}
