//! A moment in the reader's time zone. The server knows the zone from a cookie and uses the time zone database; the
//! browser asks its own `Date`.

/// A calendar day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day {
    pub year: i16,
    /// 1 to 12
    pub month: u8,
    /// 1 to 31
    pub day: u8,
    /// 0 is Sunday.
    pub weekday: u8,
}

/// How a reader tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dial<'a> {
    /// IANA name of the time zone; empty where nobody knows it, and told as UTC.
    pub zone: &'a str,
    /// Twice twelve hours, or 24.
    pub halves: bool,
}

/// A day and a time of day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Local {
    pub day: Day,
    pub hour: u8,
    pub minute: u8,
}

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

impl Day {
    /// Days since 1970-01-01, so that "yesterday" is a subtraction.
    fn number(self) -> i64 {
        // Counting years from March puts the leap day at a year's end, where it moves no other month.
        let (year, month) = match (i64::from(self.year), i64::from(self.month)) {
            (year, month @ 3..) => (year, month - 3),
            (year, month) => (year - 1, month + 9),
        };
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year - 719_468
    }

    /// How many days `self` is before `today`; negative if it is after.
    pub fn days_before(self, today: Self) -> i64 {
        today.number() - self.number()
    }
}

/// The wall clock in Greenwich at `at` (milliseconds since 1970-01-01 UTC).
pub fn utc(at: u64) -> Local {
    let days = i64::try_from(at / DAY).unwrap_or(0);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let small = |n: i64| u8::try_from(n).unwrap_or(0);
    let minutes = at % DAY / MINUTE;
    Local {
        day: Day {
            year: i16::try_from(era * 400 + year_of_era + carry).unwrap_or(i16::MAX),
            month: small(month),
            day: small(day),
            weekday: small((days + 4).rem_euclid(7)),
        },
        hour: u8::try_from(minutes / 60).unwrap_or(0),
        minute: u8::try_from(minutes % 60).unwrap_or(0),
    }
}

/// `at` as the `datetime` of a `<time>`: `2026-11-22T14:02Z`.
pub fn machine(at: u64) -> String {
    let Local { day, hour, minute } = utc(at);
    format!("{:04}-{:02}-{:02}T{hour:02}:{minute:02}Z", day.year, day.month, day.day)
}

/// Whether the time zone database has `zone`.
#[cfg(feature = "ssr")]
pub fn is_zone(zone: &str) -> bool {
    jiff::tz::TimeZone::get(zone).is_ok()
}

/// The wall clock at `at` (milliseconds since 1970-01-01 UTC) in the IANA time zone `zone`; UTC if there is no such zone.
#[cfg(feature = "ssr")]
pub fn local(at: u64, zone: &str) -> Local {
    let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX)).unwrap_or_default();
    let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let at = zone.to_datetime(timestamp);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    Local {
        day: Day {
            year: at.year(),
            month: small(at.month()),
            day: small(at.day()),
            weekday: small(at.weekday().to_sunday_zero_offset()),
        },
        hour: small(at.hour()),
        minute: small(at.minute()),
    }
}

#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
pub use browser::{local, now, servers, start, zone};

#[cfg(all(feature = "hydrate", not(feature = "ssr")))]
mod browser {
    use super::{DAY, Day, Local, MINUTE, utc};
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
}

#[cfg(test)]
#[cfg(feature = "ssr")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_day_is_the_readers_not_utc() {
        let at = 1_795_392_000_000 - 60_000; // 2026-11-22T23:59Z
        assert_eq!(local(at, "UTC").day.day, 22);
        let seoul = local(at, "Asia/Seoul");
        assert_eq!((seoul.day.day, seoul.day.weekday, seoul.hour, seoul.minute), (23, 1, 8, 59));
        assert_eq!(local(at, "Not/AZone"), local(at, "UTC"));
        assert_eq!(machine(at), "2026-11-22T23:59Z");
    }

    proptest! {
        #[test]
        fn the_calendar_agrees_with_the_time_zone_database(at in 0_u64..7_000_000_000_000) {
            prop_assert_eq!(utc(at), local(at, "UTC"));
            prop_assert_eq!(utc(at).day.number(), i64::try_from(at / DAY).unwrap());
        }
    }
}
