//! Work that costs us more than it costs the client that asks for it, shared out among the networks of the clients. A
//! flood of requests from one network must not take the places of the other networks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::network::network_of;

/// How much is under way for each network. Cheap to clone; holds no more entries than there are places.
#[derive(Debug, Clone)]
pub(crate) struct FairShare {
    taken: Arc<Mutex<HashMap<String, usize>>>,
    /// The most work that runs, or waits to run, for one network.
    most_of_one: usize,
}

/// One network's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    share: FairShare,
    network: String,
}

impl FairShare {
    /// Gives each network half of these places, at least one.
    pub(crate) fn of(places: usize) -> Self {
        Self { taken: Arc::default(), most_of_one: (places / 2).max(1) }
    }

    /// A place for a request from this address; `None` when its network has used all its places.
    pub(crate) fn place(&self, address: Option<IpAddr>) -> Option<Slot> {
        let network = address.map(network_of).unwrap_or_default();
        let mut taken = self.taken();
        let count = taken.entry(network.clone()).or_default();
        if *count >= self.most_of_one {
            return None;
        }
        *count += 1;
        Some(Slot { share: self.clone(), network })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.share.taken();
        if let Some(count) = taken.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_takes_its_own_share_and_nobody_elses() {
        let share = FairShare::of(5);
        let from = |text: &str| share.place(Some(text.parse().expect("an address")));
        let (first, second) = (from("2001:db8::1"), from("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(from("2001:db8::3").is_none(), "the same network");
        assert!(from("2001:db8:1::1").is_some() && from("192.0.2.1").is_some());
        drop(first);
        assert!(from("2001:db8::3").is_some());
        drop(second);
        assert!(share.taken().is_empty());
    }
}
