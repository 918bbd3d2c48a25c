//! What the browser says of the time: its own `Date`.

use app::client::clock::{DAY, Day, Local, MINUTE, utc};
use js_sys::{Array, Date, Intl::DateTimeFormat, Object, Reflect};
use std::cell::Cell;
use wasm_bindgen::JsValue;

thread_local! {
    static ZONE: String = ask_zone().unwrap_or_else(|| "UTC".to_owned());
    /// What the server's clock and this device's showed when they were last looked at.
    static SERVERS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The page was rendered when the server's clock showed `now`.
pub fn start(now: u64) {
    SERVERS.set((now, self::now()));
}

/// The server's clock, since a device's may be days off: what it showed when the page was rendered, and what passed since
/// then by this device's, which counts the time a laptop sleeps. Where that is set back it stands still for a moment.
pub fn servers() -> u64 {
    let (server, then) = SERVERS.get();
    let now = now();
    let server = server + now.saturating_sub(then);
    SERVERS.set((server, now));
    server
}

fn ask_zone() -> Option<String> {
    let options = DateTimeFormat::new(&Array::new(), &Object::new()).resolved_options();
    Reflect::get(&options, &JsValue::from_str("timeZone")).ok()?.as_string()
}

/// The IANA name of the browser's own time zone.
pub fn zone() -> String {
    ZONE.with(Clone::clone)
}

/// Milliseconds since 1970-01-01 UTC.
pub fn now() -> u64 {
    // Positive and far below 2^53.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now = Date::now() as u64;
    now
}

/// The wall clock at `at` (milliseconds since 1970-01-01 UTC) in the IANA time zone `zone`; UTC if there is no such
/// zone. A zone other than the browser's is one the server was told earlier: the first render has to agree with it.
pub fn local(at: u64, zone: &str) -> Local {
    if zone == "UTC" || zone.is_empty() {
        return utc(at);
    }
    if ZONE.with(|own| own != zone) {
        return elsewhere(at, zone).unwrap_or_else(|| utc(at));
    }
    let date = date(at);
    let small = |n: u32| u8::try_from(n).unwrap_or(0);
    Local {
        day: Day {
            year: i16::try_from(date.get_full_year()).unwrap_or(i16::MAX),
            month: small(date.get_month() + 1),
            day: small(date.get_date()),
            weekday: small(date.get_day()),
        },
        hour: small(date.get_hours()),
        minute: small(date.get_minutes()),
    }
}

fn date(at: u64) -> Date {
    // A timestamp in milliseconds stays below 2^53 for 285,000 years.
    #[allow(clippy::cast_precision_loss)]
    Date::new(&(at as f64).into())
}

/// In a zone that is not the browser's: Swedish dates are written as ISO 8601 writes them.
fn elsewhere(at: u64, zone: &str) -> Option<Local> {
    let options = Object::new();
    Reflect::set(&options, &"timeZone".into(), &zone.into()).ok()?;
    Reflect::set(&options, &"hourCycle".into(), &"h23".into()).ok()?;
    // `toLocaleString` throws for a zone it does not know; through `Reflect` that is an error, not a trap.
    let method = Reflect::get(&Date::new_0(), &"toLocaleString".into()).ok()?;
    let method = wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(method).ok()?;
    let text = method.call2(&date(at), &"sv-SE".into(), &options).ok()?.as_string()?;
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (year, month, day, hour, minute) = (next()?, next()?, next()?, next()?, next()?);
    let small = |n: u64| u8::try_from(n).ok();
    let mut found = Local {
        day: Day { year: i16::try_from(year).ok()?, month: small(month)?, day: small(day)?, weekday: 0 },
        hour: small(hour)?,
        minute: small(minute)?,
    };
    let midnight = u64::try_from(found.day.number()).ok()? * DAY;
    found.day.weekday = utc(midnight + MINUTE).day.weekday;
    Some(found)
}
