//! Charts: bars over time by outcome, as SVG, each with a table of the same numbers.
//!
//! Coordinates are percentages, so bars stretch with the page and text does not.

use super::layout::scrolling;
use super::outcome::Outcome;
use super::text::{counted, date, day_and_month, month_and_year, number, time};
use maud::{Markup, html};
use ooni_core::time::{DateTime, SECONDS_PER_DAY, SECONDS_PER_HOUR};
use ooni_store::query::aggregate::{Counts, Group};
use ooni_store::query::filter::Window;
use ooni_store::query::grain::Grain;
use ooni_store::value::Value;

/// Maximum bars of a chart.
const MOST: usize = 200;
/// Maximum labels of the time axis, so that they do not overlap on a narrow screen.
const LABELS: usize = 5;

/// Bars over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chart {
    /// A name for the ids of its elements, unique in the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// The time that a bar covers.
    pub grain: Grain,
    /// The bars, in order and without gaps.
    pub bars: Vec<Bar>,
    /// The outcomes that are shown.
    pub outcomes: Vec<Outcome>,
    /// Measurements before the first bar, because there were too many bars.
    pub left_out: u64,
}

/// The counts of an hour, day, ….
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// When it begins.
    pub start: DateTime,
    /// The counts.
    pub counts: Counts,
}

/// The grain that gives a window a readable number of bars; months if it has no end.
pub fn grain_of(window: Window) -> Grain {
    let (Some(from), Some(to)) = (window.from, window.to) else { return Grain::Month };
    match (to.timestamp() - from.timestamp()) / SECONDS_PER_DAY {
        ..3 => Grain::Hour,
        3..100 => Grain::Day,
        100..1000 => Grain::Week,
        1000..6000 => Grain::Month,
        _ => Grain::Year,
    }
}

impl Chart {
    /// The chart of groups by time. Empty bars are added before, between and after them, as far as the window goes.
    pub fn new(id: &'static str, title: String, grain: Grain, window: Window, groups: &[Group]) -> Chart {
        let counted: Vec<Bar> = groups
            .iter()
            .filter_map(|group| match group.keys.first() {
                Some(Value::Time(start)) => Some(Bar { start: *start, counts: group.counts }),
                _ => None,
            })
            .collect();
        let mut chart = Chart { id, title, grain, bars: Vec::new(), outcomes: Outcome::ALL.to_vec(), left_out: 0 };
        let of_window = (window.from.map(|from| grain.start(from)), window.to.and_then(|to| to.plus_seconds(-1)));
        let of_groups = (counted.first().map(|bar| bar.start), counted.last().map(|bar| bar.start));
        let (Some(mut first), Some(mut last)) = (of_window.0.or(of_groups.0), of_window.1.or(of_groups.1)) else {
            return chart;
        };
        // The end of a period at midnight is not a bar of its own.
        if grain.start(last) == last && of_groups.1.is_none_or(|end| end < last) && first < last {
            last = last.plus_seconds(-1).unwrap_or(last);
        }
        // A window may have a thousand years, most of them without measurements.
        if let (true, Some(start), Some(end)) = (is_long(grain, first, last), of_groups.0, of_groups.1) {
            (first, last) = (start, end);
        }
        if is_long(grain, first, last) {
            first = last.plus_seconds(-span(grain)).map_or(first, |start| grain.start(start));
        }
        let mut counted = counted.into_iter().peekable();
        while let Some(bar) = counted.next_if(|bar| bar.start < first) {
            chart.left_out += bar.counts.measurements;
        }
        let mut start = first;
        while start <= last {
            let counts = counted.next_if(|bar| bar.start <= start).map_or_else(Counts::default, |bar| bar.counts);
            chart.bars.push(Bar { start, counts });
            let Some(next) = grain.end(start) else { break };
            start = next;
        }
        chart
    }

    /// The same chart, of one outcome alone.
    #[must_use]
    pub fn only(self, outcome: Outcome) -> Chart {
        Chart { outcomes: vec![outcome], ..self }
    }

