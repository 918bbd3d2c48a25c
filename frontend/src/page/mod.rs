//! What the room page does only in a browser. Each part is attached once to the elements the server rendered; none of
//! them outlives the page, so nothing is ever detached.
//!
//! | module | what it is for |
//! |---|---|
//! | `announce` | one polite voice for the whole page |
//! | `composer` | Enter, drafts, the height of the field |
//! | `counter` | how much may still be written |
//! | `folds` | long messages, folded and unfolded |
//! | `keyboard` | keys that work anywhere, and the room switcher |
//! | `messages` | from message to message by the arrow keys |
//! | `notifications` | notifications by the browser |
//! | `presence` | whether somebody is there |
//! | `reading` | how far the reader has come |
//! | `scroll` | the line being read does not move |
//! | `settings` | what is set for this device |
//! | `tools` | what can be done with one message |

mod announce;
mod composer;
mod counter;
mod folds;
mod keyboard;
mod messages;
mod notifications;
mod presence;
mod reading;
mod scroll;
mod settings;
mod tools;

use crate::{clock, tab, whole};
use announce::Announcer;
use app::{
    client::{
        decisions::back::Back,
        opening::Opening,
        rows,
        state::{ConnectionState, Older, SidebarRoom},
    },
    domain::Entry,
    i18n::Strings,
    page::PageData,
    view::{
        parts::BRAND,
        room::{Handles, RoomPage},
        room_view::RoomView,
    },
};
use leptos::{
    prelude::*,
    tachys::dom::{document, window},
};
use std::sync::Arc;
use wasm_bindgen::{JsCast, JsValue, closure::Closure, convert::FromWasmAbi};
use web_sys::{Element, EventTarget, HtmlElement, KeyboardEvent, MessageChannel, MouseEvent};

/// Brings the page to life once it is hydrated: first what is seen, then what is done here, then what others do.
pub fn start(room: RoomPage, opening: Opening, page: PageData) {
    let RoomPage { chat, handles, entries } = room;
    let mut once = Some((opening, page, entries));
    effect(move || {
        let Some((opening, page, entries)) = once.take() else { return };
        let announcer = Announcer::new(chat, handles);
        let build = page.build.clone();
        in_turn(vec![
            Box::new(move || {
                clock::start(page.now);
                own_time_zone(chat, &page, &entries);
                today(chat, handles);
                if let Some(keeper) = scroll::keep(chat, handles, announcer) {
                    folds::attach(handles, &keeper);
                }
                composer::take_over(chat, handles);
                counter::attach(chat, handles, announcer);
            }),
            Box::new(move || {
                drawer(chat, handles);
                current_room(chat);
                copy_link(chat, handles, announcer);
                crowd(handles);
                messages::attach(chat, handles);
                tools::attach(chat, handles, announcer);
                keyboard::attach(chat, handles);
                settings::attach(chat);
            }),
            Box::new(move || {
                reading::watch(chat, handles);
                notifications::watch(chat);
                title(chat, handles);
                interruptions(chat, announcer);
                notice(chat, announcer);
                refusals(chat, announcer);
                returns(chat, announcer);
                tab::attach(chat, opening, build);
            }),
        ]);
    });
}

type Step = Box<dyn FnOnce()>;

/// Takes each step in a task of its own, as long as nothing broke: between them the browser paints, and answers the reader.
/// By messages, since timers of a tab in the background wait for a second each.
fn in_turn(steps: Vec<Step>) {
    let Ok(channel) = MessageChannel::new() else { return };
    let (owner, mut steps) = (Owner::current().unwrap_or_default(), steps.into_iter());
    let (here, there) = (channel.port1(), channel.port2());
    let next = there.clone();
    let take = Closure::<dyn FnMut(JsValue)>::new(move |_| {
        match steps.next().filter(|_| whole::is_whole()) {
            Some(step) => owner.with(step),
            None => return next.close(),
        }
        let _ = next.post_message(&JsValue::NULL);
    });
    here.set_onmessage(Some(take.into_js_value().unchecked_ref()));
    let _ = there.post_message(&JsValue::NULL);
}

/// The page was rendered for the zone the server knew. When that is not where the browser is, it is laid out again.
fn own_time_zone(chat: RoomView, page: &PageData, entries: &[Arc<Entry>]) {
    let zone = clock::zone();
    if zone == page.zone {
        return;
    }
    chat.rows.set(rows::layout(
        entries,
        chat.divider.get_untracked(),
        &[],
        &[],
        &|at| clock::local(at, &zone),
        &chat.me.get_value(),
    ));
    chat.zone.set(zone.into());
}

/// What day it is by the server's clock: looked at with each message, and each minute, as midnights come and laptops sleep.
fn today(chat: RoomView, handles: Handles) {
    let look = move || {
        let day = clock::local(clock::servers(), &chat.zone.get_untracked()).day;
        if handles.today.get_untracked() != day {
            handles.today.set(day);
        }
    };
    effect(move || {
        chat.zone.track();
        chat.rows.track();
        look();
    });
    set_interval(look, std::time::Duration::from_mins(1));
    on(&document(), "visibilitychange", move |_: web_sys::Event| look());
}

