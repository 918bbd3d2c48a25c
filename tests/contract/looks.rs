//! Names that look alike.

use super::{Fixture, support::*};
use app::domain::{RoomName, RoomRef};
use hubbub::engine::{CreateError, OpenError};

/// Two names with one skeleton (UTS #39), or with one once their case is folded away.
const TWINS: [(&str, &str); 16] = [
    ("Ian", "lan"),
    ("Ilya", "llya"),
    ("AI", "Al"),
    ("Tom", "\u{422}om"),
    ("Bob", "\u{412}ob"),
    ("Hana", "\u{41D}ana"),
    ("Megan", "\u{41C}egan"),
    ("Kim", "\u{41A}im"),
    ("Nora", "\u{39D}ora"),
    ("Zoe", "\u{396}oe"),
    ("Hubbub", "\u{41D}ubbub"),
    ("Paul", "P\u{430}ul"),
    ("COCA", "\u{421}\u{41E}\u{421}\u{410}"),
    ("modern", "modem"),
    ("❤", "❤\u{FE0F}"),
    ("1", "1\u{FE0F}"),
];

pub async fn of_two_names_that_look_alike_one_is_held<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    for (held, twin) in TWINS.into_iter().flat_map(|(one, other)| [(one, other), (other, one)]) {
        if user_name(held).mixes_scripts() {
            continue;
        }
        let holder = token();
        engine.open_session(holder, &user_name(held)).await.unwrap();
        let refused = engine.open_session(token(), &user_name(twin)).await;
        assert!(matches!(refused, Err(OpenError::Taken)), "{twin} beside {held}");
        assert!(!engine.name_is_free(&user_name(twin).key()).await.unwrap(), "{twin} beside {held}");
        engine.close_session(holder).await.unwrap();
        assert!(engine.name_is_free(&user_name(twin).key()).await.unwrap(), "{twin} after {held}");
    }
}

pub async fn a_name_that_is_refused_holds_no_half_of_itself<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    engine.open_session(token(), &user_name("lan")).await.unwrap();
    // It is drawn like "lan" and folded like "ian", which looks like nobody else's.
    assert!(matches!(engine.open_session(token(), &user_name("Ian")).await, Err(OpenError::Taken)));
    assert!(engine.name_is_free(&user_name("ian").key()).await.unwrap());
    engine.open_session(token(), &user_name("ian")).await.unwrap();
}

pub async fn one_of_many_claims_of_look_alikes_wins<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let claims: Vec<_> = (0..16)
        .map(|i| {
            let (engine, name) = (engine.clone(), ["Ian", "lan", "LAN", "1an"][i % 4]);
            tokio::spawn(async move { engine.open_session(token(), &user_name(name)).await.ok().map(|_| name) })
        })
        .collect();
    let mut won = Vec::new();
    for claim in claims {
        won.extend(claim.await.unwrap());
    }
    assert!(!won.is_empty());
    for (i, one) in won.iter().enumerate() {
        for other in &won[..i] {
            assert!(!user_name(one).key().clashes(&user_name(other).key()), "{one} beside {other}");
        }
    }
}

pub async fn a_name_that_mixes_scripts_is_not_held<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    for name in ["M\u{430}ria", "\u{391}nna", "안нет", "नमaste"] {
        let refused = token();
        assert!(matches!(engine.open_session(refused, &user_name(name)).await, Err(OpenError::MixedScripts)), "{name}");
        assert_eq!(engine.session(refused).await.unwrap(), None);
        let refused = engine.create_room(&RoomName::parse(name).unwrap()).await;
        assert!(matches!(refused, Err(CreateError::MixedScripts)), "{name}");
    }
    assert_eq!(engine.rooms(9).await.unwrap(), []);
    for name in ["지우Kim", "東京Kim", "さくらKim", "Команда QA", "نیک\u{200C}روز"] {
        engine.open_session(token(), &user_name(name)).await.unwrap();
        engine.create_room(&RoomName::parse(name).unwrap()).await.unwrap();
    }
    // What was refused is not in the way of what looks like it.
    engine.open_session(token(), &user_name("Maria")).await.unwrap();
    engine.create_room(&RoomName::parse("Maria").unwrap()).await.unwrap();
}

