//! Exports while both sides send.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::node::{pair, verbale};
use crate::notices::general;
use crate::tampering::checks_by_outsiders;

/// Ends the sending.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Both sides send while both logs are exported: what is behind an export is after it, and accuses nobody.
#[test]
fn logs_that_are_exported_under_traffic_accuse_nobody() {
    let (japan, partner) = pair();
    let (done, sent) = (AtomicBool::new(false), AtomicU32::new(1));
    std::thread::scope(|scope| {
        // Also when something below fails: the scope waits for both.
        let is_done = Done(&done);
        for (node, is_japan) in [(&japan, true), (&partner, false)] {
            let (done, sent) = (&done, &sent);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let number = sent.fetch_add(1, Ordering::Relaxed);
                    node.submit(&general(
                        is_japan,
                        &format!("{}-{number}", if is_japan { "JP" } else { "KG" }),
                        "a text",
                    ))
                    .good();
                }
            });
        }
        let said: Vec<(i32, String)> = (0..6)
            .map(|at| {
                let dirs = [&japan, &partner].map(|node| {
                    let dir = node.dir.with_file_name(format!("{}-{at}", node.id));
                    node.run(&["audit", "export", dir.to_str().unwrap()]).good();
                    dir
                });
                let said = verbale(&["audit", "reconcile", dirs[0].to_str().unwrap(), dirs[1].to_str().unwrap()], None);
                // One process of openssl for each signature takes its time.
                if at == 1 {
                    checks_by_outsiders(&dirs);
                }
                (said.code, said.out)
            })
            .collect();
        drop(is_done);
        for (code, out) in said {
            assert!(code == 0 || code == 3, "{code} {out}");
        }
    });
    assert!(sent.load(Ordering::Relaxed) > 6, "nothing was sent meanwhile");
}
