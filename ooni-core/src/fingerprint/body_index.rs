//! The patterns for bodies, and which of them match a body under each set of rules.

use super::entry::{Fingerprint, PatternError, PatternType};
use super::literal_search::{FoundLiterals, LiteralSearch};
use super::needles::{self, RawSearch};
use super::rarity;
use super::regexp::{BodyRegex, Lossy, Trigger, lossy_origin, text_of};
use crate::json::Spelling;
use memchr::memmem;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Repairs of body matching; published rows were scored without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyRules {
    /// `regexp` patterns are regular expressions instead of literal text.
    pub regexp: bool,
    /// `full` patterns must equal the body instead of occurring in it.
    pub full: bool,
}

/// A body fingerprint that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyMatch {
    /// Position in [`Fingerprints::http`](super::Fingerprints::http).
    pub http_index: u32,
    /// Byte offset of the first match in the decoded body.
    pub offset: usize,
}

/// Buffers and results of one search.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub(super) matches: Vec<BodyMatch>,
    found: FoundLiterals,
    /// Indices of the expressions whose trigger was found.
    triggered: Vec<u32>,
    lossy: String,
}

/// What a literal is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Contains,
    Full,
    /// A `regexp` pattern that is treated as literal text.
    RegexpAsText,
    /// The trigger of the expression with this index, which matches only bodies that contain its trigger.
    RegexpTrigger(u32),
}

#[derive(Clone, Debug)]
struct Literal {
    text: String,
    users: Vec<(u32, Role)>,
}

#[derive(Clone, Debug)]
struct Regexp {
    http_index: u32,
    regex: BodyRegex,
}

/// The index for searches in bodies, built once from the list.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyIndex {
    literals: Vec<Literal>,
    by_text: HashMap<String, u32>,
    /// The literal `""`, which is in every body.
    empty: Option<u32>,
    regexps: Vec<Regexp>,
    searches: Searches,
    /// Some expression has no trigger, so every text is decoded.
    regexp_decode: bool,
    /// Some expression has U+FFFD as its trigger.
    regexp_replacement: bool,
}

/// One set of literals for each interpretation of `regexp` patterns: triggers may be frequent and would slow down searches
/// that do not use them. Each is built on first use, as most processes use only one.
#[derive(Clone, Debug, Default)]
struct Searches {
    as_text: OnceLock<LiteralSearch>,
    as_regexp: OnceLock<LiteralSearch>,
}

impl BodyIndex {
    pub(super) fn new(http: &[Fingerprint]) -> Result<Self, PatternError> {
        let mut index = Self::default();
        let bodies = http.iter().enumerate().filter(|(_, fingerprint)| fingerprint.location_found == "body");
        for (at, fingerprint) in bodies {
            index.add(at, fingerprint)?;
        }
        index.empty = index.by_text.get("").copied();
        Ok(index)
    }

    fn search_for(&self, wanted: impl Fn(Role) -> bool) -> LiteralSearch {
        let literals = (0..).zip(&self.literals);
        let wanted = literals.filter(|(_, literal)| literal.users.iter().any(|&(_, role)| wanted(role)));
        let plan = |literal: &Literal| needles::plan(&literal.text, rarity::cost_of_text);
        let plans: Vec<(u32, &str, RawSearch)> =
            wanted.map(|(id, literal)| (id, literal.text.as_str(), plan(literal))).collect();
        LiteralSearch::new(plans.iter().map(|(id, text, plan)| (*id, *text, plan)))
    }

    /// `None` when there are no fingerprints for bodies.
    fn search(&self, rules: BodyRules) -> Option<&LiteralSearch> {
        if !self.is_used() {
            return None;
        }
        let Searches { as_text, as_regexp } = &self.searches;
        Some(if rules.regexp {
            as_regexp.get_or_init(|| self.search_for(|role| role != Role::RegexpAsText))
        } else {
            as_text.get_or_init(|| self.search_for(|role| !matches!(role, Role::RegexpTrigger(_))))
        })
    }

    fn add(&mut self, at: usize, fingerprint: &Fingerprint) -> Result<(), PatternError> {
        let http_index = at as u32;
        let role = match fingerprint.pattern_type {
            PatternType::Full => Role::Full,
            PatternType::Regexp => Role::RegexpAsText,
            PatternType::Prefix | PatternType::Contains => Role::Contains,
        };
        self.add_literal(&fingerprint.pattern, http_index, role);
        if role != Role::RegexpAsText {
            return Ok(());
        }
        let regex = BodyRegex::new(&fingerprint.pattern)
            .map_err(|error| PatternError { index: at, message: format!("regular expression: {error}") })?;
        match &regex.trigger {
            Trigger::Text(text) => {
                let number = self.regexps.len() as u32;
                self.add_literal(text, http_index, Role::RegexpTrigger(number));
            }
            Trigger::Replacement => self.regexp_replacement = true,
            Trigger::None => self.regexp_decode = true,
        }
        self.regexps.push(Regexp { http_index, regex });
        Ok(())
    }

