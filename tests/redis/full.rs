//! What is still taken when the memory of Redis is nearly used up.

use super::faults::{append_until_known, connect};
use crate::{contract::support::*, support::redis::RedisServer};
use hubbub::engine::{AppendError, Appended, Directory, Live, Reason, RoomLog};

const MIB: u64 = 1024 * 1024;

/// Gives it a limit of which it uses so many thousandths now.
fn fill_to(server: &RedisServer, thousandths: u64) {
    let info = server.cli(&["INFO", "memory"]);
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    let most = used.trim().parse::<u64>().unwrap() * 1_000 / thousandths;
    assert_eq!(server.cli(&["CONFIG", "SET", "maxmemory", &most.to_string()]), "OK");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_shows_nowhere_is_refused_first_then_messages_and_sign_outs_never() {
    let server = RedisServer::start(&[]);
    // So much that what is written here counts for nothing.
    server.cli(&["SETRANGE", "ballast", &(64 * MIB).to_string(), "x"]);
    let (engine, _) = connect(&server).await;
    let (tab, design) = (Tab::new(&room("Design")), room("Design"));
    let session = engine.open_session(token(), &user_name("Ann")).await.unwrap();
    fill(&*engine, &tab, 1).await;
    assert_eq!(engine.append(Tab::new(&design).void(1)).await, Ok(Appended::Voided));

    fill_to(&server, 920);
    let refused = |answer: &Answer| matches!(answer, Err(AppendError::Unavailable(_)));
    eventually("refused", async || refused(&engine.append(Tab::new(&design).void(1)).await)).await;
    // Whoever has a record may use up numbers, and everybody may write.
    assert_eq!(engine.append(tab.void(2)).await, Ok(Appended::Voided));
    entry(engine.append(Tab::new(&design).draft(1, "new here")).await);
    engine.writable().await.unwrap();

    fill_to(&server, 970);
    eventually("refused", async || refused(&engine.append(tab.draft(3, "m3")).await)).await;
    assert_eq!(engine.writable().await.unwrap_err().reason, Reason::Full);
    engine.close_session(session.token).await.unwrap();
    assert!(engine.name_is_free(&user_name("Ann").key()).await.unwrap());

    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    append_until_known(&*engine, &tab.draft(3, "m3")).await;
    eventually("writable", async || engine.writable().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_voids_alone_goes_soon_and_one_with_a_message_stays_long() {
    let server = RedisServer::start(&[]);
    let (engine, _) = connect(&server).await;
    let (voids, both) = (Tab::new(&room("Design")), Tab::new(&room("Design")));
    for n in 1..=3 {
        assert_eq!(engine.append(voids.void(n)).await, Ok(Appended::Voided));
        assert_eq!(engine.append(both.void(n)).await, Ok(Appended::Voided));
    }
    let key = |tab: &Tab| server.cli(&["KEYS", &format!("hubbub:*:producer:*:{}", tab.p)]);
    let kept = |tab: &Tab| server.cli(&["TTL", &key(tab)]).parse::<u64>().unwrap();
    entry(engine.append(both.draft(4, "m4")).await);
    assert!((890..=900).contains(&kept(&voids)), "{}", kept(&voids));
    let days = 24 * 60 * 60;
    assert!((30 * days..=31 * days).contains(&kept(&both)));
    assert_eq!(engine.append(both.void(5)).await, Ok(Appended::Voided));
    assert!(kept(&both) > 30 * days, "a void after a message takes nothing away");
    // As a day later.
    server.cli(&["HSET", &key(&both), "kept", "1"]);
    server.cli(&["EXPIRE", &key(&both), &format!("{}", 29 * days)]);
    entry(engine.append(both.draft(6, "m6")).await);
    assert!(kept(&both) > 30 * days, "what is used is kept for longer");
    // A void that was answered is one: what it stood for does not come after it.
    assert!(engine.append(voids.draft(3, "late")).await.is_err());
    assert_eq!(log(&*engine, &both.room.key).await.len(), 2);
}
