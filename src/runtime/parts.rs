//! What features keep in the running process (a cache, an inbox, open connections), each under its own type. So the panel holds them
//! without knowing a feature. `elsa`'s map only grows, which is why a borrowed part may outlive the next insertion.
use elsa::sync::FrozenMap;
use std::{
    any::{Any, TypeId},
    fmt,
};

type Part = Box<dyn Any + Send + Sync>;

/// The parts of one panel.
#[derive(Default)]
pub struct Parts(FrozenMap<TypeId, Part>);

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}

impl Parts {
    /// The part of this type; made where there is none yet. Of two who make it at once, both get the first one's.
    pub fn of<T: Default + Send + Sync + 'static>(&self) -> &T {
        let key = TypeId::of::<T>();
        let part = match self.0.get(&key) {
            Some(part) => part,
            None => self.0.insert(key, Box::new(T::default())),
        };
        part.downcast_ref().expect("a part stands under its own type")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_part_is_made_once_and_kept() {
        let parts = Parts::default();
        let first: &Mutex<u32> = parts.of();
        *first.lock().unwrap() = 7;
        let _another: &Mutex<u64> = parts.of();
        assert_eq!(*parts.of::<Mutex<u32>>().lock().unwrap(), 7);
        assert_eq!(*first.lock().unwrap(), 7);
    }
}
