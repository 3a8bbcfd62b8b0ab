//! Dates as mail files have them.

use std::time::{Duration, SystemTime};

/// The end of the year 9999: a clock that is beyond it is wrong.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// Short names of the months, as all mail programs write them.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The words of a time in UTC.
#[derive(Debug)]
pub(crate) struct Date {
    /// Such as `Fri`.
    pub(crate) day_name: String,
    /// Without a zero before it.
    pub(crate) day: String,
    /// Such as `Feb`.
    pub(crate) month: String,
    pub(crate) year: String,
    /// Such as `09:12:33`.
    pub(crate) time: String,
}

impl Date {
    /// The words of a time; one before 1970 or after 9999 is taken for the nearest between.
    pub(crate) fn of(time: SystemTime) -> Self {
        // Such as `Fri, 01 Feb 1985 09:12:33 GMT`.
        let date =
            httpdate::fmt_http_date(time.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LATEST));
        let mut words = date.split([' ', ',']).filter(|word| !word.is_empty());
        let mut next = || words.next().unwrap_or_default().to_owned();
        let (day_name, day, month, year, time) = (next(), next(), next(), next(), next());
        Self { day_name, day: day.trim_start_matches('0').to_owned(), month, year, time }
    }
}
