//! What names promise.

use super::*;
use proptest::prelude::*;
use std::{collections::HashMap, sync::LazyLock};
use unicode_security::confusable_detection::skeleton;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap_or_else(|problem| panic!("{name:?}: {problem:?}"))
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap_or_else(|problem| panic!("{name:?}: {problem:?}"))
}

fn both(typed: &str) -> Result<(), NameProblem> {
    let (user, room) = (UserName::parse(typed), RoomName::parse(typed));
    assert_eq!(user.clone().err(), room.err(), "{typed:?}");
    user.map(|_| ())
}

#[test]
fn names_of_any_script_and_emoji_are_accepted() {
    for name in
        ["지우", "하은 씨", "さくら", "東京", "مريم", "Ελένη", "नमस्ते", "Ann-Marie", "👩‍💻", "❤️", "🇰🇷", "a.b", "3️⃣"]
    {
        assert_eq!(UserName::parse(name).as_ref().map(UserName::as_str), Ok(name));
        assert!(RoomName::parse(name).is_ok(), "{name}");
    }
}

#[test]
fn what_cannot_be_seen_or_addressed_is_refused() {
    use NameProblem::{Dots, Empty, Invisible, Marks, Slash, TooLong};
    for (typed, problem) in [
        ("", Empty),
        ("   ", Empty),
        (".", Dots),
        ("..", Dots),
        ("a/b", Slash),
        ("a\\b", Slash),
        ("a\u{0}b", Invisible),
        ("a\tb", Invisible),
        ("a\u{202E}b", Invisible),
        ("a\u{2066}b", Invisible),
        ("a\u{200B}b", Invisible),
        ("a\u{200D}b", Invisible),
        ("1\u{200D}2", Invisible),
        ("\u{FEFF}a", Invisible),
        ("\u{3164}", Invisible),
        ("\u{301}a", Marks),
        ("a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", Marks),
    ] {
        assert_eq!(RoomName::parse(typed), Err(problem), "{typed:?}");
    }
    assert_eq!(UserName::parse(&"가".repeat(USER_NAME_MAX + 1)), Err(TooLong));
    assert!(RoomName::parse(&"가".repeat(ROOM_NAME_MAX)).is_ok());
    assert_eq!(RoomName::parse(&"가".repeat(ROOM_NAME_MAX + 1)), Err(TooLong));
}

#[test]
fn joiners_are_accepted_where_a_script_spells_with_them() {
    for name in [
        "نیک\u{200C}روز",
        "می\u{200C}خواهم",
        "علی\u{200C}رضا",
        "ශ්\u{200D}රී",
        "പ്രവീണ്\u{200D}",
        "क्\u{200D}ष",
        "क्\u{200C}ष",
        "র\u{200D}\u{9CD}যাব",
    ] {
        assert_eq!(both(name), Ok(()), "{name:?}");
        let bare = name.replace(['\u{200C}', '\u{200D}'], "");
        assert_eq!(user(name).key(), user(&bare).key(), "{name:?} is taken where {bare:?} is");
    }
    for name in [
        "a\u{200C}b",
        "\u{200C}ab",
        "ab\u{200D}",
        "\u{200D}क्ष",
        "क\u{200D}ष",
        "नम\u{200C}",
        "ن\u{200C}",
        "\u{200C}ن",
        "ا\u{200C}ن",
        "ن\u{200C}\u{200C}ن",
        "क्\u{200D}\u{200D}ष",
        "ن\u{200D}ن",
        "ن\u{200C}a",
        "가\u{200C}나",
    ] {
        assert_eq!(both(name), Err(NameProblem::Invisible), "{name:?}");
    }
}

