//! The chart of the last 24 hours, as SVG, with its table.
//!
//! It has no view box: across, everything is in percent of its width, and down in pixels. So it fills a phone and a wide
//! screen, and its text has the size of the page's on both. What a colour says, a pattern or the place says, too.

use maud::{Markup, html};

use super::day::{HOUR, HOURS, Hour};
use super::guarded::Unsent;
use super::page::{moment, table};
use super::text::{clock, messages};
use crate::records::Moment;

/// Where the first hour begins, in percent of the width: left of it are the numbers of the scale.
const LEFT: f64 = 11.0;

/// The width of an hour, in percent of the whole.
const STEP: f64 = (100.0 - LEFT) / HOURS as f64;

/// The part of an hour's width that its bar leaves free at either side.
const GAP: f64 = 0.12;

/// Where the bars of what was sent stand, from the top, and how high they are, in pixels.
const SENT: Panel = Panel { bottom: 150.0, height: 134.0 };

/// The bars of what was not sent.
const UNSENT: Panel = Panel { bottom: 232.0, height: 44.0 };

/// What there is at all is this high, in pixels, at least: one failure beside 1,000 that arrived is to be seen.
const LEAST: f64 = 2.0;

/// Every so many hours there is one with its time below it.
const TIMED: Moment = 4;

/// A row of bars.
struct Panel {
    bottom: f64,
    height: f64,
}

/// What the chart is of.
#[derive(Clone, Copy)]
pub(super) struct Chart<'a> {
    /// The oldest first.
    pub hours: &'a [Hour; HOURS],
    /// How many of the messages of each hour were used, if that is known.
    pub used: Option<&'a [u64; HOURS]>,
    /// What was not sent in each hour, if that is known.
    pub unsent: Option<&'a [Unsent; HOURS]>,
}