    /// The chart, its legend and its table.
    pub fn render(&self) -> Markup {
        let total: u64 = self.bars.iter().map(|bar| self.height(bar)).sum();
        if total == 0 {
            return html! { p class="note" { "There are no measurements in this period." } };
        }
        let (title, about) = (format!("{}-title", self.id), format!("{}-about", self.id));
        let top = nice(self.bars.iter().map(|bar| self.height(bar)).max().unwrap_or(1));
        html! {
            figure class="chart" {
                (self.legend())
                div class="plot" {
                    div class="scale" aria-hidden="true" {
                        span { (number(top)) }
                        @if top.is_multiple_of(2) { span { (number(top / 2)) } }
                        span { "0" }
                    }
                    svg class="bars" role="img" aria-labelledby={ (title) " " (about) } {
                        title id=(title) { (self.title) }
                        desc id=(about) { (self.about(total)) }
                        g class="grid" {
                            @for y in ["0", "50%", "100%"] { line x1="0" x2="100%" y1=(y) y2=(y) {} }
                        }
                        @for (at, bar) in self.bars.iter().enumerate() { (self.bar(at, bar, top)) }
                    }
                    svg class="times" aria-hidden="true" {
                        @for (x, anchor, text) in self.labels() { text x=(x) y="1em" text-anchor=(anchor) { (text) } }
                    }
                }
                @if self.left_out > 0 {
                    p class="note" { (counted(self.left_out, "earlier measurement is", "earlier measurements are")) " not shown." }
                }
                (self.table())
            }
        }
    }

