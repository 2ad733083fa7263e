//! One text, read in every way that is plausible, and what each reading shows.

use std::ops::{ControlFlow, Range};

use super::super::lists::{Edges, Hit, ListRule};
use super::super::{AccountFacts, Evidence, Octets, Span, Spot};
use super::{Findings, Found, Ground, Inspector, Scratch};
use crate::text::{Extent, Normal, Normaliser, Place, Readings, Segment, View, ViewKind, origin, share};

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
    /// Whose message it is.
    pub(super) account: &'r AccountFacts,
}

impl Run<'_, '_> {
    /// Reads every segment in the way of this number, or in its last one.
    fn choose(&mut self, index: usize) {
        for (segment, readings) in self.segments.iter_mut().zip(self.readings) {
            segment.charset = readings.iter().take(index + 1).last().unwrap_or(segment.charset);
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
        Span { from: self.spot(places.start), to: self.spot(places.end) }
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
        let ways = run.readings.iter().map(|readings| readings.iter().count()).max().unwrap_or(0);
        let (mut failed, mut read) = (None, false);
        for index in 0..ways {
            run.choose(index);
            match decoder.decode(run.segments, run.extent()) {
                Ok(text) => {
                    read = true;
                    self.look(text, &run, normaliser, search, findings);
                }
                Err(undecodable) => failed = failed.or(Some(undecodable)),
            }
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
        search: &mut super::Search,
        findings: &mut Findings,
    ) {
        let (normal, fresh) = (normaliser.normalise(text), run.fresh());
        for view in normal.views() {
            let fresh = fresh.clone().map(|fresh| normal.image(view.kind, fresh));
            if view.kind == ViewKind::Plain {
                findings.plain = fresh.as_ref().map_or(view.text.len(), Range::len);
            }
            self.lists.scan(view.text, &[], run.edges, &mut search.lists, |hit| {
                if hit.settled && fresh.as_ref().is_none_or(|fresh| touches(&hit.reach, fresh)) {
                    self.hit(&hit, view, &normal, run, findings);
                }
                ControlFlow::Continue(())
            });
        }
    }

    fn hit(&self, hit: &Hit, view: View<'_>, normal: &Normal<'_>, run: &Run<'_, '_>, findings: &mut Findings) {
        let Some(entry) = self.lists.entry(hit.entry) else { return };
        if run.account.declared().licences.contains(&entry.category) {
            return;
        }
        let ground = match entry.rule {
            ListRule::Content => Ground::Content,
            ListRule::Fraud if entry.clause.0 == 26 => Ground::Confidential,
            ListRule::Fraud => Ground::Deception,
            ListRule::Media => Ground::Media,
            ListRule::Health => Ground::Health,
        };
        findings.note(ground, || Found {
            clause: entry.clause,
            evidence: Evidence::Entry {
                entry: Octets::new(entry.id.as_bytes()),
                category: Octets::new(entry.category.as_bytes()),
                language: Octets::new(entry.language.as_bytes()),
                span: run.span(normal, view.kind, hit.span.clone()),
            },
        });
    }
}

fn touches(reach: &Range<usize>, fresh: &Range<usize>) -> bool {
    reach.start < fresh.end && fresh.start < reach.end
}
