//! The benchmark measures a real exchange and says what was promised; how fast it is, no test asserts.

use crate::node::verbale;

#[test]
fn the_benchmark_exchanges_notices_and_gives_every_figure() {
    let said = verbale(&["--json", "bench", "--notices", "2000", "--size", "900"], None).good();
    let figures = said.json().remove(0);
    for name in [
        "notices_per_second",
        "floor_per_second",
        "ratio_to_floor",
        "p50_ms",
        "p99_ms",
        "cpu_us_per_notice_sender",
        "cpu_us_per_notice_receiver",
        "peak_rss_bytes",
        "disk_bytes_per_notice_sender",
        "disk_bytes_per_notice_receiver",
        "wire_bytes_per_notice",
    ] {
        assert!(figures[name].as_f64().is_some_and(|figure| figure >= 0.0), "{name}: {}", figures[name]);
    }
    for command in ["verify", "reconcile"] {
        for name in ["entries", "entries_per_second", "ratio_to_floor", "peak_rss_bytes"] {
            let figure = &figures[command][name];
            assert!(figure.as_f64().is_some_and(|figure| figure > 0.0), "{command}: {name}: {figure}");
        }
    }
    // What a notice must at least cost: its sealed bytes on the wire and on each disk (which grows in steps of 4 MiB).
    for name in ["disk_bytes_per_notice_sender", "disk_bytes_per_notice_receiver", "wire_bytes_per_notice"] {
        assert!(figures[name].as_f64().unwrap() > 900.0, "{name}: {}", figures[name]);
    }
    let paced = verbale(&["--json", "bench", "--notices", "100", "--rate", "200"], None).good().json().remove(0);
    let per_second = paced["notices_per_second"].as_f64().unwrap();
    assert!(per_second <= 201.0, "{per_second} notices a second at a rate of 200");
    assert_eq!(verbale(&["bench", "--rate", "0"], None).code, 2);
    assert_eq!(verbale(&["bench", "--size", "10"], None).code, 2);
}
