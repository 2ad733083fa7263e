//! One text, read in every way that is plausible, and what each reading shows.

use std::ops::{ControlFlow, Range};

use super::super::expressions::Exhausted;
use super::super::lists::{self, Edge, Edges, EntryText, Hit, ListRule};
use super::super::sender::bare;
use super::super::{AccountFacts, Clause, Evidence, Octets, Span, Spot};
use super::{Findings, Found, Ground, Inspector, Scratch, Search, Sought, links};
use crate::config::OwnEntry;
use crate::text::{Extent, Normal, Normaliser, Place, Readings, Segment, View, ViewKind, origin, share};

/// Clause 26: no asking for confidential data without prior contact or consent.
const CONFIDENTIAL: Clause = Clause(26);
/// Hits of lists in one message beyond which it is not read on. Each costs as much as hundreds of octets that are none,
/// and no text that is meant to be read has so many.
const MAX_HITS: usize = 256;
/// Ways of reading parts whose codings differ. Those of one message do not.
const MOST_WAYS: usize = 32;
/// Clause 6: not misleading about one's nature.
const NATURE: Clause = Clause(6);

/// The segments that a text is read from, in order.
pub(super) struct Run<'r, 't> {
    /// The octets; their charsets are set for each reading.
    pub(super) segments: &'r mut [Segment<'t>],
    /// How each segment may be read.
    pub(super) readings: &'r [Readings],
    /// Where each segment begins.
    pub(super) spots: &'r [Spot],
    /// Which segment is judged; the others have been.
    pub(super) own: usize,
    /// What may still come before the first segment and behind the last one.
    pub(super) edges: Edges,
    /// Whether the segments are all of the text.
    pub(super) is_whole: bool,
    /// What is to be found out of the text if it is all there.
    pub(super) sought: Sought<'r>,
    /// Whose message it is.
    pub(super) account: &'r AccountFacts,
    /// Its sender ID.
    pub(super) source: &'r [u8],
}

impl Run<'_, '_> {
    /// In how many ways the segments may be read: those that may be read alike are.
    fn ways(&self) -> usize {
        let distinct = self.readings.iter().enumerate().filter(|(index, _)| self.first_alike(*index) == *index);
        distinct.map(|(_, readings)| readings.count()).product()
    }

    /// The first segment that may be read as this one may be.
    fn first_alike(&self, index: usize) -> usize {
        let own = self.readings.get(index);
        self.readings.iter().take(index).position(|readings| Some(readings) == own).unwrap_or(index)
    }

    /// Reads every segment in the way of this number.
    fn choose(&mut self, mut way: usize) {
        for (index, readings) in self.readings.iter().enumerate() {
            let first = self.first_alike(index);
            let charset = if first < index {
                self.segments.get(first).map(|segment| segment.charset)
            } else {
                let count = readings.count().max(1);
                let charset = readings.iter().nth(way % count);
                way /= count;
                charset
            };
            if let (Some(segment), Some(charset)) = (self.segments.get_mut(index), charset) {
                segment.charset = charset;
            }
        }
    }

    fn extent(&self) -> Extent {
        if self.edges == Edges::WHOLE && self.segments.len() == 1 { Extent::Whole } else { Extent::Part }
    }

    /// Which range of the text is judged; none if all of it.
    fn fresh(&self) -> Option<Range<usize>> {
        (self.segments.len() > 1).then(|| share(self.segments, self.extent(), self.own))
    }

    /// Where a range of a view lies in the user data.
    fn span(&self, normal: &Normal<'_>, kind: ViewKind, range: Range<usize>) -> Span {
        let places = origin(self.segments, self.extent(), normal.origin(kind, range));
        let reading = self.segments.get(self.own).map(|segment| segment.charset).unwrap_or_default();
        Span { from: self.spot(places.start), to: self.spot(places.end), reading }
    }

    fn spot(&self, place: Place) -> Spot {
        let segment = self.spots.get(place.segment).or(self.spots.first()).copied();
        Spot { octet: place.octet as u32, ..segment.unwrap_or_default() }
    }
}

impl Inspector {
    /// Reads the text in every way and notes what it shows.
    ///
    /// # Errors
    /// The evidence that it cannot be read in any.
    pub(super) fn read(
        &self,
        mut run: Run<'_, '_>,
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let Scratch { decoder, normaliser, search } = scratch;
        let ways = run.ways();
        if ways > MOST_WAYS {
            return Err(Evidence::Hidden("parts that may be read in too many ways"));
        }
        let (mut failed, mut read) = (None, false);
        for index in 0..ways {
            run.choose(index);
            match decoder.decode(run.segments, run.extent()) {
                Ok(text) => {
                    read = true;
                    self.look(text, &run, normaliser, search, findings)?;
                }
                Err(undecodable) => failed = failed.or(Some(undecodable)),
            }
        }
        if let Some(spot) = run.spots.first() {
            findings.settle(spot.field);
        }
        match failed {
            Some(undecodable) if !read => Err(Evidence::Undecodable(undecodable)),
            _ => Ok(()),
        }
    }

    fn look(
        &self,
        text: &str,
        run: &Run<'_, '_>,
        normaliser: &mut Normaliser,
        search: &mut Search,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let (normal, fresh) = (normaliser.normalise(text), run.fresh());
        for view in normal.views() {
            let fresh = fresh.clone().map(|fresh| normal.image(view.kind, fresh));
            if view.kind == ViewKind::Plain {
                // The least of all readings: what hardly anything is seen of in one must not count for much in another.
                let plain = fresh.as_ref().map_or(view.text.len(), Range::len);
                findings.plain = Some(findings.plain.map_or(plain, |other| plain.min(other)));
            }
            if let (ViewKind::Plain, Some(model), true) = (view.kind, &self.model, run.is_whole) {
                let score = model.score(view.text).max(findings.score.map_or(0.0, |(_, score)| score));
                findings.score = Some((model.version(), score));
            }
            let window = Window { view, normal: &normal, run, fresh: fresh.as_ref() };
            self.search(&window, search, findings)?;
        }
        Ok(())
    }

