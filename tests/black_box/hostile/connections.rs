//! Connections: strangers, garbage, and crowds of idle ones.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::attacker::{HONEST, STRANGERS, soon, tcp};
use super::stage::Stage;

/// Idle connections of a row.
const CROWD: usize = 500;

/// Every HTTP/2 connection begins with this (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn each_kind_of_connection_has_its_end_and_its_counter() {
    let mut stage = Stage::new();
    bytes_without_tls(&mut stage, "garbage", &[0x5a; 4096], "rejected HANDSHAKE_FAILED").await;
    bytes_without_tls(&mut stage, "plaintext HTTP/2", PREFACE, "rejected HANDSHAKE_FAILED").await;
    bytes_without_tls(&mut stage, "half of a TLS record", &[22, 3, 1, 0x40, 0, 1], "rejected HANDSHAKE_FAILED").await;
    // Nothing is ever sent: the node ends it by itself.
    bytes_without_tls(&mut stage, "a stalled handshake", &[], "rejected HANDSHAKE_FAILED").await;
    a_stranger(&mut stage).await;
    garbage_over_tls(&mut stage).await;
    many_that_never_shake_hands(&mut stage).await;
    many_of_one_counterpart(&mut stage).await;
    println!("8 rows");
    stage.node.stop();
}

async fn bytes_without_tls(stage: &mut Stage, row: &str, bytes: &[u8], counter: &str) {
    let before = count(&stage.counted().await, counter);
    let mut stream = tcp(&stage.node.address, STRANGERS).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stage.still_serves(row).await;
    ended(&mut stream).await;
    stage.until_counted(counter, before).await;
}

async fn a_stranger(stage: &mut Stage) {
    let counter = "rejected HANDSHAKE_FAILED";
    let before = count(&stage.counted().await, counter);
    // In TLS 1.3 the server turns a client's key away after the client's handshake.
    if let Ok(mut stream) = stage.stranger.tls(&stage.node.address, STRANGERS).await {
        let mut answer = Vec::new();
        let _ = stream.write_all(PREFACE).await;
        assert!(soon(stream.read_to_end(&mut answer)).await.is_err(), "a stranger was let in");
    }
    stage.until_counted(counter, before).await;
    stage.still_serves("a stranger's key").await;
}

async fn garbage_over_tls(stage: &mut Stage) {
    let counter = "rejected NO_CHANNEL";
    let before = count(&stage.counted().await, counter);
    let mut stream = stage.attacker.tls(&stage.node.address, HONEST).await.unwrap();
    // The node may end it before all is written.
    let _ = stream.write_all(&vec![0x5a; 100_000]).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    drop(stream);
    stage.until_counted(counter, before).await;
    stage.still_serves("garbage over TLS").await;
}

async fn many_that_never_shake_hands(stage: &mut Stage) {
    let row = "500 connections that never shake hands";
    let counter = "rejected HANDSHAKE_LIMIT";
    let before = count(&stage.counted().await, counter);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(tcp(&stage.node.address, STRANGERS).await.unwrap());
    }
    stage.still_serves(row).await;
    for stream in &mut crowd {
        ended(stream).await;
    }
    // One address had a quarter of the handshakes at a time.
    let turned_away = count(&stage.counted().await, counter) - before;
    assert!(turned_away > 400, "{row}: only {turned_away} were turned away");
    stage.still_serves(row).await;
}

async fn many_of_one_counterpart(stage: &mut Stage) {
    let row = "500 idle connections of one counterpart";
    let counter = "rejected COUNTERPART_CONNECTION_LIMIT";
    let before = count(&stage.counted().await, counter);
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(stage.attacker.tls(&stage.node.address, HONEST).await.unwrap());
    }
    stage.still_serves(row).await;
    let held = CROWD as u64 - 20;
    stage.until_counted(counter, before + held - 1).await;
    assert_eq!(count(&stage.counted().await, counter) - before, held, "{row}: it holds more than its share");
    drop(crowd);
    // Its share is free again.
    let (mut link, craft) = loop_until_open(stage).await;
    link.batch(vec![craft.make()]).await;
    assert_eq!(link.verdict().await, "RECEIVED", "{row}: the share was not given back");
}

/// The node notices a closed connection a moment later.
async fn loop_until_open(stage: &mut Stage) -> (super::attacker::Link, super::craft::Craft) {
    let deadline = std::time::Instant::now() + super::attacker::PATIENCE;
    loop {
        match stage.attacker.open(&stage.node.address, super::stage::MEMORANDUM).await {
            Ok(_) => return stage.next().await,
            Err(status) => assert!(std::time::Instant::now() < deadline, "{status}"),
        }
    }
}

/// Waits until the node ended a connection.
async fn ended(stream: &mut TcpStream) {
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
}

fn count(counts: &HashMap<String, u64>, counter: &str) -> u64 {
    counts.get(counter).copied().unwrap_or_default()
}