#[test]
fn whole_emoji_are_accepted_and_halves_are_not() {
    use NameProblem::{Invisible, Marks};
    for name in [
        "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
        "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F} Ann",
        "🏴",
        "🏴\u{200D}☠\u{FE0F}",
        "🏳\u{FE0F}\u{200D}⚧\u{FE0F}",
        "🏳\u{FE0F}\u{200D}🌈",
        "👨🏽\u{200D}👩🏻\u{200D}👧",
        "❤\u{FE0F}\u{200D}🔥",
        "🐻\u{200D}❄\u{FE0F}",
        "#\u{FE0F}\u{20E3}",
        "*\u{20E3}",
        "1\u{FE0F}",
        "☎\u{FE0E}",
        "👍🏿",
    ] {
        assert_eq!(both(name), Ok(()), "{name:?}");
    }
    for (name, problem) in [
        ("🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}", Invisible),
        ("🏴\u{E0067}\u{E0062}\u{E007F}", Invisible),
        ("🏴\u{E007F}", Invisible),
        ("🏴\u{E0067}\u{E0062}\u{E0073}a", Invisible),
        ("🏴\u{E0041}\u{E0042}\u{E0043}\u{E007F}", Invisible),
        ("🏁\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}", Invisible),
        ("a\u{E0067}\u{E0062}\u{E0073}\u{E007F}", Invisible),
        ("👩\u{200D}", Invisible),
        ("👩\u{200D}a", Invisible),
        ("\u{200D}👩", Invisible),
        ("a\u{FE0F}", Invisible),
        ("❤\u{FE0F}\u{FE0F}", Invisible),
        ("\u{FE0F}", Invisible),
        ("\u{20E3}", Marks),
        ("a\u{20E3}", Marks),
        ("1\u{20E3}\u{20E3}", Marks),
        ("1\u{20E3}\u{301}", Marks),
        ("❤\u{301}", Marks),
    ] {
        assert_eq!(both(name), Err(problem), "{name:?}");
    }
}

#[test]
fn marks_stand_on_what_bears_them_and_do_not_pile_up() {
    use NameProblem::Marks;
    let pile = "\u{301}\u{302}\u{303}\u{304}";
    for name in ["Zoe\u{308}", "Việt", "שָׁלוֹם", "ខ្មែរ", "ไทยนี้", "བོད་སྐྱིད།", "မြန်မာ", "தமிழ்"]
    {
        assert_eq!(both(name), Ok(()), "{name:?}");
    }
    assert_eq!(both(&format!("q{pile}")), Ok(()));
    for name in [
        format!("a{}", format!("{pile}\u{20E3}").repeat(6)),
        format!("q{pile}\u{305}"),
        "Paul \u{332}".to_owned(),
        "Paul ◌\u{332}".to_owned(),
        "Paul\u{3000}\u{332}x".to_owned(),
        "-\u{301}a".to_owned(),
        "\u{301}".to_owned(),
        "a \u{93E}".to_owned(),
        "🇰🇷\u{301}".to_owned(),
    ] {
        assert_eq!(both(&name), Err(Marks), "{name:?}");
    }
}

#[test]
fn a_name_shows_a_letter_a_digit_or_a_picture() {
    for name in ["1", "♪", "★", "⠓⠊", "가", "①", "100%", "^_^a", "ツ"] {
        assert_eq!(both(name), Ok(()), "{name:?}");
    }
    for name in ["-", "---", "...", "?!", "“ ”", "$", "^_^", "·"] {
        assert_eq!(both(name), Err(NameProblem::Nameless), "{name:?}");
    }
    for name in [
        "\u{1D159}",
        "a\u{16FE4}",
        "\u{16FE4}",
        "\u{3164}",
        "\u{115F}\u{1160}",
        "\u{FFA0}",
        "\u{2800}",
        "a\u{2800}",
        "\u{13441}",
        "\u{13442}",
        "\u{FFFC}",
        "\u{34F}a",
        "a\u{E0100}",
        "\u{E0020}a",
        "\u{1BCA0}a",
        "a\u{1D173}",
        "\u{180E}a",
        "\u{AD}a",
        "a\u{2060}",
        "a\u{E000}",
        "a\u{FFFE}",
        "a\u{FE00}",
        "a\u{61C}",
    ] {
        assert_eq!(both(name), Err(NameProblem::Invisible), "{name:?}");
    }
}

