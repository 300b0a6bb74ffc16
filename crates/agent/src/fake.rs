//! A packet filter in memory that understands what we say to one, and can be told to fail.
use super::{Family, Tables};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Chains of the kernel that are always there.
const BUILT_IN: [&str; 2] = ["INPUT", "FORWARD"];

/// A filter in memory. Clones are the same one.
#[derive(Debug, Default, Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    chains: HashMap<Family, Vec<(String, Vec<String>)>>,
    fails: Option<String>,
    restores: usize,
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on everything fails with these words, or nothing does.
    pub fn fail(&self, why: Option<&str>) {
        self.state().fails = why.map(String::from);
    }

    /// Somebody removes every rule and chain.
    pub fn flush(&self) {
        self.state().chains.clear();
    }

    /// Somebody puts a rule before all others of a chain.
    pub fn insert(&self, family: Family, chain: &str, rule: &str) {
        let mut state = self.state();
        let chains = state.chains.entry(family).or_insert_with(begin);
        if let Some((_, rules)) = chains.iter_mut().find(|(name, _)| name == chain) {
            rules.insert(0, rule.into());
        }
    }

    /// How often something was changed.
    pub fn restores(&self) -> usize {
        self.state().restores
    }
}

fn begin() -> Vec<(String, Vec<String>)> {
    BUILT_IN.iter().map(|name| (name.to_string(), Vec::new())).collect()
}

fn apply(chains: &mut Vec<(String, Vec<String>)>, line: &str) -> Result<(), String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (name, rule) = rest.split_once(' ').unwrap_or((rest, ""));
    if let Some(name) = verb.strip_prefix(':') {
        chains.retain(|(chain, _)| chain != name);
        chains.push((name.into(), Vec::new()));
        return Ok(());
    }
    let at = chains.iter().position(|(chain, _)| chain == name).ok_or_else(|| format!("no chain {name}"))?;
    match verb {
        "-A" => chains[at].1.push(rule.into()),
        "-I" => chains[at].1.insert(0, rule.strip_prefix("1 ").unwrap_or(rule).into()),
        "-D" => {
            let rules = &mut chains[at].1;
            let nth = rules.iter().position(|there| there == rule).ok_or("no such rule")?;
            rules.remove(nth);
        }
        "-X" => drop(chains.remove(at)),
        other => return Err(format!("what is {other}?")),
    }
    Ok(())
}

#[async_trait]
impl Tables for Fake {
    fn families(&self) -> Vec<Family> {
        vec![Family::V4, Family::V6]
    }

    async fn list(&self, family: Family) -> Result<Vec<String>, String> {
        let mut state = self.state();
        if let Some(why) = &state.fails {
            return Err(why.clone());
        }
        let chains = state.chains.entry(family).or_insert_with(begin);
        let named = chains.iter().filter(|(name, _)| !BUILT_IN.contains(&name.as_str())).map(|(name, _)| format!("-N {name}"));
        let rules = chains.iter().flat_map(|(name, rules)| rules.iter().map(move |rule| format!("-A {name} {rule}")));
        Ok(named.chain(rules).collect())
    }

    async fn restore(&self, family: Family, script: &str) -> Result<(), String> {
        let mut state = self.state();
        if let Some(why) = &state.fails {
            return Err(why.clone());
        }
        let mut chains = state.chains.entry(family).or_insert_with(begin).clone();
        for line in script.lines().filter(|line| !line.starts_with('*') && *line != "COMMIT") {
            apply(&mut chains, line)?;
        }
        state.chains.insert(family, chains);
        state.restores += 1;
        Ok(())
    }
}
