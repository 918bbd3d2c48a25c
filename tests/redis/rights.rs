//! What a user may do who lacks a right: start never, and where it is taken away later, nothing by halves.

use super::faults::append_until_known;
use crate::{
    contract::support::*,
    support::redis::{RedisServer, rights::PASSWORD},
};
use app::protocol::ReadMark;
use hubbub::engine::{
    Appended, Directory, Live, Presence, Quota, Quotas, Reads, RoomLog, TokenHash,
    redis::{ConnectError, Redis},
};
use std::{fs, path::Path, time::Duration};

/// Every command that a script calls, but for the script that tries them all.
fn commands_of_scripts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/redis");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let scripts =
        files.filter(|file| file.extension().is_some_and(|kind| kind == "lua") && !file.ends_with("rights.lua"));
    let scripts: Vec<_> = scripts.map(|file| fs::read_to_string(file).unwrap()).collect();
    assert!(scripts.len() >= 18);
    let calls = |script: &str| {
        let called = script.split("call('").skip(1).filter_map(|rest| rest.split('\'').next());
        called.map(str::to_lowercase).collect::<Vec<_>>()
    };
    let mut commands: Vec<_> = scripts.iter().flat_map(|script| calls(script)).collect();
    commands.sort_unstable();
    commands.dedup();
    assert!(["expire", "hset", "spublish", "xadd", "zrem"].iter().all(|command| commands.iter().any(|c| c == command)));
    commands
}