/// The sidebar on a narrow screen: Escape closes it, and so does choosing a room.
fn drawer(chat: RoomView, handles: Handles) {
    let Some(drawer) = handles.drawer.get_untracked() else { return };
    effect({
        let drawer = drawer.clone();
        move || {
            // It may have been opened before the script came.
            if chat.opened.get() > 0 {
                drawer.set_checked(false);
            }
        }
    });
    on(&document(), "keydown", move |ev: KeyboardEvent| {
        if ev.key() == "Escape" && drawer.checked() && !ev.is_composing() && !keyboard::something_is_open() {
            drawer.set_checked(false);
            let _ = drawer.focus();
        }
    });
}

/// The room on screen is in view in a list of many. Scrolled by hand: on a narrow screen the drawer is not to come out for it.
fn current_room(chat: RoomView) {
    effect(move || {
        chat.room.track();
        request_animation_frame(|| {
            let find = |selector| document().query_selector(selector).ok().flatten();
            let (Some(list), Some(link)) = (find(".rooms.scroll"), find(".rooms.scroll [aria-current]")) else {
                return;
            };
            let (list_box, link_box) = (list.get_bounding_client_rect(), link.get_bounding_client_rect());
            let below = link_box.top() - list_box.top();
            if below < 0.0 || link_box.bottom() > list_box.bottom() {
                #[allow(clippy::cast_possible_truncation)] // pixels
                let to_the_middle = (below - list_box.height() / 2.0) as i32;
                list.set_scroll_top(list.scroll_top() + to_the_middle);
            }
        });
    });
}

/// Says what everybody is told once the page is there; what it came with is read as any of its texts.
fn notice(chat: RoomView, announcer: Announcer) {
    let mut before = chat.notice.get_untracked();
    effect(move || {
        let notice = chat.notice.get();
        if let Some(new) = notice.as_ref().filter(|_| notice != before) {
            announcer.say(new.clone());
        }
        before = notice;
    });
}

/// Says once that the connection is lost or slow; the numbers in the banner change for the eye alone.
fn interruptions(chat: RoomView, announcer: Announcer) {
    let t = chat.strings;
    let mut before = 0;
    effect(move || {
        let (state, sentence) = match (chat.connection.get(), chat.slow.get()) {
            (ConnectionState::Offline { .. }, _) => (1, (t.offline_banner)(0)),
            (ConnectionState::Resting, _) => (2, t.resting_banner.to_owned()),
            (_, 0) => (0, String::new()),
            (_, left) => (3, (t.slow)(left)),
        };
        if state > 0 && state != before {
            announcer.say(sentence);
        }
        before = state;
    });
}

/// Says that a message was refused, in whichever room: its row says the rest.
fn refusals(chat: RoomView, announcer: Announcer) {
    let mut before = 0;
    effect(move || {
        let (_, refused) = chat.unsent.get();
        if refused > before {
            announcer.say(chat.strings.some_not_sent.to_owned());
        }
        before = refused;
    });
}

/// Says that the connection is back, and for a moment shows it.
fn returns(chat: RoomView, announcer: Announcer) {
    const SHOWN_MS: u64 = 3_000;
    let t = chat.strings;
    let mut back = Back::default();
    let mut hiding: Option<TimeoutHandle> = None;
    effect(move || {
        let connection = chat.connection.get();
        let told = back.step(connection, chat.unsent.get());
        if told.is_some() || connection != ConnectionState::Online {
            if let Some(hiding) = hiding.take() {
                hiding.clear();
            }
            chat.back.set(told);
        }
        if let Some(sent) = told {
            announcer.say((t.back)(sent));
            let hide = move || chat.back.set(None);
            hiding = set_timeout_with_handle(hide, std::time::Duration::from_millis(SHOWN_MS)).ok();
        }
    });
}

/// By the button in the head, and by the one that invites to an empty room, which comes and goes.
fn copy_link(chat: RoomView, handles: Handles, announcer: Announcer) {
    let copy_from = move |button: &Element| {
        let link = origin() + &chat.room.with_untracked(|room| room.key.path());
        copy(chat.strings, &link, chat.strings.link_copied, button, announcer);
    };
    if let Some(button) = handles.copy.get_untracked() {
        let copied = button.clone();
        on(&button, "click", move |_: MouseEvent| copy_from(&copied));
    }
    if let Some(log) = handles.log.get_untracked() {
        on(&log, "click", move |ev: MouseEvent| {
            let target = ev.target().and_then(|target| target.dyn_into::<Element>().ok());
            if let Some(button) = target.and_then(|target| target.closest("[data-copy]").ok().flatten()) {
                copy_from(&button);
            }
        });
    }
}