impl Chart<'_> {
    /// Nothing was sent or refused in all these hours.
    pub(super) fn is_empty(&self) -> bool {
        let unsent = self.unsent.into_iter().flatten().map(Unsent::all).sum::<u64>();
        self.sum(Hour::sent) + unsent == 0
    }

    /// The chart with its legend and its table.
    pub(super) fn figure(&self) -> Markup {
        html! {
            figure class="chart" {
                (self.legend())
                (self.svg())
                details {
                    summary { "As a table" }
                    (self.hourly())
                }
            }
        }
    }

    /// What stands for what, and how many there are of it.
    fn legend(&self) -> Markup {
        let bar = |class: &str| html! { rect class=(class) width="14" height="14" {} };
        let item = |sign: Markup, name: &str, count: u64| {
            html! {
                li {
                    svg class="sign" width="14" height="14" aria-hidden="true" { (sign) }
                    (name) " " b { (count) }
                }
            }
        };
        html! {
            ul class="legend" {
                @for (class, name, count) in Hour::OUTCOMES {
                    (item(bar(class), name, self.sum(count)))
                }
                @if let Some(used) = self.used {
                    @let sign = html! { circle class="used" cx="7" cy="7" r="4" {} };
                    (item(sign, "used", used.iter().sum()))
                }
                @if let Some(unsent) = self.unsent {
                    @for (class, name, count) in Unsent::CAUSES {
                        (item(bar(class), name, unsent.iter().map(count).sum()))
                    }
                }
            }
        }
    }

    fn svg(&self) -> Markup {
        let bottom = if self.unsent.is_some() { UNSENT.bottom } else { SENT.bottom };
        html! {
            svg class="hours" width="100%" height=(bottom + 22.0) role="img"
                aria-labelledby="chart-title chart-text" {
                title id="chart-title" { "Messages of the last 24 hours, by the hour" }
                desc id="chart-text" { (self.told()) }
                defs {
                    (stripes("stripes-failed", 45))
                    (stripes("stripes-guard", 135))
                }
                (self.sent())
                @if let Some(unsent) = self.unsent {
                    (not_sent(unsent))
                }
                // The last hour is not over, and the text for that needs the room of three.
                @for (index, hour) in self.hours[..HOURS - 3].iter().enumerate() {
                    @if (hour.begins / HOUR).is_multiple_of(TIMED) {
                        text class="time" x=(percent(middle(index))) y=(bottom + 16.0) { (clock(hour.begins)) }
                    }
                }
                text class="now" x="100%" y=(bottom + 16.0) { "now" }
                // Above the bars, so that a pointer anywhere in an hour's column is told of it.
                @for index in 0..HOURS {
                    rect class="column" x=(percent(left(index))) width=(percent(STEP)) y="0" height=(bottom) {
                        title { (self.told_of(index)) }
                    }
                }
            }
        }
    }

    /// The bars of what a provider took, and the line of what was used.
    fn sent(&self) -> Markup {
        let top = scale(self.hours.iter().map(Hour::sent).max());
        let dot = |(index, used): (usize, &u64)| (middle(index), SENT.y(*used, top));
        let dots: Vec<_> = self.used.into_iter().flatten().enumerate().map(dot).collect();
        html! {
            (grid(&SENT, top, "sent"))
            @for (index, hour) in self.hours.iter().enumerate() {
                (stack(&SENT, index, top, Hour::OUTCOMES.map(|(class, _, count)| (class, count(hour)))))
            }
            // The wide line below keeps the thin one apart from the bars.
            @for class in ["halo", "used"] {
                @for pair in dots.windows(2) {
                    line class=(class) x1=(percent(pair[0].0)) y1=(pixels(pair[0].1))
                        x2=(percent(pair[1].0)) y2=(pixels(pair[1].1)) {}
                }
            }
            @for (x, y) in &dots {
                circle class="used" cx=(percent(*x)) cy=(pixels(*y)) r="3" {}
            }
        }
    }

    /// What the chart says, for those who don't see it.
    fn told(&self) -> String {
        let mut told = format!("{} sent", messages(self.sum(Hour::sent)));
        for (_, name, count) in Hour::OUTCOMES {
            told += &format!(", {} {name}", self.sum(count));
        }
        if let Some(used) = self.used {
            told += &format!(", {} used", used.iter().sum::<u64>());
        }
        if let Some(unsent) = self.unsent {
            told += &format!("; {} not sent", unsent.iter().map(Unsent::all).sum::<u64>());
        }
        for (count, what) in
            [(Hour::sent as fn(&Hour) -> u64, "were sent"), (Hour::failed, "failed")]
        {
            // Of two hours with as many, the later.
            let most = self.hours.iter().max_by_key(|hour| count(hour));
            if let Some(hour) = most.filter(|hour| count(hour) > 0) {
                told += &format!(". Most {what} from {}: {}", clock(hour.begins), count(hour));
            }
        }
        told + "."
    }

    /// What a pointer at an hour is told.
    fn told_of(&self, index: usize) -> String {
        let hour = &self.hours[index];
        let (from, to) = (clock(hour.begins), clock(hour.begins + HOUR));
        let mut told = format!("{from}–{to}: {} sent", hour.sent());
        for (_, name, count) in Hour::OUTCOMES {
            told += &format!(", {} {name}", count(hour));
        }
        if let Some(used) = self.used {
            told += &format!(", {} used", used[index]);
        }
        for (_, name, count) in Unsent::CAUSES {
            if let Some(unsent) = self.unsent {
                told += &format!(", {} {name}", count(&unsent[index]));
            }
        }
        told
    }

    /// The table, the newest hour first.
    fn hourly(&self) -> Markup {
        let mut heads = vec!["Hour from", "Sent"];
        heads.extend(Hour::OUTCOMES.map(|(_, name, _)| name));
        heads.extend(self.used.map(|_| "used"));
        heads.extend(self.unsent.into_iter().flat_map(|_| Unsent::CAUSES.map(|(_, name, _)| name)));
        let rows = html! {
            @for (index, hour) in self.hours.iter().enumerate().rev() {
                tr {
                    th scope="row" { (moment(hour.begins)) }
                    td { (hour.sent()) }
                    @for (_, _, count) in Hour::OUTCOMES { td { (count(hour)) } }
                    @if let Some(used) = self.used { td { (used[index]) } }
                    @if let Some(unsent) = self.unsent {
                        @for (_, _, count) in Unsent::CAUSES { td { (count(&unsent[index])) } }
                    }
                }
            }
        };
        table("numbers", "By the hour in which they were sent", &heads, rows)
    }

    /// Of all hours together.
    fn sum(&self, count: fn(&Hour) -> u64) -> u64 {
        self.hours.iter().map(count).sum()
    }
}

/// The pattern of a bar, whose stripes have this angle.
fn stripes(id: &str, angle: u32) -> Markup {
    html! {
        pattern id=(id) width="5" height="5" patternUnits="userSpaceOnUse" patternTransform={ "rotate(" (angle) ")" } {
            rect width="5" height="5" {}
            rect class="stripe" width="2" height="5" {}
        }
    }
}

