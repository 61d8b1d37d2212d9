//! Hellos that no library would say (RFC 5246 §7.4.1, RFC 8446 §4.1.2).

use std::error::Error;
use std::net::IpAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::{LONG, Verdict, check, rest, tcp};
use crate::company::Company;

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const TLS_1_2: u16 = 0x0303;
/// Alerts of RFC 5246 §7.2.
const HANDSHAKE_FAILURE: u8 = 40;
const PROTOCOL_VERSION: u8 = 70;
/// ECDHE with AES-GCM and ChaCha20, for certificates of ECDSA: what RFC 9325 §4.2 recommends.
const SAFE: &[u16] = &[0xc02b, 0xc02c, 0xcca9];
/// NULL, export, RC4, 3DES, AES-CBC, without forward secrecy, anonymous, SHA-1 with ECDHE.
const WEAK: &[u16] = &[
    0x0000, 0x0001, 0x0003, 0x0004, 0x0005, 0x000a, 0x002f, 0x0035, 0x003c, 0x009c, 0x009d, 0x0034,
    0x006d, 0xc006, 0xc007, 0xc008, 0xc009, 0xc00a, 0xc012, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027,
];

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes()[..], bytes].concat()
}

fn extension(number: u16, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &with_length(data)].concat()
}

/// A client's hello of TLS 1.2 or older, which offers these suites.
fn hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let suites: Vec<_> = suites
        .iter()
        .flat_map(|suite| suite.to_be_bytes())
        .collect();
    let extensions = [
        extension(
            0,
            &with_length(&[&[0][..], &with_length(b"localhost")].concat()),
        ),
        extension(10, &with_length(&[0, 0x1d, 0, 0x17])),
        extension(11, &[1, 0]),
        extension(13, &with_length(&[4, 3, 5, 3, 8, 4, 4, 1])),
        extension(23, &[]),
        extension(0xff01, &[0]),
    ]
    .concat();
    let body = [
        &version.to_be_bytes()[..],
        &[7; 32],
        &[0],
        &with_length(&suites),
        &[1, 0],
        &with_length(&extensions),
    ]
    .concat();
    let handshake = [&[1, 0][..], &with_length(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &with_length(&handshake)].concat()
}

/// The type of the first record that is answered to a hello, and its last byte if it is an alert.
async fn answer(
    company: &Company,
    source: IpAddr,
    hello: &[u8],
) -> Result<(u8, u8), Box<dyn Error>> {
    let mut socket = tcp(source, company.server.c2s_tls).await?;
    socket.write_all(hello).await?;
    let mut record = [0; 7];
    timeout(LONG, socket.read_exact(&mut record)).await??;
    if record[0] == ALERT {
        rest(&mut socket).await?;
    }
    Ok((record[0], record[6]))
}

pub(super) async fn old_versions_of_tls_are_refused(company: &Company, source: IpAddr) -> Verdict {
    for version in [0x0300, 0x0301, 0x0302] {
        let answer = answer(company, source, &hello(version, SAFE)).await?;
        check(
            answer == (ALERT, PROTOCOL_VERSION),
            format!("{version:#x}: {answer:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn weak_suites_are_refused(company: &Company, source: IpAddr) -> Verdict {
    for suite in WEAK {
        let answer = answer(company, source, &hello(TLS_1_2, &[*suite])).await?;
        check(
            answer == (ALERT, HANDSHAKE_FAILURE),
            format!("{suite:#x}: {answer:?}"),
        )?;
    }
    Ok(())
}

pub(super) async fn each_suite_that_is_safe_is_spoken(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    for suite in SAFE {
        let (kind, last) = answer(company, source, &hello(TLS_1_2, &[*suite])).await?;
        check(kind == HANDSHAKE, format!("{suite:#x}: {kind}, {last}"))?;
    }
    Ok(())
}

pub(super) async fn a_record_of_tls_that_is_too_large_ends_the_connection(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    let mut socket = tcp(source, company.server.c2s_tls).await?;
    socket.write_all(&[HANDSHAKE, 3, 3, 0xff, 0xff]).await?;
    drop(socket.write_all(&vec![1; 70_000]).await);
    rest(&mut socket).await?;
    Ok(())
}

pub(super) async fn what_is_no_handshake_ends_the_connection(
    company: &Company,
    source: IpAddr,
) -> Verdict {
    for bytes in [
        &b"<?xml version='1.0'?><stream:stream>"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 64],
        &[0xff; 64],
    ] {
        let mut socket = tcp(source, company.server.c2s_tls).await?;
        socket.write_all(bytes).await?;
        let answer = rest(&mut socket).await?;
        let alert = answer.first().is_none_or(|kind| *kind == ALERT);
        check(alert, format!("{answer:?}"))?;
    }
    Ok(())
}
