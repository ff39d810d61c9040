//! The literals of all body patterns, and the search for them in one body.
//!
//! Belongs here: what is made of the list for searching, and which fingerprints a text matches. Must not be
//! here: the public types of the search, the scan itself, how patterns are spelled.

use super::matching::{BodyMatch, BodyRules};
use super::needles::{self, RawSearch};
use super::qgram::{MIN_NEEDLE, QGram, TooManyCandidates};
use super::regexp::{BodyRegex, Lossy, Trigger, lossy_origin, text_of};
use super::spelling::Spelling;
use super::{Fingerprint, PatternError, PatternType, rarity};
use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// What one search works with and leaves behind.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub(super) matches: Vec<BodyMatch>,
    found: Found,
    /// Numbers of the expressions whose trigger was found.
    triggered: Vec<u32>,
    lossy: String,
}

/// The literals found in the current body.
#[derive(Clone, Debug, Default)]
struct Found {
    /// By literal: the first place, `usize::MAX` for none.
    first: Vec<usize>,
    which: Vec<u32>,
}

impl Found {
    fn clear(&mut self, literals: usize) {
        for &literal in &self.which {
            if let Some(first) = self.first.get_mut(literal as usize) {
                *first = usize::MAX;
            }
        }
        self.which.clear();
        self.first.resize(literals, usize::MAX);
    }

    fn add(&mut self, literal: u32, at: usize) {
        let first = &mut self.first[literal as usize];
        if *first == usize::MAX {
            self.which.push(literal);
        }
        *first = at.min(*first);
    }
}

/// Who wants to know that a literal occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Contains,
    Full,
    /// A `regexp` pattern while it is searched as it is written.
    RegexpAsText,
    /// What must occur for the expression with this number to match.
    RegexpTrigger(u32),
}

/// Sets of rules under which a literal matters, as bits.
type Needs = u8;
const ALWAYS: Needs = 1;
const AS_TEXT: Needs = 2;
const AS_REGEXP: Needs = 4;

fn needs_of(rules: BodyRules) -> Needs {
    ALWAYS | if rules.regexp { AS_REGEXP } else { AS_TEXT }
}

#[derive(Clone, Debug)]
struct Literal {
    text: String,
    users: Vec<(u32, Role)>,
    needs: Needs,
}

#[derive(Clone, Debug)]
struct Regexp {
    http_index: u32,
    regex: BodyRegex,
}

/// Where the text after a raw needle goes on in its literal.
#[derive(Clone, Copy, Debug)]
struct RawUse {
    literal: u32,
    rest: u32,
}

