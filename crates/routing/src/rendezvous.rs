//! Where what has no place yet belongs: weighted by nothing, the same on every node and for ever.
//!
//! Rendezvous hashing: each node has a score for a name, the highest one has it. When a node joins or leaves,
//! only what it has, or had, belongs elsewhere.

use crate::members::MemberId;

/// The node, of these, that the name belongs to.
pub fn place(name: &str, nodes: impl Iterator<Item = MemberId>) -> Option<MemberId> {
    let name = digest(name.as_bytes());
    nodes.max_by_key(|node| (mix(name ^ mix(node.0)), node.0))
}

/// 64-bit FNV-1a: short, and the same wherever it is computed. That somebody can make names that belong
/// to one node is no worse than that somebody can pick the node to connect to.
fn digest(bytes: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    bytes.iter().fold(OFFSET, step)
}

/// The finaliser of SplitMix64: every bit of the input changes half of the bits of the output.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn nodes(ids: &[u64]) -> impl Iterator<Item = MemberId> {
        ids.iter().copied().map(MemberId)
    }

    #[test]
    fn every_version_finds_the_same_place() {
        let place = |name| place(name, nodes(&[1, 4, 9, 12, 77]));
        let golden = [
            "juliet@example.com",
            "romeo@example.net",
            "balcony@rooms.example.com",
        ];
        assert_eq!(
            golden.map(|name| place(name).map(|node| node.0)),
            GOLDEN.map(Some)
        );
        assert_eq!(super::place("juliet@example.com", nodes(&[])), None);
    }

    const GOLDEN: [u64; 3] = [1, 9, 9];

    #[test]
    fn names_are_spread_evenly_and_few_move_when_a_node_comes() {
        let mut per_node: BTreeMap<u64, u32> = BTreeMap::new();
        let mut moved = 0;
        for number in 0..10_000 {
            let name = format!("user{number}@example.com");
            let before = place(&name, nodes(&[3, 8, 20])).unwrap();
            let after = place(&name, nodes(&[3, 8, 20, 31])).unwrap();
            *per_node.entry(before.0).or_default() += 1;
            if before != after {
                assert_eq!(after.0, 31, "what moves, moves to the new node");
                moved += 1;
            }
        }
        assert!(
            per_node
                .values()
                .all(|count| (3_100..3_600).contains(count)),
            "{per_node:?}"
        );
        assert!((2_300..2_700).contains(&moved), "{moved}");
    }
}
