use super::{Strings, isolated, quoted};
#[cfg(feature = "ssr")]
use crate::theme::Theme;
use crate::{clock::Day, protocol::ErrorCode};

const MARKS: [char; 2] = ['‘', '’'];
const WEEKDAYS: [&str; 7] = ["일요일", "월요일", "화요일", "수요일", "목요일", "금요일", "토요일"];

pub static STRINGS: Strings = Strings {
    #[cfg(feature = "ssr")]
    pages: super::Pages {
        door_title: "이름 하나면 바로 대화",
        door_lead: "가입도 설치도 없이. 끊겨도 한 마디도 잃지 않습니다.",
        door_document: "들어가기 · Hubbub",
        name: "이름",
        room: "방",
        room_help: "없는 방이면 새로 만듭니다.",
        enter: "들어가기",
        free_names: "비어 있는 이름:",
        enter_as: |name| format!("{} 이름으로 들어가기", isolated(name)),
        language: "언어",
        talk: ["터널 들어가요, 잠깐 끊길지도…", "괜찮아요, 다 도착해요", "돌아왔어요! 빠진 것 하나 없네요.", "👏"],
        sign_in: "들어가기",
        theme: "화면 모드",
        theme_name: |theme| match theme {
            Theme::System => "시스템",
            Theme::Light => "밝게",
            Theme::Dark => "어둡게",
        },
        enter_sends: "Enter로 메시지 보내기",
        notify: "새 메시지 알림 받기",
        notify_refused: "브라우저가 이 사이트의 알림을 막고 있습니다. 브라우저 설정에서 허용해 주세요.",
        mute: "이 방의 알림 끄기",

        shortcuts: "키보드 단축키",
        shortcut_list: [
            ("Ctrl K, ⌘ K", "다른 방으로 가기"),
            ("Ctrl Enter, ⌘ Enter", "Enter 설정과 상관없이 보내기"),
            ("Shift Enter", "줄 바꾸기"),
            ("↑ ↓", "목록에서 메시지 사이 옮겨 가기"),
            ("Esc", "맨 위에 열린 것 닫기, 목록에서 입력란으로 돌아가기"),
            ("?", "이 목록 보기"),
        ],
        single_key: "? 키로 이 목록 열기",
        close: "닫기",

        rooms_title: "방",
        rooms_lead: "모든 방은 열려 있습니다. 골라서 들어가거나 새로 만드세요.",
        no_rooms: "아직 방이 없습니다. 위에서 첫 방을 만들어 보세요.",
        new_room: "새 방",
        create: "만들기",
        last_active: "마지막 활동",
        joined: "참여 중",

        problem_title: |status, code| match status {
            404 if code == ErrorCode::NotFound => "여기에는 아무것도 없습니다",
            403 => "이곳에서 온 요청이 아닙니다",
            404 => "없는 방입니다",
            422 => "쓸 수 없는 이름입니다",
            429 => "요청이 너무 많습니다",
            503 => "잠시만요",
            400..=499 => "하지 못했습니다",
            _ => "서버에 문제가 생겼습니다",
        },
        no_such_room: |room| {
            format!("{} 방은 아직 아무도 만들지 않았습니다. 지금 만들 수 있습니다.", quoted(MARKS, room))
        },
        try_again: "다시 시도",
        kept: "아직 보내지 못한 메시지",
        to_room: "방으로 돌아가기",
    },

    menu: "방과 사람",
    close_menu: "닫기",
    skip_to_composer: "메시지 쓰기로 건너뛰기",
    my_rooms: "내 방",
    all_rooms: "모든 방",
    here_now: "지금 여기",
    more_people: |n| format!("그 밖에 {n}명"),
    unread: |n| format!("안 읽은 메시지 {n}개"),
    sign_out: "로그아웃",
    online: "연결됨",
    connecting: "연결하는 중…",
    offline: "연결 끊김",
    signed_out: "로그아웃됨",
    people: |n| format!("{n}명"),
    copy_link: "이 방의 링크 복사",
    link_copied: "링크를 복사했습니다",
    leave: "이 방에서 나가기",

    settings: "설정",
    switch_room: "방으로 가기",
    no_room_found: "내 방 가운데 그런 이름은 없습니다.",
    all_or_new: "모든 방 보기, 새 방 만들기",

    messages: "메시지",
    older: "이전 메시지",
    loading: "불러오는 중…",
    newer: "다음 메시지",
    to_newest: "최신 메시지로",
    new_from_here: "새 메시지",
    copy_message: "이 메시지의 링크 복사",
    beginning: |room| format!("{} 방이 여기서 시작됩니다", quoted(MARKS, room)),
    be_first: "아직 아무도 글을 쓰지 않았습니다. 먼저 인사하거나, 이 방의 링크를 보내 보세요.",
    sending: "보내는 중",
    not_sent: |code| match code {
        ErrorCode::Unavailable => "서버 저장소가 응답하지 않아 보내지 못했습니다.".to_owned(),
        code => format!("보내지 못했습니다. {}", error(code)),
    },
    retry: "다시 보내기",
    discard: "지우기",
    entered: |names, others| format!("{} 들어왔습니다", list(names, others)),
    left: |names, others| format!("{} 나갔습니다", list(names, others)),
    gap: "오래 떠나 있었습니다. 그사이의 메시지는 여기에 보이지 않습니다.",
    reset: "서버가 이전 상태로 되돌아갔습니다. 앞서 보인 메시지가 없어졌을 수 있습니다.",
    new_messages: |n| format!("새 메시지 {n}개"),
    says: |name, text| format!("{} 님: {text}", isolated(name)),
    typing: |names, others| list(names, others) + " 입력하는 중…",

    write_message: "메시지 쓰기",
    send: "보내기",
    send_keys: "보내기 (Ctrl Enter, ⌘ Enter)",

    offline_banner: |seconds| match seconds {
        0 => "연결이 끊겼습니다. 지금 다시 연결합니다. 쓰던 글은 그대로 보관됩니다.".to_owned(),
        n => format!("연결이 끊겼습니다. {n}초 뒤 다시 연결합니다. 쓰던 글은 그대로 보관됩니다."),
    },
    connect_now: "지금 연결",
    outdated: "새 버전이 나왔습니다. 새로 고침",
    signed_out_banner: "로그아웃되었습니다. 쓰던 글은 보관됩니다. 다시 들어오면 이어집니다.",
    sign_in_as: |name| format!("{} 이름으로 다시 들어가기", isolated(name)),
    create_room: |room| format!("{} 방 만들기", quoted(MARKS, room)),

    error,

    day: |day, today| {
        let year = if day.year == today.year { String::new() } else { format!("{}년 ", day.year) };
        let prefix = match day.days_before(today) {
            0 => "오늘 · ",
            1 => "어제 · ",
            _ => "",
        };
        format!("{prefix}{year}{}", without_year(day))
    },
    full_day: |day| format!("{}년 {}", day.year, without_year(day)),
};

