//! What the texts of a message show, found once for all rules that are about them.
//!
//! Every field that carries text is read in every plausible way; every reading is normalised; every view is searched
//! once for all lists. A part of a multipart message is read together with its neighbours that have come before.
//! Nothing here decides: [`Findings`] are facts, and rules say what they mean. What a text shows never depends on how it
//! was encoded, or cut into parts.

mod compiled;
mod links;
mod run;
mod sought;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::brands::{self, Brands};
use super::concatenation::{Assembly, Piece};
use super::expressions::{self, Expressions};
use super::lists::{self, Edge, Edges, Lists};
use super::message::{Coding, Submission};
use super::resemblance::Mark;
use super::score::{Model, ModelFault};
use super::{AccountFacts, Clause, Evidence, Field, Spot};
use crate::config::{self, Faults, Mode};
use crate::pdu::DataCoding;
use crate::text::links::Links;
use crate::text::{Content, Decoder, Extent, Normaliser, Readings, Segment, UserData};
use compiled::Wanted;
use run::Run;
pub(super) use sought::Sought;
use sought::{Ears, Told};

/// A hit looks at no more octets of a view than this on either side of any octet of its own.
const REACH: usize = 600;
/// So many octets of neighbouring parts are read to find [`REACH`] octets that a reader sees.
const NEIGHBOURHOOD: usize = 4 * REACH;
/// Octets of the longest part that is read: many times those of a short message.
const PART: usize = 2048;
/// What a header that does not fit hides.
pub(super) const HEADER: Evidence = Evidence::Hidden("text behind a header that does not fit");

/// What a finding is about. Of each there is one finding at most: the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// Forbidden content.
    Content,
    /// A request for confidential data.
    Confidential,
    /// Deception about sender or reason, or a swindle.
    Deception,
    /// A link to pictures, or an offer of them.
    Media,
    /// Identified health information.
    Health,
    /// A link that is not what it seems.
    LookAlike,
    /// A link through a URL shortener.
    Shortener,
    /// A link to a picture or video.
    Picture,
    /// A protected brand that is not the account's.
    OtherBrand,
}

impl Ground {
    const COUNT: usize = Self::OtherBrand as usize + 1;
}

/// One thing that a text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The clause that it concerns.
    pub(super) clause: Clause,
    /// What and where.
    pub(super) evidence: Evidence,
}

/// What the texts of one message show.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Findings {
    grounds: [Option<Found>; Ground::COUNT],
    /// Whether a field holds octets that are not text.
    pub(super) binary: bool,
    /// The version of the model and the highest score that it gives to the whole text.
    pub(super) score: Option<(u64, f32)>,
    /// What is remembered of the whole text, if that is sought.
    pub(super) mark: Option<Mark>,
    /// How much the whole text is like a sample of its campaign, in thousandths, if that has any.
    pub(super) alike: Option<u16>,
    /// What the field that is being read tells, read in the most legible way so far.
    told: Option<Told>,
    /// The fields that have told theirs, a bit each.
    heard: u8,
    /// Hits of lists, over all views.
    hits: usize,
    /// Whether the text names a brand of the account's.
    pub(super) named: bool,
    /// Octets of the plain view of this part, of which the memory for multipart messages makes a note.
    pub(super) plain: Option<usize>,
}

impl Findings {
    /// The finding on this ground, if there is one.
    pub(super) fn on(&self, ground: Ground) -> Option<&Found> {
        self.grounds.get(ground as usize)?.as_ref()
    }

    fn note(&mut self, ground: Ground, found: impl FnOnce() -> Found) {
        if let Some(slot @ None) = self.grounds.get_mut(ground as usize) {
            *slot = Some(found());
        }
    }
}

/// What is looked for: compiled from the configuration.
#[derive(Debug)]
pub(super) struct Inspector {
    lists: Arc<Lists>,
    expressions: Expressions,
    brands: Brands,
    model: Option<Model>,
    /// The brands that the lists look for, by their entries' ids.
    named: BTreeMap<String, Named>,
}

/// A brand that texts may name.
#[derive(Debug)]
struct Named {
    name: String,
    /// Whether others than the account that it belongs to must not name it.
    protected: bool,
}