/// The bars of what no provider took.
fn not_sent(unsent: &[Unsent; HOURS]) -> Markup {
    let top = scale(unsent.iter().map(Unsent::all).max());
    html! {
        (grid(&UNSENT, top, "not sent"))
        @for (index, hour) in unsent.iter().enumerate() {
            (stack(&UNSENT, index, top, Unsent::CAUSES.map(|(class, _, count)| (class, count(hour)))))
        }
    }
}

/// The lines of a panel's scale, with their numbers.
fn grid(panel: &Panel, top: u64, name: &str) -> Markup {
    // A low panel has no line in its middle, and neither has a scale that ends at 1.
    let middle = (panel.height > 100.0 && top.is_multiple_of(2)).then_some(top / 2);
    html! {
        @for value in [Some(0), middle, Some(top)].into_iter().flatten() {
            @let y = panel.y(value, top);
            line class="grid" x1=(percent(LEFT)) x2="100%" y1=(pixels(y)) y2=(pixels(y)) {}
            text class="value" x=(percent(LEFT - 1.5)) y=(pixels(y + 4.0)) { (short(value)) }
        }
        text class="name" x=(percent(LEFT)) y=(pixels(panel.bottom - panel.height - 5.0)) { (name) }
    }
}

/// The bar of an hour: its parts, one upon the other.
fn stack<const N: usize>(panel: &Panel, index: usize, top: u64, parts: [(&str, u64); N]) -> Markup {
    let there_are = parts.into_iter().filter(|(_, count)| *count > 0);
    let placed = there_are.scan(panel.bottom, |y, (class, count)| {
        let height = (panel.bottom - panel.y(count, top)).max(LEAST);
        *y -= height;
        Some((class, *y, height))
    });
    html! {
        @for (class, y, height) in placed {
            rect class=(class) x=(percent(left(index) + STEP * GAP)) width=(percent(STEP * (1.0 - 2.0 * GAP)))
                y=(pixels(y)) height=(pixels(height)) {}
        }
    }
}

impl Panel {
    /// How far from the top of the chart a count is, whose scale ends at `top`.
    fn y(&self, count: u64, top: u64) -> f64 {
        self.bottom - self.height * count as f64 / top as f64
    }
}

/// Where the scale for these counts ends: at a number that people can halve, and not far above them. Never 0.
fn scale(most: Option<u64>) -> u64 {
    let most = most.unwrap_or_default();
    let tens = std::iter::successors(Some(1_u64), |ten| ten.checked_mul(10));
    let from_ten = tens.flat_map(|ten| {
        [10, 12, 16, 20, 24, 30, 40, 50, 60, 80].map(|number: u64| number.saturating_mul(ten))
    });
    [1, 2, 4, 6, 8].into_iter().chain(from_ten).find(|end| *end >= most).unwrap_or(most)
}

/// Where an hour's column begins, in percent.
fn left(index: usize) -> f64 {
    LEFT + STEP * index as f64
}

fn middle(index: usize) -> f64 {
    left(index) + STEP / 2.0
}

fn percent(number: f64) -> String {
    format!("{number:.2}%")
}

fn pixels(number: f64) -> String {
    format!("{number:.1}")
}

