//! [`Lru`]: a map of limited weight that removes the least recently used entries.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map whose entries together weigh no more than its limit.
#[derive(Debug)]
pub(super) struct Lru<K, V> {
    max_weight: u64,
    weight: u64,
    entries: HashMap<K, Entry<V>>,
    /// The keys by their last use.
    by_use: BTreeMap<u64, K>,
    /// Uses so far.
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: u64,
    last_use: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// An empty map.
    pub(super) fn new(max_weight: u64) -> Lru<K, V> {
        Lru { max_weight, weight: 0, entries: HashMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    /// The weight of all entries.
    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A value. It becomes the most recently used one.
    pub(super) fn get(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        let key = self.by_use.remove(&entry.last_use)?;
        self.uses += 1;
        entry.last_use = self.uses;
        self.by_use.insert(entry.last_use, key);
        Some(&mut entry.value)
    }

    /// Adds a value, or replaces that of its key. Returns how many others had to be removed for it, or `None` if it
    /// weighs too much itself and was not added.
    pub(super) fn insert(&mut self, key: K, value: V, weight: u64) -> Option<usize> {
        self.remove(&key);
        if weight > self.max_weight {
            return None;
        }
        let mut removed = 0;
        while self.weight > self.max_weight - weight {
            let (_, oldest) = self.by_use.pop_first()?;
            self.weight -= self.entries.remove(&oldest).map_or(0, |entry| entry.weight);
            removed += 1;
        }
        self.uses += 1;
        self.weight += weight;
        self.by_use.insert(self.uses, key.clone());
        self.entries.insert(key, Entry { value, weight, last_use: self.uses });
        Some(removed)
    }

    /// Removes a value.
    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.by_use.remove(&entry.last_use);
        self.weight -= entry.weight;
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX_WEIGHT: u64 = 100;

    #[test]
    fn what_was_not_used_is_removed_first() {
        let mut lru = Lru::new(3);
        for key in ["a", "b", "c"] {
            assert_eq!(lru.insert(key, key, 1), Some(0));
        }
        assert_eq!(lru.get(&"a"), Some(&mut "a"));
        assert_eq!(lru.insert("d", "d", 1), Some(1));
        assert_eq!(lru.get(&"b"), None);
        assert_eq!(lru.get(&"a"), Some(&mut "a"));
        assert_eq!(lru.len(), 3);
        assert_eq!(lru.insert("e", "e", 4), None);
        assert_eq!(lru.len(), 3);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u64),
        Get(u8),
        Remove(u8),
    }

    proptest! {
        /// Compared with a list in the order of use.
        #[test]
        fn any_steps(steps in prop::collection::vec(step(), 0..200)) {
            let mut lru = Lru::new(MAX_WEIGHT);
            let mut expected: Vec<(u8, u64)> = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(key, weight) => {
                        lru.insert(key, weight, weight);
                        expected.retain(|(other, _)| *other != key);
                        if weight <= MAX_WEIGHT {
                            expected.push((key, weight));
                        }
                        while total(&expected) > MAX_WEIGHT {
                            expected.remove(0);
                        }
                    }
                    Step::Get(key) => {
                        let found = expected.iter().position(|(other, _)| *other == key);
                        let found = found.map(|index| expected.remove(index));
                        prop_assert_eq!(lru.get(&key).copied(), found.map(|(_, weight)| weight));
                        expected.extend(found);
                    }
                    Step::Remove(key) => {
                        lru.remove(&key);
                        expected.retain(|(other, _)| *other != key);
                    }
                }
                prop_assert_eq!((lru.len(), lru.weight()), (expected.len(), total(&expected)));
                prop_assert!(lru.weight() <= MAX_WEIGHT);
                prop_assert_eq!(lru.by_use.values().copied().collect::<Vec<u8>>(), keys(&expected));
            }
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = || 0_u8..20;
        prop_oneof![
            (key(), 0..MAX_WEIGHT + 10).prop_map(|(key, weight)| Step::Insert(key, weight)),
            (key(), 0..10_u64).prop_map(|(key, weight)| Step::Insert(key, weight)),
            key().prop_map(Step::Get),
            key().prop_map(Step::Remove),
        ]
    }

    fn total(entries: &[(u8, u64)]) -> u64 {
        entries.iter().map(|(_, weight)| weight).sum()
    }

    fn keys(entries: &[(u8, u64)]) -> Vec<u8> {
        entries.iter().map(|(key, _)| *key).collect()
    }
}