/// How many people are here, as a button: on a narrow screen it opens the drawer at the list of them, elsewhere the list stands
/// beside the room, and goes and comes.
fn crowd(handles: Handles) {
    let Some(button) = handles.crowd.get_untracked() else { return };
    let is_drawer = || matches_media("(max-width: 767px)");
    if !is_drawer() {
        let _ = button.set_attribute("aria-expanded", "true");
    }
    let pressed = button.clone();
    on(&button, "click", move |ev: MouseEvent| {
        ev.prevent_default();
        let list = document().get_element_by_id("people").and_then(|list| list.dyn_into::<HtmlElement>().ok());
        let (Some(list), Some(drawer)) = (list, handles.drawer.get_untracked()) else { return };
        if is_drawer() {
            drawer.set_checked(true);
            let _ = list.focus();
        } else if let Ok(Some(app)) = list.closest(".app") {
            let is_gone = app.class_list().toggle("alone").unwrap_or(false);
            let _ = pressed.set_attribute("aria-expanded", if is_gone { "false" } else { "true" });
        }
    });
}

fn origin() -> String {
    window().location().origin().unwrap_or_default()
}

/// Copies `text`, says `done`, and shows on the button that it did.
fn copy(t: &'static Strings, text: &str, done: &'static str, button: &Element, announcer: Announcer) {
    let navigator = window().navigator();
    // Pages served without TLS have no clipboard.
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|it| it.is_truthy());
    if has_clipboard {
        let marks = button.class_list();
        let copied = Closure::once(move |_: JsValue| {
            announcer.say(done.to_owned());
            let _ = marks.add_1("done");
            set_timeout(move || drop(marks.remove_1("done")), std::time::Duration::from_secs(2));
        });
        let kept = text.to_owned();
        let refused = Closure::once(move |_: JsValue| offer(&kept, t));
        let _ = navigator.clipboard().write_text(text).then2(&copied, &refused);
        // Only one of them is called: the other would free neither itself nor its twin.
        copied.forget();
        refused.forget();
    } else {
        offer(text, t);
    }
}

/// Shows what is to be copied by hand.
fn offer(text: &str, t: &Strings) {
    let _ = window().prompt_with_message_and_default(t.copy_by_hand, text);
}

/// The number of unread messages and the room. What comes into view right now is about to be read and not worth a flicker.
fn title(chat: RoomView, handles: Handles) {
    effect(move || {
        let seen = handles.shows_the_end(chat) && presence::is_looked_at();
        let here = chat.room.with(|room| room.key.clone());
        let counts = |line: &&SidebarRoom| !(seen && line.room.key == here);
        let unread: usize = chat.rooms.with(|rooms| rooms.iter().filter(counts).map(|line| line.unread).sum());
        let name = chat.room.with(|room| room.name.as_str().to_owned());
        let count = if unread == 0 { String::new() } else { format!("({}) ", Strings::badge(unread)) };
        document().set_title(&[&count, name.as_str(), " · ", BRAND].concat());
    });
}

/// Asks for the page above, if there is one and it is not on its way.
fn load_older(chat: RoomView) {
    if chat.older.get_untracked() == Older::Yes
        && let Some(actions) = chat.actions()
    {
        actions.load_older();
    }
}

/// Asks for the page below, if the rows end before the room does.
fn load_newer(chat: RoomView) {
    if chat.newer.get_untracked()
        && let Some(actions) = chat.actions()
    {
        actions.load_newer();
    }
}

/// Runs `f` now, and whenever a signal changed that it has read. All of them are one kind of [`Effect`]: each kind costs the
/// page another kilobyte.
fn effect(f: impl FnMut() + 'static) {
    let f: Box<dyn FnMut()> = Box::new(f);
    Effect::new(f);
}

/// Listens for as long as the page lives.
fn on<E: FromWasmAbi + 'static>(target: &EventTarget, event: &str, listener: impl FnMut(E) + 'static) {
    let listener = Closure::<dyn FnMut(E)>::new(listener).into_js_value();
    let _ = target.add_event_listener_with_callback(event, listener.unchecked_ref());
}

fn matches_media(query: &str) -> bool {
    window().match_media(query).ok().flatten().is_some_and(|list| list.matches())
}

/// Whether nothing on the page has the focus.
fn focus_is_free() -> bool {
    document().active_element().is_none_or(|element| element.dyn_ref::<HtmlElement>() == document().body().as_ref())
}

/// Runs `f` whenever the size of one of `elements` changed, before the next paint.
fn on_resize(elements: &[&Element], mut f: impl FnMut() + 'static) {
    let callback = Closure::<dyn FnMut(JsValue)>::new(move |_| f()).into_js_value();
    if let Ok(observer) = web_sys::ResizeObserver::new(callback.unchecked_ref()) {
        for element in elements {
            observer.observe(element);
        }
    }
}