/// A number of the scale in at most four characters: 500, 1000, 20k, 5M.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Day;
    use super::super::tests::{NOW_MS, assert_well_formed, rows, text_of};
    use super::*;
    use crate::records::Status;
    use proptest::prelude::*;

    /// Hours without anything.
    fn hours() -> [Hour; HOURS] {
        Day::new(NOW_MS).hours
    }

    fn page_of(chart: &Chart<'_>) -> String {
        let html = ["<!DOCTYPE html><style></style>", &chart.figure().into_string()].concat();
        assert_well_formed(&html);
        html
    }

    /// The number that an attribute has, whatever its unit.
    fn number(tag: &str, name: &str) -> f64 {
        let value = tag.split_once(&format!(" {name}=\"")).unwrap().1.split_once('"').unwrap().0;
        value.trim_end_matches('%').parse().unwrap()
    }

    /// The bars with this class in the chart, from left to right: x, y and height.
    fn bars(html: &str, class: &str) -> Vec<[f64; 3]> {
        let chart = html.split_once("</defs>").unwrap().1.split_once("</svg>").unwrap().0;
        let tags =
            chart.split("<rect").filter(|tag| tag.starts_with(&format!(" class=\"{class}\"")));
        tags.map(|tag| ["x", "y", "height"].map(|name| number(tag, name))).collect()
    }

    #[test]
    fn a_scale_ends_at_a_number_that_people_can_halve() {
        for (most, end) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (5, 6),
            (7, 8),
            (9, 10),
            (10, 10),
            (11, 12),
            (41, 50),
            (100, 100),
            (101, 120),
            (1040, 1200),
            (9000, 10_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(scale(Some(most)), end, "{most}");
        }
        assert_eq!(scale(None), 1);
        for (count, text) in
            [(0, "0"), (9999, "9999"), (12_000, "12k"), (999_999, "999k"), (5_000_000, "5M")]
        {
            assert_eq!(short(count), text);
        }
    }

    #[test]
    fn bars_stand_upon_each_other_and_are_as_high_as_their_count() {
        let mut hours = hours();
        hours[3].messages = [4, 30, 10, 6];
        hours[23].messages = [0, 100, 0, 0];
        let html = page_of(&Chart { hours: &hours, used: None, unsent: None });
        // Of 134 pixels for 100 messages, from 150 upwards.
        assert_eq!(bars(&html, "delivered"), [[22.57, 109.8, 40.2], [96.74, 16.0, 134.0]]);
        assert_eq!(bars(&html, "open"), [[22.57, 96.4, 13.4]]);
        assert_eq!(bars(&html, "failed"), [[22.57, 83.0, 13.4]]);
        assert!(!html.contains("not sent") && !html.contains("circle"));
        let text = text_of(&html);
        assert!(text.starts_with("delivered 130not known 10failed 10"), "{text}");
        assert!(
            text.contains(
                "150 messages sent, 130 delivered, 10 not known, 10 failed. Most were sent from 14:00: 100. Most failed from \
                 18:00: 10."
            ),
            "{text}"
        );
        assert!(
            text.contains("18:00–19:00: 50 sent, 30 delivered, 10 not known, 10 failed"),
            "{text}"
        );
    }

    #[test]
    fn one_failure_among_thousands_is_seen() {
        let mut hours = hours();
        hours[0].messages[Status::Delivered as usize] = 9999;
        hours[0].messages[Status::Failed as usize] = 1;
        let html = page_of(&Chart { hours: &hours, used: None, unsent: None });
        assert_eq!(bars(&html, "failed")[0][2], LEAST);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_counts_are_the_bars_stay_inside_and_the_table_has_the_counts(
            messages in prop::array::uniform24(prop::array::uniform4(0..3000_u64)),
            used in prop::option::of(prop::array::uniform24(0..3000_u64)),
            unsent in prop::option::of(prop::array::uniform24((0..9_u64, 0..900_u64, 0..9_u64))),
        ) {
            let mut hours = hours();
            hours.iter_mut().zip(messages).for_each(|(hour, messages)| hour.messages = messages);
            let unsent = unsent.map(|hours| {
                hours.map(|(by_policy, by_guard, failed)| Unsent { by_policy, by_guard, failed })
            });
            let used = used.map(|mut used| {
                used.iter_mut().zip(&hours).for_each(|(used, hour)| *used = (*used).min(hour.sent()));
                used
            });
            let html = page_of(&Chart { hours: &hours, used: used.as_ref(), unsent: unsent.as_ref() });
            let height = number(html.split_once("<svg class=\"hours\"").unwrap().1, "height");
            for class in ["delivered", "open", "failed", "policy", "guard", "column"] {
                for [x, y, bar] in bars(&html, class) {
                    prop_assert!((LEFT..100.0).contains(&x) && y >= 0.0 && y + bar <= height, "{class} {x} {y} {bar}");
                }
            }
            let rows = rows(&html, "By the hour in which they were sent");
            prop_assert_eq!(rows.len(), HOURS);
            for (index, row) in rows.iter().rev().enumerate() {
                let hour = &hours[index];
                let mut expected = vec![hour.sent(), hour.delivered(), hour.open(), hour.failed()];
                expected.extend(used.map(|used| used[index]));
                expected.extend(unsent.iter().flat_map(|it| [it[index].by_policy, it[index].by_guard, it[index].failed]));
                let expected: Vec<_> = expected.iter().map(u64::to_string).collect();
                prop_assert_eq!(&row[1..], &expected[..]);
            }
        }
    }
}