/// Buffers that are used again for every message that a thread judges, so that none of them allocates.
#[derive(Debug, Default)]
struct Scratch {
    decoder: Decoder,
    normaliser: Normaliser,
    search: Search,
}

/// Those of the searches in a view.
#[derive(Debug, Default)]
struct Search {
    ears: Ears,
    lists: lists::Scratch,
    links: Links,
    linked: Vec<lists::Link>,
    brands: brands::Scratch,
    expressions: expressions::Scratch,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Inspector {
    /// Compiles what `texts` names, and the brands of `accounts`.
    ///
    /// # Errors
    /// Every fault of the operator's lists.
    pub(super) fn new(texts: &config::Texts, accounts: &[config::Account]) -> Result<Self, Vec<Faults>> {
        let named = named(texts, accounts);
        let brands = brand_list(texts, &named);
        let words = texts.words.iter().map(list_of).chain([brands]);
        let lists = texts.lists.iter().cloned().chain(words).collect();
        let wanted = Wanted { lists, languages: texts.languages.clone(), except: texts.except.clone() };
        let lists = wanted.compiled();
        let protected = texts.brands.iter().cloned().map(|config::Brand { name, spellings, domains }| brands::Brand {
            name,
            spellings,
            domains,
        });
        let model = texts.score.as_ref().filter(|score| score.mode != Mode::Off).map(read_model).transpose();
        match (lists, Expressions::new(&texts.expressions), model) {
            (Ok(lists), Ok(expressions), Ok(model)) => {
                Ok(Self { lists, expressions, brands: Brands::new(protected), model, named })
            }
            (lists, expressions, model) => {
                let faults = [lists.err(), expressions.err(), model.err().map(|fault| vec![fault])];
                Err(faults.into_iter().flatten().flatten().collect())
            }
        }
    }

    /// The score that a text must not reach, if there is a model.
    pub(super) fn threshold(&self) -> Option<f32> {
        self.model.as_ref().map(Model::threshold)
    }

    /// How many entries the lists have.
    pub(super) fn entries_in_lists(&self) -> usize {
        self.lists.len()
    }

    /// Reads all texts of a message, also those beside one that cannot be read.
    ///
    /// # Errors
    /// The evidence that a text cannot be read.
    pub(super) fn inspect(
        &self,
        message: &Submission<'_>,
        account: &AccountFacts,
        assembly: Option<&Assembly<'_>>,
        sought: Sought<'_>,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        if message.is_two_parts() {
            return Err(Evidence::Hidden("which of two parts it is"));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let mut texts = message.texts();
            match assembly {
                Some(assembly) if assembly.part().total > 1 => {
                    // A part without a text is one all the same: what came before may have waited for it.
                    let text = texts.next().unwrap_or_default();
                    if texts.next().is_some() {
                        return Err(Evidence::Hidden("which of two texts is the part"));
                    }
                    if text.1.len() > PART {
                        return Err(Evidence::Hidden("a part that is longer than any message"));
                    }
                    (0..assembly.ways()).try_for_each(|way| {
                        self.part(message, (account, sought), (assembly, way), text, scratch, findings)
                    })?;
                    if sought.is_anything() && findings.heard == 0 && assembly.completes() {
                        read_all(message, account, assembly, text, sought, scratch, findings);
                    }
                    Ok(())
                }
                _ => {
                    let mut read = Ok(());
                    for text in texts {
                        read = read.and(self.text(message, (account, sought), text, scratch, findings));
                    }
                    read
                }
            }?;
            message.callback_names().try_for_each(|(coding, name)| {
                self.whole(
                    message,
                    (account, Sought::default()),
                    (coding, Field::CallbackNumAtag, name),
                    scratch,
                    findings,
                )
            })
        })
    }

    /// A text that is all there.
    fn text(
        &self,
        message: &Submission<'_>,
        on: (&AccountFacts, Sought<'_>),
        (field, octets): (Field, &[u8]),
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let coding = message.coding();
        // A header stands in short_message if that is there; but some SMSCs look for it in the payload all the same.
        let twice = coding.udhi && field == Field::MessagePayload && !message.short_message.is_empty();
        let mut read = |coding| self.whole(message, on, (coding, field, octets), scratch, findings);
        if twice {
            read(Coding { udhi: false, ..coding })?;
        }
        read(coding).or_else(|unread| if twice { Ok(()) } else { Err(unread) })
    }

    /// Octets that belong to no part.
    fn whole(
        &self,
        message: &Submission<'_>,
        (account, sought): (&AccountFacts, Sought<'_>),
        (coding, field, octets): (Coding, Field, &[u8]),
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let Some((segment, readings)) = readings(coding, octets, account)? else {
            findings.binary = true;
            return Ok(());
        };
        let spots = [Spot { field, part: 0, octet: 0 }];
        let (segments, readings) = (&mut [segment], &[readings]);
        let run = Run {
            segments,
            readings,
            spots: &spots,
            own: 0,
            edges: Edges::WHOLE,
            is_whole: true,
            account,
            sought,
            source: message.source.digits,
        };
        self.read(run, scratch, findings)
    }

    /// A part, read with its neighbours on either side, joined in one way, as far as any hit may look.
    fn part(
        &self,
        message: &Submission<'_>,
        (account, sought): (&AccountFacts, Sought<'_>),
        (assembly, way): (&Assembly<'_>, usize),
        (field, octets): (Field, &[u8]),
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) -> Result<(), Evidence> {
        let part = assembly.part();
        let before = Neighbours::of(assembly.before(way), account)?;
        let behind = Neighbours::of(assembly.behind(way), account)?;
        let own = match readings(message.coding(), octets, account)? {
            Some(own) => Some(own),
            None => {
                findings.binary = true;
                // Nothing to read, but what came before may have waited for it.
                readings(Coding { data_coding: Some(DataCoding(3)), udhi: false }, &[], account)?
            }
        };
        let Some(own) = own else { return Ok(()) };
        let first = part.number - before.all.len() as u8;
        let last = part.number + behind.all.len() as u8;
        let edges = Edges { left: before.edge(first == 1), right: behind.edge(last == part.total) };
        let position = before.all.len();
        let all =
            before.all.into_iter().rev().chain([(own, Spot { field, part: part.number, octet: 0 })]).chain(behind.all);
        let (texts, spots): (Vec<_>, Vec<_>) = all.unzip();
        let (mut segments, readings): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
        let (segments, source) = (&mut segments[..], message.source.digits);
        let is_whole = segments.len() == usize::from(part.total);
        let (readings, spots) = (&readings[..], &spots[..]);
        let run = Run { segments, readings, spots, own: position, edges, is_whole, account, sought, source };
        self.read(run, scratch, findings)
    }
}

/// Reads a message whose last part has come as a whole, unless that has been done: what is remembered of it, and what it is
/// like, depends on all of it. In the first way in which its parts may be joined and read.
fn read_all(
    message: &Submission<'_>,
    account: &AccountFacts,
    assembly: &Assembly<'_>,
    (field, octets): (Field, &[u8]),
    sought: Sought<'_>,
    scratch: &mut Scratch,
    findings: &mut Findings,
) {
    let Scratch { decoder, normaliser, search: Search { ears, links, .. } } = scratch;
    let mut before: Vec<&Piece> = assembly.before(0).collect();
    before.reverse();
    let before = before.into_iter().map(|piece| (piece.coding, &*piece.octets));
    let behind = assembly.behind(0).map(|piece| (piece.coding, &*piece.octets));
    let all = before.chain([(message.coding(), octets)]).chain(behind);
    let texts = all.filter_map(|(coding, octets)| readings(coding, octets, account).ok()?);
    let segments: Vec<Segment<'_>> = texts.map(|(segment, _)| segment).collect();
    let Ok(text) = decoder.decode(&segments, Extent::Whole) else { return };
    let normal = normaliser.normalise(text);
    sought.listen((field, &normal), links.find(normal.folded().text).iter(), ears, findings);
    findings.settle(field);
}

/// Parts that have come, on one side of the part that is judged, the nearest first.
struct Neighbours<'t> {
    all: Vec<((Segment<'t>, Readings), Spot)>,
    /// Whether there are more, out of the reach of any hit.
    cut: bool,
}

impl<'t> Neighbours<'t> {
    /// # Errors
    /// The evidence that what belongs together is kept apart.
    fn of(pieces: impl Iterator<Item = &'t Piece>, account: &AccountFacts) -> Result<Self, Evidence> {
        let (mut neighbours, mut plain, mut octets) = (Self { all: Vec::new(), cut: false }, 0, 0);
        for piece in pieces {
            if plain >= REACH {
                neighbours.cut = true;
                break;
            }
            // Parts in which hardly anything is seen would put what belongs together out of reach.
            if octets >= NEIGHBOURHOOD {
                return Err(Evidence::Hidden("text among characters that are not seen"));
            }
            // One that is no text, which the account may send, ends what can be read together.
            let Ok(Some(text)) = readings(piece.coding, &piece.octets, account) else {
                neighbours.cut = true;
                break;
            };
            neighbours.all.push((text, Spot { field: piece.field, part: piece.number, octet: 0 }));
            plain += piece.plain;
            octets += piece.octets.len();
        }
        Ok(neighbours)
    }

    fn edge(&self, at_the_end: bool) -> Edge {
        if at_the_end || self.cut { Edge::End } else { Edge::Open }
    }
}

/// The octets and how they may be read; none if they are no text.
fn readings<'t>(
    coding: Coding,
    octets: &'t [u8],
    account: &AccountFacts,
) -> Result<Option<(Segment<'t>, Readings)>, Evidence> {
    let split = UserData::split(octets, coding.udhi);
    let user_data = split.map_err(|_| HEADER)?;
    match Content::of(coding.data_coding, &user_data, account.declared().default_alphabet) {
        Ok(Content::Binary) => Ok(None),
        Ok(Content::Text(readings)) => {
            Ok(readings.iter().next().map(|first| (Segment::new(&user_data, first), readings)))
        }
        Err(undecodable) => Err(Evidence::Undecodable(undecodable)),
    }
}

fn read_model(score: &config::Score) -> Result<Model, Faults> {
    Model::parse(&score.model, &score.file).map_err(|ModelFault { file, offset, fault }| {
        let help = "name a model that `smppolicy train` made, as it made it";
        Faults::of_file(&file, format!("octet {offset}: {fault}"), help)
    })
}

/// The brands that texts may name, by the ids that their list entries have.
fn named(texts: &config::Texts, accounts: &[config::Account]) -> BTreeMap<String, Named> {
    let protected = texts.brands.iter().map(|brand| Named { name: brand.name.clone(), protected: true });
    let own = accounts.iter().flat_map(|account| &account.brands);
    let own = own.map(|name| Named { name: name.clone(), protected: false });
    protected.chain(own).enumerate().map(|(index, named)| (format!("brand-{index}"), named)).collect()
}

/// A list by which texts are searched for brands in the same pass as for everything else.
fn brand_list(texts: &config::Texts, named: &BTreeMap<String, Named>) -> config::ListFile {
    let mut text = "rule = 'brand'\nlanguage = 'any'\nclause = 6\ncategory = 'brand'\n".to_owned();
    for (id, named) in named {
        let spellings = texts.brands.iter().filter(|brand| named.protected && brand.name == named.name);
        let names = std::iter::once(&named.name).chain(spellings.flat_map(|brand| &brand.spellings));
        // Patterns are made of words; a name of signs alone cannot be looked for.
        let patterns: Vec<String> = names
            .map(|name| name.replace(|character: char| !character.is_alphanumeric(), " "))
            .filter(|name| !name.trim().is_empty())
            .collect();
        if !patterns.is_empty() {
            text.push_str(&format!("[[entry]]\nid = '{id}'\nmatch = {}\n", toml::Value::from(patterns)));
        }
    }
    config::ListFile { file: "brands".to_owned(), text }
}

/// A word of the configuration as a list of one entry.
fn list_of(word: &config::OwnWord) -> config::ListFile {
    let config::OwnEntry { place, id, clause, category, language } = &word.entry;
    let patterns = toml::Value::from(word.patterns.clone());
    let text = format!(
        "rule = 'content'\nlanguage = '{language}'\nclause = {clause}\ncategory = '{category}'\n\
         [[entry]]\nid = '{id}'\nmatch = {patterns}\n"
    );
    config::ListFile { file: place.clone(), text }
}
