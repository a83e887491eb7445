//! Scratch: measures on a CSV.
use lake_models::forecast::*;
fn main() {
    let text = std::fs::read_to_string("/tmp/uci_daily.csv").unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').skip(4).collect();
    let rows: Vec<Vec<&str>> = lines.map(|l| l.split(',').collect()).collect();
    let input = Input {
        first_day: rows[0][0].parse().unwrap(),
        traded: rows.iter().map(|r| r[2] == "1").collect(),
        last_hour: rows.iter().map(|r| r[3].parse().ok()).collect(),
        series: names
            .iter()
            .enumerate()
            .map(|(i, n)| Series {
                name: n.to_string(),
                parent: (i > 2).then(|| "net_revenue".to_string()),
                values: rows.iter().map(|r| r[4 + i].parse().unwrap()).collect(),
                non_negative: i == 1 || i == 2,
            })
            .collect(),
    };
    let arg = |i: usize, d: usize| std::env::args().nth(i).map_or(d, |a| a.parse().unwrap());
    let p = Params { origins: arg(1, 6), step: arg(2, 28), ..Params::default() };
    let t = std::time::Instant::now();
    let f = p.fit(&input).unwrap();
    println!("{:?}", t.elapsed());
    println!(
        "{:?} {:?} partial {} through {:?}",
        f.calendar.closed_weekdays(),
        f.calendar.closed_dates(),
        f.last_day_partial,
        f.trained_through
    );
    for a in &f.accuracy {
        println!(
            "{:16}{:28}{:8.3}{:8.1}{:8.3}{:10.1} {:6.3} {:6.3} {}",
            a.series,
            a.model,
            a.mase.unwrap(),
            a.smape,
            a.rmsse.unwrap(),
            a.bias,
            a.coverage80.unwrap_or(-1.),
            a.coverage95.unwrap_or(-1.),
            if a.chosen { "*" } else { "" }
        );
    }
    for r in f.forecast.iter().filter(|r| {
        r.kind == Kind::Forecast
            && (r.series == "net_revenue" || r.series == "Netherlands" || r.series == "orders")
    }) {
        println!(
            "{:12} {} {} {:9.1} {:9.1} {:9.1} {:9.1} {:9.1}",
            r.series,
            r.day,
            iso_weekday(r.day),
            r.forecast.unwrap(),
            r.lo80.unwrap(),
            r.hi80.unwrap(),
            r.lo95.unwrap(),
            r.hi95.unwrap()
        );
    }
    println!("{:?}", f.notes);
    let mut out = String::new();
    for b in &f.backtest {
        out += &format!("{},{},{},{},{},{}\n", b.series, b.model, b.origin, b.horizon, b.actual, b.forecast);
    }
    std::fs::write("/tmp/bt.csv", out).unwrap();
}
