//! [`Asked`]: the parameters of an aggregation.

use crate::http::{Error, Query};
use crate::params;
use ooni_core::time::{DateTime, SECONDS_PER_DAY};
use ooni_store::query::aggregate::{Aggregation, Axis};
use ooni_store::query::filter::{Category, Filter, Window};
use ooni_store::query::grain::Grain;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;
use utoipa::ToSchema;

/// The length of the window if `since` is missing.
const DEFAULT_DAYS: i64 = 180;

/// The parsed parameters of a request.
#[derive(Debug)]
pub(super) struct Asked {
    /// The measurements and the axes.
    pub(super) aggregation: Aggregation,
    /// The end of the window, if the request has both ends, so that the window stays the same.
    pub(super) until: Option<DateTime>,
    /// The format of the response.
    pub(super) format: Format,
    /// Whether the response is a file.
    pub(super) download: bool,
}

/// What measurements can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AxisName {
    BlockingType,
    CategoryCode,
    Domain,
    Input,
    MeasurementStartDay,
    ProbeAsn,
    ProbeCc,
    TestName,
}

/// The resolution of a time axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TimeGrain {
    Hour,
    Day,
    Week,
    Month,
    Year,
    #[default]
    Auto,
}

/// The format of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Format {
    #[default]
    Json,
    Csv,
}

impl Asked {
    /// Parses the parameters of a request that arrived `now`.
    pub(super) fn parse(query: &Query, now: DateTime) -> Result<Asked, Error> {
        let (since, until) = (params::time(query, "since")?, params::time(query, "until")?);
        let window = Window { from: since.or_else(|| now.plus_days(-DEFAULT_DAYS)), to: until.or(Some(now)) };
        let aggregation = Aggregation { filter: filter(query, window)?, axes: axes(query, window)? };
        let format = word(query, "format", str::to_ascii_uppercase, "JSON or CSV")?.unwrap_or_default();
        let download = params::boolean(query, "download")?.unwrap_or(false);
        Ok(Asked { aggregation, until: since.and(until), format, download })
    }
}

fn filter(query: &Query, window: Window) -> Result<Filter, Error> {
    let probe_ccs = params::countries(query, "probe_cc")?;
    let category = params::upper(query, "category_code")?.map(|code| Category { code, lists: lists(&probe_ccs) });
    Ok(Filter {
        input: params::text(query, "input")?,
        domains: params::domain::domains(query, "domain")?,
        probe_asns: params::asns(query, "probe_asn")?,
        test_names: params::tests(query, "test_name")?,
        ooni_run_link_ids: links(query)?,
        category,
        probe_ccs,
        window,
        ..Filter::default()
    })
}

/// The test lists that are searched: the global one and those of the countries.
fn lists(ccs: &[String]) -> Vec<String> {
    ccs.iter().map(|cc| cc.to_ascii_lowercase()).chain(["ZZ".to_owned()]).collect()
}

fn links(query: &Query) -> Result<Vec<u64>, Error> {
    const NAME: &str = "ooni_run_link_id";
    let number = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let links: Option<Vec<u64>> = params::commas(query, NAME).iter().map(number).collect();
    links.ok_or_else(|| params::invalid(NAME, "a list of numbers"))
}

fn axes(query: &Query, window: Window) -> Result<Vec<Axis>, Error> {
    let grain = word(query, "time_grain", str::to_ascii_lowercase, "hour, day, week, month, year or auto")?;
    let mut axes = Vec::new();
    for name in ["axis_x", "axis_y"] {
        let known =
            "blocking_type, category_code, domain, input, measurement_start_day, probe_asn, probe_cc or test_name";
        let Some(axis) = word(query, name, str::to_owned, known)? else { continue };
        axes.push(match axis {
            AxisName::BlockingType => Axis::BlockingType,
            AxisName::CategoryCode => Axis::CategoryCode,
            AxisName::Domain => Axis::Domain,
            AxisName::Input => Axis::Input,
            AxisName::MeasurementStartDay => Axis::MeasurementStart(resolution(grain.unwrap_or_default(), window)?),
            AxisName::ProbeAsn => Axis::ProbeAsn,
            AxisName::ProbeCc => Axis::ProbeCc,
            AxisName::TestName => Axis::TestName,
        });
    }
    match axes[..] {
        [x, y] if x == y => Err(Error::bad_request("axis_x and axis_y cannot be the same")),
        _ => Ok(axes),
    }
}

