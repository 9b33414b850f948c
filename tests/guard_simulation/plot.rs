//! The attacks as a picture: messages to attackers by hour, with and without the guard.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::traffic::{Asked, WEEK};
use super::week::Week;

/// The width of an hour, and the height of a panel.
const HOUR: u32 = 5;
const PANEL: u32 = 110;

/// From the left edge to the axis, and between panels.
const LEFT: u32 = 60;
const GAP: u32 = 60;

/// Draws a panel for each attack into target/guard.svg.
pub fn draw(attacks: &[(&str, Vec<Asked>, &Week)]) {
    let hours = WEEK / 3600;
    let (width, height) = (LEFT + hours * HOUR + 20, GAP + attacks.len() as u32 * (PANEL + GAP));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\">Messages to the attacker in an hour: grey without the guard, blue with it</text>\n"
    );
    for (place, (name, attack, week)) in attacks.iter().enumerate() {
        let top = GAP + place as u32 * (PANEL + GAP);
        let mut without = vec![0; hours as usize];
        for it in attack {
            without[(it.at / 3600) as usize] += 1;
        }
        let most = without.iter().copied().max().unwrap_or(1);
        let bars = |counts: &[u32], color: &str| {
            let bar = |(hour, count): (usize, &u32)| {
                let (x, height) = (LEFT + hour as u32 * HOUR, count * PANEL / most);
                format!("M{x} {}v-{height}h{HOUR}v{height}z", top + PANEL)
            };
            let path: String = counts.iter().enumerate().map(bar).collect();
            format!("<path d=\"{path}\" fill=\"{color}\"/>\n")
        };
        let (end, bottom) = (LEFT + hours * HOUR, top + PANEL);
        write!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{name}</text>\n{}{}\
             <path d=\"M{LEFT} {bottom}H{end}\" stroke=\"black\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{most}</text>\n\
             <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n",
            top - 8,
            bars(&without, "#bbb"),
            bars(&week.by_hour, "#06c"),
            LEFT - 6,
            top + 10,
            LEFT - 6,
        )
        .expect("a text");
        for (day, name) in ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].iter().enumerate() {
            let x = LEFT + day as u32 * 24 * HOUR;
            writeln!(svg, "<text x=\"{x}\" y=\"{}\">{name}</text>", bottom + 16).expect("a text");
        }
    }
    svg.push_str("</svg>\n");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guard.svg");
    fs::write(&path, svg).expect("the target folder can be written");
    println!("The attacks are drawn in {}", path.display());
}