#[test]
fn what_chooses_a_picture_makes_no_other_room() {
    for (one, other) in [
        ("❤", "❤\u{FE0F}"),
        ("1", "1\u{FE0F}"),
        ("3\u{20E3}", "3\u{FE0F}\u{20E3}"),
        ("🏳\u{200D}⚧", "🏳\u{FE0F}\u{200D}⚧\u{FE0F}"),
        ("☎", "☎\u{FE0E}"),
    ] {
        assert_eq!(room(one).looks(), room(other).looks(), "{other:?}");
        assert_eq!(user(one).key(), user(other).key(), "{other:?}");
    }
}

#[test]
fn look_alikes_clash_whatever_their_case() {
    for (held, twin) in [
        ("Ian", "lan"),
        ("Ilya", "llya"),
        ("AI", "Al"),
        ("Iris", "lris"),
        ("Tom", "\u{422}om"),
        ("Bob", "\u{412}ob"),
        ("Bob", "B0b"),
        ("Hana", "\u{41D}ana"),
        ("Hanna", "\u{41D}anna"),
        ("Megan", "\u{41C}egan"),
        ("Kim", "\u{41A}im"),
        ("Nora", "\u{39D}ora"),
        ("Zoe", "\u{396}oe"),
        ("Hubbub", "\u{41D}ubbub"),
        ("Paul", "P\u{430}ul"),
        ("Paul", "PAUL"),
        ("Paul", "Ｐａｕｌ"),
        ("Ian", "Ⓘan"),
        ("Ian", "𝐈an"),
        ("Rob", "ROB"),
        ("modern", "modem"),
        ("Ann-Marie", "Ann‐Marie"),
        ("MAX", "\u{39C}\u{391}\u{3A7}"),
        ("COCO", "\u{421}\u{41E}\u{421}\u{41E}"),
        ("Ji Woo", "JiWoo"),
        ("I", "1"),
        ("Éva", "E\u{301}va"),
    ] {
        assert!(user(held).key().clashes(&user(twin).key()), "{held} {twin}");
    }
    for (one, other) in [("지우", "지유"), ("Jiwoo", "Jiwoo 2"), ("Ann", "Anne"), ("さくら", "サクラ"), ("Tom", "Tim")]
    {
        assert!(!user(one).key().clashes(&user(other).key()), "{one} {other}");
    }
    for (one, twin) in
        [("general", "g\u{435}neral"), ("general", "ｇｅｎｅｒａｌ"), ("Design Review", "Desi\u{261}n Review")]
    {
        assert!(room(one).looks().clashes(&room(twin).looks()), "{one} {twin}");
        assert_ne!(room(one).key(), room(twin).key());
    }
    assert!(
        !room("design review").looks().clashes(&room("designreview").looks()),
        "a space is seen where a name stands alone"
    );
}

#[test]
fn scripts_are_mixed_only_as_they_are_written() {
    for name in [
        "지우 Kim",
        "Kim지우",
        "金지우",
        "東京Kim",
        "さくら東京Kim",
        "カタカナkana漢字",
        "ㄅㄆ漢字abc",
        "Ann 안",
        "IT-отдел",
        "Команда QA",
        "Анна",
        "Ελένη",
        "مريم",
        "नमस्ते",
        "Ann👩\u{200D}💻",
        "ok١٢",
        "3️⃣ один",
        "John_Иван",
        "µm",
        "Zoë",
        "ほげー",
    ] {
        assert_eq!(
            (user(name).mixes_scripts(), room(name).mixes_scripts()),
            (name == "ok١٢", name == "ok١٢"),
            "{name}"
        );
    }
    for name in
        ["P\u{430}ul", "g\u{435}neral", "\u{422}om", "Αnna", "안нет", "аbc", "さくら안", "नमaste", "ab\u{5D0}", "漢б"]
    {
        assert!(user(name).mixes_scripts() && room(name).mixes_scripts(), "{name}");
    }
}