/// The resolution of a time axis over a window.
fn resolution(grain: TimeGrain, window: Window) -> Result<Grain, Error> {
    const NAMES: [(TimeGrain, Grain, &str); 5] = [
        (TimeGrain::Hour, Grain::Hour, "hour"),
        (TimeGrain::Day, Grain::Day, "day"),
        (TimeGrain::Week, Grain::Week, "week"),
        (TimeGrain::Month, Grain::Month, "month"),
        (TimeGrain::Year, Grain::Year, "year"),
    ];
    const WEEK: i64 = 7 * SECONDS_PER_DAY;
    const MONTH: i64 = 30 * SECONDS_PER_DAY;
    const YEAR: i64 = 365 * SECONDS_PER_DAY;
    let seconds = match (window.from, window.to) {
        (Some(from), Some(to)) if from < to => to.timestamp() - from.timestamp(),
        _ => return Err(Error::bad_request("Invalid since and until values: until must be after since")),
    };
    let (finest, coarsest) = match seconds {
        _ if seconds <= WEEK => (Grain::Hour, Grain::Day),
        _ if seconds <= MONTH => (Grain::Day, Grain::Week),
        _ if seconds <= YEAR => (Grain::Day, Grain::Month),
        _ => (Grain::Day, Grain::Year),
    };
    if grain == TimeGrain::Auto {
        return Ok(finest);
    }
    let allowed = || NAMES.iter().filter(|(_, grain, _)| (finest..=coarsest).contains(grain));
    match allowed().find(|(name, ..)| *name == grain) {
        Some((_, grain, _)) => Ok(*grain),
        None => {
            let names: Vec<&str> = allowed().map(|(.., name)| *name).collect();
            let names = names.join(", ");
            Err(Error::bad_request(format!("Choose time_grain between {names}, auto for the given time range")))
        }
    }
}

/// One of the words of an enumeration, after its case was changed.
fn word<T: for<'w> Deserialize<'w>>(
    query: &Query,
    name: &str,
    spell: fn(&str) -> String,
    words: &str,
) -> Result<Option<T>, Error> {
    let Some(text) = query.given(name) else { return Ok(None) };
    let word = T::deserialize(IntoDeserializer::<Unknown>::into_deserializer(spell(text)));
    word.map(Some).map_err(|_| params::invalid(name, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2025-07-15 10:30:00";

    fn at(text: &str) -> DateTime {
        params::parse_time(text).unwrap()
    }

    fn asked(query: &str) -> Result<Asked, String> {
        Asked::parse(&Query::parse(Some(query)), at(NOW)).map_err(|error| format!("{error:?}"))
    }

    fn grain(query: &str) -> Result<Grain, String> {
        match asked(&format!("axis_x=measurement_start_day&{query}"))?.aggregation.axes[..] {
            [Axis::MeasurementStart(grain)] => Ok(grain),
            ref axes => panic!("{axes:?}"),
        }
    }

    #[test]
    fn windows() {
        let window = |query: &str| asked(query).unwrap().aggregation.filter.window;
        assert_eq!(window(""), Window::new(at("2025-01-16 10:30"), at(NOW)));
        assert_eq!(window("since=2025-07-01"), Window::new(at("2025-07-01"), at(NOW)));
        assert_eq!(window("until=2025-06-10"), Window::new(at("2025-01-16 10:30"), at("2025-06-10")));
        assert_eq!(window("since=2025-07-06&until=2025-07-05"), Window::new(at("2025-07-06"), at("2025-07-05")));
    }

    #[test]
    fn resolutions() {
        use Grain::{Day, Hour, Month, Week, Year};
        let all = [("hour", Hour), ("day", Day), ("week", Week), ("month", Month), ("year", Year)];
        for (until, allowed) in [
            ("2024-01-08", &[Hour, Day][..]),
            ("2024-01-08T00:00:01", &[Day, Week]),
            ("2024-01-31", &[Day, Week]),
            ("2024-01-31T00:00:01", &[Day, Week, Month]),
            ("2024-12-31", &[Day, Week, Month]),
            ("2024-12-31T00:00:01", &[Day, Week, Month, Year]),
            ("9999-12-31T23:59:59", &[Day, Week, Month, Year]),
        ] {
            let window = format!("since=2024-01-01&until={until}");
            for auto in ["", "&time_grain=", "&time_grain=AUTO"] {
                assert_eq!(grain(&format!("{window}{auto}")), Ok(allowed[0]), "{until}");
            }
            for (name, wanted) in all {
                let parsed = grain(&format!("{window}&time_grain={name}"));
                assert_eq!(parsed.is_ok(), allowed.contains(&wanted), "{until} {name}: {parsed:?}");
                parsed.into_iter().for_each(|parsed| assert_eq!(parsed, wanted));
            }
        }
        let error = grain("since=2024-01-01&until=2024-02-01&time_grain=hour").unwrap_err();
        assert!(error.contains("Choose time_grain between day, week, month, auto for the given time range"), "{error}");
        for window in ["since=2024-01-01&until=2024-01-01", "since=2024-01-02&until=2024-01-01", "since=2025-07-16"] {
            assert!(grain(window).unwrap_err().contains("Invalid since and until values"), "{window}");
            asked(window).unwrap();
        }
        asked("time_grain=hour&axis_x=probe_cc").unwrap();
        asked("time_grain=minute").unwrap_err();
    }

    #[test]
    fn categories_are_searched_in_the_lists_of_the_countries() {
        let lists = |query: &str| asked(query).unwrap().aggregation.filter.category.unwrap().lists;
        assert_eq!(lists("category_code=NEWS"), ["ZZ"]);
        assert_eq!(lists("category_code=NEWS&probe_cc=RU,BR"), ["br", "ru", "ZZ"]);
    }
}
