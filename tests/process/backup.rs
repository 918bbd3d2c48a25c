//! Backups that the program makes while a server writes, and what comes of them.

use super::*;
use futures_util::future::join_all;
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

fn says(args: &[&str], what: &str) {
    let (output, error) = fails(args);
    assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.starts_with("hubbub: ") && error.contains(what), "{error}");
}

fn done(args: &[&str]) -> String {
    let output = program(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn a_backup_is_made_and_restored_by_the_program_itself() {
    let (mut server, dir) = (Process::start().await, TempDir::new().unwrap());
    let data = server.dirs[0].path().to_owned();
    let (data, copy) = (text(&data), dir.path().join("copy"));
    let copy = text(&copy);
    let person = Person::signed_in(&server, "지우", "a").await;
    let mut socket = person.socket(&server).await;
    socket.join("a", None).await;
    socket.say("a", ProducerId(1), 1, "hello").await;
    socket.ack(1).await;
    let backup = ["backup", copy, "--data-dir", data];
    let said = done(&backup);
    assert!(said.contains("rooms: 1, messages: 1"), "{said}");
    let only_the_owner = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(copy).unwrap()) & 0o077;
    assert_eq!((only_the_owner, std::fs::read_dir(dir.path()).unwrap().count()), (0, 1));
    says(&backup, "is there already");
    // Beside a server that runs, then over a store without saying so, then as it should be.
    let restore = ["restore", copy, "--data-dir", data];
    says(&restore, "in use");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    says(&restore, "--replace");
    let said = done(&[&restore[..], &["--replace"]].concat());
    assert!(said.contains("messages: 1") && said.contains("what was there is"), "{said}");
    assert_eq!(fails(&["restore", "--data-dir", data]).0.status.code(), Some(2));
}

#[tokio::test]
async fn what_cannot_be_backed_up_is_told_in_one_line_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let (empty, copy) = (dir.path().join("empty"), dir.path().join("copy"));
    std::fs::create_dir(&empty).unwrap();
    says(&["backup", text(&copy), "--data-dir", text(&empty)], "there is no store in");
    says(&["--redis-url", "redis://127.0.0.1:1", "backup", text(&copy)], "the store is Redis");

    let foreign = TempDir::new().unwrap();
    let store = rusqlite::Connection::open(foreign.path().join("hubbub.sqlite3")).unwrap();
    store.execute_batch("CREATE TABLE mine (x)").unwrap();
    let from_foreign = ["backup", text(&copy), "--data-dir", text(foreign.path())];
    says(&from_foreign, "another program's database");
    store.execute_batch("PRAGMA application_id = 1752523362; PRAGMA user_version = 999").unwrap();
    says(&from_foreign, "999");
    drop(store);
    std::fs::write(foreign.path().join("hubbub.sqlite3"), "no database at all, but long enough to look like one")
        .unwrap();
    says(&from_foreign, "hubbub.sqlite3");

    let server = Process::start().await;
    let data = server.dirs[0].path();
    says(&["backup", text(&dir.path().join("no/such/folder/copy")), "--data-dir", text(data)], "cannot write");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing but the empty folder");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_made_while_people_write_is_a_log_without_a_hole_that_ends_after_it_began() {
    const TABS: u64 = 8;
    const AT_ONCE: u64 = 32;
    let unlimited = |args: &[&str]| program(&[args, &["--limits", "0"]].concat());
    let server = Process::start_by(unlimited).await;
    let (over, dir) = (AtomicBool::new(false), TempDir::new().unwrap());
    let acked = std::sync::Mutex::new(0_u64);
    let write = async |tab: u64| {
        let person = Person::signed_in(&server, &format!("tab {tab}"), "a").await;
        let mut socket = person.socket(&server).await;
        socket.join("a", None).await;
        let (p, mut sent) = (ProducerId(100 + tab), 0);
        while !over.load(Ordering::Relaxed) {
            for n in sent + 1..=sent + AT_ONCE {
                socket.say("a", p, n, "something that somebody wrote").await;
            }
            sent += AT_ONCE;
            let highest = socket.ack(sent).await.seq;
            let mut acked = acked.lock().unwrap();
            *acked = highest.max(*acked);
        }
    };
    let (copy, restored) = (dir.path().join("copy"), TempDir::new().unwrap());
    let backup = async {
        until("people write", async || *acked.lock().unwrap() > 1_000).await;
        let before = *acked.lock().unwrap();
        let args = ["backup", text(&copy), "--data-dir", text(server.dirs[0].path())].map(str::to_owned);
        tokio::task::spawn_blocking(move || done(&args.each_ref().map(String::as_str))).await.unwrap();
        let during = *acked.lock().unwrap();
        over.store(true, Ordering::Relaxed);
        (before, during)
    };
    let ((before, during), _) = tokio::join!(backup, join_all((0..TABS).map(write)));
    assert!(during > before, "nobody was held up");

    done(&["restore", text(&copy), "--data-dir", text(restored.path())]);
    let server = Process::start_in(restored, unlimited).await;
    let person = Person::signed_in(&server, "reader", "a").await;
    let mut socket = person.socket(&server).await;
    let (_, page) = socket.join("a", None).await;
    let end = page.cursor.seq;
    assert!((before..).contains(&end), "{end} of {before} that were acknowledged before it began");
    let (mut next, mut entries) = (end + 1, page.entries);
    while next > 1 {
        for entry in entries.iter().rev() {
            assert_eq!(entry.seq, next - 1);
            next = entry.seq;
        }
        if next > 1 {
            let epoch = page.cursor.epoch;
            socket
                .send(&app::protocol::ClientFrame::History { room: support::person::key("a"), before: next, epoch })
                .await;
            entries = socket
                .until(|frame| match frame {
                    ServerFrame::History { page, .. } => Some(page.entries),
                    _ => None,
                })
                .await;
        }
    }
}
