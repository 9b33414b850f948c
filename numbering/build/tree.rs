//! The tree of all numbers: each digit of a number leads from a node to the next, and a leaf says what
//! the number is. A subtree whose leaves are all alike is one leaf, and equal subtrees are one node.

use std::collections::HashMap;

/// What some digits are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    Number {
        region: Option<RegionCode>,
        takes_sms: bool,
        takes_calls: bool,
        is_valid: bool,
        /// Whether they are a calling code and a national prefix, and nothing else.
        ends_national_prefix: bool,
    },
    /// Not a number: the 0 after the calling code is dialled only within the country.
    TrunkZero,
}

/// The two letters of a region.
pub type RegionCode = [u8; 2];

/// Where a digit leads.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Next {
    /// To an outcome that no further digit changes.
    Leaf(Outcome),
    /// To a node, by its place among all of them.
    Node(usize),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Where each digit leads, from 0 to 9.
    pub digits: [Next; 10],
    /// What a number is that ends here.
    pub end: Outcome,
}

/// All nodes, each of them once.
#[derive(Default)]
pub struct Tree {
    pub nodes: Vec<Node>,
    places: HashMap<Node, usize>,
}

impl Tree {
    /// Adds a node unless the tree has it, or a leaf would do.
    pub fn add(&mut self, node: Node) -> Next {
        let leaf = Next::Leaf(node.end);
        if node.digits.iter().all(|next| *next == leaf) {
            return leaf;
        }
        Next::Node(*self.places.entry(node).or_insert_with_key(|node| {
            self.nodes.push(node.clone());
            self.nodes.len() - 1
        }))
    }
}
