//! A slot of a Cluster on its way from one master to another.

use super::{cluster_faults::connect, faults::append_until_known};
use crate::{contract::support::*, support::redis::RedisServer};
use futures_util::future::join_all;
use hubbub::engine::{AppendError, NoTop, RoomLog};

/// How often everybody writes and reads while the slot is on its way.
const ROUNDS: u64 = 40;

fn set_slot(server: &RedisServer, slot: &str, what: &str, other: &RedisServer) {
    assert_eq!(server.cli(&["CLUSTER", "SETSLOT", slot, what, &other.cli(&["CLUSTER", "MYID"])]), "OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_on_its_way_keeps_its_own_room_waiting_and_no_answer_goes_to_another_command() {
    let masters = RedisServer::start_cluster_of::<3>();
    let [source, target, _] = &masters;
    let engine = connect(&masters).await;
    let mut tabs: Vec<_> = (0..24).map(|i| Tab::new(&room(&format!("room {i}")))).collect();
    for tab in &tabs {
        append_until_known(&*engine, &tab.draft(1, "m1")).await;
    }
    let meta = source.cli(&["KEYS", "hubbub:{*}:meta"]).lines().next().unwrap().to_owned();
    let name = source.cli(&["HGET", &meta, "name"]);
    let moving = tabs.swap_remove(tabs.iter().position(|tab| tab.room.name.as_str() == name).unwrap());
    let slot = source.cli(&["CLUSTER", "KEYSLOT", &meta]);
    set_slot(target, &slot, "IMPORTING", source);
    set_slot(source, &slot, "MIGRATING", target);
    let port = target.address().port().to_string();
    for key in source.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]).lines() {
        assert_eq!(source.cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]), "OK");
    }

    // All of it is on the other master, and the slot is not: who asks for it is sent there, in the midst of what others ask.
    let keys: Vec<_> = tabs.iter().map(|tab| tab.room.key.clone()).collect();
    for n in 2..=ROUNDS {
        let waits = async {
            let refused = engine.append(moving.draft(2, "m2")).await;
            assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
            assert_eq!(engine.tops(std::slice::from_ref(&moving.room.key)).await.unwrap(), [Err(NoTop::Away)]);
        };
        let write = async |tab: &Tab| (tab.room.name.clone(), engine.append(tab.draft(n, &format!("m{n}"))).await);
        let (wrote, read, ()) = tokio::join!(join_all(tabs.iter().map(write)), engine.tops(&keys), waits);
        assert!(read.unwrap().iter().all(|top| matches!(top, Ok(Some(top)) if top.seq == n || top.seq == n - 1)));
        for ((room, answer), top) in wrote.into_iter().zip(engine.tops(&keys).await.unwrap()) {
            let at = entry(answer);
            assert_eq!((at.seq, Ok(Some(at))), (n, top), "in {room:?}");
        }
    }
    for server in &masters {
        set_slot(server, &slot, "NODE", target);
    }
    append_until_known(&*engine, &moving.draft(2, "m2")).await;
    assert_eq!(texts(&log(&*engine, &moving.room.key).await), ["m1", "m2"]);
    for tab in &tabs {
        assert_eq!(log(&*engine, &tab.room.key).await.len() as u64, ROUNDS);
    }
}