    fn add_literal(&mut self, text: &str, http_index: u32, role: Role) {
        let known = self.by_text.get(text).copied();
        let id = known.unwrap_or_else(|| {
            let id = self.literals.len() as u32;
            self.literals.push(Literal { text: text.to_owned(), users: Vec::new() });
            self.by_text.insert(text.to_owned(), id);
            id
        });
        self.literals[id as usize].users.push((http_index, role));
    }

    /// Whether there is a fingerprint for bodies.
    pub(super) fn is_used(&self) -> bool {
        !self.literals.is_empty()
    }

    /// Whether undecoded text may match anything but an empty pattern.
    pub(super) fn may_match(&self, raw: &[u8], spelling: Spelling, rules: BodyRules) -> bool {
        let Some(search) = self.search(rules) else {
            return false;
        };
        spelling.has(Spelling::ODD)
            || rules.regexp && self.regexp_decode
            || rules.regexp && self.regexp_replacement && may_contain_replacement(raw, spelling)
            || search.may_be_in(raw)
    }

    /// Finds the matches; `text` is decoded, or `None` if only an empty pattern can match.
    pub(super) fn find(&self, text: Option<(&[u8], Lossy)>, is_empty: bool, rules: BodyRules, work: &mut Work) {
        work.matches.clear();
        work.triggered.clear();
        work.found.clear(self.literals.len());
        if let (Some((text, _)), Some(search)) = (text, self.search(rules)) {
            search.find(text, &mut work.found);
        }
        if let Some(empty) = self.empty {
            work.found.add(empty, 0);
        }
        for (id, offset) in work.found.each() {
            let literal = &self.literals[id as usize];
            for &(http_index, role) in &literal.users {
                let matched = match role {
                    Role::Contains => true,
                    Role::Full if !rules.full => true,
                    Role::Full => match text {
                        Some((text, _)) => text == literal.text.as_bytes(),
                        None => is_empty && literal.text.is_empty(),
                    },
                    Role::RegexpAsText => !rules.regexp,
                    Role::RegexpTrigger(number) => {
                        work.triggered.push(number);
                        false
                    }
                };
                if matched {
                    work.matches.push(BodyMatch { http_index, offset });
                }
            }
        }
        if let Some((text, mode)) = text.filter(|_| rules.regexp) {
            self.find_regexps(text, mode, work);
        }
        work.matches.sort_unstable_by_key(|found| found.http_index);
    }

    fn find_regexps(&self, bytes: &[u8], mode: Lossy, work: &mut Work) {
        let triggered = &work.triggered;
        let wanted = |(number, regexp): &(usize, &Regexp)| match regexp.regex.trigger {
            Trigger::Text(_) => triggered.contains(&(*number as u32)),
            Trigger::Replacement | Trigger::None => true,
        };
        let mut wanted = self.regexps.iter().enumerate().filter(wanted).peekable();
        if wanted.peek().is_none() {
            return;
        }
        let text = text_of(bytes, mode, &mut work.lossy);
        for (_, Regexp { http_index, regex }) in wanted {
            if let Some(start) = regex.find(text) {
                // Offsets are the same if nothing was replaced.
                let same = text.len() == bytes.len() && text.as_ptr() == bytes.as_ptr();
                let offset = if same { start } else { lossy_origin(bytes, mode, start) };
                work.matches.push(BodyMatch { http_index: *http_index, offset });
            }
        }
    }

    /// Positions in the HTTP list of the patterns that occur in `text` as literals.
    pub(super) fn patterns_inside(&self, text: &str, work: &mut Work) -> impl Iterator<Item = u32> {
        self.find(Some((text.as_bytes(), Lossy::Text)), false, BodyRules::default(), work);
        work.matches.iter().map(|found| found.http_index)
    }

    /// The offsets of all matches of a fingerprint.
    pub(super) fn all_places(
        &self,
        text: &[u8],
        mode: Lossy,
        fingerprint: &Fingerprint,
        http_index: u32,
        rules: BodyRules,
    ) -> Vec<usize> {
        if rules.regexp && fingerprint.pattern_type == PatternType::Regexp {
            let Some(regexp) = self.regexps.iter().find(|regexp| regexp.http_index == http_index) else {
                return Vec::new();
            };
            let mut lossy = String::new();
            let starts = regexp.regex.find_all(text_of(text, mode, &mut lossy));
            return starts.into_iter().map(|start| lossy_origin(text, mode, start)).collect();
        }
        if fingerprint.pattern.is_empty() {
            return vec![0];
        }
        let finder = memmem::Finder::new(&fingerprint.pattern);
        let mut places = Vec::new();
        let mut from = 0;
        // Matches may overlap, so the search continues one byte further.
        while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)) {
            places.push(from + at);
            from += at + 1;
        }
        places
    }
}

/// Whether decoding may give U+FFFD, or bytes that are replaced by it.
fn may_contain_replacement(raw: &[u8], spelling: Spelling) -> bool {
    spelling.has(Spelling::LONE)
        || spelling.has(Spelling::U_NON_ASCII) && memmem::find(raw, b"\\ufffd").is_some()
        || spelling.has(Spelling::NON_ASCII) && memmem::find(raw, b"\xef\xbf\xbd").is_some()
}