#[test]
fn a_look_alike_in_one_script_is_found_where_there_is_one() {
    let unmixed = |name: &str| user(name).unmixed().map(|name| name.0);
    for (name, other) in [
        ("P\u{430}ul", "Paul"),
        ("\u{422}om", "Tom"),
        ("\u{39C}axim", "Maxim"),
        ("Анна", "Анна"),
        ("Kim 지우", "Kim 지우"),
    ] {
        assert_eq!(unmixed(name).as_deref(), Some(other));
    }
    assert_eq!(unmixed("안нет"), None);
}

#[test]
fn one_room_has_one_key_and_one_path() {
    let key = |name: &str| RoomName::parse(name).unwrap().key();
    assert_eq!(key("  Design   REVIEW "), key("design review"));
    assert_eq!(key("Straße"), key("STRASSE"));
    assert_eq!(key("각"), key("\u{1100}\u{1161}\u{11A8}"));
    assert_eq!(key("A").path(), "/r/a");
    assert_eq!(key("100%").path(), "/r/100%25");
    assert_eq!(key("디자인 리뷰").path(), "/r/%EB%94%94%EC%9E%90%EC%9D%B8%20%EB%A6%AC%EB%B7%B0");
}

#[test]
fn look_alikes_share_a_name_key() {
    let key = |name: &str| UserName::parse(name).unwrap().key();
    assert_eq!(key("Paul"), key("P\u{430}ul"));
    assert_eq!(key("PAUL"), key("paul"));
    assert_eq!(key("Ｐａｕｌ"), key("paul"));
    assert_eq!(key("ji woo"), key("jiwoo"));
    assert_ne!(key("지우"), key("지유"));
    assert_ne!(key("Jiwoo"), key("Jiwoo 2"));
}

proptest! {
    #[test]
    fn a_key_is_its_own_key(typed in "\\PC{0,20}") {
        if let Ok(name) = RoomName::parse(&typed) {
            let key = name.key();
            prop_assert_eq!(RoomKey::parse(key.as_str()), Ok(key));
        }
    }

    #[test]
    fn parsing_a_parsed_name_changes_nothing(typed in "\\PC{0,20}") {
        if let Ok(name) = UserName::parse(&typed) {
            prop_assert_eq!(UserName::parse(name.as_str()), Ok(name.clone()));
        }
    }

    #[test]
    fn names_with_one_skeleton_clash(one in LETTERS, other in LETTERS, swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        // `other` becomes a twin of `one`, letter by letter, where there is one.
        let mut twin: Vec<char> = one.chars().collect();
        for swap in swaps {
            let at = swap.index(twin.len());
            if let Some(others) = TWINS.get(&prototype(twin[at])) {
                twin[at] = *swap.get(others);
            }
        }
        for other in [twin.into_iter().collect::<String>(), other] {
            let (Ok(one), Ok(other)) = (UserName::parse(&one), UserName::parse(&other)) else { continue };
            let look_alike = skeleton(one.as_str()).eq(skeleton(other.as_str()));
            prop_assert!(!look_alike || one.key().clashes(&other.key()), "{:?} {:?}", one, other);
            let (one, other) = (RoomName(one.0), RoomName(other.0));
            prop_assert!(!look_alike || one.looks().clashes(&other.looks()), "{:?} {:?}", one, other);
        }
    }
}

const LETTERS: &str = "[A-Za-z0-9А-Яа-яΑ-Ωα-ωａ-ｚＡ-Ｚ①②ⅠⅡﬁ𝐀-𝐳가-나口ロ工エ]{1,8}";

fn prototype(c: char) -> String {
    skeleton(&c.to_string()).collect()
}

/// Characters by what they look like.
static TWINS: LazyLock<HashMap<String, Vec<char>>> = LazyLock::new(|| {
    let mut twins = HashMap::<_, Vec<char>>::new();
    for c in ('!'..'\u{3000}').chain('\u{FF00}'..'\u{FFF0}').chain('\u{1D400}'..'\u{1D800}') {
        twins.entry(prototype(c)).or_default().push(c);
    }
    twins
});