async fn start_error(server: &RedisServer, rules: &[String]) -> ConnectError {
    match Redis::connect(&server.tcp_url(), DAY).await {
        Ok(_) => panic!("it started with {rules:?}"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_ends_with_a_line_that_names_the_missing_right() {
    let server = RedisServer::start_with_rights();
    let others = ["evalsha", "eval", "script|load", "ssubscribe", "ping", "set", "exists", "pttl", "hgetall"];
    let commands = commands_of_scripts().into_iter().chain(others.map(str::to_owned)).map(|command| {
        let word = command.split('|').next().unwrap().to_owned();
        (vec![format!("-{command}")], word)
    });
    let words = |rules: &[&str]| rules.iter().map(|&rule| rule.to_owned()).collect::<Vec<_>>();
    let places = [
        (words(&["resetchannels"]), "channel".to_owned()),
        (words(&["resetchannels", "&other:*"]), "channel".to_owned()),
        (words(&["resetkeys"]), "key".to_owned()),
        (words(&["resetkeys", "~other:*"]), "key".to_owned()),
        (words(&["resetkeys", "%R~hubbub:*"]), "key".to_owned()),
    ];
    for (rules, named) in commands.chain(places) {
        server.allow(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        let error = start_error(&server, &rules).await;
        let text = error.to_string();
        assert!(matches!(error, ConnectError::Rights { .. }), "{rules:?}: {error:?}");
        assert!(text.to_lowercase().contains(&named) && text.lines().count() == 1, "{rules:?}: {text}");
        assert!(!text.contains(PASSWORD) && error.is_lasting(), "{text}");
    }
    // What a managed server forbids and is not needed.
    server.allow(&["-info", "-client", "-sunsubscribe"]);
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    fill(&*engine, &Tab::new(&room("Design")), 3).await;
    for n in 0..50 {
        let room = room(&format!("room {n}")).key;
        engine.follow(&room).await.unwrap();
        engine.unfollow(&room).await;
    }
}

/// Keys of people, sessions and producers that would stay for ever.
fn immortal(server: &RedisServer) -> String {
    let script = "local found = {} for _, key in ipairs(redis.call('KEYS', '*')) do
        local kept = string.find(key, ':meta$') or string.find(key, ':log$') or string.find(key, ':people$')
            or string.find(key, '{rooms}', 1, true) or string.find(key, ':instances$') or string.find(key, ':secret$') or string.find(key, ':format$')
            or (string.find(key, ':look:', 1, true) and string.sub(redis.call('GET', key), 1, 1) == ' ')
        if not kept and redis.call('PTTL', key) == -1 then found[#found + 1] = key end
    end return found";
    server.cli(&["EVAL", script, "0"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_one_command_nothing_is_done_by_halves() {
    let server = RedisServer::start_with_rights();
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    let quota = Quota { burst: 5, every: Duration::from_mins(1) };
    let is_free = async |name: &str| engine.name_is_free(&user_name(name).key()).await.unwrap();
    for (i, command) in commands_of_scripts().into_iter().enumerate() {
        let named = |what: &str| room(&format!("{what} {i}"));
        let ann = person("Ann").id;
        let [known, joined, new, created] = ["known", "joined", "new", "created"].map(named);
        let tab = Tab::new(&known);
        fill(&*engine, &tab, 3).await;
        fill(&*engine, &Tab::new(&joined), 2).await;
        fill(&*engine, &Tab::new(&new), 2).await;
        for room in [&known, &joined] {
            engine.add_member(ann, &room.key).await.unwrap();
        }
        fill_from(&*engine, &tab, 4, 6).await;
        let [ending, used, opening] = [token(), token(), token()];
        let [cat, dora, eve] = ["Cat", "Dora", "Eve"].map(|name| format!("{name} {i}"));
        engine.open_session(ending, &user_name(&cat)).await.unwrap();
        engine.open_session(used, &user_name(&dora)).await.unwrap();
        let session_key = |token: TokenHash| format!("hubbub:session:{}", token.to_hex());
        // Old enough to be renewed by its next use.
        server.cli(&["PEXPIRE", &session_key(used), "600000"]);
        let name_of = |token: TokenHash| {
            let script = "for _, key in ipairs(redis.call('KEYS', 'hubbub:name:*')) do
                if redis.call('GET', key) == ARGV[1] then return key end end";
            server.cli(&["EVAL", script, "0", &token.to_hex()])
        };
        let name = name_of(used);
        server.cli(&["PEXPIRE", &name, "600000"]);

        server.allow(&[&format!("-{command}")]);
        let top = engine.top(&known.key).await;
        let end = fill_mark(top.ok().flatten());
        let raised = match end {
            Some(end) => engine.raise_mark(ann, &known.key, end).await,
            None => Ok(None),
        };
        let made = engine.create_room(&created.name).await;
        let added = engine.add_member(ann, &new.key).await;
        let removed = engine.remove_member(ann, &joined.key).await;
        let opened = engine.open_session(opening, &user_name(&eve)).await;
        let closed = engine.close_session(ending).await;
        let session = engine.session(used).await;
        let _ = engine.enter(&known.key, &person("Fay")).await;
        let _ = engine.take("bucket", quota).await;
        let _ = engine.append(Tab::new(&created).draft(1, "first")).await;
        let _ = engine.append(Tab::new(&created).void(1)).await;
        server.allow(&[]);

        assert_eq!(immortal(&server), "", "without {command}");
        if let Ok(Some(mark)) = raised {
            assert_eq!(engine.marks(ann, std::slice::from_ref(&known.key)).await.unwrap(), [Some(mark)]);
        }
        let rooms = engine.rooms_of(ann).await.unwrap();
        let of =
            async |room: &app::domain::RoomRef| engine.readings(ann, &[(room.key.clone(), u64::MAX)]).await.unwrap()[0];
        assert!(added.is_err() || rooms.contains(&new), "without {command}");
        let has_mark = of(&new).await.mark.is_some();
        assert_eq!(rooms.contains(&new), has_mark, "without {command}: a member has a mark, and nobody else");
        assert!(removed.is_err() || !rooms.contains(&joined), "without {command}");
        let has_mark = of(&joined).await.mark.is_some();
        assert_eq!(rooms.contains(&joined), has_mark, "without {command}: a mark goes with its membership");
        if made.is_err() {
            // What was claimed for it is let go of by itself after a while.
            eventually("the room is made", async || engine.create_room(&created.name).await.is_ok()).await;
        }
        append_until_known(&*engine, &Tab::new(&created).draft(1, "second")).await;
        log(&*engine, &created.key).await;
        assert_eq!(opened.is_ok(), engine.session(opening).await.unwrap().is_some(), "without {command}");
        if opened.is_err() && !is_free(&eve).await {
            let claimed = server.cli(&["PTTL", &name_of(opening)]).parse::<i64>().unwrap();
            assert!(claimed <= 10_000, "without {command}: the name is free soon");
        }
        if closed.is_ok() {
            assert!(is_free(&cat).await && engine.session(ending).await.unwrap().is_none(), "without {command}");
        }
        if session.is_err() {
            let of = |key: &str| server.cli(&["PTTL", key]).parse::<i64>().unwrap();
            assert!(of(&session_key(used)) <= of(&name) + 1_000, "without {command}: a session ends with its name");
        }
    }
}

fn fill_mark(top: Option<app::domain::Cursor>) -> Option<ReadMark> {
    top.map(|top| ReadMark { epoch: top.epoch, seq: top.seq })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_neither_doubles_a_message_nor_acknowledges_what_is_not_there() {
    let server = RedisServer::start_with_rights();
    let engine = Redis::connect(&server.tcp_url(), DAY).await.unwrap();
    for command in commands_of_scripts() {
        for before in [0, 3] {
            let tab = Tab::new(&room(&format!("{command} after {before}")));
            fill(&*engine, &tab, before).await;
            let [n, next, voided] = [before + 1, before + 2, before + 3];
            server.allow(&[&format!("-{command}")]);
            let mut told = Vec::new();
            for _ in 0..3 {
                told.extend(engine.append(tab.draft(n, "once")).await.ok());
            }
            told.extend(engine.append(tab.draft(next, "twice")).await.ok());
            told.extend(engine.append(tab.draft(voided, "given up")).await.ok());
            server.allow(&[]);
            for (n, text) in [(n, "once"), (next, "twice")] {
                append_until_known(&*engine, &tab.draft(n, text)).await;
            }
            let given_up = engine.append(tab.void(voided)).await.unwrap();
            let entries = log(&*engine, &tab.room.key).await;
            let numbers: Vec<_> = entries.iter().map(|entry| entry.n).collect();
            let last = if given_up == Appended::Voided { next } else { voided };
            assert_eq!(numbers, (1..=last).collect::<Vec<_>>(), "without {command}, after {before}");
            for told in told {
                assert!(
                    entries.iter().any(|entry| Appended::Entry(entry.cursor()) == told),
                    "without {command}: {told:?}"
                );
            }
        }
    }
}