pub async fn of_two_rooms_that_look_alike_one_is_made<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    for (one, other) in TWINS {
        // In a room's name a space is seen: each pair is on its own.
        let (one, other) = (room(&format!("{one} {one}")), RoomName::parse(&format!("{other} {other}")).unwrap());
        assert_eq!(engine.create_room(&one.name).await.unwrap(), one);
        match engine.create_room(&other).await {
            Ok(found) | Err(CreateError::LooksLike(found)) => assert_eq!(found, one, "{other:?}"),
            Err(error) => panic!("{other:?}: {error}"),
        }
        assert_eq!(engine.room(&other.key()).await.unwrap().is_some(), other.key() == one.key, "{other:?}");
    }
    assert_eq!(engine.rooms(99).await.unwrap().len(), TWINS.len());
}

pub async fn a_room_is_found_by_what_looks_like_it_and_not_made_by_looking<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let found = async |name: &str| engine.find_room(&room(name).name).await.unwrap();
    assert_eq!(found("general").await, None);
    let general = engine.create_room(&room("general").name).await.unwrap();
    // Of its key, drawn like it, drawn like it without their case, and of mixed scripts.
    for name in ["General", "generaI", "GENERA1", "g\u{435}neral"] {
        assert_eq!(found(name).await, Some(general.clone()), "{name}");
    }
    for name in ["generals", "gene ral", "d\u{435}sign"] {
        assert_eq!(found(name).await, None, "{name}");
    }
    assert_eq!(engine.rooms(9).await.unwrap().len(), 1);
}

pub async fn of_rooms_made_at_once_no_two_look_alike<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    let names = ["IAN", "lan", "ian", "1an", "LAN", "\u{269}an", "Lan", "İan"];
    let made: Vec<_> = (0..32)
        .map(|i| {
            let (engine, name) = (engine.clone(), room(names[i % names.len()]).name);
            tokio::spawn(async move {
                match engine.create_room(&name).await {
                    Ok(room) | Err(CreateError::LooksLike(room)) => Some(room),
                    Err(CreateError::MixedScripts) => None,
                    Err(error) => panic!("{name:?}: {error}"),
                }
            })
        })
        .collect();
    let mut entered: Vec<RoomRef> = Vec::new();
    for made in made {
        entered.extend(made.await.unwrap());
    }
    let listed: Vec<RoomRef> = engine.rooms(99).await.unwrap().into_iter().map(|line| line.room).collect();
    assert!(entered.iter().all(|room| listed.contains(room)), "{entered:?} {listed:?}");
    for (i, one) in listed.iter().enumerate() {
        for other in &listed[..i] {
            assert!(!one.name.looks().clashes(&other.name.looks()), "{one:?} beside {other:?}");
        }
    }
}

pub async fn a_room_that_is_restored_keeps_its_look_alikes_out<F: Fixture>() {
    let Opened { engine, .. } = &open::<F>().await;
    // Its name is of a time when scripts were mixed freely.
    let (old, plain) = (room("g\u{435}neral"), room("general"));
    engine.restore_room(&old).await.unwrap();
    engine.restore_room(&old).await.unwrap();
    assert_eq!(engine.room(&old.key).await.unwrap(), Some(old.clone()));
    assert_eq!(engine.create_room(&old.name).await.unwrap(), old);
    assert!(matches!(engine.create_room(&plain.name).await, Err(CreateError::LooksLike(found)) if found == old));
    // What looks like it all the same, and is lost, comes back as well.
    engine.restore_room(&plain).await.unwrap();
    assert_eq!(engine.create_room(&plain.name).await.unwrap(), plain);
}
