//! [`svg`]: the picture as a drawing.

use std::fmt::Write;
use std::io;

use earthcatalog_plans::overview::Overview;
use geo::{Coord, MultiPolygon};

use super::area::Area;
use super::{most, shade, shades};
use crate::report::{count, counted, each_year};

/// Pixels of a degree.
const SCALE: f64 = 3.0;

/// Pixels of the map, and of the years below it.
const MAP: [f64; 2] = [360.0 * SCALE, 180.0 * SCALE];
const YEARS: f64 = 90.0;
const MARGIN: f64 = 20.0;
const TITLE: f64 = 34.0;
const LEGEND: f64 = 34.0;

/// From few to many: one hue, so that they are told apart in grey, too.
const COLOURS: [&str; super::SHADES] = ["#c6dbef", "#6baed6", "#2171b5", "#08306b"];

/// The picture under a title, as an SVG document.
pub fn svg(title: &str, overview: &Overview) -> io::Result<String> {
    let [width, height] = [MAP[0] + 2.0 * MARGIN, TITLE + MAP[1] + LEGEND + YEARS + 3.0 * MARGIN];
    let shades = shades(most(overview));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{MARGIN}\" y=\"{TITLE}\" font-size=\"18\">{}</text>\n\
         <text x=\"{}\" y=\"{TITLE}\" text-anchor=\"end\">{} in {}</text>\n\
         <g transform=\"translate({MARGIN} {})\" stroke-width=\"0.5\">\n\
         <rect width=\"{}\" height=\"{}\" fill=\"#eef3f6\"/>\n\
         <path d=\"{}\" fill=\"#fbfaf7\" stroke=\"#9aa7af\"/>\n",
        escaped(title),
        width - MARGIN,
        counted(overview.rows, "row"),
        counted(overview.cell_count, "cell"),
        TITLE + MARGIN / 2.0,
        MAP[0],
        MAP[1],
        path(&Area::land()?.polygons()),
    );
    for cell in &overview.cells {
        let rows = cell.all();
        let area = Area::parse(cell.geometry.get())?;
        let colour = COLOURS[shade(rows, &shades)];
        let _ = writeln!(
            svg,
            "<path d=\"{}\" fill=\"{colour}\" fill-opacity=\"0.85\" stroke=\"#fff\"><title>{}: {}</title></path>",
            path(&area.polygons()),
            escaped(&cell.cell),
            counted(rows, "row"),
        );
    }
    let below = TITLE + MAP[1] + MARGIN;
    let _ = writeln!(svg, "</g>\n<g transform=\"translate({MARGIN} {})\">", below);
    for (i, (least, colour)) in shades.iter().zip(COLOURS).enumerate() {
        let x = i as f64 * 130.0;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"4\" width=\"14\" height=\"14\" fill=\"{colour}\"/><text x=\"{}\" y=\"16\">from {}</text>",
            x + 20.0,
            count(*least),
        );
    }
    let _ = writeln!(svg, "</g>\n<g transform=\"translate({MARGIN} {})\">", below + LEGEND);
    draw_years(&mut svg, overview);
    svg.push_str("</g>\n</svg>\n");
    Ok(svg)
}

/// A bar for each year.
fn draw_years(svg: &mut String, overview: &Overview) {
    let Some((first, rows)) = each_year(overview.rows_by_year()) else { return };
    let most = rows.iter().max().copied().unwrap_or_default().max(1) as f64;
    let width = MAP[0] / rows.len() as f64;
    // Labels that do not touch.
    let every = (45.0 / width).ceil().max(1.0) as usize;
    for (i, rows) in rows.iter().enumerate() {
        let year = i64::from(first) + i as i64;
        let (x, height) = (i as f64 * width, *rows as f64 / most * (YEARS - 20.0));
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{}\"><title>{year}: {}</title></rect>",
            YEARS - 20.0 - height,
            (width - 1.0).max(0.5),
            COLOURS[2],
            counted(*rows, "row"),
        );
        if i % every == 0 {
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{}\" font-size=\"11\">{year}</text>", YEARS - 4.0);
        }
    }
}

/// The lines around areas, in pixels.
fn path(areas: &MultiPolygon) -> String {
    let mut path = String::new();
    for ring in areas.iter().flat_map(|polygon| [polygon.exterior()].into_iter().chain(polygon.interiors())) {
        for (i, Coord { x, y }) in ring.coords().enumerate() {
            let command = if i == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", (x + 180.0) * SCALE, (90.0 - y) * SCALE);
        }
        path.push('Z');
    }
    path
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        assert_eq!(escaped("a < b & \"c\""), "a &lt; b &amp; &quot;c&quot;");
    }
}