    fn height(&self, bar: &Bar) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.count(&bar.counts)).sum()
    }

    /// What the chart shows, in a sentence.
    fn about(&self, total: u64) -> String {
        let (Some(first), Some(last)) = (self.bars.first(), self.bars.last()) else { return String::new() };
        let most = self.bars.iter().max_by_key(|bar| self.height(bar)).unwrap_or(first);
        format!(
            "{} from {} to {}; the maximum per {} is {}, at {}. The table below has all numbers.",
            counted(total, "measurement", "measurements"),
            first.start.date_text(),
            last.start.date_text(),
            noun(self.grain),
            number(self.height(most)),
            self.name(most.start)
        )
    }

    fn legend(&self) -> Markup {
        html! {
            ul class="legend" {
                // As they are stacked.
                @for outcome in self.outcomes.iter().rev() {
                    li title=(outcome.meaning()) {
                        svg class="key" aria-hidden="true" { rect class=(outcome.name()) width="100%" height="100%" {} }
                        (outcome.label()) " "
                        span class="count" { (number(self.bars.iter().map(|bar| outcome.count(&bar.counts)).sum())) }
                    }
                }
            }
        }
    }

    /// A bar, stacked; what it stands for is shown when it is pointed at.
    fn bar(&self, at: usize, bar: &Bar, top: u64) -> Markup {
        let total = self.height(bar);
        if total == 0 {
            return html! {};
        }
        let slot = 100.0 / self.bars.len() as f64;
        let (x, width) = (percent(at as f64 * slot + slot * 0.1), percent(slot * 0.8));
        let mut below = 0;
        let parts = self.outcomes.iter().map(|outcome| {
            let count = outcome.count(&bar.counts);
            below += count;
            (outcome.name(), count, percent(100.0 - 100.0 * below as f64 / top as f64))
        });
        html! {
            g {
                title { (self.name(bar.start)) ": " (self.in_words(bar)) }
                @for (class, count, y) in parts {
                    @if count > 0 {
                        rect class=(class) x=(x) width=(width) y=(y) height=(percent(100.0 * count as f64 / top as f64)) {}
                    }
                }
            }
        }
    }

    /// The counts of a bar.
    fn in_words(&self, bar: &Bar) -> String {
        let parts = self.outcomes.iter().rev().map(|outcome| (outcome.label(), outcome.count(&bar.counts)));
        let parts = parts.filter(|(_, count)| *count > 0).map(|(label, count)| format!("{} {label}", number(count)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The labels of the time axis: position, anchor and text.
    fn labels(&self) -> Vec<(String, &'static str, String)> {
        let count = self.bars.len();
        let is_by_day = self.grain == Grain::Hour && count > 48;
        // A day of hours has its label in its middle.
        let (unit, shift) = if is_by_day { (24, 12.0) } else { (1, 0.5) };
        let step = count.div_ceil(unit).div_ceil(LABELS) * unit;
        let places = (0..count).step_by(step.max(1)).filter_map(|at| {
            let x = 100.0 * (at as f64 + shift) / count as f64;
            let start = self.bars.get(at)?.start;
            let text = match self.grain {
                Grain::Hour if !is_by_day => start.to_string().get(11..16)?.to_owned(),
                Grain::Hour | Grain::Day | Grain::Week => day_and_month(start),
                Grain::Month => month_and_year(start),
                Grain::Year => start.date().0.to_string(),
            };
            let (x, anchor) = match x {
                ..6.0 => (0.0, "start"),
                94.0.. => (100.0, "end"),
                _ => (x, "middle"),
            };
            Some((percent(x), anchor, text))
        });
        places.collect()
    }

    /// The period of a bar.
    fn name(&self, start: DateTime) -> String {
        match self.grain {
            Grain::Hour => start.to_string().get(..16).unwrap_or_default().to_owned(),
            Grain::Day => start.date_text(),
            Grain::Week => format!("week of {}", start.date_text()),
            Grain::Month => month_and_year(start),
            Grain::Year => start.date().0.to_string(),
        }
    }

    fn table(&self) -> Markup {
        let caption = format!("{}-caption", self.id);
        let has_total = self.outcomes.len() > 1;
        let table = html! {
            table {
                caption id=(caption) {
                    (self.title) ". " (capitalized(noun(self.grain))) "s without measurements are left out."
                }
                thead {
                    tr {
                        th scope="col" { (capitalized(noun(self.grain))) }
                        @if has_total { th scope="col" class="number" { "Measurements" } }
                        @for outcome in &self.outcomes { th scope="col" class="number" { (outcome.label()) } }
                    }
                }
                tbody {
                    @for bar in self.bars.iter().rev().filter(|bar| self.height(bar) > 0) {
                        tr {
                            th scope="row" { (self.period(bar.start)) }
                            @if has_total { td class="number" { (number(self.height(bar))) } }
                            @for outcome in &self.outcomes { td class="number" { (number(outcome.count(&bar.counts))) } }
                        }
                    }
                }
            }
        };
        html! {
            details {
                summary { "The numbers as a table" }
                (scrolling(&caption, &table))
            }
        }
    }

    fn period(&self, start: DateTime) -> Markup {
        match self.grain {
            Grain::Hour => time(start),
            Grain::Day | Grain::Week => date(start),
            Grain::Month | Grain::Year => html! { (self.name(start)) },
        }
    }
}

/// A row of bars without an axis, for a cell of a table that also has the numbers. `of` is the length of a full bar.
pub fn inline(counts: &Counts, of: u64) -> Markup {
    let share = |count: u64| 100.0 * count as f64 / of.max(1) as f64;
    let mut before = 0;
    let parts = Outcome::ALL.map(|outcome| {
        let count = outcome.count(counts);
        let x = share(before);
        before += count;
        (outcome.name(), x, share(count))
    });
    html! {
        svg class="inline" aria-hidden="true" {
            @for (class, x, width) in parts {
                @if width > 0.0 { rect class=(class) x=(percent(x)) width=(percent(width)) height="100%" {} }
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2}%", share.clamp(0.0, 100.0))
}

/// A round number that is not below a count: the top of the scale. Half of it is a whole number, except of 1.
fn nice(count: u64) -> u64 {
    if let Some(top) = [1, 2, 4, 6, 8].into_iter().find(|top| *top >= count) {
        return top;
    }
    let mut unit: u64 = 1;
    loop {
        for factor in [10, 12, 16, 20, 24, 30, 40, 50, 60, 80] {
            match unit.checked_mul(factor) {
                Some(top) if top < count => {}
                Some(top) => return top,
                None => return count,
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// Whether there would be too many bars.
fn is_long(grain: Grain, first: DateTime, last: DateTime) -> bool {
    last.timestamp() - first.timestamp() > span(grain)
}

/// A time that has at most as many bars as a chart may have, in seconds.
fn span(grain: Grain) -> i64 {
    let shortest = match grain {
        Grain::Hour => SECONDS_PER_HOUR,
        Grain::Day => SECONDS_PER_DAY,
        Grain::Week => 7 * SECONDS_PER_DAY,
        Grain::Month => 28 * SECONDS_PER_DAY,
        Grain::Year => 365 * SECONDS_PER_DAY,
    };
    shortest * (MOST as i64 - 1)
}

fn noun(grain: Grain) -> &'static str {
    match grain {
        Grain::Hour => "hour",
        Grain::Day => "day",
        Grain::Week => "week",
        Grain::Month => "month",
        Grain::Year => "year",
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: u16, month: u8, day: u8) -> DateTime {
        DateTime::new(year, month, day, 0, 0, 0).unwrap()
    }

    fn group(start: DateTime, measurements: u64) -> Group {
        let counts = Counts { measurements, anomaly: 1, ..Counts::default() };
        Group { keys: vec![Value::Time(start)], counts }
    }

    fn chart(grain: Grain, window: Window, groups: &[Group]) -> Chart {
        Chart::new("test", "Measurements".to_owned(), grain, window, groups)
    }

    #[test]
    fn gaps_are_filled() {
        let window = Window::new(at(2025, 7, 1), at(2025, 7, 8));
        let chart = chart(Grain::Day, window, &[group(at(2025, 7, 2), 3), group(at(2025, 7, 5), 4)]);
        let heights: Vec<u64> = chart.bars.iter().map(|bar| chart.height(bar)).collect();
        assert_eq!(heights, [0, 3, 0, 0, 4, 0, 0]);
        assert_eq!(
            chart.only(Outcome::Anomaly).about(2),
            "2 measurements from 2025-07-01 to 2025-07-07; the maximum per day is 1, at 2025-07-05. The table below has all numbers."
        );
    }

    #[test]
    fn there_are_never_too_many_bars() {
        for grain in [Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Year] {
            let long = chart(grain, Window::new(DateTime::MIN, DateTime::MAX), &[]);
            assert!(long.bars.len() <= MOST && !long.bars.is_empty(), "{grain:?}: {}", long.bars.len());
            let groups =
                [(1000, 5), (2024, 6), (2025, 7)].map(|(year, count)| group(grain.start(at(year, 7, 1)), count));
            let long = chart(grain, Window::default(), &groups);
            assert!(long.bars.len() <= MOST, "{grain:?}: {}", long.bars.len());
            let shown: u64 = long.bars.iter().map(|bar| bar.counts.measurements).sum();
            assert_eq!(shown + long.left_out, 18, "{grain:?}");
        }
    }

    #[test]
    fn numbers_are_in_the_table() {
        let window = Window::new(at(2025, 7, 1), at(2025, 7, 3));
        let html = chart(Grain::Day, window, &[group(at(2025, 7, 2), 1234)]).render().into_string();
        assert!(html.contains("role=\"img\" aria-labelledby=\"test-title test-about\""), "{html}");
        assert!(
            html.contains(
                "<th scope=\"row\"><time datetime=\"2025-07-02\">2025-07-02</time></th><td class=\"number\">1,234</td>"
            ),
            "{html}"
        );
        assert!(html.contains("2025-07-02: 1,233 OK, 1 Anomaly"), "{html}");
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn scales() {
        assert_eq!([0, 1, 3, 9, 11, 31, 99, 501, u64::MAX].map(nice), [1, 1, 4, 10, 12, 40, 100, 600, u64::MAX]);
        let day = |days: i64| grain_of(Window { from: Some(at(2025, 1, 1)), to: at(2025, 1, 1).plus_days(days) });
        assert_eq!(
            [1, 30, 365, 3650, 10_000].map(day),
            [Grain::Hour, Grain::Day, Grain::Week, Grain::Month, Grain::Year]
        );
        assert_eq!(grain_of(Window::default()), Grain::Month);
    }
}