/// Everything the search of bodies needs, made once from the list.
#[derive(Clone, Debug, Default)]
pub(super) struct BodyIndex {
    literals: Vec<Literal>,
    by_text: HashMap<String, u32>,
    regexps: Vec<Regexp>,
    /// Decoded text: literals of [`MIN_NEEDLE`] bytes or more, and the shorter ones.
    exact: Option<QGram>,
    exact_ids: Vec<u32>,
    exact_short: Vec<(u32, memmem::Finder<'static>)>,
    /// Undecoded text.
    raw: Option<QGram>,
    raw_uses: Vec<RawUse>,
    raw_short: Vec<(Needs, memmem::Finder<'static>)>,
    /// Rules under which every text must be decoded.
    decode: Needs,
    /// Rules under which U+FFFD matters.
    replacement: Needs,
    /// The fallback, made when it is first needed.
    automaton: OnceLock<Option<AhoCorasick>>,
    used: bool,
}

impl BodyIndex {
    pub(super) fn new(http: &[Fingerprint]) -> Result<Self, PatternError> {
        let mut index = Self::default();
        for (at, fingerprint) in http
            .iter()
            .enumerate()
            .filter(|(_, fingerprint)| fingerprint.location_found == "body")
        {
            index.used = true;
            index.add(at, fingerprint)?;
        }
        index.prepare();
        Ok(index)
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
        let regex = BodyRegex::new(&fingerprint.pattern).map_err(|error| PatternError {
            index: at,
            message: format!("regular expression: {error}"),
        })?;
        match &regex.trigger {
            Trigger::Text(text) => {
                let number = self.regexps.len() as u32;
                self.add_literal(text, http_index, Role::RegexpTrigger(number));
            }
            Trigger::Replacement => self.replacement |= AS_REGEXP,
            Trigger::None => self.decode |= AS_REGEXP,
        }
        self.regexps.push(Regexp { http_index, regex });
        Ok(())
    }

    fn add_literal(&mut self, text: &str, http_index: u32, role: Role) {
        let known = self.by_text.get(text).copied();
        let id = known.unwrap_or_else(|| {
            let id = self.literals.len() as u32;
            self.literals.push(Literal {
                text: text.to_owned(),
                users: Vec::new(),
                needs: 0,
            });
            self.by_text.insert(text.to_owned(), id);
            id
        });
        let literal = &mut self.literals[id as usize];
        literal.users.push((http_index, role));
        literal.needs |= match role {
            Role::Contains | Role::Full => ALWAYS,
            Role::RegexpAsText => AS_TEXT,
            Role::RegexpTrigger(_) => AS_REGEXP,
        };
    }

    fn prepare(&mut self) {
        let mut raw_needles = Vec::new();
        let mut exact = Vec::new();
        for (id, literal) in self
            .literals
            .iter()
            .enumerate()
            .filter(|(_, literal)| !literal.text.is_empty())
        {
            let id = id as u32;
            if literal.text.len() >= MIN_NEEDLE {
                exact.push((literal.text.as_bytes(), 0..literal.text.len()));
                self.exact_ids.push(id);
            } else {
                self.exact_short
                    .push((id, memmem::Finder::new(&literal.text).into_owned()));
            }
            match needles::plan(&literal.text, rarity::cost_of_text) {
                RawSearch::Needles(needles) => {
                    for needle in needles {
                        self.raw_uses.push(RawUse {
                            literal: id,
                            rest: needle.rest as u32,
                        });
                        raw_needles.push(needle);
                    }
                }
                RawSearch::Short(pieces) => {
                    for piece in pieces {
                        self.raw_short
                            .push((literal.needs, memmem::Finder::new(&piece).into_owned()));
                    }
                }
                RawSearch::Decode => self.decode |= literal.needs,
            }
        }
        self.exact = Some(QGram::new(exact.into_iter()));
        self.raw =
            Some(QGram::new(raw_needles.iter().map(|needle| {
                (needle.bytes.as_slice(), needle.window.clone())
            })));
    }

    /// Whether there is a fingerprint for bodies.
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Whether undecoded text may match anything but an empty pattern.
    pub(super) fn may_match(&self, raw: &[u8], spelling: Spelling, rules: BodyRules) -> bool {
        let needs = needs_of(rules);
        if self.decode & needs != 0 || spelling.has(Spelling::ODD) {
            return true;
        }
        if self.replacement & needs != 0 && may_hold_replacement(raw, spelling) {
            return true;
        }
        let scan = |index: &QGram| {
            index.scan(raw, |needle, at| {
                let RawUse { literal, rest } = self.raw_uses[needle];
                let literal = &self.literals[literal as usize];
                let after = at + index.needle_len(needle);
                if literal.needs & needs != 0
                    && needles::goes_on(&raw[after..], &literal.text[rest as usize..])
                {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
        };
        if self
            .raw
            .as_ref()
            .is_some_and(|index| scan(index).unwrap_or(true))
        {
            return true;
        }
        self.raw_short
            .iter()
            .any(|(wanted, finder)| wanted & needs != 0 && finder.find(raw).is_some())
    }

    /// Finds all literals in decoded text.
    fn find_literals(&self, text: &[u8], found: &mut Found) {
        found.clear(self.literals.len());
        let result = self.exact.as_ref().map(|index| {
            index.scan(text, |needle, at| {
                found.add(self.exact_ids[needle], at);
                ControlFlow::Continue(())
            })
        });
        if let Some(Err(TooManyCandidates)) = result
            && let Some(automaton) = self.automaton()
        {
            found.clear(self.literals.len());
            for hit in automaton.find_overlapping_iter(text) {
                found.add(hit.pattern().as_u32(), hit.start());
            }
            return;
        }
        if let Some(Err(TooManyCandidates)) = result {
            for (id, literal) in self.literals.iter().enumerate() {
                if let Some(at) = memmem::find(text, literal.text.as_bytes()) {
                    found.add(id as u32, at);
                }
            }
        }
        for (id, finder) in &self.exact_short {
            if let Some(at) = finder.find(text) {
                found.add(*id, at);
            }
        }
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        let build = || {
            let literals = self.literals.iter().map(|literal| literal.text.as_bytes());
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .build(literals)
                .ok()
        };
        self.automaton.get_or_init(build).as_ref()
    }

    /// Finds what matches; `text` is decoded, `None` if nothing can match but an empty pattern.
    pub(super) fn find(
        &self,
        text: Option<(&[u8], Lossy)>,
        is_empty: bool,
        rules: BodyRules,
        work: &mut Work,
    ) {
        work.matches.clear();
        work.triggered.clear();
        work.found.clear(self.literals.len());
        if let Some((text, _)) = text {
            self.find_literals(text, &mut work.found);
        }
        if let Some(&empty) = self.by_text.get("") {
            work.found.add(empty, 0);
        }
        for &id in &work.found.which {
            let literal = &self.literals[id as usize];
            let offset = work.found.first[id as usize];
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
                let offset = lossy_origin(bytes, mode, start);
                work.matches.push(BodyMatch {
                    http_index: *http_index,
                    offset,
                });
            }
        }
    }

    /// Places in the HTTP list of the patterns, as written, that stand in `text`.
    pub(super) fn patterns_inside(&self, text: &str, work: &mut Work) -> impl Iterator<Item = u32> {
        self.find(
            Some((text.as_bytes(), Lossy::Text)),
            false,
            BodyRules::default(),
            work,
        );
        work.matches.iter().map(|found| found.http_index)
    }

    /// All places where one fingerprint that matches does so.
    pub(super) fn all_places(
        &self,
        text: &[u8],
        mode: Lossy,
        fingerprint: &Fingerprint,
        http_index: u32,
        rules: BodyRules,
    ) -> Vec<usize> {
        if rules.regexp && fingerprint.pattern_type == PatternType::Regexp {
            let Some(regexp) = self
                .regexps
                .iter()
                .find(|regexp| regexp.http_index == http_index)
            else {
                return Vec::new();
            };
            let mut lossy = String::new();
            let starts = regexp.regex.find_all(text_of(text, mode, &mut lossy));
            return starts
                .into_iter()
                .map(|start| lossy_origin(text, mode, start))
                .collect();
        }
        if fingerprint.pattern.is_empty() {
            return vec![0];
        }
        let finder = memmem::Finder::new(&fingerprint.pattern);
        let mut places = Vec::new();
        let mut from = 0;
        // Places may overlap, so the search goes on one byte further.
        while let Some(at) = text.get(from..).and_then(|rest| finder.find(rest)) {
            places.push(from + at);
            from += at + 1;
        }
        places
    }
}

/// Whether decoding may give U+FFFD or something that is read as it.
fn may_hold_replacement(raw: &[u8], spelling: Spelling) -> bool {
    spelling.has(Spelling::LONE)
        || spelling.has(Spelling::U_NON_ASCII) && memmem::find(raw, b"\\ufffd").is_some()
        || spelling.has(Spelling::NON_ASCII) && memmem::find(raw, b"\xef\xbf\xbd").is_some()
}
