use super::{Strings, isolated, quoted};
use crate::{client::clock::Day, protocol::ErrorCode};
#[cfg(feature = "ssr")]
use crate::{density::Density, theme::Theme};

const MARKS: [char; 2] = ['‘', '’'];
const WEEKDAYS: [&str; 7] = ["일요일", "월요일", "화요일", "수요일", "목요일", "금요일", "토요일"];

pub static STRINGS: Strings = Strings {
    #[cfg(feature = "ssr")]
    pages: super::Pages {
        door_title: "이름 하나면 바로 대화",
        door_lead: "가입도 설치도 필요 없습니다. 연결이 끊겨도 한마디도 사라지지 않습니다.",
        door_document: "Hubbub: 이름 하나면 바로 대화",
        name: "이름",
        room: "방",
        room_help: "처음 쓰는 이름이면 방이 새로 만들어집니다. 방은 들어온 사람 누구나 읽을 수 있습니다.",
        enter: "들어가기",
        name_hint: "지우",
        room_hint: "점심",
        lively: "지금 사람이 있는 방:",
        so_many_here: |n| format!("{n}명"),
        free_names: "쓸 수 있는 이름:",
        enter_as: |name| format!("{} 이름으로 들어가기", isolated(name)),
        language: "언어",
        talk: ["터널 들어가요, 잠깐 끊길지도…", "괜찮아요, 다 도착해요", "돌아왔어요! 빠진 것 하나 없네요.", "👏"],
        about: "Hubbub은 이렇습니다",
        facts: [
            ("계정이 없습니다", "비밀번호도 없습니다. 쓰는 동안에는 다른 사람이 같은 이름을 쓸 수 없습니다."),
            ("터널에서도 괜찮습니다", "그대로 쓰세요. 다시 연결되면 순서대로 한 번씩 전송됩니다."),
            ("링크가 초대장입니다", "방 주소를 보내면 받은 사람도 들어올 수 있습니다."),
        ],
        sign_in: "들어가기",
        theme: "화면 모드",
        theme_name: |theme| match theme {
            Theme::System => "시스템",
            Theme::Light => "밝게",
            Theme::Dark => "어둡게",
        },
        density: "간격",
        density_name: |density| match density {
            Density::Comfortable => "넉넉하게",
            Density::Compact => "촘촘하게",
        },
        enter_sends: "Enter로 메시지 보내기",
        notify: "새 메시지 알림 받기",
        notify_refused: "브라우저가 이 사이트의 알림을 막고 있습니다. 브라우저 설정에서 허용해 주세요.",
        notify_here: "이 방의 알림 받기",
        leave: "이 방에서 나가기",

        waits: "페이지가 준비되는 대로 보냅니다",
        stopped: "멈춤",
        sign_out_unsent: ["아직 보내지 않은 메시지 #개가 사라집니다. 로그아웃할까요?"; 2],
        stopped_banner: "페이지가 멈췄습니다. 쓰는 글은 그대로 보낼 수 있습니다.",
        reload: "새로 고침",
        text_only: "Hubbub에서는 글만 보낼 수 있습니다. 링크를 붙여 넣어 주세요.",

        shortcuts: "키보드 단축키",
        shortcut_list: [
            ("Ctrl K, ⌘ K", "방 찾기"),
            ("Ctrl Enter, ⌘ Enter", "Enter 설정과 관계없이 보내기"),
            ("Shift Enter", "줄 바꾸기"),
            ("↑ ↓", "메시지 사이 이동"),
            ("Esc", "열린 창 닫기 · 입력란으로 돌아가기"),
            ("?", "이 목록 보기"),
        ],
        single_key: "? 키로 이 목록 열기",
        close: "닫기",

        rooms_title: "방",
        rooms_lead: "모든 방은 열려 있어서 들어온 사람은 누구나 읽을 수 있습니다. 골라서 들어가거나 새로 만들어 보세요.",
        no_rooms: "아직 방이 없습니다. 위에서 첫 방을 만들어 보세요.",
        new_room: "새 방",
        create: "만들기",
        find_room: "방 찾기",
        rooms_found: |n| if n == 0 { "찾은 방이 없습니다".to_owned() } else { format!("방 {n}개") },
        no_room_called: |room| format!("{} 방은 없습니다.", quoted(MARKS, room)),
        only_latest: "최근에 활동이 있던 방들입니다. 다른 방은 이름 전체를 입력해 찾아 주세요.",
        back_to: |room| format!("{} 방으로 돌아가기", isolated(room)),
        last_message: "마지막 메시지",
        made: "개설",
        are_here: |names, others| list(names, others) + " 접속 중",
        joined: "참여 중",
        you_left: |room| format!("{} 방에서 나왔습니다", isolated(room)),
        undo: "되돌리기",

        problem_title: |status, code| match status {
            404 if code == ErrorCode::NotFound => "여기에는 아무것도 없습니다",
            403 => "다른 사이트에서 보낸 요청입니다",
            404 => "없는 방입니다",
            422 => "쓸 수 없는 이름입니다",
            429 => "요청이 너무 많습니다",
            503 => "잠시만 기다려 주세요",
            400..=499 => "처리하지 못했습니다",
            _ => "서버에 문제가 생겼습니다",
        },
        no_such_room: |room| {
            format!("{} 방은 아직 아무도 만들지 않았습니다. 지금 만들 수 있습니다.", quoted(MARKS, room))
        },
        try_again: "다시 시도",
        open_at: "이 서버의 주소:",
        kept: "아직 보내지 못한 메시지",
        to_room: "방으로 돌아가기",
    },

    menu: "방과 사람",
    close_menu: "닫기",
    skip_to_composer: "메시지 입력란으로 건너뛰기",
    my_rooms: "내 방",
    all_rooms: "모든 방",
    here_now: "접속 중",
    more_people: |n| format!("외 {n}명"),
    you: "(나)",
    unread: |n| format!("안 읽은 메시지 {}개", Strings::badge(n)),
    sign_out: "로그아웃",
    online: "연결됨",
    connecting: "연결 중…",
    offline: "연결 끊김",
    signed_out: "로그아웃됨",
    people: |n| format!("{n}명"),
    copy_link: "이 방의 링크 복사",
    link_copied: "링크를 복사했습니다",
    room_menu: "방 메뉴",

    settings: "설정",
    switch_room: "방 찾기",
    no_room_found: "찾는 이름의 방이 없습니다.",
    all_or_new: "모든 방 보기 · 새 방 만들기",
    not_joined: "미참여",

    messages: "메시지",
    older: "이전 메시지",
    loading: "불러오는 중…",
    newer: "이후 메시지",
    to_newest: "최신 메시지로",
    new_from_here: "여기부터 새 메시지",
    copy_message: "이 메시지의 링크 복사",
    copy_text: "텍스트 복사",
    copy_address: "링크 복사",
    text_copied: "텍스트를 복사했습니다",
    copy_by_hand: "아래 내용을 복사하세요",
    show_more: "더 보기",
    show_less: "접기",
    beginning: |room| format!("{} 방이 여기서 시작됩니다", quoted(MARKS, room)),
    be_first: "아직 아무도 글을 쓰지 않았습니다. 먼저 인사하거나 이 방의 링크를 보내 보세요.",
    address: "이 방의 주소",
    copy: "링크 복사",
    example: "예: ‘12시에 점심 어때요? 먹고 싶은 것 적어 주세요.’",
    sending: "보내는 중",
    some_not_sent: "보내지 못한 메시지가 있습니다",
    not_sent: |code| match code {
        ErrorCode::Unavailable => "서버가 잠시 응답하지 않아 보내지 못했습니다.".to_owned(),
        code => format!("보내지 못했습니다. {}", error(code)),
    },
    retry: "다시 보내기",
    discard: "보내지 않기",
    entered: |names, others| format!("{} 들어왔습니다", list(names, others)),
    left: |names, others| format!("{} 나갔습니다", list(names, others)),
    gap: "오래 자리를 비우셨습니다. 그사이에 온 메시지는 여기에 보이지 않습니다.",
    reset: "서버가 이전 상태로 되돌아갔습니다. 앞서 보시던 메시지가 없어졌을 수 있습니다.",
    new_messages: |n| format!("새 메시지 {n}개"),
    says: |name, text| format!("{} 님: {text}", isolated(name)),
    typing: |names, others| list(names, others) + " 입력 중…",

    characters_left: |n| format!("{n}자 남음"),
    characters_over: |n| format!("{n}자 초과"),
    write_message: "메시지 쓰기",
    send: "보내기",
    send_keys: "보내기 (Ctrl Enter, ⌘ Enter)",

    offline_banner: |seconds| match seconds {
        0 => "연결이 끊겼습니다. 지금 다시 연결합니다. 쓰던 글은 그대로 보관됩니다.".to_owned(),
        n => format!("연결이 끊겼습니다. {n}초 뒤 다시 연결합니다. 쓰던 글은 그대로 보관됩니다."),
    },
    back: |sent| match sent {
        0 => "다시 연결되었습니다.".to_owned(),
        n => format!("다시 연결되었습니다! 메시지 {n}개를 보냈습니다."),
    },
    resting_banner: "열린 탭이 너무 많아 이 탭은 잠시 멈췄습니다. 다시 돌아오시면 이어집니다.",
    connect_now: "지금 연결",
    slow: |left| format!("천천히 보내는 중, {left}개 남음"),
    outdated: "새 버전이 나왔습니다. 새로 고침",
    put_away: "숨기기",
    signed_out_banner: "로그아웃되었습니다. 쓰던 글은 그대로 보관됩니다. 다시 들어오시면 이어서 쓸 수 있습니다.",
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
    halved: |time, morning| [if morning { "오전" } else { "오후" }, "\u{a0}", time].concat(),
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
        #[cfg(feature = "ssr")]
        ErrorCode::NameEmpty => "다른 사람에게 보일 이름을 적어 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::NameTooLong => "이름이 너무 깁니다. 32자 이하로 줄여 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::NameInvalid => {
            "이름으로 쓸 수 없습니다. 글자, 숫자, 빈칸, 이모지로 적어 주세요. 빗금이나 보이지 않는 문자는 쓸 수 없고, 점만으로는 안 됩니다."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::NameMixed | ErrorCode::RoomMixed => {
            "한 단어에 여러 언어의 글자가 섞여 있어 다른 이름처럼 보일 수 있습니다. 단어마다 한 가지 글자로 적어 주세요."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::NameTaken => "이미 누가 쓰고 있거나 비슷해 보이는 이름입니다. 다른 이름을 골라 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomEmpty => "방 이름을 적어 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomTooLong => "방 이름이 너무 깁니다. 64자 이하로 줄여 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::RoomInvalid => {
            "방 이름으로 쓸 수 없습니다. 글자, 숫자, 빈칸, 이모지로 적어 주세요. 빗금이나 보이지 않는 문자는 쓸 수 없고, 점만으로는 안 됩니다."
        }
        ErrorCode::RoomUnknown => "없는 방입니다. 이름을 확인하거나 새로 만들어 주세요.",
        ErrorCode::TextEmpty => "보낼 내용이 없습니다. 메시지를 먼저 써 주세요.",
        ErrorCode::TextTooLong => "메시지가 너무 깁니다. 4,000자 이하로 줄이거나 나눠 보내 주세요.",
        ErrorCode::TextInvalid => "메시지에 제어 문자가 있습니다. 지운 다음 다시 보내 주세요.",
        // What only pages without a script say, a script does not understand.
        #[cfg(not(feature = "ssr"))]
        ErrorCode::NameEmpty
        | ErrorCode::NameTooLong
        | ErrorCode::NameInvalid
        | ErrorCode::NameTaken
        | ErrorCode::RoomEmpty
        | ErrorCode::RoomTooLong
        | ErrorCode::RoomInvalid
        | ErrorCode::NotFound
        | ErrorCode::OriginRefused => error(ErrorCode::BadFrame),
        ErrorCode::BadFrame | ErrorCode::UnknownFrame | ErrorCode::NotText => {
            "이 페이지와 서버의 버전이 맞지 않습니다. 페이지를 새로 고쳐 주세요."
        }
        ErrorCode::NotJoined => "이 방에 들어와 있지 않습니다. 다시 들어와 주세요.",
        ErrorCode::TooManyRooms => "들어갈 수 있는 방 수(200개)를 다 채웠습니다. 먼저 다른 방에서 나가 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::NotFound => "주소에 잘못 적은 곳이 없는지 확인해 주세요.",
        ErrorCode::OutOfOrder => "앞서 보낸 메시지가 저장되지 않았습니다. 이 메시지를 다시 보내 주세요.",
        ErrorCode::Conflict => "이 메시지 대신 다른 메시지가 저장되었습니다. 다시 보내 주세요.",
        ErrorCode::EpochUnknown => "그사이 방이 새로 시작되었습니다. 페이지를 새로 고쳐 주세요.",
        ErrorCode::SessionExpired => "로그아웃되었습니다. 다시 들어와 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::OriginRefused => "안전을 위해 처리하지 않았습니다. Hubbub을 직접 열고 다시 시도해 주세요.",
        ErrorCode::TooMany => "짧은 시간에 요청이 너무 많았습니다. 잠시 뒤 다시 시도해 주세요.",
        ErrorCode::Unavailable => "서버가 응답하지 않습니다. 잠시 뒤 다시 시도해 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::NoCookie => {
            "브라우저가 로그인 쿠키를 저장하지 않아 들어올 수 없었습니다. 이름은 아직 누구나 쓸 수 있습니다. HTTPS 주소로 열어 주세요. 집 안에서만 쓰는 서버라면 운영자가 HUBBUB_ALLOW_PLAIN_HTTP=true 값을 설정할 수 있습니다."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::BadRequest => {
            "서버가 요청을 읽지 못했습니다. 이전 페이지로 돌아가 새로 고친 다음 다시 시도해 주세요."
        }
        #[cfg(feature = "ssr")]
        ErrorCode::TooSlow => "시간이 너무 오래 걸려 처리되었는지 알 수 없습니다. 다시 시도해 주세요.",
        #[cfg(feature = "ssr")]
        ErrorCode::TooLarge => "한 번에 받을 수 있는 양을 넘었습니다. 줄이거나 나눠 보내 주세요.",
        ErrorCode::Internal => "서버에서 문제가 생겼습니다. 다시 시도해 보시고, 계속되면 운영자에게 알려 주세요.",
    }
}