fn without_year(day: Day) -> String {
    format!("{}월 {}일 {}", day.month, day.day, WEEKDAYS[usize::from(day.weekday) % 7])
}

/// The people with the particle that fits: both 님 and 명 end in a consonant.
fn list(names: &[&str], others: usize) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("{} 님", isolated(name))).collect();
    let names = names.join(", ");
    if others == 0 { format!("{names}이") } else { format!("{names} 외 {others}명이") }
}

fn error(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NameEmpty => "다른 사람에게 보일 이름을 적어 주세요.",
        ErrorCode::NameTooLong => "이름이 너무 깁니다. 32자 이하로 줄여 주세요.",
        ErrorCode::NameInvalid => {
            "이름으로 쓸 수 없습니다. 점이나 빗금, 보이지 않는 문자 말고 글자, 숫자, 빈칸, 이모지로 적어 주세요."
        }
        ErrorCode::NameTaken => "이미 쓰이고 있거나 똑같아 보이는 이름입니다. 다른 이름을 골라 주세요.",
        ErrorCode::RoomEmpty => "방 이름을 적어 주세요.",
        ErrorCode::RoomTooLong => "방 이름이 너무 깁니다. 64자 이하로 줄여 주세요.",
        ErrorCode::RoomInvalid => {
            "방 이름으로 쓸 수 없습니다. 점이나 빗금, 보이지 않는 문자 말고 글자, 숫자, 빈칸, 이모지로 적어 주세요."
        }
        ErrorCode::RoomUnknown => "없는 방입니다. 이름을 확인하거나 새로 만들어 주세요.",
        ErrorCode::TextEmpty => "보낼 내용이 없습니다. 메시지를 먼저 써 주세요.",
        ErrorCode::TextTooLong => "메시지가 너무 깁니다. 4,000자 이하로 줄이거나 나눠 보내 주세요.",
        ErrorCode::TextInvalid => "메시지에 제어 문자가 있습니다. 지운 다음 다시 보내 주세요.",
        ErrorCode::BadFrame | ErrorCode::UnknownFrame | ErrorCode::NotText => {
            "이 페이지와 서버의 버전이 맞지 않습니다. 페이지를 새로 고쳐 주세요."
        }
        ErrorCode::NotJoined => "이 방에 들어와 있지 않습니다. 다시 들어와 주세요.",
        ErrorCode::TooManyRooms => "참여할 수 있는 방의 수가 찼습니다. 먼저 다른 방에서 나가 주세요.",
        ErrorCode::NotFound => "이 주소에는 아무것도 없습니다. 주소를 확인해 주세요.",
        ErrorCode::OutOfOrder => "앞선 메시지가 저장되지 않았습니다. 이 메시지를 다시 보내 주세요.",
        ErrorCode::Conflict => "이 자리에 다른 메시지가 이미 저장되었습니다. 다시 보내 주세요.",
        ErrorCode::EpochUnknown => "그사이 방이 새로 시작되었습니다. 페이지를 새로 고쳐 주세요.",
        ErrorCode::SessionExpired => "로그아웃되었습니다. 다시 들어와 주세요.",
        ErrorCode::OriginRefused => "다른 사이트에서 온 요청입니다. Hubbub을 직접 열고 다시 시도해 주세요.",
        ErrorCode::Unavailable => "서버 저장소가 응답하지 않습니다. 잠시 뒤 다시 시도해 주세요.",
        ErrorCode::Internal => "서버에서 문제가 생겼습니다. 다시 시도하고, 계속되면 운영자에게 알려 주세요.",
    }
}