    fn search(
        &self,
        window: &Window<'_, '_, '_, '_>,
        search: &mut Search,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let (view, Search { ears, lists, links, linked, brands, expressions }) = (window.view, search);
        let found = links.find(view.text);
        if !found.is_all() {
            return Err(Evidence::Hidden("more links than any message has"));
        }
        if let (true, Some(spot)) = (window.run.is_whole, window.run.spots.first())
            && view.kind == window.normal.folded().kind
        {
            window.run.sought.listen((spot.field, window.normal), found.iter(), ears, findings);
        }
        let scanned = window.normal.scan_views().any(|scanned| scanned.kind == view.kind);
        linked.clear();
        linked.extend(found.iter().map(links::for_lists));
        // Where signs have been read as letters, the name of a host is no longer what it was.
        if matches!(view.kind, ViewKind::Plain | ViewKind::Skeleton) {
            found.iter().for_each(|link| links::look(&link, &self.brands, brands, window, findings));
        }
        if scanned {
            self.lists.scan(view.text, linked, window.run.edges, lists, |hit| {
                if hit.settled && window.is_fresh(&hit.reach) {
                    self.hit(&hit, linked, window, findings);
                }
                findings.hits += 1;
                if findings.hits > MAX_HITS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        if findings.hits > MAX_HITS {
            return Err(Evidence::Hidden("a text made of what is looked for"));
        }
        let scanned = self.expressions.scan(view.text, expressions, |entry, range| {
            if window.is_settled(&range) && window.is_fresh(&range) {
                let OwnEntry { id, clause, category, language, .. } = entry;
                window.note((Ground::Content, *clause), [id, category, language], range, findings);
            }
        });
        scanned.map_err(|Exhausted| Evidence::Hidden("a text that exhausts the operator's expressions"))
    }

    fn hit(&self, hit: &Hit, links: &[lists::Link], window: &Window<'_, '_, '_, '_>, findings: &mut Findings) {
        let Some(EntryText { id, rule, clause, language, category }) = self.lists.entry(hit.entry) else { return };
        let ground = match rule {
            ListRule::Content => Ground::Content,
            ListRule::Fraud if *clause == CONFIDENTIAL => Ground::Confidential,
            ListRule::Fraud => Ground::Deception,
            ListRule::Media => Ground::Media,
            ListRule::Health => Ground::Health,
            ListRule::Brand if self.named.contains_key(id) => return self.brand(id, hit, links, window, findings),
            ListRule::Brand => Ground::OtherBrand,
        };
        window.note((ground, clause.0), [id, category, language], hit.span.clone(), findings);
    }
}

impl Inspector {
    /// A brand is named: the account's own, or a protected one.
    fn brand(
        &self,
        id: &str,
        hit: &Hit,
        links: &[lists::Link],
        window: &Window<'_, '_, '_, '_>,
        findings: &mut Findings,
    ) {
        let Some(named) = self.named.get(id) else { return };
        if window.run.account.has_brand(&named.name) {
            findings.named = true;
            return;
        }
        // A link is judged by where it leads.
        let linked =
            links.iter().any(|lists::Link { span, .. }| span.start <= hit.span.start && hit.span.end <= span.end);
        if named.protected && !linked && !window.speaks_for(&named.name) {
            let (brand, span) = (Octets::new(named.name.as_bytes()), window.span(hit.span.clone()));
            findings.note(Ground::OtherBrand, || Found { clause: NATURE, evidence: Evidence::Brand { brand, span } });
        }
    }
}

/// A view of a text, and what of it is judged.
pub(super) struct Window<'p, 'n, 'r, 't> {
    view: View<'p>,
    normal: &'p Normal<'n>,
    run: &'p Run<'r, 't>,
    fresh: Option<&'p Range<usize>>,
}

impl Window<'_, '_, '_, '_> {
    /// Whether a range, or an octet beside it, is of the part that is judged.
    pub(super) fn is_fresh(&self, range: &Range<usize>) -> bool {
        self.fresh.is_none_or(|fresh| range.start <= fresh.end && fresh.start <= range.end)
    }

    /// Whether no text that may still come is next to a range.
    pub(super) fn is_settled(&self, range: &Range<usize>) -> bool {
        let Edges { left, right } = self.run.edges;
        (left == Edge::End || range.start > 0) && (right == Edge::End || range.end < self.view.text.len())
    }

    /// Where a range of the view lies in the user data.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        self.run.span(self.normal, self.view.kind, range)
    }

    /// Whether this brand is the account's, or the sender's.
    pub(super) fn speaks_for(&self, brand: &str) -> bool {
        let source = String::from_utf8_lossy(self.run.source);
        self.run.account.has_brand(brand) || bare(&source) == bare(brand)
    }

    fn note(
        &self,
        (ground, clause): (Ground, u16),
        [id, category, language]: [&str; 3],
        range: Range<usize>,
        findings: &mut Findings,
    ) {
        if self.run.account.declared().licences.iter().any(|licence| licence == category) {
            return;
        }
        findings.note(ground, || Found {
            clause: Clause(clause),
            evidence: Evidence::Entry {
                entry: Octets::new(id.as_bytes()),
                category: Octets::new(category.as_bytes()),
                language: Octets::new(language.as_bytes()),
                span: self.span(range),
            },
        });
    }
}
